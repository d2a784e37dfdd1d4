package ops_test

import (
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// What is made of nothing: counts, spaces, unit matrices, triangles, grids, sizes; static and symbolic.
func TestCreation(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x := g.Input("x", graph.Float64, n, 3)
	fed := array(graph.Float64, []int{4, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	v := func(list ...float64) *graph.Node { return g.Constant(list) }
	for _, c := range []struct {
		name  string
		node  *graph.Node
		dtype graph.DType
		shape string
		want  string
	}{
		{"iota", ops.Iota(g, graph.Int32, n), graph.Int32, "(n)", "[0 1 2 3]"},
		{"arange", ops.Arange(g, graph.Float32, 1, 2, 0.25), graph.Float32, "(4)", "[1 1.25 1.5 1.75]"},
		{"arange, down", ops.Arange(g, graph.Int64, 5, -1, -2), graph.Int64, "(3)", "[5 3 1]"},
		{"arange, empty", ops.Arange(g, graph.Int64, 5, 5, 1), graph.Int64, "(0)", "[]"},
		{"linspace", ops.Linspace(g, graph.Float64, -1, 1, 5), graph.Float64, "(5)", "[-1 -0.5 0 0.5 1]"},
		{"linspace, symbolic", ops.Linspace(g, graph.Float64, 0, 3, n), graph.Float64, "(n)", "[0 1 2 3]"},
		{"linspace of one", ops.Linspace(g, graph.Float64, 7, 9, 1), graph.Float64, "(1)", "[7]"},
		{"full", ops.Full(g, graph.Int64, -3, 2, 2), graph.Int64, "(2, 2)", "[-3 -3 -3 -3]"},
		{"ones like", ops.OnesLike(ops.At(x, 0, 0)), graph.Float64, "(3)", "[1 1 1]"},
		{"full like", ops.FullLike(ops.At(x, 1, 0), 2.5), graph.Float64, "(n)", "[2.5 2.5 2.5 2.5]"},
		{"eye", ops.Eye(g, graph.Float32, 2), graph.Float32, "(2, 2)", "[1 0 0 1]"},
		{"tril", ops.Tril(x, 0), graph.Float64, "(n, 3)", "[1 0 0 4 5 0 7 8 9 10 11 12]"},
		{"tril below", ops.Tril(x, -1), graph.Float64, "(n, 3)", "[0 0 0 4 0 0 7 8 0 10 11 12]"},
		{"triu above", ops.Triu(x, 1), graph.Float64, "(n, 3)", "[0 2 3 0 0 6 0 0 0 0 0 0]"},
		{"triu below", ops.Triu(x, -1), graph.Float64, "(n, 3)", "[1 2 3 4 5 6 0 8 9 0 0 12]"},
		{"triu of three", ops.Triu(ops.Unsqueeze(x, 0), 0), graph.Float64, "(1, n, 3)", "[1 2 3 0 5 6 0 0 9 0 0 0]"},
		{"masked fill", ops.MaskedFill(v(1, 2, 3), ops.Less(v(0, 5, 0), v(1, 1, 1)), -9), graph.Float64, "(3)", "[-9 2 -9]"},
		{"grid, rows", ops.Meshgrid(v(1, 2), v(3, 4, 5))[0], graph.Float64, "(2, 3)", "[1 1 1 2 2 2]"},
		{"grid, columns", ops.Meshgrid(v(1, 2), v(3, 4, 5))[1], graph.Float64, "(2, 3)", "[3 4 5 3 4 5]"},
		{"shape of", ops.ShapeOf(x), graph.Int64, "(2)", "[4 3]"},
		{"shape of a scalar", ops.ShapeOf(g.Full(graph.Float32, 1)), graph.Int64, "(0)", "[]"},
		{"flatten", ops.Flatten(ops.Unsqueeze(x, 1), 1), graph.Float64, "(n, 3)", "[1 2 3 4 5 6 7 8 9 10 11 12]"},
		{"flatten all", ops.Flatten(x, 0), graph.Float64, "(3*n)", "[1 2 3 4 5 6 7 8 9 10 11 12]"},
		{"flatten a scalar", ops.Flatten(g.Full(graph.Int64, 4), 0), graph.Int64, "(1)", "[4]"},
		{"squeeze", ops.Squeeze(ops.Reshape(v(1, 2), 1, 2, 1)), graph.Float64, "(2)", "[1 2]"},
		{"squeeze one", ops.Squeeze(ops.Reshape(v(1, 2), 1, 2, 1), -1), graph.Float64, "(1, 2)", "[1 2]"},
		{"unsqueeze", ops.Unsqueeze(v(1, 2), 0, -1), graph.Float64, "(1, 2, 1)", "[1 2]"},
		{"swap axes", ops.SwapAxes(x, 0, -1), graph.Float64, "(3, n)", "[1 4 7 10 2 5 8 11 3 6 9 12]"},
		{"move axis", ops.MoveAxis(ops.Unsqueeze(x, 0), -1, 0), graph.Float64, "(3, 1, n)", "[1 4 7 10 2 5 8 11 3 6 9 12]"},
		{"tile", ops.Tile(v(1, 2), 2, 2), graph.Float64, "(2, 4)", "[1 2 1 2 1 2 1 2]"},
		{"tile, symbolic", ops.Tile(ops.At(x, 0, 0), n), graph.Float64, "(3*n)", "[1 2 3 1 2 3 1 2 3 1 2 3]"},
		{"repeat", ops.Repeat(ops.Slice(x, 0, 0, 2), 2, 0), graph.Float64, "(4, 3)", "[1 2 3 1 2 3 4 5 6 4 5 6]"},
		{"repeat, last", ops.Repeat(v(1, 2), 3, -1), graph.Float64, "(6)", "[1 1 1 2 2 2]"},
	} {
		if c.node.Err() != nil {
			t.Errorf("%s: %v", c.name, c.node.Err())
			continue
		}
		if c.node.Shape().String() != c.shape || c.node.DType() != c.dtype {
			t.Errorf("%s is %v, want %v%v", c.name, c.node.Type(), c.dtype, c.shape)
		}
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{c.node}})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		feeds := vm.Feeds{}
		if len(p.Feeds()) > 0 {
			feeds[x] = fed
		}
		d, err := vm.Eval(mustState(t, g), c.node, feeds)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		a, _ := graph.ArrayOf(d)
		list := make([]float64, a.Len())
		for i := range list {
			list[i] = a.At(i)
		}
		if got := fmt.Sprint(list); got != c.want {
			t.Errorf("%s = %v, want %v", c.name, got, c.want)
		}
	}
	ends, err := vm.Eval(mustState(t, g), ops.Linspace(g, graph.Float64, 0.1, 0.7, 11), nil)
	if a, _ := graph.ArrayOf(ends); err != nil || a.At(0) != 0.1 || a.At(10) != 0.7 {
		t.Errorf("the ends of linspace are %v, %v", ends, err)
	}
}
