// Package roles puts the parts of sampleapp together: one function per role.
//
// Each role runs until its context ends and then stops in order: no new
// requests, open ones drained, worker loops ended, connections closed, and last
// the agent, so that it still sees the rest go.
package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/config"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// agentTimeout bounds the sending of what telemetry is left at the end.
const agentTimeout = 5 * time.Second

// probeClient is for health checks: its requests are in no trace or metric.
func probeClient() *http.Client { return &http.Client{Timeout: 2 * time.Second} }

// Run runs the role of c until ctx ends.
func Run(ctx context.Context, c config.Config, getenv func(string) string, stdout io.Writer) error {
	switch c.Role {
	case config.Migrate:
		return runMigrate(ctx, c, stdout)
	case config.Redis:
		return runRedis(ctx, c, stdout)
	case config.Probe:
		return web.Probe(ctx, probeClient(), c.ProbeURL)
	}
	run, ok := map[string]func(context.Context, config.Config, *agent.Agent) error{
		config.Gateway: runGateway, config.API: runAPI, config.Email: runEmail,
		config.Worker: runWorker, config.Load: runLoad, config.Links: runLinks,
	}[c.Role]
	if !ok {
		return fmt.Errorf("there is no role %q", c.Role)
	}
	a, err := startAgent(ctx, c, getenv, stdout)
	if err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	level.Info(a.Logger(ctx)).Log(catalog.LogMessage, "role starts", "role", c.Role, "admin", a.AdminAddr())
	err = run(ctx, c, a)
	if err != nil {
		level.Error(a.Logger(ctx)).Log(catalog.LogMessage, "role ends", "role", c.Role, catalog.LogError, err)
	} else {
		level.Info(a.Logger(ctx)).Log(catalog.LogMessage, "role ends", "role", c.Role)
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agentTimeout)
	defer cancel()
	if stopErr := a.Shutdown(stopCtx); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("stop the agent: %w", stopErr))
	}
	return err
}

// startAgent starts the agent as any service would: from the environment, named
// after the role unless a name is given.
func startAgent(ctx context.Context, c config.Config, getenv func(string) string, stdout io.Writer) (*agent.Agent, error) {
	conf, err := agent.ConfigFromEnv(getenv)
	if err != nil {
		return nil, err
	}
	if conf.Service == "" {
		conf.Service = c.Role
	}
	if getenv("OTEL_EXPORTER_PROMETHEUS_PORT") == "" {
		conf.AdminAddr = adminAddr(conf.AdminAddr, c.AdminAddr)
	}
	conf.Logs.Console = stdout
	return agent.Start(ctx, conf)
}

// adminAddr returns the role's own address, with the host that the environment
// names, if it does.
func adminAddr(fromEnv, ofRole string) string {
	host, _, err := net.SplitHostPort(fromEnv)
	if err != nil {
		return ofRole
	}
	_, port, err := net.SplitHostPort(ofRole)
	if err != nil {
		return fromEnv
	}
	return net.JoinHostPort(host, port)
}

// transport returns the HTTP client side of a role that calls another one.
func transport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256,
		IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
	}
}

// client returns a measured HTTP client with a time-out.
func client(a *agent.Agent, timeout time.Duration) *http.Client {
	return &http.Client{Transport: agenthttp.Transport(a, transport()), Timeout: timeout}
}

// serve runs a role's HTTP server.
func serve(ctx context.Context, c config.Config, a *agent.Agent, handler http.Handler, checks ...web.Check) error {
	return web.Server{
		Addr: c.Listen, Handler: handler, Checks: checks,
		OnListen: func(addr net.Addr) {
			level.Info(a.Logger(ctx)).Log(catalog.LogMessage, "listening", "role", c.Role, "addr", addr)
		},
	}.Run(ctx)
}
