package vm_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
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

// In inference the weights of a layer on sequences are packed once, in either orientation; a batch of weights is read as it lies. All
// agree with the reference.
func TestPackedWeightsOfSequences(t *testing.T) {
	b, k := graph.Symbol("batch"), graph.Symbol("k")
	g := graph.New()
	x := g.Input("x", graph.Float64, b, k, 64)
	fill := func(scale float64) graph.Init {
		return graph.Init{Name: "sines", Fill: func(_ *rand.Rand, _ []int, dst []float64) {
			for i := range dst {
				dst[i] = scale * math.Sin(float64(i*i))
			}
		}}
	}
	w, v, bias := g.Param("w", graph.Float64, fill(0.1), 64, 48), g.Param("v", graph.Float64, fill(0.2), 64, 48), g.Param("bias", graph.Float64, fill(1), 48)
	heads := g.Param("heads", graph.Float64, fill(0.3), 4, 16, 32)
	h := ops.Tanh(ops.Affine(x, w, bias))
	y := ops.MatMul(h, ops.Transpose(v))
	z := ops.Einsum("bkhd,hde->bhke", ops.Reshape(y, b, k, 4, 16), heads)
	p := compile(t, vm.Spec{Outputs: []*graph.Node{y, z}})
	listing := strings.Join(operations(p), "\n")
	for _, want := range []string{"packed w", "packed v"} {
		if !strings.Contains(listing, want) {
			t.Errorf("no %q in\n%s", want, listing)
		}
	}
	s := newState(t, g)
	m := newMachine(t, p, s)
	for _, rows := range []int{1, 3, 40} {
		fed := make([]float64, rows*5*64)
		for i := range fed {
			fed[i] = math.Cos(float64(i))
		}
		if err := m.Feed(x, dense([]int{rows, 5, 64}, fed)); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		env := reference.Env{Feeds: map[*graph.Node]any{x: dense([]int{rows, 5, 64}, fed)}, State: map[string]any{}}
		for name, value := range s.Snapshot() {
			env.State[name] = value
		}
		want, err := reference.Eval(env, y, z)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []*graph.Node{y, z} {
			for j, got := range values(t, m, n) {
				if math.Abs(got-want[i].At(j)) > 1e-12 {
					t.Fatalf("%d rows, result %d, element %d: %v, reference %v", rows, i, j, got, want[i].At(j))
				}
			}
		}
	}
}
