package consolecheck_test

import (
	"regexp"
	"testing"
)

// The step of every query and $__rate_interval follow from the scrape interval,
// which Grafana reads from its data source and the console has as a constant.
func TestConsoleGrafanaAndPrometheusAgreeOnTheScrapeInterval(t *testing.T) {
	t.Parallel()
	var first string
	for _, source := range []struct{ path, pattern string }{
		{"compose/config/prometheus/prometheus.yml", `(?m)^  scrape_interval: (\d+)s$`},
		{"compose/config/grafana/provisioning/datasources/plumbline.yaml", `(?m)^      timeInterval: (\d+)s$`},
		{"compose/console/src/model/interval.ts", `(?m)^export const ScrapeSeconds = (\d+);$`},
	} {
		found := regexp.MustCompile(source.pattern).FindSubmatch(read(t, source.path))
		if found == nil {
			t.Fatalf("%s does not say its interval as %s", source.path, source.pattern)
		}
		if first == "" {
			first = string(found[1])
		}
		if got := string(found[1]); got != first {
			t.Errorf("%s says %s s, Prometheus scrapes every %s s", source.path, got, first)
		}
	}
}
