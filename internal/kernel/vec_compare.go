package kernel

// Comparisons into []bool, and the choice by one. len(dst) elements are read and written; a comparison with NaN is false,
// except NotEqual, which is then true.

func compare[T Float](op Op, dst []bool, a, b []T) {
	f := vec[T]().compare[op]
	a, b = a[:len(dst)], b[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], a[:maxSpan], b[:maxSpan])
		dst, a, b = dst[maxSpan:], a[maxSpan:], b[maxSpan:]
	}
	f(dst, a, b)
}

func compareScalar[T Float](op Op, dst []bool, a []T, s T) {
	f := vec[T]().cscalar[op]
	a = a[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], a[:maxSpan], s)
		dst, a = dst[maxSpan:], a[maxSpan:]
	}
	f(dst, a, s)
}

// Less sets dst = a < b.
func Less[T Float](dst []bool, a, b []T) { compare(OpLess, dst, a, b) }

// LessEqual sets dst = a ≤ b.
func LessEqual[T Float](dst []bool, a, b []T) { compare(OpLessEqual, dst, a, b) }

// Equal sets dst = (a = b).
func Equal[T Float](dst []bool, a, b []T) { compare(OpEqual, dst, a, b) }

// NotEqual sets dst = a ≠ b.
func NotEqual[T Float](dst []bool, a, b []T) { compare(OpNotEqual, dst, a, b) }

// Greater sets dst = a > b.
func Greater[T Float](dst []bool, a, b []T) { compare(OpLess, dst, b, a) }

// GreaterEqual sets dst = a ≥ b.
func GreaterEqual[T Float](dst []bool, a, b []T) { compare(OpLessEqual, dst, b, a) }

// LessScalar sets dst = a < s.
func LessScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpLess, dst, a, s) }

// LessEqualScalar sets dst = a ≤ s.
func LessEqualScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpLessEqual, dst, a, s) }

// EqualScalar sets dst = (a = s).
func EqualScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpEqual, dst, a, s) }

// NotEqualScalar sets dst = a ≠ s.
func NotEqualScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpNotEqual, dst, a, s) }

// GreaterScalar sets dst = a > s.
func GreaterScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpGreater, dst, a, s) }

// GreaterEqualScalar sets dst = a ≥ s.
func GreaterEqualScalar[T Float](dst []bool, a []T, s T) { compareScalar(OpGreaterEqual, dst, a, s) }

// Select sets dst to a where cond holds, to b elsewhere. dst may be a or b.
func Select[T Float](dst []T, cond []bool, a, b []T) {
	f := vec[T]().selects
	cond, a, b = cond[:len(dst)], a[:len(dst)], b[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], cond[:maxSpan], a[:maxSpan], b[:maxSpan])
		dst, cond, a, b = dst[maxSpan:], cond[maxSpan:], a[maxSpan:], b[maxSpan:]
	}
	f(dst, cond, a, b)
}
