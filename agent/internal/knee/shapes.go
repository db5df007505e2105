package knee

import "math"

// shape predicts how much longer than its service time a request takes that
// finds n others, at a bottleneck with c places that is used to the share load.
type shape func(c, load float64, ns, into []float64)

// shapeCount is the number of shapes.
const shapeCount = 3

// shapeOf returns a shape by its number.
func shapeOf(i int) shape {
	switch i {
	case 0:
		return inLineVarying
	case 1:
		return inLineFixed
	default:
		return shared
	}
}

// inLineVarying is waiting in line where service times vary: those inside leave
// at c times the rate of one, so that each request ahead costs a c-th.
func inLineVarying(c, _ float64, ns, into []float64) {
	for i, n := range ns {
		into[i] = max(1, (n+1)/c)
	}
}

// inLineFixed is waiting in line where all take equally long: the ends of those
// inside are spread evenly over one service time, and then it repeats.
func inLineFixed(c, _ float64, ns, into []float64) {
	for i, n := range ns {
		into[i] = 1
		if ahead := n - c + 1; ahead > 0 {
			rounds := math.Floor((ahead - 1) / c)
			into[i] = 1 + rounds + (ahead-rounds*c)/(c+1)
		}
	}
}

// shared is processor sharing by equal parts with random arrivals: whoever
// comes later slows down those who are there. The expected time r(n) solves,
// with g = min(1, c/(n+1)) the speed of each,
//
//	(load*c + g + n*g) r(n) = 1 + load*c r(n+1) + n*g r(n-1)
//
// in units of the service time. It grows by 1/(2c - load*c) for each request
// in the end, which closes the equations.
func shared(c, load float64, ns, into []float64) {
	largest := 0.0
	for _, n := range ns {
		largest = max(largest, n)
	}
	size := int(largest) + 2
	arrivals := load * c
	// Elimination from above: r(n) = ahead[n] + slope[n] r(n+1).
	ahead, slope := make([]float64, size), make([]float64, size)
	for n := range size {
		g := min(1, c/float64(n+1))
		others := float64(n) * g
		diagonal, right := arrivals+g+others, 1.0
		if n > 0 {
			diagonal -= others * slope[n-1]
			right += others * ahead[n-1]
		}
		ahead[n], slope[n] = right/diagonal, arrivals/diagonal
	}
	times := make([]float64, size)
	last := size - 1
	times[last] = (ahead[last] + slope[last]/(2*c-arrivals)) / (1 - slope[last])
	for n := last - 1; n >= 0; n-- {
		times[n] = ahead[n] + slope[n]*times[n+1]
	}
	for i, n := range ns {
		low := int(n)
		into[i] = times[low] + (n-float64(low))*(times[low+1]-times[low])
	}
}
