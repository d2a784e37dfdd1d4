package kernel

import (
	"math"
	"sync"
	"unsafe"
)

// Normal sets dst[i] to element offset+i of the stream, with the standard normal distribution, by the transform of Box and
// Muller: r = √(−2 ln u) and an angle 2πv give the pair r·cos, r·sin. float32 takes u and v of 32 bits (|x| ≤ 6.8), float64 u
// of 64 and v of 53 bits (|x| ≤ 9.5). The arithmetic is in float64 for both types.
func Normal[T Float](dst []T, key, stream, offset uint64) {
	normals, per := vec[T]().normals, perBlock[T]()
	s := normalPool[T]().Get().(*normalScratch[T])
	for len(dst) > 0 {
		block, skip := offset/per, int(offset%per)
		n := min(len(dst), len(s.out)-skip)
		count := (skip + n + normalGroup - 1) / normalGroup * normalGroup
		words := s.words[:count*4/int(per)]
		philoxWords(words, key, stream, block)
		normals(s.out[:count], words)
		copy(dst[:n], s.out[skip:])
		dst = dst[n:]
		offset += uint64(n)
	}
	normalPool[T]().Put(s)
}

// normalGroup is the number of elements that kernels make at a time at most.
const normalGroup = 32

// normalScratch holds a block on the way: the random words, and what becomes of them.
type normalScratch[T Float] struct {
	words [1024]uint32
	out   [512]T
}

var (
	normalPool32 = sync.Pool{New: func() any { return new(normalScratch[float32]) }}
	normalPool64 = sync.Pool{New: func() any { return new(normalScratch[float64]) }}
)

func normalPool[T Float]() *sync.Pool {
	var zero T
	if unsafe.Sizeof(zero) == 4 {
		return &normalPool32
	}
	return &normalPool64
}

// philoxWords sets w to the words of the blocks from block on; len(w) is a multiple of 4.
var philoxWords = philoxWordsPortable

func philoxWordsPortable(w []uint32, key, stream, block uint64) {
	for ; len(w) >= 4; w = w[4:] {
		out := philox(key, stream, block)
		copy(w, out[:])
		block++
	}
}

// normalsPortable makes two elements of two words each (float32), or of four (float64): the first half is u, rounded to the
// middle of its interval so that it is not 0, the second v.
func normalsPortable[T Float](dst []T, words []uint32) {
	single := perBlock[T]() == 4
	for i := 0; i < len(dst); i += 2 {
		var u, v float64
		if single {
			u = (float64(words[i]) + 0.5) * 0x1p-32
			v = float64(words[i+1]) * 0x1p-32
		} else {
			a, b := uint64(words[2*i])|uint64(words[2*i+1])<<32, uint64(words[2*i+2])|uint64(words[2*i+3])<<32
			u = (float64(a) + 0.5) * 0x1p-64
			v = float64(b>>11) * 0x1p-53
		}
		r := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		dst[i], dst[i+1] = T(r*cos), T(r*sin)
	}
}
