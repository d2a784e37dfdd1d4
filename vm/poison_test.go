package vm_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// With dead memory overwritten a right program computes the same bits, and one in which a value dies too early shows it.
func TestPoisonFindsValuesThatDieTooEarly(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", graph.Float64, graph.Symbol("n"), 4), g.Param("w", graph.Float64, graph.Full(0.5), 4, 4)
	y := ops.MatMul(x, w)
	z := ops.MatMul(ops.MatMul(y, w), g.Param("v", graph.Float64, graph.Full(2), 4, 1)) // so small that nothing takes all of y's place
	out := ops.Sum(ops.Mul(z, y))
	feed := graph.NewArray(graph.Float64, 8, 4)
	for i := range feed.Len() {
		feed.SetAt(i, float64(i)/4-1)
	}
	result := func(p *vm.Program, poison bool) graph.Array {
		m := newMachine(t, p, newState(t, g))
		m.PoisonDead = poison
		for range 2 { // nor does a run see what the one before it left
			if err := m.Feed(x, feed); err != nil {
				t.Fatal(err)
			}
			run(t, m)
		}
		return arrayOf(t, m, out)
	}
	right := compile(t, vm.Spec{Outputs: []*graph.Node{out}})
	if plain, poisoned := result(right, false), result(right, true); !bytes.Equal(plain.Bytes(), poisoned.Bytes()) {
		t.Errorf("%v, with dead memory overwritten %v", plain, poisoned)
	}
	wrong := compile(t, vm.Spec{Outputs: []*graph.Node{out}})
	if !vm.BreakLiveness(wrong) {
		t.Fatalf("nothing to break in\n%v", wrong)
	}
	if v := result(wrong, true).At(0); !math.IsNaN(v) {
		t.Errorf("a value that died too early was read, and gave %v", v)
	}
}
