package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the activations that are straight lines in pieces, and softsign.
var (
	LeakyReLUDef = new(graph.Def)
	HardTanhDef  = new(graph.Def)
	SoftsignDef  = new(graph.Def)
)

type alphaAttr struct{ Alpha float64 }

// LeakyReLU returns x where x > 0, else αx. The derivative at 0 is α.
func LeakyReLU(x *graph.Node, alpha float64) *graph.Node {
	return graph.Apply(LeakyReLUDef, alphaAttr{alpha}, x)
}

// PReLU is LeakyReLU with an α that is learnt: a single value, or a vector of one for each index along axis of x, the channels, which
// are axis 1 in PyTorch. An α of more dimensions broadcasts. The derivative by x at 0 is α, that by α is x where x < 0, summed.
func PReLU(x, alpha *graph.Node, axis int) *graph.Node {
	above, below := sides(x)
	return Add(above, Mul(alongChannels(alpha, x, axis), below))
}

// sides returns max(x, 0) and min(x, 0), of which one is 0. The derivatives at 0 are 0 and 1.
func sides(x *graph.Node) (above, below *graph.Node) {
	zero := like(x, 0)
	return ReLU(x), Select(Less(zero, x), zero, x)
}

// HardTanh returns min(max(x, lo), hi). The derivative is 1 between lo and hi and 0 elsewhere, at both of them too (Clamp has 1 there).
func HardTanh(x *graph.Node, lo, hi float64) *graph.Node {
	return graph.Apply(HardTanhDef, boundsAttr{lo, hi}, x)
}

// ReLU6 returns min(max(x, 0), 6). The derivative at 0 and at 6 is 0.
func ReLU6(x *graph.Node) *graph.Node { return HardTanh(x, 0, 6) }

// HardSigmoid returns min(max(x+3, 0), 6)/6. The derivative at ±3 is 0.
func HardSigmoid(x *graph.Node) *graph.Node { return DivScalar(ReLU6(AddScalar(x, 3)), 6) }

// HardSwish returns x·min(max(x+3, 0), 6)/6, 0 at −Inf. The derivative is −½ at −3 and 1½ at 3.
func HardSwish(x *graph.Node) *graph.Node {
	return Mul(Clamp(x, -3, math.Inf(1)), DivScalar(Clamp(AddScalar(x, 3), 0, 6), 6))
}

// Threshold returns x where x > θ, else value. The derivative at θ is 0.
func Threshold(x *graph.Node, theta, value float64) *graph.Node {
	return Select(LessEqual(x, like(x, theta)), like(x, value), x)
}

// Softshrink returns x without what is within ±λ: x−λ above λ, x+λ below −λ, else 0. The derivative at ±λ is 0; λ ≥ 0.
func Softshrink(x *graph.Node, lambda float64) *graph.Node { return Sub(x, Clamp(x, -lambda, lambda)) }

// Hardshrink returns x where |x| > λ, else 0. The derivative at ±λ is 0; λ ≥ 0.
func Hardshrink(x *graph.Node, lambda float64) *graph.Node {
	return Select(LessEqual(Abs(x), like(x, lambda)), like(x, 0), x)
}

// Tanhshrink returns x − tanh(x), to ε of x.
func Tanhshrink(x *graph.Node) *graph.Node { return Sub(x, Tanh(x)) }

// Softsign returns x/(1+|x|), ±1 at ±Inf. Its derivative 1/(1+|x|)² keeps full relative accuracy; the second derivative at 0 is 0.
func Softsign(x *graph.Node) *graph.Node { return graph.Apply(SoftsignDef, nil, x) }

// softsignFar is where x/(1+|x|) has long become ±1, in float32 too.
const softsignFar = 1e30

func init() {
	defineActivations([]activation{
		{LeakyReLUDef, "leakyrelu", activate(kernel.ActLeakyReLU, alphaOf), nil,
			func(attr any, dy, x, y *graph.Node) *graph.Node {
				alpha := attr.(alphaAttr).Alpha
				if alpha >= 0 { // the result has the sign, and the operand may go
					x = y
				}
				return Select(Greater(x, like(x, 0)), dy, Scale(dy, alpha))
			},
			[]any{alphaAttr{0.01}, alphaAttr{0}, alphaAttr{1.5}, alphaAttr{-0.3}}, []float64{0}},
		{HardTanhDef, "hardtanh", clampBlocks,
			func(attr any, x *graph.Node) *graph.Node { return bounded(x, attr.(boundsAttr)) },
			func(attr any, dy, x, y *graph.Node) *graph.Node {
				b := attr.(boundsAttr)
				return Select(And(Greater(y, like(y, b.Lo)), Less(y, like(y, b.Hi))), dy, like(dy, 0))
			},
			[]any{boundsAttr{-1, 1}, boundsAttr{0, 6}, boundsAttr{-2, -0.5}}, []float64{-2, -1, -0.5, 0, 1}},
		{SoftsignDef, "softsign",
			plainly(func(_ any, x float64) float64 {
				if math.IsInf(x, 0) {
					return math.Copysign(1, x)
				}
				return x / (1 + math.Abs(x))
			}),
			func(_ any, x *graph.Node) *graph.Node {
				x = bounded(x, boundsAttr{-softsignFar, softsignFar})
				return Div(x, AddScalar(Abs(x), 1))
			},
			func(_ any, dy, x, y *graph.Node) *graph.Node {
				return Mul(dy, Square(Reciprocal(AddScalar(Abs(x), 1))))
			},
			[]any{nil}, []float64{0}},
	})
}
