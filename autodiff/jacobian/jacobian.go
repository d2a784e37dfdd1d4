// Package jacobian computes Jacobians that are too large, or of symbolic size, to be expressions: one backward program, which is
// compiled once, runs for each row. Smaller ones are nodes: autodiff.Jacobian and autodiff.Hessian.
package jacobian

import (
	"context"
	"fmt"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// Rows returns the Jacobian ∂y/∂x at the fed values, of the shape y.shape + x.shape: row i is the gradient of element i of y, in row-major
// order. Dimensions may be symbols. It costs a forward and a backward pass for each element of y. state may be nil where y reads no parameter
// or variable. The Jacobian of a gradient is a Hessian.
//
// The first call for a y adds an input to its graph, the cotangent that is fed. The errors are those of autodiff.VJP and of a run.
func Rows(ctx context.Context, state *vm.State, y, x *graph.Node, feeds vm.Feeds) (*tensor.Dense, error) {
	if err := y.Err(); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("jacobian: cotangent of node %d", y.ID())
	seed := y.Graph().Leaf(name)
	if seed == nil {
		seed = y.Graph().Input(name, y.DType(), y.Shape()...)
	}
	dx := autodiff.VJP(y, seed, x)[0]
	if err := dx.Err(); err != nil {
		return nil, err
	}
	if state == nil {
		for _, n := range graph.Reachable(dx) {
			if k := n.Kind(); k == graph.Param || k == graph.Variable {
				return nil, graph.Locate(graph.Errorf(graph.ErrValue, "%s is needed, which is held by a State; make one with vm.NewState", n.Name()), y)
			}
		}
		var err error
		if state, err = vm.NewState(y.Graph(), 0); err != nil {
			return nil, err
		}
	}
	value, err := run(ctx, state, y, feeds)
	if err != nil {
		return nil, err
	}
	dy, err := value()
	if err != nil {
		return nil, err
	}
	one := graph.NewArray(dy.DType, dy.Shape...)
	with := vm.Feeds{seed: one}
	for n, v := range feeds {
		with[n] = v
	}
	if value, err = run(ctx, state, dx, with); err != nil {
		return nil, err
	}
	var all graph.Array
	for i := range max(dy.Len(), 1) { // without a row, one run tells x's shape
		if i < dy.Len() {
			one.SetAt(i, 1) // which the machine reads in place
		}
		row, err := value()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = graph.NewArray(row.DType, append(append([]int{}, dy.Shape...), row.Shape...)...)
		}
		if i < dy.Len() {
			copy(all.Bytes()[i*len(row.Bytes()):], row.Bytes())
			one.SetAt(i, 0)
		}
	}
	return all.Dense(), nil
}

// run returns a function that computes n; its value is overwritten by the next call.
func run(ctx context.Context, state *vm.State, n *graph.Node, feeds vm.Feeds) (func() (graph.Array, error), error) {
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n}})
	if err != nil {
		return nil, err
	}
	m, err := vm.NewMachine(p, state)
	if err != nil {
		return nil, err
	}
	for _, f := range p.Feeds() {
		if v, fed := feeds[f]; fed {
			if err := m.Feed(f, v); err != nil {
				return nil, err
			}
		}
	}
	return func() (graph.Array, error) {
		if err := m.Run(ctx); err != nil {
			return graph.Array{}, err
		}
		d, err := m.Value(n)
		if err != nil {
			return graph.Array{}, err
		}
		return graph.ArrayOf(d)
	}, nil
}
