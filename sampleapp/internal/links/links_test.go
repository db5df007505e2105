package links_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/links"
)

// stores answer as the servers do, for exemplars of the service api.
type stores struct {
	mu sync.Mutex
	// exemplars are the ids of traces by age.
	exemplars map[string]time.Duration
	// lost are the ids that Jaeger and Loki do not have.
	noTrace, noLogs map[string]bool
	noProfiles      bool
	pyroscopeDown   bool
	prometheusDown  bool
	now             time.Time
}

func (s *stores) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path := r.URL.Path; {
	case path == "/api/v1/query_exemplars":
		s.queryExemplars(w, r)
	case strings.HasPrefix(path, "/api/traces/"):
		if s.noTrace[strings.TrimPrefix(path, "/api/traces/")] {
			http.Error(w, `{"errors":[{"code":404,"msg":"trace not found"}]}`, http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"data":[{"processes":{"p1":{"serviceName":"api"}},"spans":[{"processID":"p1","tags":[{"key":%q}]}]}]}`, catalog.AttrProfileID)
	case path == "/loki/api/v1/query_range":
		for id := range s.noLogs {
			if strings.Contains(r.URL.Query().Get("query"), strconv.Quote(id)) {
				fmt.Fprint(w, `{"data":{"result":[]}}`)
				return
			}
		}
		fmt.Fprint(w, `{"data":{"result":[{"values":[["1","line"]]}]}}`)
	case s.pyroscopeDown:
		http.Error(w, "no", http.StatusServiceUnavailable)
	case s.noProfiles:
		fmt.Fprint(w, `{"flamegraph":{"names":["total"]}}`)
	default:
		fmt.Fprint(w, `{"flamegraph":{"names":["total"],"total":"10000000"}}`)
	}
}

func (s *stores) queryExemplars(w http.ResponseWriter, r *http.Request) {
	if s.prometheusDown {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	query := r.URL.Query()
	if query.Get("query") != catalog.HTTPServerRequestDuration.Desc().Name+"_bucket" {
		fmt.Fprint(w, `{"data":[]}`)
		return
	}
	from, _ := strconv.ParseFloat(query.Get("start"), 64)
	to, _ := strconv.ParseFloat(query.Get("end"), 64)
	var list []string
	for id, age := range s.exemplars {
		if at := float64(s.now.Add(-age).Unix()); at >= from && at <= to {
			list = append(list, fmt.Sprintf(`{"labels":{%q:%q},"timestamp":%f}`, catalog.ExemplarTraceID, id, at))
		}
	}
	fmt.Fprintf(w, `{"data":[{"seriesLabels":{%q:"api"},"exemplars":[%s]}]}`, catalog.ServiceName, strings.Join(list, ","))
}

// measured makes a round and returns the metric by hop.
func measured(t *testing.T, s *stores) (map[string]float64, error) {
	t.Helper()
	s.now = time.Unix(1_790_000_000, 0)
	server := httptest.NewServer(s)
	defer server.Close()
	registry := prometheus.NewRegistry()
	p, err := links.New(links.Config{
		Registerer: registry, Client: server.Client(), Sample: 100,
		Prometheus: server.URL, Jaeger: server.URL, Loki: server.URL, Pyroscope: server.URL,
		Now: func() time.Time { return s.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	roundErr := p.Round(t.Context())
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("the metric: %v %v", problems, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ratios := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			ratios[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return ratios, roundErr
}

func TestTheRatioIsTheShareOfLinksThatLeadSomewhere(t *testing.T) {
	t.Parallel()
	const settled, old = links.DefaultSettle + 5*time.Second, links.DefaultOldest + 5*time.Second
	four := map[string]time.Duration{"a": settled, "b": settled, "c": settled, "d": old}
	for name, c := range map[string]struct {
		stores *stores
		want   map[string]float64
	}{
		"all of them": {&stores{exemplars: four}, map[string]float64{"trace": 1, "logs": 1, "profile": 1}},
		"a trace that is evicted before its exemplar": {
			&stores{exemplars: four, noTrace: map[string]bool{"d": true}}, map[string]float64{"trace": 0.75, "logs": 1, "profile": 1}},
		"lines that are missing": {
			&stores{exemplars: four, noLogs: map[string]bool{"a": true, "b": true}}, map[string]float64{"trace": 1, "logs": 0.5, "profile": 1}},
		"no profiles":                    {&stores{exemplars: four, noProfiles: true}, map[string]float64{"trace": 1, "logs": 1, "profile": 0}},
		"a store that does not answer":   {&stores{exemplars: four, pyroscopeDown: true}, map[string]float64{"trace": 1, "logs": 1, "profile": 0}},
		"nothing to try":                 {&stores{}, map[string]float64{}},
		"what is too young is no matter": {&stores{exemplars: map[string]time.Duration{"a": settled, "young": 5 * time.Second}, noTrace: map[string]bool{"young": true}}, map[string]float64{"trace": 1, "logs": 1, "profile": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := measured(t, c.stores)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v and %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestWithoutPrometheusNothingIsMeasured(t *testing.T) {
	t.Parallel()
	got, err := measured(t, &stores{prometheusDown: true})
	if err == nil || len(got) != 0 {
		t.Errorf("%v and %v, want an error and no value", got, err)
	}
}
