package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/compose/lab/console"
)

// pageWeight is how many bytes, compressed, the whole page may have: all that
// any view of it ever loads.
const pageWeight = 3 << 20

// consoleDrawsEverything opens the console in a real browser: the lab's own,
// one with the fixtures' dashboards, and one whose Loki is dead.
func consoleDrawsEverything(t *testing.T) {
	if the.base["console"] == "" {
		t.Fatal("the lab has no console: install Node.js with npm")
	}
	work, err := lab.PreparePage(t.Context(), the.config, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	built, err := lab.BuildPage(t.Context(), the.config, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the page is light", func(t *testing.T) { weighPage(t, built.Page) })

	trace, span := computingSpan(t)
	fixtures := filepath.Join(the.config.Root, "compose", "console", "test", "fixtures")
	generated := filepath.Join(the.config.Root, "dashboards", "generated")
	env := []string{
		"CONSOLE_URL=" + the.base["console"],
		"FIXTURES_URL=" + serveConsole(t, built.Page, fixtures, nil),
		"BROKEN_URL=" + serveConsole(t, built.Page, generated, map[string]string{"loki": deadAddress(t)}),
		"COMPUTED_TRACE=" + trace, "COMPUTED_SPAN=" + span,
		"CHROMIUM=" + chromium(t),
	}
	eventually(t, arrival, func(ctx context.Context) error {
		series, err := the.prometheus.Query(ctx, `count(count_over_time(up[1m]) > 8)`)
		if err != nil {
			return err
		}
		if len(series) == 0 || series[0].Value < 5 {
			return fmt.Errorf("too few targets have been scraped for a minute: %v", series)
		}
		return nil
	})
	browse(t, work, env)
}

// weighPage sums what a browser is sent at most: every file in its compressed
// form where it has one.
func weighPage(t *testing.T, page string) {
	var sum int64
	largest := map[string]int64{}
	err := filepath.WalkDir(page, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".gz") {
			return err
		}
		info, err := os.Stat(path + ".gz")
		if err != nil {
			if info, err = entry.Info(); err != nil {
				return err
			}
		}
		sum += info.Size()
		if info.Size() > 50<<10 {
			largest[filepath.Base(path)] = info.Size() >> 10
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the page weighs %d KiB compressed; KiB of its largest files: %v", sum>>10, largest)
	if sum == 0 || sum > pageWeight {
		t.Errorf("the page weighs %d bytes compressed, at most %d are allowed", sum, pageWeight)
	}
}

// serveConsole serves a console of the test's own in front of the lab's stores.
func serveConsole(t *testing.T, page, dashboards string, other map[string]string) string {
	t.Helper()
	c := console.Config{Page: page, Dashboards: dashboards, Stores: map[string]string{}}
	for _, name := range console.StoreNames() {
		c.Stores[name] = the.base[name]
	}
	for name, address := range other {
		c.Stores[name] = address
	}
	handler, err := console.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// deadAddress is an address where nothing listens: one that something has just
// left.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

// chromium finds the system's browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: install it (apt install chromium) so that the console can be tested")
	return ""
}

// browse runs the page's browser tests, and each line of theirs is one of this
// test's log.
func browse(t *testing.T, work string, env []string) {
	files, err := filepath.Glob(filepath.Join(work, "test", "browser", "*.test.ts"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no browser tests in %s: %v", work, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	args := append([]string{
		"--import", "./test/typescript.mjs", "--test", "--test-concurrency=1", "--test-reporter=spec",
	}, files...)
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir, cmd.Env = work, append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("browser tests: %v", err)
	}
}
