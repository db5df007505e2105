package promql_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
	"github.com/cacheu/plumbline/internal/promql/promqltest"
)

// Whatever the package prints, Prometheus parses: random trees of everything
// that it offers, and label values of random bytes.
func TestPrometheusParsesEverything(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var queries []string
	for i := range 1000 {
		expr := randomExpr(r, i%6)
		queries = append(queries, expr.String(), expr.Multiline())
	}
	for range 1000 {
		value := make([]byte, r.IntN(12))
		for i := range value {
			value[i] = byte(r.IntN(256))
		}
		queries = append(queries, promql.Value(catalog.Up,
			promql.Equal(catalog.Job, string(value)), promql.NoneOf(catalog.Job, string(value), "")).String())
	}
	promqltest.Parses(t, queries...)
}
