package promql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Sum adds up the series that agree in the given labels; all of them when no
// label is given. The result keeps those labels only.
func Sum(e Expr, by ...catalog.Label) Expr { return aggregate("sum", e, by) }

// Max keeps the largest of the series that agree in the given labels.
func Max(e Expr, by ...catalog.Label) Expr { return aggregate("max", e, by) }

// Min keeps the smallest of the series that agree in the given labels.
func Min(e Expr, by ...catalog.Label) Expr { return aggregate("min", e, by) }

// Avg is the mean of the series that agree in the given labels. The mean of
// percentiles is no percentile: take those of a [Distribution] that is merged.
func Avg(e Expr, by ...catalog.Label) Expr { return aggregate("avg", e, by) }

// Count counts the series that agree in the given labels.
func Count(e Expr, by ...catalog.Label) Expr { return aggregate("count", e, by) }

// Group returns 1 for each combination of the given labels.
func Group(e Expr, by ...catalog.Label) Expr { return aggregate("group", e, by) }

// TopK keeps the n largest series at each moment, with all their labels.
func TopK(n int, e Expr) Expr {
	return Expr{text: "topk(" + strconv.Itoa(n) + ", " + e.inline() + ")"}
}

func aggregate(op string, e Expr, by []catalog.Label) Expr {
	clause := ""
	if len(by) > 0 {
		clause = " by (" + joinLabels(by) + ") "
	}
	return Expr{text: op + clause + "(" + e.inline() + ")"}
}

// joinLabels drops repeated labels, so that By(Le) on a classic histogram
// does not name le twice.
func joinLabels(labels []catalog.Label) string {
	var names []string
	for _, l := range labels {
		if !slices.Contains(names, string(l)) {
			names = append(names, string(l))
		}
	}
	return strings.Join(names, ", ")
}

// Div returns a / b for each pair of series with equal labels. Where b is 0
// the result is NaN or infinite, which no comparison lets through but NaN != x.
func Div(a, b Expr) Expr { return operate(a, "/", b) }

// DivAll returns a / b for each series of a, where b is one series without
// labels that they are all divided by.
func DivAll(a, b Expr) Expr { return operate(a, "/ on () group_left ()", b) }

// Mul returns a * b for each pair of series with equal labels.
func Mul(a, b Expr) Expr { return operate(a, "*", b) }

// Sub returns a - b for each pair of series with equal labels.
func Sub(a, b Expr) Expr { return operate(a, "-", b) }

// Add returns a + b for each pair of series with equal labels.
func Add(a, b Expr) Expr { return operate(a, "+", b) }

// Times multiplies every value of e.
func Times(e Expr, by Scalar) Expr { return operate(e, "*", by) }

// Pow raises every value of e to a power.
func Pow(e Expr, to Scalar) Expr { return operate(e, "^", to) }

// DivBy divides every value of e by a number.
func DivBy(e Expr, n Scalar) Expr { return operate(e, "/", n) }

// Plus adds a number to every value of e.
func Plus(e Expr, n Scalar) Expr { return operate(e, "+", n) }

// Complement returns 1 - e: the share that is not in a ratio.
func Complement(e Expr) Expr { return operate(Number(1), "-", e) }

// Above keeps the series whose value is greater than the limit. NaN is not.
func Above(e Expr, limit Scalar) Expr { return operate(e, ">", limit) }

// AtLeast keeps the series whose value is the limit or more. NaN is not.
func AtLeast(e Expr, limit Scalar) Expr { return operate(e, ">=", limit) }

// Below keeps the series whose value is less than the limit. NaN is not.
func Below(e Expr, limit Scalar) Expr { return operate(e, "<", limit) }

// Equals keeps the series whose value is v.
func Equals(e Expr, v Scalar) Expr { return operate(e, "==", v) }

// And keeps the series of a that have a partner in b with the same labels.
func And(a, b Expr) Expr { return operate(a, "and", b) }

// AndOn keeps the series of a that have a partner in b with the same values of
// the given labels.
func AndOn(a, b Expr, labels ...catalog.Label) Expr { return operate(a, "and"+on(labels), b) }

// Or returns the series of a, and those of b that have no partner in a with
// the same labels.
func Or(a, b Expr) Expr { return operate(a, "or", b) }

// Unless keeps the series of a that have no partner in b with the same labels.
func Unless(a, b Expr) Expr { return operate(a, "unless", b) }

// UnlessOn keeps the series of a that have no partner in b with the same
// values of the given labels.
func UnlessOn(a, b Expr, labels ...catalog.Label) Expr { return operate(a, "unless"+on(labels), b) }

func on(labels []catalog.Label) string { return " on (" + joinLabels(labels) + ")" }

func operate(left operand, op string, right operand) Expr {
	return Expr{binary: &binary{left: left, right: right, op: op}}
}
