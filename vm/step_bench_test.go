package vm_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
)

// BenchmarkStep is a whole training step of 784-256-128-10 in float32 on one thread.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{32, 128, 512} {
		for _, adam := range []bool{false, true} {
			name := fmt.Sprintf("sgd/%d", batch)
			if adam {
				name = fmt.Sprintf("adam/%d", batch)
			}
			b.Run(name, func(b *testing.B) {
				n := newNetwork(graph.Float32, nn.ReLU, 784, 256, 128, 10)
				grads := autodiff.Grad(n.loss, n.params...)
				updates := optim.SGD{}.Updates(n.params, grads)
				if adam {
					updates = optim.Adam{Name: "adam"}.Updates(n.params, grads)
				}
				m, _ := n.machine(b, 1, updates)
				m.Workers = 1
				feedData(b, m, n, graph.Float32, batch, 784, 10)
				run(b, m)
				b.ReportAllocs()
				for b.Loop() {
					if err := m.Run(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
