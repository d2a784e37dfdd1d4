package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of minimum, maximum and clamp.
var (
	MinimumDef = new(graph.Def)
	MaximumDef = new(graph.Def)
	ClampDef   = new(graph.Def)
)

type boundsAttr struct{ Lo, Hi float64 }

// Minimum returns the smaller of a and b, broadcast; NaN if either is NaN, −0 of −0 and 0. Integers have it too. Where the operands
// are equal each gets half of the cotangent.
func Minimum(a, b *graph.Node) *graph.Node { return graph.Apply(MinimumDef, nil, a, b) }

// Maximum returns the larger of a and b, broadcast; NaN if either is NaN, 0 of −0 and 0. Integers have it too. Where the operands
// are equal each gets half of the cotangent.
func Maximum(a, b *graph.Node) *graph.Node { return graph.Apply(MaximumDef, nil, a, b) }

// Clamp returns min(max(x, lo), hi); a side that is to be open is ∓Inf. NaN stays NaN; of integers the bounds are converted as Cast
// does, and an infinite one is the type's own. If lo > hi, all elements are hi. The derivative is 1 from lo to hi, at both of them too,
// and 0 outside. For bounds that are nodes there are Minimum and Maximum.
func Clamp(x *graph.Node, lo, hi float64) *graph.Node {
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "a bound is NaN; an open side is −Inf or +Inf"), "clamp("+x.Name()+")", x)
	}
	return graph.Apply(ClampDef, boundsAttr{lo, hi}, x)
}

func clampFloats[T kernel.Float](attr any, dst []T, in [][]T) {
	b := attr.(boundsAttr)
	unaryBlock(dst, in[0], func(dst, x []T) {
		kernel.MaxScalar(dst, x, T(b.Lo))
		kernel.MinScalar(dst, dst, T(b.Hi))
	})
}

func clampInts[T int32 | int64](attr any, dst []T, in [][]T, least, most T) {
	b := attr.(boundsAttr)
	bound := func(v float64) T { // float64(most) may be one more than most
		switch {
		case v <= float64(least):
			return least
		case v >= float64(most):
			return most
		}
		return T(v)
	}
	lo, hi := bound(b.Lo), bound(b.Hi)
	mapUnary(dst, in, func(x T) T { return min(max(x, lo), hi) })
}

var clampBlocks = &graph.Pointwise{
	F32: clampFloats[float32],
	F64: clampFloats[float64],
	I32: func(attr any, dst []int32, in [][]int32) { clampInts(attr, dst, in, math.MinInt32, math.MaxInt32) },
	I64: func(attr any, dst []int64, in [][]int64) { clampInts(attr, dst, in, math.MinInt64, math.MaxInt64) },
}

func init() {
	for _, e := range []struct {
		def   *graph.Def
		name  string
		block *graph.Pointwise
		loses func(a, b *graph.Node) *graph.Node // whether a gets no cotangent
	}{
		{MinimumDef, "minimum", binaryInts(binary(
			binaryForms[float32]{kernel.Min[float32], kernel.MinScalar[float32], kernel.MinScalar[float32]},
			binaryForms[float64]{kernel.Min[float64], kernel.MinScalar[float64], kernel.MinScalar[float64]}),
			func(a, b int32) int32 { return min(a, b) }, func(a, b int64) int64 { return min(a, b) }), Greater},
		{MaximumDef, "maximum", binaryInts(binary(
			binaryForms[float32]{kernel.Max[float32], kernel.MaxScalar[float32], kernel.MaxScalar[float32]},
			binaryForms[float64]{kernel.Max[float64], kernel.MaxScalar[float64], kernel.MaxScalar[float64]}),
			func(a, b int32) int32 { return max(a, b) }, func(a, b int64) int64 { return max(a, b) }), Less},
	} {
		define(e.def, graph.Def{
			Name:      e.name,
			Infer:     inferNumeric(2),
			Pointwise: e.block,
			VJP: func(n, dy *graph.Node) []*graph.Node {
				a, b, zero := n.In(0), n.In(1), like(dy, 0)
				shared := Select(Equal(a, b), Scale(dy, 0.5), dy)
				return []*graph.Node{sumLike(Select(e.loses(a, b), zero, shared), a), sumLike(Select(e.loses(b, a), zero, shared), b)}
			},
			Traits: graph.Commutative | graph.InPlace,
			Samples: withInts(binarySamples(graph.Operand{Values: []float64{0.3, -0.7, 1.1, -0.2, 0.9, -1.4}},
				graph.Operand{Values: []float64{-0.4, 0.6, 1.3, 0.1, -0.5, 2}})),
		})
	}
	define(ClampDef, graph.Def{
		Name:      "clamp",
		Infer:     inferNumeric(1),
		Pointwise: clampBlocks,
		Expand:    func(attr any, in []*graph.Node) *graph.Node { return bounded(in[0], attr.(boundsAttr)) },
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Select(Equal(n, n.In(0)), dy, like(dy, 0))}
		},
		Traits: graph.InPlace,
		Samples: func() []graph.Sample {
			list := []graph.Sample{
				{Attr: boundsAttr{-0.5, 0.75}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 3, 4), Avoid: []float64{-0.5, 0.75}}}},
				{Attr: boundsAttr{0.25, math.Inf(1)}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 1, 5), Avoid: []float64{0.25}}}},
				{Attr: boundsAttr{math.Inf(-1), 0.25}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 0, 2)}}},
			}
			for _, dtype := range []graph.DType{graph.Int32, graph.Int64} {
				list = append(list, graph.Sample{Attr: boundsAttr{-2, math.Inf(1)}, In: []graph.Operand{{Type: graph.TypeOf(dtype, 5), Values: []float64{-7, -2, 0, 1, 9}}}})
			}
			return list
		},
	})
}

// bounded is clamp as a composition; a side that is open costs nothing.
func bounded(x *graph.Node, b boundsAttr) *graph.Node {
	if !x.DType().IsFloat() {
		return nil
	}
	if !math.IsInf(b.Lo, -1) {
		x = Maximum(x, like(x, b.Lo))
	}
	if !math.IsInf(b.Hi, 1) {
		x = Minimum(x, like(x, b.Hi))
	}
	return x
}
