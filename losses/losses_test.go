package losses_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/vm"
)

func array(dtype graph.DType, shape []int, values []float64) graph.Array {
	a := graph.NewArray(dtype, shape...)
	for i := range a.Len() {
		a.SetAt(i, values[i])
	}
	return a
}

// lossAndGradient runs loss and its gradient by x.
func lossAndGradient(loss, x *graph.Node, feeds vm.Feeds) (value float64, grad graph.Array, err error) {
	dx := autodiff.Grad(loss, x)[0]
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss, dx}})
	if err != nil {
		return 0, grad, err
	}
	s, err := vm.NewState(x.Graph(), 0)
	if err != nil {
		return 0, grad, err
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		return 0, grad, err
	}
	if err := m.FeedAll(feeds); err != nil {
		return 0, grad, err
	}
	if err := m.Run(context.Background()); err != nil {
		return 0, grad, err
	}
	d, err := m.Value(dx)
	if err != nil {
		return 0, grad, err
	}
	if grad, err = graph.ArrayOf(d); err != nil {
		return 0, grad, err
	}
	value, err = m.Scalar(loss)
	return value, grad, err
}

// crossEntropy is the definition in plain loops, in float64.
func crossEntropy(logits []float64, labels []int64, classes int) (loss float64, grad []float64) {
	grad = make([]float64, len(logits))
	for r, label := range labels {
		row := logits[r*classes : (r+1)*classes]
		top := math.Inf(-1)
		for _, v := range row {
			top = math.Max(top, v)
		}
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v - top)
		}
		loss += math.Log(sum) - (row[label] - top)
		for k, v := range row {
			grad[r*classes+k] = math.Exp(v-top) / sum
		}
		grad[r*classes+int(label)]--
	}
	for i := range grad {
		grad[i] /= float64(len(labels))
	}
	return loss / float64(len(labels)), grad
}

func TestCrossEntropy(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		epsilon := map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}[dtype]
		for _, labelType := range []graph.DType{graph.Int32, graph.Int64} {
			for _, c := range []struct {
				rows, classes int
				scale         float64
			}{{1, 1, 3}, {1, 5, 3}, {7, 3, 1}, {30, 10, 20}, {4, 6, 1e4}, {1, 2, 1e4}} {
				g := graph.New()
				batch := graph.Symbol("batch")
				x, y := g.Input("x", dtype, batch, graph.Dim(c.classes)), g.Input("y", labelType, batch)
				var logits, fed []float64
				var labels []int64
				for range c.rows * c.classes {
					v := float64(float32(c.scale * (2*random.Float64() - 1)))
					if c.scale == 1e4 {
						v = []float64{-1e4, 1e4, 0}[random.IntN(3)]
					}
					logits = append(logits, v)
				}
				for range c.rows {
					labels = append(labels, int64(random.IntN(c.classes)))
					fed = append(fed, float64(labels[len(labels)-1]))
				}
				want, wantGrad := crossEntropy(logits, labels, c.classes)
				got, grad, err := lossAndGradient(losses.CrossEntropy(x, y), x, vm.Feeds{x: array(dtype, []int{c.rows, c.classes}, logits), y: array(labelType, []int{c.rows}, fed)})
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got-want) > 8*epsilon*math.Max(1, want) {
					t.Errorf("%v, %+v: %v, plain loops give %v", dtype, c, got, want)
				}
				for i, w := range wantGrad {
					// An error of x − max by one rounding turns into a relative one of the probability.
					if d := math.Abs(grad.At(i) - w); !(d <= (8+2*math.Min(c.scale, 100))*epsilon/float64(c.rows)) {
						t.Errorf("%v, %+v: gradient %d is %v, plain loops give %v", dtype, c, i, grad.At(i), w)
					}
				}
			}
		}
	}
}

func TestMSE(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, shape := range [][]int{{}, {1}, {5}, {3, 4}, {2, 1, 3}} {
			g := graph.New()
			var dims []graph.Dim
			n := 1
			for _, s := range shape {
				dims, n = append(dims, graph.Dim(s)), n*s
			}
			p, y := g.Input("p", dtype, dims...), g.Input("y", dtype, dims...)
			var a, b []float64
			want := 0.0
			for i := range n {
				a, b = append(a, float64(i)/4), append(b, float64(i*i%7))
				want += (a[i] - b[i]) * (a[i] - b[i]) / float64(n)
			}
			got, grad, err := lossAndGradient(losses.MSE(p, y), p, vm.Feeds{p: array(dtype, shape, a), y: array(dtype, shape, b)})
			if err != nil || math.Abs(got-want) > 1e-6*want {
				t.Errorf("%v: %v, %v, want %v", shape, got, err, want)
			}
			for i := range n {
				if w := 2 * (a[i] - b[i]) / float64(n); math.Abs(grad.At(i)-w) > 1e-6*math.Abs(w) {
					t.Errorf("%v: gradient %d is %v, want %v", shape, i, grad.At(i), w)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	g := graph.New()
	batch := graph.Symbol("batch")
	x, y := g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Int64, batch)
	for name, loss := range map[string]*graph.Node{
		"labels of another batch": losses.CrossEntropy(x, g.Input("z", graph.Int64, graph.Symbol("other"))),
		"float labels":            losses.CrossEntropy(x, g.Input("f", graph.Float32, batch)),
		"one-hot labels":          losses.CrossEntropy(x, g.Input("h", graph.Int64, batch, 3)),
		"integer logits":          losses.CrossEntropy(g.Input("i", graph.Int64, batch, 3), y),
		"nil logits":              losses.CrossEntropy(nil, y),
		"nil labels":              losses.CrossEntropy(x, nil),
		"shapes":                  losses.MSE(x, g.Input("w", graph.Float32, batch, 1)),
		"dtypes":                  losses.MSE(x, g.Input("d", graph.Float64, batch, 3)),
		"integers":                losses.MSE(y, y),
		"nil":                     losses.MSE(nil, nil),
	} {
		if loss.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	loss := losses.CrossEntropy(x, y)
	for name, feeds := range map[string]vm.Feeds{
		"an empty batch":       {x: array(graph.Float32, []int{0, 3}, nil), y: []int64{}},
		"a label out of range": {x: array(graph.Float32, []int{1, 3}, make([]float64, 3)), y: []int64{3}},
		"a negative label":     {x: array(graph.Float32, []int{1, 3}, make([]float64, 3)), y: []int64{-1}},
	} {
		if _, _, err := lossAndGradient(loss, x, feeds); !errors.Is(err, graph.ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Losses take logits: the scores before a softmax.
func Example() {
	g := graph.New()
	batch := graph.Symbol("batch")
	logits, labels := g.Input("logits", graph.Float64, batch, 2), g.Input("labels", graph.Int64, batch)
	loss := losses.CrossEntropy(logits, labels)
	v, err := vm.Eval(nil, loss, vm.Feeds{logits: array(graph.Float64, []int{1, 2}, []float64{1e4, 0}), labels: []int{1}})
	fmt.Println(v, err)
	// Output: 10000 <nil>
}

// Of a padded batch of sequences, what the mask leaves out has no part in the loss, labels that are no classes included.
func ExampleOptions() {
	g := graph.New()
	batch := graph.Symbol("batch")
	logits, labels := g.Input("logits", graph.Float64, batch, 3, 2), g.Input("labels", graph.Int64, batch, 3) // (batch, time, classes)
	mask := g.Input("mask", graph.Bool, batch, 3)
	loss := losses.CrossEntropy(logits, labels, losses.Options{ClassAxis: -1, Mask: mask, Reduction: losses.Sum})
	v, err := vm.Eval(nil, loss, vm.Feeds{
		logits: array(graph.Float64, []int{1, 3, 2}, []float64{8, 0, 0, 8, math.NaN(), math.NaN()}),
		labels: array(graph.Int64, []int{1, 3}, []float64{0, 0, -1}),
		mask:   array(graph.Bool, []int{1, 3}, []float64{1, 1, 0}),
	})
	fmt.Printf("%.4f %v\n", v.Data(), err)
	// Output: 8.0007 <nil>
}
