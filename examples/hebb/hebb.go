// Command hebb learns without a gradient: what fires together wires together. The rule is an update of the state, an expression
// like any other, and runs on the same tape as an optimiser's step. hebb.go has the rules, main.go shows what they found.
//
//	go run ./examples/hebb
package main

import (
	"context"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

const (
	features   = 64 // pixels
	components = 8
	batchSize  = 32
)

// learner is a layer of linear neurons, y = x·W, one column of W a neuron, and the machine that changes W.
type learner struct {
	x       *graph.Node // (batch, 64), of mean 0
	machine *vm.Machine
	state   *vm.State
}

// A rule says by how much the weights change, for outputs y: (batch, neurons) to inputs x: (batch, 64); the rate and the mean
// over the batch are not its matter.
type rule func(x, w, y *graph.Node) *graph.Node

// hebb is Hebb's rule, ΔW = xᵀ·y: each weight grows by the product of what is on both its sides. Nothing limits it.
func hebb(x, w, y *graph.Node) *graph.Node { return ops.MatMul(ops.Transpose(x), y) }

// sanger is the generalised Hebbian algorithm (T. D. Sanger, 1989), ΔW = xᵀ·y − W·upper(yᵀ·y): a neuron forgets in proportion to
// its output, which keeps its weights at length 1 (the rule of E. Oja, 1982, where there is one neuron), and it sees only what the
// neurons before it leave over. Its columns become the principal components of x, in order.
func sanger(x, w, y *graph.Node) *graph.Node {
	n := w.Shape()[1]
	row, column := ops.Reshape(ops.Iota(x.Graph(), graph.Int64, n), n, 1), ops.Iota(x.Graph(), graph.Int64, n)
	upper := ops.Cast(ops.LessEqual(row, column), w.DType())
	return ops.Sub(ops.MatMul(ops.Transpose(x), y), ops.MatMul(w, ops.Mul(upper, ops.MatMul(ops.Transpose(y), y))))
}

// newLearner makes neurons that learn by a rule. Its learning rate, a variable, is set as it goes.
func newLearner(r rule, neurons int, seed uint64) (*learner, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, features)
	w := g.Variable("w", graph.Float64, initializers.Normal(0.01), features, graph.Dim(neurons))
	rate := g.Variable("rate", graph.Float64, graph.Zeros())
	y := ops.MatMul(x, w)
	change := ops.Div(r(x, w, y), ops.DimSize(g, batch, graph.Float64))
	p, err := vm.Compile(vm.Spec{Updates: []graph.Update{{Target: w, Value: ops.Add(w, ops.Mul(rate, change))}}})
	if err != nil {
		return nil, err
	}
	l := &learner{x: x}
	if l.state, err = vm.NewState(g, seed); err != nil {
		return nil, err
	}
	l.machine, err = vm.NewMachine(p, l.state)
	return l, err
}

// epoch shows the neurons every example once.
func (l *learner) epoch(ctx context.Context, b *data.Batches, number int, rate float64) error {
	if err := l.state.Set("rate", rate); err != nil {
		return err
	}
	for b.Start(number); b.Next(); {
		if err := l.machine.Feed(l.x, b.Batch().X); err != nil {
			return err
		}
		if err := l.machine.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// weights returns the weights of each neuron.
func (l *learner) weights() ([][]float64, error) {
	v, err := l.state.Get("w")
	if err != nil {
		return nil, err
	}
	neurons := v.Shape()[1]
	all := make([][]float64, neurons)
	for i, x := range v.Float64s() {
		all[i%neurons] = append(all[i%neurons], x)
	}
	return all, nil
}

// centred returns the digits, their pixels from 0 to 1, with the mean of each pixel taken away.
func centred() (*data.Set, []float64, error) {
	d, err := data.Digits(graph.Float64)
	if err != nil {
		return nil, nil, err
	}
	x, mean := d.X.Float64s(), make([]float64, features)
	for i := range x {
		x[i] /= 16
		mean[i%features] += x[i] / float64(d.Len())
	}
	for i := range x {
		x[i] -= mean[i%features]
	}
	return d, mean, nil
}

// principal returns the first principal components by gonum's singular value decomposition, and the variance along each.
func principal(d *data.Set) (directions [][]float64, variances []float64) {
	var pc stat.PC
	if !pc.PrincipalComponents(mat.NewDense(d.Len(), features, d.X.Float64s()), nil) {
		return nil, nil
	}
	var v mat.Dense
	pc.VectorsTo(&v)
	for i := range components {
		directions = append(directions, mat.Col(nil, i, &v))
	}
	return directions, pc.VarsTo(nil)
}
