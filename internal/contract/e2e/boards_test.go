package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cacheu/plumbline/internal/contract/boards"
	"github.com/cacheu/plumbline/internal/contract/stores"
)

// silence is a panel that has nothing to show in a healthy lab under its own
// load, with the reason.
type silence struct{ board, panel, reason string }

const (
	nothingFails  = "nothing fails in a healthy lab"
	needsScenario = "needs a scenario that repeats a query; the N+1 scenario's benchmark makes it"
	needsExporter = "needs a postgres_exporter, which the lab does not run"
	needsKnee     = "needs an estimate of the knee, which needs more load than the lab's own"
	needsTime     = "needs a lab that ran longer than this test does"
	needsLimiter  = "needs a limiter, which none of the lab's services has"
)

// silences may be silent, and need not: some faults happen in the best lab.
func silences() []silence {
	return []silence{
		{"plumbline-service-overview", "Error lines", nothingFails},
		{"plumbline-service-overview", "HTTP client duration", "the service that is chosen first, the api, calls no other server"},
		{"plumbline-replication-lag", "Waiting for a replica", "no read need wait for a replica that keeps up"},
		{"plumbline-utilization", "Headroom", needsKnee},
		{"plumbline-utilization", "Headroom over time", needsKnee},
		{"plumbline-utilization", "Knee and its error", needsKnee},
		{"plumbline-utilization", "Requests and the knee", needsKnee},
		{"plumbline-utilization", "Size of the bottleneck", needsKnee},
		{"plumbline-utilization", "Latency against utilization", needsKnee},
		{"plumbline-utilization", "Shed", needsLimiter},
		{"plumbline-utilization", "Limiter decisions", needsLimiter},
		{"plumbline-bottleneck", "N+1 queries found", needsScenario},
		{"plumbline-bottleneck", "N+1 queries over time", needsScenario},
		{"plumbline-bottleneck", "Traces with an error", nothingFails},
		{"plumbline-database", "N+1 queries found", needsScenario},
		{"plumbline-database", "N+1 queries over time", needsScenario},
		{"plumbline-database", "Rows read by sequential scans", needsExporter},
		{"plumbline-database", "Traces with a failed query", nothingFails},
		{"plumbline-jobs", "Jobs with an error", nothingFails},
		{"plumbline-jobs", "Attempts that did not end well", nothingFails},
		{"plumbline-profiling", "This service, earlier", needsTime},
		{"plumbline-profiling", "Waiting for locks", "goroutines need not wait for each other"},
		{"plumbline-slo", "Alerts firing", nothingFails},
		{"plumbline-slo", "Alerts about this service", nothingFails},
		{"plumbline-stack-health", "Telemetry given up", nothingFails},
		{"plumbline-logs-and-traces", "Warnings and errors", nothingFails},
		{"plumbline-logs-and-traces", "Traces with an error", nothingFails},
		{"plumbline-logs-and-traces", "Telemetry dropped", nothingFails},
	}
}

// everyPanelHasData asks the lab's stores what each panel of each dashboard
// asks, with the variables set as Grafana sets them when it is opened. The
// dashboard of benchmarks shows the run of benchmarkShows, which comes before.
func everyPanelHasData(t *testing.T) {
	all, err := boards.Generated()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, b := range all {
		for _, p := range b.Panels {
			known[b.UID+p.Title] = true
		}
		t.Run(b.UID, func(t *testing.T) {
			t.Parallel()
			boardHasData(t, b)
		})
	}
	for _, s := range silences() {
		if !known[s.board+s.panel] {
			t.Errorf("there is no panel %q of %s, of which the list says: %s", s.panel, s.board, s.reason)
		}
	}
}

// panelStep is the distance of points, and scraped that of scrapes.
const (
	panelStep = 15 * time.Second
	scraped   = 5 * time.Second
)

func boardHasData(t *testing.T, b boards.Board) {
	var values boards.Values
	whole := func() stores.Range { return stores.Range{From: the.began, To: time.Now(), Step: panelStep} }
	resolve := func(ctx context.Context) (err error) {
		r := whole()
		ask := func(ctx context.Context, label, selector string) ([]string, error) {
			return the.prometheus.LabelValues(ctx, label, selector, r.From, r.To)
		}
		values, err = b.Resolve(ctx, ask, boards.Builtin(r.To.Sub(r.From), panelStep, scraped))
		return err
	}
	eventually(t, arrival, resolve)
	drawn, quiet := 0, 0
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			reason := silent(b.UID, p.Title)
			limit := arrival
			if reason != "" {
				limit = time.Millisecond
			}
			err := within(t.Context(), limit, func(ctx context.Context) error { return answers(ctx, p, target, values, whole()) })
			switch {
			case err == nil:
				drawn++
			case errors.Is(err, errSilent) && reason != "":
				quiet++
				t.Logf("panel %q, target %s is silent: %s", p.Title, target.RefID, reason)
			default:
				t.Errorf("panel %q, target %s: %v", p.Title, target.RefID, err)
			}
		}
	}
	t.Logf("%d queries have data, %d are silent with a reason", drawn, quiet)
}

// silent returns why a panel may have no data; "" if it may not.
func silent(board, panel string) string {
	for _, s := range silences() {
		if s.board == board && s.panel == panel {
			return s.reason
		}
	}
	return ""
}

// within calls check until it returns nil or the time is over, once at least.
func within(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	for end := time.Now().Add(limit); ; {
		err := check(ctx)
		if err == nil || !errors.Is(err, errSilent) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// errSilent is a store that took the query and has nothing for it.
var errSilent = errors.New("no data")

// answers asks the store of a target what the panel asks.
func answers(ctx context.Context, p boards.Panel, target boards.Target, values boards.Values, r stores.Range) error {
	if p.TimeShift != "" {
		shift, err := time.ParseDuration(values.Fill(p.TimeShift))
		if err != nil {
			return err
		}
		r.From, r.To = r.From.Add(-shift), r.To.Add(-shift)
	}
	points, asked := 0, values.Fill(target.Expr)
	var err error
	switch target.Datasource.Type {
	case boards.Prometheus:
		points, err = the.prometheus.Points(ctx, asked, target.Instant, r)
	case boards.Loki:
		points, err = the.loki.Points(ctx, asked, r)
	case boards.Jaeger:
		asked = target.Tags + " " + values.Fill(target.MinDuration)
		points, err = the.jaeger.Search(ctx, values.Fill(target.Service), tagsOf(target.Tags), values.Fill(target.MinDuration), r)
	case boards.Pyroscope:
		asked = values.Fill(target.ProfileTypeID) + values.Fill(target.LabelSelector)
		var graph stores.FlameGraph
		graph, err = the.pyroscope.Profile(ctx, values.Fill(target.ProfileTypeID), values.Fill(target.LabelSelector), r.From, r.To)
		points = int(graph.Total)
	default:
		err = fmt.Errorf("nobody knows the data source %q", target.Datasource.Type)
	}
	if err != nil {
		return err
	}
	if points == 0 {
		return fmt.Errorf("%w for %s", errSilent, asked)
	}
	return nil
}

// tagsOf reads the tags of a search as Grafana does: key=value pairs.
func tagsOf(text string) map[string]string {
	tags := map[string]string{}
	for _, pair := range strings.Fields(text) {
		key, value, _ := strings.Cut(pair, "=")
		tags[key] = value
	}
	return tags
}
