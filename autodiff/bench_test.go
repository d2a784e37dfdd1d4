package autodiff_test

import (
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// BenchmarkTransforms prints the time for each operator of a chain x → tanh(x + w) → … that each transform takes to build its nodes; it
// must not grow with the length of the chain. A Jacobian is of 256 by 256, per operator and row.
func BenchmarkTransforms(b *testing.B) {
	build := func(n int, width graph.Dim) (x, w, y *graph.Node) {
		g := graph.New()
		x, w = g.Input("x", graph.Float64, 1, width), g.Input("w", graph.Float64, 1, width)
		y = x
		for range n / 2 {
			y = ops.Tanh(ops.Add(y, w))
		}
		return x, w, y
	}
	for _, c := range []struct {
		name    string
		lengths []int
		width   graph.Dim
		passes  int
		derive  func(x, w, y *graph.Node) *graph.Node
	}{
		{"grad", []int{1_000, 10_000, 100_000}, 4, 1, func(x, w, y *graph.Node) *graph.Node { return autodiff.Grad(ops.Sum(y), w)[0] }},
		{"jvp", []int{1_000, 10_000, 100_000}, 4, 1, func(x, w, y *graph.Node) *graph.Node { return autodiff.JVP(y, one(w), one(x)) }},
		{"hvp", []int{1_000, 10_000, 100_000}, 4, 1, func(x, w, y *graph.Node) *graph.Node { return autodiff.HVP(ops.Sum(y), one(w), one(x))[0] }},
		{"jacobian", []int{10, 100}, 256, 256, func(x, w, y *graph.Node) *graph.Node { return autodiff.Jacobian(y, w)[0] }},
	} {
		for _, n := range c.lengths {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					x, w, y := build(n, c.width)
					b.StartTimer()
					if err := c.derive(x, w, y).Err(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n*c.passes), "ns/operator")
			})
		}
	}
}
