package bench

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/cacheu/plumbline/agent/catalog"
	"github.com/cacheu/plumbline/sampleapp/internal/stats"
)

// Sizes of the drawings, in the units of their own coordinates.
const (
	svgWidth, svgHeight = 760.0, 300.0
	padLeft, padRight   = 64.0, 28.0
	padTop, padBottom   = 16.0, 44.0
)

// colors of the variants: distinguishable with any kind of colour vision. The
// page's style sheet gives them their values for light and dark.
func color(i int) string { return fmt.Sprintf("var(--v%d)", i%4) }

// frame is a drawing area with a horizontal and a vertical scale from 0 to 1.
type frame struct {
	b strings.Builder
}

func newFrame(label string) *frame {
	f := &frame{}
	fmt.Fprintf(&f.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, svgWidth, svgHeight, html.EscapeString(label))
	return f
}

func (f *frame) x(share float64) float64 { return padLeft + share*(svgWidth-padLeft-padRight) }
func (f *frame) y(share float64) float64 {
	return svgHeight - padBottom - share*(svgHeight-padTop-padBottom)
}

func (f *frame) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&f.b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

func (f *frame) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&f.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

func (f *frame) end() string { return f.b.String() + "</svg>" }

// logScale maps latencies to 0..1 on a logarithmic axis whose ends are round.
type logScale struct{ low, high float64 }

func newLogScale(low, high float64) logScale {
	low, high = math.Max(low, 1e-6), math.Max(high, 2e-6)
	return logScale{math.Log10(low) - 0.03, math.Log10(high) + 0.03}
}

func (s logScale) at(v float64) float64 {
	return math.Min(1, math.Max(0, (math.Log10(math.Max(v, 1e-6))-s.low)/(s.high-s.low)))
}

// ticks are the values 1, 2 and 5 times a power of ten within the scale; only
// powers of ten where there would be too many.
func (s logScale) ticks() []float64 {
	steps := []float64{1, 2, 5}
	if s.high-s.low > 2.5 {
		steps = []float64{1}
	}
	var all []float64
	for e := math.Floor(s.low); e <= s.high; e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); math.Log10(v) >= s.low && math.Log10(v) <= s.high {
				all = append(all, v)
			}
		}
	}
	return all
}

// spanOf returns the smallest and the largest latency of all variants.
func (r *Result) spanOf() (low, high float64, ok bool) {
	low = math.Inf(1)
	for _, v := range r.Variants {
		for _, round := range v.Samples() {
			for _, s := range round {
				low, high = math.Min(low, s), math.Max(high, s)
			}
		}
	}
	return low, high, high > 0
}

// distribution draws how many requests took how long: latency to the right on
// a logarithmic axis, the share of requests upwards.
func (r *Result) distribution() string {
	low, high, ok := r.spanOf()
	if !ok {
		return ""
	}
	const bins = 80
	scale := newLogScale(low, high)
	counts, most := make([][bins]float64, len(r.Variants)), 0.0
	for i, v := range r.Variants {
		for _, round := range v.Samples() {
			for _, s := range round {
				counts[i][min(bins-1, int(scale.at(s)*bins))] += 1 / float64(max(1, v.Corrected.N))
			}
		}
		for _, c := range counts[i] {
			most = math.Max(most, c)
		}
	}
	f := newFrame("Distribution of latencies")
	for _, tick := range scale.ticks() {
		x := f.x(scale.at(tick))
		f.line(x, f.y(0), x, f.y(1), "grid")
		f.text(x, f.y(0)+16, "middle", "tick", duration(tick))
	}
	for i := range r.Variants {
		var path strings.Builder
		fmt.Fprintf(&path, "M%.1f %.1f", f.x(0), f.y(0))
		for b, c := range counts[i] {
			// The square root keeps one request in a hundred visible.
			y := f.y(math.Sqrt(c / most))
			fmt.Fprintf(&path, "L%.1f %.1fL%.1f %.1f", f.x(float64(b)/bins), y, f.x(float64(b+1)/bins), y)
		}
		fmt.Fprintf(&path, "L%.1f %.1fZ", f.x(1), f.y(0))
		fmt.Fprintf(&f.b, `<path d="%s" fill="%s" fill-opacity="0.25" stroke="%s" stroke-width="1.5"/>`, path.String(), color(i), color(i))
	}
	for i, v := range r.Variants { // marks on top of all areas
		for j, mark := range []struct {
			name  string
			value float64
		}{{"P50", v.Corrected.P50.Value}, {"P99", v.Corrected.P99.Value}} {
			x := f.x(scale.at(mark.value))
			fmt.Fprintf(&f.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="1.5" stroke-dasharray="4 3"/>`, x, f.y(0), x, f.y(1), color(i))
			anchor, dx := "start", 4.0
			if x > svgWidth-110 {
				anchor, dx = "end", -4.0
			}
			fmt.Fprintf(&f.b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="mark" fill="%s">%s %s</text>`,
				x+dx, padTop+10+13*float64(2*i+j), anchor, color(i), mark.name, duration(mark.value))
		}
	}
	f.line(f.x(0), f.y(0), f.x(1), f.y(0), "axis")
	f.text(f.x(0)-8, f.y(1)+4, "end", "tick", "more")
	f.text(f.x(0)-8, f.y(0), "end", "tick", "none")
	f.text(f.x(0.5), svgHeight-8, "middle", "label", "latency, logarithmic; height: square root of the share of requests")
	return f.end()
}

// percentiles draws the latency at each percentile: the further right, the
// rarer.
func (r *Result) percentiles() string {
	low, high, ok := r.spanOf()
	if !ok {
		return ""
	}
	scale := newLogScale(low, high)
	f := newFrame("Latency by percentile")
	for _, tick := range scale.ticks() {
		y := f.y(scale.at(tick))
		f.line(f.x(0), y, f.x(1), y, "grid")
		f.text(f.x(0)-8, y+4, "end", "tick", duration(tick))
	}
	// 0 at P0, 1 at P99.9: distance by powers of ten of what is left.
	place := func(q float64) float64 { return math.Min(1, -math.Log10(1-q)/3) }
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
		x := f.x(place(q))
		f.line(x, f.y(0), x, f.y(1), "grid")
		f.text(x, f.y(0)+16, "middle", "tick", fmt.Sprintf("P%g", 100*q))
	}
	for i, v := range r.Variants {
		var all []float64
		for _, round := range v.Samples() {
			all = append(all, round...)
		}
		if len(all) == 0 {
			continue
		}
		sortFloats(all)
		var points []string
		for k := 0; k <= 200; k++ {
			q := 1 - math.Pow(10, -3*float64(k)/200)
			points = append(points, fmt.Sprintf("%.1f,%.1f", f.x(place(q)), f.y(scale.at(stats.Quantile(all, q)))))
		}
		fmt.Fprintf(&f.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), color(i))
	}
	f.line(f.x(0), f.y(0), f.x(1), f.y(0), "axis")
	f.text(f.x(0.5), svgHeight-8, "middle", "label", "percentile; each step to the right is rarer by a factor of ten")
	return f.end()
}

// roundsPlot draws the P99 of each round, so that a single bad round is seen as
// one.
func (r *Result) roundsPlot() string {
	low, high := math.Inf(1), 0.0
	for _, v := range r.Variants {
		for _, round := range v.Rounds {
			if round.P99 > 0 {
				low, high = math.Min(low, round.P99), math.Max(high, round.P99)
			}
		}
	}
	if high == 0 {
		return ""
	}
	scale := newLogScale(low, high)
	f := newFrame("P99 of each round")
	for _, tick := range scale.ticks() {
		y := f.y(scale.at(tick))
		f.line(f.x(0), y, f.x(1), y, "grid")
		f.text(f.x(0)-8, y+4, "end", "tick", duration(tick))
	}
	for i, v := range r.Variants {
		for n, round := range v.Rounds {
			if round.P99 > 0 {
				x := f.x((float64(n) + 0.5 + 0.12*(float64(i)-float64(len(r.Variants)-1)/2)) / float64(len(v.Rounds)))
				fmt.Fprintf(&f.b, `<circle cx="%.1f" cy="%.1f" r="5" fill="%s"><title>%s, round %d: %s</title></circle>`,
					x, f.y(scale.at(round.P99)), color(i), html.EscapeString(v.Name), n+1, duration(round.P99))
			}
		}
	}
	for n := range r.Load.Rounds {
		f.text(f.x((float64(n)+0.5)/float64(r.Load.Rounds)), f.y(0)+16, "middle", "tick", fmt.Sprintf("round %d", n+1))
	}
	f.line(f.x(0), f.y(0), f.x(1), f.y(0), "axis")
	return f.end()
}

// componentBars draws where the time of a request goes at the server.
func (r *Result) componentBars() string {
	most := 0.0
	for _, v := range r.Variants {
		if v.Server != nil {
			sum := 0.0
			for _, s := range v.Server.Components {
				sum += s
			}
			most = math.Max(most, sum)
		}
	}
	if most == 0 {
		return ""
	}
	f := newFrame("Time by component")
	height := (svgHeight - padTop - padBottom) / float64(len(r.Variants))
	for i, v := range r.Variants {
		if v.Server == nil {
			continue
		}
		top, x := padTop+float64(i)*height, f.x(0)
		f.text(x-8, top+height/2, "end", "label", v.Name)
		for k, c := range catalog.Components() {
			seconds := v.Server.Components[string(c)]
			width := seconds / most * (svgWidth - padLeft - padRight)
			if width < 0.5 {
				continue
			}
			fmt.Fprintf(&f.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="var(--c%d)"><title>%s: %s</title></rect>`,
				x, top+height*0.15, width, height*0.6, k, c, duration(seconds))
			if width > 70 {
				f.text(x+width/2, top+height/2, "middle", "bar", fmt.Sprintf("%s %s", c, duration(seconds)))
			}
			x += width
		}
	}
	f.text(f.x(0.5), svgHeight-8, "middle", "label", fmt.Sprintf("mean time per request; the full width is %s", duration(most)))
	return f.end()
}
