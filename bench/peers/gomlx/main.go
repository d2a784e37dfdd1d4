// Gomlx is the contender that steps by github.com/gomlx/gomlx on its backend in Go. Built with GOEXPERIMENT=simd it has that
// backend's products with AVX2. cmd/step of the bench module builds both and runs them.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/nn"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/tapir-ml/tapir/bench/internal/contest"
)

func main() {
	if err := contest.Serve(os.Stdin, os.Stdout, recovered); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// recovered makes an error of a panic, which is how building a graph reports one here.
func recovered(c contest.Case) (job *contest.Job, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return prepare(c)
}

var activations = map[string]activation.Type{"relu": activation.TypeRelu, "tanh": activation.TypeTanh}

func prepare(c contest.Case) (*contest.Job, error) {
	backend, err := gobackend.New("")
	if err != nil {
		return nil, err
	}
	net := c.Network()
	last := net.Widths[net.Layers()]
	var weights, biases []*tensors.Tensor
	for i := range net.Layers() {
		weights = append(weights, tensors.FromFlatDataAndDimensions(net.Weight(i), net.Widths[i], net.Widths[i+1]))
		biases = append(biases, tensors.FromFlatDataAndDimensions(net.Bias(i), net.Widths[i+1]))
	}
	x := tensors.FromFlatDataAndDimensions(c.Input(), c.Batch, net.Widths[0])
	y := tensors.FromFlatDataAndDimensions(make([]float32, c.Batch*last), c.Batch, last) // forward only: not looked at
	switch net.Loss {
	case "cross-entropy":
		y = tensors.FromFlatDataAndDimensions(c.OneHot(), c.Batch, last)
	case "mse":
		y = tensors.FromFlatDataAndDimensions(c.Target(), c.Batch, last)
	}
	for _, t := range []*tensors.Tensor{x, y} {
		if err := t.ToDevice(backend, 0); err != nil {
			return nil, err
		}
	}

	start := time.Now()
	exec, err := model.NewExec(backend, model.NewStore(), func(s *model.Scope, x, y *graph.Node) *graph.Node {
		h := x
		var vars []*model.Variable
		for i := range net.Layers() {
			w, b := s.VariableWithValue(fmt.Sprint("w", i), weights[i]), s.VariableWithValue(fmt.Sprint("b", i), biases[i])
			vars = append(vars, w, b)
			act := net.Activation
			if i+1 == net.Layers() {
				act = net.Last
			}
			h = nn.Dense(h, w.NodeValue(h), b.NodeValue(h), compute.DenseLayoutInputOutputs, activations[act])
			if act == "sigmoid" { // which the fused layer does not have
				h = graph.Sigmoid(h)
			}
		}
		loss := h
		switch net.Loss {
		case "cross-entropy":
			loss = graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(graph.LogSoftmax(h, -1), y), -1)))
		case "mse":
			loss = graph.ReduceAllMean(graph.Square(graph.Sub(h, y)))
		}
		switch c.Optimiser {
		case "sgd": // that of the library scales its rate by the number of the step
			nodes := make([]*graph.Node, len(vars))
			for i, v := range vars {
				nodes[i] = v.NodeValue(loss)
			}
			for i, g := range graph.Gradient(loss, nodes...) {
				vars[i].SetNodeValue(graph.Sub(nodes[i], graph.MulScalar(g, net.Rate)))
			}
		case "adam":
			optimizer.Adam().LearningRate(net.Rate).Epsilon(1e-8).Done().UpdateGraph(s, loss.Graph(), loss)
		}
		return loss
	})
	if err != nil {
		return nil, err
	}
	if _, err := exec.Compile(x.Shape(), y.Shape()); err != nil {
		return nil, err
	}
	job := &contest.Job{Version: contest.Version("github.com/gomlx/gomlx"), How: how, Setup: time.Since(start)}
	var out *tensors.Tensor
	job.Step = func() (err error) {
		if out != nil {
			if err := out.FinalizeAll(); err != nil {
				return err
			}
		}
		out, err = exec.Call1(x, y)
		return err
	}
	job.Loss = func() (float64, error) {
		switch v := out.Value().(type) {
		case float32:
			return float64(v), nil
		case [][]float32:
			return contest.MeanSize(slices.Concat(v...)), nil
		}
		return 0, fmt.Errorf("the loss is a %T", out.Value())
	}
	job.Close = exec.Finalize
	return job, nil
}
