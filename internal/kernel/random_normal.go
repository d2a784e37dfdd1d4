package kernel

import (
	"math"
	"sync"
)

// Normal sets dst[i] to element offset+i of the stream, with the standard normal distribution, by the transform of Box and
// Muller: r = √(−2 ln u) and an angle 2πv give the pair r·cos, r·sin. float32 takes u of 32 bits (|x| ≤ 6.8), float64 of
// 64 bits (|x| ≤ 9.5).
func Normal[T Float](dst []T, key, stream, offset uint64) {
	normal(dst, key, stream, offset)
}

// normalPairs is the number of pairs made at once.
const normalPairs = 256

// normalScratch holds a block of them on the way: the random words, then u and v as fractions, and the sines.
type normalScratch struct {
	words     [4 * normalPairs]uint32
	u, v, sin [normalPairs]float64
}

var normalPool = sync.Pool{New: func() any { return new(normalScratch) }}

// philoxWords sets w to the words of the blocks from block on; len(w) is a multiple of 4.
var philoxWords = philoxWordsPortable

func philoxWordsPortable(w []uint32, key, stream, block uint64) {
	for ; len(w) >= 4; w = w[4:] {
		out := philox(key, stream, block)
		copy(w, out[:])
		block++
	}
}

// normal works in float64 for both types, block by block, on the pairs that cover offset … offset+len(dst)−1.
func normal[T Float](dst []T, key, stream, offset uint64) {
	s := normalPool.Get().(*normalScratch)
	per := perBlock[T]() // elements, of 4 words
	for len(dst) > 0 {
		block, skip := offset/per, int(offset%per)
		n := min(len(dst), 2*normalPairs-skip)
		pairs := (skip + n + int(per) - 1) / int(per) * int(per) / 2
		s.fill(pairs, int(per), key, stream, block)
		for i := range n {
			k := skip + i
			if k%2 == 0 {
				dst[i] = T(s.u[k/2] * s.v[k/2])
			} else {
				dst[i] = T(s.u[k/2] * s.sin[k/2])
			}
		}
		dst = dst[n:]
		offset += uint64(n)
	}
	normalPool.Put(s)
}

// fill makes pairs from block on: afterwards u holds r = √(−2 ln u), v and sin the cosine and the sine of 2πv.
func (s *normalScratch) fill(pairs, per int, key, stream, block uint64) {
	u, v, sin := s.u[:pairs], s.v[:pairs], s.sin[:pairs]
	words := s.words[:pairs*8/per]
	philoxWords(words, key, stream, block)
	if per == 4 {
		for i := range u {
			u[i] = (float64(words[2*i]) + 0.5) * 0x1p-32
			v[i] = float64(words[2*i+1]) * 0x1p-32
		}
	} else {
		for i := range u {
			a, b := uint64(words[4*i])|uint64(words[4*i+1])<<32, uint64(words[4*i+2])|uint64(words[4*i+3])<<32
			u[i] = (float64(a) + 0.5) * 0x1p-64
			v[i] = float64(b>>11) * 0x1p-53
		}
	}
	k := vec[float64]()
	k.unary[OpLog](u, u)
	k.scalar[OpMul](u, u, -2)
	k.unary[OpSqrt](u, u)
	k.scalar[OpMul](v, v, 2*math.Pi)
	k.unary[OpSin](sin, v)
	k.unary[OpCos](v, v)
}
