package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/dashboards"
)

// TestLinksLeadSomewhere: to a dashboard that is generated, or to a page that
// is in the repository. It looks for addresses in the whole text, so that links
// of panels, of table cells and of the dashboard are all among them.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, d := range all {
		uids[string(d.UID)] = true
	}
	address := regexp.MustCompile(`"(?:/d/|https://github\.com/cacheu/plumbline/blob/main/)[^"]*"`)
	for _, d := range all {
		content, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, quoted := range address.FindAllString(string(content), -1) {
			if problem := leads(strings.Trim(quoted, `"`), uids); problem != "" {
				t.Errorf("%s: %s", d.UID, problem)
			}
		}
	}
}

// leads returns what is wrong with an address.
func leads(address string, uids map[string]bool) string {
	if board, ok := strings.CutPrefix(address, "/d/"); ok {
		uid, _, _ := strings.Cut(board, "?")
		if !uids[uid] {
			return "there is no dashboard " + uid
		}
		if !strings.Contains(address, "${__url_time_range}") {
			return address + " forgets the time range"
		}
		return ""
	}
	page := strings.TrimPrefix(address, "https://github.com/cacheu/plumbline/blob/main/")
	if strings.Contains(page, "${") {
		return "" // the value of a cell or of a variable
	}
	if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(page))); err != nil {
		return "there is no page " + page
	}
	return ""
}

func TestEachKindOfBrokenLinkIsFound(t *testing.T) {
	t.Parallel()
	uids := map[string]bool{"plumbline-p99": true}
	for address, want := range map[string]string{
		"/d/plumbline-p98?${__url_time_range}":                                        "there is no dashboard plumbline-p98",
		"/d/plumbline-p99?var-x=y":                                                    "forgets the time range",
		"https://github.com/cacheu/plumbline/blob/main/docs/runbooks/Nothing.md":      "there is no page docs/runbooks/Nothing.md",
		"/d/plumbline-p99?${__url_time_range}&${__all_variables}":                     "",
		"https://github.com/cacheu/plumbline/blob/main/docs/runbooks/TargetDown.md":   "",
		"https://github.com/cacheu/plumbline/blob/main/docs/lab/average-is-a-liar.md": "",
	} {
		if got := leads(address, uids); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestEveryPanelLeadsOn: whoever has read it knows where to go next. The first
// four dashboards lead on by their links above and in their tables.
func TestEveryPanelLeadsOn(t *testing.T) {
	t.Parallel()
	first := map[string]bool{
		"plumbline-service-overview": true, "plumbline-utilization": true, "plumbline-replication-lag": true, "plumbline-benchmarks": true,
	}
	eachDashboard(t, func(t *testing.T, _ dashboards.Flavor, m model) {
		for _, p := range m.Panels {
			if p.Type != "row" && !first[m.UID] && len(p.Links) == 0 {
				t.Errorf("panel %q leads nowhere", p.Title)
			}
			for _, l := range p.Links {
				if l.Title == "" || l.Type != "link" || l.URL == "" || l.TargetBlank != strings.HasPrefix(l.URL, "https:") {
					t.Errorf("panel %q has the link %+v", p.Title, l)
				}
				if strings.HasPrefix(l.URL, "/d/"+m.UID+"?") {
					t.Errorf("panel %q leads to its own dashboard", p.Title)
				}
			}
		}
	})
}
