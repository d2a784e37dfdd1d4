package ops_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Gradients of reductions where they have a choice, or where a formula that divides or subtracts would give NaN: first the derivatives
// of Σ f, then those of the first derivatives' sum.
func TestConventionsOfReductions(t *testing.T) {
	std := func(x *graph.Node) *graph.Node { return ops.Std(x, 1) }
	for _, c := range []struct {
		name   string
		f      func(x *graph.Node) *graph.Node
		at     []float64
		first  []float64
		second []float64 // nil: not looked at
	}{
		{"prod, no zero", func(x *graph.Node) *graph.Node { return ops.Prod(x) }, []float64{2, 3, 5}, []float64{15, 10, 6}, []float64{8, 7, 5}},
		{"prod, one zero", func(x *graph.Node) *graph.Node { return ops.Prod(x) }, []float64{2, 0, 5}, []float64{0, 10, 0}, []float64{5, 7, 2}},
		{"prod, two zeros", func(x *graph.Node) *graph.Node { return ops.Prod(x) }, []float64{0, 3, 0}, []float64{0, 0, 0}, []float64{3, 0, 3}},
		{"prod, three zeros", func(x *graph.Node) *graph.Node { return ops.Prod(x) }, []float64{0, 0, 0}, []float64{0, 0, 0}, []float64{0, 0, 0}},
		{"cumprod, zeros", func(x *graph.Node) *graph.Node { return ops.CumProd(x, 0) }, []float64{0, 3, 0}, []float64{1 + 3 + 0, 0, 0}, []float64{1 + 3, 1 + 0, 3}},
		{"min, ties", func(x *graph.Node) *graph.Node { return ops.Min(x) }, []float64{1, 4, 1}, []float64{0.5, 0, 0.5}, []float64{0, 0, 0}},
		{"minarg, ties", func(x *graph.Node) *graph.Node { v, _ := ops.MinArg(x, 0); return v }, []float64{1, 4, 1}, []float64{0.5, 0, 0.5}, []float64{0, 0, 0}},
		{"logsumexp, all −Inf", func(x *graph.Node) *graph.Node { return ops.LogSumExp(x) }, []float64{-inf, -inf}, []float64{0, 0}, []float64{0, 0}},
		{"logsumexp, some −Inf", func(x *graph.Node) *graph.Node { return ops.LogSumExp(x) }, []float64{-inf, 3}, []float64{0, 1}, []float64{0, 0}},
		{"logsumexp, far apart", func(x *graph.Node) *graph.Node { return ops.LogSumExp(x) }, []float64{2000, 0}, []float64{1, 0}, []float64{0, 0}},
		{"logsumexp, +Inf", func(x *graph.Node) *graph.Node { return ops.LogSumExp(x) }, []float64{inf, 0}, []float64{nan, 0}, nil},
		{"std of equal elements", std, []float64{3, 3}, []float64{0, 0}, []float64{0, 0}},
		{"std", std, []float64{1, 3}, []float64{-math.Sqrt2 / 2, math.Sqrt2 / 2}, nil},
		{"var of one element", func(x *graph.Node) *graph.Node { return ops.Var(x, 0) }, []float64{3}, []float64{0}, []float64{0}},
	} {
		got := gradients(t, func(x []*graph.Node) *graph.Node { return c.f(x[0]) }, array(graph.Float64, []int{len(c.at)}, c.at...))
		for order, want := range [][]float64{c.first, c.second} {
			for i, w := range want {
				if v := got[order].At(i); !alike(v, w) && !(math.Abs(v-w) <= 1e-15*math.Abs(w)) {
					t.Errorf("%s: derivative %d by element %d is %v, want %v", c.name, order+1, i, v, w)
				}
			}
		}
	}
	for _, n := range []int{1, 2} {
		got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Var(x[0], n) }, array(graph.Float64, []int{n}, 1, 3))
		if v := got.At(0); n == 1 && !math.IsNaN(v) || n == 2 && !math.IsInf(v, 1) {
			t.Errorf("var of %d elements with ddof %d is %v", n, n, v)
		}
	}
}

// The index operators and scans along any axis, in float32 without losing the digits of a long row.
func TestScans(t *testing.T) {
	x := array(graph.Float32, []int{100_000}, 0.1)
	if got := compute(t, func(n []*graph.Node) *graph.Node { return ops.CumSum(n[0], 0) }, x); math.Abs(got.At(99_999)-100_000*float64(float32(0.1))) > 1e-3 {
		t.Errorf("the sum of 100 000 times 0.1 is %v", got.At(99_999))
	}
	y := array(graph.Float64, []int{2, 3}, 1, 2, 3, 4, 5, 6)
	a := array(graph.Float64, []int{2, 3}, 9, 0.5, 2, 9, 0, -1)
	ints := array(graph.Int64, []int{2, 3}, 1, 2, 3, 4, 5, 6)
	out, err := express(func(n []*graph.Node) []*graph.Node {
		return []*graph.Node{ops.CumSum(n[0], -1), ops.CumSum(n[0], 0), ops.CumProd(n[0], 1), ops.LinearScan(n[1], n[0], 1), ops.Shift(n[0], 1), ops.Shift(n[0], 0), ops.CumSum(n[2], 1)}
	}, y, a, ints).run()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float64{{1, 3, 6, 4, 9, 15}, {1, 2, 3, 5, 7, 9}, {1, 2, 6, 4, 20, 120}, {1, 2.5, 8, 4, 5, 1}, {0, 1, 2, 0, 4, 5}, {0, 0, 0, 1, 2, 3}, {1, 3, 6, 4, 9, 15}} {
		for k, w := range want {
			if v := out[i].At(k); v != w {
				t.Errorf("scan %d, element %d is %v, want %v", i, k, v, w)
			}
		}
	}
}

// NaN in gives NaN out, through every reduction and scan, wherever it stands.
func TestNaNPropagatesThroughReductions(t *testing.T) {
	for i, f := range []func(*graph.Node) *graph.Node{
		func(x *graph.Node) *graph.Node { return ops.Prod(x) }, func(x *graph.Node) *graph.Node { return ops.Min(x) }, func(x *graph.Node) *graph.Node { return ops.LogSumExp(x) },
		func(x *graph.Node) *graph.Node { return ops.Var(x, 0) }, func(x *graph.Node) *graph.Node { return ops.Std(x, 1) }, func(x *graph.Node) *graph.Node { return ops.L1Norm(x) },
		func(x *graph.Node) *graph.Node { return ops.L2Norm(x) }, func(x *graph.Node) *graph.Node { return ops.Norm(x, 3) }, func(x *graph.Node) *graph.Node { return ops.Norm(x, -1) },
		func(x *graph.Node) *graph.Node { return ops.Norm(x, inf) }, func(x *graph.Node) *graph.Node { return ops.CumSum(x, 0) }, func(x *graph.Node) *graph.Node { return ops.CumProd(x, 0) },
		func(x *graph.Node) *graph.Node { return ops.Var(ops.BroadcastTo(ops.Reshape(x, -1, 1), 19, 40), 0, 0) },
		func(x *graph.Node) *graph.Node { return ops.LogSumExp(ops.Reshape(x, -1, 1), 0) },
		func(x *graph.Node) *graph.Node { return ops.Min(ops.BroadcastTo(ops.Reshape(x, -1, 1), 19, 2), 0) },
		func(x *graph.Node) *graph.Node { v, _ := ops.TopK(x, 1, 0); return v }, func(x *graph.Node) *graph.Node { v, _ := ops.MinArg(x, 0); return v },
	} {
		for _, dtype := range floatTypes {
			for n := range 19 {
				x := array(dtype, []int{19}, 1)
				x.SetAt(n, nan)
				got := compute(t, func(x []*graph.Node) *graph.Node { return f(x[0]) }, x)
				if v := got.At(got.Len() - 1); v == v {
					t.Errorf("function %d, %v, NaN in element %d: %v", i, dtype, n, v)
				}
			}
		}
	}
}

// Reductions say which element types they are for.
func TestElementTypesOfReductions(t *testing.T) {
	g := graph.New()
	x, i, mask := g.Input("x", graph.Float64, 2, 3), g.Input("i", graph.Int32, 2, 3), g.Input("mask", graph.Bool, 2, 3)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Sum(mask), "ops.Cast"}, {ops.Mean(i), "needs float32 or float64"}, {ops.Any(x), "ops.NotEqual"}, {ops.All(i), "ops.NotEqual"},
		{ops.LogSumExp(i), "needs float32 or float64"}, {ops.Var(i, 0), "needs float32 or float64"}, {ops.CumSum(mask, 0), "ops.Cast"},
		{ops.ArgMax(mask, 0), "ops.Cast"}, {ops.LinearScan(x, ops.Sum(x, 0), 0), "ops.BroadcastTo"}, {ops.Min(x, 2), "axis 2 is outside"},
		{ops.CumProd(x, 2), "axis 2 is outside"}, {ops.Var(x, 0, 0, 0), "named twice"}, {ops.Prod(nil), "nil"}, {ops.Std(nil, 0), "nil"}, {ops.CountNonzero(nil), "nil"}, {ops.Shift(nil, 0), "nil"},
	} {
		if err := c.node.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	for _, n := range []*graph.Node{ops.Sum(i), ops.Prod(i), ops.Max(i, 0), ops.CumSum(i, 1), ops.CountNonzero(mask)} {
		if n.Err() != nil || !n.DType().IsInt() {
			t.Errorf("%v: %v, %v", n, n.DType(), n.Err())
		}
	}
}
