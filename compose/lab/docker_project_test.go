package lab

import (
	"encoding/json"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shop is a project in which api needs a database that it publishes too.
func shop(t *testing.T, c Config) project {
	t.Helper()
	text := `{"name":"shop","services":{
		"zebra":{},
		"api":{"depends_on":{"migrate":{},"redis":{}},"ports":[{"published":"` + strconv.Itoa(c.Ports.API) + `"}]},
		"migrate":{"depends_on":{"postgres":{}}},
		"postgres":{"ports":[{"published":"` + strconv.Itoa(c.Ports.Postgres) + `"}]},
		"redis":{}},
		"volumes":{"postgres":{"name":"shop_postgres"}}}`
	var p project
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWantedServicesComeWithWhatTheyDependOnInTheOrderOfTheTable(t *testing.T) {
	t.Parallel()
	p := shop(t, testConfig(t))
	for name, c := range map[string]struct{ only, want []string }{
		"all":            {nil, []string{"postgres", "redis", "migrate", "api", "zebra"}},
		"one with needs": {[]string{"api"}, []string{"postgres", "redis", "migrate", "api"}},
		"one without":    {[]string{"redis"}, []string{"redis"}},
	} {
		if got := p.wanted(c.only); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTakenPortsAreReportedBeforeAnythingStartsInDocker(t *testing.T) {
	t.Parallel()
	e, _ := scriptedEngine(t, "")
	p := shop(t, e.config)
	putFile(t, filepath.Join(e.secrets(), "postgres_password"), "x\n")
	if err := e.preflight(t.Context(), p, Status{}); err != nil {
		t.Fatalf("nothing listens: %v", err)
	}
	for _, port := range []int{e.config.Ports.API, e.config.Ports.Postgres, e.config.Ports.Loki} {
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
	}
	err := e.preflight(t.Context(), p, Status{Components: []ComponentStatus{{Name: "postgres", running: true}}})
	if err == nil || !strings.Contains(err.Error(), "move the lab with API_PORT=<port>") {
		t.Errorf("a taken port of a service that does not run: %v", err)
	}
	for reason, variable := range map[string]string{"it runs already": "POSTGRES_PORT", "nobody publishes it": "LOKI_PORT"} {
		if err != nil && strings.Contains(err.Error(), variable) {
			t.Errorf("%s is reported though %s: %v", variable, reason, err)
		}
	}
}

func TestDataWhosePasswordIsLostIsNotStarted(t *testing.T) {
	t.Parallel()
	e, _ := scriptedEngine(t, "echo shop_postgres_old; [ ! -e \"$0.volume\" ] || echo shop_postgres\n")
	p := shop(t, e.config)
	if err := e.preflight(t.Context(), p, Status{}); err != nil {
		t.Errorf("without a volume: %v", err)
	}
	putFile(t, e.program+".volume", "")
	if err := e.preflight(t.Context(), p, Status{}); err == nil || !strings.Contains(err.Error(), "the volume shop_postgres holds a database whose password this checkout does not have") {
		t.Errorf("with a volume: %v", err)
	}
	putFile(t, filepath.Join(e.secrets(), "postgres_password"), "x\n")
	if err := e.preflight(t.Context(), p, Status{}); err != nil {
		t.Errorf("with the password: %v", err)
	}
}

func TestStartTimesFromEvents(t *testing.T) {
	t.Parallel()
	line := func(service, action, exit string, seconds int64) string {
		return `{"Type":"container","Action":"` + action + `","Actor":{"Attributes":{"com.docker.compose.service":"` + service +
			`","exitCode":"` + exit + `"}},"timeNano":` + strconv.FormatInt(seconds*int64(time.Second), 10) + "}\n"
	}
	got := startTimes([]byte(line("loki", "start", "", 10) + line("migrate", "start", "", 11) + line("api", "start", "", 12) +
		"no event\n" + line("loki", "health_status: healthy", "", 16) + line("api", "die", "1", 17) +
		line("api", "health_status: unhealthy", "", 17) + line("migrate", "die", "0", 18) +
		line("loki", "health_status: healthy", "", 90) + line("email", "health_status: healthy", "", 91)))
	if len(got) != 2 || got["loki"] != 6*time.Second || got["migrate"] != 7*time.Second {
		t.Errorf("start times %v, want loki after 6 s, migrate after 7 s, and no others", got)
	}
}

func TestAddressOfAContainerIsTheOneOfTheNativeLab(t *testing.T) {
	t.Parallel()
	c := container{Publishers: []publisher{{}, {"127.0.0.1", 4317, 4317}, {"127.0.0.1", 16686, 16686}}}
	for known, want := range map[string]string{
		"http://127.0.0.1:16686": "http://127.0.0.1:16686",
		"http://127.0.0.1:1668":  "127.0.0.1:4317", // moved when it was started, but not now
		"":                       "127.0.0.1:4317",
	} {
		if got := c.address(known); got != want {
			t.Errorf("address %q, want %q for %q", got, want, known)
		}
	}
	e, _ := scriptedEngine(t, "")
	known := e.addresses()
	for _, name := range Components() {
		// Containers have Grafana in the console's place; a migration has none.
		if (known[name] == "") != (name == "migrate" || name == "console") {
			t.Errorf("the address of %s is %q", name, known[name])
		}
	}
}
