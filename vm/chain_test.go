package vm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// chain builds x → tanh(x + w) → … with n operators, its gradient, and a machine that trains w.
func chain(t testing.TB, n int) (m *vm.Machine, x, loss *graph.Node, nodes int) {
	g := graph.New()
	x = g.Input("x", graph.Float64, graph.Symbol("batch"))
	w := g.Param("w", graph.Float64, graph.Full(0.001))
	h := x
	for range n / 2 {
		h = ops.Tanh(ops.Add(h, w))
	}
	loss = ops.Mean(ops.Square(h))
	grad := autodiff.Grad(loss, w)[0]
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss}, Updates: []graph.Update{{Target: w, Value: ops.Sub(w, ops.Scale(grad, 0.1))}}, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = vm.NewMachine(p, s); err != nil {
		t.Fatal(err)
	}
	if err := m.Feed(x, []float64{0.1, 0.2, 0.3}); err != nil {
		t.Fatal(err)
	}
	return m, x, loss, len(g.Nodes())
}

// A chain of 100,000 operators builds, differentiates, compiles, prints and runs: nothing recurses.
func TestChainOf100000(t *testing.T) {
	if testing.Short() {
		t.Skip("long chain")
	}
	var m *vm.Machine
	var loss *graph.Node
	var nodes int
	vm.SkipVerify(func() { m, _, loss, nodes = chain(t, 100_000) })
	run(t, m)
	if nodes < 200_000 {
		t.Errorf("%d nodes with the gradient", nodes)
	}
	if text := m.Program().String(); len(text) < 100_000 {
		t.Errorf("the listing has %d bytes", len(text))
	}
	if v := scalar(t, m, loss); !(v > 0 && v < 1) {
		t.Errorf("loss %v", v)
	}
}

// BenchmarkChain prints the time for each operator of the chain to build, differentiate, compile and bind; it must not grow
// with the length.
func BenchmarkChain(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var build time.Duration
			vm.SkipVerify(func() {
				for b.Loop() {
					start := time.Now()
					m, _, _, _ := chain(b, n)
					run(b, m)
					build += time.Since(start)
				}
			})
			b.ReportMetric(float64(build.Nanoseconds())/float64(b.N)/float64(n), "ns/operator")
		})
	}
}
