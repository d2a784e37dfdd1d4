// Gorgonia is the contender that steps by gorgonia.org/gorgonia, on its tape machine. cmd/step of the bench module runs it.
package main

import (
	"fmt"
	"os"
	"time"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/tapir-ml/tapir/bench/internal/contest"
)

func main() {
	if err := contest.Serve(os.Stdin, os.Stdout, prepare); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var activations = map[string]func(*G.Node) (*G.Node, error){"relu": G.Rectify, "tanh": G.Tanh, "sigmoid": G.Sigmoid}

// builder keeps the first error, so that the network reads as one.
type builder struct {
	g   *G.ExprGraph
	err error
}

func (b *builder) matrix(name string, rows, cols int, values []float32) *G.Node {
	v := tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(values))
	return G.NewMatrix(b.g, G.Float32, G.WithShape(rows, cols), G.WithName(name), G.WithValue(v))
}

func (b *builder) do(n *G.Node, err error) *G.Node {
	if err != nil && b.err == nil {
		b.err = err
	}
	return n
}

func (b *builder) affine(x, w, bias *G.Node, rows int) *G.Node {
	xw := b.do(G.Mul(x, w))
	if b.err != nil {
		return nil
	}
	if rows == 1 { // of the same shape: there is nothing to broadcast
		return b.do(G.Add(xw, bias))
	}
	return b.do(G.BroadcastAdd(xw, bias, nil, []byte{0}))
}

func prepare(c contest.Case) (*contest.Job, error) {
	net := c.Network()
	last := net.Widths[net.Layers()]
	var weights, biases [][]float32
	for i := range net.Layers() {
		weights, biases = append(weights, net.Weight(i)), append(biases, net.Bias(i))
	}
	start := time.Now()
	b := &builder{g: G.NewGraph()}
	h := b.matrix("x", c.Batch, net.Widths[0], c.Input())
	var learnables G.Nodes
	for i := range net.Layers() {
		in, out := net.Widths[i], net.Widths[i+1]
		w := b.matrix(fmt.Sprint("w", i), in, out, weights[i])
		bias := b.matrix(fmt.Sprint("b", i), 1, out, biases[i])
		learnables = append(learnables, w, bias)
		h = b.affine(h, w, bias, c.Batch)
		act := net.Activation
		if i+1 == net.Layers() {
			act = net.Last
		}
		if f := activations[act]; f != nil && b.err == nil {
			h = b.do(f(h))
		}
		if b.err != nil {
			return nil, b.err
		}
	}
	result := h
	switch net.Loss {
	case "cross-entropy":
		y := b.matrix("y", c.Batch, last, c.OneHot())
		logs := b.do(G.LogSoftMax(h, 1))
		result = b.do(G.Neg(b.do(G.Mean(b.do(G.Sum(b.do(G.HadamardProd(logs, y)), 1))))))
	case "mse":
		y := b.matrix("y", c.Batch, last, c.Target())
		result = b.do(G.Mean(b.do(G.Square(b.do(G.Sub(h, y))))))
	}
	if b.err != nil {
		return nil, b.err
	}
	var value G.Value
	G.Read(result, &value)
	var solver G.Solver
	switch c.Optimiser {
	case "sgd":
		solver = G.NewVanillaSolver(G.WithLearnRate(net.Rate))
	case "adam":
		solver = G.NewAdamSolver(G.WithLearnRate(net.Rate))
	}
	var options []G.VMOpt
	if solver != nil {
		if _, err := G.Grad(result, learnables...); err != nil {
			return nil, err
		}
		options = append(options, G.BindDualValues(learnables...))
	}
	prog, places, err := G.Compile(b.g)
	if err != nil {
		return nil, err
	}
	machine := G.NewTapeMachine(b.g, append(options, G.WithPrecompiled(prog, places))...)
	job := &contest.Job{Version: contest.Version("gorgonia.org/gorgonia"), Setup: time.Since(start)}
	model := G.NodesToValueGrads(learnables)
	job.Step = func() error {
		if err := machine.RunAll(); err != nil {
			return err
		}
		if solver != nil {
			if err := solver.Step(model); err != nil {
				return err
			}
		}
		machine.Reset()
		return nil
	}
	job.Loss = func() (float64, error) {
		switch v := value.Data().(type) {
		case float32:
			return float64(v), nil
		case []float32:
			return contest.MeanSize(v), nil
		}
		return 0, fmt.Errorf("the loss is a %T", value.Data())
	}
	job.Close = func() { _ = machine.Close() }
	return job, nil
}
