package gorgonia_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

type shape = []int

// agreement is one operator on both sides, over operands of several shapes.
type agreement struct {
	name   string
	lo, hi float64 // of the operands' elements
	shapes [][]shape
	build  func(x ...node) node
}

var (
	oneOperand = [][]shape{{{}}, {{1}}, {{1, 1}}, {{3}}, {{1, 4}}, {{4, 1}}, {{2, 3}}, {{2, 3, 4}}, {{2, 1, 3, 2}}}
	broadcasts = [][]shape{{{2, 3}, {2, 3}}, {{}, {}}, {{3}, {3}}, {{2, 3}, {3}}, {{3}, {2, 3}}, {{}, {2, 3}}, {{2, 3}, {}}, {{2, 1}, {3}}, {{2, 3}, {1, 3}},
		{{2, 3}, {2, 1}}, {{2, 3}, {1, 1}}, {{4, 1, 3}, {2, 1}}, {{1, 3}, {3}}, {{1}, {3}}, {{2, 3, 4}, {2, 3, 1}}, {{2, 3, 4}, {1, 3, 1}}, {{2, 1, 3, 2}, {4, 1, 1}}}
)

func agreements() (list []agreement) {
	one := func(name string, lo, hi float64, f func(x node) node) {
		list = append(list, agreement{name, lo, hi, oneOperand, func(x ...node) node { return f(x[0]) }})
	}
	one("neg", -2, 2, ops.Neg)
	one("exp", -2, 2, ops.Exp)
	one("log", 0.3, 3, ops.Log)
	one("log1p", -0.5, 3, ops.Log1p)
	one("sqrt", 0.3, 3, ops.Sqrt)
	one("relu", -2, 2, ops.ReLU)
	one("sigmoid", -3, 3, ops.Sigmoid)
	one("tanh", -2, 2, ops.Tanh)
	one("softplus", -3, 3, ops.Softplus)
	one("abs", -2, 2, ops.Abs)
	one("reciprocal", 0.5, 2, ops.Reciprocal)
	one("expm1", -2, 2, ops.Expm1)
	one("log2", 0.3, 3, ops.Log2)
	one("sin", -2, 2, ops.Sin)
	one("cos", -2, 2, ops.Cos)
	one("leakyrelu", -2, 2, func(x node) node { return ops.LeakyReLU(x, 0.1) })
	one("softsign", -2, 2, ops.Softsign)
	one("swish", -2, 2, ops.SiLU)
	one("mish", -2, 2, ops.Mish)
	one("hard swish", -5, 5, ops.HardSwish)
	one("steps", -2, 2, func(x node) node { return ops.Add(ops.Mul(x, ops.Floor(x)), ops.Mul(ops.Ceil(x), ops.Sign(x))) })
	one("square", -2, 2, ops.Square)
	one("scale and shift", -2, 2, func(x node) node { return ops.AddScalar(ops.Scale(x, 3), -1) })
	one("power of a scalar", 0.3, 3, func(x node) node { return ops.PowScalar(x, -1.5) })
	one("stabilised logarithms", -3, 3, func(x node) node { return ops.AddN(ops.Log(ops.Sigmoid(x)), ops.Log1p(ops.Exp(x))) })

	two := func(name string, lo, hi float64, f func(a, b node) node) {
		list = append(list, agreement{name, lo, hi, broadcasts, func(x ...node) node { return f(x[0], x[1]) }})
	}
	two("add", -2, 2, ops.Add)
	two("sub", -2, 2, ops.Sub)
	two("mul", -2, 2, ops.Mul)
	two("div", 0.5, 2, ops.Div)
	two("pow", 0.5, 2, ops.Pow)
	two("minimum", -2, 2, ops.Minimum)
	two("maximum", -2, 2, ops.Maximum)
	two("logaddexp", -2, 2, ops.LogAddExp)
	two("logic", -2, 2, func(a, b node) node {
		p, q := ops.Less(a, b), ops.Less(ops.Scalar(a, 0), ops.Add(a, b))
		return ops.Select(ops.Or(ops.And(p, ops.Not(q)), ops.Xor(q, ops.GreaterEqual(a, b))), ops.Square(a), b)
	})
	two("less, select", -2, 2, func(a, b node) node { return ops.Select(ops.Less(a, b), ops.Square(a), b) })
	two("lessequal, cast", -2, 2, func(a, b node) node { return ops.Mul(ops.Add(a, b), ops.Cast(ops.LessEqual(a, b), a.DType())) })
	two("equal", -2, 2, func(a, b node) node { return ops.Select(ops.Equal(a, ops.Add(a, ops.Scale(b, 0))), a, b) })
	two("masks of masks", -2, 2, func(a, b node) node {
		between := ops.Select(ops.Less(a, b), ops.GreaterEqual(a, ops.Neg(b)), a.Graph().Constant(false))
		return ops.Select(ops.NotEqual(between, a.Graph().Constant(true)), a, b)
	})

	for _, c := range []struct {
		name   string
		reduce func(x node, axes ...int) node
	}{{"sum", ops.Sum}, {"mean", ops.Mean}, {"max", ops.Max}} {
		for _, r := range []struct {
			shape shape
			axes  []int
		}{{shape{3}, nil}, {shape{2, 3}, nil}, {shape{2, 3}, []int{0}}, {shape{2, 3}, []int{1}}, {shape{1, 3}, []int{0}}, {shape{1, 3}, []int{1}}, {shape{3, 1}, []int{1}},
			{shape{2, 3, 4}, []int{0}}, {shape{2, 3, 4}, []int{1}}, {shape{2, 3, 4}, []int{2}}, {shape{2, 3, 4}, []int{0, 2}}, {shape{2, 3, 4}, []int{1, 2}},
			{shape{2, 3, 4}, nil}, {shape{2, 1, 3, 2}, []int{0, 2}}, {shape{}, nil}} {
			list = append(list, agreement{fmt.Sprint(c.name, r.axes), -2, 2, [][]shape{{r.shape}}, func(x ...node) node { return c.reduce(x[0], r.axes...) }})
		}
	}
	for _, c := range []struct {
		name string
		f    func(x node, axis int) node
	}{{"softmax", ops.Softmax}, {"logsoftmax", ops.LogSoftmax}, {"maxarg", func(x node, axis int) node { values, _ := ops.MaxArg(x, axis); return values }}} {
		for _, s := range []shape{{3}, {2, 3}, {1, 3}, {3, 1}, {2, 3, 4}, {2, 1, 3, 2}} {
			for axis := range s {
				list = append(list, agreement{fmt.Sprint(c.name, axis), -2, 2, [][]shape{{s}}, func(x ...node) node { return c.f(x[0], axis) }})
			}
		}
	}
	list = append(list,
		agreement{"matmul", -2, 2, [][]shape{{{2, 3}, {3, 4}}, {{1, 3}, {3, 4}}, {{2, 3}, {3, 1}}, {{1, 3}, {3, 1}}, {{2, 1}, {1, 3}}},
			func(x ...node) node { return ops.MatMul(x[0], x[1]) }},
		agreement{"matmul, transposed", -2, 2, [][]shape{{{3, 2}, {4, 3}}, {{3, 1}, {4, 3}}, {{3, 2}, {1, 3}}, {{1, 2}, {3, 1}}},
			func(x ...node) node { return ops.MatMul(ops.Transpose(x[0]), ops.Transpose(x[1])) }},
		agreement{"matmul of batches", -2, 2, [][]shape{{{2, 3, 4}, {2, 4, 2}}, {{2, 3, 4}, {4, 2}}, {{1, 3, 4}, {5, 4, 2}}, {{2, 2, 3, 4}, {4, 2}}, {{3, 4}, {2, 4, 3}}},
			func(x ...node) node { return ops.MatMul(x[0], x[1]) }},
		agreement{"matmul of vectors", -2, 2, [][]shape{{{4}, {4}}, {{3, 4}, {4}}, {{3}, {3, 4}}}, func(x ...node) node { return ops.MatMul(x[0], x[1]) }},
		agreement{"concat", -2, 2, [][]shape{{{2, 3}, {2, 1}}, {{2, 3}, {2, 3}}}, func(x ...node) node { return ops.Tanh(ops.Concat(1, x...)) }},
		agreement{"stack", -2, 2, [][]shape{{{2, 3}, {2, 3}}, {{3}, {3}}}, func(x ...node) node { return ops.Tanh(ops.Stack(0, x...)) }},
		agreement{"slice", -2, 2, [][]shape{{{4, 3}}, {{4}}, {{5, 2, 3}}}, func(x ...node) node { return ops.Exp(ops.Slice(x[0], 0, 1, 3)) }},
		agreement{"slice of one", -2, 2, [][]shape{{{4, 3}}, {{4}}, {{5, 2, 3}}}, func(x ...node) node { return ops.Exp(ops.Slice(x[0], 0, 1, 2)) }},
		agreement{"pad", -2, 2, [][]shape{{{2, 3}}, {{1, 2}}}, func(x ...node) node { return ops.Exp(ops.Pad(x[0], -0.5, [2]int{1, 2}, [2]int{0, 1})) }},
		agreement{"at", -2, 2, [][]shape{{{4, 3}}, {{4, 2}}}, func(x ...node) node { return ops.Exp(ops.At(x[0], 1, -1)) }},
		agreement{"split", -2, 2, [][]shape{{{3, 4}}}, func(x ...node) node { p := ops.Split(x[0], 1, 2); return ops.Mul(p[0], ops.Exp(p[1])) }},
		agreement{"affine", -2, 2, [][]shape{{{2, 3}, {3, 4}, {4}}, {{1, 3}, {3, 4}, {4}}, {{5, 3}, {3, 1}, {1}}},
			func(x ...node) node { return ops.Affine(x[0], x[1], x[2]) }},
		agreement{"integers", -2, 2, [][]shape{{{3, 4}}}, func(x ...node) node {
			largest := ops.Reshape(ops.ArgMax(x[0], 1), 3, 1)
			second := x[0].Graph().Constant([]int64{1, 1, 1, 1})
			return ops.Add(ops.Select(ops.Equal(largest, second), ops.Square(x[0]), x[0]), ops.Cast(largest, x[0].DType()))
		}},
		agreement{"take", -2, 2, [][]shape{{{3, 4}}}, func(x ...node) node {
			rows := graph.NewArray(graph.Int64, 3, 1)
			copy(rows.I64(), []int64{1, 3, 0})
			return ops.TakeAlongAxis(x[0], x[0].Graph().Constant(rows), 1)
		}},
	)
	for _, to := range [][2]shape{{{2, 3}, {3, 2}}, {{6}, {2, 3}}, {{2, 3}, {6}}, {{}, {1}}, {{}, {1, 1}}, {{1, 1}, {}}, {{2, 3}, {2, 1, 3}}, {{2, 3, 4}, {6, 4}}, {{1, 3}, {3}}, {{3}, {3, 1}}} {
		list = append(list, agreement{fmt.Sprint("reshape to ", to[1]), -2, 2, [][]shape{{to[0]}}, func(x ...node) node { return ops.Exp(ops.Reshape(x[0], dims(to[1])...)) }})
	}
	for _, to := range [][2]shape{{{3}, {2, 3}}, {{2, 1}, {2, 3}}, {{}, {2, 3}}, {{}, {3}}, {{1}, {3}}, {{1, 3, 1}, {2, 3, 4}}, {{3}, {2, 4, 3}}} {
		list = append(list, agreement{fmt.Sprint("broadcast to ", to[1]), -2, 2, [][]shape{{to[0]}}, func(x ...node) node { return ops.BroadcastTo(x[0], dims(to[1])...) }})
	}
	for _, perm := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		transposed := func(name string, f func(x node) node) {
			list = append(list, agreement{fmt.Sprint("transpose ", perm, name), -2, 2, [][]shape{{{2, 3, 4}}}, func(x ...node) node { return f(ops.Transpose(x[0], perm...)) }})
		}
		transposed("", func(x node) node { return x })
		transposed(", tanh", ops.Tanh)
		transposed(", sum", func(x node) node { return ops.Sum(x, 1) })
		transposed(", softmax", func(x node) node { return ops.Softmax(x, 1) })
		transposed(", reshape", func(x node) node { return ops.Reshape(x, 24) })
	}
	return list
}

func dims(s shape) (list []graph.Dim) {
	for _, size := range s {
		list = append(list, graph.Dim(size))
	}
	return list
}

// Values agree to 100 ε of the largest element, and so do gradients: Gorgonia's own, and Tapir's computed there as an expression.
func TestOperatorsAgree(t *testing.T) {
	const bound = 100
	r := rand.New(rand.NewPCG(1, 2))
	for _, dtype := range []graph.DType{graph.Float64, graph.Float32} {
		for _, c := range agreements() {
			for _, shapes := range c.shapes {
				var values []graph.Array
				for _, s := range shapes {
					values = append(values, random(r, dtype, c.lo, c.hi, s...))
				}
				p := pose(c.build, values...)
				want, err := p.byTapir()
				if err != nil {
					t.Fatalf("%s %v %v here: %v", c.name, shapes, dtype, err)
				}
				if got, err := p.byGorgonia(); err != nil {
					t.Errorf("%s %v %v: %v", c.name, shapes, dtype, err)
				} else if d := differ(got, want, bound*epsilon[dtype]); d != "" {
					t.Errorf("%s %v %v: %s", c.name, shapes, dtype, d)
				}
				if got, err := p.ourGradientThere(); err != nil {
					t.Errorf("%s %v %v, our gradient: %v", c.name, shapes, dtype, err)
				} else if d := differ(got, want, bound*epsilon[dtype]); d != "" {
					t.Errorf("%s %v %v, our gradient: %s", c.name, shapes, dtype, d)
				}
			}
		}
	}
}
