package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// Types of profiles that the agent takes, as Pyroscope names them.
const (
	profileAlloc      = "memory:alloc_space:bytes:space:bytes"
	profileInuse      = "memory:inuse_space:bytes:space:bytes"
	profileMutex      = "mutex:delay:nanoseconds:contentions:count"
	profileBlock      = "block:delay:nanoseconds:contentions:count"
	profileGoroutines = "goroutines:goroutine:count:goroutine:count"
)

// profiling shows what a service computes, allocates and waits for in itself,
// now, earlier, and beside another service.
func profiling(Options) (Dashboard, error) {
	d, err := assemble(catalog.DashboardProfiling, "Profiling",
		"Flame graphs of one service: processor, memory, locks and goroutines; the same earlier, and another service's.",
		join(chooseSources(catalog.VarPrometheus, catalog.VarPyroscope),
			chooseService("Every service that embeds the agent.", everyService), chooseInstance(),
			chooseText(catalog.VarProfile, "Compare by", "The type of profile of the row that compares.", profileCPU,
				profileCPU, profileAlloc, profileInuse, profileMutex, profileBlock, profileGoroutines),
			chooseText(catalog.VarEarlier, "Earlier by", "How long before the shown time range the other window is. As long as the range puts both side by side.", "15m",
				"5m", "15m", "1h", "6h", "1d", "7d"),
			choices{valuesVariable(catalog.VarOther, "Other service", "The service to compare with: another one, or the variant before a change.",
				everyService(promql.Selected(catalog.DeploymentEnvironment, catalog.VarEnvironment)), catalog.ServiceName).
				Sort(dashboard.VariableSortAlphabeticalDesc)}), // not the same service first
		[]row{
			{"What it computes", []panel{cpuFlame()}},
			{"Then and now, this and that", []panel{nowFlame(), earlierFlame(), otherFlame()}},
			{"What it allocates and holds", []panel{
				flame("Allocated memory", "Bytes that functions allocated within the time range, whether or not they were freed since: what the garbage collector has to do, and where to begin when it takes too much.", profileAlloc),
				flame("Memory in use", "Bytes that functions allocated and that are still held. A frame that is wider each hour is a leak; compare two windows above.", profileInuse),
			}},
			{"What waits", []panel{
				flame("Waiting for locks", "Time that goroutines waited for a mutex, by who held it when they did; sampled. A wide frame is a lock that is held too long or by too many.", profileMutex),
				flame("Goroutines", "Where goroutines were when they were counted: most wait, which costs little. A frame that is wider each hour is goroutines that never end.", profileGoroutines),
			}},
			{"The runtime beside it", []panel{instanceCPU(), instanceMemory(), instanceGoroutines(), runtimeShares()}},
		})
	return d.over("now-15m", "1m"), err
}

const flameText = "Left the functions by their own time (self) and with what they call (total), right the call stacks: the wider, the more."

func cpuFlame() panel {
	return panel{newFlame("Processor time", "Processor time of the service over the time range, 100 samples a second. "+flameText+" What waits is not here.", noSamples,
		profileCPU, profilesOf(catalog.VarService)), gridWidth, 16}.
		to(toLesson("cpu-profile", "The lesson: read a profile"), toBoard(catalog.DashboardBottleneck, "What it waits for"))
}

// half is a flame graph that is compared with the one beside it.
func half(title, description, empty string, v catalog.Variable) *dashboard.PanelBuilder {
	return newFlame(title, description, empty, "$"+string(catalog.VarProfile), profilesOf(v)).
		Options(map[string]any{"showFlameGraphOnly": true})
}

func nowFlame() panel {
	return panel{half("This service, now", "The chosen type of profile of the chosen service in the shown time range. Widths are shares of the whole: compare the shape, not the size.", noSamples, catalog.VarService), 8, 14}.
		to(toLesson("cpu-profile", "The lesson: read a profile"))
}

func earlierFlame() panel {
	return panel{half("This service, earlier", "The same service and type, in a window as long as the shown one and earlier by as much as is chosen above. A frame that is only in one of the two is what changed.",
		"no profile of this service that long ago", catalog.VarService).
		TimeShift("$" + string(catalog.VarEarlier)), 8, 14}.
		to(toLesson("cpu-profile", "The lesson: read a profile"))
}

func otherFlame() panel {
	return panel{half("The other service", "The chosen type of profile of the other service in the shown time range: another variant, another version under a name of its own, or one that does the same work better.", "no profile of the other service in this time range", catalog.VarOther), 8, 14}.
		to(toBoard(catalog.DashboardBenchmarks, "Benchmarks: before and after"))
}

func flame(title, description, profile string) panel {
	return panel{newFlame(title, description+" "+flameText, noSamples, profile, profilesOf(catalog.VarService)), 12, 13}.
		to(toLesson("cpu-profile", "The lesson: read a profile"))
}

func instanceCPU() panel {
	return panel{newTimeSeries("Processor cores in use", "Processor cores in use by each instance, on average. 1 is one core busy all the time: the whole width of the flame graph of processor time.", unitCount, "no instance").
		WithTarget(query{"A", promql.Sum(promql.Rate(catalog.ProcessCPUSeconds, promql.RateInterval(), theseInstances()...), catalog.Instance), by(catalog.Instance)}.overTime()), 12, 8}.
		to(toBoard(catalog.DashboardUtilization, "What the service uses"))
}

func instanceMemory() panel {
	return panel{newTimeSeries("Memory of the process", "Resident memory of each instance, and the part of it that the Go heap uses. Resident far above the heap is garbage not yet returned, stacks, or memory outside of Go.", unitBytes, "no instance").
		WithTarget(query{"resident", promql.Sum(promql.Value(catalog.ProcessResident, theseInstances()...), catalog.Instance), by(catalog.Instance) + " resident"}.overTime()).
		WithTarget(query{"heap", promql.Sum(promql.Value(catalog.GoHeapInuse, theseInstances()...), catalog.Instance), by(catalog.Instance) + " heap"}.overTime()), 12, 8}.
		to(toBoard(catalog.DashboardUtilization, "What the service uses"))
}

func instanceGoroutines() panel {
	return panel{newTimeSeries("Goroutines over time", "Goroutines of each instance. They follow the requests in flight; a number that only rises is a leak, and the flame graph above tells where they are.", unitCount, "no instance").
		WithTarget(query{"A", promql.Sum(promql.Value(catalog.GoGoroutines, theseInstances()...), catalog.Instance), by(catalog.Instance)}.overTime()), 12, 8}.
		to(toBoard(catalog.DashboardServiceOverview, "Service overview"))
}

func runtimeShares() panel {
	collector := promql.Equal(catalog.Resource, string(catalog.ResourceGC))
	scheduler := promql.Equal(catalog.Resource, string(catalog.ResourceScheduler))
	return panel{newTimeSeries("Garbage collection and waiting for a processor", "gc: share of all processor time that garbage collection took; above a tenth, look at what is allocated. "+
		"scheduler: goroutines that could run and had no processor, for each processor; above a quarter, latency is a matter of waiting for one.", unitRatio, notMeasured).
		WithTarget(query{"gc", promql.Max(promql.Value(catalog.ResourceUtilization, append(theseInstances(), collector)...), catalog.Instance), by(catalog.Instance) + " gc"}.overTime()).
		WithTarget(query{"scheduler", promql.Max(promql.Value(catalog.ResourceSaturation, append(theseInstances(), scheduler)...), catalog.Instance), by(catalog.Instance) + " scheduler"}.overTime()), 12, 8}.
		to(toBoard(catalog.DashboardUtilization, "What the service uses"))
}
