package gorgonia_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/interop/gorgonia"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	G "gorgonia.org/gorgonia"
)

type (
	node  = *graph.Node
	nodes = []*graph.Node
)

// problem is an expression y, the scalar loss Σ wᵢ·yᵢ made of it, and what feeds both. The weights keep a derivative from hiding
// behind a symmetry, such as Σ softmax = 1.
type problem struct {
	x       nodes
	y, loss node
	feeds   vm.Feeds
	state   *vm.State
}

// pose builds a problem over inputs of the given values.
func pose(build func(x ...node) node, values ...graph.Array) problem {
	g := graph.New()
	p := problem{feeds: vm.Feeds{}}
	for i, a := range values {
		dims := make([]graph.Dim, len(a.Shape))
		for k, size := range a.Shape {
			dims[k] = graph.Dim(size)
		}
		x := g.Input(fmt.Sprint("x", i), a.DType, dims...)
		p.x = append(p.x, x)
		p.feeds[x] = a.Dense()
	}
	p.y = build(p.x...)
	shape := make([]int, len(p.y.Shape()))
	for i, d := range p.y.Shape() {
		shape[i] = int(d)
	}
	weights := graph.NewArray(p.y.DType(), shape...)
	for i := range weights.Len() {
		weights.SetAt(i, 0.5+float64(i%7)/4)
	}
	p.loss = ops.Sum(ops.Mul(p.y, g.Constant(weights)))
	return p
}

// answers are the loss, y, and the derivatives of the loss by each of x.
type answers [][]float64

// byTapir computes the answers here.
func (p problem) byTapir() (answers, error) {
	outputs := append(nodes{p.loss, p.y}, autodiff.Grad(p.loss, p.x...)...)
	program, err := vm.Compile(vm.Spec{Outputs: outputs, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	state := p.state
	if state == nil {
		if state, err = vm.NewState(p.loss.Graph(), 1); err != nil {
			return nil, err
		}
	}
	m, err := vm.NewMachine(program, state)
	if err != nil {
		return nil, err
	}
	for x, v := range p.feeds {
		if err := m.Feed(x, v); err != nil {
			return nil, err
		}
	}
	if err := m.Run(context.Background()); err != nil {
		return nil, err
	}
	var all answers
	for _, n := range outputs {
		v, err := m.Value(n)
		if err != nil {
			return nil, err
		}
		all = append(all, floats(v.Data()))
	}
	return all, nil
}

func (p problem) source() gorgonia.Source {
	return gorgonia.Source{Feeds: p.feeds, State: p.state, Mode: vm.Train}
}

// byGorgonia computes the answers there, with gorgonia.Grad.
func (p problem) byGorgonia() (all answers, err error) {
	defer asError(&err)
	e, err := gorgonia.ToExprGraph(p.source(), p.loss, p.y)
	if err != nil {
		return nil, err
	}
	grads, err := G.Grad(e.Roots[0], e.Nodes(p.x...)...)
	if err != nil {
		return nil, err
	}
	return runThere(e.Graph, append(e.Roots, grads...))
}

// ourGradientThere computes the answers there, with the gradient that autodiff.Grad makes as an expression.
func (p problem) ourGradientThere() (all answers, err error) {
	defer asError(&err)
	e, err := gorgonia.ToExprGraph(p.source(), append(nodes{p.loss, p.y}, autodiff.Grad(p.loss, p.x...)...)...)
	if err != nil {
		return nil, err
	}
	return runThere(e.Graph, e.Roots)
}

func runThere(g *G.ExprGraph, wanted G.Nodes) (all answers, err error) {
	values := make([]G.Value, len(wanted))
	for i, n := range wanted {
		G.Read(n, &values[i])
	}
	m := G.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		return nil, err
	}
	for _, v := range values {
		all = append(all, floats(v.Data()))
	}
	return all, nil
}

func asError(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panicked: %v", p)
	}
}

// floats copies the data of a tensor or a scalar.
func floats(data any) (list []float64) {
	switch d := data.(type) {
	case float32:
		return []float64{float64(d)}
	case float64:
		return []float64{d}
	case []float32:
		for _, v := range d {
			list = append(list, float64(v))
		}
	case []float64:
		list = append(list, d...)
	}
	return list
}

// differ says where two answers are further apart than bound, relative to the largest element of each value (at least 1).
func differ(got, want answers, bound float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d values, want %d", len(got), len(want))
	}
	for i := range got {
		if len(got[i]) != len(want[i]) {
			return fmt.Sprintf("value %d has %d elements, want %d", i, len(got[i]), len(want[i]))
		}
		size := 1.0
		for _, v := range want[i] {
			size = max(size, math.Abs(v))
		}
		for j, v := range got[i] {
			if d := math.Abs(v - want[i][j]); !(d <= bound*size) {
				return fmt.Sprintf("value %d (0 is the loss, 1 its operand, then the gradients), element %d: %v there, %v here", i, j, v, want[i][j])
			}
		}
	}
	return ""
}

var epsilon = map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}

// random draws an array with elements from lo to hi.
func random(r *rand.Rand, dtype graph.DType, lo, hi float64, shape ...int) graph.Array {
	a := graph.NewArray(dtype, shape...)
	for i := range a.Len() {
		a.SetAt(i, lo+(hi-lo)*r.Float64())
	}
	return a
}

// array is a Float64 array of given elements.
func array(shape []int, values ...float64) graph.Array {
	a := graph.NewArray(graph.Float64, shape...)
	for i := range a.Len() {
		a.SetAt(i, values[i])
	}
	return a
}
