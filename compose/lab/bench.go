package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// benchStop is how long an interrupted benchmark may take to keep its partial
// result and end what it has started.
const benchStop = 30 * time.Second

// Bench builds sampleapp's benchmark command and runs it in the checkout with
// the given arguments. Where a native lab is up, the run shows there: its
// metrics are scraped, its traces and profiles are sent, and Grafana gets an
// annotation. An exit status other than 0 is an [ExitStatus].
func Bench(ctx context.Context, c Config, args []string, out, errOut io.Writer) error {
	c, err := c.checked()
	if err != nil {
		return err
	}
	program := filepath.Join(c.Cache, "bin", "bench")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return fmt.Errorf("build the benchmark: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/bench")
	build.Dir = filepath.Join(c.Root, "sampleapp")
	build.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local")
	build.Stdout, build.Stderr = errOut, errOut
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the benchmark: %w", err)
	}
	extra, err := c.benchEnv(ctx)
	if err != nil {
		return err
	}
	run := exec.CommandContext(ctx, program, args...)
	run.Dir, run.Env = c.Root, append(os.Environ(), extra...)
	run.Stdout, run.Stderr = out, errOut
	// An interrupt of the terminal reaches it once, through this program: its
	// second signal would be the end without a partial result.
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = benchStop
	err = run.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ExitStatus(max(1, ended.ExitCode()))
	}
	return err
}

// ExitStatus is how a program ended that has said itself what is wrong.
type ExitStatus int

// Error implements error.
func (s ExitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// benchEnv tells a benchmark where the running lab is. Without a native lab it
// tells nothing: the benchmark needs none.
func (c Config) benchEnv(ctx context.Context) ([]string, error) {
	status, err := CheckStatus(ctx, c)
	if err != nil || !status.Running || status.Mode != Native {
		// A lab that cannot be asked is no reason not to measure.
		return nil, ctx.Err()
	}
	env := []string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + httpURL(c.Ports.JaegerOTLP, "/v1/traces"),
		"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + httpURL(c.Ports.Loki, "/otlp/v1/logs"),
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=lab",
		"PYROSCOPE_SERVER_ADDRESS=" + httpURL(c.Ports.Pyroscope, ""),
		"BENCH_PROMETHEUS_TARGETS=" + filepath.Join(paths{c.Home}.prometheus(), "targets", "bench.json"),
	}
	for _, component := range status.Components {
		if component.Name != "grafana" || component.Condition != ConditionUp {
			continue
		}
		secrets, err := loadSecrets(paths{c.Home}.secrets())
		if err != nil {
			return nil, err
		}
		env = append(env, "GRAFANA_URL="+component.Address, "GRAFANA_USER=plumbline", "GRAFANA_PASSWORD="+secrets.Grafana)
	}
	return env, nil
}
