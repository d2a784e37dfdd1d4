// Command mnist trains a 784-128-10 network on MNIST's images of handwritten digits, from its IDX files. mnist.go has the network
// and its training, images.go where the images come from, main.go the flags and what can be seen.
//
//	go run ./examples/mnist -dir mnist -download
//	go run ./examples/mnist -images t10k-images-idx3-ubyte.gz -labels t10k-labels-idx1-ubyte.gz
package main

import (
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
)

const hidden = 128

// newTrainer is the network, not yet trained, and what trains it.
func newTrainer(pixels, digits int, rate float64, seed uint64) (*train.Trainer, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("pixels", graph.Float32, batch, graph.Dim(pixels))
	y := g.Input("digit", graph.Int64, batch)
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: hidden}, nn.ReLU, &nn.Linear{Out: digits}}, x)
	return train.New(train.Task{
		X: x, Y: y, Output: logits, Loss: losses.CrossEntropy(logits, y), Metrics: []train.Metric{train.Accuracy()}, Optimizer: optim.Adam{LR: rate},
	}, seed)
}

// outcome is a network that was trained, and how it did.
type outcome struct {
	trainer *train.Trainer
	history *train.History
	final   train.Measures // of the test images
	took    time.Duration
}

// learn trains a network. The test images are looked at after each epoch, but nothing is chosen by them.
func learn(ctx context.Context, progress io.Writer, s *sets, o options) (*outcome, error) {
	began := time.Now()
	trainer, err := newTrainer(s.train.X.Shape()[1], s.train.Classes, o.rate, o.seed)
	if err != nil {
		return nil, err
	}
	batches, err := data.NewBatches(s.train, o.batch, o.seed)
	if err != nil {
		return nil, err
	}
	fit := train.Options{Epochs: o.epochs, Validation: s.test, Progress: progress}
	if o.keep != "" {
		fit.Checkpoints = train.Checkpoints{Dir: o.keep, Interval: 10 * time.Second}
	}
	result, err := trainer.Fit(ctx, batches, fit)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	final, err := trainer.EvalOnly(ctx, s.test)
	return &outcome{trainer: trainer, history: result.History, final: final, took: took}, err
}

// mistake is an image that was taken wrongly.
type mistake struct {
	image         int
	answer, truth int64
	sure          float64 // the probability that the network gives its answer
}

// mistakes lists what was taken wrongly, those first of which the network is surest.
func mistakes(logits []float32, answers, truths []int64) (wrong []mistake) {
	classes := len(logits) / max(len(answers), 1)
	for i, answer := range answers {
		if answer == truths[i] {
			continue
		}
		row, others := logits[i*classes:(i+1)*classes], 0.0
		for _, v := range row {
			others += math.Exp(float64(v - row[answer]))
		}
		wrong = append(wrong, mistake{i, answer, truths[i], 1 / others})
	}
	slices.SortStableFunc(wrong, func(a, b mistake) int { return cmp.Compare(b.sure, a.sure) })
	return wrong
}
