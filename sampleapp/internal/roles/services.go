package roles

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-kit/log/level"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentpgx"
	"github.com/cacheu/plumbline/agent/agentredis"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/agent/saturation"
	"github.com/cacheu/plumbline/sampleapp/internal/api"
	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/email"
	"github.com/cacheu/plumbline/sampleapp/internal/faults"
	"github.com/cacheu/plumbline/sampleapp/internal/gateway"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/links"
	"github.com/cacheu/plumbline/sampleapp/internal/load"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/internal/worker"
)

// emailTimeout bounds one call of the email service.
const emailTimeout = 5 * time.Second

// loadTimeout bounds one request of the load: longer than the gateway's own
// time-out, so that its answer is what counts.
const loadTimeout = 15 * time.Second

func runGateway(ctx context.Context, c config.Config, a *agent.Agent) error {
	return serve(ctx, c, a, gateway.New(a, c.APIURL, transport()),
		web.HTTPCheck("api", c.APIURL.String(), probeClient()))
}

func runAPI(ctx context.Context, c config.Config, a *agent.Agent) (err error) {
	db, err := openDB(ctx, c, a)
	if err != nil {
		return err
	}
	defer db.Close()
	redis := cache.Open(cache.Config{
		Addr: c.RedisAddr, Password: c.RedisPassword, Hook: agentredis.NewHook(a),
		OnState: func(ctx context.Context, err error) {
			if err != nil {
				level.Error(a.Logger(ctx)).Log(catalog.LogMessage, "redis does not answer; reading from the database", catalog.LogError, err)
				return
			}
			level.Info(a.Logger(ctx)).Log(catalog.LogMessage, "redis answers")
		},
	})
	defer func() { err = errors.Join(err, redis.Close()) }()
	inserter, err := jobs.NewInserter(a, db)
	if err != nil {
		return err
	}
	replicas, err := openReplicas(ctx, c, a, db)
	if err != nil {
		return err
	}
	defer replicas.close()
	limiter, err := newLimiter(c, a)
	if err != nil {
		return err
	}
	drills := openFaults(ctx, c, a)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, pool := range append(replicas.reads, db) {
		go drills.Hold(ctx, pool)
	}
	go drills.Burden(ctx)
	handler := api.New(api.Config{
		Agent: a, DB: db, Router: replicas.router, Sessions: replicas.sessions, Cache: redis, Jobs: inserter, Limiter: limiter,
		Faults: drills,
	})
	return serve(ctx, c, a, handler, dbCheck(db), web.Check{Name: "redis", Probe: redis.Ping})
}

// openFaults returns what the lab's drills tell the role to do wrong; nil where
// there are none.
func openFaults(ctx context.Context, c config.Config, a *agent.Agent) *faults.Source {
	return faults.Open(c.Faults, func(err error) {
		level.Error(a.Logger(ctx)).Log(catalog.LogMessage, "the drill cannot be carried out", catalog.LogError, err)
	})
}

// newLimiter returns what sheds load, or nil where that is off.
func newLimiter(c config.Config, a *agent.Agent) (*saturation.Limiter, error) {
	if c.Limit == 0 {
		return nil, nil
	}
	return saturation.NewLimiter(saturation.LimiterConfig{
		Concurrency: c.Limit, Collector: a.Saturation(), Registerer: a.Registerer(),
	})
}

func runEmail(ctx context.Context, c config.Config, a *agent.Agent) error {
	db, err := openDB(ctx, c, a)
	if err != nil {
		return err
	}
	defer db.Close()
	return serve(ctx, c, a, email.New(a, db), dbCheck(db))
}

// runWorker runs the worker's loop beside its HTTP server, and ends both when
// one fails.
func runWorker(ctx context.Context, c config.Config, a *agent.Agent) error {
	db, err := openDB(ctx, c, a)
	if err != nil {
		return err
	}
	defer db.Close()
	w, err := worker.New(worker.Config{
		Agent: a, DB: db, Sender: worker.EmailSender{Email: c.EmailURL.String(), Client: client(a, emailTimeout)},
		Faults: openFaults(ctx, c, a),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	err = serve(ctx, c, a, nil, dbCheck(db), web.HTTPCheck("email", c.EmailURL.String(), probeClient()))
	cancel() // a server that failed takes the loop with it
	<-done
	return err
}

func runLoad(ctx context.Context, c config.Config, a *agent.Agent) error {
	return load.Run(ctx, load.Config{
		Agent: a, Gateway: c.GatewayURL.String(), Rate: c.LoadRate,
		Client: client(a, loadTimeout), Probe: probeClient(),
	})
}

// linksTimeout bounds one question to a store.
const linksTimeout = 10 * time.Second

// runLinks asks the stores without being measured itself: its questions are
// nobody's requests.
func runLinks(ctx context.Context, c config.Config, a *agent.Agent) error {
	p, err := links.New(links.Config{
		Agent: a, Registerer: a.Registerer(), Client: &http.Client{Timeout: linksTimeout},
		Prometheus: c.PrometheusURL.String(), Jaeger: c.JaegerURL.String(), Loki: c.LokiURL.String(), Pyroscope: c.PyroscopeURL.String(),
	})
	if err != nil {
		return err
	}
	p.Run(ctx)
	return nil
}

// openDB opens the pool of a role and has the agent observe it.
func openDB(ctx context.Context, c config.Config, a *agent.Agent) (*pgxpool.Pool, error) {
	return openPool(ctx, c, a, "primary", c.DatabaseURL)
}

// openPool opens a pool that the agent knows by a name.
func openPool(ctx context.Context, c config.Config, a *agent.Agent, name, url string) (*pgxpool.Pool, error) {
	db, err := store.Open(ctx, store.Config{URL: url, Application: c.Role, Tracer: agentpgx.NewTracer(a)})
	if err != nil {
		return nil, err
	}
	if err := agentpgx.ObservePool(a, name, db); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func dbCheck(db *pgxpool.Pool) web.Check { return web.Check{Name: "postgres", Probe: db.Ping} }
