package load

import (
	"context"
	"time"
)

// maxLate is how late a planned request may still be sent. A process that was
// stopped for longer (a suspended machine) must not make up for it in a burst.
const maxLate = time.Second

// pace calls send once for each planned time, rate times per second, until ctx
// ends. The n-th time is start + n/rate, so that a late call delays no later
// one and errors do not add up. Times that have passed by more than maxLate are
// left out and reported to skip. send must return at once.
func pace(ctx context.Context, rate float64, send func(planned time.Time), skip func(n int)) {
	start := time.Now()
	at := func(n int64) time.Time { return start.Add(time.Duration(float64(n) / rate * float64(time.Second))) }
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := int64(0); ; n++ {
		now := time.Now()
		if late := now.Sub(at(n)); late > maxLate {
			// The first planned time that is not too late.
			next := n + int64((late-maxLate).Seconds()*rate) + 1
			skip(int(next - n))
			n = next
		}
		timer.Reset(at(n).Sub(now)) // a time in the past fires at once
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return
		}
		send(at(n))
	}
}
