package stacks

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/cacheu/plumbline/agent"
	"github.com/cacheu/plumbline/agent/agentgin"
)

// stopTimeout bounds the end of a stack.
const stopTimeout = 10 * time.Second

// startPlumbline starts the agent as a service does. keep is that of
// agent.Traces; 0 is its default.
func startPlumbline(keep int) func(Config) (gin.HandlersChain, func() error, error) {
	return func(c Config) (gin.HandlersChain, func() error, error) {
		a, closeConsole, err := NewAgent(c, keep)
		if err != nil {
			return nil, nil, err
		}
		return gin.HandlersChain{agentgin.Middleware(a)}, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			if err := a.Shutdown(ctx); err != nil {
				return fmt.Errorf("shut down plumbline: %w", err)
			}
			return closeConsole()
		}, nil
	}
}

// NewAgent starts the agent of the plumbline stacks, whose console is the null
// device: written to and read by nobody. The caller shuts the agent down and
// then closes the console with the function.
func NewAgent(c Config, keep int) (*agent.Agent, func() error, error) {
	console, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open the null device: %w", err)
	}
	config := agent.Config{
		Service: serviceName, Version: serviceVersion, AdminAddr: "127.0.0.1:0",
		Traces: agent.Traces{SampleRatio: c.SampleRatio, Keep: keep},
		Logs:   agent.Logs{Console: console},
	}
	if c.Sink == "" {
		config.Traces.SpanExporter = discard{}
		config.Logs.Disabled = true // the console stays, as in the assembled set
		config.Profiles.Address = unreachable
	} else {
		config.Traces.Endpoint = c.Sink + "/v1/traces"
		config.Logs.Endpoint = c.Sink + "/v1/logs"
		config.Profiles.Address = c.Sink
	}
	a, err := agent.Start(context.Background(), config)
	if err != nil {
		_ = console.Close()
		return nil, nil, fmt.Errorf("start plumbline: %w", err)
	}
	return a, console.Close, nil
}

// unreachable refuses connections: port 9 is the discard service, which no
// machine runs any more.
const unreachable = "http://127.0.0.1:9"

// discard is an exporter that takes spans and does nothing with them.
type discard struct{}

// ExportSpans implements sdktrace.SpanExporter.
func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

// Shutdown implements sdktrace.SpanExporter.
func (discard) Shutdown(context.Context) error { return nil }
