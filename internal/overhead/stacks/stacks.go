// Package stacks holds the ways to observe a gin service that are compared with
// each other: nothing at all, plumbline, OpenTelemetry's middleware alone, the
// set that people assemble by hand, and two vendors' agents.
//
// Each is set up as its own documentation says, with its own exporters, which
// send to one address over loopback or, with [Discard], hand their batches to
// nobody. One stack at a time may run in a process: profilers and vendors'
// tracers are global. Nothing here is safe for concurrent use.
package stacks

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Route is the one route that every stack serves.
const Route = "/items/:id"

// Config is what the stacks have in common.
type Config struct {
	// SampleRatio is the share of traces that are recorded, 0 to 1.
	SampleRatio float64
	// Sink is the base URL that exporters send to. Empty discards what they
	// are given before it is encoded, where the stack has a place for that;
	// Datadog's and Elastic's have theirs after the encoding.
	Sink string
	// Handler answers [Route]. Nil answers with two bytes of text.
	Handler gin.HandlerFunc
}

// Running is a stack at work.
type Running struct {
	Handler http.Handler
	// Close ends the stack and everything that it started.
	Close func() error
}

// Stack is one way to observe a service.
type Stack struct {
	// Name is how results call it.
	Name string
	// About says in one line what it records.
	About string
	// SampleRatio is the one it is compared at.
	SampleRatio float64
	start       func(Config) (gin.HandlersChain, func() error, error)
}

// Names of the stacks that others refer to.
const (
	Bare           = "bare"
	Plumbline      = "plumbline"
	PlumblineKeep  = "plumbline-1pct-keep"
	Plumbline1     = "plumbline-1pct"
	OtelGin        = "otelgin"
	Assembled      = "assembled"
	Assembled1     = "assembled-1pct"
	Elastic        = "elastic"
	Datadog        = "datadog"
	onePercent     = 0.01
	serviceName    = "overhead"
	serviceVersion = "1.0.0"
)

// All returns every stack, the reference first.
func All() []Stack {
	return []Stack{
		{Bare, "gin and nothing else", 1, startBare},
		{Plumbline, "plumbline: metrics, traces, logs, profiles, component time, N+1 detection", 1, startPlumbline(-1)},
		{PlumblineKeep, "plumbline, 1 % of traces sampled, the others watched and kept if they matter", onePercent, startPlumbline(0)},
		{Plumbline1, "plumbline, 1 % of traces sampled, no others watched", onePercent, startPlumbline(-1)},
		{OtelGin, "OpenTelemetry's otelgin: traces", 1, startOtelGin},
		{Assembled, "otelgin, client_golang histogram with exemplar, go-kit access log, otel-profiling-go and pyroscope-go", 1, startAssembled},
		{Assembled1, "the same, 1 % of traces sampled", onePercent, startAssembled},
		{Elastic, "Elastic's apmgin: traces and breakdown metrics", 1, startElastic},
		{Datadog, "Datadog's gin middleware: traces", 1, startDatadog},
	}
}

// Start sets the stack up.
func (s Stack) Start(c Config) (Running, error) {
	c.SampleRatio = s.SampleRatio
	middleware, stop, err := s.start(c)
	if err != nil {
		return Running{}, err
	}
	if c.Handler == nil {
		c.Handler = func(c *gin.Context) { c.String(http.StatusOK, "ok") }
	}
	router := gin.New()
	router.Use(middleware...)
	router.GET(Route, c.Handler)
	return Running{Handler: router, Close: stop}, nil
}

func startBare(Config) (gin.HandlersChain, func() error, error) {
	return nil, func() error { return nil }, nil
}
