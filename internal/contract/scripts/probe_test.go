package scripts_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/cacheu/plumbline/internal/contract/composefile"
)

// stack loads compose.yaml.
func stack(t *testing.T) *types.Project {
	t.Helper()
	source, err := composefile.ReadStack(script(t, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := composefile.Load(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return s.Project
}

// ownAddress is where a healthcheck asks its container.
var ownAddress = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// probe runs the healthcheck of a service, with another address to ask and
// another place to find its program, and reports whether it is green.
func probe(t *testing.T, test []string, program, address string) bool {
	t.Helper()
	if test[0] != "CMD" {
		t.Fatalf("the healthcheck is %q, want CMD", test)
	}
	args := make([]string, 0, len(test))
	for _, arg := range test[2:] {
		args = append(args, ownAddress.ReplaceAllString(arg, address))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %q does not end", program, args)
	}
	if err != nil {
		if _, ran := err.(*exec.ExitError); !ran { //nolint:errorlint // Run returns it bare
			t.Fatalf("run %s: %v", program, err)
		}
		t.Logf("red: %s", strings.TrimSpace(string(out)))
	}
	return err == nil
}

// TestHealthchecksAreRedWhenTheComponentIsDead runs the very commands of
// compose.yaml with the programs that the lab built. profilecli is not one of
// them, and pg_isready has a test with the real server.
func TestHealthchecksAreRedWhenTheComponentIsDead(t *testing.T) {
	t.Parallel()
	project := stack(t)
	for name, c := range map[string]struct {
		program string // how the image calls it
		path    string // what it must ask
	}{
		"prometheus":   {"promtool", "/-/ready"},
		"loki":         {"loki", "/ready"},
		"gateway":      {"sampleapp", "/readyz"},
		"alertmanager": {"wget", "/-/ready"},
		"jaeger":       {"wget", "/status"},
		"grafana":      {"wget", "/api/health"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := find(t, c.program)
			test := project.Services[name].HealthCheck.Test
			if got := filepath.Base(test[1]); got != c.program {
				t.Fatalf("the healthcheck runs %s, want %s", got, c.program)
			}
			var status atomic.Int32
			var asked atomic.Value
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.URL.Path)
				w.WriteHeader(int(status.Load()))
			}))
			defer server.Close()
			address := server.Listener.Addr().String()

			status.Store(http.StatusOK)
			if !probe(t, test, program, address) {
				t.Error("it is red though the component is ready")
			}
			if got := asked.Load(); got != c.path {
				t.Errorf("it asks for %v, want %s", got, c.path)
			}
			status.Store(http.StatusServiceUnavailable)
			if probe(t, test, program, address) {
				t.Error("it is green though the component answers 503")
			}
			server.Close()
			if probe(t, test, program, address) {
				t.Error("it is green though nothing listens")
			}
		})
	}
}

// find returns a program that the lab built, that this test builds, or that
// the machine has. What the lab builds must be there when PLUMBLINE_CACHE says
// so, as `make test` does.
func find(t *testing.T, program string) string {
	t.Helper()
	switch program {
	case "promtool", "loki":
		cache := os.Getenv("PLUMBLINE_CACHE")
		if cache == "" || testing.Short() {
			t.Skip("needs the lab's servers: make test builds them and sets PLUMBLINE_CACHE")
		}
		return filepath.Join(cache, "bin", program)
	case "sampleapp":
		if testing.Short() {
			t.Skip("builds sampleapp")
		}
		binary := filepath.Join(t.TempDir(), program)
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Dir = script(t, "sampleapp")
		build.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build sampleapp: %v: %s", err, out)
		}
		return binary
	default:
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("this machine has no %s", program)
		}
		return path
	}
}

// TestTheDatabaseOfTheStack starts PostgreSQL with the files and addresses of
// compose.yaml, as far as they do not name containers.
func TestTheDatabaseOfTheStack(t *testing.T) {
	t.Parallel()
	skipShort(t)
	project := stack(t)
	folder := filepath.Join(t.TempDir(), "secrets")
	runSecrets(t, folder)
	c := newCluster(t)
	if err := os.WriteFile(filepath.Join(c.dir, "password"), []byte(contents(t, folder)["postgres_password"]), 0o600); err != nil {
		t.Fatal(err)
	}
	isReady := func() bool {
		test := append([]string{}, project.Services["postgres"].HealthCheck.Test...)
		for i, arg := range test {
			if strings.HasPrefix(arg, "--port=") {
				test[i] = "--port=" + c.env[len(c.env)-1][len("PGPORT="):]
			}
		}
		return probe(t, test, "pg_isready", net.JoinHostPort("127.0.0.1", "0"))
	}
	if isReady() {
		t.Error("the healthcheck is green before PostgreSQL is started")
	}
	// The arguments of the container, without those of the other tests.
	c.arguments = project.Services["postgres"].Command
	server := c.start(t)
	if !isReady() {
		t.Error("the healthcheck is red though PostgreSQL is ready")
	}

	url := *project.Services["api"].Environment["DATABASE_URL"]
	url = strings.Replace(url, "@postgres:5432/", "@127.0.0.1:"+c.env[len(c.env)-1][len("PGPORT="):]+"/", 1)
	url = strings.Replace(url, "/run/secrets/pgpass", filepath.Join(folder, "pgpass"), 1)
	if got := ask[string](t, c.mustConnectURL(t, url), "SELECT current_user::text"); got != "plumbline" {
		t.Errorf("the address of compose.yaml logs in as %s, want plumbline", got)
	}
	if err := server.stop(stopSignal(t, project.Services["postgres"].StopSignal)); err != nil {
		t.Errorf("stopping it as the engine would: %v, want exit status 0", err)
	}
	if isReady() {
		t.Error("the healthcheck is green though PostgreSQL has stopped")
	}
}

// TestTheRedisOfTheStack starts Redis with the arguments of compose.yaml.
func TestTheRedisOfTheStack(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"redis-server", "redis-cli"} {
		find(t, program)
	}
	redis := stack(t).Services["redis"]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	isReady := func() bool {
		command := strings.ReplaceAll(redis.HealthCheck.Test[1], "-h 127.0.0.1", "-h 127.0.0.1 -p "+port)
		return exec.CommandContext(t.Context(), "sh", "-c", command).Run() == nil
	}
	if redis.HealthCheck.Test[0] != "CMD-SHELL" || isReady() {
		t.Errorf("the healthcheck is %q, and green before Redis is started", redis.HealthCheck.Test)
	}

	cmd := exec.CommandContext(t.Context(), redis.Entrypoint[0], append(redis.Command, "--port", port, "--bind", "127.0.0.1")...)
	cmd.Dir = t.TempDir()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); ; {
		if !lines.Scan() {
			t.Fatal("Redis ended before it was ready")
		}
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			break
		}
	}
	if !isReady() {
		t.Error("the healthcheck is red though Redis is ready")
	}
	ask := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-p", port}, args...)...).Output()
		if err != nil {
			t.Fatalf("redis-cli %q: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := ask("config", "get", "maxmemory-policy"); got != "maxmemory-policy\nallkeys-lru" {
		t.Errorf("the policy is %q, want allkeys-lru: a cache that is full must go on", got)
	}
	if got := ask("config", "get", "save"); got != "save" {
		t.Errorf("it saves %q, but its file system is read-only", got)
	}
	// An error reply: redis-cli exits 0, and the component is of no use.
	ask("config", "set", "requirepass", "x")
	if isReady() {
		t.Error("the healthcheck is green though Redis answers with an error")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopping it: %v", err)
	}
	if isReady() {
		t.Error("the healthcheck is green though Redis has stopped")
	}
}
