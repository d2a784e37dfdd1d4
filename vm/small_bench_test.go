package vm_test

import (
	"context"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// BenchmarkXOR is a training step of 2-8-1 at batch 4: nearly all of it is what the machine costs beside its kernels.
func BenchmarkXOR(b *testing.B) {
	g := graph.New()
	x, y := g.Input("x", graph.Float32, 4, 2), g.Input("y", graph.Float32, 4, 1)
	p := nn.Build(g, nn.Sequential{&nn.Linear{Out: 8}, nn.Tanh, &nn.Linear{Out: 1}, nn.Sigmoid}, x)
	loss := ops.Mean(ops.Square(ops.Sub(p, y)))
	updates := optim.SGD{}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...))
	m := newMachine(b, compile(b, vm.Spec{Outputs: []*graph.Node{loss}, Updates: updates, Mode: vm.Train}), newState(b, g))
	feed(b, m, x, dense([]int{4, 2}, []float32{0, 0, 0, 1, 1, 0, 1, 1}))
	feed(b, m, y, dense([]int{4, 1}, []float32{0, 1, 1, 0}))
	benchmarkRun(b, m)
}

// BenchmarkThinChain is 100 layers of width 16 at batch 1: the time of an instruction beyond its kernel.
func BenchmarkThinChain(b *testing.B) {
	g := graph.New()
	x := g.Input("x", graph.Float32, 1, 16)
	var model nn.Sequential
	for range 100 {
		model = append(model, &nn.Linear{Out: 16}, nn.Tanh)
	}
	y := nn.Build(g, model, x)
	m := newMachine(b, compile(b, vm.Spec{Outputs: []*graph.Node{y}}), newState(b, g))
	feed(b, m, x, dense([]int{1, 16}, make([]float32, 16)))
	benchmarkRun(b, m)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/instruction")
}

func benchmarkRun(b *testing.B, m *vm.Machine) {
	b.Helper()
	run(b, m)
	b.ReportAllocs()
	ctx := context.Background()
	for b.Loop() {
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
