package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// foldScales moves a factor of each column of a product, and what is added to it, into the weights and the bias, where both
// depend on the state alone, so that the prologue computes them: a batch norm behind a linear layer vanishes from inference.
//
//	mul(add(matmul(x, w), b), a)     →   add(matmul(x, mul(w, a)), mul(b, a))
//	add(add(matmul(x, w), b), c)     →   add(matmul(x, w), add(b, c))
//
// Sums are rounded in another order; programs that change the state would compute the weights at every step, and are left alone.
func foldScales(u *unit) error {
	if len(u.updates) > 0 {
		return nil
	}
	f := scaleFolder{fixed: map[*graph.Node]bool{}, reads: map[*graph.Node]int{}}
	for _, n := range append(graph.Reachable(u.roots...), u.roots...) {
		for _, x := range n.Inputs() {
			f.reads[x]++
		}
		if slices.Contains(u.roots, n) {
			f.reads[n]++
		}
	}
	u.rebuild(graph.Rebuild{Replace: f.replace})
	return nil
}

type scaleFolder struct {
	fixed map[*graph.Node]bool // nodes that depend on the state alone
	reads map[*graph.Node]int  // of the nodes before
}

func (f *scaleFolder) replace(n *graph.Node, in []*graph.Node) *graph.Node {
	for _, x := range in { // in their order, so that isFixed never goes deep
		f.isFixed(x)
	}
	if !n.Is(ops.MulDef) && !n.Is(ops.AddDef) {
		return nil
	}
	for k, p := range in {
		if a := in[1-k]; f.reads[n.In(k)] == 1 && f.isRow(a, p) {
			if to := f.fold(n.Def(), p, a); to != nil {
				return to
			}
		}
	}
	return nil
}

// fold returns p∘a with a inside p, or nil if p has no place for it.
func (f *scaleFolder) fold(op *graph.Def, p, a *graph.Node) *graph.Node {
	row := ops.Reshape(a, -1)
	switch {
	case op == ops.MulDef && p.Is(ops.MatMulDef) && p.In(1).Shape().Rank() == 2 && f.isFixed(p.In(1)):
		return ops.MatMul(p.In(0), ops.Mul(p.In(1), row))
	case p.Is(ops.AddDef):
		for k, b := range p.Inputs() {
			product := p.In(1 - k)
			if !product.Is(ops.MatMulDef) || !f.isRow(b, product) {
				continue
			}
			if op == ops.AddDef {
				return ops.Add(product, ops.Add(ops.Reshape(b, -1), row))
			}
			if scaled := f.fold(op, product, a); scaled != nil {
				return ops.Add(scaled, ops.Mul(ops.Reshape(b, -1), row))
			}
		}
	}
	return nil
}

// isRow reports whether a is one number for each column of p, and depends on the state alone.
func (f *scaleFolder) isRow(a, p *graph.Node) bool {
	shape, of := a.Shape(), p.Shape()
	if len(shape) == 0 || len(shape) > len(of) || shape[len(shape)-1] != of[len(of)-1] {
		return false
	}
	return !slices.ContainsFunc(shape[:len(shape)-1], func(d graph.Dim) bool { return d != 1 }) && f.isFixed(a)
}

func (f *scaleFolder) isFixed(n *graph.Node) bool {
	if known, ok := f.fixed[n]; ok {
		return known
	}
	fixed := n.Kind() != graph.Input && n.Type().Shape.IsStatic() && !n.Type().IsTuple()
	if n.Kind() == graph.Op {
		fixed = fixed && !n.Def().Traits.Has(graph.Impure) && len(n.Inputs()) > 0 && !slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return !f.isFixed(x) })
	}
	f.fixed[n] = fixed
	return fixed
}
