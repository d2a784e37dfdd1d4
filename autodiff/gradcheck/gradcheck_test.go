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

// Wrong first and second derivatives are found, and the report names the worst element.
func TestWrongDerivativesAreFound(t *testing.T) {
	x := []float64{0.5, -0.3, 1.5, 0.8}
	for _, c := range []struct {
		e1, e2        float64
		failed, order int
		index         int // −1: any
	}{{0, 0, 0, 0, -1}, {0.1, 0, 1, 1, 2}, {0, 0.1, 4, 2, -1}, {0.001, 0, 0, 0, -1}} {
		report, err := gradcheck.Check(cube(c.e1, c.e2), x)
		if err != nil {
			t.Fatal(err)
		}
		w := report.Worst
		if report.Failed != c.failed || report.OK() != (c.failed == 0) || report.Checked != 8 {
			t.Errorf("errors %v, %v: %v", c.e1, c.e2, report)
		}
		if c.failed > 0 && (w.Order != c.order || c.index >= 0 && w.Index != c.index || !strings.Contains(report.String(), fmt.Sprintf("%d of 8 derivatives differ; the worst: order %d, input 0", c.failed, c.order))) {
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
	if err != nil || !report.OK() || report.Checked != 6 {
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
		{"symbolic", func(x []*graph.Node) *graph.Node { return x[0].Graph().Input("s", graph.Float64, graph.Symbol("n")) }, []any{1.0}, "fixed sizes"},
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
	// Output: true 8 <nil>
}
