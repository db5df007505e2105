package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/internal/measured"
	"github.com/cacheu/plumbline/internal/testpg"
)

// Server is a service under load, with the agent and without.
type Server struct {
	// Rate is the load in requests per second, Utilization its share of what
	// the service without the agent can do.
	Rate        float64 `json:"rate"`
	Utilization float64 `json:"utilization"`
	// Pairs of runs that followed each other.
	Pairs []Pair `json:"pairs"`
	// P99 and CPU are how many times more the agent makes it.
	P99 Interval `json:"p99_ratio"`
	CPU Interval `json:"cpu_ratio"`
}

// Pair is one run without the agent and one with it.
type Pair struct {
	Off, On Trial
}

// Trial is one service under load.
type Trial struct {
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_seconds"`
	P99      float64 `json:"p99_seconds"`
	// CPU is the processor time of the service for one request, in seconds.
	CPU float64 `json:"cpu_seconds_per_request"`
}

const (
	utilization = 0.6
	warmUp      = 2 * time.Second
	underLoad   = 12 * time.Second
	calibration = 4 * time.Second
)

// measureServer asks a service with a 2 ms query for pages at 60 % of its
// capacity, alternately with the agent and without. The database, the sink, the
// load and the service are processes of their own.
func measureServer(ctx context.Context, o options, r *Results) error {
	database, err := testpg.Start()
	if err != nil {
		return err
	}
	defer func() { _ = database.Stop() }()
	if err := prepare(ctx, database.URL("postgres")); err != nil {
		return err
	}
	sink, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = sink.stop() }()
	off := []string{"serve", "-database", database.URL("postgres")}
	on := append([]string{}, off...)
	on = append(on, "-agent", "-sink", sink.url)
	capacity, err := calibrate(ctx, off)
	if err != nil {
		return err
	}
	s := Server{Rate: capacity * utilization, Utilization: utilization}
	fmt.Fprintf(o.log, "server: %.0f requests per second at most, %.0f of them offered\n", capacity, s.Rate)
	for i := range max(o.rounds, 10) {
		var pair Pair
		runs := []struct {
			args []string
			run  *Trial
		}{{off, &pair.Off}, {on, &pair.On}}
		if i%2 == 1 {
			runs[0], runs[1] = runs[1], runs[0]
		}
		for _, one := range runs {
			if *one.run, err = underLoadOnce(ctx, one.args, s.Rate, uint64(i)); err != nil {
				return err
			}
		}
		s.Pairs = append(s.Pairs, pair)
		fmt.Fprintf(o.log, "server: pair %d: P99 %.2f ms without, %.2f ms with; processor %.0f µs and %.0f µs\n",
			i+1, pair.Off.P99*1e3, pair.On.P99*1e3, pair.Off.CPU*1e6, pair.On.CPU*1e6)
	}
	s.P99 = ratioOf(s.Pairs, func(r Trial) float64 { return r.P99 })
	s.CPU = ratioOf(s.Pairs, func(r Trial) float64 { return r.CPU })
	r.Machine, r.Server = measured.ThisMachine(), &s
	return nil
}

func ratioOf(pairs []Pair, value func(Trial) float64) Interval {
	var on, off []float64
	for _, p := range pairs {
		on, off = append(on, value(p.On)), append(off, value(p.Off))
	}
	return pairedRatio(on, off)
}

func prepare(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	_, err = conn.Exec(ctx, createTable)
	return errors.Join(err, conn.Close(ctx))
}

func calibrate(ctx context.Context, args []string) (float64, error) {
	service, err := start(ctx, args...)
	if err != nil {
		return 0, err
	}
	defer func() { _ = service.stop() }()
	return saturate(ctx, service.url, 4*poolSize, calibration)
}

func underLoadOnce(ctx context.Context, args []string, rate float64, seed uint64) (Trial, error) {
	service, err := start(ctx, args...)
	if err != nil {
		return Trial{}, err
	}
	defer func() { _ = service.stop() }()
	if _, err := attack(ctx, service.url, rate, warmUp, seed+1000); err != nil {
		return Trial{}, err
	}
	runtime.GC()
	before, err := service.cpu()
	if err != nil {
		return Trial{}, err
	}
	latencies, err := attack(ctx, service.url, rate, underLoad, seed)
	if err != nil {
		return Trial{}, err
	}
	after, err := service.cpu()
	if err != nil {
		return Trial{}, err
	}
	return Trial{
		Requests: len(latencies), P50: quantile(latencies, 0.5), P99: quantile(latencies, 0.99),
		CPU: (after - before) / float64(len(latencies)),
	}, nil
}
