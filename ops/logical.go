package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of logic.
var (
	AndDef = new(graph.Def)
	OrDef  = new(graph.Def)
	XorDef = new(graph.Def)
	NotDef = new(graph.Def)
)

// And returns a ∧ b of booleans, broadcast. Numbers become booleans by a comparison, or by Cast: true unless 0.
func And(a, b *graph.Node) *graph.Node { return graph.Apply(AndDef, nil, a, b) }

// Or returns a ∨ b of booleans, broadcast.
func Or(a, b *graph.Node) *graph.Node { return graph.Apply(OrDef, nil, a, b) }

// Xor returns whether just one of a and b is true, broadcast.
func Xor(a, b *graph.Node) *graph.Node { return graph.Apply(XorDef, nil, a, b) }

// Not returns ¬x of a boolean.
func Not(x *graph.Node) *graph.Node { return graph.Apply(NotDef, nil, x) }

// IsNaN returns whether x is NaN, as booleans; of other types than floats nothing is.
func IsNaN(x *graph.Node) *graph.Node { return NotEqual(x, x) }

// IsInf returns whether x is +Inf or −Inf, as booleans; of other types than floats nothing is.
func IsInf(x *graph.Node) *graph.Node {
	if !x.DType().IsFloat() {
		return NotEqual(x, x)
	}
	return Equal(Abs(x), like(x, math.Inf(1)))
}

// IsFinite returns whether x is neither infinite nor NaN, as booleans.
func IsFinite(x *graph.Node) *graph.Node {
	if !x.DType().IsFloat() {
		return Equal(x, x)
	}
	return Less(Abs(x), like(x, math.Inf(1)))
}

func init() {
	isBool := func(d graph.DType) bool { return d == graph.Bool }
	refusal := "needs booleans, not %v; compare (ops.NotEqual) or convert with ops.Cast"
	truth := func(dims ...graph.Dim) graph.Operand {
		return graph.Operand{Type: graph.TypeOf(graph.Bool, dims...), Values: []float64{1, 0, 0, 1, 1, 0, 1}}
	}
	for _, l := range []struct {
		def  *graph.Def
		name string
		f    func(a, b bool) bool
	}{
		{AndDef, "and", func(a, b bool) bool { return a && b }},
		{OrDef, "or", func(a, b bool) bool { return a || b }},
		{XorDef, "xor", func(a, b bool) bool { return a != b }},
	} {
		define(l.def, graph.Def{
			Name:      l.name,
			Infer:     inferPointwise(2, isBool, refusal),
			Pointwise: &graph.Pointwise{Bool: func(_ any, dst []bool, in [][]bool) { mapBinary(dst, in, l.f) }},
			Traits:    graph.Commutative | graph.Discrete | graph.InPlace,
			Samples: func() []graph.Sample {
				var list []graph.Sample
				for _, dims := range [][2][]graph.Dim{{{2, 4}, {2, 4}}, {{2, 1}, {5}}, {{}, {7}}, {{0, 3}, {3}}} {
					list = append(list, graph.Sample{In: []graph.Operand{truth(dims[0]...), truth(dims[1]...)}})
				}
				return list
			},
		})
	}
	define(NotDef, graph.Def{
		Name:      "not",
		Infer:     inferPointwise(1, isBool, refusal),
		Pointwise: &graph.Pointwise{Bool: func(_ any, dst []bool, in [][]bool) { mapUnary(dst, in, func(x bool) bool { return !x }) }},
		Traits:    graph.Discrete | graph.InPlace,
		Samples: func() []graph.Sample {
			return []graph.Sample{{In: []graph.Operand{truth(2, 3)}}, {In: []graph.Operand{truth()}}, {In: []graph.Operand{truth(0)}}}
		},
	})
	rewrite(graph.Rule{
		Name: "not-not", Why: "¬¬x is x", Root: NotDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if x := m.Op(n.In(0), NotDef); x != nil {
				return x.In(0)
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "select-not", Why: "a choice by ¬x is the choice by x with its sides exchanged", Root: SelectDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if x := m.Op(n.In(0), NotDef); x != nil {
				return Select(x.In(0), n.In(2), n.In(1))
			}
			return nil
		},
	})
}
