package kernel

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkAct measures each activation, and the product with its derivative from input and output, on 65,536 elements.
//
//	go test -run '^$' -bench Act -count 5 ./internal/kernel
func BenchmarkAct(b *testing.B) {
	b.Run("float32", benchmarkAct[float32])
	b.Run("float64", benchmarkAct[float64])
}

func benchmarkAct[T Float](b *testing.B) {
	const n = 1 << 16
	x, y, saved := make([]T, n), make([]T, n), make([]T, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i], saved[i] = T(rng.NormFloat64()*2), T(rng.NormFloat64()*2)
	}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				copy(y, x)
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
	for act := ActReLU; act < numActs; act++ {
		run(act.String(), func() { Activate(act, y, y, 0.5) })
		run(act.String()+"'in", func() { MultiplySlope(act, true, y, y, saved, 0.5) })
		if act.FromOutput() {
			run(act.String()+"'out", func() { MultiplySlope(act, false, y, y, saved, 0.5) })
		}
	}
}
