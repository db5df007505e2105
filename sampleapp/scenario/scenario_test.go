package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/sampleapp/scenario"
)

func TestSpecsAreComplete(t *testing.T) {
	t.Parallel()
	names, valid := map[string]bool{}, regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, s := range scenario.All() {
		if !valid.MatchString(s.Name) || names[s.Name] {
			t.Errorf("the name %q is not valid or used twice", s.Name)
		}
		names[s.Name] = true
		if s.Title == "" || s.Assumption == "" || s.Route == "" || len(s.Requests) == 0 || len(s.Symptoms) == 0 {
			t.Errorf("%s lacks something: %+v", s.Name, s)
		}
		if len(s.Variants) < 2 || s.Variants[0].Name != scenario.Before {
			t.Errorf("%s begins with %+v, want before", s.Name, s.Variants)
		}
		for _, v := range s.Variants[1:] {
			if !strings.HasPrefix(v.Name, scenario.After) || v.Does == "" {
				t.Errorf("%s has the variant %+v", s.Name, v)
			}
		}
		for _, l := range []scenario.Load{s.Full, s.Quick} {
			// Five rounds are the least that allows a verdict.
			if l.Rate <= 0 || l.Rounds < 5 || l.Length < time.Second {
				t.Errorf("%s has the load %+v", s.Name, l)
			}
		}
		for _, x := range s.Symptoms {
			if x.Means == "" || (x.Metric == nil) != (x.Of == scenario.Fact) || (x.Fact != "") != (x.Of == scenario.Fact) {
				t.Errorf("%s has the symptom %+v", s.Name, x)
			}
			if x.Before.Min > x.Before.Max || x.After.Min > x.After.Max {
				t.Errorf("%s: the bands of %s are the wrong way round", s.Name, x.Means)
			}
		}
	}
}

// TestAlertsOfSpecsExist reads the rules that are loaded into Prometheus.
func TestAlertsOfSpecsExist(t *testing.T) {
	t.Parallel()
	for _, flavour := range []string{"classic", "native"} {
		files, err := filepath.Glob("../../alerts/generated/prometheus/" + flavour + "/*.yml")
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s rules: %v", flavour, err)
		}
		known := map[string]bool{}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`(?m)^\s*-? *alert: (\w+)$`).FindAllSubmatch(content, -1) {
				known[string(match[1])] = true
			}
		}
		named := 0
		for _, s := range scenario.All() {
			if s.Alert == "" {
				continue
			}
			if named++; !known[s.Alert] {
				t.Errorf("%s expects the alert %s, which is not among the %s rules: %v", s.Name, s.Alert, flavour, known)
			}
		}
		if named == 0 {
			t.Error("no scenario expects an alert")
		}
	}
}

func TestUnknownScenarioListsThoseThatExist(t *testing.T) {
	t.Parallel()
	_, err := scenario.Find("n-plus-two")
	if err == nil || !strings.HasPrefix(err.Error(), `there is no scenario "n-plus-two", there are: average-is-a-liar, `) {
		t.Errorf("got %v", err)
	}
	if s, err := scenario.Find("n-plus-one"); err != nil || s.Name != "n-plus-one" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestBandsReadAsText(t *testing.T) {
	t.Parallel()
	for want, band := range map[string]scenario.Band{
		"21": scenario.Exactly(21), "at least 3": scenario.AtLeast(3), "at most 0.5": scenario.AtMost(0.5), "2 to 4": {Min: 2, Max: 4},
	} {
		if band.String() != want || !band.Holds(band.Min) || !band.Holds(band.Max) || band.Holds(band.Min-1) {
			t.Errorf("%+v reads %s, want %s", band, band, want)
		}
	}
}

func Example() {
	s, err := scenario.Find("n-plus-one")
	if err != nil {
		fmt.Println(err)
		return
	}
	x := s.Symptoms[0]
	fmt.Printf("%s: %s before, %s after\n", x.Means, x.Before, x.After)
	// Output: queries per request: 21 before, 1 after
}
