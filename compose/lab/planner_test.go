package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// testPlanner plans every component, with all optional programs in place.
func testPlanner(t *testing.T) *planner {
	t.Helper()
	c := testConfig(t)
	c.Console = ConsoleOn
	return &planner{
		config: c, ports: c.Ports, paths: paths{c.Home},
		secrets: secrets{Postgres: "pg-secret", Redis: "redis-secret", Grafana: "grafana-secret"},
		account: &account{Name: "postgres", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())},
		tools:   tools{redis: "/usr/bin/redis-server", grafana: "/g/bin/grafana", grafanaHome: "/g", npm: "/usr/bin/npm"},
	}
}

// specOf returns one planned component.
func specOf(t *testing.T, p *planner, name string) spec {
	t.Helper()
	specs, _ := p.specs()
	at := slices.IndexFunc(specs, func(s spec) bool { return s.Name == name })
	if at < 0 {
		t.Fatalf("no %s in the plan", name)
	}
	return specs[at]
}

func TestPlanHoldsEveryComponentInAnOrderThatWorks(t *testing.T) {
	t.Parallel()
	specs, notes := testPlanner(t).specs()
	if got := specNames(specs); !slices.Equal(got, Components()) {
		t.Errorf("planned %v, want %v", got, Components())
	}
	if len(notes) > 0 {
		t.Errorf("notes %v", notes)
	}
	if _, err := order(specs); err != nil {
		t.Error(err)
	}
}

func TestEveryPortBelongsToAComponentAndReachesIt(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	number := regexp.MustCompile(`\b\d{2,5}\b`)
	for _, port := range p.ports.List() {
		s := specOf(t, p, port.Component)
		text := strings.Join(append(s.Args, s.Env...), " ") + "\n" + p.redisConf()
		if !slices.Contains(number.FindAllString(text, -1), variable("", port.Number)[1:]) {
			t.Errorf("%s is not told its port %s=%d", port.Component, port.Variable, port.Number)
		}
	}
}

func TestNoComponentIsToldToListenBeyondLoopback(t *testing.T) {
	t.Parallel()
	specs, _ := testPlanner(t).specs()
	for _, s := range specs {
		for _, word := range append(s.Args, s.Env...) {
			if strings.Contains(word, "0.0.0.0") || strings.Contains(word, "[::]") || strings.HasSuffix(word, "LISTEN_ADDR=:") {
				t.Errorf("%s: %s", s.Name, word)
			}
		}
	}
}

func TestPasswordsAreInNoArgumentAndNoAddress(t *testing.T) {
	t.Parallel()
	specs, _ := testPlanner(t).specs()
	for _, s := range specs {
		if text := strings.Join(s.Args, " ") + s.Address; strings.Contains(text, "-secret") {
			t.Errorf("%s: %s", s.Name, text)
		}
	}
}

func TestServicesAreToldWhereEverythingIs(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	ports := p.ports
	cases := map[string]struct {
		component string
		want      []string
	}{
		"the api": {"api", []string{
			"LISTEN_ADDR=" + local(ports.API), "OTEL_SERVICE_NAME=api",
			"DATABASE_URL=postgres://plumbline:pg-secret@" + local(ports.Postgres) + "/plumbline?sslmode=disable",
			"DATABASE_REPLICAS=replica1=postgres://plumbline:pg-secret@" + local(ports.Replica1) + "/plumbline?sslmode=disable" +
				",replica2=postgres://plumbline:pg-secret@" + local(ports.Replica2) + "/plumbline?sslmode=disable",
			"REDIS_ADDR=" + local(ports.Redis), "REDIS_PASSWORD=redis-secret", "FAULTS_FILE=" + p.paths.faults(),
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://" + local(ports.JaegerOTLP) + "/v1/traces",
			"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://" + local(ports.Loki) + "/otlp/v1/logs",
			"OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1", variable("OTEL_EXPORTER_PROMETHEUS_PORT", ports.APIAdmin),
			"PYROSCOPE_SERVER_ADDRESS=http://" + local(ports.Pyroscope),
		}},
		"the gateway": {"gateway", []string{"API_URL=http://" + local(ports.API), "LISTEN_ADDR=" + local(ports.Gateway)}},
		"the worker":  {"worker", []string{"EMAIL_URL=http://" + local(ports.Email), "LISTEN_ADDR=" + local(ports.Worker)}},
		"the load":    {"load", []string{"GATEWAY_URL=http://" + local(ports.Gateway), "LOAD_RATE=20"}},
		"the seed":    {"migrate", []string{"OTEL_SDK_DISABLED=true"}},
		"postgres":    {"postgres", []string{"POSTGRES_LISTEN=127.0.0.1", variable("PGPORT", ports.Postgres)}},
		"a replica": {"replica2", []string{
			"POSTGRES_PRIMARY_HOST=127.0.0.1", variable("POSTGRES_PRIMARY_PORT", ports.Postgres), "POSTGRES_REPLICA=replica2",
			"POSTGRES_LISTEN=127.0.0.1", variable("PGPORT", ports.Replica2),
		}},
		"jaeger": {"jaeger", []string{"LISTEN_HOST=127.0.0.1", variable("JAEGER_HEALTH_PORT", ports.JaegerHealth)}},
		"the console": {"console", []string{
			"CONSOLE_ADDR=" + local(ports.Console), "LOKI_URL=http://" + local(ports.Loki), "PYROSCOPE_URL=http://" + local(ports.Pyroscope),
			"CONSOLE_DASHBOARDS=" + filepath.Join(p.config.Root, "dashboards", "generated"),
		}},
		"grafana": {"grafana", []string{"PLUMBLINE_LOKI_URL=http://" + local(ports.Loki), "GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := specOf(t, p, c.component).Env
			for _, want := range c.want {
				if !slices.Contains(env, want) {
					t.Errorf("%s lacks %s; it has %q", c.component, want, env)
				}
			}
		})
	}
}

func TestCallersEnvironmentStaysOut(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	specs, _ := testPlanner(t).specs()
	for _, s := range specs {
		for _, word := range s.Env {
			if strings.HasPrefix(word, "OTEL_TRACES_SAMPLER") {
				t.Errorf("%s inherits %s", s.Name, word)
			}
		}
	}
}

func TestMachineWithoutOptionalProgramsRunsTheRest(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	p.tools = tools{}
	specs, notes := p.specs()
	if slices.Contains(specNames(specs), "grafana") || slices.Contains(specNames(specs), "console") || len(notes) != 2 ||
		!strings.Contains(notes[0], "GRAFANA_HOME") || !strings.Contains(notes[1], "npm") {
		t.Errorf("planned %v with notes %q", specNames(specs), notes)
	}
	if redis := specOf(t, p, "redis"); redis.Args[0] != p.paths.sampleapp() || !slices.Contains(redis.Args, "redis") {
		t.Errorf("redis runs %v", redis.Args)
	}
	p.config.Only, p.config.Console = []string{"loki"}, ConsoleAuto
	if _, notes := p.specs(); len(notes) > 0 {
		t.Errorf("a lab without Grafana by wish notes %q", notes)
	}
}

func TestScrapeTargetsAreThePlannedComponentsOnly(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	all, _ := p.specs()
	jobs := func(groups []targetGroup) string {
		var list []string
		for _, g := range groups {
			list = append(list, g.Labels["job"]+"="+g.Targets[0])
		}
		return strings.Join(list, " ")
	}
	full := p.scrapeTargets(all)
	want := "api=" + local(p.ports.APIAdmin) + " email=" + local(p.ports.EmailAdmin) + " worker=" + local(p.ports.WorkerAdmin) +
		" gateway=" + local(p.ports.GatewayAdmin) + " load=" + local(p.ports.LoadAdmin) + " links=" + local(p.ports.LinksAdmin)
	if got := jobs(full["services.json"]); got != want {
		t.Errorf("services %q, want %q", got, want)
	}
	want = "prometheus=" + local(p.ports.Prometheus) + " alertmanager=" + local(p.ports.Alertmanager) +
		" jaeger=" + local(p.ports.JaegerMetrics) + " loki=" + local(p.ports.Loki) +
		" pyroscope=" + local(p.ports.Pyroscope) + " grafana=" + local(p.ports.Grafana)
	if got := jobs(full["stores.json"]); got != want {
		t.Errorf("stores %q, want %q", got, want)
	}
	few := p.scrapeTargets(pick(all, []string{"prometheus", "postgres"}))
	if got := jobs(few["stores.json"]); got != "prometheus="+local(p.ports.Prometheus) || len(few["services.json"]) != 0 {
		t.Errorf("targets of a lab with two components: %v", few)
	}
	if content, err := json.Marshal(few["alertmanagers.json"]); err != nil || string(content) != "[]" {
		t.Errorf("no Alertmanager is written as %s, %v", content, err)
	}
}

func TestPrometheusScrapesAndRulesAsItIsTold(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	p.config.Rules, p.config.Alertmanager, p.config.ScrapeInterval = t.TempDir(), "/elsewhere/alertmanager.yml", time.Second
	if args := specOf(t, p, "alertmanager").Args; !slices.Contains(args, "--config.file=/elsewhere/alertmanager.yml") {
		t.Errorf("Alertmanager is started by %q", args)
	}
	if err := os.MkdirAll(p.paths.run(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.preparePrometheus(nil); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(p.paths.prometheus(), "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  scrape_interval: 1s\n", "\n  scrape_timeout: 1s\n"} {
		if !strings.Contains(string(config), want) {
			t.Errorf("the configuration lacks %q", want)
		}
	}
	if rules, err := os.Readlink(filepath.Join(p.paths.prometheus(), "rules")); err != nil || rules != p.config.Rules {
		t.Errorf("the rules are %s, %v", rules, err)
	}
	if _, err := scrapeEvery([]byte("global: {}\n"), time.Second); err == nil || err.Error() != "there is no scrape_interval to set" {
		t.Errorf("a configuration without an interval: %v", err)
	}
}

func TestPreparedFilesAreCompleteAndClosed(t *testing.T) {
	t.Parallel()
	p := testPlanner(t)
	specs, _ := p.specs()
	if err := p.prepare(specs); err != nil {
		t.Fatal(err)
	}
	modes := map[string]os.FileMode{
		p.paths.runFile("redis.conf"):                                 0o600,
		filepath.Join(p.paths.postgresRun(), "password"):              0o600,
		p.paths.runFile("postgres-start.sh"):                          0o755,
		filepath.Join(p.paths.prometheus(), "prometheus.yml"):         0o644,
		p.paths.postgresRun():                                         0o700,
		p.paths.data("loki"):                                          0o700,
		p.paths.run():                                                 0o711,
		p.paths.tmp():                                                 0o777,
		filepath.Join(p.paths.prometheus(), "targets", "stores.json"): 0o644,
	}
	for path, want := range modes {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want mode %v", path, err, want)
		}
	}
	conf, err := os.ReadFile(p.paths.runFile("redis.conf"))
	if err != nil || !strings.Contains(string(conf), "requirepass redis-secret\n") || !strings.Contains(string(conf), "bind 127.0.0.1\n") {
		t.Errorf("redis.conf: %v\n%s", err, conf)
	}
	// A second start reads nothing that an earlier one has left.
	stale := filepath.Join(p.paths.prometheus(), "targets", "old.json")
	if err := os.WriteFile(stale, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.prepare(specs); err != nil {
		t.Fatal(err)
	}
	if isFile(stale) {
		t.Error("a file of an earlier start is still there")
	}
}
