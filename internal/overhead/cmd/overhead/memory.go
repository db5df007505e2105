package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/measured"
)

// Memory is the resident memory of a service, in bytes, at MemoryRate requests
// per second.
type Memory struct {
	Rate float64 `json:"rate"`
	// Off and On are the largest seen without the agent and with it.
	Off float64 `json:"off_bytes"`
	On  float64 `json:"on_bytes"`
	// BlackHole is the largest seen while no backend answered, for
	// BlackHoleSeconds.
	BlackHole        float64 `json:"black_hole_bytes"`
	BlackHoleSeconds float64 `json:"black_hole_seconds"`
	// Accounts of the signals after all backends answered again.
	Accounts []Account `json:"accounts"`
}

// Account is what became of the items of one signal.
type Account struct {
	Signal   string  `json:"signal"`
	Produced float64 `json:"produced"`
	Sent     float64 `json:"sent"`
	Dropped  float64 `json:"dropped"`
	Queued   float64 `json:"queued"`
	// SentAfter is what was sent after the backends answered again.
	SentAfter float64 `json:"sent_after_recovery"`
	Up        bool    `json:"up"`
}

const (
	memoryRate   = 1000
	memoryPeriod = time.Minute
	blackHole    = 5 * time.Minute
	recovery     = time.Minute
)

func measureMemory(ctx context.Context, o options, r *Results) error {
	sink, err := startSink(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = sink.stop() }()
	m := Memory{Rate: memoryRate, BlackHoleSeconds: blackHole.Seconds()}
	fmt.Fprintf(o.log, "memory: without the agent for %v\n", memoryPeriod)
	bare, err := start(ctx, "serve")
	if err != nil {
		return err
	}
	m.Off, err = largest(ctx, bare, memoryPeriod)
	if _ = bare.stop(); err != nil {
		return err
	}
	service, err := start(ctx, "serve", "-agent", "-sink", sink.url)
	if err != nil {
		return err
	}
	defer func() { _ = service.stop() }()
	fmt.Fprintf(o.log, "memory: with the agent for %v\n", memoryPeriod)
	if m.On, err = largest(ctx, service, memoryPeriod); err != nil {
		return err
	}
	fmt.Fprintf(o.log, "memory: no backend answers for %v\n", blackHole)
	if _, err := sink.get(ctx, "/-/blackhole"); err != nil {
		return err
	}
	if m.BlackHole, err = largest(ctx, service, blackHole); err != nil {
		return err
	}
	before, err := accounts(ctx, service)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.log, "memory: they answer again, for %v\n", recovery)
	if _, err := sink.get(ctx, "/-/answer"); err != nil {
		return err
	}
	if _, err := largest(ctx, service, recovery); err != nil {
		return err
	}
	if m.Accounts, err = accounts(ctx, service); err != nil {
		return err
	}
	for i := range m.Accounts {
		m.Accounts[i].SentAfter = m.Accounts[i].Sent - before[i].Sent
	}
	r.Machine, r.Memory = measured.ThisMachine(), &m
	return nil
}

// largest puts the service under load for a while and returns the most memory
// that it had.
func largest(ctx context.Context, service *child, d time.Duration) (float64, error) {
	done := make(chan error, 1)
	go func() {
		_, err := attack(ctx, service.url, memoryRate, d, 1)
		done <- err
	}()
	sample := time.NewTicker(200 * time.Millisecond)
	defer sample.Stop()
	most := 0.0
	for {
		select {
		case err := <-done:
			return most, err
		case <-sample.C:
			now, err := service.resident()
			if err != nil {
				return 0, err
			}
			most = max(most, now)
		}
	}
}

// accounts reads what became of each signal's items.
func accounts(ctx context.Context, service *child) ([]Account, error) {
	text, err := service.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	var list []Account
	for _, s := range catalog.Signals() {
		signal := string(s)
		list = append(list, Account{
			Signal:   signal,
			Produced: sum(text, catalog.TelemetryProduced, signal), Sent: sum(text, catalog.TelemetrySent, signal),
			Dropped: sum(text, catalog.TelemetryDropped, signal), Queued: sum(text, catalog.TelemetryQueue, signal),
			Up: sum(text, catalog.ExporterUp, signal) == 1,
		})
	}
	return list, nil
}

// sum adds up the series of a metric that have the signal, in the text format.
func sum(text string, m catalog.Metric, signal string) float64 {
	total := 0.0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, m.Desc().Name+"{") ||
			!strings.Contains(line, string(catalog.SignalLabel)+`="`+signal+`"`) {
			continue
		}
		fields := strings.Fields(line[strings.LastIndexByte(line, '}')+1:])
		value, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			continue
		}
		total += value
	}
	return total
}
