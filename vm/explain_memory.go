package vm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// memory draws the arena over time: a rectangle is a place in memory from the instruction that writes it to the last that reads
// it, results that took an operand's place included.
func (p *explainPage) memory(bytes, bound int) error {
	plan, err := p.e.program.plan(p.binding)
	if err != nil {
		return err
	}
	sizes, scratch, err := p.e.program.sizes(p.binding)
	if err != nil {
		return err
	}
	p.printf("<h2>Memory</h2>\n<p>The arena of a machine, %s", bytesOf(bytes))
	if len(p.binding) > 0 {
		p.printf(" for %s", sizesOf(p.binding))
	}
	p.printf(": instructions from left to right, bytes from the bottom up. The broken line is the least that any placement needs, %s.</p>\n", bytesOf(bound))
	lives := p.t.lives(sizes, scratch)
	if bytes == 0 || len(lives) == 0 {
		p.b.WriteString("<p>The program needs no memory of its own.</p>\n")
		return nil
	}
	if len(lives) > mostLives {
		p.printf("<p>There are %d places; only the %d largest are drawn.</p>\n", len(lives), mostLives)
		slices.SortStableFunc(lives, func(a, b life) int { return b.size - a.size })
		lives = lives[:mostLives]
	}
	const width, height, left, top = 1200.0, 420.0, 78.0, 14.0
	x := func(at int) float64 { return left + (width-left-10)*float64(at)/float64(len(p.t.instrs)+1) }
	y := func(at int) float64 { return top + height*(1-float64(at)/float64(max(bytes, bound))) }
	p.printf("<svg class=\"memory\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"memory over time\">\n", width, height+top+34)
	for _, l := range lives {
		at, kind, name, what := plan.scratch[l.first], "scratch", "scratch", "working memory of "
		if l.slot != noSlot {
			at, kind, name, what = plan.offsets[l.slot], instrNames[p.t.instrs[l.first].kind], fmt.Sprintf("s%d", l.slot), ""
		}
		end := min(l.last, len(p.t.instrs))
		in := &p.t.instrs[l.first]
		p.printf("<rect data-line=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"var(--%s)\" fill-opacity=\".75\"><title>%s: %s at %d, instructions %d to %d\n%s%s\n%s</title></rect>\n",
			in.node.Pos().String(), x(l.first), y(at+l.size), x(end+1)-x(l.first), y(at)-y(at+l.size), kind, name, bytesOf(l.size), at, l.first, end, what, p.t.operation(in), in.node.Pos().String())
	}
	for _, mark := range []struct {
		at    int
		class string
		text  string
	}{{bytes, "", bytesOf(bytes)}, {bound, "edge", "least"}, {0, "", "0"}} {
		p.printf("<line x1=\"%g\" x2=\"%g\" y1=\"%.2f\" y2=\"%.2f\" class=\"%s\" stroke=\"var(--soft)\"/>", left, width-10, y(mark.at), y(mark.at), mark.class)
		if mark.text != "least" || bound < bytes*9/10 {
			p.printf("<text x=\"%g\" y=\"%.2f\" text-anchor=\"end\">%s</text>\n", left-6, y(mark.at)+4, mark.text)
		}
	}
	for i := 0; i <= 8; i++ {
		at := i * len(p.t.instrs) / 8
		p.printf("<text x=\"%.2f\" y=\"%g\" text-anchor=\"middle\">%d</text>", x(at), height+top+18, at)
	}
	p.b.WriteString("\n</svg>\n<div class=\"legend\">")
	for _, kind := range []string{"affine", "elementwise", "rows", "eval", "scratch"} {
		p.printf("<span><span class=\"kind\" style=\"background:var(--%s)\"></span>%s</span>", kind, map[string]string{
			"affine": "products", "elementwise": "pointwise programs", "rows": "rows", "eval": "other operators", "scratch": "working memory"}[kind])
	}
	p.b.WriteString("</div>\n")
	return nil
}

const mostLives = 3000

// sizesOf prints a binding: "batch 32, time 10".
func sizesOf(b graph.Binding) string {
	var all []string
	for s, n := range b {
		all = append(all, fmt.Sprintf("%v %d", s, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
