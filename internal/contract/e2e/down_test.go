package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
)

// downLeavesNothing comes last: it takes the lab
// down and looks for processes, ports and files of it. Data stays, because
// nobody asked to purge it.
func downLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := lab.Down(ctx, the.config, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, c := range the.status.Components {
		if c.PID == 0 {
			continue
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", c.PID)); err == nil {
			t.Errorf("%s still runs as process %d", c.Name, c.PID)
		}
	}
	for _, p := range the.config.Ports.List() {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.Number))
		if err != nil {
			t.Errorf("port %d of %s (%s) is still taken: %v", p.Number, p.Component, p.Variable, err)
			continue
		}
		_ = l.Close()
	}
	if _, err := os.Stat(filepath.Join(the.config.Home, "data")); err != nil {
		t.Errorf("the data is gone: %v", err)
	}
	status, err := lab.CheckStatus(ctx, the.config)
	if err != nil || status.Running {
		t.Errorf("status after down: running %v, %v", status.Running, err)
	}
}
