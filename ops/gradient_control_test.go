package ops_test

import (
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// What the operators on gradients do to dy = ∂/∂y Σ w⊙y: the value is x, dx is what the table says, also after it is differentiated
// on through a square.
func TestOperatorsOnGradients(t *testing.T) {
	for _, dtype := range floatTypes {
		x, w := array(dtype, []int{4}, 1, 2, 3, 4), array(dtype, []int{4}, -3, 0.25, 4, 0)
		for name, c := range map[string]struct {
			f    func(x *graph.Node) *graph.Node
			want []float64
		}{
			"scale":             {func(x *graph.Node) *graph.Node { return ops.ScaleGradient(x, 0.5) }, []float64{-1.5, 0.125, 2, 0}},
			"scale by 0":        {func(x *graph.Node) *graph.Node { return ops.ScaleGradient(x, 0) }, []float64{0, 0, 0, 0}},
			"reverse":           {ops.ReverseGradient, []float64{3, -0.25, -4, 0}},
			"reverse twice":     {func(x *graph.Node) *graph.Node { return ops.ReverseGradient(ops.ReverseGradient(x)) }, []float64{-3, 0.25, 4, 0}},
			"clip":              {func(x *graph.Node) *graph.Node { return ops.ClipGradient(x, -1, 2) }, []float64{-1, 0.25, 2, 0}},
			"clip to one value": {func(x *graph.Node) *graph.Node { return ops.ClipGradient(x, 1, 1) }, []float64{1, 1, 1, 1}},
			"clip the norm":     {func(x *graph.Node) *graph.Node { return ops.ClipGradientNorm(x, math.Sqrt(25.0625)/2) }, []float64{-1.5, 0.125, 2, 0}},
			"a norm below":      {func(x *graph.Node) *graph.Node { return ops.ClipGradientNorm(x, 6) }, []float64{-3, 0.25, 4, 0}},
			"checkpoint":        {ops.Checkpoint, []float64{-3, 0.25, 4, 0}},
			"print":             {func(x *graph.Node) *graph.Node { return ops.Print(x, "x") }, []float64{-3, 0.25, 4, 0}},
			"assert": {func(x *graph.Node) *graph.Node {
				return ops.Assert(ops.Less(x, ops.AddScalar(x, 1)), x, "no")
			}, []float64{-3, 0.25, 4, 0}},
			"a custom one": {func(x *graph.Node) *graph.Node {
				return ops.CustomGradient(ops.Scale(x, 1), []*graph.Node{x}, func(in []*graph.Node, y, dy *graph.Node) []*graph.Node {
					return []*graph.Node{ops.Mul(ops.Mul(dy, in[0]), y)}
				})
			}, []float64{-3, 1, 36, 0}},
		} {
			outs, err := express(func(n []*graph.Node) []*graph.Node {
				y := c.f(n[0])
				direct := autodiff.Grad(ops.Sum(ops.Mul(y, n[1])), n[0])[0]
				through := autodiff.Grad(ops.Sum(ops.Mul(c.f(ops.Square(n[0])), n[1])), n[0])[0] // dx = 2x·(what dy became)
				return []*graph.Node{y, direct, through}
			}, x, w).run()
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				if !close(dtype, outs[0].At(i), x.At(i), 0) || !close(dtype, outs[1].At(i), want, 4) {
					t.Errorf("%s, %v: element %d is %v with derivative %v, want %v and %v", name, dtype, i, outs[0].At(i), outs[1].At(i), x.At(i), want)
				}
				if name != "a custom one" && !close(dtype, outs[2].At(i), 2*x.At(i)*want, 4) {
					t.Errorf("%s, %v: through a square the derivative is %v, want %v", name, dtype, outs[2].At(i), 2*x.At(i)*want)
				}
			}
		}
	}
}

// A zero cotangent has norm 0: clipping it gives 0, and its derivative is not NaN. The cotangent of that, (2, 2), passes the same
// operator on its way back and is clipped as well.
func TestClipNormOfZero(t *testing.T) {
	outs, err := express(func(n []*graph.Node) []*graph.Node {
		dx := autodiff.Grad(ops.Sum(ops.Square(ops.ClipGradientNorm(n[0], 1))), n[0])[0]
		return []*graph.Node{dx, autodiff.Grad(ops.Sum(dx), n[0])[0]}
	}, array(graph.Float64, []int{2}, 0)).run()
	if err != nil {
		t.Fatal(err)
	}
	if outs[0].At(0) != 0 || math.Abs(outs[1].At(1)-math.Sqrt2/2) > 1e-15 {
		t.Errorf("the derivative is %v, its derivative %v", outs[0].At(0), outs[1].At(1))
	}
}

// A straight-through estimator: x > 0 as a number, with the derivative of x itself; and its derivative, of any order.
func TestStraightThrough(t *testing.T) {
	x := array(graph.Float64, []int{3}, -0.5, 0.25, 2)
	outs, err := express(func(n []*graph.Node) []*graph.Node {
		hard := ops.Cast(ops.Greater(n[0], n[0].Graph().Full(graph.Float64, 0)), graph.Float64)
		y := ops.CustomGradient(hard, n[:1], func(in []*graph.Node, y, dy *graph.Node) []*graph.Node {
			return []*graph.Node{ops.Mul(dy, ops.Square(in[0]))}
		})
		first := autodiff.Grad(ops.Sum(ops.Scale(y, 3)), n[0])[0] // 3x²
		forward := autodiff.JVP(ops.Sum(ops.Scale(y, 3)), n[:1], []*graph.Node{n[0]})
		return []*graph.Node{y, first, autodiff.Grad(ops.Sum(first), n[0])[0], forward}
	}, x).run()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float64{{0, 1, 1}, {0.75, 0.1875, 12}, {-3, 1.5, 12}, {3 * (-0.125 + 0.015625 + 8)}} { // the last one forward, Σ 3x²·x
		for k, w := range want {
			if outs[i].At(k) != w {
				t.Errorf("order %d, element %d: %v, want %v", i, k, outs[i].At(k), w)
			}
		}
	}
}

// Nothing flows into what y was computed from but through the inputs: another leaf has no gradient, and the error says so. Rules
// that return what does not fit, or panic, are errors too.
func TestCustomGradientErrors(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", graph.Float64, 3), g.Input("w", graph.Float64, 3)
	through := func(vjp func(in []*graph.Node, y, dy *graph.Node) []*graph.Node, wrt *graph.Node) error {
		return autodiff.Grad(ops.Sum(ops.CustomGradient(ops.Mul(x, w), []*graph.Node{x}, vjp)), wrt)[0].Err()
	}
	pass := func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{dy} }
	if err := through(pass, x); err != nil {
		t.Error(err)
	}
	fails(t, through(pass, w), "pass no gradient")
	fails(t, through(nil, x), "vjp is nil")
	fails(t, through(func([]*graph.Node, *graph.Node, *graph.Node) []*graph.Node { return nil }, x), "gradient_control_test.go:", "vjp returned 0 cotangents for 1 inputs")
	fails(t, through(func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Sum(dy)} }, x), "a cotangent for operand 1 of type float64, which must be float64(3)")
	fails(t, through(func([]*graph.Node, *graph.Node, *graph.Node) []*graph.Node { panic("boom") }, x), "panicked: boom")
	for _, c := range []struct {
		n    *graph.Node
		want string
	}{
		{ops.ScaleGradient(x, nan), "the factor must be finite, which it is not in {Factor:NaN}"},
		{ops.ClipGradient(x, 1, 0), "lo must not be above hi"},
		{ops.ClipGradient(x, nan, 0), "lo must not be above hi"},
		{ops.ClipGradientNorm(x, 0), "the norm must be above 0"},
		{ops.Assert(x, x, "no"), "it must be of booleans"},
	} {
		fails(t, c.n.Err(), "gradient_control_test.go:", c.want)
	}
}
