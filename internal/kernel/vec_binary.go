package kernel

// Functions of two operands, elementwise or with a scalar: len(dst) elements are read and written, dst may be one of the
// operands itself but not otherwise overlap one. None allocates.

func binary[T Float](op Op, dst, a, b []T) {
	f := vec[T]().binary[op]
	a, b = a[:len(dst)], b[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], a[:maxSpan], b[:maxSpan])
		dst, a, b = dst[maxSpan:], a[maxSpan:], b[maxSpan:]
	}
	f(dst, a, b)
}

func scalar[T Float](op Op, dst, a []T, s T) {
	spans(vec[T]().scalar[op], dst, a, s)
}

func rscalar[T Float](op Op, dst, a []T, s T) {
	spans(vec[T]().rscalar[op], dst, a, s)
}

func spans[T Float](f func(dst, a []T, s T), dst, a []T, s T) {
	a = a[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], a[:maxSpan], s)
		dst, a = dst[maxSpan:], a[maxSpan:]
	}
	f(dst, a, s)
}

// Add sets dst = a + b.
func Add[T Float](dst, a, b []T) { binary(OpAdd, dst, a, b) }

// Sub sets dst = a − b.
func Sub[T Float](dst, a, b []T) { binary(OpSub, dst, a, b) }

// Mul sets dst = a · b.
func Mul[T Float](dst, a, b []T) { binary(OpMul, dst, a, b) }

// Div sets dst = a / b.
func Div[T Float](dst, a, b []T) { binary(OpDiv, dst, a, b) }

// Max sets dst to the larger of a and b; NaN where either is NaN, and max(−0, 0) = 0.
func Max[T Float](dst, a, b []T) { binary(OpMax, dst, a, b) }

// Min sets dst to the smaller of a and b; NaN where either is NaN, and min(−0, 0) = −0.
func Min[T Float](dst, a, b []T) { binary(OpMin, dst, a, b) }

// Pow sets dst = aᵇ with the special cases of math.Pow.
func Pow[T Float](dst, a, b []T) { binary(OpPow, dst, a, b) }

// AddScalar sets dst = a + s.
func AddScalar[T Float](dst, a []T, s T) { scalar(OpAdd, dst, a, s) }

// MulScalar sets dst = a · s.
func MulScalar[T Float](dst, a []T, s T) { scalar(OpMul, dst, a, s) }

// SubScalar sets dst = a − s.
func SubScalar[T Float](dst, a []T, s T) { scalar(OpSub, dst, a, s) }

// RSubScalar sets dst = s − a.
func RSubScalar[T Float](dst, a []T, s T) { rscalar(OpSub, dst, a, s) }

// DivScalar sets dst = a / s, a true division of each element.
func DivScalar[T Float](dst, a []T, s T) { scalar(OpDiv, dst, a, s) }

// RDivScalar sets dst = s / a.
func RDivScalar[T Float](dst, a []T, s T) { rscalar(OpDiv, dst, a, s) }

// MaxScalar sets dst = max(a, s), as Max.
func MaxScalar[T Float](dst, a []T, s T) { scalar(OpMax, dst, a, s) }

// MinScalar sets dst = min(a, s), as Min.
func MinScalar[T Float](dst, a []T, s T) { scalar(OpMin, dst, a, s) }

// PowScalar sets dst = aˢ.
func PowScalar[T Float](dst, a []T, s T) { scalar(OpPow, dst, a, s) }

// RPowScalar sets dst = sᵃ.
func RPowScalar[T Float](dst, a []T, s T) { rscalar(OpPow, dst, a, s) }
