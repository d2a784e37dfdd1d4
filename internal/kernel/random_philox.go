package kernel

import (
	"math/bits"
	"unsafe"
)

// Random numbers as a pure function of (key, stream, element index): the Philox 4×32 generator with ten rounds of
// J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, “Parallel random numbers: as easy as 1, 2, 3” (SC 2011).
// The 128-bit counter is (block number, stream), the 64-bit key is the key; one counter yields 128 random bits, which are
// four float32 or two float64 elements. So element i has the same value however a range is cut among calls and workers.

// The multipliers and the increments of the key (the golden ratio and √3 − 1, as 32-bit fractions) from section 3.3 of the paper.
const (
	philoxM0 = 0xD2511F53
	philoxM1 = 0xCD9E8D57
	philoxW0 = 0x9E3779B9
	philoxW1 = 0xBB67AE85
)

// philox returns the four words of the counter (block, stream).
func philox(key, stream, block uint64) (w [4]uint32) {
	c0, c1 := uint32(block), uint32(block>>32)
	c2, c3 := uint32(stream), uint32(stream>>32)
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		h0, l0 := bits.Mul32(philoxM0, c0)
		h1, l1 := bits.Mul32(philoxM1, c2)
		c0, c1, c2, c3 = h1^c1^k0, l1, h0^c3^k1, l0
		k0 += philoxW0
		k1 += philoxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Uniform sets dst[i] to element offset+i of the stream, uniform in [0, 1): the top 24 bits of a word for float32, the top
// 53 bits of two words for float64, so every value is a multiple of 2⁻²⁴ or 2⁻⁵³ and 1 does not occur.
func Uniform[T Float](dst []T, key, stream, offset uint64) {
	vec[T]().uniform(dst, key, stream, offset)
}

// eachBlock calls block for the counters that cover elements offset … offset+len(dst)−1, per elements each, and copies.
func eachBlock[T Float](dst []T, per, offset uint64, block func(out *[4]T, n uint64)) {
	var out [4]T
	n, skip := offset/per, offset%per
	for len(dst) > 0 {
		block(&out, n)
		dst = dst[copy(dst, out[skip:per]):]
		n, skip = n+1, 0
	}
}

func perBlock[T Float]() uint64 {
	var zero T
	return uint64(16 / unsafe.Sizeof(zero))
}

func uniformPortable[T Float](dst []T, key, stream, offset uint64) {
	per := perBlock[T]()
	eachBlock(dst, per, offset, func(out *[4]T, n uint64) {
		w := philox(key, stream, n)
		if per == 4 {
			for k, v := range w {
				out[k] = T(v>>8) * 0x1p-24
			}
			return
		}
		for k := range 2 {
			v := uint64(w[2*k]) | uint64(w[2*k+1])<<32
			out[k] = T(v>>11) * 0x1p-53
		}
	})
}
