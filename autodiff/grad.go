// Package autodiff derives derivatives: the derivative of an expression is an expression.
//
// The one idea: reverse mode walks the nodes from the result down and asks each operator's rule for the cotangents of its
// operands, forward mode walks them upwards with tangents, and both make ordinary nodes. Nothing is executed. What comes out can
// be printed, compiled, differentiated again: HVP, Jacobian and Hessian are compositions of the two, and so is whatever a model
// needs of gradients of gradients.
//
// Words. The root y is the node that is differentiated. A cotangent is the derivative of the root (contracted with the seed) by a
// node, of that node's type; VJP, the vector-Jacobian product dyᵀ·J, is what an operator's rule computes. A tangent is the
// derivative of a node along a direction in which the nodes asked for move, of that node's type; JVP is the Jacobian-vector product
// J·dx. A cotangent or tangent that is zero because nothing flows stays nil and costs nothing.
package autodiff

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Options are the less common wishes of a derivative. The zero value is what the functions of the same names use.
type Options struct {
	// Seed is the cotangent of the root, of the root's type; nil means 1, for which the root must be a scalar. Grad alone reads it.
	Seed *graph.Node

	// AllowUnused gives zeros for nodes that the root does not depend on, instead of an error.
	AllowUnused bool
}

// Grad returns the gradients ∂y/∂w of the scalar root y by each of the nodes wrt, each of its node's type. y and wrt are float32 or
// float64; wrt may be leaves, inner nodes or constants. Before differentiating, y is rewritten into a more stable form (ops.Rules), never
// looking through a node in wrt: that, and what it is computed from, stays as written. It is not rewritten at all if wrt has a
// constant, whose value rules may look at.
//
// What cannot be differentiated comes back as nodes that carry the error: a root that is not a scalar, a node the root does not
// depend on, an operator without a gradient, which is named with the line that applied it.
func Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node { return Options{}.Grad(y, wrt...) }

// VJP returns the vector-Jacobian products dyᵀ·∂y/∂w, each of w's type, with the cotangent dy, which has y's type: the gradients of
// Σ dy⊙y by each of wrt.
func VJP(y, dy *graph.Node, wrt ...*graph.Node) []*graph.Node {
	return Options{Seed: dy}.Grad(y, wrt...)
}

// Grad is the function Grad with options.
func (o Options) Grad(y *graph.Node, wrt ...*graph.Node) []*graph.Node {
	if err := o.check(y, wrt); err != nil {
		return invalid("grad", err, y, wrt)
	}
	seed := o.Seed
	if seed == nil {
		seed = y.Graph().Full(y.DType(), 1)
	}
	d := derive([]*graph.Node{y}, wrt)
	var grads []*graph.Node
	var err error
	y.Graph().Derive(func(rule func(*graph.Node)) {
		grads, err = d.pull(rule, []*graph.Node{seed})
	})
	if err != nil {
		return invalid("grad", err, y, wrt)
	}
	for i, w := range wrt {
		if grads[i] == nil {
			grads[i] = o.nothing("grad", d, y, w, w.Type())
		}
	}
	return grads
}

// nothing is the derivative of y by w, of type t, where nothing flows: zeros, or the error that says why.
func (o Options) nothing(what string, d *derivation, y, w *graph.Node, t graph.Type) *graph.Node {
	if o.AllowUnused {
		return zeros(y.Graph(), t)
	}
	how := "does not depend on it; pass autodiff.Options{AllowUnused: true} if zeros are meant"
	if d.reaches(w) {
		how = "depends on it only through operators that pass no gradient (comparisons, integer results, stopgradient)"
	}
	return invalid(what, graph.Errorf(graph.ErrGradient, "%s, declared at %v: the root %s %s", nameOf(w), w.Pos(), y, how), y, []*graph.Node{w})[0]
}

func zeros(g *graph.Graph, t graph.Type) *graph.Node {
	return ops.BroadcastTo(g.Full(t.DType, 0), t.Shape...)
}

func nameOf(n *graph.Node) string {
	if n.Name() != "" {
		return n.Name()
	}
	return n.String()
}

// invalid is a list of nodes, one for each of wrt, that carry err.
func invalid(what string, err error, y *graph.Node, wrt []*graph.Node) []*graph.Node {
	list := make([]*graph.Node, len(wrt))
	for i := range wrt {
		list[i] = graph.Invalid(err, what+"("+y.String()+")", y)
	}
	return list
}

func (o Options) check(y *graph.Node, wrt []*graph.Node) error {
	if err := checkTypes(y, wrt); err != nil {
		return err
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
	return nil
}

// checkTypes says why y has no derivatives by wrt, whatever the mode.
func checkTypes(y *graph.Node, wrt []*graph.Node) error {
	if err := y.Err(); err != nil {
		return err
	}
	if !y.DType().IsFloat() {
		return graph.Errorf(graph.ErrDType, "the root is %v; only float32 and float64 have gradients", y.Type())
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

// derivation is the derivatives of some roots by some nodes, which may be asked for with many seeds: what does not depend on the
// seed is done once.
type derivation struct {
	wrt  []*graph.Node
	span span   // the roots rewritten, for forward mode
	mode []span // for reverse mode: what the roots are in training and in evaluation, or one if that is the same
}

// span is the part of a graph between some roots and the nodes wrt. Slices about nodes are indexed by their id less base.
type span struct {
	roots  []*graph.Node
	nodes  []*graph.Node // in order: at least those the roots depend on that depend on one of wrt
	base   int
	onPath []bool // whether the node depends on one of wrt
}

func derive(roots, wrt []*graph.Node) *derivation {
	d := &derivation{wrt: wrt}
	stabilise := graph.Rebuild{Rules: ops.Rules(), Keep: wrt}
	for _, w := range wrt {
		if w.Kind() == graph.Constant {
			stabilise.Rules = nil // x·1 must not become x where the derivative by the 1 is asked for
		}
	}
	d.span = between(stabilise.Run(roots...), wrt)
	// In reverse mode each mode is differentiated by itself: a zero cotangent that reached the other side would be NaN behind a
	// pole, and work.
	if !slices.ContainsFunc(d.span.nodes, isByMode) {
		d.mode = []span{d.span}
		return d
	}
	for side := range 2 {
		r := graph.Rebuild{Keep: wrt, Rules: stabilise.Rules, Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
			if isByMode(n) {
				return in[side]
			}
			return nil
		}}
		d.mode = append(d.mode, between(r.Run(roots...), wrt))
	}
	return d
}

func isByMode(n *graph.Node) bool { return n.Is(ops.ByModeDef) }

// between is the span of all that the roots depend on.
func between(roots, wrt []*graph.Node) span {
	s := span{roots: roots, nodes: graph.Reachable(roots...)}
	size := 0
	for _, n := range append(slices.Clip(roots), wrt...) {
		size = max(size, n.ID()+1)
	}
	s.mark(size, wrt)
	return s
}

func (s *span) mark(size int, wrt []*graph.Node) {
	s.onPath = make([]bool, size)
	for _, w := range wrt {
		s.onPath[w.ID()-s.base] = true
	}
	for _, n := range s.nodes {
		if slices.ContainsFunc(n.Inputs(), s.has) {
			s.onPath[n.ID()-s.base] = true
		}
	}
}

// has reports whether n depends on one of wrt.
func (s *span) has(n *graph.Node) bool { return n.ID() >= s.base && s.onPath[n.ID()-s.base] }

// reaches reports whether a root depends on w, in whatever way.
func (d *derivation) reaches(w *graph.Node) bool {
	return slices.ContainsFunc(d.mode, func(s span) bool {
		_, found := slices.BinarySearchFunc(s.nodes, w.ID(), func(n *graph.Node, id int) int { return n.ID() - id })
		return found
	})
}
