package graph_test

import (
	"errors"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

func TestTypesThatNoValueHas(t *testing.T) {
	g := graph.New()
	s := graph.Symbol("batch")
	f32 := graph.TypeOf(graph.Float32, 2)
	for _, c := range []struct {
		name string
		typ  graph.Type
		kind error
		says string
	}{
		{"no type", graph.Type{}, graph.ErrDType, "no element type"},
		{"unknown dtype", graph.TypeOf(graph.DType(77), 2), graph.ErrDType, "dtype(77)"},
		{"rank 17", graph.TypeOf(graph.Float32, make([]graph.Dim, graph.MaxRank+1)...), graph.ErrShape, "17 dimensions"},
		{"negative", graph.TypeOf(graph.Float32, 3, -2), graph.ErrShape, "dimension 1 is negative: -2"},
		{"dimension overflows", graph.TypeOf(graph.Float32, s.Mul(math.MaxInt64).Mul(2)), graph.ErrShape, "dimension 0 overflows"},
		{"product overflows", graph.TypeOf(graph.Bool, 1<<32, 1<<32), graph.ErrShape, "overflows"},
		{"bytes overflow", graph.TypeOf(graph.Float64, 1<<60), graph.ErrShape, "overflows"},
		{"symbolic product overflows", graph.TypeOf(graph.Float64, s.Mul(1<<40), 1<<40), graph.ErrShape, "overflows"},
		{"part of a tuple", graph.TupleOf(f32, graph.TypeOf(graph.Float32, -1)), graph.ErrShape, "negative"},
		{"empty tuple", graph.Type{Tuple: []graph.Type{}}, graph.ErrOperator, "tuple"},
		{"tuple of tuples", graph.TupleOf(f32, graph.TupleOf(f32)), graph.ErrOperator, "tuple"},
		{"tuple with a type of its own", graph.Type{DType: graph.Float32, Tuple: []graph.Type{f32}}, graph.ErrOperator, "tuple"},
	} {
		infer := &graph.Def{Name: "bad", Infer: func(any, []graph.Type) (graph.Type, error) { return c.typ, nil }}
		n := g.Apply(infer, nil)
		if !errors.Is(n.Err(), c.kind) {
			t.Errorf("%s: %v is no %v", c.name, n.Err(), c.kind)
		}
		wantErr(t, n.Err(), "types_test.go:", "bad()", c.says)
		if n.Type().String() != (graph.Type{}).String() || n.ID() != -1 {
			t.Errorf("%s: an invalid node has type %v and id %d", c.name, n.Type(), n.ID())
		}
	}
	for _, typ := range []graph.Type{
		graph.TypeOf(graph.Float32, 0, 1<<40, 1<<40), graph.TypeOf(graph.Bool, make([]graph.Dim, graph.MaxRank)...),
		graph.TypeOf(graph.Float64, s.Mul(s), s.Sub(1)), graph.TypeOf(graph.Bool, math.MaxInt64), graph.TupleOf(f32, graph.TypeOf(graph.Bool)),
	} {
		infer := &graph.Def{Name: "good", Infer: func(any, []graph.Type) (graph.Type, error) { return typ, nil }}
		if n := g.Apply(infer, nil); n.Err() != nil || !n.Type().Identical(typ) {
			t.Errorf("%v: %v", typ, n.Err())
		}
	}
}
