package ops_test

import (
	"context"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// BenchmarkMoves is the speed of operators that only move elements, in bytes written; "copy" is what the machine does at best. The arrays of
// 2 MB are larger than the second-level cache.
func BenchmarkMoves(b *testing.B) {
	x := array(graph.Float32, []int{64, 64, 128}, 1, 2, 3)
	b.Run("copy", func(b *testing.B) {
		y := graph.NewArray(graph.Float32, 64, 64, 128)
		b.SetBytes(int64(len(y.Bytes())))
		for b.Loop() {
			y.CopyFrom(x)
		}
	})
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
	}{
		{"slice rows", func(x *graph.Node) *graph.Node { return ops.Slice(x, 0, 1, -1) }},
		{"slice middle", func(x *graph.Node) *graph.Node { return ops.Slice(x, 1, 1, -1) }},
		{"slice columns", func(x *graph.Node) *graph.Node { return ops.Slice(x, 2, 1, -1) }},
		{"every second", func(x *graph.Node) *graph.Node { return ops.SliceStep(x, 2, ops.Open, ops.Open, 2) }},
		{"flip", func(x *graph.Node) *graph.Node { return ops.Flip(x) }},
		{"concat rows", func(x *graph.Node) *graph.Node { return ops.Concat(0, x, x) }},
		{"concat columns", func(x *graph.Node) *graph.Node { return ops.Concat(-1, x, x) }},
		{"pad", func(x *graph.Node) *graph.Node { return ops.Pad(x, 0, [2]int{1, 1}) }},
		{"repeat", func(x *graph.Node) *graph.Node { return ops.Repeat(x, 2, 1) }},
		{"transpose last", func(x *graph.Node) *graph.Node { return ops.Transpose(x, 0, 2, 1) }},
		{"transpose first", func(x *graph.Node) *graph.Node { return ops.Transpose(x, 1, 0, 2) }},
		{"transpose all", func(x *graph.Node) *graph.Node { return ops.Transpose(x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := express(func(in []*graph.Node) []*graph.Node { return []*graph.Node{c.f(in[0])} }, x)
			b.SetBytes(int64(e.outs[0].Shape().Size()) * 4)
			benchmark(b, e)
		})
	}
}

// BenchmarkConv is a convolution of 32 images and its two gradients, in GFLOP/s.
func BenchmarkConv(b *testing.B) {
	for _, c := range []struct {
		name string
		x, w []int
		o    ops.Convolution
	}{
		{"1x28x28 to 32, 3x3", []int{32, 1, 28, 28}, []int{32, 1, 3, 3}, ops.Convolution{}},
		{"32x26x26 to 64, 3x3", []int{32, 32, 26, 26}, []int{64, 32, 3, 3}, ops.Convolution{}},
		{"64x28x28 to 64, 3x3 same", []int{32, 64, 28, 28}, []int{64, 64, 3, 3}, ops.Convolution{Same: true}},
		{"256x7x7 to 256, 3x3 same", []int{32, 256, 7, 7}, []int{256, 256, 3, 3}, ops.Convolution{Same: true}},
		{"256x14x14 to 64, 1x1", []int{32, 256, 14, 14}, []int{64, 256, 1, 1}, ops.Convolution{}},
		{"64x28x28 depthwise, 3x3", []int{32, 64, 28, 28}, []int{64, 1, 3, 3}, ops.Convolution{Same: true, Groups: 64}},
	} {
		x, w := array(graph.Float32, c.x, 1, 2, 3), array(graph.Float32, c.w, 0.5, -1)
		for _, part := range []string{"forward", "by input", "by filters"} {
			b.Run(c.name+"/"+part, func(b *testing.B) {
				work := 0.0
				e := express(func(in []*graph.Node) []*graph.Node {
					y := ops.Conv2D(in[0], in[1], nil, c.o)
					work = 2 * float64(y.Shape().Size()) * float64(c.w[1]*c.w[2]*c.w[3])
					switch part {
					case "by input":
						return autodiff.VJP(y, ops.OnesLike(y), in[0])
					case "by filters":
						return autodiff.VJP(y, ops.OnesLike(y), in[1])
					}
					return []*graph.Node{y}
				}, x, w)
				benchmark(b, e)
				b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkPool is pools of 32 images of 32x26x26 and their gradients.
func BenchmarkPool(b *testing.B) {
	x := graph.NewArray(graph.Float32, 32, 32, 26, 26)
	for i := range x.Len() {
		x.SetAt(i, float64(i*7919%1009))
	}
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
	}{
		{"max 2x2", func(x *graph.Node) *graph.Node { return ops.MaxPool2D(x, []int{2}, ops.Window{}) }},
		{"max 3x3 by 2", func(x *graph.Node) *graph.Node {
			return ops.MaxPool2D(x, []int{3}, ops.Window{Stride: []int{2}, Padding: []int{1}})
		}},
		{"mean 2x2", func(x *graph.Node) *graph.Node { return ops.AvgPool2D(x, []int{2}, ops.Window{}) }},
	} {
		b.Run(c.name+"/forward", func(b *testing.B) {
			benchmark(b, express(func(in []*graph.Node) []*graph.Node { return []*graph.Node{c.f(in[0])} }, x))
		})
		b.Run(c.name+"/and gradient", func(b *testing.B) {
			benchmark(b, express(func(in []*graph.Node) []*graph.Node {
				y := c.f(in[0])
				return autodiff.VJP(y, y, in[0])
			}, x))
		})
	}
}

func benchmark(b *testing.B, e *expression) {
	m, err := e.machine()
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for b.Loop() {
		if err := m.Run(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
