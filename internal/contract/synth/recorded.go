package synth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Recorded is a series that a recording rule would have written, every
// [RecordInterval].
type Recorded struct {
	// Labels are sorted by name, and have the name of the series among them.
	Labels []labels.Label
	// Summed is set for what the longest windows of the burn alerts sum up.
	Summed bool
	// Value is its value, always: what it costs to read does not depend on it.
	Value float64
}

// record adds what the rules would have recorded of the services.
func (p *Population) record() {
	summed := []string{
		catalog.ServiceRequests.Desc().Name, catalog.ServiceErrors.Desc().Name,
		catalog.ServiceAnswered.Desc().Name, catalog.ServiceSlow.Desc().Name,
	}
	for _, r := range catalog.AllRecorded() {
		d := r.Desc()
		like := Recorded{Summed: slices.Contains(summed, d.Name), Value: 0.0001}
		if like.Summed {
			like.Value = requests * float64(p.config.Routes*p.config.Instances)
		}
		if d.Name == catalog.ServiceErrors.Desc().Name || d.Name == catalog.ServiceSlow.Desc().Name {
			like.Value /= 10000
		}
		for s := range p.config.Services {
			for _, values := range p.valuesOf(d, ServiceOf(s)) {
				next := like
				next.Labels = []labels.Label{{Name: labels.MetricName, Value: d.Name}}
				for i, name := range d.LabelNames() {
					next.Labels = append(next.Labels, labels.Label{Name: name, Value: values[i]})
				}
				slices.SortFunc(next.Labels, func(x, y labels.Label) int { return strings.Compare(x.Name, y.Name) })
				p.Recorded = append(p.Recorded, next)
			}
		}
	}
}

// valuesOf returns the label values of every recorded series of a service.
func (p *Population) valuesOf(d catalog.Desc, service string) [][]string {
	var lists [][]string
	for _, l := range d.Labels {
		switch l {
		case catalog.ServiceName, catalog.Job:
			lists = append(lists, []string{service})
		case catalog.DeploymentEnvironment:
			lists = append(lists, []string{Environment})
		case catalog.HTTPRoute:
			lists = append(lists, routesOf(p.config.Routes))
		default:
			panic(fmt.Sprintf("nobody knows the values of the label %s of %s", l, d.Name))
		}
	}
	return combinations(lists)
}
