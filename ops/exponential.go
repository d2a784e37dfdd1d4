package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of exponentials, logarithms and roots.
var (
	ExpDef   = new(graph.Def)
	LogDef   = new(graph.Def)
	Log1pDef = new(graph.Def)
	SqrtDef  = new(graph.Def)
)

// Exp returns eˣ.
func Exp(x *graph.Node) *graph.Node { return graph.Apply(ExpDef, nil, x) }

// Log returns the natural logarithm: −Inf at 0, NaN below.
func Log(x *graph.Node) *graph.Node { return graph.Apply(LogDef, nil, x) }

// Log1p returns ln(1+x), accurate for small x: −Inf at −1, NaN below.
func Log1p(x *graph.Node) *graph.Node { return graph.Apply(Log1pDef, nil, x) }

// Sqrt returns the square root, NaN for negative x. Its derivative ½/√x is +Inf at 0.
func Sqrt(x *graph.Node) *graph.Node { return graph.Apply(SqrtDef, nil, x) }

func init() {
	define(ExpDef, graph.Def{
		Name:      "exp",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Exp[float32], kernel.Exp[float64]),
		VJP:       func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{Mul(dy, n)} },
		Traits:    graph.InPlace,
		Samples:   unarySamples(-2, 2),
	})
	define(LogDef, graph.Def{
		Name:      "log",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Log[float32], kernel.Log[float64]),
		VJP:       func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{Div(dy, n.In(0))} },
		Traits:    graph.InPlace,
		Samples:   unarySamples(0.3, 3),
	})
	define(Log1pDef, graph.Def{
		Name:      "log1p",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Log1p[float32], kernel.Log1p[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Div(dy, AddScalar(n.In(0), 1))}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(-0.5, 3),
	})
	define(SqrtDef, graph.Def{
		Name:      "sqrt",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Sqrt[float32], kernel.Sqrt[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Div(Scale(dy, 0.5), n)}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(0.3, 3),
	})

	rewrite(graph.Rule{
		Name: "log-softmax", Why: "ln softmax(x) underflows to −Inf where log-softmax is exact", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if s := m.Op(n.In(0), SoftmaxDef); s != nil {
				return graph.Apply(LogSoftmaxDef, s.Attr(), s.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log-sigmoid", Why: "ln sigmoid(x) = −softplus(−x) does not underflow", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if s := m.Op(n.In(0), SigmoidDef); s != nil {
				return Neg(Softplus(Neg(s.In(0))))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log1p", Why: "ln(1+x) loses every digit of a small x", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			sum := m.Op(n.In(0), AddDef)
			for i := range 2 {
				if sum != nil && isScalar(sum.In(i), 1) {
					return Log1p(sum.In(1 - i))
				}
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "softplus", Why: "ln(1+eˣ) overflows for large x", Root: Log1pDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if e := m.Op(n.In(0), ExpDef); e != nil {
				return Softplus(e.In(0))
			}
			return nil
		},
	})
}
