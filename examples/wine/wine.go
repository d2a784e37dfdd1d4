// Command wine tells the cultivars of wines apart by their chemistry. It shows what lies around a model: features in units of their
// own have to be scaled, what scaled them has to be saved with the model, and a model can be asked which measures it goes by.
// wine.go has the model and what is saved, main.go the flags, text and pictures.
//
//	go run ./examples/wine
//	go run ./examples/wine -judge bottles.csv
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/checkpoint"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/ops"
	"gorgonia.org/tensor"
)

// expert is a network with all that is needed to judge a wine: the names and the order of the measures, what scales them, and
// what the answers are called. As JSON it lies beside the weights.
type expert struct {
	Features []string
	Labels   data.Labels
	Scale    *data.Standard // nil: nothing is scaled

	trainer *train.Trainer
}

// newExpert makes a network that has learnt nothing yet.
func (e *expert) newNetwork(seed uint64) (err error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("measures", graph.Float32, batch, graph.Dim(len(e.Features)))
	y := g.Input("cultivar", graph.Int64, batch)
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: 16}, nn.Tanh, &nn.Linear{Out: e.Labels.Len()}}, x)
	e.trainer, err = train.New(train.Task{
		X: x, Y: y, Output: ops.Softmax(logits, 1), Loss: losses.CrossEntropy(logits, y), Metrics: []train.Metric{train.Accuracy()}, Optimizer: optim.Adam{LR: 0.01},
	}, seed)
	return err
}

// learn trains an expert. The scaling is fitted to the training wines alone.
func learn(ctx context.Context, training, test *data.Set, scale bool, epochs int, seed uint64) (*expert, *train.Result, error) {
	e := &expert{Features: training.Features, Labels: data.Labels{Names: training.Labels}}
	if scale {
		var err error
		if e.Scale, err = data.FitStandard(training.X); err != nil {
			return nil, nil, err
		}
	}
	if err := e.newNetwork(seed); err != nil {
		return nil, nil, err
	}
	training, err := e.scaled(training)
	if err != nil {
		return nil, nil, err
	}
	if test, err = e.scaled(test); err != nil {
		return nil, nil, err
	}
	batches, err := data.NewBatches(training, 16, seed)
	if err != nil {
		return nil, nil, err
	}
	result, err := e.trainer.Fit(ctx, batches, train.Options{Epochs: epochs, Validation: test}) // to look at: nothing is chosen by it
	return e, result, err
}

// scaled is the set as the network takes it; the set itself stays as it is.
func (e *expert) scaled(s *data.Set) (*data.Set, error) {
	scaled := *s
	if e.Scale == nil {
		return &scaled, nil
	}
	return &scaled, e.Scale.ApplyTo(&scaled)
}

// test measures how well the expert judges wines.
func (e *expert) test(ctx context.Context, s *data.Set) (train.Measures, error) {
	scaled, err := e.scaled(s)
	if err != nil {
		return nil, err
	}
	return e.trainer.EvalOnly(ctx, scaled)
}

// judge says for wines: (wines, measures) what each is, and how sure that is.
func (e *expert) judge(ctx context.Context, x *tensor.Dense) (names []string, sure []float32, err error) {
	s, err := e.scaled(&data.Set{X: x})
	if err != nil {
		return nil, nil, err
	}
	shares, err := e.trainer.Predict(ctx, s.X)
	if err != nil {
		return nil, nil, err
	}
	labels, err := data.FromOneHot(shares)
	if err != nil {
		return nil, nil, err
	}
	for i, label := range labels.Int64s() {
		sure = append(sure, shares.Float32s()[i*e.Labels.Len()+int(label)])
	}
	names, err = e.Labels.Decode(labels)
	return names, sure, err
}

// importance is by how much the loss rises when a measure is shuffled among the wines, so that it says nothing any more.
func (e *expert) importance(ctx context.Context, s *data.Set, seed uint64) ([]float64, error) {
	const shuffles = 20
	before, err := e.test(ctx, s)
	if err != nil {
		return nil, err
	}
	rises, width := make([]float64, len(e.Features)), len(e.Features)
	for feature := range rises {
		for i := range uint64(shuffles) {
			order, err := s.Split(seed+i, 1)
			if err != nil {
				return nil, err
			}
			x := slices.Clone(s.X.Float32s())
			for row := range s.Len() {
				x[row*width+feature] = order[0].X.Float32s()[row*width+feature]
			}
			after, err := e.test(ctx, &data.Set{X: tensor.New(tensor.WithShape(s.Len(), width), tensor.WithBacking(x)), Y: s.Y, Classes: s.Classes})
			if err != nil {
				return nil, err
			}
			rises[feature] += (after["loss"] - before["loss"]) / shuffles
		}
	}
	return rises, nil
}

// The files of an expert in a folder.
const (
	weightsFile = "wine.safetensors"
	aroundFile  = "wine.json"
)

func (e *expert) save(folder string) error {
	around, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, aroundFile), append(around, '\n'), 0o644); err != nil {
		return err
	}
	return checkpoint.Save(filepath.Join(folder, weightsFile), e.trainer.State)
}

func load(folder string) (*expert, error) {
	around, err := os.ReadFile(filepath.Join(folder, aroundFile))
	if err != nil {
		return nil, err
	}
	e := &expert{}
	if err := json.Unmarshal(around, e); err != nil {
		return nil, err
	}
	if err := e.newNetwork(0); err != nil {
		return nil, err
	}
	_, err = checkpoint.Load(filepath.Join(folder, weightsFile), e.trainer.State)
	return e, err
}
