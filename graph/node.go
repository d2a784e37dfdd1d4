package graph

import (
	"fmt"
	"strings"
)

// Kind tells leaves and operators apart.
type Kind uint8

// The kinds of node.
const (
	Op       Kind = iota // the application of an operator
	Input                // a value fed at each run
	Param                // state that is trained
	Variable             // state that is not trained: step counters, running means, learning rates
	Constant             // a value fixed when the graph was built
)

var kindNames = [...]string{"op", "input", "param", "variable", "constant"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Node is one expression of a graph: a leaf, or an operator applied to other nodes. Nodes are immutable but for their display
// name. A node may be invalid, because what it was built from does not fit: it then carries the error, and so does everything
// built from it. No method panics on an invalid or nil node.
type Node struct {
	graph  *Graph
	id     int32 // position in graph.nodes; -1 for an invalid node
	kind   Kind
	def    *Def // nil for leaves
	attr   any
	key    string // canonical encoding of attr, or the bytes of a constant
	in     []*Node
	typ    Type
	name   string
	pos    Position
	merged []Position // where else the same expression was written, a few
	err    error
	next   *Node // the next node of the same hash in the intern table

	init  Init  // of Param and Variable
	value Array // of Constant
}

// ID returns the node's position in its graph; inputs have smaller ids. It is −1 for an invalid node.
func (n *Node) ID() int {
	if n == nil {
		return -1
	}
	return int(n.id)
}

// Graph returns the graph the node belongs to; nil for an invalid node built from nothing.
func (n *Node) Graph() *Graph {
	if n == nil {
		return nil
	}
	return n.graph
}

// Kind returns what sort of node this is.
func (n *Node) Kind() Kind {
	if n == nil {
		return Op
	}
	return n.kind
}

// Def returns the operator, nil for leaves and invalid nodes.
func (n *Node) Def() *Def {
	if n == nil || n.err != nil {
		return nil
	}
	return n.def
}

// Is reports whether the node is a valid application of d.
func (n *Node) Is(d *Def) bool { return d != nil && n.Def() == d }

// Attr returns the operator's attributes.
func (n *Node) Attr() any {
	if n == nil {
		return nil
	}
	return n.attr
}

// Inputs returns the operands. The slice must not be changed.
func (n *Node) Inputs() []*Node {
	if n == nil {
		return nil
	}
	return n.in
}

// In returns operand i, nil if there is none.
func (n *Node) In(i int) *Node {
	if n == nil || i < 0 || i >= len(n.in) {
		return nil
	}
	return n.in[i]
}

// Type returns the type of the node's value; the zero Type for an invalid node.
func (n *Node) Type() Type {
	if n == nil {
		return Type{}
	}
	return n.typ
}

// DType returns the element type.
func (n *Node) DType() DType { return n.Type().DType }

// Shape returns the shape. The slice must not be changed.
func (n *Node) Shape() Shape { return n.Type().Shape }

// Name returns the leaf's name or the name given by Named, else "".
func (n *Node) Name() string {
	if n == nil {
		return ""
	}
	return n.name
}

// Named gives an operator node a name for errors, listings and pictures, and returns the node. The first name stays; leaves keep theirs.
func (n *Node) Named(name string) *Node {
	if n != nil && n.name == "" {
		n.name = name
	}
	return n
}

// Err returns why the node is invalid, nil for a valid node.
func (n *Node) Err() error {
	if n == nil {
		return Errorf(ErrGraph, "a nil node")
	}
	return n.err
}

// Pos returns the user's line that built the node first.
func (n *Node) Pos() Position {
	if n == nil {
		return Position{}
	}
	return n.pos
}

// MergedPos returns up to three further lines that built the same expression and got the same node.
func (n *Node) MergedPos() []Position {
	if n == nil {
		return nil
	}
	return n.merged
}

// Init returns the initial value of a Param or Variable.
func (n *Node) Init() Init {
	if n == nil {
		return Init{}
	}
	return n.init
}

// Value returns the value of a Constant, which must not be written.
func (n *Node) Value() Array {
	if n == nil {
		return Array{}
	}
	return n.value
}

// Expr returns the node as a short expression, as in "matmul(x, encoder.0.weight)": operands by name, or by their operator
// alone where they have none.
func (n *Node) Expr() string {
	if n == nil {
		return "nil"
	}
	if n.def == nil {
		return n.short()
	}
	return callExpr(n.def, n.in)
}

// String is Expr.
func (n *Node) String() string { return n.Expr() }

func callExpr(d *Def, in []*Node) string {
	operands := make([]string, len(in))
	for i, x := range in {
		operands[i] = x.short()
	}
	if len(operands) > 4 {
		operands = append(operands[:3], "…")
	}
	return d.Name + "(" + strings.Join(operands, ", ") + ")"
}

func (n *Node) short() string {
	switch {
	case n == nil:
		return "nil"
	case n.name != "":
		return n.name
	case n.kind == Constant && n.value.Len() == 1:
		return formatScalar(n.value)
	case n.def == nil:
		return n.kind.String()
	}
	operands := make([]string, len(n.in))
	for i, x := range n.in {
		operands[i] = "…"
		if x.Name() != "" {
			operands[i] = x.name
		}
	}
	if len(operands) > 2 {
		operands = []string{"…"}
	}
	return n.def.Name + "(" + strings.Join(operands, ", ") + ")"
}
