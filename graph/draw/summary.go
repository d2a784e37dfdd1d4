package draw

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// group is a run of nodes that share a box of a summary.
type group struct {
	nodes []*graph.Node
	line  string // the user's line of the first
	mixed bool   // other lines too
}

// summary draws a graph that is too large to be read node by node: runs of neighbouring nodes from one line of the user's
// program become one box.
//
//	%10 matmul  model.go:7             ┌─────────────────┐
//	%11 add     model.go:7      →      │ model.go:7      │
//	%12 relu    model.go:7             │ matmul add relu │
//	                                   └─────────────────┘
//
// Operands come before their consumers, so runs cannot depend on each other in a circle. Parameters, variables and constants
// join their first consumer; inputs stay boxes of their own, unless there are too many.
func (c *content) summary(limit int) *diagram {
	first := map[*graph.Node]*graph.Node{} // consumer of each leaf
	inputs := 0
	for _, n := range c.nodes {
		for _, x := range n.Inputs() {
			if x != nil && len(x.Inputs()) == 0 && first[x] == nil {
				first[x] = n
			}
		}
		if n.Kind() == graph.Input {
			inputs++
		}
	}
	isAlone := func(n *graph.Node) bool { return n.Kind() == graph.Input && inputs <= limit/4 }
	joins := func(n *graph.Node) bool { return first[n] != nil && n.Kind() != graph.Op && !isAlone(n) }

	var alone, runs []*group
	most := max(8, 4*len(c.nodes)/limit) // nodes in a box, so that a loop on a single line is not a single box
	for _, n := range c.nodes {
		if c.isWritten(n) {
			continue
		}
		switch line := sourceLine(n); {
		case isAlone(n):
			alone = append(alone, &group{nodes: []*graph.Node{n}, line: line})
		case joins(n):
		case len(runs) > 0 && runs[len(runs)-1].line == line && len(runs[len(runs)-1].nodes) < most:
			last := runs[len(runs)-1]
			last.nodes = append(last.nodes, n)
		default:
			runs = append(runs, &group{nodes: []*graph.Node{n}, line: line})
		}
	}
	for most := most; len(alone)+len(runs) > limit && len(runs) > 1; most *= 2 {
		runs = fuse(runs, most)
	}

	d := &diagram{notes: append([]note(nil), c.notes...)}
	index := make(map[*graph.Node]int, len(c.nodes))
	groups := append(alone, runs...)
	for i, g := range groups {
		for _, n := range g.nodes {
			index[n] = i
		}
	}
	for _, n := range c.nodes {
		if joins(n) && !c.isWritten(n) {
			i := index[first[n]]
			index[n] = i
			groups[i].nodes = append(groups[i].nodes, n)
		}
	}
	for i, g := range groups {
		d.boxes = append(d.boxes, c.groupBox(i, g, index))
	}
	d.notes = append(d.notes, note{fmt.Sprintf("Drawn in summary: %d boxes, each with neighbouring nodes from a line of the program. "+
		"Options.MaxNodes above %d draws every node.", len(groups), len(c.nodes)), false})
	return d
}

// fuse joins neighbouring runs while they have at most that many nodes.
func fuse(runs []*group, most int) []*group {
	var fused []*group
	for _, g := range runs {
		if len(fused) > 0 && len(fused[len(fused)-1].nodes)+len(g.nodes) <= most {
			last := fused[len(fused)-1]
			last.nodes = append(last.nodes, g.nodes...)
			last.mixed = last.mixed || last.line != g.line
			continue
		}
		fused = append(fused, g)
	}
	return fused
}

func sourceLine(n *graph.Node) string {
	if line := forwardLine(n); line != "" {
		return gradientOf + line
	}
	return n.Pos().String()
}

const gradientOf = "gradient of "

// class is that of all operators in the group; if they differ "op", but a mistake shows.
func (g *group) class() string {
	common := class(g.nodes[0]) // a group begins with an operator, unless it has none
	for _, n := range g.nodes {
		switch of := class(n); {
		case of == "invalid":
			return of
		case n.Kind() == graph.Op && of != common:
			common = "op"
		}
	}
	return common
}

// groupBox is the box of a group; index says in which box a node is.
func (c *content) groupBox(at int, g *group, index map[*graph.Node]int) box {
	if len(g.nodes) == 1 {
		return c.box(g.nodes[0], index)
	}
	b := box{class: g.class(), stacked: true, id: fmt.Sprintf("#%d", at)}
	b.name = strings.Replace(g.line, gradientOf, "∂ ", 1)
	if g.mixed {
		b.name += " …"
	}
	var operators, leaves tally
	from := map[int]bool{}
	for _, n := range g.nodes {
		b.asked = b.asked || c.asked[n]
		if n.Kind() == graph.Op {
			operators.add(operatorName(n))
		} else {
			leaves.add(n.Kind().String())
		}
		for _, x := range n.Inputs() {
			if i, ok := index[x]; ok && i != at && !from[i] {
				from[i] = true
				b.operands = append(b.operands, operand{from: i})
			}
		}
	}
	b.tooltip = g.line + "\n" + count(len(g.nodes), "node")
	for _, t := range []tally{operators, leaves} {
		if len(t.names) > 0 {
			b.details = append(b.details, t.text(3))
			b.tooltip += "\n" + t.text(40)
		}
	}
	b.name += " · " + count(len(g.nodes), "node")
	last := g.nodes[0]
	for _, n := range g.nodes {
		if n.Kind() == graph.Op {
			last = n
		}
	}
	b.tooltip += fmt.Sprintf("\nfrom %s to %s : %s", idText(g.nodes[0]), last.Expr(), typeText(last))
	return b
}

// tally counts names.
type tally struct {
	names []string // in order of appearance
	times map[string]int
}

func (t *tally) add(name string) {
	if t.times == nil {
		t.times = map[string]int{}
	}
	if t.times[name] == 0 {
		t.names = append(t.names, name)
	}
	t.times[name]++
}

// text lists the most frequent names: "matmul ×3, add ×3, relu, 4 more".
func (t *tally) text(most int) string {
	names := append([]string(nil), t.names...)
	sort.SliceStable(names, func(i, j int) bool { return t.times[names[i]] > t.times[names[j]] })
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		if n := t.times[name]; n > 1 {
			name += fmt.Sprintf(" ×%d", n)
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, ", ")
}
