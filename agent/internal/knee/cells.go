package knee

import "math/bits"

// Numbers of requests in flight are counted in cells: one for each number below
// linear, and above it 16 for each doubling, so that a cell is 6 % wide at
// most.
const (
	linearBits = 6
	linear     = 1 << linearBits
	perOctave  = 16
	octaves    = 10
	cellCount  = linear + octaves*perOctave
)

// cellOf returns the cell of a number in flight. What is too large counts in
// the last one.
func cellOf(n int64) int {
	if n < linear {
		return int(max(0, n))
	}
	octave := bits.Len64(uint64(n)) - 1 - linearBits
	within := int(n>>(octave+linearBits-4)) & (perOctave - 1)
	return min(linear+octave*perOctave+within, cellCount-1)
}

// middleOf returns the mean of the numbers that a cell is for.
func middleOf(cell int) float64 {
	if cell < linear {
		return float64(cell)
	}
	octave, within := (cell-linear)/perOctave, (cell-linear)%perOctave
	width := int64(1) << (octave + linearBits - 4)
	first := int64(linear)<<octave + int64(within)*width
	return float64(first) + float64(width-1)/2
}
