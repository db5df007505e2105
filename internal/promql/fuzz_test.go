package promql_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/internal/promql"
)

// FuzzMatcherValue: whatever the value, the selector stays one selector, and
// reading the quoted string back gives the value.
func FuzzMatcherValue(f *testing.F) {
	for _, seed := range []string{"", "api", `"}) or up{job="`, "\\", "a\nb", "\x00\x7f", "\xff", "ü€😀", "$service_name", "`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := promql.Value(catalog.Up, promql.Equal(catalog.Job, value)).String()
		inner, ok := strings.CutPrefix(got, "up{job=")
		inner, ok2 := strings.CutSuffix(inner, "}")
		if !ok || !ok2 {
			t.Fatalf("not a selector: %q", got)
		}
		if !utf8.ValidString(got) || strings.ContainsRune(got, utf8.RuneError) {
			t.Fatalf("not UTF-8 to Prometheus: %q", got)
		}
		back, err := strconv.Unquote(inner)
		if err != nil {
			t.Fatalf("%s is no string literal: %v", inner, err)
		}
		if want := strings.ToValidUTF8(value, "\uFFFD"); back != want {
			t.Errorf("%q came back as %q", want, back)
		}
	})
}

// FuzzDuration: a printed window is the duration again, to the millisecond.
func FuzzDuration(f *testing.F) {
	for _, seed := range []int64{0, 1, int64(time.Hour), int64(time.Hour * 49), -5, int64(time.Microsecond * 1500)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		n %= int64(100 * 365 * 24 * time.Hour)
		printed := promql.FormatDuration(time.Duration(n))
		want := max(time.Duration(n).Round(time.Millisecond), 0)
		if got := parseDuration(t, printed); got != want {
			t.Errorf("%v printed as %s, which is %v", want, printed, got)
		}
	})
}

func parseDuration(t *testing.T, s string) time.Duration {
	t.Helper()
	var days int64
	if before, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			t.Fatalf("days of %q: %v", s, err)
		}
		days, s = n, after
	}
	if s == "" {
		return time.Duration(days) * 24 * time.Hour
	}
	rest, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(days)*24*time.Hour + rest
}

// FuzzExpression: any tree of operators prints the same each time, with
// balanced parentheses, and its multi-line form differs in white space only.
func FuzzExpression(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		expr := randomExpr(rand.New(rand.NewPCG(seed, 1)), 5)
		again := randomExpr(rand.New(rand.NewPCG(seed, 1)), 5)
		one := expr.String()
		if one != again.String() || expr.Multiline() != again.Multiline() {
			t.Fatalf("printed differently: %s", one)
		}
		if err := balanced(one); err != nil {
			t.Errorf("%v: %s", err, one)
		}
		if got, want := squeeze(expr.Multiline()), squeeze(one); got != want {
			t.Errorf("multi-line form differs\n got %s\nwant %s", got, want)
		}
	})
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func balanced(s string) error {
	depth := 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			return fmt.Errorf("closed too early at %d", i)
		}
	}
	if depth != 0 {
		return fmt.Errorf("%d left open", depth)
	}
	return nil
}

// randomExpr builds a tree of at most the given depth out of everything the
// package offers.
func randomExpr(r *rand.Rand, depth int) promql.Expr {
	if depth == 0 {
		return randomLeaf(r)
	}
	a, b := randomExpr(r, depth-1), randomExpr(r, r.IntN(depth))
	switch r.IntN(21) {
	case 17:
		return promql.Avg(a, catalog.Job)
	case 18:
		return promql.TopK(r.IntN(9)+1, a)
	case 19:
		return promql.Pow(a, randomScalar(r))
	case 20:
		return promql.Plus(promql.DivBy(a, randomScalar(r)), randomScalar(r))
	case 0:
		return promql.Sum(a, catalog.Job)
	case 1:
		return promql.Max(a)
	case 2:
		return promql.Add(a, b)
	case 3:
		return promql.Sub(a, b)
	case 4:
		return promql.Mul(a, b)
	case 5:
		return promql.Div(a, b)
	case 6:
		return promql.And(a, b)
	case 7:
		return promql.Or(a, b)
	case 8:
		return promql.Unless(a, b)
	case 9:
		return promql.AndOn(a, b, catalog.Job)
	case 10:
		return promql.UnlessOn(a, b, catalog.Job, catalog.Instance)
	case 11:
		return promql.Above(a, randomScalar(r))
	case 12:
		return promql.AtLeast(a, randomScalar(r))
	case 13:
		return promql.Equals(a, randomScalar(r))
	case 14:
		return promql.Complement(a)
	case 15:
		return promql.DivAll(a, promql.Sum(b))
	default:
		return promql.Times(a, randomScalar(r))
	}
}

func randomScalar(r *rand.Rand) promql.Scalar {
	if r.IntN(2) == 0 {
		return promql.Number(r.NormFloat64() * 1e6)
	}
	return promql.Product(r.NormFloat64(), r.Float64())
}

func randomLeaf(r *rand.Rand) promql.Expr {
	flavor := promql.Flavors()[r.IntN(2)]
	d := promql.Of(flavor, catalog.HTTPServerRequestDuration, promql.Over(time.Duration(r.Int64N(1e15))),
		promql.OneOf(catalog.HTTPRoute, strconv.Itoa(r.IntN(9)), "/a.b"))
	switch r.IntN(6) {
	case 0:
		return d.Quantile(r.Float64())
	case 1:
		return d.By(catalog.HTTPRoute).Mean()
	case 2:
		return d.Rate()
	case 3:
		return promql.Rate(catalog.ProcessCPUSeconds, promql.Over(time.Minute))
	case 4:
		return promql.LastOverTime(catalog.Up, promql.Over(time.Hour))
	default:
		return promql.Value(catalog.ServiceErrors)
	}
}
