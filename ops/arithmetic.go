package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the arithmetic operators.
var (
	AddDef        = new(graph.Def)
	SubDef        = new(graph.Def)
	MulDef        = new(graph.Def)
	DivDef        = new(graph.Def)
	PowDef        = new(graph.Def)
	NegDef        = new(graph.Def)
	AbsDef        = new(graph.Def)
	ReciprocalDef = new(graph.Def)
)

// Add returns a + b, broadcast. Like Sub, Mul, Neg and Abs it takes integers too, which wrap around and have no gradient.
func Add(a, b *graph.Node) *graph.Node { return graph.Apply(AddDef, nil, a, b) }

// Sub returns a − b, broadcast.
func Sub(a, b *graph.Node) *graph.Node { return graph.Apply(SubDef, nil, a, b) }

// Mul returns the elementwise product a · b, broadcast.
func Mul(a, b *graph.Node) *graph.Node { return graph.Apply(MulDef, nil, a, b) }

// Div returns a / b, broadcast, as IEEE 754 divides: x/0 is ±Inf and 0/0 is NaN. It is for floats: of integers FloorDiv is the quotient
// that is an integer, Div of their Cast the one that is not.
func Div(a, b *graph.Node) *graph.Node { return graph.Apply(DivDef, nil, a, b) }

// Pow returns a to the power of b, broadcast, with the special cases of math.Pow. The derivative by a is b·a^(b−1), 0 where both
// are 0; that by b is a^b·ln a, 0 where a is 0 and b is not negative.
func Pow(a, b *graph.Node) *graph.Node { return graph.Apply(PowDef, nil, a, b) }

// Neg returns −x.
func Neg(x *graph.Node) *graph.Node { return graph.Apply(NegDef, nil, x) }

// Abs returns |x|. The derivative at 0 is 0.
func Abs(x *graph.Node) *graph.Node { return graph.Apply(AbsDef, nil, x) }

// Reciprocal returns 1/x: ±Inf at ±0.
func Reciprocal(x *graph.Node) *graph.Node { return graph.Apply(ReciprocalDef, nil, x) }

// Lerp returns a + w·(b − a), broadcast: a at w = 0.
func Lerp(a, b, w *graph.Node) *graph.Node { return Add(a, Mul(w, Sub(b, a))) }

// Scale returns s·x.
func Scale(x *graph.Node, s float64) *graph.Node { return Mul(x, like(x, s)) }

// AddScalar returns x + s.
func AddScalar(x *graph.Node, s float64) *graph.Node { return Add(x, like(x, s)) }

// DivScalar returns x / s, a true division of each element.
func DivScalar(x *graph.Node, s float64) *graph.Node { return Div(x, like(x, s)) }

// PowScalar returns x to the power of s.
func PowScalar(x *graph.Node, s float64) *graph.Node { return Pow(x, like(x, s)) }

// Square returns x².
func Square(x *graph.Node) *graph.Node { return Mul(x, x) }

// AddN returns the sum of its operands, added from left to right.
func AddN(xs ...*graph.Node) *graph.Node {
	if len(xs) == 0 {
		return graph.Invalid(graph.Errorf(graph.ErrOperator, "a sum of no operands has no type"), "addn()")
	}
	sum := xs[0]
	for _, x := range xs[1:] {
		sum = Add(sum, x)
	}
	return sum
}

func init() {
	define(AddDef, graph.Def{
		Name:  "add",
		Infer: inferNumeric(2),
		Pointwise: binaryInts(binary(
			binaryForms[float32]{kernel.Add[float32], kernel.AddScalar[float32], kernel.AddScalar[float32]},
			binaryForms[float64]{kernel.Add[float64], kernel.AddScalar[float64], kernel.AddScalar[float64]}),
			func(a, b int32) int32 { return a + b }, func(a, b int64) int64 { return a + b }),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{sumLike(dy, n.In(0)), sumLike(dy, n.In(1))}
		},
		Traits:  graph.Commutative | graph.InPlace,
		Samples: withInts(binarySamples(floats(), floats())),
	})
	define(SubDef, graph.Def{
		Name:  "sub",
		Infer: inferNumeric(2),
		Pointwise: binaryInts(binary(
			binaryForms[float32]{kernel.Sub[float32], kernel.SubScalar[float32], kernel.RSubScalar[float32]},
			binaryForms[float64]{kernel.Sub[float64], kernel.SubScalar[float64], kernel.RSubScalar[float64]}),
			func(a, b int32) int32 { return a - b }, func(a, b int64) int64 { return a - b }),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{sumLike(dy, n.In(0)), sumLike(Neg(dy), n.In(1))}
		},
		Traits:  graph.InPlace,
		Samples: withInts(binarySamples(floats(), floats())),
	})
	define(MulDef, graph.Def{
		Name:  "mul",
		Infer: inferNumeric(2),
		Pointwise: binaryInts(binary(
			binaryForms[float32]{kernel.Mul[float32], kernel.MulScalar[float32], kernel.MulScalar[float32]},
			binaryForms[float64]{kernel.Mul[float64], kernel.MulScalar[float64], kernel.MulScalar[float64]}),
			func(a, b int32) int32 { return a * b }, func(a, b int64) int64 { return a * b }),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, b := n.In(0), n.In(1)
			return []*graph.Node{sumLike(Mul(dy, b), a), sumLike(Mul(dy, a), b)}
		},
		Traits:  graph.Commutative | graph.InPlace,
		Samples: withInts(binarySamples(floats(), floats())),
	})
	define(DivDef, graph.Def{
		Name:  "div",
		Infer: inferElementwise(2),
		Pointwise: binary(
			binaryForms[float32]{kernel.Div[float32], kernel.DivScalar[float32], kernel.RDivScalar[float32]},
			binaryForms[float64]{kernel.Div[float64], kernel.DivScalar[float64], kernel.RDivScalar[float64]}),
		VJP: func(n, dy *graph.Node) []*graph.Node { // d(a/b) = da/b − (a/b)·db/b
			a, b := n.In(0), n.In(1)
			da := Div(dy, b)
			return []*graph.Node{sumLike(da, a), sumLike(Neg(Mul(da, n)), b)}
		},
		Traits:  graph.InPlace,
		Samples: binarySamples(floats(), floatsIn(0.5, 2)),
	})
	define(PowDef, graph.Def{
		Name:  "pow",
		Infer: inferElementwise(2),
		Pointwise: binary(
			binaryForms[float32]{kernel.Pow[float32], kernel.PowScalar[float32], kernel.RPowScalar[float32]},
			binaryForms[float64]{kernel.Pow[float64], kernel.PowScalar[float64], kernel.RPowScalar[float64]}),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, b := n.In(0), n.In(1)
			zero, one := like(n, 0), like(n, 1)
			// The base, but 1 where it is 0 and the exponent is such that the base's pole must not show.
			base := func(noPole *graph.Node) *graph.Node {
				return Select(Select(Equal(a, zero), noPole, n.Graph().Constant(false)), one, a)
			}
			db := sumLike(Mul(dy, Mul(n, Log(base(LessEqual(zero, b))))), b)
			switch {
			case isScalar(b, 0):
				return []*graph.Node{ZerosLike(a), db}
			case b.Kind() == graph.Constant && len(b.Shape()) == 0: // the exponent stays a constant, and derivatives of it short
				return []*graph.Node{Mul(dy, Mul(b, Pow(a, like(b, b.Value().At(0)-1)))), db}
			}
			da := Mul(b, Pow(base(Equal(b, zero)), AddScalar(b, -1)))
			return []*graph.Node{sumLike(Mul(dy, da), a), db}
		},
		Traits:  graph.InPlace,
		Samples: binarySamples(floatsIn(0.5, 2), floatsIn(-2, 3)),
	})
	defineFunctions([]function{
		{NegDef, "neg", unaryInts(unary(kernel.Neg[float32], kernel.Neg[float64]), func(x int32) int32 { return -x }, func(x int64) int64 { return -x }),
			func(dy, x, y *graph.Node) *graph.Node { return Neg(dy) }, -2, 2, nil},
		{AbsDef, "abs", unaryInts(unary(kernel.Abs[float32], kernel.Abs[float64]), func(x int32) int32 { return max(x, -x) }, func(x int64) int64 { return max(x, -x) }),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Sign(x)) }, -2, 2, []float64{0}},
		{ReciprocalDef, "reciprocal", unary(kernel.Reciprocal[float32], kernel.Reciprocal[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Neg(Mul(dy, Square(y))) }, 0.5, 3, nil},
	})

	// Algebra that is not among these, because IEEE 754 does not have it:
	//
	//	x + 0 to x               −0 + 0 is +0
	//	x·0 to 0, x − x to 0     NaN for an infinite x or NaN; −0 for x·0 with a negative x
	//	x/x to 1                 NaN for 0, infinities and NaN
	//	(a + b) − b to a         rounding, and b may absorb a; so may every other order of a sum
	//	a·c + b·c to (a + b)·c   a + b may overflow or cancel where the products do not
	//	x/c to x·(1/c)           1/c is rounded, unless c is a power of two
	//	−(a − b) to b − a        for a = b the one is −0, the other +0
	//
	// What concerns exponentials and roots stands beside their rules.
	rewrite(graph.Rule{
		Name: "mul-one", Why: "x·1 is x", Root: MulDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			for i := range 2 {
				if isScalar(n.In(i), 1) {
					return n.In(1 - i)
				}
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "div-one", Why: "x/1 is x", Root: DivDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if isScalar(n.In(1), 1) {
				return n.In(0)
			}
			return nil
		},
	})
	// x^½ stays: it is +0 at −0 and +Inf at −Inf, where √x is −0 and NaN. So does x⁰, which is the 1 that it should be at once.
	rewrite(graph.Rule{
		Name: "small-powers", Why: "x¹, x² and x⁻¹ need no logarithm", Root: PowDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			x, b := n.In(0), n.In(1)
			switch {
			case isScalar(b, 1):
				return x
			case isScalar(b, 2):
				return Square(x)
			case isScalar(b, -1):
				return Reciprocal(x)
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "neg-neg", Why: "−(−x) is x", Root: NegDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if x := m.Op(n.In(0), NegDef); x != nil {
				return x.In(0)
			}
			return nil
		},
	})
}

// isScalar reports whether x is the constant scalar v.
func isScalar(x *graph.Node, v float64) bool {
	return x.Kind() == graph.Constant && len(x.Shape()) == 0 && x.Value().At(0) == v
}
