package synth

import (
	"github.com/cacheu/plumbline/agent/catalog"
)

// benchScenario is the scenario of the one benchmark that there was.
const benchScenario = "search"

// addStack adds the servers of the stack, an exporter of PostgreSQL's metrics,
// the process that follows links, and the client of a benchmark.
func (p *Population) addStack() {
	for _, server := range []struct {
		job    string
		export func(*builder)
	}{
		{"prometheus", (*builder).exportPrometheus},
		{"alertmanager", (*builder).exportAlertmanager},
		{"loki", (*builder).exportLoki},
		{"jaeger", (*builder).exportJaeger},
		{"pyroscope", (*builder).exportPyroscope},
		{"postgres", func(b *builder) {
			b.count(catalog.PostgresSeqTuplesRead, Whole, 100, numbered("table_%d", 20))
		}},
	} {
		b := p.config.builder(false)
		b.exportProcess()
		server.export(b)
		p.add(b.series, server.job, server.job+":9090", "")
	}
	links := p.config.builder(true)
	links.exportProcess()
	links.gauge(catalog.LinkReachable, Hour, 1, 0, []string{"trace", "logs", "profile"})
	p.add(links.series, "links", "links:9464", "links")
	bench := p.config.builder(true)
	bench.exportProcess()
	bench.exportBench()
	p.add(bench.series, "bench", "bench:9464", "bench")
}

func (b *builder) exportPrometheus() {
	groups := numbered("group-%02d", 13)
	managers := []string{"http://alertmanager:9093"}
	b.count(catalog.PromRuleFailures, Whole, 0, groups)
	b.count(catalog.PromRuleMissed, Whole, 0, groups)
	b.gauge(catalog.PromRuleDuration, Whole, 0.05, 0.01, groups)
	b.gauge(catalog.PromRuleInterval, Whole, 30, 0, groups)
	b.count(catalog.PromNotifyErrors, Whole, 0, managers)
	b.count(catalog.PromNotifyDropped, Whole, 0, managers)
	b.count(catalog.PromNotified, Whole, 0.1, managers)
	b.gauge(catalog.PromReloaded, Whole, 1, 0)
	b.count(catalog.PromSamples, Whole, 40000)
	b.gauge(catalog.PromSeries, Whole, 700000, 1000)
}

func (b *builder) exportAlertmanager() {
	b.count(catalog.AlertmanagerFailures, Whole, 0, []string{"email", "webhook"}, []string{"other"})
	b.count(catalog.AlertmanagerNotified, Whole, 0.01, []string{"email", "webhook"})
	b.count(catalog.AlertmanagerReceived, Whole, 0.1)
	b.gauge(catalog.AlertmanagerAlerts, Whole, 1, 0, []string{"active", "suppressed"})
	b.gauge(catalog.AlertmanagerReloaded, Whole, 1, 0)
}

func (b *builder) exportLoki() {
	b.count(catalog.LokiDiscarded, Whole, 0, []string{"rate_limited", "line_too_long"})
	b.count(catalog.LokiFlushFailures, Whole, 0)
	b.count(catalog.LokiLines, Whole, 1000)
	b.count(catalog.LokiBytes, Whole, 200000)
	b.count(catalog.LokiRequests, Whole, 100, []string{"200", "204"})
	b.count(catalog.LokiRequests, Whole, 0, []string{"500"})
}

func (b *builder) exportJaeger() {
	b.count(catalog.JaegerAccepted, Whole, 1000)
	b.count(catalog.JaegerRefused, Whole, 0)
	b.count(catalog.JaegerStored, Whole, 1000)
	b.count(catalog.JaegerNotStored, Whole, 0)
}

func (b *builder) exportPyroscope() {
	b.count(catalog.PyroscopeRequests, Whole, 100, []string{"200"})
	b.count(catalog.PyroscopeRequests, Whole, 0, []string{"500"})
	b.count(catalog.PyroscopeProfiles, Whole, 66)
}

// exportBench is of a benchmark that compares two variants, by both clocks.
func (b *builder) exportBench() {
	scenario, variants, run := []string{benchScenario}, []string{"before", "after"}, []string{"20260101-000000"}
	b.histogram(catalog.BenchRequestDuration, Whole, 100, duration(0.02), scenario, variants, []string{"corrected", "raw"}, run)
	b.count(catalog.BenchRequests, Whole, 100, scenario, variants, run, []string{"ok"})
	b.count(catalog.BenchRequests, Whole, 0, scenario, variants, run, []string{"error"})
	b.gauge(catalog.BenchOfferedRate, Whole, 100, 0, scenario, variants, run)
	b.gauge(catalog.BenchRunInfo, Whole, 1, 0, scenario, variants, run)
}
