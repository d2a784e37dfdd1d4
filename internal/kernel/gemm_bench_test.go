package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/internal/parallel"
)

// gemmCase is one row of the benchmark: a shape and what is made of it.
type gemmCase struct {
	m, k, n int
	form    string // fwd, dx or dw: which operand is transposed
	packed  bool
	act     Act
}

func (c gemmCase) String() string {
	s := fmt.Sprintf("%s:%dx%dx%d", c.form, c.m, c.k, c.n)
	if c.act != ActIdentity {
		s += ":" + c.act.String()
	}
	if c.packed {
		s += ":packed"
	}
	return s
}

var gemmCases = func() (all []gemmCase) {
	shapes := [][3]int{{1, 784, 256}, {32, 784, 256}, {128, 784, 256}, {128, 256, 128}, {128, 784, 512}, {512, 512, 512}, {1024, 1024, 1024}, {64, 4096, 1024}, {7, 13, 5}, {1, 16, 16}}
	for _, s := range shapes {
		all = append(all, gemmCase{s[0], s[1], s[2], "fwd", false, ActReLU}, gemmCase{s[0], s[1], s[2], "fwd", true, ActReLU})
	}
	for _, m := range []int{2, 3, 4, 6, 8, 9, 12, 16} {
		all = append(all, gemmCase{m, 784, 256, "fwd", false, ActReLU})
	}
	for _, s := range shapes[:8] {
		all = append(all, gemmCase{s[0], s[2], s[1], "dx", false, ActReLU}, gemmCase{s[1], s[0], s[2], "dw", false, ActIdentity})
	}
	return append(all, gemmCase{128, 784, 256, "fwd", false, ActTanh}, gemmCase{128, 784, 256, "fwd", false, ActSigmoid})
}()

// make returns a few copies of the case on fresh buffers: one alone would be hotter in cache than a program's products are.
func newCases[T Float](c gemmCase) []*Gemm[T] {
	r := rand.New(rand.NewPCG(1, 1))
	sets := 1 + (8<<20)/(c.m*c.k+c.k*c.n+c.m*c.n)/8
	var all []*Gemm[T]
	for range min(sets, 64) {
		a, b := make([]T, c.m*c.k), make([]T, c.k*c.n)
		randomize(r, a)
		randomize(r, b)
		g := &Gemm[T]{M: c.m, N: c.n, K: c.k, A: a, ARow: c.k, ACol: 1, B: b, BRow: c.n, BCol: 1, C: make([]T, c.m*c.n), CRow: c.n}
		switch c.form {
		case "fwd":
			g.Epilogue.Bias, g.Epilogue.Act = make([]T, c.n), c.act
		case "dx":
			g.BRow, g.BCol = 1, c.k
			g.Epilogue.Saved, g.Epilogue.SavedRow, g.Epilogue.Deriv = make([]T, c.m*c.n), c.n, c.act
			randomize(r, g.Epilogue.Saved)
		case "dw":
			g.ARow, g.ACol = 1, c.m
		}
		if c.packed {
			p := Pack[T](nil, g.B, g.BRow, g.BCol, c.k, c.n)
			g.Packed = &p
		}
		all = append(all, g)
	}
	return all
}

// BenchmarkGemm prints GFLOP/s and the fraction of the multiply-add ceiling measured in between.
func BenchmarkGemm(b *testing.B) {
	b.Run("float32", func(b *testing.B) { benchmarkGemm[float32](b, peak32) })
	b.Run("float64", func(b *testing.B) { benchmarkGemm[float64](b, peak64) })
}

func benchmarkGemm[T Float](b *testing.B, peak func() float64) {
	for _, threads := range []int{1, 2} {
		for _, c := range gemmCases {
			if threads > 1 && c.m*c.k*c.n < 1<<22 {
				continue
			}
			b.Run(fmt.Sprintf("%v:%d", c, threads), func(b *testing.B) {
				all := newCases[T](c)
				flops := 2 * float64(c.m) * float64(c.k) * float64(c.n)
				// Rounds of some 100 µs, of which the fastest and the median are reported.
				per := max(1, int(1e-4*60e9/flops))
				var times []float64
				best := 0.0
				at := 0
				for b.Loop() {
					if len(times)%64 == 0 {
						best = max(best, peak())
					}
					start := time.Now()
					for range per {
						g := all[at]
						if at++; at == len(all) {
							at = 0
						}
						if threads == 1 {
							g.Run()
						} else {
							parallel.Run(threads, g.Parts(), g)
						}
					}
					times = append(times, float64(time.Since(start))/float64(per))
				}
				slices.Sort(times)
				fastest, median := times[len(times)/100], times[len(times)/2]
				b.ReportMetric(flops/fastest, "GFLOPS")
				b.ReportMetric(flops/median, "GFLOPS-median")
				b.ReportMetric(fastest, "ns-min")
				if best > 0 {
					b.ReportMetric(flops/fastest/best/float64(threads), "of-peak")
				}
			})
		}
	}
}
