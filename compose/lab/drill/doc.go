// Package drill breaks a lab in every way that it can be broken, one after the
// other, and sees whether the alerts that this should raise are raised, reach
// Alertmanager, and end when the trouble does, and whether no other alert is.
//
// [Run] starts a native lab of its own, on free ports and in a folder of its own,
// with rules whose times are a hundredth of the real ones, and takes it down
// again. [All] lists the drills, [Undrilled] the alerts that no drill can raise
// and why. [Report.Markdown] writes the table of docs/drills.md.
//
// A drill that fails is done once more, because a busy machine alone can raise an
// alert when five minutes are three seconds.
//
// A run takes about a quarter of an hour and two processors at times. It stops
// when its context ends, and takes the lab down all the same. Run is for one
// goroutine at a time; everything else is data.
//
// For maintainers:
//
//	drill.go     one drill as data, and the list of them
//	tamper.go    faults of the stack, which the lab has no names for
//	run.go       the lab, and one drill after the other
//	watch.go     which alerts fire, by Prometheus and Alertmanager
//	report.go    what came of it
package drill
