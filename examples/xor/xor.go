package main

import (
	"context"
	"math"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// The four cases of "one or the other, but not both".
var (
	cases   = []float64{0, 0, 0, 1, 1, 0, 1, 1}
	answers = []float64{0, 1, 1, 0}
)

// perceptron weighs its inputs and decides: its border is a straight line.
func perceptron() nn.Layer { return &nn.Linear{Out: 1, Weight: initializers.Xavier()} }

// withHidden has a layer in between, of so many units.
func withHidden(units int) nn.Layer {
	return nn.Sequential{
		&nn.Linear{Out: units, Weight: initializers.ScaledNormal(2, initializers.FanIn), Bias: initializers.Uniform(-1, 1)}, nn.Tanh,
		&nn.Linear{Out: 1, Weight: initializers.Xavier()},
	}
}

// learner is a model with one output, the probability of "yes", and the machines that run it.
type learner struct {
	x, y           *graph.Node // inputs: (batch, 2) and (batch, 1)
	yes, loss      *graph.Node // (batch, 1), and the mean cross-entropy in nats
	trainer, asker *vm.Machine
}

func newLearner(model nn.Layer, seed uint64) (*learner, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	l := &learner{x: g.Input("x", graph.Float64, batch, 2), y: g.Input("y", graph.Float64, batch, 1)}
	logit := nn.Build(g, model, l.x)
	l.yes = ops.Sigmoid(logit)
	l.loss = losses.BinaryCrossEntropy(logit, l.y)
	updates := optim.Adam{LR: 0.03}.Updates(g.Params(), autodiff.Grad(l.loss, g.Params()...))
	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{l.loss}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	answer, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{l.yes}})
	if err != nil {
		return nil, err
	}
	state, err := vm.NewState(g, seed)
	if err != nil {
		return nil, err
	}
	if l.trainer, err = vm.NewMachine(step, state); err != nil {
		return nil, err
	}
	l.asker, err = vm.NewMachine(answer, state)
	return l, err
}

// learn makes steps on all four cases and returns the loss before each.
func (l *learner) learn(ctx context.Context, steps int) (history []float64, err error) {
	if err := l.trainer.FeedAll(vm.Feeds{l.x: points(cases), l.y: tensor.New(tensor.WithShape(4, 1), tensor.WithBacking(answers))}); err != nil {
		return nil, err
	}
	for range steps {
		if err := l.trainer.Run(ctx); err != nil {
			return history, err
		}
		now, err := l.trainer.Scalar(l.loss)
		if err != nil {
			return history, err
		}
		history = append(history, now)
	}
	return history, nil
}

// ask returns the probability of "yes" at points (x, y, x, y, …).
func (l *learner) ask(ctx context.Context, at []float64) ([]float64, error) {
	if err := l.asker.Feed(l.x, points(at)); err != nil {
		return nil, err
	}
	if err := l.asker.Run(ctx); err != nil {
		return nil, err
	}
	v, err := l.asker.Value(l.yes)
	if err != nil {
		return nil, err
	}
	return append([]float64(nil), v.Float64s()...), nil
}

func points(at []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(at)/2, 2), tensor.WithBacking(at))
}

// right counts the cases that are answered with more than a doubt: nearer to what is right than 0.5 by more than rounding.
func right(yes []float64) (n int) {
	for i, p := range yes {
		if math.Abs(p-answers[i]) < 0.49 {
			n++
		}
	}
	return n
}

// plane is n×n points from lo to hi, row by row from the bottom up.
func plane(lo, hi float64, n int) (at []float64) {
	for i := range n * n {
		step := (hi - lo) / float64(n-1)
		at = append(at, lo+step*float64(i%n), lo+step*float64(i/n))
	}
	return at
}
