// Package gorgonia runs Tapir's expressions on gorgonia.org/gorgonia: an independent implementation to compare values and
// gradients with, and a way to hand a model to a program that uses it.
//
// The one idea: ToExprGraph builds, for each node that the roots need, the Gorgonia nodes that compute it, operator by operator;
// nothing is rewritten or fused on the way. Broadcasting, which Gorgonia does only on request, becomes explicit; symbolic
// dimensions get the sizes they are bound to, because a Gorgonia graph has fixed shapes; booleans become masks of 0 and 1.
//
//	e, err := gorgonia.ToExprGraph(gorgonia.Source{Feeds: feeds, State: state}, loss)
//	grads, err := G.Grad(e.Roots[0], e.Nodes(g.Params()...)...)
//	machine := G.NewTapeMachine(e.Graph)
//	defer machine.Close()
//	err = machine.RunAll()
//
// An operator that has no counterpart there, and is no composition of ones that have, is an error that names it. What Gorgonia computes wrongly, or cannot, is listed in
// this package's tests, with the evidence.
package gorgonia

import (
	"maps"
	"slices"
	"sort"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Source says what the leaves of an expression are, and how large its symbols.
type Source struct {
	// Feeds are the values of inputs, as for vm.Machine.FeedAll. An input without one becomes a node without a value, which
	// gorgonia.Let gives it; its symbols must then be in Binding.
	Feeds vm.Feeds

	// State holds the values of parameters and variables, which are copied. If it is nil they become nodes without values.
	State *vm.State

	// Binding gives the sizes of symbols that no feed tells.
	Binding graph.Binding

	// Mode says which side of ops.ByMode counts.
	Mode vm.Mode
}

// Expr is an expression as Gorgonia's.
type Expr struct {
	Graph *G.ExprGraph
	Roots G.Nodes // what the roots have become

	image map[*graph.Node]*G.Node
}

// Node returns what n has become, nil if the roots do not need it. A boolean node has become a mask of floats.
func (e *Expr) Node(n *graph.Node) *G.Node { return e.image[n] }

// Nodes returns what each of several nodes has become, as gorgonia.Grad takes them. Those that the roots do not need are left out.
func (e *Expr) Nodes(list ...*graph.Node) G.Nodes {
	var nodes G.Nodes
	for _, n := range list {
		if x := e.image[n]; x != nil {
			nodes = append(nodes, x)
		}
	}
	return nodes
}

// ToExprGraph builds the roots in a new Gorgonia graph. The roots are valid nodes of one graph. It fails, with the line of the
// node, where an operator has no counterpart, a symbol no size, a value no elements, or Gorgonia refuses.
//
// Gorgonia writes into the values of leaves, so they are copies. It computes with floats only: integers, such as labels and what is
// compared with them, are computed here, from the feeds and the state, and are constants of the result.
func ToExprGraph(from Source, roots ...*graph.Node) (*Expr, error) {
	t := &translator{source: from, graph: G.NewGraph(), binding: graph.Binding{}, built: map[*graph.Node]*G.Node{}}
	maps.Copy(t.binding, from.Binding)
	if len(roots) == 0 {
		return nil, graph.Errorf(graph.ErrGraph, "no roots to translate")
	}
	for _, n := range roots {
		if n.Err() != nil {
			return nil, n.Err()
		}
		if n.Graph() != roots[0].Graph() {
			return nil, graph.Locate(graph.Errorf(graph.ErrGraph, "the roots belong to several graphs"), n)
		}
	}
	if err := t.bindFeeds(roots[0].Graph()); err != nil {
		return nil, err
	}
	// A private copy, in which operators that only their composition is known of are composed.
	private := graph.Rebuild{Into: graph.New(), Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if d := n.Def(); d != nil && rules[d] == nil && d.Expand != nil {
			return d.Expand(n.Attr(), in)
		}
		return nil
	}}
	copies := private.Run(roots...)
	t.own(private.Image)
	for i, n := range copies {
		if n.Err() != nil {
			return nil, graph.Locate(n.Err(), roots[i])
		}
	}
	for _, n := range t.needed(copies) {
		x, err := t.node(n)
		if err != nil {
			return nil, graph.Locate(err, n)
		}
		t.built[n] = x
	}
	e := &Expr{Graph: t.graph, image: map[*graph.Node]*G.Node{}}
	for _, n := range graph.Reachable(roots...) {
		if x := t.built[private.Image(n)]; x != nil {
			e.image[n] = x
		}
	}
	for _, n := range roots {
		if e.image[n] == nil {
			return nil, graph.Locate(graph.Errorf(graph.ErrDType, "a root of type %v, but Gorgonia computes with floats only", n.Type()), n)
		}
		e.Roots = append(e.Roots, e.image[n])
	}
	return e, nil
}

// translator is the state of one translation.
type translator struct {
	source  Source
	graph   *G.ExprGraph
	binding graph.Binding
	feeds   map[*graph.Node]graph.Array
	built   map[*graph.Node]*G.Node
}

// own makes the feeds those of a copy of the graph.
func (t *translator) own(image func(*graph.Node) *graph.Node) {
	fed := map[*graph.Node]graph.Array{}
	t.source.Feeds = vm.Feeds{}
	for n, a := range t.feeds {
		if m := image(n); m != nil {
			fed[m], t.source.Feeds[m] = a, a
		}
	}
	t.feeds = fed
}

// bindFeeds reads the feeds, and the sizes of symbols from their shapes.
func (t *translator) bindFeeds(g *graph.Graph) error {
	t.feeds = map[*graph.Node]graph.Array{}
	nodes := make([]*graph.Node, 0, len(t.source.Feeds))
	for n := range t.source.Feeds {
		nodes = append(nodes, n)
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].ID() < nodes[j].ID() })
	for _, n := range nodes {
		a, err := graph.ArrayOf(t.source.Feeds[n])
		switch {
		case n.Err() != nil:
			return n.Err()
		case err != nil:
			return graph.Locate(err, n)
		case n.Graph() != g || n.Kind() != graph.Input:
			return graph.Locate(graph.Errorf(graph.ErrFeed, "only inputs of the roots' graph are fed"), n)
		case a.DType != n.DType() || len(a.Shape) != len(n.Shape()):
			return graph.Locate(graph.Errorf(graph.ErrFeed, "fed %v%v, declared %v", a.DType, a.Shape, n.Type()), n)
		}
		for i, d := range n.Shape() {
			if size, known := t.binding[d]; d.IsSymbol() && !known {
				t.binding[d] = a.Shape[i]
			} else if d.IsSymbol() && size != a.Shape[i] {
				return graph.Locate(graph.Errorf(graph.ErrFeed, "%v is %d here and %d elsewhere", d, a.Shape[i], size), n)
			}
		}
		t.feeds[n] = a
	}
	for n, a := range t.feeds {
		shape, err := t.shape(n)
		if err == nil && !shape.Eq(tensor.Shape(a.Shape)) {
			err = graph.Errorf(graph.ErrFeed, "fed shape %v, declared %v", tensor.Shape(a.Shape), n.Shape())
		}
		if err != nil {
			return graph.Locate(err, n)
		}
	}
	return nil
}

// needed lists the nodes to translate in order. Of a ByMode only the side that counts is, of tuples their parts, and nothing that
// is computed here.
func (t *translator) needed(roots []*graph.Node) []*graph.Node {
	all := graph.Reachable(roots...)
	wanted, here := map[*graph.Node]bool{}, map[*graph.Node]bool{}
	for _, n := range all {
		here[n] = n.DType().IsInt() || n.DType() == graph.Bool && (n.Kind() != graph.Op || slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return here[x] && x.DType().IsInt() }))
	}
	for _, n := range roots {
		wanted[n] = true
	}
	for i := len(all) - 1; i >= 0; i-- {
		for k, x := range all[i].Inputs() {
			if wanted[all[i]] && !here[all[i]] && (!all[i].Is(ops.ByModeDef) || k == t.modeOperand()) {
				wanted[x] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(n *graph.Node) bool { return !wanted[n] || here[n] || n.Type().IsTuple() })
}

// modeOperand is the operand of ops.ByMode that counts.
func (t *translator) modeOperand() int {
	if t.source.Mode == vm.Train {
		return 0
	}
	return 1
}

// shape is the shape of n, its symbols replaced by their sizes.
func (t *translator) shape(n *graph.Node) (tensor.Shape, error) {
	shape := make(tensor.Shape, len(n.Shape()))
	for i, d := range n.Shape() {
		var err error
		if shape[i], err = d.Eval(t.binding); err != nil {
			return nil, err
		}
		if shape[i] == 0 {
			return nil, graph.Errorf(graph.ErrShape, "a value of shape %v has no elements, which Gorgonia cannot hold", n.Shape())
		}
	}
	return shape, nil
}

// node builds what n has become.
func (t *translator) node(n *graph.Node) (x *G.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			x, err = nil, graph.Errorf(graph.ErrOperator, "Gorgonia panicked: %v", p)
		}
	}()
	shape, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	if n.Kind() == graph.Op {
		rule := rules[n.Def()]
		if rule == nil {
			return nil, graph.Errorf(graph.ErrOperator, "operator %s has no counterpart in Gorgonia", n.Def().Name)
		}
		return rule(t, n)
	}
	return t.leaf(n, shape)
}
