//go:build !noasm

package kernel

// useVec puts the vector kernels of the set in use into the tables: the portable ones, over them what there is in AVX2, and
// over those what there is in AVX-512. The assignments are generated (vec_table_amd64.go).
func useVec() {
	p32, p64 := portableVec[float32](), portableVec[float64]()
	vec32, vec64, philoxWords = portableVec[float32](), portableVec[float64](), philoxWordsPortable
	if accelerated {
		vecAVX2F32(vec32, p32)
		vecAVX2F64(vec64, p64)
		philoxWords = wordGroupsThenRest(philoxWordsAVX2, 32)
	}
	if wide {
		vecAVX512F32(vec32, p32)
		vecAVX512F64(vec64, p64)
		philoxWords = wordGroupsThenRest(philoxWordsAVX512, 64)
	}
}

// into is dst += x by the sum of two operands.
func into[T Float](add func(dst, a, b []T)) func(dst, x []T) {
	return func(dst, x []T) { add(dst, dst, x) }
}

// wholeThenRest compares whole groups of eight with the assembly and the last few with the portable loop.
func wholeThenRest[T Float](whole, rest func(dst []bool, a, b []T)) func(dst []bool, a, b []T) {
	return func(dst []bool, a, b []T) {
		whole(dst, a, b)
		n := len(dst) &^ 7
		rest(dst[n:], a[n:], b[n:])
	}
}

func scalarWholeThenRest[T Float](whole, rest func(dst []bool, a []T, s T)) func(dst []bool, a []T, s T) {
	return func(dst []bool, a []T, s T) {
		whole(dst, a, s)
		n := len(dst) &^ 7
		rest(dst[n:], a[n:], s)
	}
}

func selectsThenRest[T Float](whole, rest func(dst []T, cond []bool, a, b []T)) func(dst []T, cond []bool, a, b []T) {
	return func(dst []T, cond []bool, a, b []T) {
		whole(dst, cond, a, b)
		n := len(dst) &^ 7
		rest(dst[n:], cond[n:], a[n:], b[n:])
	}
}

// trigLimit is the largest |x| whose reduction by π/2 the assembly does accurately.
const trigLimit = 1 << 15

// whereSmall applies small to the blocks of x that lie within ±trigLimit and any to the others.
func whereSmall[T Float](largest, smallest func(x []T) T, small, any func(dst, x []T)) func(dst, x []T) {
	return func(dst, x []T) {
		for len(dst) > 0 {
			n := min(len(dst), 256)
			f := any
			if largest(x[:n]) <= trigLimit && smallest(x[:n]) >= -trigLimit {
				f = small
			}
			f(dst[:n], x[:n])
			dst, x = dst[n:], x[n:]
		}
	}
}

// groupsThenRest draws the head up to a whole block, then groups of blocks, per elements each, with the assembly, then the rest.
func groupsThenRest[T Float](groups, rest func(dst []T, key, stream, offset uint64), per, blocks uint64) func(dst []T, key, stream, offset uint64) {
	return func(dst []T, key, stream, offset uint64) {
		if odd := offset % (per / blocks); odd != 0 {
			n := min(len(dst), int(per/blocks-odd))
			rest(dst[:n], key, stream, offset)
			dst, offset = dst[n:], offset+uint64(n)
		}
		for len(dst) >= int(per) {
			n := min(len(dst), maxSpan) / int(per) * int(per)
			groups(dst[:n], key, stream, offset/(per/blocks))
			dst, offset = dst[n:], offset+uint64(n)
		}
		rest(dst, key, stream, offset)
	}
}

// wordGroupsThenRest is philoxWords with groups of per words, a power of two, by the assembly.
func wordGroupsThenRest(groups func(w []uint32, key, stream, block uint64), per int) func(w []uint32, key, stream, block uint64) {
	return func(w []uint32, key, stream, block uint64) {
		groups(w, key, stream, block)
		n := len(w) &^ (per - 1)
		philoxWordsPortable(w[n:], key, stream, block+uint64(n/4))
	}
}
