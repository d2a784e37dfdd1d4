package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The words are the known answers published with the Random123 library (kat_vectors, philox4x32 10).
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		key, stream, block uint64
		want               [4]uint32
	}{
		{0, 0, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{^uint64(0), ^uint64(0), ^uint64(0), [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.key, c.stream, c.block); got != c.want {
			t.Errorf("philox(%#x, %#x, %#x) = %x, want %x", c.key, c.stream, c.block, got, c.want)
		}
	}
}

// An element depends on its index alone: any cut of a range, and either set of kernels, gives the same numbers.
func TestRandomIsIndexed(t *testing.T) {
	eachSet(t, func(t *testing.T) { randomIsIndexed[float32](t); randomIsIndexed[float64](t) })
}

func randomIsIndexed[T Float](t *testing.T) {
	const n = 3000
	rng := rand.New(rand.NewPCG(17, 18))
	key, stream, base := rng.Uint64(), rng.Uint64(), uint64(1)<<34-1500 // the block number crosses 32 bits
	p := portableVec[T]()
	for name, draw := range map[string]func(dst []T, key, stream, offset uint64){"uniform": Uniform[T], "normal": Normal[T]} {
		whole := make([]T, n)
		draw(whole, key, stream, base)
		if name == "uniform" {
			want := make([]T, n)
			p.uniform(want, key, stream, base)
			for i, w := range want {
				if whole[i] != w || w < 0 || w >= 1 {
					t.Fatalf("%T uniform %d: %v, want %v", w, i, whole[i], w)
				}
			}
		}
		if name == "normal" { // the sets round angles and logarithms differently
			native, ulp := vec[T]().normals, 0.0
			if unsafe.Sizeof(whole[0]) == 4 {
				ulp = 0x1p-23
			}
			words, want, got := make([]uint32, 4096), make([]T, 1024), make([]T, 1024)
			philoxWords(words, key, stream, 0)
			words = words[:1024*4/perBlock[T]()]
			copy(words, []uint32{0, 0, 0, 0, ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}) // the ends of u and v
			native(got, words)
			p.normals(want, words)
			for i, w := range want {
				if d := math.Abs(float64(got[i] - w)); !(d <= max(0x1p-46, ulp*math.Abs(float64(w)))) {
					t.Fatalf("%T normal %d: %v, want %v", w, i, got[i], w)
				}
			}
		}
		for range 200 {
			i := rng.IntN(n)
			part := newWalled[T](rng.IntN(min(n-i, 1200)))
			draw(part.x, key, stream, base+uint64(i))
			if !part.intact() {
				t.Fatalf("%s: wrote outside", name)
			}
			for j, v := range part.x {
				if v != whole[i+j] {
					t.Fatalf("%T %s element %d: %v in a part, %v in the whole", v, name, i+j, v, whole[i+j])
				}
			}
		}
	}
}

// The first four moments, and the share beyond two standard deviations, within five standard errors.
func TestRandomMoments(t *testing.T) {
	const n = 1 << 19
	x := make([]float64, n)
	moments := func(center float64) (m [5]float64) {
		for _, v := range x {
			d := v - center
			for k, p := 1, d; k <= 4; k, p = k+1, p*d {
				m[k] += p / n
			}
		}
		return m
	}
	within := func(name string, got, want, deviation float64) {
		t.Helper()
		if math.Abs(got-want) > 5*deviation/math.Sqrt(n) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	Uniform(x, 7, 1, 0)
	m := moments(0.5)
	within("uniform mean", m[1], 0, math.Sqrt(1./12))
	within("uniform variance", m[2], 1./12, math.Sqrt(1./180))
	within("uniform fourth", m[4], 1./80, math.Sqrt(1./2304-1./6400))
	Normal(x, 7, 2, 0)
	m = moments(0)
	within("normal mean", m[1], 0, 1)
	within("normal variance", m[2], 1, math.Sqrt2)
	within("normal third", m[3], 0, math.Sqrt(15))
	within("normal fourth", m[4], 3, math.Sqrt(96))
	far := 0
	for _, v := range x {
		if math.Abs(v) > 2 {
			far++
		}
	}
	p := math.Erfc(math.Sqrt2)
	within("beyond two deviations", float64(far)/n, p, math.Sqrt(p*(1-p)))
}

// BenchmarkRandom measures 65,536 elements.
func BenchmarkRandom(b *testing.B) {
	b.Run("float32", benchmarkRandom[float32])
	b.Run("float64", benchmarkRandom[float64])
}

func benchmarkRandom[T Float](b *testing.B) {
	x := make([]T, 1<<16)
	for name, draw := range map[string]func(dst []T, key, stream, offset uint64){"uniform": Uniform[T], "normal": Normal[T]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				draw(x, 1, 2, 3)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/element")
		})
	}
}
