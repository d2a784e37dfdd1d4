package vm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// What depends on nothing is computed when the program is compiled; what is large, random or of an unknown size is not.
func TestWhatDependsOnNothingIsFolded(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, 8)
	row, column := ops.Reshape(ops.Iota(g, graph.Int64, 8), 8, 1), ops.Iota(g, graph.Int64, 8)
	upper := ops.Cast(ops.LessEqual(row, column), graph.Float64)
	for _, c := range []struct {
		name string
		node *graph.Node
		want []string // operators on the tape
	}{
		{"a triangle of ones", ops.MatMul(x, upper), []string{"matmul"}},
		{"the size of a batch", ops.DimSize(g, batch, graph.Float64), []string{"dimsize"}},
		{"a known size", ops.Add(ops.Sum(x), ops.DimSize(g, 8, graph.Float64)), []string{"sum", "add"}},
		{"large", ops.Iota(g, graph.Float64, 1<<20), []string{"iota"}},
	} {
		p := compile(t, vm.Spec{Outputs: []*graph.Node{c.node}})
		var got []string
		for _, o := range operations(p) {
			name, _, _ := strings.Cut(o, "(")
			got = append(got, name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v\n%v", c.name, got, c.want, p)
		}
	}
	key := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Uniform(ops.StepKey(g, "key"), 0, 0, 1, graph.Float64, 4)}})
	if !strings.Contains(key.String(), "uniform") {
		t.Errorf("random numbers were folded:\n%v", key)
	}
}

// A sum of what was scattered needs no scattering, but an index that is out of range stays an error.
func TestSumOfWhatWasScattered(t *testing.T) {
	g := graph.New()
	x, at := g.Input("x", graph.Float64, graph.Symbol("n"), 1), g.Input("at", graph.Int64, graph.Symbol("n"), 1)
	scattered := ops.ScatterAlongAxis(x, at, 1, 3)
	for name, outputs := range map[string][]*graph.Node{"alone": {ops.Sum(scattered, 1)}, "beside another reader": {ops.Sum(scattered, 1), ops.Exp(scattered)}} {
		p := compile(t, vm.Spec{Outputs: outputs})
		m := newMachine(t, p, newState(t, g))
		for _, index := range []int64{0, 9} {
			where := graph.NewArray(graph.Int64, 1, 1)
			where.SetAt(0, float64(index))
			if err := m.FeedAll(vm.Feeds{x: graph.NewArray(graph.Float64, 1, 1), at: where}); err != nil {
				t.Fatal(err)
			}
			if err := m.Run(t.Context()); (err != nil) != (index == 9) {
				t.Errorf("%s, index %d: %v\n%v", name, index, err, p)
			}
		}
	}
}
