package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkUnary measures each function of one operand on 65,536 elements; ns/element is the figure to read.
//
//	go test -run '^$' -bench Unary -count 5 ./internal/kernel
func BenchmarkUnary(b *testing.B) {
	b.Run("float32", benchmarkUnary[float32])
	b.Run("float64", benchmarkUnary[float64])
}

func benchmarkUnary[T Float](b *testing.B) {
	const n = 1 << 16
	x, y := make([]T, n), make([]T, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = T(rng.Float64()*16 - 8)
	}
	for op := OpCopy; op < OpAdd; op++ {
		b.Run(op.String(), func(b *testing.B) {
			in := x
			if op == OpLog || op == OpLog1p || op == OpSqrt {
				in = make([]T, n)
				Abs(in, x)
			}
			for b.Loop() {
				unary(op, y, in)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}

// BenchmarkRows measures the row operations on 128 × 512, BenchmarkShortRows those by row on short rows, in ns/element.
func BenchmarkRows(b *testing.B) {
	b.Run("float32", benchmarkRows[float32])
	b.Run("float64", benchmarkRows[float64])
}

func BenchmarkShortRows(b *testing.B) {
	b.Run("float32", benchmarkShortRows[float32])
	b.Run("float64", benchmarkShortRows[float64])
}

func benchmarkShortRows[T Float](b *testing.B) {
	for _, cols := range []int{2, 10, 50, 1000} {
		rows := 10000 / cols
		x, y := make([]T, rows*cols), make([]T, rows*cols)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range x {
			x[i] = T(rng.NormFloat64())
		}
		for _, c := range []struct {
			name string
			f    func(dst, x []T, rows, cols int)
		}{
			{"softmax", Softmax[T]}, {"logsoftmax", LogSoftmax[T]}, {"logsumexp", RowLogSumExp[T]}, {"max", RowMax[T]}, {"sum", RowSums[T]},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, cols), func(b *testing.B) {
				for b.Loop() {
					c.f(y, x, rows, cols)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows*cols), "ns/element")
			})
		}
	}
}

func benchmarkRows[T Float](b *testing.B) {
	const rows, cols = 128, 512
	x, y, cond := make([]T, rows*cols), make([]T, rows*cols), make([]bool, rows*cols)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	var sink T
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"softmax", func() { Softmax(y, x, rows, cols) }},
		{"logsoftmax", func() { LogSoftmax(y, x, rows, cols) }},
		{"logsumexp", func() { RowLogSumExp(y, x, rows, cols) }},
		{"sum", func() { sink += Sum(x) }},
		{"sumsquares", func() { sink += SumSquares(x) }},
		{"dot", func() { sink += Dot(x, y) }},
		{"max", func() { sink += MaxValue(x) }},
		{"argmax", func() { sink += T(ArgMax(x)) }},
		{"sumrows", func() { SumRows(y, x, rows, cols) }},
		{"add", func() { Add(y, x, x) }},
		{"mulscalar", func() { MulScalar(y, x, 2) }},
		{"div", func() { Div(y, x, x) }},
		{"max2", func() { Max(y, x, y) }},
		{"less", func() { Less(cond, x, y) }},
		{"select", func() { Select(y, cond, x, y) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows/cols, "ns/element")
		})
	}
}
