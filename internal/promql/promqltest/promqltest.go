// Package promqltest lets tests ask Prometheus' own tool whether queries and
// rules are right, without Prometheus in the module's dependencies.
//
// It is for tests only. A run of the tool costs a tenth of a second; queries
// are checked many at a time. Where there is no tool the calling test is
// skipped, and says how to build it.
package promqltest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// promtoolVariable names the binary. The Makefile sets it, which turns the
// skip into a failure.
const promtoolVariable = "PROMTOOL"

// Promtool returns the path of the binary: $PROMTOOL if it is set, which must
// then exist; else the one of the lab's cache or of PATH. Without any, the
// test is skipped.
func Promtool(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv(promtoolVariable); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			tb.Fatalf("%s names no program: %v", promtoolVariable, err)
		}
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	cached := filepath.Join(cache, "plumbline", "bin", "promtool")
	if _, err := exec.LookPath(cached); err == nil {
		return cached
	}
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	tb.Skipf("no promtool; build it with (cd tools/prometheus && go build -tags remove_all_sd -o %s github.com/prometheus/prometheus/cmd/promtool), "+
		"or name one in %s", cached, promtoolVariable)
	return ""
}

// Run runs promtool and fails the test, with promtool's own words, if it is
// not content.
func Run(tb testing.TB, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, Promtool(tb), args...).CombinedOutput()
	if err != nil {
		tb.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Parses fails the test for every query that Prometheus cannot parse. What
// only Grafana understands is replaced first, as Grafana would.
func Parses(tb testing.TB, queries ...string) {
	tb.Helper()
	if len(queries) == 0 {
		tb.Error("no queries to check")
	}
	grafana := strings.NewReplacer("$__rate_interval", "1m", "$__range_s", "3600", "$__range", "1h", "$"+string(catalog.VarRequests), "20")
	var rules strings.Builder
	rules.WriteString("groups:\n- name: queries\n  rules:\n")
	for i, q := range queries {
		quoted, err := json.Marshal(grafana.Replace(q))
		if err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(&rules, "  - {record: query_%d, expr: %s}\n", i, quoted)
	}
	file := filepath.Join(tb.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	Run(tb, "check", "rules", "--lint=none", file)
}
