package graph_test

import (
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// The time per node does not grow with the graph: building, meeting the same expressions again, copying, printing.
func BenchmarkChain(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		build := func() *graph.Node {
			g := graph.New()
			x := g.Input("x", graph.Float32, graph.Symbol("batch"), 3)
			y := x
			for i := 0; i < n; i++ {
				y = graph.Apply(add, nil, y, x)
			}
			return y
		}
		root := build()
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"build", func() { build() }},
			{"copy", func() { (&graph.Rebuild{Into: graph.New()}).Run(root) }},
			{"print", func() { _ = root.Graph().String() }},
			{"reach", func() { graph.Reachable(root) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for i := 0; i < b.N; i++ {
					c.run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
			})
		}
	}
}
