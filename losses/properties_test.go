package losses_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// examples returns one golden case of each loss that gives a tensor of losses, without weights or a mask: operands to try other options on.
func examples(t *testing.T) (cases []goldenCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"information": true} // it has no options
	for _, c := range g.Cases {
		if c.Reduction == "none" && c.Weight == nil && c.Mask == nil && c.ClassWeight == nil && len(c.Loss.Shape) > 0 && !seen[c.Name] {
			seen[c.Name] = true
			cases = append(cases, c)
		}
	}
	for name := range built {
		if !seen[name] && name != "rmse" { // it is always a scalar
			t.Errorf("no case of %s", name)
		}
	}
	return cases
}

// Weights multiply, a mask leaves out, a mean divides by the number of those that count: whatever the loss. And what is left out has no part
// in value and gradient, whatever the operands hold there.
func TestWeightsAndMasksOfEveryLoss(t *testing.T) {
	for _, c := range examples(t) {
		t.Run(c.Name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				n := len(c.Loss.Values)
				weight := rapid.SliceOfN(rapid.Float64Range(0, 3), n, n).Draw(r, "weight")
				mask := make([]float64, n)
				counting := 0.0
				for i := range mask {
					if mask[i] = float64(rapid.IntRange(0, 1).Draw(r, "mask")); mask[i] == 1 {
						counting++
					}
				}
				sum := 0.0
				for i, l := range c.Loss.Values {
					sum += l * weight[i] * mask[i]
				}
				want := map[losses.Reduction]float64{losses.Sum: sum, losses.Mean: sum / counting}
				for reduction, w := range want {
					g := graph.New()
					var x, wrt []*graph.Node
					feeds := vm.Feeds{}
					for i := range c.Operands {
						a := c.Operands[i].array(graph.Float64)
						clean := graph.NewArray(a.DType, a.Shape...)
						clean.CopyFrom(a)
						spoil(clean, c.Loss.Shape, mask)
						node := g.Input([]string{"x", "y", "z"}[i], a.DType, dims(a.Shape)...)
						x, feeds[node] = append(x, node), clean
						if c.Grads[i] != nil {
							wrt = append(wrt, node)
						}
					}
					yes, weights := g.Input("mask", graph.Bool, dims(c.Loss.Shape)...), g.Input("weight", graph.Float64, dims(c.Loss.Shape)...)
					feeds[yes], feeds[weights] = array(graph.Bool, c.Loss.Shape, mask), array(graph.Float64, c.Loss.Shape, weight)
					o := losses.Options{Reduction: reduction, Weight: weights, Mask: yes, Smoothing: c.Smoothing, Ignore: c.Ignore, LogTarget: c.LogTarget}
					l := built[c.Name](x, c.P, o)
					if l.Err() != nil {
						r.Fatal(l.Err())
					}
					got := evaluate(t, feeds, append([]*graph.Node{l}, autodiff.Grad(l, wrt...)...)...)
					if v := got[0].At(0); math.Abs(v-w) > 1e-10*math.Max(1, math.Abs(w)) || math.IsNaN(v) != math.IsNaN(w) {
						r.Errorf("reduction %d: %v, want %v", reduction, v, w)
					}
					for k, grad := range got[1:] {
						for i := range grad.Len() {
							v, counts := grad.At(i), mask[i/(grad.Len()/n)] == 1
							if counting > 0 && (math.IsNaN(v) || !counts && v != 0) {
								r.Errorf("reduction %d: gradient %d, element %d is %v", reduction, k, i, v)
							}
						}
					}
				}
			})
		})
	}
}

func dims(shape []int) (dims []graph.Dim) {
	for i, n := range shape {
		d := graph.Dim(n)
		if i == 0 {
			d = graph.Symbol("batch")
		}
		dims = append(dims, d)
	}
	return dims
}

// spoil puts NaN, or a label that is no class, where the mask leaves losses out: elements, or whole samples along the first axis where the
// operand has more dimensions than the losses, if all of a sample is left out.
func spoil(a graph.Array, losses []int, mask []float64) {
	bad := math.NaN()
	if a.DType.IsInt() {
		bad = 1 << 20
	}
	rows := losses[0]
	for i := range a.Len() {
		out := len(mask) == a.Len() && mask[i] == 0
		if len(mask) != a.Len() {
			row := i / (a.Len() / rows)
			of := mask[row*len(mask)/rows : (row+1)*len(mask)/rows]
			out = !slices.Contains(of, 1)
		}
		if out {
			a.SetAt(i, bad)
		}
	}
}

// Of an empty batch there are no losses; their sum is 0, and their mean is an error at run time.
func TestEmptyBatches(t *testing.T) {
	for _, c := range examples(t) {
		for _, reduction := range []losses.Reduction{losses.None, losses.Sum, losses.Mean, losses.BatchMean} {
			g := graph.New()
			var x, wrt []*graph.Node
			feeds := vm.Feeds{}
			for i := range c.Operands {
				a := c.Operands[i].array(graph.Float32)
				shape := append([]int{0}, a.Shape[1:]...)
				node := g.Input([]string{"x", "y", "z"}[i], a.DType, dims(shape)...)
				x, feeds[node] = append(x, node), array(a.DType, shape, nil)
				if c.Grads[i] != nil {
					wrt = append(wrt, node)
				}
			}
			l := built[c.Name](x, c.P, losses.Options{Reduction: reduction, LogTarget: c.LogTarget})
			if reduction == losses.BatchMean && errors.Is(l.Err(), graph.ErrValue) {
				continue
			}
			p, err := vm.Compile(vm.Spec{Outputs: append([]*graph.Node{l}, autodiff.Grad(ops.Sum(l), wrt...)...)})
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			s, err := vm.NewState(g, 0)
			if err != nil {
				t.Fatal(err)
			}
			m, err := vm.NewMachine(p, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range p.Feeds() {
				if err := m.Feed(n, feeds[n]); err != nil {
					t.Fatal(err)
				}
			}
			err = m.Run(t.Context())
			if wantError := reduction == losses.Mean || reduction == losses.BatchMean; wantError != errors.Is(err, graph.ErrValue) || !wantError && err != nil {
				t.Errorf("%s, reduction %d: %v", c.Name, reduction, err)
				continue
			}
			if err == nil {
				v, err := m.Value(l)
				if err != nil {
					t.Fatal(err)
				}
				a, err := graph.ArrayOf(v)
				if err != nil || reduction == losses.Sum && a.At(0) != 0 || reduction == losses.None && a.Len() != 0 {
					t.Errorf("%s, reduction %d: %v, %v", c.Name, reduction, v, err)
				}
			}
		}
	}
}

// One axis of classes is as good as another.
func TestClassAxis(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Float64, 2, 3, 4), g.Input("y", graph.Int64, 2, 3)
	w := g.Input("w", graph.Float64, 4)
	moved := ops.MoveAxis(x, 2, 1)
	var feeds = vm.Feeds{y: array(graph.Int64, []int{2, 3}, []float64{0, 3, 1, 2, 2, 0}), w: []float64{1, 0.5, 2, 0.25}}
	values := make([]float64, 24)
	for i := range values {
		values[i] = math.Sin(float64(3 * i))
	}
	feeds[x] = array(graph.Float64, []int{2, 3, 4}, values)
	one, label := ops.At(ops.At(x, 0, 0), 0, 0), ops.At(ops.At(y, 0, 0), 0, 0)
	for name, f := range map[string]func(x, y *graph.Node, o losses.Options) *graph.Node{
		"cross-entropy": func(x, y *graph.Node, o losses.Options) *graph.Node {
			o.Smoothing = 0.1
			return losses.CrossEntropy(x, y, o)
		},
		"probabilities": func(x, y *graph.Node, o losses.Options) *graph.Node {
			return losses.CrossEntropyOf(ops.Softmax(x, max(o.ClassAxis, -1)), y, o)
		},
		"focal":        func(x, y *graph.Node, o losses.Options) *graph.Node { return losses.FocalCrossEntropy(x, y, 2, o) },
		"multi-margin": func(x, y *graph.Node, o losses.Options) *graph.Node { return losses.MultiMargin(x, y, 1, 2, o) },
	} {
		inner := f(x, y, losses.Options{ClassAxis: -1, ClassWeight: w, Reduction: losses.None})
		outer := f(moved, y, losses.Options{ClassAxis: 1, ClassWeight: w, Reduction: losses.None})
		single := f(one, label, losses.Options{ClassAxis: -1, ClassWeight: w, Reduction: losses.None})
		got := evaluate(t, feeds, inner, outer, single, autodiff.Grad(ops.Sum(inner), x)[0], autodiff.Grad(ops.Sum(outer), x)[0])
		for _, pair := range [][2]int{{0, 1}, {3, 4}} {
			for i := range got[pair[0]].Len() {
				if a, b := got[pair[0]].At(i), got[pair[1]].At(i); math.Abs(a-b) > 1e-14*math.Max(1, math.Abs(a)) {
					t.Errorf("%s: result %d, element %d: %v and %v", name, pair[0], i, a, b)
				}
			}
		}
		if a, b := got[0].At(0), got[2].At(0); math.Abs(a-b) > 1e-14*math.Max(1, math.Abs(a)) {
			t.Errorf("%s: %v in a batch, %v of one example", name, a, b)
		}
	}
}

// Where the prediction is the target, losses that are smooth there have second derivatives.
func TestSecondDerivativesAtTheTarget(t *testing.T) {
	for name, f := range map[string]func(x, y *graph.Node) *graph.Node{
		"huber": func(x, y *graph.Node) *graph.Node { return losses.Huber(x, y, 1) }, "smoothl1": func(x, y *graph.Node) *graph.Node { return losses.SmoothL1(x, y, 1) },
		"logcosh": func(x, y *graph.Node) *graph.Node { return losses.LogCosh(x, y) },
	} {
		g := graph.New()
		x, y := g.Input("x", graph.Float64), g.Input("y", graph.Float64)
		second := autodiff.Grad(autodiff.Grad(f(x, y), x)[0], x)[0]
		if v := evaluate(t, vm.Feeds{x: 2.0, y: 2.0}, second)[0].At(0); v != 1 {
			t.Errorf("%s: %v, want 1", name, v)
		}
	}
}

// The gradient flows through a variance below the least one as if it had been that, as PyTorch has it; a negative one is an error.
func TestSmallVariances(t *testing.T) {
	g := graph.New()
	x, v, y := g.Input("x", graph.Float32, 2), g.Input("v", graph.Float32, 2), g.Input("y", graph.Float32, 2)
	l := losses.GaussianNLL(x, v, y, losses.Options{Epsilon: 0.5, Reduction: losses.Sum})
	_, grad, err := lossAndGradient(l, v, vm.Feeds{x: []float32{1, 0}, v: []float32{0, 0.25}, y: []float32{0, 0}})
	if err != nil || grad.At(0) != -1 || grad.At(1) != 1 { // ½(1/v − d²/v²) at ½
		t.Errorf("%v, gradient %v and %v", err, grad.At(0), grad.At(1))
	}
	_, _, err = lossAndGradient(l, v, vm.Feeds{x: []float32{1, 0}, v: []float32{0, -1}, y: []float32{0, 0}})
	if !errors.Is(err, graph.ErrValue) {
		t.Errorf("a negative variance: %v", err)
	}
}
