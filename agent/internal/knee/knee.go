// Package knee estimates, from live requests, the rate at which a service's
// latency bends: the capacity of its bottleneck.
//
// [Recorder] is told when a request begins and ends, and keeps for each number
// of requests in flight how long it lasted, how many requests found it on their
// arrival, and how long those took. [Fit] reads the capacity off these sums.
// The decision record about the knee, in docs/adr, has the reasons for the method and
// what it cannot do.
//
// # The method
//
// A bottleneck that c requests can be in at a time, for s seconds each, can do
// c/s per second. Both are found without knowing what the bottleneck is.
//
// Little's law, applied to the inside of the bottleneck, gives s once c is
// known, whatever the arrivals, the order of service and the distribution of
// service times are: of N requests in flight, min(N, c) are inside, so that
// s = mean(min(N, c)) / X at a throughput of X (Little 1961).
//
// c is where latency begins to depend on how many others are there: a request
// that finds n others takes s as long as n < c, and then longer by what has to
// leave first. The mean latencies for each n are compared with what each c
// predicts, by least squares weighted with the number of requests, for three
// kinds of bottleneck: waiting in line with service times that vary, waiting in
// line with a fixed one (both are the bounds of asymptotic analysis, Denning
// and Buzen 1978, looked at from an arrival's side), and sharing in equal parts
// as processors do (Sengupta and Jagerman 1985). The best wins.
//
// The error is that of a bootstrap over blocks of time (Künsch 1989), so that it
// contains the doubt about c and the kind as well as the noise of the sums.
//
// A Recorder is safe for concurrent use and takes no lock, but for one request
// in each block of some seconds; Fit is pure.
//
// For maintainers: recorder.go is the hot path, cells.go what it counts in,
// fit.go the estimate, shapes.go what a bottleneck does to latency.
package knee
