package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Chart is a line chart, as SVG. A notebook shows it as a picture. (PNG files are made by nn/train/plot.)
type Chart struct {
	Title, X string // above it, and below the axis
	Lines    []Line
}

// Line is a curve of a chart. Values that are not finite, or beyond ±10³⁰⁰, leave a gap.
type Line struct {
	Name string
	X, Y []float64
}

// Charts returns a chart for each measure, of training and validation.
func (h *History) Charts() []*Chart {
	var all []*Chart
	epochs := make([]float64, len(h.Epochs))
	for i, e := range h.Epochs {
		epochs[i] = float64(e.Epoch)
	}
	for _, name := range h.Names {
		c := &Chart{Title: name, X: "epoch", Lines: []Line{{"training", epochs, h.Curve(name, false)}}}
		if h.validated() {
			c.Lines = append(c.Lines, Line{"validation", epochs, h.Curve(name, true)})
		}
		all = append(all, c)
	}
	return all
}

// SVG is the history as curves, two charts in a row.
func (h *History) SVG() string { return drawCharts(h.Charts()) }

// SimpleRender is how notebooks show the history.
func (h *History) SimpleRender() map[string]interface{} {
	return map[string]interface{}{"image/svg+xml": h.SVG(), "text/plain": h.String()}
}

// SVG returns the chart as a complete SVG document.
func (c *Chart) SVG() string { return drawCharts([]*Chart{c}) }

// String says what is in the chart.
func (c *Chart) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s:", c.Title, c.X)
	for _, l := range c.Lines {
		fmt.Fprintf(&b, " %s, %d points;", l.Name, len(l.Y))
	}
	return strings.TrimRight(b.String(), ";:")
}

// SimpleRender is how notebooks show the chart.
func (c *Chart) SimpleRender() map[string]interface{} {
	return map[string]interface{}{"image/svg+xml": c.SVG(), "text/plain": c.String()}
}

// chartStyle has the colours for light and dark pages; those of the lines the colour-blind tell apart too (Okabe and Ito).
const chartStyle = `<style>
.tapir-chart{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.tapir-chart text{font-size:12px;fill:#475569}
.tapir-chart .middle{text-anchor:middle}
.tapir-chart .end{text-anchor:end}
.tapir-chart text.title{font-weight:600;fill:#0f172a}
.tapir-chart text.light{fill:#fff}
.tapir-chart .page{fill:#fff}
.tapir-chart .grid{stroke:#e2e8f0}
.tapir-chart .axis{stroke:#94a3b8}
.tapir-chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.tapir-chart .cell{fill:none;stroke:#e2e8f0}
.tapir-chart .right{fill:#0072b2}
.tapir-chart .wrong{fill:#d55e00}
.tapir-chart .l0{stroke:#0072b2}
.tapir-chart .l1{stroke:#d55e00}
.tapir-chart .l2{stroke:#009e73}
.tapir-chart .l3{stroke:#cc79a7}
@media (prefers-color-scheme:dark){
.tapir-chart text{fill:#b6c2d2}
.tapir-chart text.title{fill:#f1f5f9}
.tapir-chart .page{fill:#0f172a}
.tapir-chart .grid,.tapir-chart .cell{stroke:#293548}
.tapir-chart .axis{stroke:#64748b}
.tapir-chart .l0{stroke:#56b4e9}
.tapir-chart .l1{stroke:#e69f00}
}
</style>
`

// A panel's size and the borders around its plotting area, in pixels.
const (
	panelWidth, panelHeight                         = 420, 280
	borderLeft, borderRight, borderTop, borderBelow = 58, 16, 38, 46
)

func drawCharts(charts []*Chart) string {
	columns := min(max(len(charts), 1), 2)
	rows := max((len(charts)+1)/2, 1)
	var b strings.Builder
	title := "Chart"
	if len(charts) > 0 {
		title = charts[0].Title
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="tapir-chart" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%s">`+"\n%s", columns*panelWidth, rows*panelHeight, escape(title), chartStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="8"/>`+"\n", columns*panelWidth, rows*panelHeight)
	for i, c := range charts {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", i%2*panelWidth, i/2*panelHeight)
		c.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// axis maps a range of values to pixels.
type axis struct{ low, high, from, to float64 }

func (a axis) at(v float64) float64 { return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from) }

// drawable keeps away what overflows when ranges are computed.
func drawable(v float64) bool { return math.Abs(v) <= 1e300 }

// rangeOf is the range of what is drawable; 0 to 1 if nothing is, and never empty.
func rangeOf(lines []Line, of func(Line) []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, v := range of(l) {
			if drawable(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	switch {
	case low > high:
		return 0, 1
	case high-low <= 1e-9*max(math.Abs(low), math.Abs(high)):
		d := max(math.Abs(low)/10, 0.5)
		return low - d, high + d
	}
	return low, high
}

// ticks are at most n round numbers from low to high, and how many digits they need.
func ticks(low, high float64, n int) (at []float64, digits int) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, factor := range []float64{1, 2, 5, 10, 20} {
		if at = at[:0]; math.Floor(high/(factor*step))-math.Ceil(low/(factor*step)) < float64(n) {
			step *= factor
			break
		}
	}
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step && len(at) < n+2; k++ {
		at = append(at, k*step+0) // no −0
	}
	return at, max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
}

func tickText(v float64, digits int) string {
	if a := math.Abs(v); digits > 6 || a >= 1e6 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func (c *Chart) draw(b *strings.Builder) {
	xLow, xHigh := rangeOf(c.Lines, func(l Line) []float64 { return l.X })
	yLow, yHigh := rangeOf(c.Lines, func(l Line) []float64 { return l.Y })
	if yLow > 0 && yLow < yHigh/2 {
		yLow = 0
	}
	yHigh += (yHigh - yLow) / 20
	x := axis{xLow, xHigh, borderLeft, panelWidth - borderRight}
	y := axis{yLow, yHigh, panelHeight - borderBelow, borderTop}
	fmt.Fprintf(b, `<text class="title" x="%d" y="22">%s</text><text class="middle" x="%d" y="%d">%s</text>`+"\n",
		borderLeft, escape(c.Title), (borderLeft+panelWidth-borderRight)/2, panelHeight-10, escape(c.X))
	at, digits := ticks(yLow, yHigh, 6)
	for _, v := range at {
		fmt.Fprintf(b, `<path class="grid" d="M%d,%.1fH%d"/><text class="end" x="%d" y="%.1f">%s</text>`, borderLeft, y.at(v), panelWidth-borderRight, borderLeft-8, y.at(v)+4, tickText(v, digits))
	}
	at, digits = ticks(xLow, xHigh, 7)
	for _, v := range at {
		fmt.Fprintf(b, `<path class="grid" d="M%.1f,%dV%d"/><text class="middle" x="%.1f" y="%d">%s</text>`, x.at(v), borderTop, panelHeight-borderBelow, x.at(v), panelHeight-borderBelow+18, tickText(v, digits))
	}
	fmt.Fprintf(b, `<path class="axis" d="M%d,%dH%d"/>`+"\n", borderLeft, panelHeight-borderBelow, panelWidth-borderRight)
	right := panelWidth - borderRight
	for i := len(c.Lines) - 1; i >= 0; i-- { // the first lies on top
		l, class := c.Lines[i], i%4
		fmt.Fprintf(b, `<path class="line l%d" d="`, class)
		pen := "M"
		for j, v := range l.Y {
			if j >= len(l.X) || !drawable(v) || !drawable(l.X[j]) {
				pen = "M"
				continue
			}
			fmt.Fprintf(b, "%s%.1f,%.1f", pen, x.at(l.X[j]), y.at(v))
			if pen == "M" {
				b.WriteString("h0") // so that a point by itself is seen
			}
			pen = "L"
		}
		b.WriteString(`"/>`)
		fmt.Fprintf(b, `<text class="end" x="%d" y="22">%s</text>`, right, escape(l.Name))
		right -= 13*len([]rune(l.Name))/2 + 8 // about 6.5 pixels a letter
		fmt.Fprintf(b, `<path class="line l%d" d="M%d,18H%d"/>`+"\n", class, right-12, right)
		right -= 26
	}
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escape(text string) string { return escaper.Replace(text) }
