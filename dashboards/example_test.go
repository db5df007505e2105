package dashboards_test

import (
	"fmt"
	"os"
	"time"

	"github.com/cacheu/plumbline/dashboards"
)

// Writing the dashboards for a Prometheus that has classic histograms only,
// where requests are allowed half a second.
func ExampleWriteWith() {
	dir, err := os.MkdirTemp("", "dashboards")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	err = dashboards.WriteWith(dir, dashboards.Options{
		Flavor:           dashboards.Classic,
		LatencyObjective: 500 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// plumbline-benchmarks.json
	// plumbline-bottleneck.json
	// plumbline-database.json
	// plumbline-jobs.json
	// plumbline-logs-and-traces.json
	// plumbline-p99.json
	// plumbline-profiling.json
	// plumbline-replication-lag.json
	// plumbline-service-overview.json
	// plumbline-slo.json
	// plumbline-stack-health.json
	// plumbline-utilization.json
}
