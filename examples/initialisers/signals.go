package main

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// depth is how a network is built whose signals are watched: so many layers of as many units, and so many examples.
type depth struct{ layers, width, examples int }

// start is a way to start the weights of the layers.
type start struct {
	name string
	init graph.Init
}

// starts lists them for layers of as many inputs as outputs. What depends on the size is chosen as the field does by hand.
func starts(width int) []start {
	n := float64(width)
	named := func(i graph.Init) start { return start{i.Name, i} }
	return []start{
		{"zeros", initializers.Zeros()},
		{"constant 1/n", initializers.Constant(1 / n)},
		named(initializers.Normal(0.01)),
		named(initializers.Normal(0.2)),
		{"uniform ±√(1/n)", initializers.Uniform(-1/math.Sqrt(n), 1/math.Sqrt(n))}, // the start of PyTorch's linear layers
		named(initializers.LeCun()),
		named(initializers.Xavier()),
		{"xavier, gain 5/3", initializers.ScaledNormal(initializers.GainTanh, initializers.FanAverage)},
		named(initializers.He()),
		named(initializers.HeUniform()),
		named(initializers.Orthogonal(1)),
		{"orthogonal(√2)", initializers.Orthogonal(math.Sqrt2)},
		named(initializers.Identity(1)),
		{"sparse 90 %, as he", initializers.Sparse(0.9, math.Sqrt(2/(0.1*n)))},
	}
}

// signal is what travels through a network: the mean square of what each layer's activation is given, on the way forward, and of the gradient
// by it, on the way back. Where the weights have the mean 0 these are variances.
type signal struct{ forward, backward []float64 }

// travel sends normally distributed examples through the layers, and a normally distributed gradient back. It gives the geometric means over some
// seeds: signals are products of as many factors as there are layers.
func travel(ctx context.Context, d depth, activation func(*graph.Node) *graph.Node, init graph.Init, seeds uint64) (*signal, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, graph.Dim(d.width))
	pull := g.Input("pull", graph.Float64, batch, graph.Dim(d.width))

	scope, h := nn.Root(g, ""), x
	var given []*graph.Node
	for i := range d.layers {
		z := scope.Apply(strconv.Itoa(i), &nn.Linear{Out: d.width, Weight: init}, h)
		given, h = append(given, z), activation(z)
	}
	grads := autodiff.Grad(ops.Sum(ops.Mul(h, pull)), given...)
	var squares []*graph.Node
	for _, n := range append(given, grads...) {
		squares = append(squares, ops.Mean(ops.Square(n)))
	}
	all := ops.Stack(0, squares...)
	program, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{all}})
	if err != nil {
		return nil, err
	}

	logs := make([]float64, 2*d.layers)
	for seed := range seeds {
		state, err := vm.NewState(g, seed)
		if err != nil {
			return nil, err
		}
		m, err := vm.NewMachine(program, state)
		if err != nil {
			return nil, err
		}
		r := rand.New(rand.NewPCG(seed, 1))
		if err := m.FeedAll(vm.Feeds{x: normal(r, d), pull: normal(r, d)}); err != nil {
			return nil, err
		}
		if err := m.Run(ctx); err != nil {
			return nil, err
		}
		v, err := m.Value(all)
		if err != nil {
			return nil, err
		}
		for i, square := range v.Float64s() {
			logs[i] += math.Log(square) / float64(seeds)
		}
	}
	for i := range logs {
		logs[i] = math.Exp(logs[i])
	}
	return &signal{forward: logs[:d.layers], backward: logs[d.layers:]}, nil
}

func normal(r *rand.Rand, d depth) *tensor.Dense {
	values := make([]float64, d.examples*d.width)
	for i := range values {
		values[i] = r.NormFloat64()
	}
	return tensor.New(tensor.WithShape(d.examples, d.width), tensor.WithBacking(values))
}
