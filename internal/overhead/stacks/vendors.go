package stacks

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	gintrace "github.com/DataDog/dd-trace-go/contrib/gin-gonic/gin/v2"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/gin-gonic/gin"
	"go.elastic.co/apm/module/apmgin/v2"
	"go.elastic.co/apm/v2"
	"go.elastic.co/apm/v2/transport"
	"go.elastic.co/apm/v2/transport/transporttest"
)

func startElastic(c Config) (gin.HandlersChain, func() error, error) {
	options := apm.TracerOptions{ServiceName: serviceName, ServiceVersion: serviceVersion, Transport: transporttest.Discard}
	if c.Sink != "" {
		server, err := url.Parse(c.Sink)
		if err != nil {
			return nil, nil, fmt.Errorf("address of the sink: %w", err)
		}
		options.Transport, err = transport.NewHTTPTransport(transport.HTTPTransportOptions{ServerURLs: []*url.URL{server}})
		if err != nil {
			return nil, nil, fmt.Errorf("start Elastic's transport: %w", err)
		}
	}
	t, err := apm.NewTracerOptions(options)
	if err != nil {
		return nil, nil, fmt.Errorf("start Elastic's tracer: %w", err)
	}
	// The engine is only asked for its routes, which the context knows too.
	chain := gin.HandlersChain{apmgin.Middleware(gin.New(), apmgin.WithTracer(t))}
	return chain, func() error { t.Flush(nil); t.Close(); return nil }, nil
}

func startDatadog(c Config) (gin.HandlersChain, func() error, error) {
	options := []tracer.StartOption{
		tracer.WithService(serviceName), tracer.WithServiceVersion(serviceVersion),
		tracer.WithLogStartup(false), tracer.WithLogger(silent{}),
	}
	if c.Sink == "" {
		options = append(options, tracer.WithHTTPClient(&http.Client{Transport: accept{}}))
	} else {
		options = append(options, tracer.WithAgentAddr(strings.TrimPrefix(c.Sink, "http://")))
	}
	if err := tracer.Start(options...); err != nil {
		return nil, nil, fmt.Errorf("start Datadog's tracer: %w", err)
	}
	return gin.HandlersChain{gintrace.Middleware(serviceName)}, func() error { tracer.Stop(); return nil }, nil
}

// accept answers every request as an agent that is pleased.
type accept struct{}

// RoundTrip implements http.RoundTripper.
func (accept) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2, Request: r,
	}, nil
}

// silent is a logger for what a benchmark must not print.
type silent struct{}

// Log implements Datadog's logger.
func (silent) Log(string) {}
