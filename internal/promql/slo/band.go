package slo

// The band of utilization to run in, 0 to 1, and the saturation from which an
// alert asks whether latency suffers. Below the band there is room to spare,
// above it a little more load waits much longer.
const (
	BandLow         = 0.6
	BandHigh        = 0.8
	SaturationLimit = 0.25
)
