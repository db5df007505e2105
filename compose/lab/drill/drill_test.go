package drill_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/alerts"
	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/compose/lab/drill"
)

// TestEveryAlertHasADrill, or a reason why not, and no drill waits for an alert
// that does not exist.
func TestEveryAlertHasADrill(t *testing.T) {
	t.Parallel()
	groups, err := alerts.All(alerts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exists := map[drill.Alert]bool{}
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				exists[drill.Alert{Name: r.Alert, Severity: string(r.Severity)}] = true
			}
		}
	}
	drilled := map[drill.Alert]bool{}
	for _, d := range drill.All() {
		if len(d.Fires) == 0 || len(d.Faults) == 0 && d.Tamper == nil {
			t.Errorf("%q does nothing, or nothing comes of it", d.Name)
		}
		for _, a := range d.Fires {
			drilled[a] = true
		}
		for _, a := range append(d.Fires, d.May...) {
			if !exists[a] {
				t.Errorf("%q waits for %s, which does not exist", d.Name, a)
			}
		}
	}
	without := drill.Undrilled()
	for a := range exists {
		if drilled[a] == (without[a] != "") {
			t.Errorf("%s has a drill: %v; a reason for having none: %q", a, drilled[a], without[a])
		}
	}
	for a := range without {
		if !exists[a] {
			t.Errorf("%s has a reason for having no drill, and does not exist", a)
		}
	}
}

// TestDrillsUseFaultsThatExist asks the lab, which refuses others before it finds
// that it is not up.
func TestDrillsUseFaultsThatExist(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := lab.Config{Root: home, Home: home, Cache: home, Mode: lab.Native}
	for _, d := range drill.All() {
		for _, fault := range d.Faults {
			if err := lab.SetFault(t.Context(), c, fault, nil); err == nil || !strings.Contains(err.Error(), "the lab is not up") {
				t.Errorf("%q wants %s: %v", d.Name, fault, err)
			}
		}
	}
}

// TestTheTableIsOfTheseDrills finds a list that was changed without a run.
func TestTheTableIsOfTheseDrills(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "drills.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := string(content)
	rows := 0
	for _, line := range strings.Split(table, "\n") {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| fault") {
			rows++
		}
	}
	if all := drill.All(); rows != len(all) {
		t.Errorf("the table has %d rows, there are %d drills; run make drill", rows, len(all))
	}
	for _, d := range drill.All() {
		_, row, found := strings.Cut(table, "\n| "+d.Name+" ")
		row, _, _ = strings.Cut(row, "\n")
		for _, a := range d.Fires {
			if !found || !strings.Contains(row, a.String()) {
				t.Errorf("the table lacks %q with %s; run make drill", d.Name, a)
			}
		}
	}
	for a, reason := range drill.Undrilled() {
		if !strings.Contains(table, "\n- "+a.String()+": "+reason+".\n") {
			t.Errorf("the document lacks why %s has no drill; run make drill", a)
		}
	}
	_, without, _ := strings.Cut(table, "## Alerts without a drill")
	if n := strings.Count(without, "\n- "); n != len(drill.Undrilled()) {
		t.Errorf("the document has %d alerts without a drill, there are %d; run make drill", n, len(drill.Undrilled()))
	}
	if strings.Contains(table, "FAILED") {
		t.Error("the table is of a run that failed")
	}
}

func TestReportTellsWhatFailed(t *testing.T) {
	t.Parallel()
	all := drill.All()
	good := drill.Result{Drill: all[3], Fire: 2 * time.Second, Reach: 2500 * time.Millisecond, Clear: 10 * time.Second}
	report := drill.Report{Results: []drill.Result{good}}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if got := string(report.Markdown()); !strings.Contains(got, "| a tenth of the requests fails (`errors=10%`) | ErrorBudgetBurnFast (page) | 2.0 s | 2.5 s | 10.0 s |") || strings.Contains(got, "FAILED") {
		t.Errorf("the table is %s", got)
	}
	bad := good
	bad.Err = os.ErrDeadlineExceeded
	report = drill.Report{Results: []drill.Result{good, bad}, Quiet: os.ErrDeadlineExceeded}
	if err := report.Err(); err == nil || strings.Count(err.Error(), "timeout") != 2 {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(string(report.Markdown()), "FAILED") {
		t.Error("the table does not say so")
	}
}
