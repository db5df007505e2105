// Command gen writes docs/metrics.md from the catalogue.
//
//	go run ./agent/catalog/cmd/gen -out docs/metrics.md
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	out := flags.String("out", "", "file to write; standard output when empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	page := render(catalog.All())
	if *out == "" {
		_, err := stdout.Write(page)
		return err
	}
	return os.WriteFile(*out, page, 0o644)
}

const head = `<!-- Generated from agent/catalog by "make generate". DO NOT EDIT. -->
# Metrics

Every metric that plumbline emits. All carry ` + "`service_name`" + ` and, where the agent is told an environment,
` + "`deployment_environment_name`" + `. Durations are in seconds, sizes in bytes, ratios in 0 to 1. Histograms are exposed
both as native histograms and with classic buckets.

`

func render(metrics []catalog.Metric) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	table(&b, metrics, false)
	b.WriteString("\n## Metrics of others\n\nEmitted by the Go client, by Prometheus or by the servers of the stack; dashboards and alerts refer to them.\n\n")
	table(&b, metrics, true)
	resources(&b, catalog.Resources())
	return b.Bytes()
}

// resources lists the values of one label, whose meaning the metrics' own help
// texts cannot hold.
func resources(b *bytes.Buffer, all []catalog.ResourceInfo) {
	fmt.Fprintf(b, "\n## Resources\n\nWhat the label `%s` of `%s` and `%s` can be. What a system does not have, has no series.\n\n",
		catalog.Resource, catalog.ResourceUtilization.Desc().Name, catalog.ResourceSaturation.Desc().Name)
	b.WriteString("| resource | utilization | saturation | read from |\n|---|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.Name, r.Utilization, r.Saturation, r.Source)
	}
}

func table(b *bytes.Buffer, metrics []catalog.Metric, external bool) {
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		d := m.Desc()
		if d.External == external {
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", d.Name, m.Kind(), strings.Join(d.LabelNames(), ", "), d.Help)
		}
	}
}
