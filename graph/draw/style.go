package draw

import (
	"fmt"
	"strings"
)

// style is the style sheet. Colours are written out for light pages and again for dark ones, because not every renderer knows
// variables; everything lies under one class, because a notebook puts the document into its own page.
const style = `<style>
.tapir-graph{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.tapir-graph text{font-size:12px;text-anchor:middle;fill:#475569;stroke:none}
.tapir-graph .name{font-weight:600;fill:#0f172a}
.tapir-graph text.detail{font-size:10.5px;fill:#64748b}
.tapir-graph text.number{font-size:8.5px;fill:#7d8da3;stroke:#fff;stroke-width:2.5px;paint-order:stroke}
.tapir-graph text.head{text-anchor:start}
.tapir-graph text.error{fill:#b91c1c}
.tapir-graph .page{fill:#fff}
.tapir-graph .box{fill:#fff;stroke:#94a3b8;stroke-width:1.1}
.tapir-graph .line{fill:none;stroke:#a3b1c2;stroke-width:1.3}
.tapir-graph path.head{fill:#8494a8;stroke:none}
.tapir-graph .op .box,.tapir-graph .layer .box{fill:#f8fafc}
.tapir-graph .input .box{fill:#dbeafe;stroke:#3b82f6}
.tapir-graph .param .box{fill:#fef3c7;stroke:#d97706}
.tapir-graph .variable .box{fill:#fce7f3;stroke:#db2777}
.tapir-graph .constant .box{fill:#e5e7eb;stroke:#6b7280}
.tapir-graph .gradient .box{fill:#dcfce7;stroke:#22a355}
.tapir-graph .invalid .box{fill:#fee2e2;stroke:#dc2626;stroke-dasharray:4 3}
.tapir-graph .asked .box{stroke:#0f172a;stroke-width:2.4}
.tapir-graph .node:hover .line{stroke:#2563eb;stroke-width:2}
.tapir-graph .node:hover path.head{fill:#2563eb}
@media (prefers-color-scheme:dark){
.tapir-graph text{fill:#b6c2d2}
.tapir-graph .name{fill:#f1f5f9}
.tapir-graph text.detail{fill:#a3b1c2}
.tapir-graph text.number{fill:#8b9bb0;stroke:#0f172a}
.tapir-graph text.error{fill:#fca5a5}
.tapir-graph .page{fill:#0f172a}
.tapir-graph .box{fill:#1e293b;stroke:#64748b}
.tapir-graph .line{stroke:#5b6b82}
.tapir-graph path.head{fill:#7d8da3}
.tapir-graph .op .box,.tapir-graph .layer .box{fill:#1e293b}
.tapir-graph .input .box{fill:#1e3a6e;stroke:#60a5fa}
.tapir-graph .param .box{fill:#573a0c;stroke:#f59e0b}
.tapir-graph .variable .box{fill:#5c1d40;stroke:#f472b6}
.tapir-graph .constant .box{fill:#374151;stroke:#9ca3af}
.tapir-graph .gradient .box{fill:#14492a;stroke:#4ade80}
.tapir-graph .invalid .box{fill:#5c1717;stroke:#f87171}
.tapir-graph .asked .box{stroke:#f8fafc}
.tapir-graph .node:hover .line{stroke:#93c5fd}
.tapir-graph .node:hover path.head{fill:#93c5fd}
}
</style>
`

// kinds are the entries of the legend, in order.
var kinds = []struct{ class, text string }{
	{"input", "input"}, {"param", "parameter"}, {"variable", "variable"}, {"constant", "constant"},
	{"op", "operator"}, {"layer", "layer"}, {"gradient", "gradient"}, {"stacked", "several nodes"}, {"invalid", "invalid"}, {"asked", "result"},
}

// head is what stands above the graph.
type head struct {
	svg           string
	width, height float64
}

func (l *layout) head(title string, width float64) head {
	var b strings.Builder
	h := head{}
	line := func(class, text string) {
		h.height += 17
		h.width = max(h.width, textWidth(text, nameSize, class == "head name"))
		fmt.Fprintf(&b, `<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, number(margin), number(margin+h.height-5), escape(text))
	}
	if title != "" {
		line("head name", title)
	}
	for _, n := range l.notes {
		class := "head"
		if n.isError {
			class = "head error"
		}
		for _, text := range wrap(n.text, nameSize, max(width, 480)) {
			line(class, text)
		}
	}
	present := map[string]bool{}
	for i := range l.boxes {
		present[l.boxes[i].class] = true
		present["asked"] = present["asked"] || l.boxes[i].asked
		present["stacked"] = present["stacked"] || l.boxes[i].stacked
	}
	x, y := 0.0, h.height+13
	for _, kind := range kinds {
		if !present[kind.class] {
			continue
		}
		entry := 18 + textWidth(kind.text, detailSize, false) + 14
		if x > 0 && x+entry > max(width, h.width) {
			x, y = 0, y+17
		}
		rect := `<rect class="box" x="%s" y="%s" width="13" height="9" rx="3"/>`
		swatch := fmt.Sprintf(rect, number(margin+x), number(margin+y-8.5))
		if kind.class == "stacked" {
			swatch = fmt.Sprintf(rect, number(margin+x+2), number(margin+y-6.5)) + swatch
		}
		fmt.Fprintf(&b, `<g class="%s">%s<text class="head detail" x="%s" y="%s">%s</text></g>`+"\n",
			kind.class, swatch, number(margin+x+18), number(margin+y), kind.text)
		x += entry
		h.width, h.height = max(h.width, x), y+4
	}
	if len(l.boxes) > 0 {
		h.height += 14
	}
	h.svg = b.String()
	return h
}
