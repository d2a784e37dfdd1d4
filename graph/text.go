package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/internal/columns"
)

// String lists the graph, one node a line: id, expression, type, the user's line.
func (g *Graph) String() string {
	var b strings.Builder
	for _, n := range g.Nodes() {
		fmt.Fprintf(&b, "%s : %v\t%v\n", n.definition(), n.typ, n.pos)
	}
	for _, a := range g.Assigned() {
		fmt.Fprintf(&b, "%s := %%%d\n", a.Target.name, a.Value.id)
	}
	return columns.Align(b.String())
}

// definition prints the node with its operands' ids: "%7 = matmul(%3, %5)".
func (n *Node) definition() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%%%d = ", n.id)
	switch n.kind {
	case Op:
		b.WriteString(n.def.Name)
		b.WriteByte('(')
		for i, x := range n.in {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%%%d", x.id)
		}
		b.WriteByte(')')
		if attr := formatAttr(n.attr); attr != "" {
			fmt.Fprintf(&b, " {%s}", attr)
		}
		if n.name != "" {
			fmt.Fprintf(&b, " %q", n.name)
		}
	case Constant:
		b.WriteString("constant " + formatConstant(n.value))
	default:
		fmt.Fprintf(&b, "%s %q", n.kind, n.name)
		if n.kind != Input && n.init.Name != "" {
			fmt.Fprintf(&b, " {init=%s}", n.init.Name)
		}
	}
	return b.String()
}

// AttrString prints the node's attributes as listings do: "axes=[1] keepdims".
func (n *Node) AttrString() string {
	if n == nil || n.def == nil {
		return ""
	}
	return formatAttr(n.attr)
}

func formatConstant(a Array) string {
	if len(a.Shape) == 0 {
		return formatScalar(a)
	}
	parts := make([]string, 0, 5)
	for i := 0; i < a.Len() && i < 4; i++ {
		parts = append(parts, formatElement(a, i))
	}
	if a.Len() > 4 {
		parts = append(parts, "…")
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func formatScalar(a Array) string { return formatElement(a, 0) }

func formatElement(a Array, i int) string {
	switch a.DType {
	case Bool:
		return strconv.FormatBool(a.Bool()[i])
	case Int32:
		return strconv.FormatInt(int64(a.I32()[i]), 10)
	case Int64:
		return strconv.FormatInt(a.I64()[i], 10)
	case Float32:
		return strconv.FormatFloat(a.At(i), 'g', -1, 32)
	}
	return formatFloat(a.At(i))
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Reachable returns the nodes that the given ones need, themselves included, in topological order. Invalid nodes are left out.
func Reachable(nodes ...*Node) []*Node {
	var g *Graph
	top := -1
	for _, n := range nodes {
		if n != nil && n.err == nil {
			g, top = n.graph, max(top, int(n.id))
		}
	}
	needed := make([]bool, top+1)
	for _, n := range nodes {
		if n != nil && n.err == nil && n.graph == g {
			needed[n.id] = true
		}
	}
	count := 0
	for id := top; id >= 0; id-- {
		if needed[id] {
			count++
			for _, x := range g.nodes[id].in {
				needed[x.id] = true
			}
		}
	}
	list := make([]*Node, 0, count)
	for id, need := range needed {
		if need {
			list = append(list, g.nodes[id])
		}
	}
	return list
}

// DOT prints the expressions of the given nodes, or the whole graph if none are given, in the language of Graphviz.
func (g *Graph) DOT(roots ...*Node) string {
	nodes := g.Nodes()
	if len(roots) > 0 {
		nodes = Reachable(roots...)
	}
	var b strings.Builder
	b.WriteString("digraph tapir {\n\trankdir=LR;\n\tnode [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=white];\n")
	fill := map[Kind]string{Input: "#dbeafe", Param: "#fef3c7", Variable: "#fce7f3", Constant: "#f3f4f6"}
	for _, n := range nodes {
		color := ""
		if c := fill[n.kind]; c != "" {
			color = fmt.Sprintf(", fillcolor=%q", c)
		}
		fmt.Fprintf(&b, "\tn%d [label=%s%s];\n", n.id, strconv.Quote(n.Label()+"\n"+n.typ.String()), color)
		for i, x := range n.in {
			if len(n.in) > 1 {
				fmt.Fprintf(&b, "\tn%d -> n%d [label=\"%d\"];\n", x.id, n.id, i)
			} else {
				fmt.Fprintf(&b, "\tn%d -> n%d;\n", x.id, n.id)
			}
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// Label is a short title for pictures: a leaf's name, a constant's value, an operator with its attributes.
func (n *Node) Label() string {
	switch {
	case n == nil:
		return "nil"
	case n.kind == Constant && n.err == nil:
		return formatConstant(n.value)
	case n.def == nil:
		return n.name
	case n.name != "":
		return n.name + " = " + n.def.Name
	}
	if attr := formatAttr(n.attr); attr != "" {
		return n.def.Name + " " + attr
	}
	return n.def.Name
}
