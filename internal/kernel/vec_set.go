package kernel

import "unsafe"

// vecSet is a complete set of vector kernels for one element type: the portable one, or that one with entries replaced by
// assembly (useVec). A kernel reads len(dst) elements of each operand (the caller has cut the operands to that length) and dst may
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

	// Activations, and dst = a ⊙ act′ from what was saved: the inputs or the outputs. Identity has none.
	act               [numActs]func(dst, x []T, alpha T)
	slopeIn, slopeOut [numActs]func(dst, a, saved []T, alpha T)

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

	// The same and the softmax family for rows × cols elements, both positive, cols ≤ reduceBlock; nil: row by row by the
	// functions above. dst has an element for each row, for the softmax family but logSumExp one for each element.
	sumRows, maxRows, minRows, logSumExpRows, softmaxRows, logSoftmaxRows func(dst, x []T, rows, cols int)

	uniform func(dst []T, key, stream, offset uint64)
	normals func(dst []T, words []uint32) // see random_normal.go; len(dst) is a multiple of normalGroup

	fused map[string]fusedKernel[T] // programs with a kernel of their own, by their text
}

// The set in use, see useVec.
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
