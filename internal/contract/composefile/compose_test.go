package composefile_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/cacheu/plumbline/compose/lab"
	"github.com/cacheu/plumbline/internal/contract/composefile"
	"github.com/cacheu/plumbline/internal/contract/repo"
)

// source reads the stack of this repository.
func source(t *testing.T) composefile.Source {
	t.Helper()
	root, err := repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	s, err := composefile.ReadStack(filepath.Join(root, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(t *testing.T, s composefile.Source) *composefile.Stack {
	t.Helper()
	stack, err := composefile.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestTheStackKeepsTheHouseRules(t *testing.T) {
	t.Parallel()
	stack := load(t, source(t))
	for _, rule := range composefile.Rules() {
		for _, problem := range rule.Check(stack) {
			t.Errorf("%s: %s", rule.Name, problem)
		}
	}
}

func TestTheStackHasEveryComponentOfTheLab(t *testing.T) {
	t.Parallel()
	want := []string{
		"alertmanager", "api", "email", "gateway", "grafana", "jaeger", "links", "load", "loki",
		"migrate", "postgres", "prometheus", "pyroscope", "redis", "replica1", "replica2", "worker",
	}
	if got := load(t, source(t)).Project.ServiceNames(); !slices.Equal(got, want) {
		t.Errorf("services = %q, want %q", got, want)
	}
}

// inside are ports at which one component talks to itself, or that nobody
// outside needs: in a container they stay there. The console is not among the
// containers, where Grafana is.
var inside = []string{"JAEGER_ZIPKIN_PORT", "LOKI_GRPC_PORT", "PYROSCOPE_GRPC_PORT", "CONSOLE_PORT"}

// labPorts are the ports of the native lab, by the variable that moves each.
func labPorts() map[string]string {
	ports := map[string]string{}
	for _, p := range (lab.Ports{}).WithDefaults().List() {
		if !slices.Contains(inside, p.Variable) {
			ports[p.Variable] = strconv.Itoa(p.Number)
		}
	}
	return ports
}

func TestEveryPortHasItsDefaultAndIsMovedByOneVariable(t *testing.T) {
	t.Parallel()
	s := source(t)
	if got, want := publishedPorts(load(t, s)), slices.Sorted(maps.Values(labPorts())); !slices.Equal(got, want) {
		t.Errorf("published ports without variables = %q, want %q", got, want)
	}
	s.Env = map[string]string{}
	for i, p := range (lab.Ports{}).List() {
		s.Env[p.Variable] = strconv.Itoa(20000 + i)
	}
	stack := load(t, s)
	for _, p := range (lab.Ports{}).List() {
		moved := slices.ContainsFunc(stack.Project.Services[p.Component].Ports, func(port types.ServicePortConfig) bool {
			return port.Published == s.Env[p.Variable]
		})
		if moved == slices.Contains(inside, p.Variable) {
			t.Errorf("%s moves a published port of %s: %v", p.Variable, p.Component, moved)
		}
	}
}

func publishedPorts(s *composefile.Stack) []string {
	var ports []string
	for _, svc := range s.Project.Services {
		for _, p := range svc.Ports {
			ports = append(ports, p.Published)
		}
	}
	slices.Sort(ports)
	return ports
}

func TestPrometheusScrapesTheServicesAtTheirPorts(t *testing.T) {
	t.Parallel()
	s := source(t)
	stack := load(t, s)
	for file, jobs := range map[string][]string{
		"services.json":      {"gateway", "api", "email", "worker", "load", "links"},
		"stores.json":        {"prometheus", "alertmanager", "jaeger", "loki", "pyroscope", "grafana"},
		"alertmanagers.json": {""},
	} {
		text, err := os.ReadFile(filepath.Join(s.Dir, "config", "prometheus", "targets", file))
		if err != nil {
			t.Fatal(err)
		}
		var groups []struct {
			Targets []string          `json:"targets"`
			Labels  map[string]string `json:"labels"`
		}
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var got []string
		for _, g := range groups {
			got = append(got, g.Labels["job"])
			for _, target := range g.Targets {
				if problem := unreachable(stack, target, g.Labels["job"]); problem != "" {
					t.Errorf("%s: %s %s", file, target, problem)
				}
			}
		}
		if !slices.Equal(got, jobs) {
			t.Errorf("%s has the jobs %q, want %q", file, got, jobs)
		}
	}
}

// unreachable says why a target is not where its component listens.
func unreachable(s *composefile.Stack, target, job string) string {
	host, port, _ := strings.Cut(target, ":")
	if host == "localhost" {
		host = "prometheus" // which asks itself
	}
	svc, ok := s.Project.Services[host]
	if !ok || job != "" && job != host {
		return "is not the service of job " + job
	}
	if admin := svc.Environment["OTEL_EXPORTER_PROMETHEUS_PORT"]; admin != nil && *admin != port {
		return "is not the agent's port " + *admin
	}
	if !slices.ContainsFunc(svc.Ports, func(p types.ServicePortConfig) bool { return strconv.Itoa(int(p.Target)) == port }) {
		return "is not a port of " + host
	}
	return ""
}

func TestTargetsThatAreElsewhereAreCaught(t *testing.T) {
	t.Parallel()
	stack := load(t, source(t))
	for target, job := range map[string]string{
		"api:9465": "api", "api:9464": "gateway", "shop:9464": "shop", "loki:3101": "loki", "localhost:9093": "prometheus",
	} {
		if unreachable(stack, target, job) == "" {
			t.Errorf("%s of job %s passes for reachable", target, job)
		}
	}
}

func TestEverythingThatIsMountedIsThere(t *testing.T) {
	t.Parallel()
	stack := load(t, source(t))
	for name, svc := range stack.Project.Services {
		for _, v := range svc.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			// Docker would make an empty folder of what is missing.
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
	}
}

func TestTheStackRefusesToStartWithoutVersions(t *testing.T) {
	t.Parallel()
	s := source(t)
	s.Versions = ""
	_, err := composefile.Load(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "start with make up") {
		t.Errorf("Load without versions.env = %v, want an error that says what to do", err)
	}
}

// TestEachRuleCatchesItsBreach breaks the real file in one place at a time.
func TestEachRuleCatchesItsBreach(t *testing.T) {
	t.Parallel()
	const readOnly, health = "  read_only: true\n", "      test: [CMD, pg_isready, --quiet,"
	for name, c := range map[string]struct {
		rule, old, new, want string
		inVersions           bool
	}{
		"a port on every interface": {rule: "published ports are on 127.0.0.1",
			old: `"127.0.0.1:${GRAFANA_PORT:-3000}:3000"`, new: `"${GRAFANA_PORT:-3000}:3000"`, want: `grafana publishes 3000 on ""`},
		"a port that the engine chooses": {rule: "published ports are on 127.0.0.1",
			old: `"127.0.0.1:${GRAFANA_PORT:-3000}:3000"`, new: `"127.0.0.1::3000"`, want: `grafana publishes 3000 on port ""`},
		"two services on one port": {rule: "published ports are on 127.0.0.1",
			old: `${GRAFANA_PORT:-3000}:3000"`, new: `${LOKI_PORT:-3100}:3000"`, want: "publishes on port 3100 as"},
		"the network of the host": {rule: "published ports are on 127.0.0.1",
			old: "    mem_limit: 768m\n    healthcheck:\n      <<: *health\n      test: [CMD, promtool", new: "    mem_limit: 768m\n    network_mode: host\n    healthcheck:\n      <<: *health\n      test: [CMD, promtool", want: "prometheus has network_mode host"},
		"a version in compose.yaml": {rule: "images are pinned, by versions.env alone",
			old: "redis:${REDIS_VERSION:?start with make up, or pass --env-file compose/versions.env}", new: "redis:7.2.11", want: `redis has the image "redis:7.2.11"`},
		"a default beside versions.env": {rule: "images are pinned, by versions.env alone",
			old: "${LOKI_VERSION:?start with make up, or pass --env-file compose/versions.env}", new: "${LOKI_VERSION:-3.7.8}", want: "loki has the image"},
		"a floating version": {rule: "images are pinned, by versions.env alone", inVersions: true,
			old: "GRAFANA_VERSION=12.3.3", new: "GRAFANA_VERSION=12", want: `versions.env sets GRAFANA_VERSION to "12"`},
		"latest": {rule: "images are pinned, by versions.env alone", inVersions: true,
			old: "GRAFANA_VERSION=12.3.3", new: "GRAFANA_VERSION=latest", want: `versions.env sets GRAFANA_VERSION to "latest"`},
		"a version that nothing uses": {rule: "images are pinned, by versions.env alone", inVersions: true,
			old: "GRAFANA_VERSION=", new: "TEMPO_VERSION=2.6.1\nGRAFANA_VERSION=", want: "versions.env sets TEMPO_VERSION, which nothing uses"},
		"a builder that is not pinned": {rule: "images are pinned, by versions.env alone",
			old: "GO_VERSION: ${GO_VERSION:?start with make up, or pass --env-file compose/versions.env}", new: "GO_VERSION: latest", want: "builds with GO_VERSION"},
		"no healthcheck": {rule: "long-running services have a healthcheck that can fail",
			old: health, new: "      disable: true\n" + health, want: "postgres has no healthcheck"},
		"a healthcheck that is always green": {rule: "long-running services have a healthcheck that can fail",
			old: `test: [CMD, wget, -q, -T, "6", -O, /dev/null, "http://127.0.0.1:3000/api/health"]`, new: `test: [CMD-SHELL, "wget -q http://127.0.0.1:3000/api/health || true"]`, want: "grafana has a healthcheck that cannot fail"},
		"a probe that its image does not have": {rule: "long-running services have a healthcheck that can fail",
			old: `[CMD, /usr/bin/loki, -health, "-health.url=http://127.0.0.1:3100/ready"]`, new: `[CMD, wget, -q, "http://127.0.0.1:3100/ready"]`, want: "loki probes with"},
		"a probe of somebody else": {rule: "long-running services have a healthcheck that can fail",
			old: `"--url=http://127.0.0.1:4040"]`, new: `"--url=http://loki:3100"]`, want: "pyroscope probes with"},
		"timing left to the engine": {rule: "long-running services have a healthcheck that can fail",
			old: "  retries: 3\n", new: "", want: "postgres leaves interval, timeout, retries or start_period"},
		"a dependency that only has to be started": {rule: "dependencies are waited for",
			old: "api: {condition: service_healthy}", new: "api: {condition: service_started}", want: `gateway depends on api with the condition "service_started"`},
		"no memory limit": {rule: "memory is limited",
			old: "    mem_limit: 128m\n    healthcheck:\n      <<: *health\n      # redis-cli", new: "    healthcheck:\n      <<: *health\n      # redis-cli", want: "redis has no mem_limit"},
		"a writable root file system": {rule: "root file systems are read-only",
			old: readOnly, new: "", want: "alertmanager is not read_only"},
		"capabilities kept": {rule: "capabilities are dropped and privileges cannot grow",
			old: "  cap_drop: [ALL]\n", new: "", want: "alertmanager drops the capabilities []"},
		"a capability added": {rule: "capabilities are dropped and privileges cannot grow",
			old: "    stop_signal: SIGINT\n", new: "    stop_signal: SIGINT\n    cap_add: [SYS_ADMIN]\n", want: `postgres adds the capabilities ["SYS_ADMIN"]`},
		"a privileged container": {rule: "capabilities are dropped and privileges cannot grow",
			old: "    stop_signal: SIGINT\n", new: "    stop_signal: SIGINT\n    privileged: true\n", want: "postgres is privileged"},
		"privileges that can grow": {rule: "capabilities are dropped and privileges cannot grow",
			old: `["no-new-privileges:true"]`, new: `["no-new-privileges:false"]`, want: "alertmanager lacks security_opt"},
		"root": {rule: "users are not root",
			old: `user: "472:0"`, new: `user: "0:0"`, want: `grafana has the user "0:0"`},
		"the user of the image, whoever that is": {rule: "users are not root",
			old: "    user: \"472:0\"\n", new: "", want: `grafana has the user ""`},
		"anonymous admins": {rule: "anonymous visitors of Grafana are viewers",
			old: "GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer", new: "GF_AUTH_ANONYMOUS_ORG_ROLE: Admin", want: `grafana gives anonymous visitors the role "Admin"`},
		"anonymous visitors with the default role": {rule: "anonymous visitors of Grafana are viewers",
			old: "      GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer\n", new: "", want: `grafana gives anonymous visitors the role ""`},
		"admin/admin": {rule: "anonymous visitors of Grafana are viewers",
			old: "      GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/grafana_admin_password\n", new: "", want: "so admin/admin works"},
		"the user admin": {rule: "anonymous visitors of Grafana are viewers",
			old: "GF_SECURITY_ADMIN_USER: plumbline", new: "GF_SECURITY_ADMIN_USER: admin", want: "well-known admin user"},
		"a literal password": {rule: "passwords come from files",
			old: "      PGDATA:", new: "      POSTGRES_PASSWORD: hunter2\n      PGDATA:", want: "postgres sets POSTGRES_PASSWORD in the file"},
		"a password in a file of the image": {rule: "passwords come from files",
			old: "POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password", new: "POSTGRES_PASSWORD_FILE: /etc/password", want: "postgres sets POSTGRES_PASSWORD_FILE in the file"},
		"a password in an address": {rule: "passwords come from files",
			old: "postgres://plumbline@postgres", new: "postgres://plumbline:hunter2@postgres", want: "api has a password in the address DATABASE_URL"},
		"a password in a command": {rule: "passwords come from files",
			old: "command: [--save,", new: "command: [--requirepass, hunter2, --save,", want: "redis has a password in its command"},
		"a secret from the environment": {rule: "passwords come from files",
			old: "    file: ./.secrets/pgpass", new: "    environment: PGPASS", want: "the secret pgpass comes from"},
		"a writable folder of the host": {rule: "nothing is shared with the host but files of this repository",
			old: "../dashboards/generated:/var/lib/grafana/dashboards:ro", new: "../dashboards/generated:/var/lib/grafana/dashboards", want: "grafana may write to"},
		"the engine's own socket": {rule: "nothing is shared with the host but files of this repository",
			old: "../dashboards/generated:/var/lib/grafana/dashboards:ro", new: "/var/run/docker.sock:/var/run/docker.sock:ro", want: "grafana mounts /var/run/docker.sock"},
		"a volume of the image without a name": {rule: "volumes have names",
			old: `, "/data-compactor:`, new: `, "/elsewhere:`, want: "pyroscope leaves /data-compactor to a volume without a name"},
		"an image that nobody has looked at": {rule: "volumes have names",
			old: "image: redis:", new: "image: valkey:", want: "redis has the image valkey, whose volumes are not known here"},
		"the processes of the host": {rule: "nothing is shared with the host but files of this repository",
			old: "    stop_signal: SIGINT\n", new: "    stop_signal: SIGINT\n    pid: host\n", want: "postgres shares a namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t)
			text := &s.Compose
			if c.inVersions {
				text = &s.Versions
			}
			if !strings.Contains(*text, c.old) {
				t.Fatalf("the file no longer contains %q: the test must break something else", c.old)
			}
			*text = strings.Replace(*text, c.old, c.new, 1)
			stack := load(t, s)
			for _, rule := range composefile.Rules() {
				if rule.Name != c.rule {
					continue
				}
				problems := rule.Check(stack)
				if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
					t.Errorf("%s finds %q, want one that says %q", rule.Name, problems, c.want)
				}
				return
			}
			t.Fatalf("there is no rule %q", c.rule)
		})
	}
}

func TestLoadRefusesWhatComposeWouldRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"a key that Compose does not know":   {"    stop_signal: SIGINT\n", "    stop_signall: SIGINT\n", "stop_signall"},
		"a dependency that is not a service": {"api: {condition: service_healthy}", "apy: {condition: service_healthy}", "apy"},
		"a volume that is not declared":      {"  pyroscope:\n", "", "pyroscope"},
		"a secret that is not declared":      {"secrets: [postgres_password]", "secrets: [other]", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t)
			at := strings.LastIndex(s.Compose, c.old)
			if at < 0 {
				t.Fatalf("the file no longer contains %q", c.old)
			}
			s.Compose = s.Compose[:at] + c.new + s.Compose[at+len(c.old):]
			if _, err := composefile.Load(t.Context(), s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load = %v, want an error about %s", err, c.want)
			}
		})
	}
}

func TestParseEnvRefusesWhatReadersWouldReadDifferently(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a line without a value": "A=\n", "a line without =": "A\n", "quotes": "A=\"1\"\n", "spaces": "A=1 2\n",
		"expansion": "A=$B\n", "a name twice": "A=1\nA=2\n",
	} {
		if vars, err := composefile.ParseEnv(text); err == nil {
			t.Errorf("%s: ParseEnv = %v, want an error", name, vars)
		}
	}
	vars, err := composefile.ParseEnv("# comment\n\nA=v1.2\n")
	if err != nil || !maps.Equal(vars, map[string]string{"A": "v1.2"}) {
		t.Errorf("ParseEnv = %v, %v, want A=v1.2", vars, err)
	}
}
