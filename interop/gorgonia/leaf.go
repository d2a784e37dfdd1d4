package gorgonia

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// leaf builds an input, parameter, variable or constant, with its value where it is known.
func (t *translator) leaf(n *graph.Node, shape tensor.Shape) (*G.Node, error) {
	a, known, err := t.value(n)
	if err != nil {
		return nil, err
	}
	if known {
		return t.array(nameOf(n), n.DType(), a), nil
	}
	if len(shape) == 0 {
		return G.NewScalar(t.graph, n.DType().Tensor(), G.WithName(nameOf(n))), nil
	}
	return G.NewTensor(t.graph, n.DType().Tensor(), len(shape), G.WithShape(shape...), G.WithName(nameOf(n))), nil
}

// nameOf names a leaf. Gorgonia takes leaves of one name and shape for the same.
func nameOf(n *graph.Node) string {
	if n.Kind() == graph.Constant || n.Kind() == graph.Op { // an operator's node is computed here
		return fmt.Sprintf("constant.%d", n.ID())
	}
	return n.Name()
}

// value returns the value of a leaf, if the source has it.
func (t *translator) value(n *graph.Node) (a graph.Array, known bool, err error) {
	switch n.Kind() {
	case graph.Constant:
		return n.Value(), true, nil
	case graph.Input:
		a, known = t.feeds[n]
		return a, known, nil
	}
	if t.source.State == nil {
		return a, false, nil
	}
	v, err := t.source.State.Get(n.Name())
	if err != nil {
		return a, false, err
	}
	a, err = graph.ArrayOf(v)
	return a, true, err
}

// computed is the value of a node that is computed here.
func (t *translator) computed(n *graph.Node) (graph.Array, error) {
	env := reference.Env{Feeds: t.source.Feeds, State: map[string]any{}, Train: t.source.Mode == vm.Train}
	if t.source.State != nil {
		for name, v := range t.source.State.Snapshot() {
			env.State[name] = v
		}
	}
	values, err := reference.Eval(env, n)
	if err != nil {
		return graph.Array{}, err
	}
	return values[0], nil
}

// array makes a leaf of a copy of a, converted to dtype.
func (t *translator) array(name string, dtype graph.DType, a graph.Array) *G.Node {
	if len(a.Shape) == 0 {
		var v any = a.At(0)
		if dtype == graph.Float32 {
			v = float32(a.At(0))
		}
		return G.NewScalar(t.graph, dtype.Tensor(), G.WithName(name), G.WithValue(v))
	}
	b := graph.NewArray(dtype, append([]int(nil), a.Shape...)...)
	b.CopyFrom(a)
	return G.NewTensor(t.graph, dtype.Tensor(), len(a.Shape), G.WithShape(a.Shape...), G.WithName(name), G.WithValue(b.Dense()))
}

func number(dtype tensor.Dtype, v float64) *G.Node {
	if dtype == tensor.Float32 {
		return G.NewConstant(float32(v))
	}
	return G.NewConstant(v)
}
