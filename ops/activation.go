package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the activations.
var (
	ReLUDef     = new(graph.Def)
	SigmoidDef  = new(graph.Def)
	TanhDef     = new(graph.Def)
	SoftplusDef = new(graph.Def)
)

// ReLU returns max(x, 0). NaN stays NaN. The derivative at 0 is 0.
func ReLU(x *graph.Node) *graph.Node { return graph.Apply(ReLUDef, nil, x) }

// Sigmoid returns 1/(1+e⁻ˣ). Its derivative is taken from the result, y·(1−y), in float32, which is right to 4ε of the largest
// derivative; in float64 it is sigmoid(x)·sigmoid(−x), which keeps full relative accuracy far out.
func Sigmoid(x *graph.Node) *graph.Node { return graph.Apply(SigmoidDef, nil, x) }

// Tanh returns the hyperbolic tangent. Its derivative is taken from the result, 1−y², in float32, which is right to 4ε of the
// largest derivative; in float64 it is 4·sigmoid(2x)·sigmoid(−2x), which keeps full relative accuracy far out.
func Tanh(x *graph.Node) *graph.Node { return graph.Apply(TanhDef, nil, x) }

// Softplus returns ln(1+eˣ) without overflow. Its derivative is sigmoid(x).
func Softplus(x *graph.Node) *graph.Node { return graph.Apply(SoftplusDef, nil, x) }

func init() {
	define(ReLUDef, graph.Def{
		Name:      "relu",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.ReLU[float32], kernel.ReLU[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Select(Greater(n, like(n, 0)), dy, like(n, 0))}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(-2, 2, 0),
	})
	define(SigmoidDef, graph.Def{
		Name:      "sigmoid",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Sigmoid[float32], kernel.Sigmoid[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			complement := Sub(like(n, 1), n)
			if n.DType() == graph.Float64 {
				complement = Sigmoid(Neg(n.In(0)))
			}
			return []*graph.Node{Mul(dy, Mul(n, complement))}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(-3, 3),
	})
	define(TanhDef, graph.Def{
		Name:      "tanh",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Tanh[float32], kernel.Tanh[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			derivative := Sub(like(n, 1), Square(n))
			if n.DType() == graph.Float64 {
				x := n.In(0)
				derivative = Scale(Mul(Sigmoid(Scale(x, 2)), Sigmoid(Scale(x, -2))), 4)
			}
			return []*graph.Node{Mul(dy, derivative)}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(-2, 2),
	})
	define(SoftplusDef, graph.Def{
		Name:      "softplus",
		Infer:     inferElementwise(1),
		Pointwise: unary(kernel.Softplus[float32], kernel.Softplus[float64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Mul(dy, Sigmoid(n.In(0)))}
		},
		Traits:  graph.InPlace,
		Samples: unarySamples(-3, 3),
	})
}
