package main

import (
	"math"
	"strconv"

	"github.com/cacheu/plumbline/internal/measured"
)

// Results is everything that was measured, as it is kept in the results file.
type Results struct {
	Machine  measured.Machine `json:"machine"`
	Requests []Request        `json:"requests,omitempty"`
	// Benchstat is what benchstat says of the runs behind Requests.
	Benchstat string  `json:"benchstat,omitempty"`
	Logs      *Logs   `json:"logs,omitempty"`
	Server    *Server `json:"server,omitempty"`
	Memory    *Memory `json:"memory,omitempty"`
}

// quantile returns the q-quantile of sorted values by the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// studentT holds the 97.5 % quantiles of Student's t distribution by degrees
// of freedom, from the usual tables; past the end the normal one serves.
var studentT = [...]float64{0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
	2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086}

// pairedRatio estimates how many times larger on is than off, from pairs of
// runs that were made one after the other: the mean of the logarithms of the
// ratios, with Student's interval. What drifts in the machine from one pair to
// the next cancels.
func pairedRatio(on, off []float64) Interval {
	n := float64(len(on))
	var sum, squares float64
	for i := range on {
		l := math.Log(on[i] / off[i])
		sum += l
		squares += l * l
	}
	mean := sum / n
	deviation := math.Sqrt(max(0, squares-n*mean*mean) / (n - 1))
	t := 1.96
	if df := len(on) - 1; df < len(studentT) {
		t = studentT[df]
	}
	half := t * deviation / math.Sqrt(n)
	return Interval{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}
}

// percentMore prints a ratio as the percentage by which it exceeds 1.
func percentMore(ratio float64) string {
	return strconv.FormatFloat((ratio-1)*100, 'f', 1, 64) + " %"
}
