package ops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// golden is a tensor of a golden file.
type golden struct {
	Shape []int
	Data  []float64
}

func (v *golden) dims() []graph.Dim {
	dims := make([]graph.Dim, len(v.Shape))
	for i, s := range v.Shape {
		dims[i] = graph.Dim(s)
	}
	return dims
}

func (v *golden) as(dtype graph.DType) graph.Array {
	a := graph.NewArray(dtype, v.Shape...)
	for i, x := range v.Data {
		a.SetAt(i, x)
	}
	return a
}

// normCase is one case of testdata/normalise.json.
type normCase struct {
	Name                     string
	Last, Groups, Axis, Step int
	Momentum, Epsilon        float64
	Train                    bool
	X, Scale, Shift, DY      *golden
	Y, DX, DScale, DShift    *golden
	Mean, Variance           *golden // after the step
	before                   *normCase
}

func normCases(t *testing.T) []*normCase {
	text, err := os.ReadFile("testdata/normalise.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []*normCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for i, c := range file.Cases {
		if c.Name == "batchnorm" && c.Step > 0 {
			c.before = file.Cases[i-1]
		}
	}
	return file.Cases
}

// build returns the normalisation of x, and the running statistics if it has some.
func (c *normCase) build(g *graph.Graph, x, scale, shift *graph.Node) (y *graph.Node, running ops.Running) {
	switch c.Name {
	case "layernorm":
		return ops.LayerNorm(x, c.Last, scale, shift, c.Epsilon), running
	case "rmsnorm":
		return ops.RMSNorm(x, c.Last, scale, c.Epsilon), running
	case "groupnorm":
		return ops.GroupNorm(x, c.Groups, scale, shift, c.Epsilon), running
	case "instancenorm":
		return ops.InstanceNorm(x, scale, shift, c.Epsilon), running
	}
	channels := x.Shape()[c.Axis]
	running = ops.Running{Mean: g.Variable("mean", x.DType(), graph.Zeros(), channels), Variance: g.Variable("variance", x.DType(), graph.Full(1), channels), Momentum: c.Momentum}
	return ops.BatchNorm(x, c.Axis, scale, shift, running, c.Epsilon), running
}

// Values, gradients and running statistics agree with PyTorch's: within 10⁻¹² in float64, and in float32 within 10⁻⁵ of the largest
// element, of the operands rounded to it.
func TestNormalisationsAgreeWithPyTorch(t *testing.T) {
	for i, c := range normCases(t) {
		for _, dtype := range floatTypes {
			t.Run(fmt.Sprintf("%d %s %v %v", i, c.Name, c.X.Shape, dtype), func(t *testing.T) {
				g := graph.New()
				x := g.Input("x", dtype, c.X.dims()...)
				fed := vm.Feeds{x: c.X.as(dtype)}
				input := func(name string, v *golden) *graph.Node {
					if v == nil {
						return nil
					}
					n := g.Input(name, dtype, v.dims()...)
					fed[n] = v.as(dtype)
					return n
				}
				scale, shift, dy := input("scale", c.Scale), input("shift", c.Shift), input("dy", c.DY)
				y, running := c.build(g, x, scale, shift)
				wrt := []*graph.Node{x}
				want := []*golden{c.Y, c.DX}
				if scale != nil {
					wrt, want = append(wrt, scale), append(want, c.DScale)
				}
				if shift != nil {
					wrt, want = append(wrt, shift), append(want, c.DShift)
				}
				outs := append([]*graph.Node{y}, autodiff.VJP(y, dy, wrt...)...)
				mode := vm.Infer
				if c.Train {
					mode = vm.Train
				}
				p, err := vm.Compile(vm.Spec{Outputs: outs, Mode: mode})
				if err != nil {
					t.Fatal(err)
				}
				s, err := vm.NewState(g, 1)
				if err != nil {
					t.Fatal(err)
				}
				if c.before != nil {
					if err := s.SetAll(map[string]any{"mean": c.before.Mean.as(dtype), "variance": c.before.Variance.as(dtype)}); err != nil {
						t.Fatal(err)
					}
				}
				m, err := vm.NewMachine(p, s)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.FeedAll(fed); err != nil {
					t.Fatal(err)
				}
				if err := m.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				agree := func(what string, v any, w *golden) {
					got, err := graph.ArrayOf(v)
					if err != nil {
						t.Fatal(err)
					}
					bound := 1e-12
					if dtype == graph.Float32 {
						bound = 1e-5
					}
					largest := 1.0
					for _, v := range w.Data {
						largest = math.Max(largest, math.Abs(v))
					}
					if got.Len() != len(w.Data) {
						t.Fatalf("%s has %d elements, want %d", what, got.Len(), len(w.Data))
					}
					for k, v := range w.Data {
						if d := math.Abs(got.At(k) - v); !(d <= bound*largest) {
							t.Errorf("%s, element %d: %v, PyTorch has %v", what, k, got.At(k), v)
						}
					}
				}
				for k, n := range outs {
					v, err := m.Value(n)
					if err != nil {
						t.Fatal(err)
					}
					agree([]string{"y", "dx", "dscale", "dshift"}[k], v, want[k])
				}
				if running.Mean != nil {
					for name, w := range map[string]*golden{"mean": c.Mean, "variance": c.Variance} {
						v, err := s.Get(name)
						if err != nil {
							t.Fatal(err)
						}
						agree("running "+name, v, w)
					}
				}
			})
		}
	}
}

// Derivatives of order 1 and 2 agree with finite differences, by the operand, the scale and the shift.
func TestNormalisationGradients(t *testing.T) {
	x := array(graph.Float64, []int{3, 4}, 0.3, -0.7, 1.1, 0.9, -0.2, 0.5, 0.1, -1.3, 0.7, -0.4, 1.5, -0.9)
	deep := array(graph.Float64, []int{2, 4, 2}, 0.3, -0.7, 1.1, 0.9, -0.2, 0.5, 0.1, -1.3, 0.7, -0.4, 1.5, -0.9, 0.25, -1.1, 0.6)
	four, three := array(graph.Float64, []int{4}, 1.1, -0.5, 0.7, 2), array(graph.Float64, []int{3}, 1.1, -0.5, 0.7)
	for name, c := range map[string]struct {
		f  gradcheck.Func
		in []any
	}{
		"layer":        {func(n []*graph.Node) *graph.Node { return ops.LayerNorm(n[0], 1, n[1], n[2], 1e-3) }, []any{x, four, four}},
		"layer, plain": {func(n []*graph.Node) *graph.Node { return ops.LayerNorm(n[0], 2, nil, nil, 1e-3) }, []any{x}},
		"rms":          {func(n []*graph.Node) *graph.Node { return ops.RMSNorm(n[0], 1, n[1], 1e-3) }, []any{x, four}},
		"group":        {func(n []*graph.Node) *graph.Node { return ops.GroupNorm(n[0], 2, n[1], n[2], 1e-3) }, []any{deep, four, four}},
		"instance":     {func(n []*graph.Node) *graph.Node { return ops.InstanceNorm(n[0], n[1], n[2], 1e-1) }, []any{deep, four, four}},
		"batch": {func(n []*graph.Node) *graph.Node {
			return ops.BatchNorm(n[0], 1, n[1], n[2], ops.Running{}, 1e-3)
		}, []any{x, four, four}},
		"batch, first axis": {func(n []*graph.Node) *graph.Node {
			return ops.BatchNorm(n[0], 0, n[1], n[2], ops.Running{}, 1e-3)
		}, []any{x, three, three}},
		"batch, evaluation": {func(n []*graph.Node) *graph.Node {
			g := n[0].Graph()
			return ops.BatchNorm(n[0], -1, n[1], n[2], ops.Running{Mean: g.Variable("m", graph.Float64, graph.Full(0.2), 4), Variance: g.Variable("v", graph.Float64, graph.Full(1.5), 4)}, 1e-3)
		}, []any{x, four, four}},
	} {
		t.Run(name, func(t *testing.T) { gradcheck.Test(t, c.f, c.in...) })
	}
}

// Far from 0 the variance keeps its digits: the two-pass form has no cancellation. And elements that are all equal give 0.
func TestNormalisationFarFromZero(t *testing.T) {
	const far = 1 << 20 // float32 has steps of 1/8 here
	y := compute(t, func(x []*graph.Node) *graph.Node { return ops.LayerNorm(x[0], 1, nil, nil, 0) }, array(graph.Float32, []int{1, 4}, far-1, far+1, far-1, far+1))
	for i := range y.Len() {
		if want := float64(2*(i%2) - 1); y.At(i) != want {
			t.Errorf("element %d: %v, want %v", i, y.At(i), want)
		}
	}
	for _, dtype := range floatTypes {
		outs, err := express(func(x []*graph.Node) []*graph.Node {
			y := ops.LayerNorm(x[0], 1, nil, nil, 1e-5)
			return append(autodiff.Grad(ops.Sum(ops.Square(ops.AddScalar(y, 1))), x[0]), y)
		}, array(dtype, []int{2, 3}, 7)).run()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range outs {
			for i := range a.Len() {
				if a.At(i) != 0 {
					t.Errorf("%v: equal elements give %v", dtype, a.At(i))
				}
			}
		}
	}
}

// Gradients in float32 keep their digits, tiny and huge operands alike: within 4ε of the largest, of what the same operands give in
// float64, and what the rounding of the mean adds where they lie far from 0 and close together.
func TestNormalisationGradientsInFloat32(t *testing.T) {
	for _, c := range []struct{ centre, spread, epsilon float64 }{{0, 1, 1e-5}, {1000, 1, 1e-5}, {-50, 0.01, 1e-5}, {0, 1e-12, 1e-5}, {0, 1e8, 1e-5}, {0, 1e-3, 0}} {
		for name, f := range map[string]func(x, w *graph.Node) *graph.Node{
			"layer": func(x, w *graph.Node) *graph.Node { return ops.LayerNorm(x, 1, nil, nil, c.epsilon) },
			"batch": func(x, w *graph.Node) *graph.Node { return ops.BatchNorm(x, 0, nil, nil, ops.Running{}, c.epsilon) },
			"group": func(x, w *graph.Node) *graph.Node { return ops.GroupNorm(x, 1, nil, nil, c.epsilon) },
		} {
			var results [2][]graph.Array
			x, w := graph.NewArray(graph.Float32, 8, 64), graph.NewArray(graph.Float32, 8, 64)
			for i := range x.Len() {
				x.SetAt(i, c.centre+c.spread*math.Sin(float64(i*i)))
				w.SetAt(i, math.Cos(float64(i*i*i)))
			}
			for k, dtype := range floatTypes {
				wide, weights := graph.NewArray(dtype, 8, 64), graph.NewArray(dtype, 8, 64)
				wide.CopyFrom(x)
				weights.CopyFrom(w)
				outs, err := express(func(n []*graph.Node) []*graph.Node {
					y := f(n[0], n[1])
					return append(autodiff.Grad(ops.Sum(ops.Mul(y, n[1])), n[0]), y)
				}, wide, weights).run()
				if err != nil {
					t.Fatal(err)
				}
				results[k] = outs
			}
			for k, what := range []string{"gradient", "value"} {
				got, want := results[0][k], results[1][k]
				largest, worst := 0.0, 0.0
				for i := range want.Len() {
					largest = math.Max(largest, math.Abs(want.At(i)))
					if d := math.Abs(got.At(i) - want.At(i)); !(d <= worst) {
						worst = d
					}
				}
				bound := 0x1p-23 * (4 + 0.7*math.Abs(c.centre)/c.spread) // half an ε of the mean, in units of the deviation
				if !(worst <= bound*largest) {
					t.Errorf("%s norm, %+v: the %s is off by %.3g of the largest, allowed %.3g", name, c, what, worst/largest, bound)
				}
			}
		}
	}
}

// What does not fit is said when the expression is built, or for the size of a batch when it runs.
func TestNormalisationErrors(t *testing.T) {
	g := graph.New()
	batch := graph.Symbol("batch")
	x := g.Input("x", graph.Float32, batch, 4)
	three, four := g.Param("three", graph.Float32, graph.Full(1), 3), g.Param("four", graph.Float32, graph.Full(1), 4)
	mean, variance := g.Variable("mean", graph.Float32, graph.Zeros(), 4), g.Variable("variance", graph.Float32, graph.Full(1), 4)
	running := ops.Running{Mean: mean, Variance: variance}
	for _, c := range []struct {
		n    *graph.Node
		want string
	}{
		{ops.LayerNorm(x, 3, nil, nil, 1e-5), "the last 3 axes of float32(batch, 4); it has 1 to 2"},
		{ops.LayerNorm(x, 1, three, nil, 1e-5), "scale is float32(3); it must be float32(4)"},
		{ops.LayerNorm(x, 1, four, three, 1e-5), "shift is float32(3); it must be float32(4)"},
		{ops.LayerNorm(x, 1, nil, nil, -1), "ε is -1"},
		{ops.LayerNorm(x, 1, nil, nil, nan), "ε is NaN"},
		{ops.RMSNorm(x, 0, nil, 1e-5), "the last 0 axes"},
		{ops.GroupNorm(x, 3, nil, nil, 1e-5), "3 groups do not divide the 4 channels"},
		{ops.InstanceNorm(x, nil, nil, 1e-5), "with 3 dimensions or more"},
		{ops.BatchNorm(x, 2, nil, nil, ops.Running{}, 1e-5), "axis 2 is outside"},
		{ops.BatchNorm(four, 0, nil, nil, ops.Running{}, 1e-5), "channels alone"},
		{ops.BatchNorm(x, 1, nil, nil, ops.Running{Mean: mean}, 1e-5), "nil node"},
		{ops.BatchNorm(x, 1, nil, nil, ops.Running{Mean: mean, Variance: three}, 1e-5), "running statistics are float32(3); they must be float32(4)"},
		{ops.BatchNorm(x, 1, nil, nil, ops.Running{Mean: mean, Variance: four}, 1e-5), "is not a variable"},
		{ops.BatchNorm(x, 1, nil, nil, ops.Running{Mean: mean, Variance: variance, Momentum: 2}, 1e-5), "the momentum is 2"},
		{ops.BatchNorm(ops.Cast(x, graph.Int64), 1, nil, nil, ops.Running{}, 1e-5), "takes float32 or float64"},
	} {
		fails(t, c.n.Err(), "normalise_test.go:", c.want)
	}
	if err := ops.BatchNorm(x, 1, four, four, running, 1e-5).Err(); err == nil || !strings.Contains(err.Error(), "assigned already, at normalise_test.go:") {
		t.Errorf("a variable assigned twice: %v", err)
	}
}

// fails requires an error that says where the expression was written, and what is wanted of it.
func fails(t *testing.T, err error, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
}

// A batch of one value a channel has no unbiased variance: the run fails and nothing is committed. Evaluation takes it.
func TestBatchNormOfOneValue(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 2)
	y := ops.BatchNorm(x, 1, nil, nil, ops.Running{Mean: g.Variable("mean", graph.Float32, graph.Zeros(), 2), Variance: g.Variable("variance", graph.Float32, graph.Full(1), 2)}, 0)
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []vm.Mode{vm.Train, vm.Infer} {
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{y}, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Feed(x, array(graph.Float32, []int{1, 2}, 3, 4)); err != nil {
			t.Fatal(err)
		}
		err = m.Run(context.Background())
		if mode == vm.Train {
			fails(t, err, "normalise_test.go:", "more than one value for each channel")
		} else if err != nil {
			t.Error(err)
		}
		if v := s.Version(); v != 0 {
			t.Errorf("%v: the state has version %d", mode, v)
		}
	}
}
