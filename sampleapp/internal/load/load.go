// Package load sends steady traffic to the gateway, as users would: all routes,
// in fixed proportions. It is the background of the lab; benchmarks are made
// with package loadgen, which sends the requests here too.
//
// The number of open requests is bounded; what cannot be sent because of that
// is skipped and counted, never sent later in a burst. Latency is counted from
// the planned time. Which request comes when is decided by a generator with a
// fixed seed: two runs send the same sequence.
package load

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/seed"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/loadgen"
)

// Defaults of [Config] and fixed times.
const (
	// DefaultMaxInFlight is the most open requests.
	DefaultMaxInFlight = 512
	// DefaultReport is the distance between summaries.
	DefaultReport = time.Minute
	readyEvery    = 500 * time.Millisecond
)

// Config configures a run. Gateway, Rate, Client and Probe are required.
type Config struct {
	// Agent observes the load. Nil observes nothing.
	Agent *agent.Agent
	// Gateway is the base URL of the gateway.
	Gateway string
	// Rate is the number of requests per second, above 0.
	Rate float64
	// Client sends the requests. It must have a time-out.
	Client *http.Client
	// Probe asks whether the gateway is ready.
	Probe *http.Client
	// MaxInFlight bounds the open requests. Defaults to 512.
	MaxInFlight int
	// Report is the distance between summaries. Defaults to one minute.
	Report time.Duration
	// Run makes the rows that this run creates differ from those of others.
	// Defaults to the start time.
	Run string
	// Sizes are the rows of the shop, which bound the ids that are asked for.
	// Defaults to the lab's.
	Sizes seed.Sizes
}

// runner is one run.
type runner struct {
	Config
	mix   *mix
	stats *stats
	turn  int
	users []*http.Client
}

// users is how many users the load plays, each with cookies of their own.
const users = 16

// newUsers returns clients that share everything but their cookies.
func newUsers(client *http.Client) ([]*http.Client, error) {
	all := make([]*http.Client, users)
	for i := range all {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, fmt.Errorf("make a cookie jar: %w", err)
		}
		own := *client
		own.Jar = jar
		all[i] = &own
	}
	return all, nil
}

// Run waits until the gateway is ready and sends requests until ctx ends. It
// then waits for open requests, which the client's time-out bounds, and logs a
// last summary. It returns an error only for a configuration that cannot work.
func Run(ctx context.Context, c Config) error {
	if !(c.Rate > 0) { // not the inverse: NaN is no rate
		return fmt.Errorf("load rate is %v, want more than 0 requests per second", c.Rate)
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = DefaultMaxInFlight
	}
	if c.Report <= 0 {
		c.Report = DefaultReport
	}
	if c.Run == "" {
		c.Run = time.Now().UTC().Format("20060102t150405")
	}
	if c.Sizes == (seed.Sizes{}) {
		c.Sizes = seed.Default()
	}
	attacker, err := loadgen.New(loadgen.Config{Client: c.Client, MaxOpen: c.MaxInFlight, SkipOver: true})
	if err != nil {
		return err
	}
	r := &runner{Config: c, mix: newMix(c.Run, c.Sizes), stats: newStats()}
	if r.users, err = newUsers(c.Client); err != nil {
		return err
	}
	if !r.waitUntilReady(ctx) {
		return nil
	}
	level.Info(c.Agent.Logger(ctx)).Log(catalog.LogMessage, "load starts", "rate", c.Rate, "gateway", c.Gateway)
	reporting := make(chan struct{})
	go func() {
		defer close(reporting)
		r.reportEvery(ctx)
	}()
	attacker.Attack(ctx, r.next, loadgen.Constant(c.Rate), r.stats.add)
	<-reporting
	r.report(ctx)
	return nil
}

// reportEvery logs summaries until ctx ends.
func (r *runner) reportEvery(ctx context.Context) {
	reports := time.NewTicker(r.Report)
	defer reports.Stop()
	for {
		select {
		case <-reports.C:
			r.report(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// waitUntilReady asks the gateway until it is ready, and reports false when ctx
// ended first. It logs once that it waits, and for what.
func (r *runner) waitUntilReady(ctx context.Context) bool {
	retry := time.NewTicker(readyEvery)
	defer retry.Stop()
	for waited := false; ; waited = true {
		err := web.Probe(ctx, r.Probe, r.Gateway+"/readyz")
		if err == nil {
			return true
		}
		if !waited && ctx.Err() == nil {
			level.Info(r.Agent.Logger(ctx)).Log(catalog.LogMessage, "waiting for the gateway", catalog.LogError, err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-retry.C:
		}
	}
}

// next implements [loadgen.Source].
func (r *runner) next() loadgen.Target {
	q := r.mix.next()
	r.turn++
	return loadgen.Target{Client: r.users[r.turn%users], Route: q.Route, Method: q.Method, URL: r.Gateway + q.Path, Body: q.Body}
}

// report logs what happened since the last summary.
func (r *runner) report(ctx context.Context) {
	s := r.stats.take()
	logger := level.Info(r.Agent.Logger(ctx))
	if s.failed > 0 || s.serverErrors > 0 || s.skipped > 0 {
		logger = level.Warn(r.Agent.Logger(ctx))
	}
	fields := []any{catalog.LogMessage, "load summary", "sent", s.sent, "ok", s.ok, "refused", s.refused,
		"server_errors", s.serverErrors, "failed", s.failed, "skipped", s.skipped,
		"p50_seconds", s.quantile(0.5), "p99_seconds", s.quantile(0.99), "max_seconds", s.max.Seconds()}
	if s.lastError != "" {
		fields = append(fields, catalog.LogError, s.lastError)
	}
	logger.Log(fields...)
}
