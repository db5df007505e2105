package stacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	otelpyroscope "github.com/grafana/otel-profiling-go"
	"github.com/grafana/pyroscope-go"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheu/plumbline/agent/catalog"
)

// newProvider returns the SDK's tracer provider with its batch span processor,
// as every example of it shows.
func newProvider(c Config) (*sdktrace.TracerProvider, error) {
	var exporter sdktrace.SpanExporter = discard{}
	if c.Sink != "" {
		var err error
		exporter, err = otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(c.Sink+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("start trace exporter: %w", err)
		}
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))),
	), nil
}

func shutdown(p *sdktrace.TracerProvider) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return p.Shutdown(ctx)
}

// middleware is otelgin on a provider of its own. Its metrics are off: the
// stacks that have metrics take them from client_golang.
func middleware(p trace.TracerProvider) gin.HandlerFunc {
	return otelgin.Middleware(serviceName,
		otelgin.WithTracerProvider(p),
		otelgin.WithMeterProvider(noop.NewMeterProvider()),
		otelgin.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})))
}

func startOtelGin(c Config) (gin.HandlersChain, func() error, error) {
	provider, err := newProvider(c)
	if err != nil {
		return nil, nil, err
	}
	return gin.HandlersChain{middleware(provider)}, func() error { return shutdown(provider) }, nil
}

func startAssembled(c Config) (gin.HandlersChain, func() error, error) {
	provider, err := newProvider(c)
	if err != nil {
		return nil, nil, err
	}
	address := c.Sink
	if address == "" {
		address = unreachable
	}
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: serviceName, ServerAddress: address, DisableGCRuns: true,
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU, pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace, pyroscope.ProfileGoroutines,
			pyroscope.ProfileMutexCount, pyroscope.ProfileMutexDuration,
			pyroscope.ProfileBlockCount, pyroscope.ProfileBlockDuration,
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start pyroscope: %w", err)
	}
	console, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open the null device: %w", err)
	}
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(console))
	logger = kitlog.With(logger, "ts", kitlog.DefaultTimestampUTC)
	chain := gin.HandlersChain{
		middleware(otelpyroscope.NewTracerProvider(provider)), observe(newDuration()), accessLog(logger),
	}
	return chain, func() error { return errors.Join(profiler.Stop(), shutdown(provider), console.Close()) }, nil
}

// newDuration is a histogram with both forms, as the agent's is.
func newDuration() *prometheus.HistogramVec {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "request_seconds", Help: "Duration of requests in seconds.",
		Buckets:                     prometheus.DefBuckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		NativeHistogramMinResetDuration: time.Hour,
	}, []string{"method", "route", "code"})
	prometheus.NewRegistry().MustRegister(duration)
	return duration
}

func observe(duration *prometheus.HistogramVec) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		observer := duration.WithLabelValues(c.Request.Method, c.FullPath(), strconv.Itoa(c.Writer.Status()))
		elapsed := time.Since(start).Seconds()
		if sc := trace.SpanContextFromContext(c.Request.Context()); sc.IsSampled() {
			observer.(prometheus.ExemplarObserver).ObserveWithExemplar(elapsed,
				prometheus.Labels{catalog.ExemplarTraceID: sc.TraceID().String()})
			return
		}
		observer.Observe(elapsed)
	}
}

func accessLog(logger kitlog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		sc := trace.SpanContextFromContext(c.Request.Context())
		_ = level.Info(logger).Log("msg", "request", "method", c.Request.Method, "route", c.FullPath(),
			"path", c.Request.URL.Path, "status", c.Writer.Status(), "bytes", c.Writer.Size(),
			"duration", time.Since(start).Seconds(), catalog.LogTraceID, sc.TraceID().String(), catalog.LogSpanID, sc.SpanID().String())
	}
}
