package autodiff

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// HVP returns the Hessian-vector products Σⱼ ∂²y/∂wrtᵢ∂wrtⱼ · vⱼ of the scalar y, each of its node's type. v has a tangent for each of
// wrt, of its type, or nil for zero. It is forward over reverse: JVP of Grad, without ever forming the Hessian, for a small multiple of the
// cost of y. A product that is zero because nothing flows is zeros.
//
// The errors are those of Grad and JVP. Options{AllowUnused: true} gives zeros also for nodes that y does not depend on.
func HVP(y *graph.Node, wrt, v []*graph.Node) []*graph.Node { return Options{}.HVP(y, wrt, v) }

// HVP is the function HVP with options.
func (o Options) HVP(y *graph.Node, wrt, v []*graph.Node) []*graph.Node {
	grads := o.unseeded().Grad(y, wrt...)
	if err := firstError(grads); err != nil {
		return invalid("hvp", err, y, wrt)
	}
	if err := checkTangents(wrt, v); err != nil {
		return invalid("hvp", err, y, wrt)
	}
	if len(grads) == 0 {
		return nil
	}
	products, err := derive(grads, wrt).push(v)
	if err != nil {
		return invalid("hvp", err, y, wrt)
	}
	for i, w := range wrt {
		if products[i] == nil {
			products[i] = ops.ZerosLike(w)
		}
	}
	return products
}

// Nth returns the n-th derivative dⁿ/dtⁿ y(x+t) at t = 0, of y's type: of a y of any shape by a scalar x; of a y that is elementwise in x, element by
// element. Every order is a JVP along ones, so the expression grows with each; n = 0 gives y, and derivatives beyond a polynomial's
// degree are zeros. Grad of Grad does the same for a scalar y, one order at a time.
//
// The errors are those of JVP.
func Nth(y, x *graph.Node, n int) *graph.Node { return Options{}.Nth(y, x, n) }

// Nth is the function Nth with options.
func (o Options) Nth(y, x *graph.Node, n int) *graph.Node {
	if n < 0 {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "a derivative of order %d; orders count from 0", n), "nth("+y.String()+")", y)
	}
	if err := checkTypes(y, []*graph.Node{x}); err != nil {
		return graph.Invalid(err, "nth("+y.String()+")", y)
	}
	one := ops.BroadcastTo(x.Graph().Full(x.DType(), 1), x.Shape()...)
	further := o
	further.AllowUnused = true // a derivative may be a constant
	for order := range n {
		if order > 0 {
			o = further
		}
		y = o.JVP(y, []*graph.Node{x}, []*graph.Node{one})
	}
	return y
}

// unseeded is o for gradients of scalars.
func (o Options) unseeded() Options {
	o.Seed = nil
	return o
}

func firstError(nodes []*graph.Node) error {
	for _, n := range nodes {
		if n.Err() != nil {
			return n.Err()
		}
	}
	return nil
}
