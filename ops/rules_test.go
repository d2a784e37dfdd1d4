package ops_test

import (
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// ruleCases say for every rewrite what it applies to. inner is the operand that the rule looks into; at extreme the plain form fails, in
// value or gradient, or (exact) the rule is there for speed and changes no bit.
var ruleCases = map[string]struct {
	build   func(x *graph.Node) (root, inner *graph.Node)
	lo, hi  float64 // of random inputs, at which both forms agree
	extreme []float64
	value   func(x []float64, i int) float64 // at extreme
	exact   bool
}{
	"log-softmax": {func(x *graph.Node) (*graph.Node, *graph.Node) { s := ops.Softmax(x, 0); return ops.Log(s), s },
		-5, 5, []float64{0, 2000, -3000}, func(x []float64, i int) float64 { return x[i] - 2000 }, false},
	"log-sigmoid": {func(x *graph.Node) (*graph.Node, *graph.Node) { s := ops.Sigmoid(x); return ops.Log(s), s },
		-5, 5, []float64{-2000, -1e4, -800}, func(x []float64, i int) float64 { return x[i] }, false},
	"log1p": {func(x *graph.Node) (*graph.Node, *graph.Node) { s := ops.AddScalar(x, 1); return ops.Log(s), s },
		0, 5, []float64{1e-20, -1e-30, 3e-18}, func(x []float64, i int) float64 { return x[i] }, false},
	"softplus": {func(x *graph.Node) (*graph.Node, *graph.Node) { s := ops.Exp(x); return ops.Log1p(s), s },
		-5, 5, []float64{800, 1000, 1e4}, func(x []float64, i int) float64 { return x[i] }, false},
	"log-mean-exp": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		s := ops.Mean(ops.Exp(ops.Reshape(x, -1, 1)), 1)
		return ops.Log(s), s
	},
		-5, 5, []float64{800, 1000, -1e4}, func(x []float64, i int) float64 { return x[i] }, false},
	"softmax": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		e := ops.Exp(x)
		return ops.Div(e, ops.SumKeep(e, 0)), e
	},
		-5, 5, []float64{0, 2000, -3000}, func(x []float64, i int) float64 { return []float64{0, 1, 0}[i] }, false},
	"log-softmax-parts": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		s := ops.LogSumExp(x, 0)
		return ops.Sub(x, s), s
	},
		-5, 5, []float64{1e17, 1e17, 1e17}, func([]float64, int) float64 { return -math.Log(3) }, false},
	"log-sum-exp": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		s := ops.Sum(ops.Exp(ops.Reshape(x, -1, 1)), 1)
		return ops.Log(s), s
	},
		-5, 5, []float64{800, 1000, -1e4}, func(x []float64, i int) float64 { return x[i] }, false},
	"log-one-minus-sigmoid": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		s := ops.Sigmoid(x)
		return ops.Log(ops.Sub(ops.Scalar(x, 1), s)), s
	}, -5, 1, []float64{40, 1000, 1e4}, func(x []float64, i int) float64 { return -x[i] }, false},
	"log1p-minus": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		c := ops.Sub(ops.Scalar(x, 1), x)
		return ops.Log(c), c
	}, -5, 0.5, []float64{1e-20, -1e-30, 3e-18}, func(x []float64, i int) float64 { return -x[i] }, false},
	"expm1": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		e := ops.Exp(x)
		return ops.Sub(e, ops.Scalar(x, 1)), e
	}, -5, 5, []float64{1e-20, -1e-30, 3e-18}, func(x []float64, i int) float64 { return x[i] }, false},
	"expm1-plus": {func(x *graph.Node) (*graph.Node, *graph.Node) { e := ops.Exp(x); return ops.AddScalar(e, -1), e },
		-5, 5, []float64{1e-20, -1e-30, 3e-18}, func(x []float64, i int) float64 { return x[i] }, false},
	"sigmoid": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		d := ops.AddScalar(ops.Exp(ops.Neg(x)), 1)
		return ops.Div(ops.Scalar(x, 1), d), d
	}, -5, 5, []float64{-710, -712, -715}, func(x []float64, i int) float64 { return math.Exp(x[i]) }, false},
	"sigmoid-reciprocal": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		d := ops.AddScalar(ops.Exp(x), 1) // of −x
		return ops.Reciprocal(d), d
	}, -5, 5, []float64{710, 712, 715}, func(x []float64, i int) float64 { return math.Exp(-x[i]) }, false},
	"erfc": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		e := ops.Erf(x)
		return ops.Sub(ops.Scalar(x, 1), e), e
	},
		-3, 3, []float64{7, 10, 25}, func(x []float64, i int) float64 { return math.Erfc(x[i]) }, false},
	"sqrt-square": {func(x *graph.Node) (*graph.Node, *graph.Node) { s := ops.Square(x); return ops.Sqrt(s), s },
		-9, 9, []float64{0, -1e200, 1e-200}, func(x []float64, i int) float64 { return math.Abs(x[i]) }, false},
	"mul-one": {func(x *graph.Node) (*graph.Node, *graph.Node) { return ops.Scale(x, 1), nil }, -9, 9, []float64{inf, nan, math.Copysign(0, -1)}, nil, true},
	"div-one": {func(x *graph.Node) (*graph.Node, *graph.Node) { return ops.Div(x, x.Graph().Full(x.DType(), 1)), nil }, -9, 9, []float64{inf, nan, math.Copysign(0, -1)}, nil, true},
	"small-powers": {func(x *graph.Node) (*graph.Node, *graph.Node) { return ops.PowScalar(x, 2), nil },
		-9, 9, []float64{inf, nan, math.Copysign(0, -1)}, nil, true},
	"neg-neg": {func(x *graph.Node) (*graph.Node, *graph.Node) { n := ops.Neg(x); return ops.Neg(n), n }, -9, 9, []float64{inf, nan, math.Copysign(0, -1)}, nil, true},
	"not-not": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		return ops.Not(ops.Not(ops.Less(x, ops.Scalar(x, 0)))), nil
	},
		-9, 9, []float64{inf, nan, 0}, nil, true},
	"select-not": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		return ops.Select(ops.Not(ops.Less(x, ops.Scalar(x, 0))), x, ops.Neg(x)), nil
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"sum-of-one": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		return ops.Sum(ops.Reshape(x, -1, 1, 1), 1, 2), nil
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"reshape-broadcast": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		b := ops.BroadcastTo(ops.Slice(x, 0, 0, 1), 3, 1)
		return ops.Mul(x, ops.At(ops.Reshape(b, 1, -1), 1, 2)), b
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"broadcast-broadcast": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		b := ops.BroadcastTo(x, append(graph.Shape{1, 3}, x.Shape()...)...)
		return ops.BroadcastTo(b, append(graph.Shape{2, 3}, x.Shape()...)...), b
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"reshape-reshape": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		n := ops.Reshape(x, 1, 1, -1)
		return ops.Reshape(n, -1, 1), n
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"transpose-transpose": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		n := ops.Transpose(ops.Reshape(x, -1, 1))
		return ops.Transpose(n), n
	}, -9, 9, []float64{inf, nan, 0}, nil, true},
	"slice-slice": {func(x *graph.Node) (*graph.Node, *graph.Node) {
		n := ops.SliceStep(ops.Tile(x, 6), 0, ops.Open, ops.Open, -2)
		return ops.SliceStep(n, 0, -2, ops.Open, -1), n
	}, -9, 9, []float64{inf, nan, 0, 4, 5}, nil, true},
}

// Each row of the table of rewrites fires on its pattern, from either side of a commutative operator, keeps type and value, and is not
// applied through a node that somebody asked for.
func TestRules(t *testing.T) {
	for _, rule := range ops.Rules() {
		c, ok := ruleCases[rule.Name]
		if !ok {
			t.Errorf("rule %s has no case", rule.Name)
			continue
		}
		t.Run(rule.Name, func(t *testing.T) {
			for _, dtype := range floatTypes {
				rapid.Check(t, func(t *rapid.T) {
					x := drawArray(t, "x", dtype, []int{rapid.IntRange(1, 6).Draw(t, "n")}, rapid.Float64Range(c.lo, c.hi))
					before, after := bothForms(t, rule, c.build, x)
					for i := range before.Len() {
						bound := 0.0
						if !c.exact {
							bound = 16 * map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}[dtype] * math.Max(1, math.Abs(before.At(i)))
						}
						if d := math.Abs(before.At(i) - after.At(i)); !(d <= bound) {
							t.Errorf("%v: %v becomes %v", x.At(i), before.At(i), after.At(i))
						}
					}
				})
			}
			// Where the plain form fails.
			x := array(graph.Float64, []int{3}, c.extreme...)
			before, after := bothForms(t, rule, c.build, x)
			for i := range after.Len() {
				switch {
				case c.exact && math.Float64bits(before.At(i)) != math.Float64bits(after.At(i)):
					t.Errorf("%v: %v becomes %v", x.At(i), before.At(i), after.At(i))
				case c.exact:
				case math.Abs(after.At(i)-c.value(c.extreme, i)) > 1e-12*math.Abs(c.value(c.extreme, i)):
					t.Errorf("at %v the rewritten form gives %v", x.At(i), after.At(i))
				}
			}
			if !c.exact {
				failed := false
				for i := range before.Len() {
					w := c.value(c.extreme, i)
					failed = failed || !(math.Abs(before.At(i)-w) <= 1e-3*math.Abs(w))
				}
				if !failed {
					t.Error("the plain form is right at the extremes too; then what is the rule for?")
				}
				for i, v := range gradients(t, func(x []*graph.Node) *graph.Node { y, _ := c.build(x[0]); return y }, x)[0].F64() {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("the gradient at %v is %v", x.At(i), v)
					}
				}
			}
			// A boundary: the derivative by the inner node is still to be had, and a program that is asked for it gives it.
			out, err := express(func(n []*graph.Node) []*graph.Node {
				root, inner := c.build(n[0])
				if inner == nil {
					return nil
				}
				return []*graph.Node{inner, root, autodiff.Grad(ops.Sum(root), inner)[0]}
			}, array(dtypeOf(x), []int{3}, 0.3, 0.6, 0.9)).runOrNothing()
			if err != nil {
				t.Error(err)
			}
			if len(out) == 3 && out[2].Len() != out[0].Len() {
				t.Errorf("the gradient by the inner node has %v", out[2].Shape)
			}
			g := graph.New()
			root, inner := c.build(g.Input("x", graph.Float64, 3))
			if inner != nil {
				keep := graph.Rebuild{Rules: []graph.Rule{rule}, Keep: []*graph.Node{inner}}
				if got := keep.Run(root)[0]; got != root || len(keep.Fired) != 0 {
					t.Errorf("applied through a boundary: %v", got)
				}
			}
		})
	}
}

func dtypeOf(a graph.Array) graph.DType { return a.DType }

func (e *expression) runOrNothing() ([]graph.Array, error) {
	if len(e.outs) == 0 {
		return nil, nil
	}
	return e.run()
}

// bothForms computes the expression operator by operator, and as the rule rewrites it. Neither is compiled with other rules.
func bothForms(t failer, rule graph.Rule, build func(x *graph.Node) (root, inner *graph.Node), x graph.Array) (before, after graph.Array) {
	t.Helper()
	g := graph.New()
	in := g.Input("x", x.DType, graph.Dim(x.Len()))
	root, _ := build(in)
	r := graph.Rebuild{Rules: []graph.Rule{rule}}
	to := r.Run(root)[0]
	if len(r.Fired) != 1 || to == root || !to.Type().Identical(root.Type()) {
		t.Fatalf("%s on %v: fired %d times, giving %v of type %v", rule.Name, root, len(r.Fired), to, to.Type())
	}
	return plain(t, root, in, x), plain(t, to, in, x)
}

// plain runs the kernels of an expression one by one.
func plain(t failer, root, in *graph.Node, x graph.Array) graph.Array {
	t.Helper()
	values := map[*graph.Node]graph.Array{in: x}
	for _, n := range graph.Reachable(root) {
		if n.Kind() == graph.Constant {
			values[n] = n.Value()
		}
		if n.Kind() != graph.Op {
			continue
		}
		var shape []int
		for _, d := range n.Shape() {
			shape = append(shape, int(d))
		}
		call := graph.Call{Attr: n.Attr(), Out: []graph.Array{graph.NewArray(n.DType(), shape...)}}
		var types []graph.Type
		for _, operand := range n.Inputs() {
			call.In, types = append(call.In, values[operand]), append(types, operand.Type())
		}
		if n.Def().Scratch != nil {
			bytes := n.Def().Scratch(n.Attr(), types)
			call.Scratch = graph.NewArray(graph.Float64, int(bytes+7)/8).Bytes()[:bytes]
		}
		if err := n.Def().Run(&call); err != nil {
			t.Fatalf("%v", err)
		}
		values[n] = call.Out[0]
	}
	return values[root]
}

// Powers of 1, 2 and −1 are no powers any more, at special values as at others.
func TestSmallPowers(t *testing.T) {
	for b, want := range map[float64]func(x float64) float64{1: func(x float64) float64 { return x }, 2: func(x float64) float64 { return x * x }, -1: func(x float64) float64 { return 1 / x }} {
		for _, dtype := range floatTypes {
			x := array(dtype, []int{9}, 0, math.Copysign(0, -1), inf, -inf, nan, 3, -0.7, 1e-30, 1e30)
			got := compute(t, func(n []*graph.Node) *graph.Node { return ops.PowScalar(n[0], b) }, x)
			same(t, "power", got, dtype, x.Shape, 0, func(i []int) float64 { return want(at(x, i...)) })
			for i := range x.Len() { // and math.Pow says the same
				if v := x.At(i); !close(dtype, got.At(i), math.Pow(v, b), 1) {
					t.Errorf("%v to the %v is %v", v, b, got.At(i))
				}
			}
		}
	}
}

// Rules look at the patterns only: neighbours of the pattern stay.
func TestRulesStayWithTheirPattern(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Float64, 3), g.Input("y", graph.Float64, 3)
	for _, n := range []*graph.Node{ops.Log(ops.AddScalar(x, 2)), ops.Log(ops.Add(x, y)), ops.AddScalar(x, 0), ops.Scale(x, 0), ops.Scale(x, -1),
		ops.Div(g.Full(graph.Float64, 1), x), ops.Mul(x, g.Constant([]float64{1, 1, 1})), ops.Log1p(x), ops.Log(ops.Exp(x)), ops.Neg(x)} {
		r := graph.Rebuild{Rules: ops.Rules()}
		if got := r.Run(n)[0]; got != n {
			t.Errorf("%v becomes %v", n, got)
		}
	}
	for _, n := range []*graph.Node{ops.Log(ops.Add(g.Full(graph.Float64, 1), x)), ops.Mul(g.Full(graph.Float64, 1), x), ops.Log(ops.AddScalar(ops.Exp(x), 1))} {
		r := graph.Rebuild{Rules: ops.Rules()}
		if got := r.Run(n)[0]; got == n {
			t.Errorf("%v stays", n)
		}
	}
}
