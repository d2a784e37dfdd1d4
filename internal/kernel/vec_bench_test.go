package kernel

import (
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
