package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the activations that let x through by a smooth gate: x·gate(x).
var (
	SwishDef    = new(graph.Def)
	GELUDef     = new(graph.Def)
	GELUTanhDef = new(graph.Def)
	MishDef     = new(graph.Def)
)

type betaAttr struct{ Beta float64 }

// SiLU returns x·sigmoid(x): Swish with β = 1.
func SiLU(x *graph.Node) *graph.Node { return Swish(x, 1) }

// Swish returns x·sigmoid(βx), 0 at −Inf (for a negative β at +Inf). In float64 its derivative keeps full relative accuracy far out.
func Swish(x *graph.Node, beta float64) *graph.Node {
	return graph.Apply(SwishDef, betaAttr{beta}, x)
}

// LearnedSwish is Swish with a β that is learnt: a single value, or a vector of one for each index along axis of x. A β of more
// dimensions broadcasts. The derivative by β is x²·sigmoid′(βx), summed. At ±Inf it is NaN, as the limit depends on β.
func LearnedSwish(x, beta *graph.Node, axis int) *graph.Node {
	return Mul(x, Sigmoid(Mul(alongChannels(beta, x, axis), x)))
}

// GELU returns x·Φ(x) = ½x·(1 + erf(x/√2)), 0 at −Inf. In float64 value and derivative Φ(x) + xφ(x) keep their relative accuracy far below
// 0, to x²ε, which is what a rounding of x does to them.
func GELU(x *graph.Node) *graph.Node { return graph.Apply(GELUDef, nil, x) }

// GELUTanh returns ½x·(1 + tanh(√(2/π)·(x + 0.044715x³))), the approximation of GELU within 5·10⁻⁴; 0 at −Inf. It is evaluated as x·sigmoid(2…),
// so that in float64 value and derivative keep their relative accuracy far below 0, to |x³|ε.
func GELUTanh(x *graph.Node) *graph.Node { return graph.Apply(GELUTanhDef, nil, x) }

// Mish returns x·tanh(softplus(x)), 0 at −Inf. In float64 value and derivative keep full relative accuracy far below 0.
func Mish(x *graph.Node) *graph.Node { return graph.Apply(MishDef, nil, x) }

// GLU cuts x along an axis into halves a and b and returns a·sigmoid(b); the axis has an even size.
func GLU(x *graph.Node, axis int) *graph.Node {
	halves := Split(x, axis, 2)
	if len(halves) != 2 {
		return halves[0]
	}
	return Mul(halves[0], Sigmoid(halves[1]))
}

// gateFar is where sigmoid, Φ and tanh∘softplus have long become 0 and 1: within it products of x with what they leave are finite.
const gateFar = 1000

// near is x where a gate or its slope still changes.
func near(x *graph.Node) *graph.Node { return Clamp(x, -gateFar, gateFar) }

// gate makes blocks of an activation kernel that is x·gate(x), which at the infinity where the gate is closed would be ∞·0: there a
// number stands in for x. For a gate σ(βx) it is the largest number, for others far out is far enough.
func gate(act kernel.Act, parameter func(attr any) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(attr any, dst []float32, in [][]float32) {
			gateBlock(act, parameter(attr), dst, in[0], math.MaxFloat32)
		},
		F64: func(attr any, dst []float64, in [][]float64) {
			gateBlock(act, parameter(attr), dst, in[0], math.MaxFloat64)
		},
	}
}

func gateBlock[T kernel.Float](act kernel.Act, parameter float64, dst, x []T, largest T) {
	if act != kernel.ActSwish {
		largest = gateFar
	}
	unaryBlock(dst, x, func(dst, x []T) {
		if parameter < 0 {
			kernel.MinScalar(dst, x, largest)
		} else {
			kernel.MaxScalar(dst, x, -largest)
		}
		kernel.Activate(act, dst, dst, T(parameter))
	})
}

func init() {
	betaOf := func(attr any) float64 { return attr.(betaAttr).Beta }
	defineActivations([]activation{
		{SwishDef, "swish", gate(kernel.ActSwish, betaOf), nil,
			func(attr any, dy, x, y *graph.Node) *graph.Node { // σ(z)(1 + zσ(−z)) with z = βx
				z := near(Scale(x, betaOf(attr)))
				return Mul(dy, Mul(Sigmoid(z), AddScalar(Mul(z, Sigmoid(Neg(z))), 1)))
			},
			[]any{betaAttr{1}, betaAttr{1.7}, betaAttr{-0.5}, betaAttr{0}}, nil},
		{GELUDef, "gelu", gate(kernel.ActGELU, noParameter), nil,
			func(_ any, dy, x, y *graph.Node) *graph.Node { // Φ(x) + xφ(x)
				x = near(x)
				density := Scale(Exp(Scale(Square(x), -0.5)), 1/(math.Sqrt2*math.SqrtPi))
				return Mul(dy, Add(normalCDF(x), Mul(x, density)))
			},
			[]any{nil}, nil},
		{GELUTanhDef, "gelutanh", gate(kernel.ActGELUTanh, noParameter), nil,
			func(_ any, dy, x, y *graph.Node) *graph.Node { // σ(w)(1 + x·w′·σ(−w)) with w = 2√(2/π)·(x + 0.044715x³)
				const scale, cube = 2 * math.Sqrt2 / math.SqrtPi, 0.044715
				x = near(x)
				w := Mul(x, AddScalar(Scale(Square(x), scale*cube), scale))
				slope := AddScalar(Scale(Square(x), 3*scale*cube), scale)
				return Mul(dy, Mul(Sigmoid(w), AddScalar(Mul(Mul(x, slope), Sigmoid(Neg(w))), 1)))
			},
			[]any{nil}, nil},
		{MishDef, "mish",
			plainly(func(_ any, x float64) float64 {
				x = max(x, -gateFar)
				return x * math.Tanh(max(x, 0)+math.Log1p(math.Exp(-math.Abs(x))))
			}),
			func(_ any, x *graph.Node) *graph.Node {
				x = Maximum(x, like(x, -gateFar))
				return Mul(x, Tanh(Softplus(x)))
			},
			func(_ any, dy, x, y *graph.Node) *graph.Node { // tanh s + x·tanh′(s)·σ(x) with s = softplus(x)
				x = near(x)
				s := Softplus(x)
				return Mul(dy, Add(Tanh(s), Mul(Mul(x, Sigmoid(x)), tanhSlope(s))))
			},
			[]any{nil}, nil},
	})
}

// normalCDF is Φ(x) = ½·erfc(−x/√2); in float32, where absolute accuracy is what is promised, ½·(1 + erf(x/√2)), which is faster.
func normalCDF(x *graph.Node) *graph.Node {
	if x.DType() == graph.Float32 {
		return AddScalar(Scale(Erf(Scale(x, 1/math.Sqrt2)), 0.5), 0.5)
	}
	return Scale(Erfc(Scale(x, -1/math.Sqrt2)), 0.5)
}
