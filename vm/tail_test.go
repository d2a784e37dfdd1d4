package vm_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Programs with a tail agree with the reductions by themselves, for one row and many, one part and many, and for nothing at all.
func TestTails(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		g := graph.New()
		x := g.Input("x", dtype, graph.Symbol("rows"), graph.Symbol("cols"))
		y := ops.Mul(ops.Exp(x), x)
		outputs := []*graph.Node{ops.Sum(y), ops.Mean(ops.Abs(ops.Neg(x))), ops.Sum(ops.Sin(ops.Neg(x)), 1), ops.Mean(ops.Tanh(ops.Neg(x)), -1), ops.Sum(ops.AddScalar(ops.Sqrt(ops.Abs(x)), 1), 1), y}
		p := compile(t, vm.Spec{Outputs: outputs})
		if n := strings.Count(p.String(), "elementwise"); n != 5 || strings.Contains(p.String(), "{axes") {
			t.Fatalf("%d programs\n%v", n, p)
		}
		m, plain := newMachine(t, p, newState(t, g)), newMachine(t, compile(t, vm.Spec{Outputs: outputs, Without: []string{"elementwise", "tail"}}), newState(t, g))
		epsilon := map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}[dtype]
		for _, shape := range [][]int{{3, 4}, {1, 100000}, {300, 700}, {1, 1}, {0, 3}, {2, 0}, {50000, 3}} {
			in := graph.NewArray(dtype, shape...)
			for i := range in.Len() {
				in.SetAt(i, float64(i%29)/16-1)
			}
			feed(t, m, x, in)
			feed(t, plain, x, in)
			got, want := m.Run(t.Context()), plain.Run(t.Context())
			if (got == nil) != (want == nil) || want != nil && !strings.Contains(got.Error(), "mean of no elements") {
				t.Errorf("%v: %v, want %v", shape, got, want)
			}
			if want != nil {
				continue
			}
			terms := []int{in.Len(), 1, shape[1], 1, shape[1], 1}
			for i, n := range outputs {
				a, b := values(t, m, n), values(t, plain, n)
				if len(a) != len(b) {
					t.Fatalf("%v: output %d has %d elements, want %d", shape, i, len(a), len(b))
				}
				for k := range b {
					if bound := 8 * epsilon * float64(terms[i]); math.Abs(a[k]-b[k]) > bound { // each is at most 3
						t.Errorf("%v %v: output %d, element %d: %v, want %v", dtype, shape, i, k, a[k], b[k])
					}
				}
			}
		}
	}
}

// Two sizes that are large in turn do not cost the memory of both being large at once, and alternating between them allocates nothing.
func TestSizesLargeInTurn(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("rows"), graph.Symbol("cols"))
	y := ops.Softmax(ops.Exp(x), 1)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), newState(t, g))
	long, tall := dense([]int{2, 5000}, make([]float64, 10000)), dense([]int{5000, 2}, make([]float64, 10000))
	once := func() {
		feed(t, m, x, long)
		run(t, m)
		feed(t, m, x, tall)
		run(t, m)
	}
	once()
	if n := vm.ArenaBytes(m); n > 1<<20 {
		t.Errorf("%d bytes for values of %d", n, 8*10000)
	}
	if n := testing.AllocsPerRun(5, once); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
