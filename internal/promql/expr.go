package promql

import (
	"math"
	"strconv"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
)

// Expr is a query that yields a set of series. The zero value is no query: it
// prints as the empty string, which Prometheus refuses.
type Expr struct {
	// text is the whole query of a leaf: a selector, call or aggregation.
	text string
	// binary is set instead of text for an operator with two operands.
	binary *binary
}

type binary struct {
	left, right operand
	// op is the operator with its matching clause: "unless on (job)".
	op string
}

// operand is one side of an operator: a query or a number.
type operand interface {
	inline() string
	multiline(indent string, budget int) string
	isBinary() bool
	operator() string
}

// String prints the query on one line.
func (e Expr) String() string { return e.inline() }

// IsZero reports whether e is no query at all.
func (e Expr) IsZero() bool { return e.text == "" && e.binary == nil }

// lineBudget is the length up to which Multiline leaves a query on one line.
const lineBudget = 90

// Multiline prints the query for files that people read: an operator whose
// operands do not fit into one line gets a line of its own, unless one of them
// is a mere number. It means the same to Prometheus as String.
func (e Expr) Multiline() string { return e.multiline("", lineBudget) }

func (e Expr) isBinary() bool { return e.binary != nil }

func (e Expr) operator() string {
	if e.binary == nil {
		return ""
	}
	return e.binary.op
}

func (e Expr) inline() string {
	if e.binary == nil {
		return e.text
	}
	return inlineOperand(e.binary.left, e.flatLeft()) + " " + e.binary.op + " " +
		inlineOperand(e.binary.right, false)
}

// flatLeft reports whether the left operand may go without parentheses: a
// chain of the same set operator reads best as a list, and operators of equal
// precedence bind from the left anyway.
func (e Expr) flatLeft() bool {
	return isSetOp(e.binary.op) && e.binary.left.operator() == e.binary.op
}

func isSetOp(op string) bool {
	word, _, _ := strings.Cut(op, " ")
	return word == "and" || word == "or" || word == "unless"
}

func inlineOperand(o operand, flat bool) string {
	if o.isBinary() && !flat {
		return "(" + o.inline() + ")"
	}
	return o.inline()
}

func (e Expr) multiline(indent string, budget int) string {
	one := e.inline()
	if e.binary == nil || len(indent)+len(one) <= budget {
		return one
	}
	if number, ok := e.binary.left.(Scalar); ok {
		return inlineOperand(number, false) + " " + e.binary.op + " " +
			multilineOperand(e.binary.right, false, indent, budget)
	}
	left := multilineOperand(e.binary.left, e.flatLeft(), indent, budget)
	if number, ok := e.binary.right.(Scalar); ok {
		return left + " " + e.binary.op + " " + inlineOperand(number, false)
	}
	return left + "\n" + indent + e.binary.op + "\n" + indent +
		multilineOperand(e.binary.right, false, indent, budget)
}

func multilineOperand(o operand, flat bool, indent string, budget int) string {
	if !o.isBinary() || flat {
		return o.multiline(indent, budget)
	}
	if one := "(" + o.inline() + ")"; len(indent)+len(one) <= budget {
		return one
	}
	inner := indent + "  "
	return "(\n" + inner + o.multiline(inner, budget) + "\n" + indent + ")"
}

// Scalar is a number in a query. The zero value is the number 0.
type Scalar struct {
	text    string
	product bool
}

// Number returns f as it is: NaN and the infinities included.
func Number(f float64) Scalar { return Scalar{text: formatFloat(f)} }

// Product returns a times b, left for Prometheus to multiply so that a reader
// sees both factors.
func Product(a, b float64) Scalar {
	return Scalar{text: formatFloat(a) + " * " + formatFloat(b), product: true}
}

// Chosen is the number that a dashboard variable holds. Only dashboards can use
// it.
func Chosen(v catalog.Variable) Scalar { return Scalar{text: "$" + string(v)} }

// RangeSeconds is the length in seconds of the time range that a dashboard
// shows. Only dashboards can use it.
func RangeSeconds() Scalar { return Scalar{text: "$__range_s"} }

func (s Scalar) inline() string {
	if s.text == "" {
		return "0"
	}
	return s.text
}

func (s Scalar) multiline(string, int) string { return s.inline() }
func (s Scalar) isBinary() bool               { return s.product }
func (s Scalar) operator() string             { return "" }

func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
