package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
)

// listensOnLoopbackOnly reads the listening sockets of each of
// the lab's processes from the kernel.
func listensOnLoopbackOnly(t *testing.T) {
	sockets, err := listening()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range the.status.Components {
		if c.PID == 0 {
			continue
		}
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.PID))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			target, err := os.Readlink(link)
			if err != nil {
				continue // closed meanwhile
			}
			s, ok := sockets[target]
			if !ok {
				continue
			}
			checked++
			if !s.ip.IsLoopback() {
				t.Errorf("%s listens on %s", c.Name, s.ip)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d listening sockets were found; the lab has more than 20", checked)
	}
}

// socket is what a TCP socket listens on.
type socket struct {
	ip   net.IP
	port int
}

// listening returns all listening TCP sockets by the text of their link in
// /proc/<pid>/fd.
func listening() (map[string]socket, error) {
	sockets := make(map[string]socket)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(data), "\n")[1:] {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" { // TCP_LISTEN
				continue
			}
			var raw []byte
			var port int
			hex, number, _ := strings.Cut(f[1], ":")
			if _, err := fmt.Sscanf(hex+" "+number, "%x %x", &raw, &port); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", table, f[1], err)
			}
			for i := 0; i+4 <= len(raw); i += 4 { // words are in host order, here little-endian
				raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
			}
			sockets["socket:["+f[9]+"]"] = socket{net.IP(raw), port}
		}
	}
	return sockets, nil
}

// statusProbesAndSumsMemory also holds the lab to its memory
// budget under the background load, which is more than idle.
func statusProbesAndSumsMemory(t *testing.T) {
	status, err := lab.CheckStatus(t.Context(), the.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.Err(); err != nil {
		t.Error(err)
	}
	const budget = 3 << 29 // 1.5 GiB
	if status.ResidentBytes == 0 || status.ResidentBytes > budget {
		t.Errorf("%d MiB resident, budget %d MiB", status.ResidentBytes>>20, budget>>20)
	}
	t.Logf("%d components, %d MiB resident, started in %.1f s", len(status.Components), status.ResidentBytes>>20, status.StartSeconds)
}

func secondUpChangesNothing(t *testing.T) {
	var out bytes.Buffer
	status, err := lab.Up(t.Context(), the.config, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "up already") {
		t.Errorf("it says %q", out.String())
	}
	for i, c := range status.Components {
		if before := the.status.Components[i]; c.PID != before.PID {
			t.Errorf("%s was process %d and is %d", c.Name, before.PID, c.PID)
		}
	}
}

// deadman is the alert that always fires.
const deadman = "Deadman"

// rulesAreLoadedAndEvaluate looks at the rules as Prometheus sees them.
func rulesAreLoadedAndEvaluate(t *testing.T) {
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		groups, err := the.prometheus.Rules(ctx)
		if err != nil {
			return err
		}
		alerts := 0
		for group, rules := range groups {
			for _, r := range rules {
				if r.Health != "ok" {
					return fmt.Errorf("rule %s of %s is %s: %s", r.Name, group, r.Health, r.LastError)
				}
				if r.Type == "alerting" {
					alerts++
				}
				if r.State == "firing" && r.Name != deadman {
					return fmt.Errorf("alert %s fires in a healthy lab", r.Name)
				}
			}
		}
		if alerts < 5 {
			return fmt.Errorf("%d alerts in %d groups are loaded", alerts, len(groups))
		}
		return nil
	})
}
