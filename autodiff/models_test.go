package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// layers is a network of tanh layers over x, with parameters from w on.
func layers(x *graph.Node, w []*graph.Node) *graph.Node {
	for i := 0; i+1 < len(w); i += 2 {
		if i > 0 {
			x = ops.Tanh(x)
		}
		x = ops.Affine(x, w[i], w[i+1])
	}
	return x
}

func weights(g *graph.Graph, sizes ...graph.Dim) (params []*graph.Node, values map[*graph.Node]any) {
	values = map[*graph.Node]any{}
	for i := 0; i+1 < len(sizes); i++ {
		for k, dims := range [][]graph.Dim{{sizes[i], sizes[i+1]}, {sizes[i+1]}} {
			n := g.Param(fmt.Sprintf("%d.%d", i, k), graph.Float64, graph.Zeros(), dims...)
			params, values[n] = append(params, n), filled(len(params)+1, n.Shape())
		}
	}
	return params, values
}

func filled(phase int, shape graph.Shape) graph.Array {
	a := graph.NewArray(graph.Float64, ints(shape)...)
	for i := range a.Len() {
		a.SetAt(i, math.Sin(float64(7*phase+3*i)))
	}
	return a
}

func ints(shape graph.Shape) (list []int) {
	for _, d := range shape {
		list = append(list, int(d))
	}
	return list
}

// A gradient penalty, WGAN-GP: the gradient by the critic's parameters of the norm of its gradient by the samples, with a symbolic batch,
// and its own gradient, agree with differences.
func TestGradientPenalty(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 3)
	params, values := weights(g, 3, 4, 1)
	slope := autodiff.Grad(ops.Sum(layers(x, params)), x)[0]
	penalty := ops.Mean(ops.Square(ops.AddScalar(ops.Sqrt(ops.AddScalar(ops.Sum(ops.Square(slope), 1), 1e-6)), -1)))
	values[x] = filled(0, graph.Shape{5, 3})
	report, err := gradcheck.Node(penalty, values)
	if err != nil || !report.OK() || report.Checked < 2*(15+12+4+4) {
		t.Errorf("%v, %v", report, err)
	}
}

// MAML: three inner steps of gradient descent on one task, then the loss of another, differentiated by the weights from before, agree with
// differences; the first-order variant, which stops the inner gradients, is another number.
func TestInnerSteps(t *testing.T) {
	g := graph.New()
	x, y, x2, y2 := g.Input("x", graph.Float64, 4, 2), g.Input("y", graph.Float64, 4, 1), g.Input("x2", graph.Float64, 3, 2), g.Input("y2", graph.Float64, 3, 1)
	params, values := weights(g, 2, 3, 1)
	for i, n := range []*graph.Node{x, y, x2, y2} {
		values[n] = filled(10+i, n.Shape())
	}
	loss := func(x, y *graph.Node, w []*graph.Node) *graph.Node {
		return ops.Mean(ops.Square(ops.Sub(layers(x, w), y)))
	}
	adapt := func(through func(*graph.Node) *graph.Node) *graph.Node {
		w := params
		for range 3 {
			var next []*graph.Node
			for i, d := range autodiff.Grad(loss(x, y, w), w...) {
				next = append(next, ops.Sub(w[i], ops.Scale(through(d), 0.1)))
			}
			w = next
		}
		return loss(x2, y2, w)
	}
	meta := adapt(func(d *graph.Node) *graph.Node { return d })
	report, err := gradcheck.Options{Order: 1}.Node(meta, values)
	if err != nil || !report.OK() {
		t.Errorf("%v, %v", report, err)
	}
	if report, err = (gradcheck.Options{Order: 1}).Node(adapt(ops.StopGradient), values); err != nil || report.OK() {
		t.Errorf("first-order gradients passed for those of the whole: %v, %v", report, err)
	}
}

// A classifier with normalisations and dropout, in both modes: first and second derivatives by all its parameters and statistics, forward and
// reverse, agree with differences.
func TestWholeModel(t *testing.T) {
	for _, mode := range []vm.Mode{vm.Train, vm.Infer} {
		g := graph.New()
		x, label := g.Input("x", graph.Float64, graph.Symbol("batch"), 5), g.Input("label", graph.Int64, graph.Symbol("batch"))
		params, values := weights(g, 5, 6, 4, 3)
		values[x] = filled(0, graph.Shape{7, 5})
		values[label] = []int64{0, 2, 1, 1, 0, 2, 2}
		scale, shift := g.Param("scale", graph.Float64, graph.Full(1), 6), g.Param("shift", graph.Float64, graph.Zeros(), 6)
		running := ops.Running{Mean: g.Variable("mean", graph.Float64, graph.Zeros(), 6), Variance: g.Variable("variance", graph.Float64, graph.Full(1), 6), Momentum: 0.1}
		values[scale], values[shift], values[running.Mean] = filled(3, scale.Shape()), filled(4, shift.Shape()), filled(5, shift.Shape())
		values[running.Variance] = []float64{1, 2, 0.5, 1.5, 1, 3}
		h := ops.BatchNorm(ops.Affine(x, params[0], params[1]), 1, scale, shift, running, 1e-3)
		h = ops.Dropout(ops.Tanh(h), 0.25, ops.Key(g, 3))
		h = ops.GELU(ops.LayerNorm(ops.Affine(h, params[2], params[3]), 1, nil, nil, 1e-3))
		loss := losses.CrossEntropy(ops.Affine(h, params[4], params[5]), label)
		report, err := gradcheck.Options{Mode: mode}.Node(loss, values)
		if err != nil || !report.OK() || report.Checked < 200 {
			t.Errorf("%v: %v, %v", mode, report, err)
		}
	}
}
