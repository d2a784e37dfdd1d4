package ops_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// benchmarkOf runs a compiled expression; the figure in MB/s counts the bytes of the operands.
func benchmarkOf(b *testing.B, build func(x []*graph.Node) *graph.Node, inputs ...graph.Array) {
	for _, a := range inputs {
		for i := range a.Len() {
			a.SetAt(i, float64(i%13)/8-0.7)
		}
	}
	m, err := express(func(x []*graph.Node) []*graph.Node { return []*graph.Node{build(x)} }, inputs...).machine()
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if err := m.Run(ctx); err != nil {
		b.Fatal(err)
	}
	bytes := 0
	for _, a := range inputs {
		bytes += len(a.Bytes())
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReduce is 4 million float32 elements over the last axis, the first, and two that are apart; and of three columns.
func BenchmarkReduce(b *testing.B) {
	for _, r := range []struct {
		name string
		of   func(x *graph.Node, axes ...int) *graph.Node
	}{{"sum", ops.Sum}, {"max", ops.Max}, {"prod", ops.Prod}, {"logsumexp", ops.LogSumExp},
		{"var", func(x *graph.Node, axes ...int) *graph.Node { return ops.Var(x, 1, axes...) }},
		{"argmax", func(x *graph.Node, axes ...int) *graph.Node { return ops.ArgMax(x, axes[0]) }}} {
		for _, s := range []struct {
			name string
			dims []int
			axes []int
		}{{"rows", []int{4096, 1024}, []int{1}}, {"columns", []int{4096, 1024}, []int{0}}, {"apart", []int{64, 64, 1024}, []int{0, 2}}, {"three columns", []int{1 << 20, 3}, []int{0}}, {"rows of three", []int{1 << 20, 3}, []int{1}}} {
			b.Run(r.name+"/"+s.name, func(b *testing.B) {
				benchmarkOf(b, func(x []*graph.Node) *graph.Node { return r.of(x[0], s.axes...) }, graph.NewArray(graph.Float32, s.dims...))
			})
		}
	}
}

// BenchmarkSoftmaxAlongColumns is the softmax of 4 million float32 along an axis that is not the last.
func BenchmarkSoftmaxAlongColumns(b *testing.B) {
	for _, dims := range [][]int{{4096, 1024}, {64, 1024, 64}, {1 << 20, 4}} {
		b.Run(fmt.Sprint(dims), func(b *testing.B) {
			benchmarkOf(b, func(x []*graph.Node) *graph.Node { return ops.Softmax(x[0], len(dims)-2) }, graph.NewArray(graph.Float32, dims...))
		})
	}
}

// BenchmarkBatchedMatMul is the same number of multiply-adds, 2²⁸, in one product, in a batch of large and of small ones, and for heads
// that lie beside each other.
func BenchmarkBatchedMatMul(b *testing.B) {
	matmul := func(x []*graph.Node) *graph.Node { return ops.MatMul(x[0], x[1]) }
	for _, c := range []struct {
		name  string
		build func(x []*graph.Node) *graph.Node
		left  []int
		right []int
	}{
		{"one", matmul, []int{1024, 512}, []int{512, 512}},
		{"sequence", matmul, []int{32, 32, 512}, []int{512, 512}},
		{"16 of 256x256x256", matmul, []int{16, 256, 256}, []int{16, 256, 256}},
		{"128 of 128x64x256", matmul, []int{128, 128, 64}, []int{128, 64, 256}},
		{"8192 of 32x32x32", matmul, []int{8192, 32, 32}, []int{8192, 32, 32}},
		{"scores of heads", func(x []*graph.Node) *graph.Node { return ops.Einsum("bqhd,bkhd->bhqk", x[0], x[1]) }, []int{8, 128, 16, 64}, []int{8, 256, 16, 64}},
		{"heads of values", func(x []*graph.Node) *graph.Node { return ops.Einsum("bhqk,bkhd->bhqd", x[0], x[1]) }, []int{8, 16, 128, 256}, []int{8, 256, 16, 64}},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmarkOf(b, c.build, graph.NewArray(graph.Float32, c.left...), graph.NewArray(graph.Float32, c.right...))
		})
	}
}
