package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of rounding, signs and remainders.
var (
	FloorDef    = new(graph.Def)
	CeilDef     = new(graph.Def)
	RoundDef    = new(graph.Def)
	TruncDef    = new(graph.Def)
	SignDef     = new(graph.Def)
	FloorDivDef = new(graph.Def)
	ModDef      = new(graph.Def)
	FModDef     = new(graph.Def)
)

// Floor returns the largest integer not above x. No gradient flows through it: the derivative is 0 wherever there is one.
func Floor(x *graph.Node) *graph.Node { return graph.Apply(FloorDef, nil, x) }

// Ceil returns the smallest integer not below x. No gradient flows through it.
func Ceil(x *graph.Node) *graph.Node { return graph.Apply(CeilDef, nil, x) }

// Round returns the nearest integer, of two the even one. No gradient flows through it.
func Round(x *graph.Node) *graph.Node { return graph.Apply(RoundDef, nil, x) }

// Trunc returns x without its fraction. No gradient flows through it.
func Trunc(x *graph.Node) *graph.Node { return graph.Apply(TruncDef, nil, x) }

// Sign returns −1, 1, or x itself where it is ±0 or NaN. Integers have it too. No gradient flows through it.
func Sign(x *graph.Node) *graph.Node { return graph.Apply(SignDef, nil, x) }

// FloorDiv returns ⌊a/b⌋, broadcast, as Python's // does: of floats ±Inf or NaN for b = 0, and consistent with Mod. Integers have it too;
// dividing them by 0 is an error at run time. No gradient flows through it.
func FloorDiv(a, b *graph.Node) *graph.Node { return graph.Apply(FloorDivDef, nil, a, b) }

// Mod returns a − b·⌊a/b⌋, broadcast, exactly but for one rounding: the remainder with the sign of b, which is Python's % and PyTorch's
// remainder. It is NaN for b = 0; integers have it too, and a remainder by 0 of them is an error at run time. The derivatives are 1
// and −⌊a/b⌋, at the jumps too.
func Mod(a, b *graph.Node) *graph.Node { return graph.Apply(ModDef, nil, a, b) }

// FMod is Mod with the sign of a, as C and Go have it: a − b·trunc(a/b), exactly. The derivatives are 1 and −trunc(a/b).
func FMod(a, b *graph.Node) *graph.Node { return graph.Apply(FModDef, nil, a, b) }

// mod is the remainder with the sign of b.
func mod(a, b float64) float64 {
	r := math.Mod(a, b)
	switch {
	case r != 0 && (r < 0) != (b < 0):
		return r + b
	case r == 0:
		return math.Copysign(0, b)
	}
	return r
}

// floorDiv is ⌊a/b⌋ without the error of rounding a/b up to the next integer.
func floorDiv(a, b float64) float64 {
	if b == 0 {
		return a / b
	}
	r := math.Mod(a, b) // NaN for an infinite a
	q := (a - r) / b
	if r != 0 && (r < 0) != (b < 0) {
		q--
	}
	if q == 0 {
		return math.Copysign(0, a/b)
	}
	return math.RoundToEven(q)
}

func floorDivInts[T int32 | int64](a, b T) T {
	q := a / b
	if r := a % b; r != 0 && (r < 0) != (b < 0) {
		q--
	}
	return q
}

func modInts[T int32 | int64](a, b T) T {
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

func init() {
	sign := func(x int64) int64 { return int64(min(max(x, -1), 1)) }
	defineFunctions([]function{
		{FloorDef, "floor", unary(kernel.Floor[float32], kernel.Floor[float64]), nil, -3, 3, nil},
		{CeilDef, "ceil", unary(kernel.Ceil[float32], kernel.Ceil[float64]), nil, -3, 3, nil},
		{RoundDef, "round", unary(kernel.Round[float32], kernel.Round[float64]), nil, -3, 3, nil},
		{TruncDef, "trunc", unary(kernel.Trunc[float32], kernel.Trunc[float64]), nil, -3, 3, nil},
		{SignDef, "sign", unaryInts(unary(kernel.Sign[float32], kernel.Sign[float64]), func(x int32) int32 { return int32(sign(int64(x))) }, sign),
			nil, -3, 3, nil},
	})

	// Values whose quotients are no integers.
	dividends, divisors := graph.Operand{Values: []float64{2.3, -1.7, 0.9, 5.2, -4.1, 0.4}}, graph.Operand{Values: []float64{1.5, -1.1, 0.7, 2.1}}
	samples := withInts(binarySamples(dividends, divisors))
	define(FloorDivDef, graph.Def{
		Name:      "floordiv",
		Infer:     inferNumeric(2),
		Pointwise: binaryInts(mathBinary(floorDiv), floorDivInts[int32], floorDivInts[int64]),
		Traits:    graph.InPlace | graph.Discrete,
		Samples:   samples,
	})
	for _, r := range []struct {
		def      *graph.Def
		name     string
		block    *graph.Pointwise
		quotient func(a, b *graph.Node) *graph.Node
	}{
		{ModDef, "mod", binaryInts(mathBinary(mod), modInts[int32], modInts[int64]), FloorDiv},
		{FModDef, "fmod", binaryInts(mathBinary(math.Mod), func(a, b int32) int32 { return a % b }, func(a, b int64) int64 { return a % b }),
			func(a, b *graph.Node) *graph.Node { return Trunc(Div(a, b)) }},
	} {
		define(r.def, graph.Def{
			Name:      r.name,
			Infer:     inferNumeric(2),
			Pointwise: r.block,
			VJP: func(n, dy *graph.Node) []*graph.Node {
				a, b := n.In(0), n.In(1)
				return []*graph.Node{sumLike(dy, a), sumLike(Neg(Mul(dy, r.quotient(a, b))), b)}
			},
			Traits:  graph.InPlace,
			Samples: samples,
		})
	}
}
