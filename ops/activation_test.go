package ops_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// exactly is an activation as closed formulas that are accurate in float64 for every x: value, first and second derivative.
type exactly struct {
	name   string
	build  func(x *graph.Node) *graph.Node
	at     func(x float64) (y, first, second float64)
	peak   float64                 // max |first|; that of |second| is at most 2
	digits func(x float64) float64 // how many ε of relative accuracy the first derivative has in float64 at x; 0: 4ε of the peak only
	limits [2][2]float64           // value and derivative at −Inf and at +Inf
}

// bell returns σ(x), σ(−x), σ′(x) and σ″(x), each with full relative accuracy.
func bell(x float64) (s, complement, first, second float64) {
	e := math.Exp(-math.Abs(x))
	s, complement = 1/(1+e), e/(1+e)
	if x < 0 {
		s, complement = complement, s
	}
	first = e / (1 + e) / (1 + e)
	return s, complement, first, math.Copysign(first*(1-e)/(1+e), -x)
}

// normal returns Φ(x) and φ(x), with the roundings of x/√2 and of x² made good.
func normal(x float64) (cdf, density float64) {
	u := -x / math.Sqrt2
	rest := math.FMA(-u, math.Sqrt2, -x)/math.Sqrt2 - u*(-9.667293313452913e-17/math.Sqrt2) // √2 is fl(√2) − 9.67e-17
	cdf = math.Erfc(u)/2 - math.Exp(-u*u)/math.SqrtPi*rest
	high := float64(float32(x)) // x² = high² + (x−high)(x+high), the first exact
	density = math.Exp(-high*high/2) * math.Exp(-(x-high)*(x+high)/2) / math.Sqrt(2*math.Pi)
	return cdf, density
}

func eluExactly(lambda, alpha, tau float64) func(x float64) (y, first, second float64) {
	return func(x float64) (y, first, second float64) {
		if x > 0 {
			return lambda * x, lambda, 0
		}
		e := lambda * alpha * math.Exp(x/tau)
		return lambda * alpha * math.Expm1(x/tau), e / tau, e / tau / tau
	}
}

func swishExactly(beta float64) func(x float64) (y, first, second float64) {
	return func(x float64) (y, first, second float64) {
		s, c, d, _ := bell(beta * x)
		y = x * s
		if c == 0 {
			return y, 1, 0
		}
		return y, s * (1 + beta*x*c), beta * d * (2 - beta*x*math.Tanh(beta*x/2))
	}
}

func relative(x float64) float64 { return 16 }

// away is full relative accuracy but around a zero of the derivative.
func away(from, to float64) func(x float64) float64 {
	return func(x float64) float64 {
		if x > from && x < to {
			return 0
		}
		return 16
	}
}

var exactActivations = []exactly{
	{"sigmoid", ops.Sigmoid, func(x float64) (y, first, second float64) {
		y, _, first, second = bell(x)
		return y, first, second
	}, 0.25, relative, [2][2]float64{{0, 0}, {1, 0}}},
	{"tanh", ops.Tanh, func(x float64) (y, first, second float64) {
		_, _, d, d2 := bell(2 * x)
		return math.Tanh(x), 4 * d, 8 * d2
	}, 1, relative, [2][2]float64{{-1, 0}, {1, 0}}},
	{"softplus", ops.Softplus, func(x float64) (y, first, second float64) {
		s, _, d, _ := bell(x)
		return softplus(x), s, d
	}, 1, relative, [2][2]float64{{0, 0}, {inf, 1}}},
	{"logsigmoid", ops.LogSigmoid, func(x float64) (y, first, second float64) {
		_, c, d, _ := bell(x)
		return -softplus(-x), c, -d
	}, 1, relative, [2][2]float64{{-inf, 1}, {0, 0}}},
	{"elu", func(x *graph.Node) *graph.Node { return ops.ELU(x, 1) }, eluExactly(1, 1, 1), 1, relative, [2][2]float64{{-1, 0}, {inf, 1}}},
	{"selu", ops.SELU, eluExactly(1.0507009873554804934193349852946, 1.6732632423543772848170429916717, 1), 1.758, relative,
		[2][2]float64{{-1.7580993408473768, 0}, {inf, 1.0507009873554805}}},
	{"celu", func(x *graph.Node) *graph.Node { return ops.CELU(x, 2) }, eluExactly(1, 2, 2), 1, relative, [2][2]float64{{-2, 0}, {inf, 1}}},
	{"silu", ops.SiLU, swishExactly(1), 1.1, away(-4, -0.5), [2][2]float64{{0, 0}, {inf, 1}}},
	{"swish", func(x *graph.Node) *graph.Node { return ops.Swish(x, -0.5) }, swishExactly(-0.5), 1.1, away(1, 8), [2][2]float64{{-inf, 1}, {0, 0}}},
	{"gelu", ops.GELU, func(x float64) (y, first, second float64) {
		cdf, density := normal(math.Max(-60, math.Min(60, x)))
		y = x * cdf
		if x < -60 {
			y = 0
		}
		x = math.Max(-60, math.Min(60, x))
		return y, cdf + x*density, density * (2 - x*x)
	}, 1.13, func(x float64) float64 {
		if math.Abs(x+1) < 1 {
			return 0
		}
		return 16 + 2*x*x
	}, [2][2]float64{{0, 0}, {inf, 1}}},
	{"gelutanh", ops.GELUTanh, func(x float64) (y, first, second float64) {
		z := math.Max(-60, math.Min(60, x))
		const a, b = 2 * 0.7978845608028654, 2 * 0.7978845608028654 * 0.044715
		s, _, d, d2 := bell(a*z + b*z*z*z)
		slope := a + 3*b*z*z
		y = x * s
		if x < -60 {
			y = 0
		}
		return y, s + z*d*slope, 2*d*slope + z*d2*slope*slope + z*d*6*b*z
	}, 1.13, func(x float64) float64 {
		if math.Abs(x+1) < 1 {
			return 0
		}
		return 16 + math.Abs(x*x*x)
	}, [2][2]float64{{0, 0}, {inf, 1}}},
	{"mish", ops.Mish, func(x float64) (y, first, second float64) {
		// With n = eˣ and D = n² + 2n + 2, tanh(softplus x) = 1 − 2/D; above 0 the same over n².
		z := math.Max(-800, math.Min(800, x))
		var gate, slope, curve float64
		if n := math.Exp(z); z < 0 {
			d := n*n + 2*n + 2
			gate, slope = n*(n+2)/d, 4*n*(n+1)/d/d
			curve = 4 * n * ((2*n+1)*d - 4*n*(n+1)*(n+1)) / d / d / d
		} else {
			m := math.Exp(-z)
			d := 1 + 2*m + 2*m*m
			gate, slope = (1+2*m)/d, 4*m*m*(1+m)/d/d
			curve = 4 * m * m * ((2+m)*d - 4*(1+m)*(1+m)) / d / d / d
		}
		y = x * gate
		if x < -800 {
			y = 0
		}
		return y, gate + z*slope, 2*slope + z*curve
	}, 1.09, away(-4, -0.5), [2][2]float64{{0, 0}, {inf, 1}}},
	{"softsign", ops.Softsign, func(x float64) (y, first, second float64) {
		r := 1 / (1 + math.Abs(x))
		if x == 0 {
			return 0, 1, 0
		}
		return x * r, r * r, math.Copysign(2*r*r*r, -x)
	}, 1, relative, [2][2]float64{{-1, 0}, {1, 0}}},
}

// magnitudes are numbers of both signs and of every size that the type has, more of them where activations bend.
func magnitudes(dtype graph.DType) []float64 {
	random := rand.New(rand.NewPCG(17, 19))
	least, most := -1074, 1023
	if dtype == graph.Float32 {
		least, most = -149, 127
	}
	var list []float64
	for k := least; k <= most; k++ {
		n := 1
		if k > -5 && k < 11 {
			n = 60
		}
		for range n {
			v := math.Ldexp(1+random.Float64(), k)
			if dtype == graph.Float32 {
				v = float64(float32(v))
			}
			if !math.IsInf(v, 0) {
				list = append(list, v, -v)
			}
		}
	}
	return append(list, 1000, -1000, 1e4, -1e4)
}

// Values and derivatives of every activation at arguments of every size. In float32 values are right to 4ε (of the argument's eighth
// where they are a small part of it), derivatives to 4ε of the largest derivative, second ones to 16ε. In float64 derivatives are right
// to 16ε of themselves far out, where they are small, too.
func TestActivationsFarOut(t *testing.T) {
	for _, c := range exactActivations {
		for _, dtype := range floatTypes {
			x := array(dtype, []int{len(magnitudes(dtype))}, magnitudes(dtype)...)
			got := derivatives(t, unaryOf(c.build), x)
			epsilon, smallest, largest := 0x1p-52, 0x1p-1022, math.MaxFloat64
			if dtype == graph.Float32 {
				epsilon, smallest, largest = 0x1p-23, 0x1p-126, math.MaxFloat32
			}
			wrong := 0
			for i := range x.Len() {
				at := x.At(i)
				y, first, second := c.at(at)
				bounds := [3]float64{4 * epsilon * math.Max(math.Abs(y), math.Abs(at)/8), 4 * epsilon * c.peak, 16 * epsilon}
				if dtype == graph.Float64 {
					if digits := c.digits(at); digits > 0 {
						bounds[1] = digits * epsilon * math.Abs(first)
					}
				}
				for k, want := range [3]float64{y, first, second} {
					v := got[k].At(i)
					if math.Abs(want) > largest {
						want = math.Copysign(inf, want)
					}
					if v == want || math.Abs(v-want) <= bounds[k]+4*smallest {
						continue
					}
					if wrong++; wrong < 5 {
						t.Errorf("%s in %v at %v: derivative %d (0 is the value) is %v, want %v: off by %.3gε of it, %.3g allowed", c.name, dtype, at, k, v, want,
							math.Abs(v-want)/math.Abs(want)/epsilon, bounds[k]/math.Abs(want)/epsilon)
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%s in %v: %d of %d wrong", c.name, dtype, wrong, 3*x.Len())
			}
		}
	}
}

// At ±Inf the value is the limit, and so is the derivative; the second derivative is 0.
func TestActivationsAtInfinity(t *testing.T) {
	list := append([]exactly(nil), exactActivations...)
	list = append(list,
		exactly{name: "relu", build: ops.ReLU, limits: [2][2]float64{{0, 0}, {inf, 1}}},
		exactly{name: "leakyrelu", build: func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 0.5) }, limits: [2][2]float64{{-inf, 0.5}, {inf, 1}}},
		exactly{name: "prelu", build: func(x *graph.Node) *graph.Node { return ops.PReLU(x, ops.Scalar(x, 0.5), 0) }, limits: [2][2]float64{{-inf, 0.5}, {inf, 1}}},
		exactly{name: "learned elu", build: func(x *graph.Node) *graph.Node { return ops.LearnedELU(x, ops.Scalar(x, 0.5), 0) }, limits: [2][2]float64{{-0.5, 0}, {inf, 1}}},
		exactly{name: "relu6", build: ops.ReLU6, limits: [2][2]float64{{0, 0}, {6, 0}}},
		exactly{name: "hardsigmoid", build: ops.HardSigmoid, limits: [2][2]float64{{0, 0}, {1, 0}}},
		exactly{name: "hardswish", build: ops.HardSwish, limits: [2][2]float64{{0, 0}, {inf, 1}}},
		exactly{name: "threshold", build: func(x *graph.Node) *graph.Node { return ops.Threshold(x, 1, -3) }, limits: [2][2]float64{{-3, 0}, {inf, 1}}},
		exactly{name: "softshrink", build: func(x *graph.Node) *graph.Node { return ops.Softshrink(x, 1) }, limits: [2][2]float64{{-inf, 1}, {inf, 1}}},
		exactly{name: "hardshrink", build: func(x *graph.Node) *graph.Node { return ops.Hardshrink(x, 1) }, limits: [2][2]float64{{-inf, 1}, {inf, 1}}},
		exactly{name: "tanhshrink", build: ops.Tanhshrink, limits: [2][2]float64{{-inf, 1}, {inf, 1}}},
		exactly{name: "softplus β", build: func(x *graph.Node) *graph.Node { return ops.SoftplusBeta(x, 3) }, limits: [2][2]float64{{0, 0}, {inf, 1}}},
	)
	for _, c := range list {
		for _, dtype := range floatTypes {
			got := derivatives(t, unaryOf(c.build), array(dtype, []int{2}, -inf, inf))
			for i, side := range []string{"−Inf", "+Inf"} {
				for k, want := range append(c.limits[i][:], 0) {
					if v := got[k].At(i); !(v == want || math.Abs(v-want) <= 4*0x1p-23*math.Abs(want)) {
						t.Errorf("%s in %v at %s: derivative %d (0 is the value) is %v, want %v", c.name, dtype, side, k, v, want)
					}
				}
			}
		}
	}
}

// What is learnt gets its gradient, of one value and of one for each channel, along any axis.
func TestLearnedParameters(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	for name, f := range map[string]func(x, p *graph.Node, axis int) *graph.Node{"prelu": ops.PReLU, "elu": ops.LearnedELU, "swish": ops.LearnedSwish} {
		for _, c := range []struct {
			param []graph.Dim
			axis  int
		}{{nil, 1}, {[]graph.Dim{1}, 1}, {[]graph.Dim{3}, 1}, {[]graph.Dim{3}, -2}, {[]graph.Dim{2}, 0}, {[]graph.Dim{4}, 2}, {[]graph.Dim{3, 1}, 0}} {
			x := gradcheck.Values(graph.Operand{Avoid: []float64{0}, Lo: -2, Hi: 2}, graph.TypeOf(graph.Float64, 2, 3, 4), random)
			p := gradcheck.Values(graph.Operand{Lo: 0.1, Hi: 0.9}, graph.TypeOf(graph.Float64, c.param...), random)
			report, err := gradcheck.Check(func(n []*graph.Node) *graph.Node { return f(n[0], n[1], c.axis) }, x, p)
			if err != nil || !report.OK() {
				t.Errorf("%s with a parameter of shape %v along %d: %v %v", name, c.param, c.axis, report, err)
			}
		}
	}
	// Which channel a value belongs to.
	x, p := array(graph.Float64, []int{2, 3, 2}, -1), array(graph.Float64, []int{3}, 10, 20, 30)
	got := compute(t, func(n []*graph.Node) *graph.Node { return ops.PReLU(n[0], n[1], 1) }, x, p)
	same(t, "prelu", got, graph.Float64, x.Shape, 0, func(i []int) float64 { return -10 * float64(i[1]+1) })
	g := graph.New()
	for want, n := range map[string]*graph.Node{
		"axis 3 is outside": ops.PReLU(g.Input("x", graph.Float64, 2, 3), g.Input("p", graph.Float64, 3), 3),
		"2 equal parts":     ops.GLU(g.Input("odd", graph.Float64, 2, 3), 1),
		"do not fit":        ops.PReLU(g.Input("y", graph.Float64, 2, 3), g.Input("q", graph.Float64, 4), 1),
		"α is 0":            ops.CELU(g.Input("z", graph.Float64, 2), 0),
		"β is 0":            ops.SoftplusBeta(g.Input("v", graph.Float64, 2), 0),
	} {
		if err := n.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", n, err, want)
		}
	}
}

// What is composed of operators is the plain formula, wherever it is finite; a composition is of operators that have none themselves.
func TestCompositionsAreTheirFormulas(t *testing.T) {
	composed := 0
	trials(t, func(t *testing.T, c trial) {
		if c.def.Expand == nil || !c.types[0].DType.IsFloat() {
			return
		}
		composed++
		e := express(func(x []*graph.Node) []*graph.Node { return []*graph.Node{c.def.Expand(c.attr, x)} }, c.in...)
		for _, n := range graph.Reachable(e.outs...) {
			if n.Def() != nil && n.Def().Expand != nil {
				t.Errorf("%s is composed of %s, which is composed", c.def.Name, n.Def().Name)
			}
		}
		got, err := e.run()
		if err != nil {
			t.Fatal(err)
		}
		want := c.evaluate(t, c.in, func(out graph.Array) graph.Array { return out })[0]
		ulps := 8.0
		if c.def == ops.LogAddExpDef { // a result near 0 is the difference of its operands and a logarithm
			for i := range want.Len() {
				ulps = math.Max(ulps, 8/math.Abs(want.At(i)))
			}
		}
		same(t, c.def.Name, got[0], want.DType, want.Shape, ulps, func(i []int) float64 { return at(want, i...) })
	})
	if composed < 20 {
		t.Errorf("%d compositions", composed)
	}
}

// NaN stays NaN in every activation, and infinities of either sign do no harm to their neighbours.
func TestActivationsOfNaN(t *testing.T) {
	for name, build := range goldenFunctions {
		if goldenIsBinary[name] || name == "sign" {
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			dtype := rapid.SampledFrom(floatTypes).Draw(t, "dtype")
			k := rapid.IntRange(0, 18).Draw(t, "at")
			values := make([]float64, 19)
			for i := range values {
				values[i] = 1
			}
			values[k] = nan
			got := compute(t, build, array(dtype, []int{19}, values...))
			for i := range got.Len() {
				if v := got.At(i); (v != v) != (i == k) {
					t.Errorf("%s with NaN in element %d: element %d is %v", name, k, i, v)
				}
			}
		})
	}
}
