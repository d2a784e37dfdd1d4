package step

import (
	"context"
	"fmt"
	"time"

	"gorgonia.org/tensor"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/bench/internal/contest"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/vm"
)

var activations = map[string]nn.Layer{"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}

// Prepare makes a case ready in Tapir, as a program that uses it would.
func Prepare(c contest.Case) (*contest.Job, error) {
	net := c.Network()
	start := time.Now()
	g, batch := graph.New(), graph.Symbol("batch")
	width := func(i int) graph.Dim { return graph.Dim(net.Widths[i]) }
	x := g.Input("x", graph.Float32, batch, width(0))
	var model nn.Sequential
	for i := range net.Layers() {
		model = append(model, &nn.Linear{Out: net.Widths[i+1]})
		act := net.Activation
		if i+1 == net.Layers() {
			act = net.Last
		}
		if layer, ok := activations[act]; ok {
			model = append(model, layer)
		}
	}
	out := nn.Build(g, model, x)
	params := g.Params()
	feeds := vm.Feeds{x: tensor.New(tensor.WithShape(c.Batch, net.Widths[0]), tensor.WithBacking(c.Input()))}
	spec := vm.Spec{Mode: vm.Train}
	var loss *graph.Node
	switch net.Loss {
	case "cross-entropy":
		y := g.Input("y", graph.Int64, batch)
		feeds[y] = tensor.New(tensor.WithShape(c.Batch), tensor.WithBacking(c.Labels()))
		loss = losses.CrossEntropy(out, y)
	case "mse":
		last := net.Widths[net.Layers()]
		y := g.Input("y", graph.Float32, batch, graph.Dim(last))
		feeds[y] = tensor.New(tensor.WithShape(c.Batch, last), tensor.WithBacking(c.Target()))
		loss = losses.MSE(out, y)
	default:
		loss, spec.Mode = out, vm.Infer
	}
	spec.Outputs = []*graph.Node{loss}
	switch c.Optimiser {
	case "sgd":
		spec.Updates = optim.SGD{LR: net.Rate}.Updates(params, autodiff.Grad(loss, params...))
	case "adam":
		spec.Updates = optim.Adam{LR: net.Rate}.Updates(params, autodiff.Grad(loss, params...))
	}
	p, err := vm.Compile(spec)
	if err != nil {
		return nil, err
	}
	job := &contest.Job{Setup: time.Since(start)} // without the initial values, which the peers are given too
	state, err := vm.NewState(g, 1)
	if err != nil {
		return nil, err
	}
	m, err := vm.NewMachine(p, state)
	if err != nil {
		return nil, err
	}
	for i := range net.Layers() {
		weight := tensor.New(tensor.WithShape(net.Widths[i], net.Widths[i+1]), tensor.WithBacking(net.Weight(i)))
		bias := tensor.New(tensor.WithShape(net.Widths[i+1]), tensor.WithBacking(net.Bias(i)))
		for j, value := range []*tensor.Dense{weight, bias} {
			if err := state.Set(params[2*i+j].Name(), value); err != nil {
				return nil, err
			}
		}
	}
	if err := m.FeedAll(feeds); err != nil {
		return nil, err
	}
	ctx := context.Background()
	job.Step = func() error { return m.Run(ctx) }
	job.Loss = func() (float64, error) {
		v, err := m.Value(loss)
		if err != nil {
			return 0, err
		}
		switch data := v.Data().(type) {
		case float32:
			return float64(data), nil
		case []float32:
			return contest.MeanSize(data), nil
		}
		return 0, fmt.Errorf("the loss is a %T", v.Data())
	}
	return job, nil
}
