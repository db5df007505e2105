package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/contract/stores"
)

// warmUp is how many evaluations of each group do not count: they read while
// the last minutes are still on their way, or for the first time.
const warmUp = 2

// lastEvaluation is Prometheus' own, and of interest to nobody else.
const lastEvaluation = "prometheus_rule_group_last_evaluation_timestamp_seconds"

// Group is what the evaluations of a rule group took.
type Group struct {
	Name string `json:"name"`
	// Interval is the time between two evaluations, in seconds.
	Interval float64 `json:"interval_seconds"`
	// Seconds are how long they took, in order.
	Seconds []float64 `json:"evaluation_seconds"`
	// Slowest is the rule that took longest in the last one, and Takes how long.
	Slowest string  `json:"slowest_rule"`
	Takes   float64 `json:"slowest_rule_seconds"`
	// Missed is how many evaluations were left out.
	Missed float64 `json:"missed"`
}

// status is what Prometheus says of a group at a time.
type status struct{ interval, duration, at, missed float64 }

// rules waits for as many evaluations of every group as are wanted.
func (o options) rules(ctx context.Context, server *prometheus) ([]Group, error) {
	groups, seen := map[string]*Group{}, map[string]status{}
	evaluated := map[string]int{}
	o.say("waiting for %d evaluations of each rule group", o.evaluations+warmUp)
	began := time.Now()
	for {
		page, err := server.get(ctx, "/metrics")
		if err != nil {
			return nil, err
		}
		now, err := statuses(page)
		if err != nil {
			return nil, err
		}
		for name, s := range now {
			before, known := seen[name]
			seen[name] = s
			if !known {
				groups[name] = &Group{Name: name, Interval: s.interval}
				continue // it may be an evaluation of long ago
			}
			if s.at == before.at {
				continue
			}
			if evaluated[name]++; evaluated[name] > warmUp && len(groups[name].Seconds) < o.evaluations {
				groups[name].Seconds = append(groups[name].Seconds, s.duration)
			}
			groups[name].Missed += s.missed - before.missed
		}
		if enough(groups, o.evaluations) {
			break
		}
		if limit := time.Duration(2*(o.evaluations+warmUp+2)) * longest(groups); time.Since(began) > limit {
			return nil, fmt.Errorf("rule groups were not evaluated %d times within %s", o.evaluations, limit)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	return slowest(ctx, server, groups)
}

func enough(groups map[string]*Group, want int) bool {
	for _, g := range groups {
		if len(g.Seconds) < want {
			return false
		}
	}
	return len(groups) > 0
}

func longest(groups map[string]*Group) time.Duration {
	most := 30.0
	for _, g := range groups {
		most = max(most, g.Interval)
	}
	return time.Duration(most * float64(time.Second))
}

// slowest fills in which rule of each group takes longest, and fails where a
// rule does.
func slowest(ctx context.Context, server *prometheus, groups map[string]*Group) ([]Group, error) {
	loaded, err := stores.Prometheus{URL: server.url}.Rules(ctx)
	if err != nil {
		return nil, err
	}
	var all []Group
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		for _, r := range loaded[name] {
			if r.Health != "ok" {
				errs = append(errs, fmt.Errorf("the rule %s is %s: %s", r.Name, r.Health, r.LastError))
			}
			if r.EvaluationTime >= g.Takes {
				g.Slowest, g.Takes = r.Name, r.EvaluationTime
			}
		}
		all = append(all, *g)
	}
	return all, errors.Join(errs...)
}

// statuses reads Prometheus' metrics of its rule groups, by their names.
func statuses(page string) (map[string]status, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		return nil, fmt.Errorf("read the metrics of Prometheus: %w", err)
	}
	all := map[string]status{}
	read := func(name string, put func(*status, *dto.Metric)) {
		for _, m := range families[name].GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == string(catalog.RuleGroup) {
					_, group, _ := strings.Cut(l.GetValue(), ";") // it begins with the file
					s := all[group]
					put(&s, m)
					all[group] = s
				}
			}
		}
	}
	read(catalog.PromRuleInterval.Desc().Name, func(s *status, m *dto.Metric) { s.interval = m.GetGauge().GetValue() })
	read(catalog.PromRuleDuration.Desc().Name, func(s *status, m *dto.Metric) { s.duration = m.GetGauge().GetValue() })
	read(lastEvaluation, func(s *status, m *dto.Metric) { s.at = m.GetGauge().GetValue() })
	read(catalog.PromRuleMissed.Desc().Name, func(s *status, m *dto.Metric) { s.missed = m.GetCounter().GetValue() })
	if len(all) == 0 {
		return nil, errors.New("Prometheus has no rule groups")
	}
	return all, nil
}
