package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// describe answers what the project is.
const describe = `case "$*" in
*"config --format json")
	echo '{"name":"plumbline","services":{"jaeger":{},"migrate":{},"loki":{}},"volumes":{"postgres":{"name":"plumbline_postgres"}}}'
	exit ;;
esac
`

// scriptedEngine is an engine whose docker is a shell script that writes its
// arguments down and answers as the test says.
func scriptedEngine(t *testing.T, script string) (e engine, calls func() string) {
	t.Helper()
	c := testConfig(t)
	dir := t.TempDir()
	c.Root = dir
	putFile(t, filepath.Join(dir, "compose", "secrets.sh"), "echo made >"+dir+"/secrets\n")
	program, record := filepath.Join(dir, "docker"), filepath.Join(dir, "calls")
	putFile(t, program, "#!/bin/sh\necho \"$LOKI_PORT $*\" >>"+record+"\n"+describe+script)
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	return engine{config: c, program: program}, func() string { return fileContent(t, record) }
}

// twoContainers answers what status asks, with the state of loki filled in.
func twoContainers(loki string) string {
	return `case "$*" in
*" ps "*) echo '{"Name":"plumbline-loki-1","Service":"loki",` + loki + `,"Publishers":[{"URL":"127.0.0.1","PublishedPort":0},{"URL":"127.0.0.1","PublishedPort":3100}]}'
          echo '{"Name":"plumbline-migrate-1","Service":"migrate","State":"exited","ExitCode":0}' ;;
stats*) printf 'plumbline-loki-1\t1.5MiB / 768MiB\n' ;;
esac
`
}

func TestStatusOfContainers(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		loki string
		want ComponentStatus
	}{
		"a container that is healthy": {
			`"State":"running","Health":"healthy"`,
			ComponentStatus{Condition: ConditionUp},
		},
		"a container that runs but is not well": {
			`"State":"running","Health":"unhealthy"`,
			ComponentStatus{Condition: ConditionDown, Detail: "its healthcheck says unhealthy"},
		},
		"a container that starts": {
			`"State":"running","Health":"starting"`,
			ComponentStatus{Condition: ConditionStarting, Detail: "not ready yet"},
		},
		"a container that had to wait for another": {
			`"State":"created","ExitCode":0`,
			ComponentStatus{Condition: ConditionDown, Detail: "its container was never started"},
		},
		"a container that has ended": {
			`"State":"exited","ExitCode":137`,
			ComponentStatus{Condition: ConditionDown, Detail: "its container is exited, exit status 137"},
		},
		"a server that has ended without complaint": {
			`"State":"exited","ExitCode":0`,
			ComponentStatus{Condition: ConditionDown, Detail: "its container is exited, exit status 0"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := scriptedEngine(t, twoContainers(c.loki))
			status, err := e.status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.want.Name, c.want.Address, c.want.ResidentBytes = "loki", "127.0.0.1:3100", 3<<19
			c.want.running = strings.Contains(c.loki, "running")
			if !c.want.running {
				c.want.ResidentBytes = 0
			}
			want := []ComponentStatus{
				{Name: "jaeger", Condition: ConditionDown, Detail: "it has no container"},
				c.want,
				{Name: "migrate", Condition: ConditionDone},
			}
			if !slices.Equal(status.Components, want) || !status.Running || status.ResidentBytes != c.want.ResidentBytes {
				t.Errorf("status %+v", status)
			}
			if err := status.Err(); err == nil || !strings.Contains(err.Error(), "jaeger is down: it has no container") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestEngineWithoutContainersHasNoLab(t *testing.T) {
	t.Parallel()
	e, _ := scriptedEngine(t, "")
	if status, err := e.status(t.Context()); err != nil || status.Running {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestContainersInBothFormsOfCompose(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]string{
		"one object a line": `{"Service":"loki"}` + "\n" + `{"Service":"api"}` + "\n",
		"one array":         `[{"Service":"loki"},{"Service":"api"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := parseContainers([]byte(output))
			if err != nil || len(list) != 2 || list[0].Service != "loki" || list[1].Service != "api" {
				t.Errorf("containers %+v, %v", list, err)
			}
		})
	}
	if _, err := parseContainers([]byte("no such service")); err == nil {
		t.Error("what is no JSON is no error")
	}
}

func TestUpInDockerMakesPasswordsAndWaits(t *testing.T) {
	t.Parallel()
	e, calls := scriptedEngine(t, `[ "$6" = up ] && touch "$0.up"
[ -e "$0.up" ] || exit 0
`+twoContainers(`"State":"running","Health":"healthy"`))
	e.config.Only = []string{"loki", "migrate"}
	var out bytes.Buffer
	status, err := e.up(t.Context(), &out)
	if err != nil || status.Err() != nil || status.StartSeconds <= 0 {
		t.Fatalf("up: %v, %v; %+v", err, status.Err(), status)
	}
	at := filepath.Join(e.config.Root, "compose")
	want := variable("", e.config.Ports.Loki)[1:] + " compose --env-file " + at + "/versions.env -f " + at + "/compose.yaml up --detach --wait --build loki migrate\n"
	if !strings.Contains(calls(), want) {
		t.Errorf("docker was called with\n%swant\n%s", calls(), want)
	}
	if fileContent(t, filepath.Join(e.config.Root, "secrets")) != "made\n" {
		t.Error("no passwords were made")
	}
	before := strings.Count(calls(), " up ")
	if _, err := e.up(t.Context(), &out); err != nil || !strings.Contains(out.String(), "up already") {
		t.Errorf("the second up: %v, %q", err, out.String())
	}
	if strings.Count(calls(), " up ") != before {
		t.Error("the second up started something")
	}
}

func TestUpInDockerThatFailsStopsEverything(t *testing.T) {
	t.Parallel()
	e, calls := scriptedEngine(t, `case "$*" in
*" up "*) echo "container loki is unhealthy" >&2; touch "$0.up"; exit 1 ;;
*" logs "*) echo "loki: no space left" ;;
esac
[ -e "$0.up" ] || exit 0
`+twoContainers(`"State":"running","Health":"unhealthy"`))
	var out bytes.Buffer
	_, err := e.up(t.Context(), &out)
	const want = "docker compose up: exit status 1\n" +
		"loki: its healthcheck says unhealthy; its last lines:\n    loki: no space left"
	if err == nil || err.Error() != want {
		t.Errorf("up: %v, want\n%s", err, want)
	}
	if !strings.Contains(out.String(), "container loki is unhealthy") {
		t.Errorf("output lacks what Compose said:\n%s", out.String())
	}
	if !strings.HasSuffix(calls(), " down --remove-orphans\n") {
		t.Errorf("docker was called with\n%s", calls())
	}
}

func TestEngineThatDoesNotAnswerIsNoneAndSaysWhy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ script, want string }{
		"no daemon":         {"echo 'cannot connect to the daemon' >&2; exit 1\n", "cannot connect to the daemon"},
		"no Compose plugin": {`[ "$1" = info ] || { echo "compose is not a docker command" >&2; exit 1; }` + "\n", "compose is not a docker command"},
		"both are there":    {"", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := scriptedEngine(t, c.script)
			err := e.answers(t.Context())
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestSizesOfMemory(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{"512B": 512, "1.5KiB": 1536, "2MiB": 2 << 20, "1GiB": 1 << 30, "--": 0, "xMiB": 0} {
		if got := parseSize(text); got != want {
			t.Errorf("%s is %d bytes, want %d", text, got, want)
		}
	}
}

func TestWhereTheLabRuns(t *testing.T) {
	// The machine's docker is one that answers and has no containers.
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "docker"), "#!/bin/sh\nexit 0\n")
	if err := os.Chmod(filepath.Join(dir, "docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	answering, silent := dir+":"+os.Getenv("PATH"), t.TempDir()
	cases := map[string]struct {
		path           string
		forced         Mode
		native         bool // a native lab is up
		start, running Mode
	}{
		"with an engine, in Docker":            {answering, Auto, false, Docker, Native},
		"without one, natively":                {silent, Auto, false, Native, Native},
		"a native lab is found beside Docker":  {answering, Auto, true, Native, Native},
		"forced to be native":                  {answering, Native, false, Native, Native},
		"forced into Docker without an engine": {silent, Docker, false, Docker, Docker},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", k.path)
			c := testConfig(t)
			c.Mode = k.forced
			if k.native {
				testPlan(t, c)
				if err := writeJSON(paths{c.Home}.state(), state{Phase: phaseReady}); err != nil {
					t.Fatal(err)
				}
			}
			start, err := c.startMode(t.Context())
			if err != nil || start != k.start {
				t.Errorf("starts in %q, %v; want %q", start, err, k.start)
			}
			running, err := c.runningMode(t.Context())
			if err != nil || running != k.running {
				t.Errorf("runs in %q, %v; want %q", running, err, k.running)
			}
		})
	}
}
