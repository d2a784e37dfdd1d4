package kernel

// Sums over a fixed tree. A slice is cut into blocks of reduceBlock elements; the sums of the blocks are added in pairs,
// the pairs in pairs, and so on, as in a binary counter. The tree depends on the length alone, and cutting the slice at a
// multiple of a power of two of blocks cuts the tree at one of its own nodes: workers that sum such chunks and combine them
// with Sum itself (the sums of equal chunks, in order) get the same bits as one call.
//
// The error is at most about (log₂(n/reduceBlock) + reduceBlock/8 + 5)·ε·Σ|xᵢ|.

const reduceBlock = 1024

// ReduceBlock is the number of elements summed as one leaf of the tree: chunks for parallel reduction are power-of-two
// multiples of it, and their results are combined with CombineSums.
const ReduceBlock = reduceBlock

// pairwise adds a sequence of values as a balanced binary tree without knowing its length: level k of the stack holds the
// sum of 2ᵏ leaves.
type pairwise[T Float] struct {
	stack [48]T
	depth int
	count uint64
}

func (p *pairwise[T]) add(v T) {
	for c := p.count; c&1 != 0; c >>= 1 {
		p.depth--
		v = p.stack[p.depth] + v
	}
	p.stack[p.depth] = v
	p.depth++
	p.count++
}

func (p *pairwise[T]) total() T {
	if p.depth == 0 {
		return 0
	}
	s := p.stack[p.depth-1]
	for k := p.depth - 2; k >= 0; k-- {
		s = p.stack[k] + s
	}
	return s
}

// reduceBlocks adds leaf over the blocks of x.
func reduceBlocks[T Float](x []T, leaf func([]T) T) T {
	if len(x) <= reduceBlock {
		return leaf(x)
	}
	var p pairwise[T]
	for len(x) > reduceBlock {
		p.add(leaf(x[:reduceBlock]))
		x = x[reduceBlock:]
	}
	p.add(leaf(x))
	return p.total()
}

// Sum returns Σ xᵢ, 0 for an empty slice.
func Sum[T Float](x []T) T { return reduceBlocks(x, vec[T]().sum) }

// SumSquares returns Σ xᵢ².
func SumSquares[T Float](x []T) T { return reduceBlocks(x, vec[T]().sumSquares) }

// Dot returns Σ aᵢ·bᵢ over len(a) elements.
func Dot[T Float](a, b []T) T {
	b = b[:len(a)]
	leaf := vec[T]().dot
	if len(a) <= reduceBlock {
		return leaf(a, b)
	}
	var p pairwise[T]
	for len(a) > reduceBlock {
		p.add(leaf(a[:reduceBlock], b[:reduceBlock]))
		a, b = a[reduceBlock:], b[reduceBlock:]
	}
	p.add(leaf(a, b))
	return p.total()
}

// CombineSums adds the results of Sum, SumSquares or Dot over consecutive chunks, each (but for the last, which may be
// shorter) of the same power-of-two number of blocks, along the tree a single call would have used.
func CombineSums[T Float](parts []T) T {
	var p pairwise[T]
	for _, v := range parts {
		p.add(v)
	}
	return p.total()
}

// laneSum adds the lanes of eight running sums in a fixed order.
func laneSum[T Float](s *[8]T) T {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

func sumPortable[T Float](x []T) T {
	var s [8]T
	for len(x) >= 8 {
		for k := range s {
			s[k] += x[k]
		}
		x = x[8:]
	}
	for k, v := range x {
		s[k] += v
	}
	return laneSum(&s)
}

func sumSquaresPortable[T Float](x []T) T { return dotPortable(x, x) }

func dotPortable[T Float](a, b []T) T {
	var s [8]T
	for len(a) >= 8 && len(b) >= 8 {
		for k := range s {
			s[k] += a[k] * b[k]
		}
		a, b = a[8:], b[8:]
	}
	for k, v := range a {
		s[k] += v * b[k]
	}
	return laneSum(&s)
}
