package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of circular and hyperbolic functions. Tanh is among the activations.
var (
	SinDef   = new(graph.Def)
	CosDef   = new(graph.Def)
	TanDef   = new(graph.Def)
	AsinDef  = new(graph.Def)
	AcosDef  = new(graph.Def)
	AtanDef  = new(graph.Def)
	SinhDef  = new(graph.Def)
	CoshDef  = new(graph.Def)
	AsinhDef = new(graph.Def)
	AcoshDef = new(graph.Def)
	AtanhDef = new(graph.Def)
	HypotDef = new(graph.Def)
	Atan2Def = new(graph.Def)
)

// Sin returns the sine of x in radians, for x of any size.
func Sin(x *graph.Node) *graph.Node { return graph.Apply(SinDef, nil, x) }

// Cos returns the cosine of x in radians, for x of any size.
func Cos(x *graph.Node) *graph.Node { return graph.Apply(CosDef, nil, x) }

// Tan returns the tangent of x in radians, for x of any size.
func Tan(x *graph.Node) *graph.Node { return graph.Apply(TanDef, nil, x) }

// Asin returns the arc sine, from −π/2 to π/2; NaN where |x| > 1. The derivative is +Inf at ±1.
func Asin(x *graph.Node) *graph.Node { return graph.Apply(AsinDef, nil, x) }

// Acos returns the arc cosine, from 0 to π; NaN where |x| > 1. The derivative is −Inf at ±1.
func Acos(x *graph.Node) *graph.Node { return graph.Apply(AcosDef, nil, x) }

// Atan returns the arc tangent, from −π/2 to π/2.
func Atan(x *graph.Node) *graph.Node { return graph.Apply(AtanDef, nil, x) }

// Sinh returns the hyperbolic sine.
func Sinh(x *graph.Node) *graph.Node { return graph.Apply(SinhDef, nil, x) }

// Cosh returns the hyperbolic cosine.
func Cosh(x *graph.Node) *graph.Node { return graph.Apply(CoshDef, nil, x) }

// Asinh returns the inverse hyperbolic sine.
func Asinh(x *graph.Node) *graph.Node { return graph.Apply(AsinhDef, nil, x) }

// Acosh returns the inverse hyperbolic cosine; NaN where x < 1. The derivative is +Inf at 1.
func Acosh(x *graph.Node) *graph.Node { return graph.Apply(AcoshDef, nil, x) }

// Atanh returns the inverse hyperbolic tangent: ±Inf at ±1, NaN beyond.
func Atanh(x *graph.Node) *graph.Node { return graph.Apply(AtanhDef, nil, x) }

// Hypot returns √(a² + b²), broadcast, without overflow on the way. The derivatives are a and b over the result, and 0 at the origin.
func Hypot(a, b *graph.Node) *graph.Node { return graph.Apply(HypotDef, nil, a, b) }

// Atan2 returns the angle of the point (b, a) from the positive b axis, from −π to π, broadcast: the arc tangent of a/b in the right
// quadrant. The derivatives are b and −a over a² + b², and 0 at the origin.
func Atan2(a, b *graph.Node) *graph.Node { return graph.Apply(Atan2Def, nil, a, b) }

// asin and acos from an arc tangent: math.Asin forms 1 − x² by a difference that loses the digits near 1.
func asin(x float64) float64 { return math.Atan2(x, math.Sqrt((1-x)*(1+x))) }

func acos(x float64) float64 { return 2 * math.Atan2(math.Sqrt(1-x), math.Sqrt(1+x)) }

// sinh and cosh without math's overflow from 709.8, where eˣ/2 is still finite.
func sinh(x float64) float64 {
	if math.Abs(x) > 700 {
		return math.Copysign(halfExp(x), x)
	}
	return math.Sinh(x)
}

func cosh(x float64) float64 {
	if math.Abs(x) > 700 {
		return halfExp(x)
	}
	return math.Cosh(x)
}

// halfExp is e^|x|/2.
func halfExp(x float64) float64 {
	e := math.Exp(math.Abs(x) / 2)
	return e / 2 * e
}

func init() {
	one := func(x *graph.Node) *graph.Node { return like(x, 1) }
	// (1 − x)(1 + x) = 1 − x² without cancellation.
	complement := func(x *graph.Node) *graph.Node { return Mul(Sub(one(x), x), AddScalar(x, 1)) }
	defineFunctions([]function{
		{SinDef, "sin", unary(kernel.Sin[float32], kernel.Sin[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Cos(x)) }, -3, 3, nil},
		{CosDef, "cos", unary(kernel.Cos[float32], kernel.Cos[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Neg(Mul(dy, Sin(x))) }, -3, 3, nil},
		{TanDef, "tan", unary(kernel.Tan[float32], kernel.Tan[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, AddScalar(Square(y), 1)) }, -1.2, 1.2, nil},
		{AsinDef, "asin", mathUnary(asin),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, Sqrt(complement(x))) }, -0.8, 0.8, nil},
		{AcosDef, "acos", mathUnary(acos),
			func(dy, x, y *graph.Node) *graph.Node { return Neg(Div(dy, Sqrt(complement(x)))) }, -0.8, 0.8, nil},
		{AtanDef, "atan", unary(kernel.Atan[float32], kernel.Atan[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, AddScalar(Square(x), 1)) }, -3, 3, nil},
		{SinhDef, "sinh", mathUnary(sinh),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Cosh(x)) }, -2, 2, nil},
		{CoshDef, "cosh", mathUnary(cosh),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Sinh(x)) }, -2, 2, nil},
		{AsinhDef, "asinh", unary(kernel.Asinh[float32], kernel.Asinh[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, Hypot(x, one(x))) }, -3, 3, nil},
		{AcoshDef, "acosh", unary(kernel.Acosh[float32], kernel.Acosh[float64]),
			func(dy, x, y *graph.Node) *graph.Node {
				return Div(dy, Mul(Sqrt(AddScalar(x, -1)), Sqrt(AddScalar(x, 1))))
			}, 1.3, 4, nil},
		{AtanhDef, "atanh", unary(kernel.Atanh[float32], kernel.Atanh[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, complement(x)) }, -0.8, 0.8, nil},
	})

	// The operand's share of the length, 0 at the origin.
	share := func(a, h *graph.Node) *graph.Node { return Div(a, Select(Equal(h, like(h, 0)), one(h), h)) }
	define(HypotDef, graph.Def{
		Name:      "hypot",
		Infer:     inferElementwise(2),
		Pointwise: mathBinary(math.Hypot),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, b := n.In(0), n.In(1)
			return []*graph.Node{sumLike(Mul(dy, share(a, n)), a), sumLike(Mul(dy, share(b, n)), b)}
		},
		Traits:  graph.Commutative | graph.InPlace,
		Samples: binarySamples(floatsIn(0.5, 2), floatsIn(-2, -0.3)),
	})
	define(Atan2Def, graph.Def{
		Name:      "atan2",
		Infer:     inferElementwise(2),
		Pointwise: mathBinary(math.Atan2),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, b := n.In(0), n.In(1)
			h := Hypot(a, b)
			return []*graph.Node{sumLike(Mul(dy, share(share(b, h), h)), a), sumLike(Neg(Mul(dy, share(share(a, h), h))), b)}
		},
		Traits:  graph.InPlace,
		Samples: binarySamples(floatsIn(0.5, 2), floatsIn(-2, -0.3)),
	})
}
