package ops_test

import (
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// gradients are the derivatives of Σ f by each input, then the second derivatives of it by the first one.
func gradients(t failer, f func(x []*graph.Node) *graph.Node, inputs ...graph.Array) []graph.Array {
	t.Helper()
	out, err := express(func(x []*graph.Node) []*graph.Node {
		zeros := autodiff.Options{AllowUnused: true}
		first := zeros.Grad(ops.Sum(f(x)), x...)
		return append(first, zeros.Grad(ops.Sum(first[0]), x...)...)
	}, inputs...).run()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

func alike(a, b float64) bool { return a == b || a != a && b != b }

// The conventions that the doc comments state.
func TestConventionsAtKinks(t *testing.T) {
	one := func(f func(*graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
		return func(x []*graph.Node) *graph.Node { return f(x[0]) }
	}
	two := func(f func(a, b *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
		return func(x []*graph.Node) *graph.Node { return f(x[0], x[1]) }
	}
	for _, c := range []struct {
		name string
		f    func(x []*graph.Node) *graph.Node
		at   []float64 // operands
		want []float64 // derivatives by them
	}{
		{"relu at 0", one(ops.ReLU), []float64{0}, []float64{0}},
		{"relu at −0", one(ops.ReLU), []float64{math.Copysign(0, -1)}, []float64{0}},
		{"relu above 0", one(ops.ReLU), []float64{1e-300}, []float64{1}},
		{"sqrt at 0", one(ops.Sqrt), []float64{0}, []float64{inf}},
		{"log at 0", one(ops.Log), []float64{0}, []float64{inf}},
		{"log1p at −1", one(ops.Log1p), []float64{-1}, []float64{inf}},
		{"softplus far out", one(ops.Softplus), []float64{1000}, []float64{1}},
		{"x⁰ at 0", one(func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 0) }), []float64{0}, []float64{0}},
		{"x¹ at 0", one(func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 1) }), []float64{0}, []float64{1}},
		{"x² at 0", one(func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 2) }), []float64{0}, []float64{0}},
		{"x³ below 0", one(func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 3) }), []float64{-2}, []float64{12}},
		{"√x by a power, at 0", one(func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 0.5) }), []float64{0}, []float64{inf}},
		{"exponents in a constant", one(func(x *graph.Node) *graph.Node {
			return ops.Pow(x, x.Graph().Constant([]float64{0, 1, 2}))
		}), []float64{0}, []float64{1}},
		{"0^b", func(x []*graph.Node) *graph.Node { return ops.Pow(x[0], x[1]) }, []float64{0, 2}, []float64{0, 0}},
		{"0⁰", func(x []*graph.Node) *graph.Node { return ops.Pow(x[0], x[1]) }, []float64{0, 0}, []float64{0, 0}},
		{"0⁻¹", func(x []*graph.Node) *graph.Node { return ops.Pow(x[0], x[1]) }, []float64{0, -1}, []float64{-inf, -inf}},
		{"2³", func(x []*graph.Node) *graph.Node { return ops.Pow(x[0], x[1]) }, []float64{2, 3}, []float64{12, 8 * math.Ln2}},
		{"(−2)³", func(x []*graph.Node) *graph.Node { return ops.Pow(x[0], x[1]) }, []float64{-2, 3}, []float64{12, nan}},
		{"max pool, tie: the first", func(x []*graph.Node) *graph.Node {
			return ops.MaxPool1D(ops.Reshape(ops.Stack(0, x...), 1, 1, -1), 3, ops.Window{})
		}, []float64{1, 2, 2}, []float64{0, 1, 0}},
		{"max pool, −Inf padding", func(x []*graph.Node) *graph.Node {
			return ops.MaxPool1D(ops.Reshape(x[0], 1, 1, -1), 2, ops.Window{Padding: []int{1}, Stride: []int{1}})
		}, []float64{-5}, []float64{2}},
		{"an index that repeats adds up", func(x []*graph.Node) *graph.Node {
			return ops.Take(ops.Stack(0, x...), x[0].Graph().Constant([]int64{1, -1, 1}), 0)
		}, []float64{4, 5}, []float64{0, 3}},
		{"pad: the value has no derivative", one(func(x *graph.Node) *graph.Node { return ops.Pad(ops.Reshape(x, 1), 9, [2]int{2, 3}) }), []float64{4}, []float64{1}},
		{"|x| at 0", one(ops.Abs), []float64{0}, []float64{0}},
		{"1/x at 0", one(ops.Reciprocal), []float64{0}, []float64{-inf}},
		{"1/√x at 0", one(ops.RSqrt), []float64{0}, []float64{-inf}},
		{"cbrt at 0", one(ops.Cbrt), []float64{0}, []float64{inf}},
		{"asin at 1", one(ops.Asin), []float64{1}, []float64{inf}},
		{"acos at −1", one(ops.Acos), []float64{-1}, []float64{-inf}},
		{"acosh at 1", one(ops.Acosh), []float64{1}, []float64{inf}},
		{"atanh at 1", one(ops.Atanh), []float64{1}, []float64{inf}},
		{"sign", one(ops.Sign), []float64{2}, []float64{0}},
		{"floor", one(ops.Floor), []float64{2.5}, []float64{0}},
		{"minimum of equals", two(ops.Minimum), []float64{3, 3}, []float64{0.5, 0.5}},
		{"minimum", two(ops.Minimum), []float64{2, 3}, []float64{1, 0}},
		{"maximum of equals", two(ops.Maximum), []float64{3, 3}, []float64{0.5, 0.5}},
		{"maximum of ±0", two(ops.Maximum), []float64{0, math.Copysign(0, -1)}, []float64{0.5, 0.5}},
		{"maximum with NaN", two(ops.Maximum), []float64{nan, 1}, []float64{1, 1}},
		{"clamp at lo", one(func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1, 2) }), []float64{-1}, []float64{1}},
		{"clamp at hi", one(func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1, 2) }), []float64{2}, []float64{1}},
		{"clamp beyond", one(func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1, 2) }), []float64{2.5}, []float64{0}},
		{"clamp of NaN", one(func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1, 2) }), []float64{nan}, []float64{0}},
		{"6 mod 3", two(ops.Mod), []float64{6, 3}, []float64{1, -2}},
		{"−7 mod 3", two(ops.Mod), []float64{-7, 3}, []float64{1, 3}},
		{"−7 fmod 3", two(ops.FMod), []float64{-7, 3}, []float64{1, 2}},
		{"hypot at the origin", two(ops.Hypot), []float64{0, 0}, []float64{0, 0}},
		{"hypot far out", two(ops.Hypot), []float64{0, -1e200}, []float64{0, -1}},
		{"atan2 at the origin", two(ops.Atan2), []float64{0, 0}, []float64{0, 0}},
		{"atan2 far out", two(ops.Atan2), []float64{0, 1e200}, []float64{1e-200, 0}},
		{"logaddexp of equals", two(ops.LogAddExp), []float64{1000, 1000}, []float64{0.5, 0.5}},
		{"logaddexp far apart", two(ops.LogAddExp), []float64{-inf, 3}, []float64{0, 1}},
		{"leaky relu at 0", one(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 0.25) }), []float64{0}, []float64{0.25}},
		{"prelu at 0", func(x []*graph.Node) *graph.Node { return ops.PReLU(x[0], x[1], 0) }, []float64{0, 0.25}, []float64{0.25, 0}},
		{"prelu below 0", func(x []*graph.Node) *graph.Node { return ops.PReLU(x[0], x[1], 0) }, []float64{-3, 0.25}, []float64{0.25, -3}},
		{"hard tanh at lo", one(func(x *graph.Node) *graph.Node { return ops.HardTanh(x, -1, 2) }), []float64{-1}, []float64{0}},
		{"hard tanh at hi", one(func(x *graph.Node) *graph.Node { return ops.HardTanh(x, -1, 2) }), []float64{2}, []float64{0}},
		{"relu6 at 0", one(ops.ReLU6), []float64{0}, []float64{0}},
		{"relu6 at 6", one(ops.ReLU6), []float64{6}, []float64{0}},
		{"hard sigmoid at −3", one(ops.HardSigmoid), []float64{-3}, []float64{0}},
		{"hard sigmoid at 3", one(ops.HardSigmoid), []float64{3}, []float64{0}},
		{"hard swish at −3", one(ops.HardSwish), []float64{-3}, []float64{-0.5}},
		{"hard swish at 3", one(ops.HardSwish), []float64{3}, []float64{1.5}},
		{"threshold at θ", one(func(x *graph.Node) *graph.Node { return ops.Threshold(x, 2, 7) }), []float64{2}, []float64{0}},
		{"softshrink at λ", one(func(x *graph.Node) *graph.Node { return ops.Softshrink(x, 0.5) }), []float64{0.5}, []float64{0}},
		{"softshrink at −λ", one(func(x *graph.Node) *graph.Node { return ops.Softshrink(x, 0.5) }), []float64{-0.5}, []float64{0}},
		{"hardshrink at λ", one(func(x *graph.Node) *graph.Node { return ops.Hardshrink(x, 0.5) }), []float64{0.5}, []float64{0}},
		{"elu at 0", one(func(x *graph.Node) *graph.Node { return ops.ELU(x, 0.25) }), []float64{0}, []float64{0.25}},
		{"learned elu at 0", func(x []*graph.Node) *graph.Node { return ops.LearnedELU(x[0], x[1], 0) }, []float64{0, 0.25}, []float64{0.25, 0}},
		{"celu at 0", one(func(x *graph.Node) *graph.Node { return ops.CELU(x, 4) }), []float64{0}, []float64{1}},
		{"softsign at 0", one(ops.Softsign), []float64{0}, []float64{1}},
		{"learned swish far out", func(x []*graph.Node) *graph.Node { return ops.LearnedSwish(x[0], x[1], 0) }, []float64{-1e4, 2}, []float64{0, 0}},
		{"glu", func(x []*graph.Node) *graph.Node { return ops.GLU(ops.Stack(0, x...), 0) }, []float64{3, 0}, []float64{0.5, 0.75}},
		{"lerp", func(x []*graph.Node) *graph.Node { return ops.Lerp(x[0], x[1], x[2]) }, []float64{1, 3, 0.25}, []float64{0.75, 0.25, 2}},
		{"select, the other side NaN", func(x []*graph.Node) *graph.Node { return ops.Select(ops.Less(x[0], x[1]), x[0], x[1]) }, []float64{1, nan}, []float64{0, 1}},
		{"select, true", func(x []*graph.Node) *graph.Node { return ops.Select(ops.LessEqual(x[0], x[0]), x[0], x[1]) }, []float64{1, nan}, []float64{1, 0}},
	} {
		var fed []graph.Array
		for _, v := range c.at {
			fed = append(fed, array(graph.Float64, nil, v))
		}
		got := gradients(t, c.f, fed...)
		for i, w := range c.want {
			if !alike(got[i].At(0), w) {
				t.Errorf("%s: derivative by operand %d is %v, want %v", c.name, i, got[i].At(0), w)
			}
		}
	}
}

// The value and the gradient of what select does not take are out of the result, as far as select is concerned; what the other side is
// computed from still multiplies the zero that reaches it, so 0·Inf is NaN there. Select before, not after, a pole.
func TestSelectAndPoles(t *testing.T) {
	x := array(graph.Float64, []int{3}, 0, 4, 9)
	root := func(x *graph.Node) *graph.Node { return ops.Greater(x, ops.ZerosLike(x)) }
	after := gradients(t, func(n []*graph.Node) *graph.Node {
		return ops.Select(root(n[0]), ops.Sqrt(n[0]), ops.ZerosLike(n[0]))
	}, x)[0]
	before := gradients(t, func(n []*graph.Node) *graph.Node {
		safe := ops.Select(root(n[0]), n[0], ops.AddScalar(ops.ZerosLike(n[0]), 1))
		return ops.Select(root(n[0]), ops.Sqrt(safe), ops.ZerosLike(n[0]))
	}, x)[0]
	if !math.IsNaN(after.At(0)) || before.At(0) != 0 {
		t.Errorf("at the pole: select after it %v, before it %v", after.At(0), before.At(0))
	}
	for i, w := range []float64{0.25, 1.0 / 6} {
		if after.At(i+1) != w || before.At(i+1) != w {
			t.Errorf("beside the pole: %v and %v, want %v", after.At(i+1), before.At(i+1), w)
		}
	}
}

// The second derivatives of a power are right where its base or its exponent is 0.
func TestSecondDerivativesOfPowers(t *testing.T) {
	pow := func(n []*graph.Node) *graph.Node { return ops.Pow(n[0], n[1]) }
	swapped := func(n []*graph.Node) *graph.Node { return ops.Pow(n[1], n[0]) }
	for _, c := range []struct {
		a, b, aa, ab, bb float64
	}{
		{0, 2, 2, 0, 0}, {0, 3, 0, 0, 0}, {2, 0, 0, 0.5, math.Ln2 * math.Ln2}, {2, 3, 12, 4 + 12*math.Ln2, 8 * math.Ln2 * math.Ln2},
	} {
		a, b := array(graph.Float64, nil, c.a), array(graph.Float64, nil, c.b)
		byA, byB := gradients(t, pow, a, b), gradients(t, swapped, b, a)
		for name, pair := range map[string][2]float64{
			"∂²/∂a²": {byA[2].At(0), c.aa}, "∂²/∂a∂b": {byA[3].At(0), c.ab}, "∂²/∂b²": {byB[2].At(0), c.bb}, "∂²/∂b∂a": {byB[3].At(0), c.ab},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 || pair[0] != pair[0] {
				t.Errorf("%s of %v^%v is %v, want %v", name, c.a, c.b, pair[0], pair[1])
			}
		}
	}
	for n, want := range map[float64]float64{0: 0, 1: 0, 2: 2, 3: 0} {
		got := gradients(t, func(x []*graph.Node) *graph.Node { return ops.PowScalar(x[0], n) }, array(graph.Float64, nil, 0))
		if got[1].At(0) != want {
			t.Errorf("the second derivative of x^%v at 0 is %v, want %v", n, got[1].At(0), want)
		}
	}
}

// Elements that tie for a maximum share the cotangent equally, over one axis or several, and in MaxArg.
func TestTiesShareEqually(t *testing.T) {
	x := array(graph.Float64, []int{2, 4}, 3, 1, 3, 3, 2, 2, 0, 3)
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want []float64
	}{
		{"rows", func(x *graph.Node) *graph.Node { return ops.Max(x, 1) }, []float64{1. / 3, 0, 1. / 3, 1. / 3, 0, 0, 0, 1}},
		{"columns", func(x *graph.Node) *graph.Node { return ops.Max(x, 0) }, []float64{1, 0, 1, 0.5, 0, 1, 0, 0.5}},
		{"all", func(x *graph.Node) *graph.Node { return ops.Max(x) }, []float64{0.25, 0, 0.25, 0.25, 0, 0, 0, 0.25}},
		{"kept", func(x *graph.Node) *graph.Node { return ops.MaxKeep(x, -1) }, []float64{1. / 3, 0, 1. / 3, 1. / 3, 0, 0, 0, 1}},
		{"with index", func(x *graph.Node) *graph.Node { v, _ := ops.MaxArg(x, 1); return v }, []float64{1. / 3, 0, 1. / 3, 1. / 3, 0, 0, 0, 1}},
	} {
		got := gradients(t, func(n []*graph.Node) *graph.Node { return c.f(n[0]) }, x)[0]
		for i, w := range c.want {
			if math.Abs(got.At(i)-w) > 1e-15 {
				t.Errorf("%s: element %d gets %v, want %v", c.name, i, got.At(i), w)
			}
		}
	}
}

// Derivatives of the activations: in float64 with full relative accuracy far out, in float32 to 4ε of the largest derivative.
func TestDerivativesOfActivations(t *testing.T) {
	e := func(x float64) float64 { return math.Exp(-math.Abs(x)) }
	for _, c := range []struct {
		name  string
		f     func(*graph.Node) *graph.Node
		exact func(x float64) float64
		peak  float64
	}{
		{"sigmoid", ops.Sigmoid, func(x float64) float64 { return e(x) / ((1 + e(x)) * (1 + e(x))) }, 0.25},
		{"tanh", ops.Tanh, func(x float64) float64 { q := e(2 * x); return 4 * q / ((1 + q) * (1 + q)) }, 1},
		{"softplus", ops.Softplus, sigmoid, 1},
		{"relu", ops.ReLU, func(x float64) float64 {
			if x > 0 {
				return 1
			}
			return 0
		}, 1},
	} {
		var points []float64
		for x := -60.0; x <= 60; x += 0.37 {
			points = append(points, x)
		}
		points = append(points, 20, -20, 40, -40, 300, -300, 1e-5, -1e-5, 1e-300, 1e4, -1e4)
		for _, dtype := range floatTypes {
			x := array(dtype, []int{len(points)}, points...)
			got := gradients(t, func(n []*graph.Node) *graph.Node { return c.f(n[0]) }, x)[0]
			for i := range points {
				want := c.exact(x.At(i))
				bound := 4 * 0x1p-23 * c.peak
				if dtype == graph.Float64 {
					bound = 16*0x1p-52*want + 0x1p-1022
				}
				if d := math.Abs(got.At(i) - want); !(d <= bound) {
					t.Errorf("%s′(%v) in %v is %v, want %v: off by %.3g, allowed %.3g", c.name, x.At(i), dtype, got.At(i), want, d, bound)
				}
			}
		}
	}
	for name, v := range map[string]float64{
		"sigmoid′(40)": gradients(t, func(n []*graph.Node) *graph.Node { return ops.Sigmoid(n[0]) }, array(graph.Float64, nil, 40))[0].At(0),
		"tanh′(20)":    gradients(t, func(n []*graph.Node) *graph.Node { return ops.Tanh(n[0]) }, array(graph.Float64, nil, 20))[0].At(0),
	} {
		want := map[string]float64{"sigmoid′(40)": 4.248354255291589e-18, "tanh′(20)": 4 * 4.248354255291589e-18}[name] // e⁻⁴⁰ to 16 digits
		if math.Abs(v-want) > 1e-15*want {
			t.Errorf("%s = %v, want %v", name, v, want)
		}
	}
}

// NaN in gives NaN out, through every function of one operand and through reductions.
func TestNaNPropagates(t *testing.T) {
	for i, f := range []func(*graph.Node) *graph.Node{ops.ReLU, ops.Sigmoid, ops.Tanh, ops.Softplus, ops.Exp, ops.Log, ops.Log1p, ops.Sqrt, ops.Neg,
		func(x *graph.Node) *graph.Node { return ops.Max(x) }, func(x *graph.Node) *graph.Node { return ops.Sum(x) },
		func(x *graph.Node) *graph.Node { return ops.Mean(x) }, func(x *graph.Node) *graph.Node { return ops.Softmax(x, 0) },
		func(x *graph.Node) *graph.Node { return ops.LogSoftmax(x, 0) }, func(x *graph.Node) *graph.Node { return ops.Max(ops.Reshape(x, -1, 1), 0) }} {
		for _, dtype := range floatTypes {
			for n := range 19 { // the NaN in every lane of a vector, and in the tail
				values := make([]float64, 19)
				values[n] = nan
				got := compute(t, func(x []*graph.Node) *graph.Node { return f(x[0]) }, array(dtype, []int{19}, values...))
				if k := min(n, got.Len()-1); got.At(k) == got.At(k) {
					t.Errorf("function %d, %v, NaN in element %d: %v", i, dtype, n, got.At(k))
				}
			}
		}
	}
}
