package draw

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// page collects the parts of an SVG document. Points are given across and along the flow.
type page struct {
	strings.Builder
	*layout
	left, top float64
}

// svg writes the document: head with title, notes and legend, then each box with the lines that leave it.
func (l *layout) svg(title string) string {
	width, height := l.extent, l.depth
	if l.horizontal {
		width, height = height, width
	}
	width = max(width, 320)
	head := l.head(title, width)
	p := &page{layout: l, left: margin, top: margin + head.height}
	width, height = max(width, head.width)+2*margin, height+head.height+2*margin
	if used := l.extent; !l.horizontal {
		p.left = (width - used) / 2
	}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" class="tapir-graph" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-label="%s">`+"\n",
		number(width), number(height), escape("Computation graph. "+title))
	p.WriteString(style)
	fmt.Fprintf(p, `<rect class="page" width="%s" height="%s" rx="8"/>`+"\n", number(width), number(height))
	p.WriteString(head.svg)
	arrows := l.arrows()
	for i := range l.boxes {
		p.box(i, arrows)
	}
	p.WriteString("</svg>\n")
	return p.String()
}

// arrow is the end of a line: operand number k of box to, fed by vertex from in the layer before.
type arrow struct {
	to, operand int
	from        int
	x           float64 // where it meets the box, across
	numbered    bool
}

// arrows returns the arrows of the lines of each box. Where several meet a box they are spread in the order in which they come,
// so that they do not cross on the last few pixels; one that comes straight stays straight.
func (l *layout) arrows() [][]arrow {
	of := make([][]arrow, len(l.boxes))
	for i := range l.boxes {
		var in []arrow
		for k, x := range l.boxes[i].operands {
			if x.from >= 0 {
				in = append(in, arrow{to: i, operand: k, from: l.reach(x.from, l.vertices[i].layer-1)})
			}
		}
		sort.SliceStable(in, func(a, b int) bool { return l.vertices[in[a].from].x < l.vertices[in[b].from].x })
		v := l.vertices[i]
		middle := float64(len(in)-1) / 2
		for j, a := range in {
			if math.Abs(l.vertices[a.from].x-v.x) < 0.05 {
				middle = float64(j)
			}
		}
		spacing := min(26, (v.across/2-7)/max(1, middle, float64(len(in)-1)-middle))
		for j, a := range in {
			a.x = v.x + (float64(j)-middle)*spacing
			a.numbered = l.boxes[i].ordered && len(in) > 1 && spacing >= 10
			source := l.boxes[i].operands[a.operand].from
			of[source] = append(of[source], a)
		}
	}
	return of
}

// start and end are where a vertex is entered and left, along the flow. Boxes lie in the middle of their band.
func (l *layout) start(v int) float64 {
	layer := l.vertices[v].layer
	if l.isBend(v) {
		return l.bandStart[layer]
	}
	return (l.bandStart[layer] + l.bandEnd[layer] - l.vertices[v].along) / 2
}

func (l *layout) end(v int) float64 {
	if l.isBend(v) {
		return l.bandEnd[l.vertices[v].layer]
	}
	return l.start(v) + l.vertices[v].along
}

const arrowLength = 7.0

// box writes box i with its lines, in one element, so that the pointer over a box brings out where its value goes.
func (p *page) box(i int, arrows [][]arrow) {
	b, v := &p.boxes[i], p.vertices[i]
	class := "node " + b.class
	if b.asked {
		class += " asked"
	}
	fmt.Fprintf(p, `<g class="%s"><title>%s</title>`, class, escape(b.tooltip))
	var lines, heads, numbers strings.Builder
	at := i
	for _, bend := range p.trunk[i] {
		p.curve(&lines, at, bend, p.vertices[bend].x, p.bandStart[p.vertices[bend].layer])
		fmt.Fprintf(&lines, "L%s", p.point(p.vertices[bend].x, p.end(bend)))
		at = bend
	}
	for _, a := range arrows[i] {
		tip := p.start(a.to)
		p.curve(&lines, a.from, a.to, a.x, tip-arrowLength)
		fmt.Fprintf(&heads, "M%sL%sL%sZ", p.point(a.x, tip), p.point(a.x-3.5, tip-arrowLength), p.point(a.x+3.5, tip-arrowLength))
		if a.numbered {
			across, along := a.x+7, tip-3
			if p.horizontal {
				across, along = a.x-3, tip-arrowLength-6
			}
			x, y := p.at(across, along)
			fmt.Fprintf(&numbers, `<text class="number" x="%s" y="%s">%d</text>`, number(x), number(y), a.operand)
		}
	}
	if lines.Len() > 0 {
		fmt.Fprintf(p, `<path class="line" d="%s"/><path class="head" d="%s"/>%s`, lines.String(), heads.String(), numbers.String())
	}

	x, y := p.at(v.x, p.start(i)+v.along/2)
	left, top := x-v.width/2, y-v.height/2
	if b.stacked {
		fmt.Fprintf(p, `<rect class="box" x="%s" y="%s" width="%s" height="%s" rx="6"/>`, number(left+3), number(top+3), number(v.width), number(v.height))
	}
	corner := 6.0
	if b.class == "input" || b.class == "param" || b.class == "variable" || b.class == "constant" {
		corner = v.height / 2
	}
	fmt.Fprintf(p, `<rect class="box" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`, number(left), number(top), number(v.width), number(v.height), number(corner))
	y = top + 6 + lineHeight - 3.5
	fmt.Fprintf(p, `<text x="%s" y="%s"><tspan class="name">%s</tspan>`, number(x), number(y), escape(b.name))
	if b.arguments != "" {
		fmt.Fprintf(p, ` %s`, escape(b.arguments))
	}
	p.WriteString("</text>")
	for _, line := range b.details {
		y += lineHeight
		fmt.Fprintf(p, `<text class="detail" x="%s" y="%s">%s</text>`, number(x), number(y), escape(line))
	}
	p.WriteString("</g>\n")
}

// curve writes a line from vertex v to a point before vertex w, in the next layer. It leaves and arrives in the direction of
// flow, and bends only between the layers' bands, where there is nothing else.
func (p *page) curve(b *strings.Builder, v, w int, x, along float64) {
	from := p.vertices[v]
	out, in := p.bandEnd[from.layer], p.bandStart[p.vertices[w].layer]
	fmt.Fprintf(b, "M%s", p.point(from.x, p.end(v)))
	if out > p.end(v) {
		fmt.Fprintf(b, "L%s", p.point(from.x, out))
	}
	in = min(in, along)
	if from.x == x {
		fmt.Fprintf(b, "L%s", p.point(x, along))
		return
	}
	middle := (out + in) / 2
	fmt.Fprintf(b, "C%s %s %s", p.point(from.x, middle), p.point(x, middle), p.point(x, in))
	if along > in {
		fmt.Fprintf(b, "L%s", p.point(x, along))
	}
}

// at turns across and along into x and y.
func (p *page) at(across, along float64) (x, y float64) {
	if p.horizontal {
		across, along = along, across
	}
	return p.left + across, p.top + along
}

func (p *page) point(across, along float64) string {
	x, y := p.at(across, along)
	return number(x) + "," + number(y)
}
