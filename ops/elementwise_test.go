package ops_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

func sigmoid(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

func softplus(x float64) float64 {
	if math.IsNaN(x) {
		return x
	}
	return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}

// log is math.Log, whose assembly for amd64 is wrong for subnormal numbers: it gives −708.68 for 2⁻¹⁰²³, which is −1023·ln 2 = −709.09.
func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p64) - 64*math.Ln2
	}
	return math.Log(x)
}

// Every function of one operand is the function of the same name in math, element by element, at ordinary and at special values.
func TestFunctionsOfOneOperand(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(*graph.Node) *graph.Node
		want  func(float64) float64
		ulps  float64 // 0: the correctly rounded result
	}{
		{"neg", ops.Neg, func(x float64) float64 { return -x }, 0},
		{"square", ops.Square, func(x float64) float64 { return x * x }, 0},
		{"scale", func(x *graph.Node) *graph.Node { return ops.Scale(x, -0.5) }, func(x float64) float64 { return -0.5 * x }, 0},
		{"addscalar", func(x *graph.Node) *graph.Node { return ops.AddScalar(x, 3) }, func(x float64) float64 { return x + 3 }, 0},
		{"powscalar", func(x *graph.Node) *graph.Node { return ops.PowScalar(x, 3) }, func(x float64) float64 { return math.Pow(x, 3) }, 2},
		{"sqrt", ops.Sqrt, math.Sqrt, 0},
		{"abs", ops.Abs, math.Abs, 0},
		{"sign", ops.Sign, func(x float64) float64 {
			if x == 0 || x != x {
				return x
			}
			return math.Copysign(1, x)
		}, 0},
		{"reciprocal", ops.Reciprocal, func(x float64) float64 { return 1 / x }, 0},
		{"divscalar", func(x *graph.Node) *graph.Node { return ops.DivScalar(x, 3) }, func(x float64) float64 { return x / 3 }, 0},
		{"clamp", func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1, 0.5) }, func(x float64) float64 { return min(max(x, -1), 0.5) }, 0},
		{"floor", ops.Floor, math.Floor, 0},
		{"ceil", ops.Ceil, math.Ceil, 0},
		{"round", ops.Round, math.RoundToEven, 0},
		{"trunc", ops.Trunc, math.Trunc, 0},
		{"rsqrt", ops.RSqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 2},
		{"cbrt", ops.Cbrt, math.Cbrt, 2},
		{"exp2", ops.Exp2, math.Exp2, 2},
		{"expm1", ops.Expm1, math.Expm1, 4},
		{"erf", ops.Erf, math.Erf, 4},
		{"erfc", ops.Erfc, math.Erfc, 2},
		{"sin", ops.Sin, math.Sin, 4},
		{"cos", ops.Cos, math.Cos, 4},
		{"tan", ops.Tan, math.Tan, 2},
		{"exp", ops.Exp, math.Exp, 4},
		{"log", ops.Log, log, 4},
		{"log1p", ops.Log1p, math.Log1p, 4},
		{"relu", ops.ReLU, func(x float64) float64 { return math.Max(x, 0) }, 1},
		{"sigmoid", ops.Sigmoid, sigmoid, 4},
		{"tanh", ops.Tanh, math.Tanh, 4},
		{"softplus", ops.Softplus, softplus, 4},
	} {
		for _, dtype := range floatTypes {
			t.Run(c.name+" "+dtype.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					x := drawArray(t, "x", dtype, drawShape(t, "shape", 0), awkward)
					got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0]) }, x)
					same(t, c.name, got, dtype, x.Shape, c.ulps, func(i []int) float64 { return c.want(at(x, i...)) })
				})
			})
		}
	}
}

// Binary arithmetic broadcasts by NumPy's rules; add, sub, mul and div are rounded correctly, special values and signs of zero included.
func TestArithmeticBroadcasts(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(a, b *graph.Node) *graph.Node
		want  func(a, b float64) float64
		ulps  float64
	}{
		{"add", ops.Add, func(a, b float64) float64 { return a + b }, 0},
		{"sub", ops.Sub, func(a, b float64) float64 { return a - b }, 0},
		{"mul", ops.Mul, func(a, b float64) float64 { return a * b }, 0},
		{"div", ops.Div, func(a, b float64) float64 { return a / b }, 0},
		{"pow", ops.Pow, math.Pow, 2},
		{"minimum", ops.Minimum, func(a, b float64) float64 { return min(a, b) }, 0},
		{"maximum", ops.Maximum, func(a, b float64) float64 { return max(a, b) }, 0},
		{"fmod", ops.FMod, math.Mod, 0},
		{"hypot", ops.Hypot, math.Hypot, 2},
		{"atan2", ops.Atan2, math.Atan2, 2},
		{"addn", func(a, b *graph.Node) *graph.Node { return ops.AddN(a, b, a) }, func(a, b float64) float64 { return a + b + a }, -1},
	} {
		for _, dtype := range floatTypes {
			t.Run(c.name+" "+dtype.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					shape := drawShape(t, "shape", 0)
					values, ulps := awkward, c.ulps
					if ulps < 0 { // intermediate overflow is the element type's own
						values, ulps = rapid.SampledFrom([]float64{-2, -1, 0, 0.5, 3, math.Inf(1), math.NaN()}), 0
					}
					a, b := drawOperand(t, "a", dtype, shape, values), drawOperand(t, "b", dtype, shape, values)
					got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0], x[1]) }, a, b)
					same(t, c.name, got, dtype, resultShape(a, b), ulps, func(i []int) float64 { return c.want(at(a, i...), at(b, i...)) })
				})
			})
		}
	}
}

// Integers are added, subtracted, multiplied and divided with remainder in their own type, broadcast; they wrap around.
func TestIntegersBroadcast(t *testing.T) {
	floored := func(a, b int64) (q, r int64) { // by definition: b·q + r = a, and r has the sign of b or is 0
		q = int64(math.Floor(float64(a) / float64(b)))
		return q, a - b*q
	}
	for _, c := range []struct {
		name  string
		build func(a, b *graph.Node) *graph.Node
		want  func(a, b int64) int64
	}{
		{"add", ops.Add, func(a, b int64) int64 { return a + b }},
		{"sub", ops.Sub, func(a, b int64) int64 { return a - b }},
		{"mul", ops.Mul, func(a, b int64) int64 { return a * b }},
		{"square", func(a, b *graph.Node) *graph.Node { return ops.Square(ops.Add(a, b)) }, func(a, b int64) int64 { return (a + b) * (a + b) }},
		{"minimum", ops.Minimum, func(a, b int64) int64 { return min(a, b) }},
		{"maximum", ops.Maximum, func(a, b int64) int64 { return max(a, b) }},
		{"floordiv", ops.FloorDiv, func(a, b int64) int64 { q, _ := floored(a, b); return q }},
		{"mod", ops.Mod, func(a, b int64) int64 { _, r := floored(a, b); return r }},
		{"fmod", ops.FMod, func(a, b int64) int64 { return a % b }},
		{"neg", func(a, b *graph.Node) *graph.Node { return ops.Neg(ops.Add(a, b)) }, func(a, b int64) int64 { return -(a + b) }},
		{"abs", func(a, b *graph.Node) *graph.Node { return ops.Abs(ops.Sub(a, b)) }, func(a, b int64) int64 { return max(a-b, b-a) }},
		{"sign", func(a, b *graph.Node) *graph.Node { return ops.Sign(ops.Sub(a, b)) }, func(a, b int64) int64 { return min(max(a-b, -1), 1) }},
		{"clamp", func(a, b *graph.Node) *graph.Node { return ops.Clamp(ops.Sub(a, b), -3, math.Inf(1)) }, func(a, b int64) int64 { return max(a-b, -3) }},
		{"clamped below", func(a, b *graph.Node) *graph.Node { return ops.Clamp(ops.Sub(a, b), math.Inf(-1), 5) }, func(a, b int64) int64 { return min(a-b, 5) }},
		{"scale", func(a, b *graph.Node) *graph.Node { return ops.Add(ops.Scale(a, 3), b) }, func(a, b int64) int64 { return 3*a + b }},
	} {
		for _, dtype := range []graph.DType{graph.Int32, graph.Int64} {
			t.Run(c.name+" "+dtype.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					shape := drawShape(t, "shape", 0)
					numbers := rapid.SampledFrom([]float64{-1000, -7, -2, -1, 1, 2, 3, 9, 46340})
					a, b := drawOperand(t, "a", dtype, shape, numbers), drawOperand(t, "b", dtype, shape, numbers)
					got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0], x[1]) }, a, b)
					same(t, c.name, got, dtype, resultShape(a, b), 0, func(i []int) float64 {
						w := c.want(int64(at(a, i...)), int64(at(b, i...)))
						if dtype == graph.Int32 {
							w = int64(int32(w))
						}
						return float64(w)
					})
				})
			})
		}
	}
	if got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Add(x[0], x[1]) }, mustArray([]int64{math.MaxInt64, 1 << 53}), mustArray([]int64{1, 1})).I64(); got[0] != math.MinInt64 || got[1] != 1<<53+1 {
		t.Errorf("sums of large integers: %v", got)
	}
	zero := express(func(x []*graph.Node) []*graph.Node { return []*graph.Node{ops.FloorDiv(x[0], x[1])} }, mustArray([]int64{1}), mustArray([]int64{0}))
	if _, err := zero.run(); err == nil || !strings.Contains(err.Error(), "divide by zero") {
		t.Errorf("1 // 0: %v", err)
	}
}

// Mod and FloorDiv of floats are Python's % and //; the values are what Python 3 prints.
func TestModuloHasTheSignOfTheDivisor(t *testing.T) {
	negative := math.Copysign(0, -1)
	for _, c := range []struct{ a, b, floored, mod float64 }{
		{7, 3, 2, 1}, {-7, 3, -3, 2}, {7, -3, -3, -2}, {-7, -3, 2, -1}, {6, 3, 2, 0}, {-6, 3, -2, 0}, {6, -3, -2, negative},
		{0.5, 0.1, 4, 0.09999999999999998}, {1, 0.1, 9, 0.09999999999999995}, {-1e-20, 3, -1, 3},
		{5, math.Inf(1), 0, 5}, {-5, math.Inf(1), -1, math.Inf(1)}, {math.Inf(1), 3, math.NaN(), math.NaN()}, {math.NaN(), 3, math.NaN(), math.NaN()},
		{5, 0, math.Inf(1), math.NaN()}, {-5, 0, math.Inf(-1), math.NaN()}, // NumPy's: Python has an error here
	} {
		for name, v := range map[string]struct {
			f    func(a, b *graph.Node) *graph.Node
			want float64
		}{"//": {ops.FloorDiv, c.floored}, "%": {ops.Mod, c.mod}} {
			got := compute(t, func(x []*graph.Node) *graph.Node { return v.f(x[0], x[1]) }, array(graph.Float64, nil, c.a), array(graph.Float64, nil, c.b)).At(0)
			if !close(graph.Float64, got, v.want, 0) {
				t.Errorf("%v %s %v = %v, want %v", c.a, name, c.b, got, v.want)
			}
		}
	}
}

// Logic of booleans, and the kinds of numbers, for every element type.
func TestLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 0)
		bit := rapid.SampledFrom([]float64{0, 1})
		a, b := drawOperand(t, "a", graph.Bool, shape, bit), drawOperand(t, "b", graph.Bool, shape, bit)
		for _, c := range []struct {
			name  string
			build func(a, b *graph.Node) *graph.Node
			want  func(a, b bool) bool
		}{
			{"and", ops.And, func(a, b bool) bool { return a && b }},
			{"or", ops.Or, func(a, b bool) bool { return a || b }},
			{"xor", ops.Xor, func(a, b bool) bool { return a != b }},
			{"nand", func(a, b *graph.Node) *graph.Node { return ops.Not(ops.And(a, b)) }, func(a, b bool) bool { return !(a && b) }},
		} {
			got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0], x[1]) }, a, b)
			same(t, c.name, got, graph.Bool, resultShape(a, b), 0, func(i []int) float64 { return truth(c.want(at(a, i...) != 0, at(b, i...) != 0)) })
		}
	})
	values := []float64{0, 1, -1e30, math.Inf(1), math.Inf(-1), math.NaN(), 1e-40}
	for _, dtype := range allTypes {
		x := array(dtype, []int{len(values)}, values...)
		if !dtype.IsFloat() {
			x = array(dtype, []int{len(values)}, 0, 1)
		}
		for _, c := range []struct {
			name  string
			build func(x *graph.Node) *graph.Node
			want  func(x float64) bool
		}{
			{"isnan", ops.IsNaN, math.IsNaN},
			{"isinf", ops.IsInf, func(x float64) bool { return math.IsInf(x, 0) }},
			{"isfinite", ops.IsFinite, func(x float64) bool { return x-x == 0 }},
		} {
			got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0]) }, x)
			same(t, c.name, got, graph.Bool, x.Shape, 0, func(i []int) float64 { return truth(c.want(at(x, i...))) })
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Comparisons take every element type. NaN is unequal to everything, itself included, and in no order with anything.
func TestComparisons(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(a, b *graph.Node) *graph.Node
		want  func(a, b float64) bool
	}{
		{"less", ops.Less, func(a, b float64) bool { return a < b }},
		{"lessequal", ops.LessEqual, func(a, b float64) bool { return a <= b }},
		{"greater", ops.Greater, func(a, b float64) bool { return a > b }},
		{"greaterequal", ops.GreaterEqual, func(a, b float64) bool { return a >= b }},
		{"equal", ops.Equal, func(a, b float64) bool { return a == b }},
		{"notequal", ops.NotEqual, func(a, b float64) bool { return a != b }},
	} {
		t.Run(c.name, func(t *testing.T) {
			few := rapid.SampledFrom([]float64{-2, -1, 0, math.Copysign(0, -1), 1, 2, math.NaN(), math.Inf(1), math.Inf(-1)})
			rapid.Check(t, func(t *rapid.T) {
				dtype := rapid.SampledFrom(allTypes).Draw(t, "dtype")
				shape := drawShape(t, "shape", 0)
				if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
					shape = []int{2, 300} // several blocks a run
				}
				a, b := drawOperand(t, "a", dtype, shape, few), drawOperand(t, "b", dtype, shape, few)
				got := compute(t, func(x []*graph.Node) *graph.Node { return c.build(x[0], x[1]) }, a, b)
				same(t, c.name, got, graph.Bool, resultShape(a, b), 0, func(i []int) float64 { return truth(c.want(at(a, i...), at(b, i...))) })
			})
		})
	}
}

// Comparing 64-bit integers takes no detour by floats.
func TestLargeIntegersAreComparedExactly(t *testing.T) {
	e := express(func(x []*graph.Node) []*graph.Node {
		return []*graph.Node{ops.Less(x[0], x[1]), ops.Equal(x[0], x[1])}
	}, mustArray([]int64{1 << 53, math.MaxInt64 - 1}), mustArray([]int64{1<<53 + 1, math.MaxInt64}))
	out, err := e.run()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if !out[0].Bool()[i] || out[1].Bool()[i] {
			t.Errorf("pair %d: less %v, equal %v", i, out[0].Bool()[i], out[1].Bool()[i])
		}
	}
}

func mustArray(v any) graph.Array {
	a, err := graph.ArrayOf(v)
	if err != nil {
		panic(err)
	}
	return a
}

func TestSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom(allTypes).Draw(t, "dtype")
		shape := drawShape(t, "shape", 0)
		cond := drawOperand(t, "cond", graph.Bool, shape, rapid.SampledFrom([]float64{0, 1}))
		a, b := drawOperand(t, "a", dtype, shape, awkward), drawOperand(t, "b", dtype, shape, awkward)
		got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Select(x[0], x[1], x[2]) }, cond, a, b)
		same(t, "select", got, dtype, resultShape(cond, a, b), 0, func(i []int) float64 {
			if at(cond, i...) != 0 {
				return at(a, i...)
			}
			return at(b, i...)
		})
	})
}

// Conversions are Go's: towards zero from float to int; true is 1; what is not 0 is true.
func TestCast(t *testing.T) {
	values := []float64{0, 1, -1, 2.9, -2.9, 3e5}
	convert := map[graph.DType]func(float64) float64{
		graph.Float32: func(v float64) float64 { return float64(float32(v)) },
		graph.Float64: func(v float64) float64 { return v },
		graph.Int32:   math.Trunc,
		graph.Int64:   math.Trunc,
		graph.Bool: func(v float64) float64 {
			if v != 0 {
				return 1
			}
			return 0
		},
	}
	for _, from := range allTypes {
		for _, to := range allTypes {
			x := array(from, []int{2, 3}, values...)
			got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Cast(x[0], to) }, x)
			same(t, from.String()+" to "+to.String(), got, to, x.Shape, 0, func(i []int) float64 { return convert[to](at(x, i...)) })
		}
	}
	big := mustArray([]int64{1<<53 + 1, -1<<40 + 3})
	if got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Cast(x[0], graph.Int32) }, big).I32(); got[0] != 1 || got[1] != 3 {
		t.Errorf("the low bits of wide integers: %v", got)
	}
}

// What does not fit is an invalid node whose message says what would.
func TestOperandsThatDoNotFit(t *testing.T) {
	g := graph.New()
	n, m := graph.Symbol("n"), graph.Symbol("m")
	f := func(name string, dims ...graph.Dim) *graph.Node { return g.Input(name, graph.Float64, dims...) }
	a, b, s, r := f("a", 2, 3), f("b", 3, 2), f("s", n), f("r", m)
	single, i, mask := g.Input("single", graph.Float32, 2, 3), g.Input("i", graph.Int64, 2, 3), g.Input("mask", graph.Bool, 2, 3)
	pair := ops.Tuple(a, b)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Add(a, b), "shapes (2, 3) and (3, 2) do not fit"},
		{ops.Add(s, r), "ops.AssertDim"},
		{ops.Add(s, f("three", 3)), "ops.AssertDim"},
		{ops.Mul(a, single), "ops.Cast, or with g.Full(graph.Float64, v)"},
		{ops.Add(mask, mask), "needs numbers, not bool"},
		{ops.Div(i, i), "needs float32 or float64"},
		{ops.Floor(i), "needs float32 or float64"},
		{ops.And(i, mask), "needs booleans, not int64"},
		{ops.Not(a), "ops.NotEqual"},
		{ops.Clamp(a, math.NaN(), 1), "an open side is −Inf"},
		{ops.Exp(mask), "needs float32 or float64"},
		{ops.Less(a, i), "element types differ"},
		{ops.Select(a, a, a), "not bool"},
		{ops.Exp(pair), "ops.Get"},
		{ops.Get(pair, 2), "part 2 of a tuple of 2"},
		{ops.Get(a, 0), "takes one tuple"},
		{ops.ByMode(a, b), "must be alike"},
		{ops.MatMul(a, a), "transposing the second operand would fit"},
		{ops.MatMul(a, f("single number")), "takes two matrices"},
		{ops.MatMul(a, f("two", 2)), "inner dimensions differ: (2, 3) · (2)"},
		{ops.MatMul(f("four", 4), a), "inner dimensions differ: (4) · (2, 3)"},
		{ops.MatMul(f("batch of 2", 2, 2, 3), f("batch of 3", 3, 3, 2)), "the batches of"},
		{ops.MatMul(f("an", 2, n), f("mb", m, 2)), "ops.AssertDim"},
		{ops.Sum(a, 2), "axis 2 is outside"},
		{ops.Sum(a, 0, -2), "named twice"},
		{ops.Softmax(a, -3), "axis -3 is outside"},
		{ops.ArgMax(f("scalar"), 0), "axis 0 is outside"},
		{ops.Transpose(a, 0), "no permutation"},
		{ops.Transpose(a, 0, 0), "no permutation"},
		{ops.Reshape(a, 4, 2), "has 6 elements"},
		{ops.Reshape(a, 4, -1), "no whole number"},
		{ops.Reshape(a, -1, -1), ""},
		{ops.Reshape(a, -2, -3), "negative"},
		{ops.Reshape(f("none", 0, 3), 0, -1), "no whole number"},
		{ops.BroadcastTo(a, 2, 2, 2), "cannot be repeated"},
		{ops.BroadcastTo(a, 1, 3), "cannot be repeated"},
		{ops.AssertDim(a, 0, 5), "can never be 5"},
		{ops.AssertDim(a, 2, 5), "axis 2 is outside"},
		{ops.TakeAlongAxis(a, a, 0), "indices are int32 or int64"},
		{ops.TakeAlongAxis(a, g.Input("flat", graph.Int64, 2), 0), "same number of dimensions"},
		{ops.TakeAlongAxis(a, g.Input("tall", graph.Int64, 3, 3), 1), "do not fit"},
		{ops.ScatterAlongAxis(mask, i, 0, 2), "adds numbers"},
		{ops.AddN(), "no operands"},
		{ops.BroadcastTo(pair), "tuple"},
		{ops.ZerosLike(pair), "tuple"},
		{ops.DimSize(g, -3, graph.Float64), "no dimension"},
		{ops.Cast(a, 99), "no element type"},
		{ops.Add(nil, a), "nil"},
		{ops.Sum(nil), "nil"},
		{ops.Softmax(nil, 0), "nil"},
		{ops.Reshape(nil, 1), "nil"},
		{ops.Scale(nil, 1), "nil"},
		{ops.ZerosLike(nil), "nil"},
		{ops.Transpose(nil), "nil"},
		{ops.TakeAlongAxis(nil, nil, 0), "nil"},
		{ops.Get(nil, 0), "nil"},
		{ops.MaxKeep(nil, 0), "nil"},
		{ops.Clamp(nil, 0, 1), "nil"},
		{ops.Clamp(nil, math.NaN(), 1), "NaN"},
		{ops.IsInf(nil), "nil"},
		{ops.IsFinite(nil), "nil"},
		{ops.RSqrt(nil), "nil"},
		{ops.GLU(nil, 0), "nil"},
		{ops.PReLU(nil, nil, 0), "nil"},
		{ops.Swish(nil, 1), "nil"},
		{ops.HardSwish(nil), "nil"},
		{ops.Lerp(nil, nil, nil), "nil"},
	} {
		if err := c.node.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "elementwise_test.go:") {
			t.Errorf("%v: error %v, want this line and %q", c.node, err, c.want)
		}
	}
}
