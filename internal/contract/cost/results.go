package main

import (
	"github.com/cacheu/plumbline/internal/contract/synth"
	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/promql"
)

// Results is everything that was measured, as it is kept in the results file.
type Results struct {
	Native  *Measured `json:"native,omitempty"`
	Classic *Measured `json:"classic,omitempty"`
}

// Measured is one run, with histograms of one form.
type Measured struct {
	Machine measured.Machine `json:"machine"`
	Flavor  string           `json:"flavor"`
	Form    Form             `json:"form"`
	Stored  Stored           `json:"stored"`
	Server  Use              `json:"prometheus"`
	Groups  []Group          `json:"rule_groups"`
	Spans   []Span           `json:"spans,omitempty"`
}

// Form is how much there was.
type Form struct {
	Services  int `json:"services"`
	Instances int `json:"instances"`
	Routes    int `json:"routes"`
	// Hours is the longer time range of the dashboards.
	Hours int `json:"hours"`
	// Scrape is the time between two samples, in seconds.
	Scrape float64 `json:"scrape_seconds"`
}

// Stored is what Prometheus held.
type Stored struct {
	// All is the number of series that were scraped. Of those, Whole had raw
	// samples for the time range of the dashboards, Hour for that of the longest
	// window of the rules, and Short for that of the shortest.
	All   int `json:"series"`
	Whole int `json:"series_whole_range"`
	Hour  int `json:"series_an_hour"`
	Short int `json:"series_minutes"`
	// Recorded is the number of recorded series.
	Recorded int `json:"series_recorded"`
	// Samples were written as blocks, within Seconds.
	Samples int64   `json:"samples_in_blocks"`
	Seconds float64 `json:"seconds_to_write_blocks"`
	// PerSecond is how many samples came in while it was measured, and Behind how
	// late they came at most, in seconds.
	PerSecond float64 `json:"samples_per_second"`
	Behind    float64 `json:"late_seconds"`
}

// Use is what Prometheus used.
type Use struct {
	// Memory is its largest resident memory in bytes.
	Memory int64 `json:"memory_bytes"`
}

func (o options) form() Form {
	return Form{Services: o.services, Instances: o.instances, Routes: o.routes, Hours: o.hours, Scrape: synth.Interval.Seconds()}
}

func (b Board) sum() (sum float64) {
	for _, q := range b.Queries {
		sum += q.Seconds
	}
	return sum
}

func (r *Results) put(m Measured) {
	if m.Flavor == promql.Classic.String() {
		r.Classic = &m
		return
	}
	r.Native = &m
}
