// Command digits trains a network to read handwritten digits. It is the first Tapir program to read: the model, how it is
// trained and how it is asked are in this file, digits.go. Beside it: images.go loads and splits the images, main.go has the
// flags and the order of things, text.go and pictures.go show what came of it.
//
//	go run ./examples/digits
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/vm"
)

// network is the model as a graph, with what trains and asks it.
type network struct {
	pixels, loss *graph.Node // input: (batch, 64); the mean over the batch
	*train.Trainer

	explanation vm.Explanation // of how the step of training was compiled
}

func newNetwork(o options) (*network, error) {
	// The model is an expression. Nothing is computed yet; the size of a batch stays a symbol.
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{pixels: g.Input("pixels", o.float(), batch, 64)}
	digit := g.Input("digit", graph.Int64, batch)
	model := nn.Sequential{
		&nn.Linear{Out: 64}, nn.ReLU,
		&nn.Linear{Out: 32}, nn.ReLU,
		&nn.Linear{Out: 10},
	}
	logits := nn.Build(g, model, n.pixels)
	n.loss = losses.CrossEntropy(logits, digit).Named("loss")

	// New adds the gradient of the loss and a step of the optimiser, which are expressions too, and compiles them to tapes: what
	// is wrong with an expression comes up here, with the line that wrote it. The weights that the tapes share are in the
	// trainer's State. (nn/train/train.go shows how this is done, and fit.go the loop.)
	var err error
	n.Trainer, err = train.New(train.Task{
		X: n.pixels, Y: digit, Output: logits, Loss: n.loss,
		Optimizer: optim.Adam{LR: o.lr},
		Metrics:   []train.Metric{train.Accuracy()},
		Explain:   &n.explanation,
	}, o.seed)
	return n, err
}

// train fits the network to the training images, and shows how it goes. The result holds the epochs that were finished.
func (n *network) train(ctx context.Context, o options, d *sets, progress io.Writer) (*train.Result, error) {
	batches, err := data.NewBatches(d.train, o.batch, o.seed)
	if err != nil {
		return nil, err
	}
	result, err := n.Fit(ctx, batches, train.Options{Epochs: o.epochs, Validation: d.validation, Progress: progress})
	if errors.Is(err, train.ErrDiverged) {
		err = fmt.Errorf("%w; try a smaller -lr", err)
	}
	return result, err
}

// test asks the network about images that it has never seen; read is what it takes each for.
func (n *network) test(s *data.Set) (measures train.Measures, read []int64, err error) {
	ctx := context.Background()
	if measures, err = n.EvalOnly(ctx, s); err != nil {
		return nil, nil, err
	}
	logits, err := n.Predict(ctx, s.X)
	if err != nil {
		return nil, nil, err
	}
	answers, err := data.FromOneHot(logits) // the class of the largest
	if err != nil {
		return nil, nil, err
	}
	return measures, answers.Int64s(), nil
}
