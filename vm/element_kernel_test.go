package vm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// An optimiser's update of a parameter is compiled to the very steps that have a kernel of their own, so that it runs in registers.
func TestOptimisersHaveKernels(t *testing.T) {
	if s := kernel.Set(); s != "avx2" && s != "avx512" {
		t.Skip("no such kernels in the set ", s)
	}
	for _, c := range []struct {
		name, begins string
		updates      func(params, grads []*graph.Node) []graph.Update
	}{
		{"Adam", "mul F0 S1; mul F2 S3; add %0 %1 > F4; mul F5 S6", optim.Adam{}.Updates},
		{"SGD", "mul S0 F1; sub F2 %0 > F3", optim.SGD{LR: 0.1}.Updates},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float32, graph.Symbol("batch"), 8)
		w := g.Param("w", graph.Float32, graph.Zeros(), 8, 4)
		loss := ops.Mean(ops.Tanh(ops.MatMul(x, w)))
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss}, Updates: c.updates([]*graph.Node{w}, autodiff.Grad(loss, w)), Mode: vm.Train})
		if err != nil {
			t.Fatal(err)
		}
		if texts := vm.ElementKernels(p); !slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, c.begins) }) {
			t.Errorf("%s runs step by step: %q\n%v", c.name, texts, p)
		}
	}
}
