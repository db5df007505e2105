package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxInFlight bounds the load: so many requests without an answer mean that
// the service has come to a stop.
const maxInFlight = 2000

// attack sends requests at a mean rate with random gaps (a Poisson process, the
// same for the same seed), whether or not earlier ones were answered. It
// returns the sorted latencies in seconds, from when each was due.
func attack(ctx context.Context, url string, rate float64, d time.Duration, seed uint64) ([]float64, error) {
	transport := &http.Transport{
		MaxIdleConns: maxInFlight, MaxIdleConnsPerHost: maxInFlight, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not a secret
	var mu sync.Mutex
	var latencies []float64
	var failure error
	slots := make(chan struct{}, maxInFlight)
	var wg sync.WaitGroup
	begin := time.Now()
	for due := begin; due.Sub(begin) < d; due = due.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second))) {
		sleepUntil(due)
		select {
		case slots <- struct{}{}:
		default:
			return nil, fmt.Errorf("%d requests are without an answer at %.0f per second: the service does not keep up", maxInFlight, rate)
		}
		wg.Go(func() {
			defer func() { <-slots }()
			err := get(ctx, client, fmt.Sprintf("%s/items/%d", url, random100(due)))
			elapsed := time.Since(due).Seconds()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failure = err
				return
			}
			latencies = append(latencies, elapsed)
		})
	}
	wg.Wait()
	slices.Sort(latencies)
	return latencies, failure
}

// random100 spreads requests over users without sharing a generator between
// goroutines.
func random100(due time.Time) int64 { return due.UnixNano() / 1000 % 100 }

// sleepUntil sleeps, and spins for the last stretch: the kernel wakes sleepers
// up to a tenth of a millisecond late.
func sleepUntil(t time.Time) {
	time.Sleep(time.Until(t) - 100*time.Microsecond)
	for time.Until(t) > 0 { //nolint:revive // spinning on purpose
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

// saturate asks from so many clients at once, each as fast as it can, and
// returns the answers per second: the capacity.
func saturate(ctx context.Context, url string, clients int, d time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	counts := make([]int, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := get(ctx, client, fmt.Sprintf("%s/items/%d", url, counts[i]%100)); err != nil {
					if ctx.Err() == nil {
						errs[i] = err
					}
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for i := range counts {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += counts[i]
	}
	return float64(total) / d.Seconds(), nil
}
