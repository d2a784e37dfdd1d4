package gradcheck_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// cube is x³ with gradient rules that can be wrong: its first derivative is off by e₁ at elements above 1, its second by e₂.
func cube(e1, e2 float64) gradcheck.Func {
	second := &graph.Def{
		Name:  "threesquares",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(c *graph.Call) error {
			for i, x := range c.In[0].F64() {
				c.Out[0].F64()[i] = 3 * x * x
				if x > 1 {
					c.Out[0].F64()[i] += e1
				}
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{ops.Mul(dy, ops.AddScalar(ops.Scale(n.In(0), 6), e2))}
		},
	}
	first := &graph.Def{
		Name:  "cube",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(c *graph.Call) error {
			for i, x := range c.In[0].F64() {
				c.Out[0].F64()[i] = x * x * x
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{ops.Mul(dy, graph.Apply(second, nil, n.In(0)))}
		},
	}
	return func(x []*graph.Node) *graph.Node { return graph.Apply(first, nil, x[0]) }
}

// Wrong first and second derivatives are found, down to 10⁻⁵, and the report names the function, its line and the worst element.
func TestWrongDerivativesAreFound(t *testing.T) {
	x := []float64{0.5, -0.3, 1.5, 0.8}
	for _, c := range []struct {
		e1, e2        float64
		failed, order int
		index         int // −1: any
	}{{0, 0, 0, 0, -1}, {0.1, 0, 1, 1, 2}, {0, 0.1, 4, 2, -1}, {1e-6, 0, 1, 1, 2}, {0, 1e-5, 4, 2, -1}, {1e-10, 0, 0, 0, -1}} {
		report, err := gradcheck.Check(cube(c.e1, c.e2), x)
		if err != nil {
			t.Fatal(err)
		}
		w := report.Worst
		if report.Failed != c.failed || report.OK() != (c.failed == 0) || report.Checked != 9 {
			t.Errorf("errors %v, %v: %v", c.e1, c.e2, report)
		}
		if c.failed > 0 && (w.Order != c.order || c.index >= 0 && w.Index != c.index || !strings.Contains(report.String(), fmt.Sprintf("%d of 9 derivatives differ; the worst: order %d, input 0, x0[", c.failed, c.order)) || !strings.HasPrefix(report.String(), "gradcheck_test.go:")) {
			t.Errorf("errors %v, %v: %v", c.e1, c.e2, report)
		}
	}
}

// Inputs of other types are passed on and not differentiated; the worst element names the input by its place among all.
func TestOtherInputsArePassedOn(t *testing.T) {
	report, err := gradcheck.Check(func(x []*graph.Node) *graph.Node {
		picked := ops.TakeAlongAxis(x[1], x[0], 0)
		return ops.Select(x[2], ops.Tanh(picked), ops.Mul(picked, x[3]))
	}, []int64{1, 0}, []float64{0.3, 0.7}, []bool{true, false}, 2.5)
	if err != nil || !report.OK() || report.Checked != 7 {
		t.Errorf("%v, %v", report, err)
	}
	if in := report.Worst.Input; in != 1 && in != 3 {
		t.Errorf("the worst input is %d", in)
	}
}

func TestWhatCannotBeChecked(t *testing.T) {
	ok := func(x []*graph.Node) *graph.Node { return ops.Exp(x[0]) }
	for _, c := range []struct {
		name   string
		f      gradcheck.Func
		inputs []any
		want   string
	}{
		{"no float64", ok, []any{[]float32{1}}, "no input is float64"},
		{"no value", ok, []any{nil}, "nil"},
		{"invalid", func(x []*graph.Node) *graph.Node { return ops.Sum(x[0], 3) }, []any{1.0}, "axis 3"},
		{"nothing", func(x []*graph.Node) *graph.Node { return nil }, []any{1.0}, "nil"},
		{"no gradient", func(x []*graph.Node) *graph.Node {
			return graph.Apply(&graph.Def{Name: "opaque", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
				Eval: func(c *graph.Call) error { c.Out[0].CopyFrom(c.In[0]); return nil }}, nil, x[0])
		}, []any{1.0}, "offers no gradient"},
		{"an error of the run", func(x []*graph.Node) *graph.Node { return ops.TakeAlongAxis(x[0], x[1], 0) }, []any{[]float64{1}, []int64{7}}, "outside 0…0"},
		{"symbolic", func(x []*graph.Node) *graph.Node { return x[0].Graph().Input("s", graph.Float64, graph.Symbol("n")) }, []any{1.0}, "missing feed"},
		{"an integer result", func(x []*graph.Node) *graph.Node { return ops.ArgMax(x[0], 0) }, []any{[]float64{1}}, "float"},
	} {
		if report, err := gradcheck.Check(c.f, c.inputs...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.name, report, err, c.want)
		}
	}
	// A NaN or infinite derivative never passes.
	if report, err := gradcheck.Check(func(x []*graph.Node) *graph.Node { return ops.Sqrt(x[0]) }, 0.0); err != nil || report.OK() {
		t.Errorf("√ at 0: %v, %v", report, err)
	}
}

// Large inputs are moved along random directions, where one wrong element of many shows.
func TestLargeInputs(t *testing.T) {
	x := make([]float64, 20_000)
	for i := range x {
		x[i] = 0.5 + 0.4*math.Sin(float64(i))
	}
	for wrong, want := range map[float64]bool{0: true, 0.1: false} {
		x[777] = 1.5 // alone above 1
		report, err := gradcheck.Check(cube(wrong, 0), x)
		if err != nil || report.OK() != want || report.Checked != 2*4+1 || report.Worst.Index != -1 {
			t.Errorf("off by %v: %v, %v", wrong, report, err)
		}
		if !want && !strings.Contains(report.String(), "order 1, input 0, x0 along a random direction") {
			t.Errorf("%v", report)
		}
	}
	report, err := gradcheck.Options{Elements: 2, Directions: 7, Order: 1}.Check(cube(0, 0.1), x[:3])
	if err != nil || !report.OK() || report.Checked != 7 {
		t.Errorf("seven directions of the first order: %v, %v", report, err)
	}
}

// Inputs with a symbolic batch, and functions with several results, of which integers are left out.
func TestSymbolsAndTuples(t *testing.T) {
	batch := graph.Symbol("batch")
	affine := func(x []*graph.Node) *graph.Node {
		largest, at := ops.MaxArg(x[0], 1)
		return ops.Tuple(ops.Affine(x[0], x[1], x[2]), ops.Mean(x[0], 0), largest, at)
	}
	x := graph.NewArray(graph.Float64, 4, 3)
	for i := range x.Len() {
		x.SetAt(i, math.Sin(float64(3*i)))
	}
	w := graph.NewArray(graph.Float64, 3, 2)
	for i := range w.Len() {
		w.SetAt(i, float64(i)-2)
	}
	report, err := gradcheck.Check(affine, gradcheck.Shaped(x, batch, 3), w, []float64{0.5, -0.5})
	if err != nil || !report.OK() || report.Checked != 2*(12+6+2)+1 {
		t.Errorf("%v, %v", report, err)
	}
	if _, err := gradcheck.Check(affine, gradcheck.Shaped(x, batch, 4), w, []float64{0.5, -0.5}); err == nil {
		t.Error("a value that does not have the dimensions it was given: no error")
	}
}

// At a kink a derivative between the two slopes is counted apart, any other fails, and both say what the slopes are. A kink beside the
// point does no harm.
func TestKinks(t *testing.T) {
	surrogate := *ops.ReLUDef
	surrogate.VJP = func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Scale(dy, 2)} }
	relu := func(x []*graph.Node) *graph.Node { return ops.ReLU(x[0]) }
	for _, c := range []struct {
		name  string
		f     gradcheck.Func
		at    float64
		ok    bool
		kinks int
		said  bool
	}{
		{"relu at 0", relu, 0, true, 1, true},
		{"relu beside 0", relu, 2e-6, true, 0, false},
		{"a gradient of 2", func(x []*graph.Node) *graph.Node { return graph.Apply(&surrogate, nil, x[0]) }, 0, false, 0, true},
		{"max of a tie, where the difference is the mean of the slopes, and so is the gradient", func(x []*graph.Node) *graph.Node {
			return ops.Max(ops.Mul(x[0], x[0].Graph().Constant([]float64{1, 3})))
		}, 0, true, 0, false},
	} {
		report, err := gradcheck.Options{Order: 1}.Check(c.f, c.at)
		if err != nil || report.OK() != c.ok || report.Kinks != c.kinks {
			t.Errorf("%s: %v, %v", c.name, report, err)
		}
		if w := report.Worst; c.said && !(w.Kink && w.Left < w.Right && strings.Contains(report.String(), "keep inputs away from it")) {
			t.Errorf("%s: %v", c.name, report)
		}
	}
}

// A steep third derivative, the edge of a domain and numbers far from 1 are no failures.
func TestAwkwardPoints(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		at   []float64
	}{
		{"ln x beside 0", ops.Log, []float64{1e-9, 1e-3, 1e9}},
		{"√x beside 0", ops.Sqrt, []float64{1e-12, 3e-6}},
		{"exp(50·x)", func(x *graph.Node) *graph.Node { return ops.Exp(ops.Scale(x, 50)) }, []float64{1, -1}},
		{"large", ops.Square, []float64{1e8, -3e5, 1e-8}},
	} {
		gradcheck.Test(t, func(x []*graph.Node) *graph.Node { return c.f(x[0]) }, c.at)
	}
}

// A forward rule that is not the transpose of the gradient is found.
func TestForwardAgainstReverse(t *testing.T) {
	wrong := *ops.TanhDef
	wrong.JVP = func(n *graph.Node, dx []*graph.Node) *graph.Node {
		return ops.Mul(dx[0], ops.AddScalar(ops.Neg(ops.Square(n)), 1.000001))
	}
	report, err := gradcheck.Check(func(x []*graph.Node) *graph.Node { return graph.Apply(&wrong, nil, x[0]) }, []float64{0.1, 0.5})
	if err != nil || report.Failed == 0 || !strings.Contains(report.String(), "forward mode") {
		t.Errorf("%v, %v", report, err)
	}
}

// An expression that exists already is checked by all it depends on, parameters included, and its graph is left alone.
func TestNode(t *testing.T) {
	g := graph.New()
	x, w, v := g.Input("x", graph.Float64, graph.Symbol("n"), 2), g.Param("w", graph.Float64, graph.Zeros(), 2, 3), g.Variable("v", graph.Float64, graph.Zeros(), 3)
	loss := ops.Mean(ops.Square(ops.Sub(ops.Tanh(ops.MatMul(x, w)), v)))
	count := len(g.Nodes())
	row := graph.NewArray(graph.Float64, 1, 2)
	row.SetAt(1, 0.3)
	values := map[*graph.Node]any{x: row, w: graph.NewArray(graph.Float64, 2, 3), v: []float64{1, 2, 3}}
	report, err := gradcheck.Node(loss, values)
	if err != nil || !report.OK() || report.Checked != 2*(2+6+3)+1 || len(g.Nodes()) != count {
		t.Errorf("%v, %v", report, err)
	}
	delete(values, v)
	if _, err := gradcheck.Node(loss, values); err == nil || !strings.Contains(err.Error(), "no value") || !strings.Contains(err.Error(), "variable") && !strings.Contains(err.Error(), "v:") {
		t.Errorf("without a value: %v", err)
	}
	if _, err := gradcheck.Node(ops.Sum(loss, 3), values); err == nil {
		t.Error("an invalid node: no error")
	}
}

type recorder struct{ said []string }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func TestTest(t *testing.T) {
	var good, wrong, broken recorder
	gradcheck.Test(&good, cube(0, 0), []float64{0.5})
	gradcheck.Test(&wrong, cube(0, 1), []float64{0.5})
	gradcheck.Test(&broken, cube(0, 0), []float32{0.5})
	if len(good.said) != 0 || len(wrong.said) != 1 || len(broken.said) != 1 {
		t.Errorf("%q %q %q", good.said, wrong.said, broken.said)
	}
}

// The inputs are as they were afterwards.
func TestInputsAreLeftAlone(t *testing.T) {
	x := []float64{0.25, math.Pi}
	gradcheck.Test(t, cube(0, 0), x)
	if x[0] != 0.25 || x[1] != math.Pi {
		t.Errorf("%v", x)
	}
}

// In a go test, gradcheck.Test(t, f, inputs…) reports what differs.
func Example() {
	report, err := gradcheck.Check(func(x []*graph.Node) *graph.Node {
		return ops.Mul(ops.Tanh(x[0]), x[1])
	}, []float64{0.1, 0.2, 0.3}, 1.5)
	fmt.Println(report.OK(), report.Checked, err)
	// Output: true 9 <nil>
}

// An input may have a symbolic batch, as the model it is for.
func ExampleShaped() {
	batch := graph.Symbol("batch")
	x, err := graph.ArrayOf([]float64{1, 2, 3, 4, 5, 6})
	report, failed := gradcheck.Check(func(x []*graph.Node) *graph.Node {
		return ops.Mean(ops.Softmax(x[0], 1), 0)
	}, gradcheck.Shaped(x.As([]int{2, 3}), batch, 3))
	fmt.Println(report.OK(), report.Checked, err, failed)
	// Output: true 13 <nil> <nil>
}

// The loss of a model is checked by its parameters at given values.
func ExampleNode() {
	g := graph.New()
	x, w := g.Input("x", graph.Float64, 2), g.Param("w", graph.Float64, graph.Zeros(), 2)
	loss := ops.Mean(ops.Square(ops.Tanh(ops.Mul(x, w))))
	report, err := gradcheck.Node(loss, map[*graph.Node]any{x: []float64{0.5, -1}, w: []float64{2, 3}})
	fmt.Println(report.OK(), err)
	// Output: true <nil>
}
