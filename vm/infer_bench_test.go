package vm_test

import (
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/vm"
)

// BenchmarkInfer is the forward pass of 784-256-128-10 in float32 on one thread, its weights packed or not.
func BenchmarkInfer(b *testing.B) {
	for _, rows := range []int{1, 4, 32, 128, 512} {
		for _, without := range [][]string{{"prologue"}, nil} {
			b.Run(fmt.Sprintf("%d/without%v", rows, without), func(b *testing.B) {
				n := newNetwork(graph.Float32, nn.ReLU, 784, 256, 128, 10)
				m := newMachine(b, compile(b, vm.Spec{Outputs: []*graph.Node{n.logits}, Without: without}), newState(b, n.g))
				m.Workers = 1
				feed(b, m, n.x, dense([]int{rows, 784}, make([]float32, rows*784)))
				benchmarkRun(b, m)
			})
		}
	}
}
