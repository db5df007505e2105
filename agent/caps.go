package agent

import "github.com/cacheu/plumbline/agent/catalog"

// Capped is implemented by what an adapter keeps with the agent (see
// [Agent.Kit]) where it caps the values of a label. The agent exports what it
// says. Its method must be safe for concurrent use and cheap.
type Capped interface {
	// Cap returns the label, how many values of it have been seen, and from
	// how many on further ones are counted as "other".
	Cap() (label catalog.Label, values, most int)
}

// usage is how much of a label's cap is in use.
type usage struct{ values, most int }

// caps returns the use of every capped label. Adapters that cap the same label
// are added up.
func (a *Agent) caps() map[catalog.Label]usage {
	all := map[catalog.Label]usage{catalog.HTTPRoute: {a.http.routes.Len(), a.config.Metrics.MaxSeries}}
	a.kits.Range(func(_, kit any) bool {
		if c, ok := kit.(Capped); ok {
			label, values, most := c.Cap()
			sum := all[label]
			all[label] = usage{sum.values + values, sum.most + most}
		}
		return true
	})
	return all
}
