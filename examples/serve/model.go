package main

import (
	"context"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

const (
	pixels     = 64 // 8×8, each the ink in a block of 4×4 dots: 0 to 16
	mostInk    = 16
	classes    = 10
	batchLimit = 64 // images in a request
)

// model is a network that reads digits: two programs of one graph, over one state.
type model struct {
	image, digit  *graph.Node // inputs: (batch, 64) ink, and (batch)
	probabilities *graph.Node // (batch, 10)
	loss          *graph.Node

	answer, step *vm.Program
	state        *vm.State
}

func newModel(seed uint64) (*model, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	m := &model{image: g.Input("image", graph.Float32, batch, pixels), digit: g.Input("digit", graph.Int64, batch)}
	// The scaling is part of the graph, so whoever asks the model cannot forget it.
	logits := nn.Build(g, nn.Sequential{
		nn.Func(func(x *graph.Node) *graph.Node { return ops.Div(x, ops.Scalar(x, mostInk)) }),
		&nn.Linear{Out: 64}, nn.ReLU,
		&nn.Linear{Out: 32}, nn.ReLU,
		&nn.Linear{Out: classes},
	}, m.image)
	m.probabilities = ops.Softmax(logits, 1)
	m.loss = losses.CrossEntropy(logits, m.digit)

	weights := g.Params()
	updates := optim.Adam{LR: 0.003}.Updates(weights, autodiff.Grad(m.loss, weights...))
	var err error
	if m.step, err = vm.Compile(vm.Spec{Outputs: []*graph.Node{m.loss}, Updates: updates, Mode: vm.Train}); err != nil {
		return nil, err
	}
	if m.answer, err = vm.Compile(vm.Spec{Outputs: []*graph.Node{m.probabilities}}); err != nil {
		return nil, err
	}
	m.state, err = vm.NewState(g, seed)
	return m, err
}

// learner is the machine that changes the weights; there is one.
func (m *model) learner() (*vm.Machine, error) { return vm.NewMachine(m.step, m.state) }

// train fits the model to the digits that come with Tapir.
func (m *model) train(ctx context.Context, learner *vm.Machine, epochs int, seed uint64) error {
	digits, err := data.Digits(graph.Float32)
	if err != nil {
		return err
	}
	batches, err := data.NewBatches(digits, 32, seed)
	if err != nil {
		return err
	}
	for epoch := range epochs {
		for batches.Start(epoch); batches.Next(); {
			if _, err := m.learn(ctx, learner, batches.Batch().X, batches.Batch().Y); err != nil {
				return err
			}
		}
	}
	return nil
}

// learn makes one step and returns the loss before it. Machines that answer meanwhile see the weights from before the step or
// those from after it, never some of each.
func (m *model) learn(ctx context.Context, learner *vm.Machine, images, digits any) (float64, error) {
	if err := learner.Feed(m.image, images); err != nil {
		return 0, err
	}
	if err := learner.Feed(m.digit, digits); err != nil {
		return 0, err
	}
	if err := learner.Run(ctx); err != nil {
		return 0, err
	}
	return learner.Scalar(m.loss)
}
