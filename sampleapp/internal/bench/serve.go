package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

// Environment variables from the process that measures to those that it starts.
const (
	EnvDatabase = "BENCH_DATABASE_URL"
	EnvRedis    = "BENCH_REDIS_ADDR"
	EnvReplica  = "BENCH_REPLICA_URL"
	EnvRows     = "BENCH_ROWS"
	EnvUpstream = "BENCH_UPSTREAM"
)

// Role says which part of which variant a process is.
type Role struct {
	Scenario, Variant, Part string
}

// service is the name under which the part appears in all telemetry.
func (r Role) service() string {
	name := "bench-" + r.Scenario + "-" + r.Variant
	if r.Part != stage.Main {
		name += "-" + r.Part
	}
	return name
}

// ready is what a part prints when it serves.
type ready struct {
	URL     string `json:"url"`
	Metrics string `json:"metrics"`
}

// Serve runs one part of a variant until ctx or stdin ends: it ends with the
// process that started it, however that ends. When it is ready it prints a line
// of JSON that says where.
func Serve(ctx context.Context, role Role, getenv func(string) string, stdin io.Reader, stdout io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // any end is the end
		cancel()
	}()
	a, err := StartAgent(ctx, role.service(), getenv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopAgent(ctx, a)) }()
	db, err := openDB(ctx, a, "primary", getenv(EnvDatabase), role.service())
	if err != nil {
		return fmt.Errorf("%s: %w", EnvDatabase, err)
	}
	defer db.Close()
	var replica *pgxpool.Pool
	if url := getenv(EnvReplica); url != "" {
		if replica, err = openDB(ctx, a, "replica", url, role.service()); err != nil {
			return fmt.Errorf("%s: %w", EnvReplica, err)
		}
		defer replica.Close()
	}
	rows, _ := strconv.Atoi(getenv(EnvRows)) // absent is 0, the default
	starter := &starter{role: role}
	defer func() { err = errors.Join(err, starter.close()) }()
	set, err := stage.Open(ctx, stage.Env{
		Agent: a, DB: db, Replica: replica, Redis: getenv(EnvRedis), Prefix: role.Variant + ":", Rows: rows,
		Upstream: getenv(EnvUpstream), Start: starter.start,
	}, role.Scenario, role.Variant, role.Part)
	if err != nil {
		return err
	}
	if set.Close != nil {
		defer func() { err = errors.Join(err, set.Close()) }()
	}
	return web.Server{
		Addr: "127.0.0.1:0", Handler: withControl(set, starter), Drain: time.Second,
		OnListen: func(addr net.Addr) {
			line := ready{URL: "http://" + addr.String(), Metrics: "http://" + a.AdminAddr() + "/metrics"}
			// Whoever cannot read it kills this process: nothing to do here.
			_ = json.NewEncoder(stdout).Encode(line)
		},
	}.Run(ctx)
}

// StartAgent starts the agent of a process of a benchmark. It sends traces,
// logs and profiles where the environment names a backend, and nothing where it
// names none: a measurement without a lab is not slowed by looking for one.
func StartAgent(ctx context.Context, service string, getenv func(string) string) (*agent.Agent, error) {
	conf, err := agent.ConfigFromEnv(getenv)
	if err != nil {
		return nil, err
	}
	conf.Service, conf.AdminAddr, conf.Logs.Console = service, "127.0.0.1:0", io.Discard
	conf.Traces.Disabled = conf.Traces.Disabled || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == ""
	conf.Logs.Disabled = conf.Logs.Disabled || getenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == ""
	conf.Profiles.Disabled = conf.Profiles.Disabled || getenv("PYROSCOPE_SERVER_ADDRESS") == ""
	return agent.Start(ctx, conf)
}

// stopAgent sends what is left.
func stopAgent(ctx context.Context, a *agent.Agent) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return a.Shutdown(ctx)
}

func openDB(ctx context.Context, a *agent.Agent, name, url, application string) (*pgxpool.Pool, error) {
	db, err := store.Open(ctx, store.Config{URL: url, Application: application, Tracer: agentpgx.NewTracer(a), StatementTimeout: time.Minute})
	if err != nil {
		return nil, err
	}
	if err := agentpgx.ObservePool(a, name, db); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// withControl puts the scenario's facts, event and reset beside its routes.
func withControl(set *stage.Set, s *starter) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", set.Handler)
	mux.HandleFunc("GET "+PathFacts, func(w http.ResponseWriter, r *http.Request) {
		facts := map[string]float64{}
		if set.Facts != nil {
			var err error
			if facts, err = set.Facts(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		if facts == nil {
			facts = map[string]float64{}
		}
		facts[FactCPU] = loadgen.ReadUsage().CPU.Seconds() + childrenCPU().Seconds() + s.cpu(r.Context())
		_ = json.NewEncoder(w).Encode(facts) // a caller that has gone needs no answer
	})
	act := func(f func(context.Context) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if f == nil {
				return
			}
			// What was begun is finished, also when the caller gives up.
			if err := f(context.WithoutCancel(r.Context())); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	}
	mux.HandleFunc("POST "+PathEvent, act(set.Event))
	mux.HandleFunc("POST "+PathReset, act(set.Reset))
	return mux
}

// self is the path of this program.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return path, nil
}
