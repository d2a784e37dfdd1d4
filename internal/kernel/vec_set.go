package kernel

import "unsafe"

// vecSet is a complete set of vector kernels for one element type: the portable one, or that one with entries replaced by
// assembly. A kernel reads len(dst) elements of each operand (the caller has cut the operands to that length) and dst may
// be exactly one of the operands. Entries that a table does not use are nil.
type vecSet[T Float] struct {
	unary   [numOps]func(dst, x []T)
	binary  [numOps]func(dst, a, b []T)
	scalar  [numOps]func(dst, a []T, s T) // dst = a op s
	rscalar [numOps]func(dst, a []T, s T) // dst = s op a, where the operator does not commute
	compare [numOps]func(dst []bool, a, b []T)
	cscalar [numOps]func(dst []bool, a []T, s T)

	// Comparisons that write 1 and 0, for programs.
	truth  [numOps]func(dst, a, b []T)
	struth [numOps]func(dst, a []T, s T)

	selects      func(dst []T, cond []bool, a, b []T)
	selectValues func(dst, cond, a, b []T) // cond[i] ≠ 0 chooses a

	// Reductions over at most reduceBlock elements (sums), or any number (extrema).
	sum, sumSquares func(x []T) T
	dot             func(a, b []T) T
	maxValue        func(x []T) T
	minValue        func(x []T) T
	sumExpShifted   func(x []T, shift T) T      // Σ exp(xᵢ − shift)
	expShifted      func(dst, x []T, shift T) T // dst = exp(x − shift); returns the sum of dst
	accumulate      func(dst, x []T)            // dst += x
	uniform         func(dst []T, key, stream, offset uint64)
}

// override replaces the kernels that with has.
func (s *vecSet[T]) override(with vecSet[T]) {
	for op := range numOps {
		replace(&s.unary[op], with.unary[op], with.unary[op] != nil)
		replace(&s.binary[op], with.binary[op], with.binary[op] != nil)
		replace(&s.scalar[op], with.scalar[op], with.scalar[op] != nil)
		replace(&s.rscalar[op], with.rscalar[op], with.rscalar[op] != nil)
		replace(&s.compare[op], with.compare[op], with.compare[op] != nil)
		replace(&s.truth[op], with.truth[op], with.truth[op] != nil)
		replace(&s.struth[op], with.struth[op], with.struth[op] != nil)
		replace(&s.cscalar[op], with.cscalar[op], with.cscalar[op] != nil)
	}
	replace(&s.selects, with.selects, with.selects != nil)
	replace(&s.selectValues, with.selectValues, with.selectValues != nil)
	replace(&s.sum, with.sum, with.sum != nil)
	replace(&s.sumSquares, with.sumSquares, with.sumSquares != nil)
	replace(&s.dot, with.dot, with.dot != nil)
	replace(&s.maxValue, with.maxValue, with.maxValue != nil)
	replace(&s.minValue, with.minValue, with.minValue != nil)
	replace(&s.sumExpShifted, with.sumExpShifted, with.sumExpShifted != nil)
	replace(&s.expShifted, with.expShifted, with.expShifted != nil)
	replace(&s.accumulate, with.accumulate, with.accumulate != nil)
	replace(&s.uniform, with.uniform, with.uniform != nil)
}

func replace[F any](f *F, by F, given bool) {
	if given {
		*f = by
	}
}

// The sets in use, chosen once at start-up.
var (
	vec32 = portableVec[float32]()
	vec64 = portableVec[float64]()
)

// vec returns the set in use for T.
func vec[T Float]() *vecSet[T] {
	var zero T
	if unsafe.Sizeof(zero) == 4 {
		return (*vecSet[T])(unsafe.Pointer(vec32))
	}
	return (*vecSet[T])(unsafe.Pointer(vec64))
}
