package main

import (
	"context"
	"slices"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

const hidden = 32 // units of the network whose symmetry is watched

// broken is what came of training a network: how many of its hidden units are different ones at the end.
type broken struct {
	loss     []float64 // before each step
	accuracy float64   // of the training images, at the end
	units    int
}

// breakSymmetry trains a 64-32-10 network on the digits, each step on all of them. Units that start with the same weights, in and out, are given
// the same gradients, and stay the same unit 32 times over.
func breakSymmetry(ctx context.Context, init graph.Init, activation nn.Layer, steps int) (*broken, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x, y := g.Input("pixels", graph.Float64, batch, 64), g.Input("digit", graph.Int64, batch)
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: hidden, Weight: init}, activation, &nn.Linear{Out: 10, Weight: init}}, x)
	loss := losses.CrossEntropy(logits, y)
	right := ops.Mean(ops.Cast(ops.Equal(ops.ArgMax(logits, 1), y), graph.Float64))
	updates := optim.Adam{LR: 0.01}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...))
	program, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss, right}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	state, err := vm.NewState(g, 1)
	if err != nil {
		return nil, err
	}
	m, err := vm.NewMachine(program, state)
	if err != nil {
		return nil, err
	}
	digits, err := data.Digits(graph.Float64)
	if err != nil {
		return nil, err
	}
	scale, err := data.FitMinMaxJoint(digits.X)
	if err != nil {
		return nil, err
	}
	if digits.X, err = scale.Apply(digits.X); err != nil {
		return nil, err
	}
	if err := m.FeedAll(vm.Feeds{x: digits.X, y: digits.Y}); err != nil {
		return nil, err
	}
	b := &broken{}
	for range steps {
		if err := m.Run(ctx); err != nil {
			return nil, err
		}
		l, err := m.Scalar(loss)
		if err != nil {
			return nil, err
		}
		b.loss = append(b.loss, l)
	}
	if b.accuracy, err = m.Scalar(right); err != nil {
		return nil, err
	}
	in, err := state.Get("0.weight")
	if err != nil {
		return nil, err
	}
	out, err := state.Get("2.weight")
	if err != nil {
		return nil, err
	}
	b.units = different(in.Float64s(), out.Float64s())
	return b, nil
}

// different counts the hidden units that differ in a weight, bit by bit: of in: (64, hidden) and out: (hidden, 10).
func different(in, out []float64) int {
	var kinds [][]float64
	for unit := range hidden {
		weights := slices.Clone(out[unit*10 : (unit+1)*10])
		for i := range 64 {
			weights = append(weights, in[i*hidden+unit])
		}
		if !slices.ContainsFunc(kinds, func(k []float64) bool { return slices.Equal(k, weights) }) {
			kinds = append(kinds, weights)
		}
	}
	return len(kinds)
}
