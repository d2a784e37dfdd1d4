package main

import (
	"context"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// activation is one of the catalogue.
type activation struct {
	title string
	of    func(x *graph.Node) *graph.Node
	kinks []float64 // where it, or one of its first two derivatives, jumps
}

// with gives an activation its parameter.
func with(f func(*graph.Node, float64) *graph.Node, v float64) func(*graph.Node) *graph.Node {
	return func(x *graph.Node) *graph.Node { return f(x, v) }
}

// gallery is every elementwise activation of package ops, those with a parameter at a value that shows something. PReLU, LearnedELU and LearnedSwish are
// LeakyReLU, ELU and Swish with a parameter that is learned.
var gallery = []activation{
	{"ReLU", ops.ReLU, []float64{0}},
	{"LeakyReLU, alpha 0.1", with(ops.LeakyReLU, 0.1), []float64{0}},
	{"ReLU6", ops.ReLU6, []float64{0, 6}},
	{"HardTanh, -1 to 1", func(x *graph.Node) *graph.Node { return ops.HardTanh(x, -1, 1) }, []float64{-1, 1}},
	{"HardSigmoid", ops.HardSigmoid, []float64{-3, 3}},
	{"HardSwish", ops.HardSwish, []float64{-3, 3}},

	{"ELU, alpha 1.5", with(ops.ELU, 1.5), []float64{0}},
	{"SELU", ops.SELU, []float64{0}},
	{"CELU, alpha 1.5", with(ops.CELU, 1.5), []float64{0}},
	{"Softplus", ops.Softplus, nil},
	{"SoftplusBeta, beta 2", with(ops.SoftplusBeta, 2), nil},
	{"LogSigmoid", ops.LogSigmoid, nil},

	{"SiLU", ops.SiLU, nil},
	{"Swish, beta 2", with(ops.Swish, 2), nil},
	{"GELU", ops.GELU, nil},
	{"GELUTanh", ops.GELUTanh, nil},
	{"Mish", ops.Mish, nil},
	{"Sigmoid", ops.Sigmoid, nil},

	{"Tanh", ops.Tanh, nil},
	{"Softsign", ops.Softsign, []float64{0}},
	{"Tanhshrink", ops.Tanhshrink, nil},
	{"Softshrink, lambda 1", with(ops.Softshrink, 1), []float64{-1, 1}},
	{"Hardshrink, lambda 1", with(ops.Hardshrink, 1), []float64{-1, 1}},
	{"Threshold, theta 1, value -1", func(x *graph.Node) *graph.Node { return ops.Threshold(x, 1, -1) }, []float64{1}},
}

// curves are value, first and second derivative at some places.
type curves [3][]float64

// study runs an activation and its derivatives: what autodiff.Nth says, by one program.
func study(ctx context.Context, a activation, places []float64) (c curves, err error) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("places"))
	y := a.of(x)
	orders := []*graph.Node{y, autodiff.Nth(y, x, 1), autodiff.Nth(y, x, 2)}
	program, err := vm.Compile(vm.Spec{Outputs: orders})
	if err != nil {
		return c, err
	}
	state, err := vm.NewState(g, 0) // which is empty
	if err != nil {
		return c, err
	}
	m, err := vm.NewMachine(program, state)
	if err != nil {
		return c, err
	}
	if err := m.Feed(x, places); err != nil {
		return c, err
	}
	if err := m.Run(ctx); err != nil {
		return c, err
	}
	for i, n := range orders {
		v, err := m.Value(n)
		if err != nil {
			return c, err
		}
		c[i] = append(c[i], v.Float64s()...)
	}
	return c, nil
}

// far is how far the gallery looks to either side.
const far = 5

// stretches cuts the view at the kinks into stretches on which the curves are smooth: places of each, which come near its ends but are not on them.
func stretches(kinks []float64) (all [][]float64) {
	const near, step = 1e-9, 0.02
	from := -far + 0.0
	for _, to := range append(append([]float64(nil), kinks...), far) {
		if to > far {
			to = far
		}
		if to-from <= 2*near {
			continue
		}
		steps := int((to-from)/step) + 1
		var places []float64
		for i := range steps + 1 {
			places = append(places, from+near+(to-from-2*near)*float64(i)/float64(steps))
		}
		all = append(all, places)
		from = to
	}
	return all
}
