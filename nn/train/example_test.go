package train_test

import (
	"context"
	"fmt"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"gorgonia.org/tensor"
)

// A line is found again: y = 3x − 1.
func Example() {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, 1)
	y := g.Input("y", graph.Float64, batch, 1)
	line := nn.Build(g, &nn.Linear{Out: 1}, x)
	t, err := train.New(train.Task{X: x, Y: y, Output: line, Loss: losses.MSE(line, y), Optimizer: optim.SGD{LR: 0.5},
		Metrics: []train.Metric{train.R2()}}, 1)
	if err != nil {
		panic(err)
	}
	set := &data.Set{
		X: tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{-1, 0, 1, 2})),
		Y: tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{-4, -1, 2, 5})),
	}
	batches, err := data.NewBatches(set, 4, 1)
	if err != nil {
		panic(err)
	}
	result, err := t.Fit(context.Background(), batches, train.Options{Epochs: 100})
	if err != nil {
		panic(err)
	}
	measures, err := t.EvalOnly(context.Background(), set)
	if err != nil {
		panic(err)
	}
	answer, err := t.Predict(context.Background(), tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{10})))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: R² %.3f, 10 → %.1f\n", result.Why, measures["r2"], answer.Float64s()[0])
	// Output: epochs: R² 1.000, 10 → 29.0
}
