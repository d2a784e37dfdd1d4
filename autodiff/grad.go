// Package autodiff derives gradients: the gradient of an expression is an expression.
//
// The one idea: reverse mode walks the nodes from the result down and asks each operator's rule for the cotangents of its
// operands, as ordinary nodes. Nothing is executed. What comes out can be printed, compiled, differentiated again.
//
// Words. The root is the node that is differentiated; a cotangent is the derivative of the root (contracted with the seed) by
// a node, of that node's type; VJP, the vector-Jacobian product, is what an operator's rule computes. A cotangent that is zero
// because nothing flows stays nil and costs nothing.
package autodiff

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Options are the less common wishes of a gradient. The zero value is what Grad uses.
type Options struct {
	// Seed is the cotangent of the root, of the root's type; nil means 1, for which the root must be a scalar.
	Seed *graph.Node

	// AllowUnused gives zeros for nodes that the root does not depend on, instead of an error.
	AllowUnused bool
}

// Grad returns the gradients of the scalar root y by each of the nodes wrt, each of its node's type. y and wrt are float32 or
// float64. Before differentiating, y is rewritten into a more stable form (ops.Rules), never looking through a node in wrt:
// that, and what it is computed from, stays as written. It is not rewritten at all if wrt has a constant, whose value rules may look at.
//
// What cannot be differentiated comes back as nodes that carry the error: a root that is not a scalar, a node the root does not
// depend on, an operator without a gradient.
func Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node { return Options{}.Grad(y, wrt...) }

// VJP returns the vector-Jacobian products of y with the cotangent dy, which has y's type: the gradients of Σ dy⊙y by each of wrt.
func VJP(y, dy *graph.Node, wrt ...*graph.Node) []*graph.Node {
	return Options{Seed: dy}.Grad(y, wrt...)
}

// Grad is the function Grad with options.
func (o Options) Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if err := o.check(y, wrt); err != nil {
		return invalid(err, y, wrt)
	}
	var r reverse
	var err error
	y.Graph().Derive(func(rule func(*graph.Node)) {
		r.rule = rule
		err = r.run(y, o.Seed, wrt)
	})
	if err != nil {
		return invalid(err, y, wrt)
	}
	grads := make([]*graph.Node, len(wrt))
	for i, w := range wrt {
		grads[i] = r.cotangent[w.ID()]
		if grads[i] != nil {
			continue
		}
		if o.AllowUnused {
			grads[i] = ops.ZerosLike(w)
			continue
		}
		how := "does not depend on it; pass autodiff.Options{AllowUnused: true} if zeros are meant"
		if r.reached[w.ID()] {
			how = "depends on it only through operators that pass no gradient (comparisons, integer results, stopgradient)"
		}
		grads[i] = invalid(graph.Errorf(graph.ErrGradient, "%s, declared at %v: the root %s %s", nameOf(w), w.Pos(), y, how), y, wrt[i:i+1])[0]
	}
	return grads
}

func nameOf(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	return n.String()
}

func invalid(err error, y *graph.Node, wrt []*graph.Node) []*graph.Node {
	list := make([]*graph.Node, len(wrt))
	for i := range wrt {
		list[i] = graph.Invalid(err, "grad("+y.String()+")", y)
	}
	return list
}

func (o Options) check(y *graph.Node, wrt []*graph.Node) error {
	if err := y.Err(); err != nil {
		return err
	}
	if !y.DType().IsFloat() {
		return graph.Errorf(graph.ErrDType, "the root is %v; only float32 and float64 have gradients", y.Type())
	}
	switch {
	case o.Seed == nil && y.Shape().Rank() != 0:
		return graph.Errorf(graph.ErrGradient, "the root has shape %v, but a gradient is of a scalar; reduce it with ops.Mean or ops.Sum, or give the cotangent with autodiff.VJP", y.Shape())
	case o.Seed != nil && o.Seed.Err() != nil:
		return o.Seed.Err()
	case o.Seed != nil && o.Seed.Graph() != y.Graph():
		return graph.Errorf(graph.ErrGraph, "the seed belongs to another graph than the root")
	case o.Seed != nil && !o.Seed.Type().Identical(y.Type()):
		return graph.Errorf(graph.ErrGradient, "the seed is %v, the root %v; they must be alike", o.Seed.Type(), y.Type())
	}
	for i, w := range wrt {
		switch {
		case w.Err() != nil:
			return w.Err()
		case w.Graph() != y.Graph():
			return graph.Errorf(graph.ErrGraph, "%s belongs to another graph than the root", nameOf(w))
		case !w.DType().IsFloat():
			return graph.Errorf(graph.ErrDType, "node %d, %s, is %v; only float32 and float64 have gradients", i, nameOf(w), w.Type())
		}
	}
	return nil
}

// reverse is one backward pass. Its slices are indexed by node id.
type reverse struct {
	rule      func(forward *graph.Node) // says whose gradient the nodes to come are
	reached   []bool                    // whether the root depends on the node, in whatever way
	onPath    []bool                    // whether the node depends on one of wrt
	cotangent []*graph.Node             // accumulated so far
	parts     [][]*graph.Node           // of tuples: the cotangents of the parts
}

func (r *reverse) run(y, seed *graph.Node, wrt []*graph.Node) error {
	g := y.Graph()
	stabilise := graph.Rebuild{Rules: ops.Rules(), Keep: wrt}
	for _, w := range wrt {
		if w.Kind() == graph.Constant {
			stabilise.Rules = nil // x·1 must not become x where the derivative by the 1 is asked for
		}
	}
	root := stabilise.Run(y)[0]
	if seed == nil {
		seed = g.Full(root.DType(), 1)
	}
	nodes := graph.Reachable(root)
	size := root.ID() + 1
	for _, w := range wrt {
		size = max(size, w.ID()+1)
	}
	r.reached = make([]bool, size)
	r.onPath = make([]bool, size)
	r.cotangent = make([]*graph.Node, size)
	r.parts = make([][]*graph.Node, size)
	for _, w := range wrt {
		r.onPath[w.ID()] = true
	}
	for _, n := range nodes {
		r.reached[n.ID()] = true
		for _, x := range n.Inputs() {
			if r.onPath[x.ID()] {
				r.onPath[n.ID()] = true
			}
		}
	}
	r.cotangent[root.ID()] = seed
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !r.onPath[n.ID()] || n.Kind() != graph.Op {
			continue
		}
		if err := r.node(n); err != nil {
			return err
		}
	}
	return nil
}

// node passes the cotangent of n on to its operands.
func (r *reverse) node(n *graph.Node) error {
	r.rule(n)
	dy := r.cotangent[n.ID()]
	if r.parts[n.ID()] != nil {
		dy = tupleCotangent(n, r.parts[n.ID()])
	}
	if dy == nil || n.Def().Traits.Has(graph.Discrete) && n.Def().VJP == nil {
		return nil
	}
	if n.Is(ops.GetDef) {
		r.addPart(n, dy)
		return nil
	}
	if n.Def().VJP == nil {
		return graph.Locate(graph.Errorf(graph.ErrGradient, "operator %s offers no gradient (Def.VJP is nil); ops.StopGradient cuts it off where none is wanted", n.Def().Name), n)
	}
	var dx []*graph.Node
	if err := protect(n, func() { dx = n.Def().VJP(n, dy) }); err != nil {
		return err
	}
	if len(dx) != len(n.Inputs()) {
		return ruleError(n, "returned %d cotangents for %d operands", len(dx), len(n.Inputs()))
	}
	for i, x := range n.Inputs() {
		switch {
		case dx[i] == nil || !r.onPath[x.ID()]:
			continue
		case dx[i].Err() != nil:
			return dx[i].Err()
		case dx[i].Graph() != n.Graph():
			return ruleError(n, "returned a cotangent of another graph for operand %d", i)
		case !dx[i].Type().Identical(x.Type()):
			return ruleError(n, "returned a cotangent of type %v for operand %d, which is %v", dx[i].Type(), i, x.Type())
		}
		r.add(x, dx[i])
	}
	return nil
}

// protect runs a rule, which may belong to a user, and makes an error of a panic in it.
func protect(n *graph.Node, rule func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ruleError(n, "panicked: %v", p)
		}
	}()
	rule()
	return nil
}

func ruleError(n *graph.Node, format string, args ...any) error {
	return graph.Locate(graph.Errorf(graph.ErrOperator, "the gradient rule of %s %s", n.Def().Name, fmt.Sprintf(format, args...)), n)
}

func (r *reverse) add(x, dx *graph.Node) {
	if sum := r.cotangent[x.ID()]; sum != nil {
		dx = ops.Add(sum, dx)
	}
	r.cotangent[x.ID()] = dx
}

// addPart collects the cotangent of one part of a tuple.
func (r *reverse) addPart(get, dy *graph.Node) {
	tuple := get.In(0)
	if r.parts[tuple.ID()] == nil {
		r.parts[tuple.ID()] = make([]*graph.Node, len(tuple.Type().Tuple))
	}
	i := ops.Part(get)
	if sum := r.parts[tuple.ID()][i]; sum != nil {
		dy = ops.Add(sum, dy)
	}
	r.parts[tuple.ID()][i] = dy
}

// tupleCotangent makes one node of the cotangents of the parts; a part that none flows to gets zeros.
func tupleCotangent(n *graph.Node, parts []*graph.Node) *graph.Node {
	full := make([]*graph.Node, len(parts))
	for i, p := range parts {
		if full[i] = p; p == nil {
			full[i] = ops.ZerosLike(ops.Get(n, i))
		}
	}
	return ops.Tuple(full...)
}
