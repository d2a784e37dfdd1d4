package draw

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// content is what a picture is about: the nodes, operands first, and what is to be said besides.
type content struct {
	nodes []*graph.Node // valid ones in the order of their graph, then invalid ones; operands come first
	asked map[*graph.Node]bool
	notes []note
}

type note struct {
	text    string
	isError bool
}

// diagram is what is to be drawn, without places.
type diagram struct {
	boxes []box // operands come first
	notes []note
}

// box is a node, or in a summary a group of nodes.
type box struct {
	class    string // of the style sheet: a kind's name, "gradient" or "invalid"
	stacked  bool   // stands for several nodes
	asked    bool   // one of the nodes that Graph was given
	name     string
	details  []string // further lines, in a smaller type
	tooltip  string
	operands []operand
	ordered  bool // operands must not be exchanged, so that arrows carry their number

	id        string // how other boxes refer to this one: name or "%7"
	arguments string // operands that have no line, as in "(·, 0.5)"
}

// operand is where a box takes a value from: another box, or (from < 0) what is written in the box itself.
type operand struct {
	from int
	text string
}

const written = -1

const mostErrors = 3 // written above the picture; the tooltips have them all

// collect finds the nodes that the roots need. Reachable does so for valid ones; invalid ones have no place in a graph's order
// and are walked here, because the picture of a mistake is worth having.
func collect(roots []*graph.Node) *content {
	c := &content{asked: map[*graph.Node]bool{}}
	var valid, invalid []*graph.Node
	seen := map[*graph.Node]bool{}
	said := map[string]bool{}
	type visit struct {
		node *graph.Node
		next int // the operand to look at
	}
	for _, root := range roots {
		if root == nil {
			c.notes = append(c.notes, note{"Not drawn: a nil node.", true})
			continue
		}
		c.asked[root] = true
		for path := []visit{{root, 0}}; len(path) > 0; {
			top := &path[len(path)-1]
			n := top.node
			switch {
			case n.Err() == nil:
				if !seen[n] {
					valid = append(valid, n)
				}
				seen[n] = true
				path = path[:len(path)-1]
			case top.next == 0 && seen[n]:
				path = path[:len(path)-1]
			case top.next < len(n.Inputs()):
				seen[n] = true
				x := n.In(top.next)
				top.next++
				if x != nil && !seen[x] {
					path = append(path, visit{x, 0})
				}
			default:
				seen[n] = true
				invalid = append(invalid, n)
				path = path[:len(path)-1]
				if text := n.Err().Error(); !said[text] {
					said[text] = true
					if len(said) <= mostErrors {
						c.notes = append(c.notes, note{"Invalid: " + text, true})
					}
				}
			}
		}
	}
	if more := len(said) - mostErrors; more > 0 {
		c.notes = append(c.notes, note{"And " + count(more, "error") + " more.", true})
	}
	if len(roots) == 0 {
		c.notes = append(c.notes, note{"Nothing to draw: no nodes were given.", false})
	}
	for len(valid) > 0 { // graph by graph, in the order given
		var same, others []*graph.Node
		for _, n := range valid {
			if n.Graph() == valid[0].Graph() {
				same = append(same, n)
			} else {
				others = append(others, n)
			}
		}
		c.nodes = append(c.nodes, graph.Reachable(same...)...)
		valid = others
	}
	c.nodes = append(c.nodes, invalid...)
	return c
}

// title is the first line of a picture: "14 nodes, 6 of them parameters with 101,770 elements".
func (c *content) title() string {
	if len(c.nodes) == 0 {
		return ""
	}
	params, elements := 0, int64(0)
	for _, n := range c.nodes {
		if n.Kind() == graph.Param && n.Err() == nil {
			params++
			elements += int64(n.Shape().Size())
		}
	}
	title := count(len(c.nodes), "node")
	if params > 0 {
		title += ", " + count(params, "parameter") + " with " + count(int(elements), "element")
	}
	return title
}

// isWritten reports whether a node is drawn inside its consumers instead of as a box of its own: a constant of one element.
func (c *content) isWritten(n *graph.Node) bool {
	return n.Kind() == graph.Constant && n.Err() == nil && n.Value().Len() == 1 && !c.asked[n]
}

// diagram makes one box of each node.
func (c *content) diagram() *diagram {
	d := &diagram{notes: c.notes}
	index := make(map[*graph.Node]int, len(c.nodes))
	for _, n := range c.nodes {
		if !c.isWritten(n) {
			index[n] = len(d.boxes)
			d.boxes = append(d.boxes, c.box(n, index))
		}
	}
	return d
}

// box is the box of one node; index says which boxes its operands have.
func (c *content) box(n *graph.Node, index map[*graph.Node]int) box {
	b := box{class: class(n), asked: c.asked[n], name: heading(n), tooltip: tooltip(n), id: n.Name()}
	if b.id == "" {
		b.id = idText(n)
	}
	if attr := n.AttrString(); attr != "" {
		b.details = append(b.details, attr)
	}
	b.details = append(b.details, typeText(n))
	for _, x := range n.Inputs() {
		switch i, ok := index[x]; {
		case ok:
			b.operands = append(b.operands, operand{from: i})
		case x == nil:
			b.operands = append(b.operands, operand{written, "nil"})
		default:
			b.operands = append(b.operands, operand{written, scalarText(x)})
		}
	}
	b.ordered = n.Def() != nil && len(n.Inputs()) > 1 && !n.Def().Traits.Has(graph.Commutative)
	return b
}

func class(n *graph.Node) string {
	switch {
	case n.Err() != nil:
		return "invalid"
	case n.Kind() == graph.Op && forwardLine(n) != "":
		return "gradient"
	}
	return n.Kind().String()
}

// forwardLine returns the line of the forward node whose gradient n is, "" if n is no gradient.
func forwardLine(n *graph.Node) string {
	if at := n.Pos().Forward(); at.IsKnown() {
		return at.String()
	}
	return ""
}

// heading is a leaf's name or value, an operator's name: "matmul", "hidden = matmul".
func heading(n *graph.Node) string {
	switch {
	case n.Kind() == graph.Constant:
		return valueText(n)
	case n.Kind() != graph.Op:
		return n.Name()
	case n.Name() != "":
		return n.Name() + " = " + operatorName(n)
	}
	return operatorName(n)
}

func operatorName(n *graph.Node) string {
	if n.Def() == nil {
		return "?"
	}
	return n.Def().Name
}

func valueText(n *graph.Node) string {
	if n.Err() != nil {
		return "constant"
	}
	return n.Label()
}

// scalarText writes a constant of one element in at most six digits.
func scalarText(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	text := n.Label()
	if len(text) > 9 && n.Value().Len() == 1 {
		text = strconv.FormatFloat(n.Value().At(0), 'g', 6, 64)
	}
	return text
}

// tooltip says all there is to say about a node.
func tooltip(n *graph.Node) string {
	var b strings.Builder
	b.WriteString(idText(n) + " = " + n.Expr())
	if n.Kind() != graph.Op {
		b.WriteString("  (" + n.Kind().String() + ")")
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\n"+format, args...) }
	if n.Def() != nil && n.Name() != "" {
		line("name: %s", n.Name())
	}
	if attr := n.AttrString(); attr != "" {
		line("attributes: %s", attr)
	}
	if n.Err() != nil {
		line("%v", n.Err())
	} else {
		line("type: %v", n.Type())
	}
	if n.Kind() == graph.Constant && n.Err() == nil {
		line("value: %s", n.Label())
	}
	if init := n.Init().Name; init != "" {
		line("starts as: %s", init)
	}
	if n.Pos().IsKnown() {
		line("%v", n.Pos())
	}
	for _, pos := range n.MergedPos() {
		line("also written at %v", pos)
	}
	return b.String()
}

func idText(n *graph.Node) string {
	if n.Err() != nil {
		return "invalid"
	}
	return fmt.Sprintf("%%%d", n.ID())
}

func typeText(n *graph.Node) string {
	if n.Err() != nil {
		return "invalid"
	}
	return n.Type().String()
}

// count writes "1 node", "12,345 nodes".
func count(n int, thing string) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		thing += "s"
	}
	return digits + " " + thing
}
