package vm_test

import (
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/vm"
)

// BenchmarkDeepCompile builds, differentiates and compiles 1,000 layers of width 16 with SGD, and reports each share.
func BenchmarkDeepCompile(b *testing.B) {
	vm.SkipVerify(func() { deepCompile(b) })
}

func deepCompile(b *testing.B) {
	var parts [3]float64
	for b.Loop() {
		began := b.Elapsed()
		lap := func(i int) {
			now := b.Elapsed()
			parts[i] += float64(now-began) / 1e6
			began = now
		}
		g, batch := graph.New(), graph.Symbol("batch")
		x, y := g.Input("x", graph.Float32, batch, 16), g.Input("y", graph.Float32, batch, 16)
		var model nn.Sequential
		for range 1000 {
			model = append(model, &nn.Linear{Out: 16}, nn.ReLU)
		}
		loss := losses.MSE(nn.Build(g, model, x), y)
		lap(0)
		updates := optim.SGD{}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...))
		lap(1)
		compile(b, vm.Spec{Outputs: []*graph.Node{loss}, Updates: updates, Mode: vm.Train})
		lap(2)
	}
	for i, unit := range []string{"build-ms", "grad-ms", "compile-ms"} {
		b.ReportMetric(parts[i]/float64(b.N), unit)
	}
}
