// Package agent embeds observability into a Go service: metrics, traces, logs
// and continuous profiles, tied together by trace and span IDs.
//
// [Start] starts one agent. It opens one listener on loopback (/metrics,
// /healthz, /readyz, /debug/pprof), sends traces and logs by OTLP over HTTP,
// and profiles to Pyroscope. [Agent.Shutdown] ends everything that Start began.
//
//	a, err := agent.Start(ctx, agent.Config{Service: "shop"})
//	if err != nil {
//		return err
//	}
//	defer a.Shutdown(context.WithoutCancel(ctx))
//	router.Use(agentgin.Middleware(a))
//
// What it costs: a request pays for one span, one histogram observation and one
// encoded log line; nothing is sent or written on its goroutine. Memory is
// bounded by the queues (see [Exporter.QueueCapacity]) and by the caps on label
// values.
//
// What it never does: it sets nothing global (no default registry, tracer
// provider or logger), reads no environment variable outside [ConfigFromEnv],
// blocks no request on a backend, and swallows no panic. A backend that is down
// costs telemetry, which is counted and logged once, and nothing else. Two
// things are the process's own and cannot be private: the CPU profiler, of which
// a process has one, and the sampling rates of mutex and block profiles.
//
// A nil *Agent works everywhere and measures nothing, so that a service needs no
// branch for running without one.
//
// For maintainers: config.go, validate.go and env.go are the configuration;
// agent.go is the lifecycle and start.go builds the pipelines of the internal
// packages; request.go, operation.go and call.go are the adapter kit on which
// agentgin, agentgrpc, agentjob, agentpgx and the others are built; findings.go
// is N+1 detection; httpmetrics.go and telemetry.go are the instruments, and
// saturation.go starts those of utilization. Each
// internal package wraps one vendor SDK.
package agent
