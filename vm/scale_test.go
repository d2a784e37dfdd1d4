package vm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// A batch norm behind a linear layer is part of its weights in inference, with the same result; one whose product is read elsewhere,
// or that is in a program for training, stays.
func TestBatchNormVanishesFromInference(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 40)
	drawn := func(lo, hi float64, dims ...graph.Dim) *graph.Node {
		name := string(rune('a' + len(g.Params()) + len(g.Variables())))
		return g.Variable(name, graph.Float64, graph.Init{Name: "between", Fill: func(r *rand.Rand, _ []int, dst []float64) {
			for i := range dst {
				dst[i] = lo + (hi-lo)*r.Float64()
			}
		}}, dims...)
	}
	w, b := drawn(-1, 1, 40, 30), drawn(-1, 1, 30)
	running := ops.Running{Mean: drawn(-1, 1, 30), Variance: drawn(0.5, 2, 30)}
	product := ops.Affine(x, w, b)
	y := ops.ReLU(ops.BatchNorm(product, 1, drawn(0.5, 2, 30), drawn(-1, 1, 30), running, 1e-5))
	folded := []string{"affine(x, packed s, s) matmul+add+relu"}
	last := func(p *vm.Program, n int) []string {
		list := operations(p)
		for i := range list {
			list[i] = stripSlots(list[i])
		}
		return list[len(list)-n:]
	}
	p := compile(t, vm.Spec{Outputs: []*graph.Node{y}})
	if diff := cmp.Diff(folded, last(p, 1)); diff != "" {
		t.Errorf("%v\n%v", diff, p)
	}
	if p := compile(t, vm.Spec{Outputs: []*graph.Node{y, product}}); len(operations(p)) != 4 {
		t.Errorf("the product is computed twice, or more\n%v", p)
	}
	s := newState(t, g)
	m, plain := newMachine(t, p, s), newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}, Without: []string{"scale"}}), s)
	for _, one := range []*vm.Machine{m, plain} {
		in := make([]float64, 3*40)
		for i := range in {
			in[i] = math.Cos(float64(i))
		}
		feed(t, one, x, dense([]int{3, 40}, in))
		run(t, one)
	}
	got, want := values(t, m, y), values(t, plain, y)
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= 200*0x1p-52) { // 40 terms of at most 2, scaled by at most 3
			t.Errorf("element %d: %v, want %v", i, got[i], want[i])
		}
	}
}
