package vm_test

import (
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Formulas become products that read their operands where they are.
func TestTheTapeOfEinsum(t *testing.T) {
	b, k := graph.Symbol("batch"), graph.Symbol("k")
	g := graph.New()
	x, y := g.Input("x", graph.Float32, b, k, 2, 4), g.Input("y", graph.Float32, b, k, 2, 4)
	s, w, v := g.Input("s", graph.Float32, b, k, 4), g.Input("w", graph.Float32, 4, 3), g.Input("v", graph.Float32, 2, 4, 3)
	bias := g.Input("bias", graph.Float32, 3)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Einsum("bqhd,bkhd->bhqk", x, y), "matmul(xᵀ[0 2 1 3], yᵀ[0 2 3 1])"},
		{ops.ReLU(ops.Add(ops.Einsum("bkd,de->bke", s, w), bias)), "affine(s, w, bias) matmul+add+relu"},
		{ops.Einsum("bkd,ed->bke", s, ops.Transpose(w)), "matmul(s, w)"},
		{ops.Einsum("bkhd,hde->bke", x, v), "matmul(x as (batch, k, 8), v as (8, 3))"},
		{ops.Einsum("kd,de->ek", ops.Reshape(s, -1, 4), w), "matmul(wᵀ, s as (batch*k, 4)ᵀ)"},
	} {
		p := compile(t, vm.Spec{Outputs: []*graph.Node{c.node}})
		got := operations(p)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%v is %q, want %q\n%v", c.node, got, c.want, p)
		}
	}
}
