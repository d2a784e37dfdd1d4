// Command digits trains a network to read handwritten digits. It is the first Tapir program to read: the model, how it is
// trained and how it is asked are in this file, digits.go. Beside it: images.go loads and splits the images, main.go has the
// flags and the order of things, text.go and pictures.go show what came of it.
//
//	go run ./examples/digits
package main

import (
	"context"
	"fmt"
	"math"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// network is the model as a graph, and the two machines that run it.
type network struct {
	pixels, digit  *graph.Node // inputs: (batch, 64) and (batch)
	read           *graph.Node // what the network takes each image for: (batch)
	loss, accuracy *graph.Node // means over the batch

	trainer *vm.Machine // runs the loss, its gradient and the optimiser's step
	asker   *vm.Machine // runs the model alone, over the same weights

	explanation vm.Explanation // of how the step of training was compiled
}

func newNetwork(o options) (*network, error) {
	// The model is an expression. Nothing is computed yet; the size of a batch stays a symbol.
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{pixels: g.Input("pixels", o.dtype, batch, 64), digit: g.Input("digit", graph.Int64, batch)}
	model := nn.Sequential{
		&nn.Linear{Out: 64}, nn.ReLU,
		&nn.Linear{Out: 32}, nn.ReLU,
		&nn.Linear{Out: 10},
	}
	logits := nn.Build(g, model, n.pixels)
	n.read = ops.ArgMax(logits, 1)
	n.loss = losses.CrossEntropy(logits, n.digit).Named("loss")
	n.accuracy = ops.Mean(ops.Cast(ops.Equal(n.read, n.digit), graph.Float64)).Named("accuracy")

	// So are its gradient and a step of the optimiser.
	weights := g.Params()
	updates := optim.Adam{LR: o.lr}.Updates(weights, autodiff.Grad(n.loss, weights...))

	// Compile makes tapes of them. What is wrong with an expression comes up here, with the line that wrote it.
	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.accuracy}, Updates: updates, Mode: vm.Train, Explain: &n.explanation})
	if err != nil {
		return nil, err
	}
	answer, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.read, n.loss, n.accuracy}})
	if err != nil {
		return nil, err
	}

	// A state holds the weights; machines that share it see the same ones.
	state, err := vm.NewState(g, o.seed)
	if err != nil {
		return nil, err
	}
	if n.trainer, err = vm.NewMachine(step, state); err != nil {
		return nil, err
	}
	n.asker, err = vm.NewMachine(answer, state)
	return n, err
}

// score is how well a set of images is read.
type score struct{ loss, accuracy float64 }

// run feeds one of the machines and runs it: the trainer makes a step, the asker only looks.
func (n *network) run(ctx context.Context, m *vm.Machine, s *data.Set) (now score, err error) {
	if err := m.Feed(n.pixels, s.X); err != nil {
		return now, err
	}
	if err := m.Feed(n.digit, s.Y); err != nil {
		return now, err
	}
	if err := m.Run(ctx); err != nil {
		return now, err
	}
	if now.loss, err = m.Scalar(n.loss); err != nil {
		return now, err
	}
	now.accuracy, err = m.Scalar(n.accuracy)
	return now, err
}

// epoch is one pass over the training images.
type epoch struct {
	number     int
	train      score // mean over the steps, while the weights move
	validation score // at the end
}

// train fits the network to the training images, and shows each epoch as it is done. It returns the epochs that were finished.
func (n *network) train(ctx context.Context, o options, d *sets, show func(epoch)) (history []epoch, err error) {
	batches, err := data.NewBatches(d.train, o.batch, o.seed)
	if err != nil {
		return nil, err
	}
	for number := 1; number <= o.epochs; number++ {
		now := epoch{number: number}
		for batches.Start(number); batches.Next(); {
			step, err := n.run(ctx, n.trainer, batches.Batch())
			if err != nil {
				return history, err
			}
			share := float64(batches.Size()) / float64(d.train.Len()) // the last batch may be smaller
			now.train.loss += share * step.loss
			now.train.accuracy += share * step.accuracy
		}
		if math.IsNaN(now.train.loss) || math.IsInf(now.train.loss, 0) {
			return history, fmt.Errorf("the loss is %v in epoch %d: the steps are too large; try a smaller -lr", now.train.loss, number)
		}
		if now.validation, err = n.run(ctx, n.asker, d.validation); err != nil {
			return history, err
		}
		history = append(history, now)
		show(now)
	}
	return history, nil
}

// test asks the network about images that it has never seen; read is what it takes each for.
func (n *network) test(s *data.Set) (result score, read []int64, err error) {
	if result, err = n.run(context.Background(), n.asker, s); err != nil {
		return result, nil, err
	}
	answers, err := n.asker.Value(n.read)
	if err != nil {
		return result, nil, err
	}
	return result, append(read, answers.Int64s()...), nil
}
