package graph_test

import (
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// Operators to test the graph with; package graph has none of its own.
var (
	add = &graph.Def{Name: "add", Infer: sameTypes, Pointwise: &graph.Pointwise{
		F32: func(_ any, dst []float32, in [][]float32) { addBlocks(dst, in) },
		F64: func(_ any, dst []float64, in [][]float64) { addBlocks(dst, in) },
	}}
	neg    = &graph.Def{Name: "neg", Infer: sameTypes}
	scaled = &graph.Def{Name: "scaled", Infer: sameTypes} // with any attributes
	pair   = &graph.Def{Name: "pair", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return graph.TupleOf(in...), nil }}
	// typed has its attribute, a graph.Type, as its type.
	typed = &graph.Def{Name: "typed", Infer: func(attr any, _ []graph.Type) (graph.Type, error) { return attr.(graph.Type), nil }}
)

func sameTypes(_ any, in []graph.Type) (graph.Type, error) {
	for _, t := range in[1:] {
		if !t.Identical(in[0]) {
			return graph.Type{}, graph.Errorf(graph.ErrShape, "%v is not %v", t, in[0])
		}
	}
	return in[0], nil
}

func addBlocks[T float32 | float64](dst []T, in [][]T) {
	for i := range dst {
		sum := T(0)
		for k, x := range in {
			if len(x) == 1 {
				sum += x[0] * T(k+1)
			} else {
				sum += x[i] * T(k+1)
			}
		}
		dst[i] = sum // Σ (k+1)·in[k]: no two operands are exchangeable
	}
}

func newInput(t testing.TB) (*graph.Graph, *graph.Node) {
	t.Helper()
	g := graph.New()
	return g, g.Input("x", graph.Float32, graph.Symbol("batch"), 3)
}

func wantErr(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}
