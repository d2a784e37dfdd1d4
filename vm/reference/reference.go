// Package reference computes graphs the plain way: node by node, in float64, in order, with nothing fused, planned or reused. It is
// the oracle that compiled programs are compared with, and is as slow as it is simple. What nodes print is discarded.
package reference

import (
	"io"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Env is what a graph is evaluated in.
type Env struct {
	Feeds map[*graph.Node]any // the values of inputs, as for vm.Machine.Feed
	State map[string]any      // the values of parameters and variables by name
	Train bool                // which side of ops.ByMode counts

	// Own computes float32 in float32, as a machine does.
	Own bool

	// Visit, if not nil, sees each operator's operands and results, tuples as several, in order. Its error ends the evaluation.
	Visit func(n *graph.Node, in, out []graph.Array) error
}

// Eval returns the values of nodes. Float32 values are computed and returned in Float64, unless Env.Own is set. It fails as a machine does: with the
// first invalid node, a missing value, shapes that disagree, or an operator's own error.
func Eval(env Env, nodes ...*graph.Node) ([]graph.Array, error) {
	for _, n := range nodes {
		if n.Err() != nil {
			return nil, n.Err()
		}
	}
	e := evaluator{env: env, binding: graph.Binding{}, values: map[*graph.Node][]graph.Array{}}
	for _, n := range nodes[min(1, len(nodes)):] {
		if n.Graph() != nodes[0].Graph() {
			return nil, graph.Locate(graph.Errorf(graph.ErrGraph, "the nodes belong to several graphs"), n)
		}
	}
	order := env.needed(nodes)
	inputs := order
	if len(nodes) > 0 {
		for _, n := range nodes[0].Graph().Feeds() { // one that is not read may still be needed for its sizes
			if env.Feeds[n] != nil {
				inputs = append(slices.Clip(inputs), n)
			}
		}
	}
	if err := e.bind(inputs); err != nil {
		return nil, err
	}
	for _, n := range order {
		parts, err := e.node(n)
		if err != nil {
			return nil, graph.Locate(err, n)
		}
		e.values[n] = parts
	}
	var list []graph.Array
	for _, n := range nodes {
		list = append(list, e.values[n]...)
	}
	return list, nil
}

// needed lists the nodes to compute in order. Of a ByMode only the side that counts is.
func (env Env) needed(nodes []*graph.Node) []*graph.Node {
	all := graph.Reachable(nodes...)
	wanted := map[*graph.Node]bool{}
	for _, n := range nodes {
		wanted[n] = true
	}
	for i := len(all) - 1; i >= 0; i-- {
		for k, x := range all[i].Inputs() {
			if wanted[all[i]] && (!all[i].Is(ops.ByModeDef) || (k == 0) == env.Train) {
				wanted[x] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(n *graph.Node) bool { return !wanted[n] })
}

type evaluator struct {
	env     Env
	binding graph.Binding
	values  map[*graph.Node][]graph.Array // one for each part of a tuple
}

// bind sizes the symbols from the feeds.
func (e *evaluator) bind(order []*graph.Node) error {
	for _, n := range order {
		if n.Kind() != graph.Input {
			continue
		}
		a, err := value(e.env.Feeds[n], n)
		if err != nil {
			return graph.Locate(err, n)
		}
		for i, d := range n.Shape() {
			if size, known := e.binding[d]; d.IsSymbol() && !known {
				e.binding[d] = a.Shape[i]
			} else if d.IsSymbol() && size != a.Shape[i] {
				return graph.Locate(graph.Errorf(graph.ErrFeed, "the feeds disagree on %v: %d and %d", d, size, a.Shape[i]), n)
			}
		}
	}
	return nil
}

// value returns what was given for a leaf, if it is of its kind and rank.
func value(v any, n *graph.Node) (graph.Array, error) {
	a, err := graph.ArrayOf(v)
	if err != nil {
		return a, err
	}
	if len(a.Shape) != len(n.Shape()) || a.DType != n.DType() && !(a.DType.IsFloat() && n.DType().IsFloat()) {
		return a, graph.Errorf(graph.ErrShape, "value %v%v for %v", a.DType, a.Shape, n.Type())
	}
	return a, nil
}

// leaf returns the value of a leaf, in Float64 if it is of a float type.
func (e *evaluator) leaf(v any, n *graph.Node) (graph.Array, error) {
	a, err := value(v, n)
	if err != nil {
		return a, err
	}
	for i, d := range n.Shape() {
		if size, err := d.Eval(e.binding); err != nil || size != a.Shape[i] {
			return a, graph.Errorf(graph.ErrShape, "value %v%v for %v", a.DType, a.Shape, n.Type())
		}
	}
	if !a.DType.IsFloat() || e.env.Own {
		return a, nil
	}
	wide := graph.NewArray(graph.Float64, append([]int(nil), a.Shape...)...)
	wide.CopyFrom(a)
	return wide, nil
}

func (e *evaluator) node(n *graph.Node) ([]graph.Array, error) {
	var value any
	switch n.Kind() {
	case graph.Input:
		value = e.env.Feeds[n]
	case graph.Param, graph.Variable:
		value = e.env.State[n.Name()]
	case graph.Constant:
		value = n.Value()
	default:
		return e.apply(n)
	}
	a, err := e.leaf(value, n)
	return []graph.Array{a}, err
}

func (e *evaluator) apply(n *graph.Node) ([]graph.Array, error) {
	var in []graph.Array
	var types []graph.Type
	for _, x := range n.Inputs() {
		in = append(in, e.values[x]...)
		types = append(types, x.Type())
	}
	switch {
	case n.Is(ops.ByModeDef) && e.env.Train:
		return e.values[n.In(0)], nil
	case n.Is(ops.ByModeDef):
		return e.values[n.In(1)], nil
	case n.Is(ops.GetDef):
		return in[ops.Part(n) : ops.Part(n)+1], nil
	}
	parts := []graph.Type{n.Type()}
	if n.Type().IsTuple() {
		parts = n.Type().Tuple
	}
	call := graph.Call{Attr: n.Attr(), In: in, Binding: e.binding, Stdout: io.Discard}
	for _, t := range parts {
		shape := make([]int, len(t.Shape))
		for i, d := range t.Shape {
			var err error
			if shape[i], err = d.Eval(e.binding); err != nil {
				return nil, err
			}
		}
		dtype := t.DType
		if dtype.IsFloat() && !e.env.Own {
			dtype = graph.Float64
		}
		call.Out = append(call.Out, graph.NewArray(dtype, shape...))
	}
	if n.Def().Scratch != nil {
		bytes, err := n.Def().Scratch(n.Attr(), types).Eval(e.binding)
		if err != nil {
			return nil, err
		}
		call.Scratch = graph.NewArray(graph.Float64, bytes/4+8).Bytes() // twice what float32 operands would ask for
	}
	err := run(n.Def(), &call)
	if err == nil && e.env.Visit != nil {
		err = e.env.Visit(n, in, call.Out)
	}
	return call.Out, err
}

// run makes an error of a panic in an operator, which may be a user's.
func run(d *graph.Def, c *graph.Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = graph.Errorf(graph.ErrOperator, "panicked: %v", p)
		}
	}()
	return d.Run(c)
}
