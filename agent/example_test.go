package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/go-kit/log/level"

	"github.com/cacheu/plumbline/agent"
)

// withoutTime drops the time of log lines, which examples cannot predict.
type withoutTime struct{ w io.Writer }

var timestamp = regexp.MustCompile(`(?m)^ts=\S+ `)

func (t withoutTime) Write(p []byte) (int, error) {
	_, err := t.w.Write(timestamp.ReplaceAll(p, nil))
	return len(p), err
}

// quiet is a configuration that only writes to the console.
func quiet() agent.Config {
	return agent.Config{
		Service: "shop", AdminAddr: agent.Off,
		Traces:   agent.Traces{Disabled: true},
		Logs:     agent.Logs{Disabled: true, Console: withoutTime{os.Stdout}},
		Profiles: agent.Profiles{Disabled: true},
	}
}

func ExampleAgent_Logger() {
	ctx := context.Background()
	a, err := agent.Start(ctx, quiet())
	if err != nil {
		fmt.Println(err)
		return
	}
	logger := a.Logger(ctx)
	level.Info(logger).Log("msg", "order placed", "order", 17, "total", 12.5)
	level.Debug(logger).Log("msg", "below the level, so not written")
	if err := a.Shutdown(ctx); err != nil { // writes what is queued
		fmt.Println(err)
	}
	// Output:
	// level=info msg="order placed" order=17 total=12.5
}

func ExampleAgent_SlogHandler() {
	ctx := context.Background()
	a, err := agent.Start(ctx, quiet())
	if err != nil {
		fmt.Println(err)
		return
	}
	logger := slog.New(a.SlogHandler()).With("region", "eu")
	logger.WarnContext(ctx, "stock is low", slog.Group("item", "id", 3, "left", 2))
	if err := a.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// level=warn msg="stock is low" region=eu item.id=3 item.left=2
}

// All problems of a configuration are reported at once, with the field, its
// environment variable and what would be right. Secrets are never shown.
func ExampleConfig_Validate() {
	config, err := agent.ConfigFromEnv(func(name string) string {
		return map[string]string{
			"OTEL_PROPAGATORS":            "tracecontext,zipkin",
			"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
			"OTEL_EXPORTER_OTLP_HEADERS":  "api-key=s3cret",
		}[name]
	})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.ReplaceAll(config.Validate().Error(), "; ", ";\n  "))
	// Output:
	// Service (OTEL_SERVICE_NAME): is required: the name of the service, the same in all its signals
	// Propagators (OTEL_PROPAGATORS): "zipkin" is not known: use b3, b3multi, baggage, jaeger, none, tracecontext
	// Traces.Endpoint (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT): "collector:4318/v1/traces" is not a usable URL: use http:// or https:// with a host
	// Logs.Endpoint (OTEL_EXPORTER_OTLP_LOGS_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT): "collector:4318/v1/logs" is not a usable URL: use http:// or https:// with a host
}
