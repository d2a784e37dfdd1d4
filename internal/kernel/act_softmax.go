package kernel

import "math"

// Softmax and its kin over the rows of a row-major matrix. The largest element m of a row is subtracted first, so nothing
// overflows: the largest exponential is e⁰ = 1 and the sum is at least 1.
//
// An entry of −Inf has probability 0 (log-probability −Inf). A row that is empty of finite entries has no distribution:
// all −Inf, or a +Inf, gives NaN in the whole row, as does a NaN.

// Softmax sets dst[i,j] = e^x[i,j] / Σₖ e^x[i,k]. dst may be x.
func Softmax[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().softmaxRows, softmaxRow, dst, x, rows, cols, cols)
}

func softmaxRow[T Float](dst, x []T) {
	v := vec[T]()
	sum := expShifted(v, dst, x, MaxValue(x))
	v.scalar[OpMul](dst, dst, 1/sum)
}

// LogSoftmax sets dst[i,j] = x[i,j] − ln Σₖ e^x[i,k]. dst may be x.
func LogSoftmax[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().logSoftmaxRows, logSoftmaxRow, dst, x, rows, cols, cols)
}

func logSoftmaxRow[T Float](dst, x []T) {
	v := vec[T]()
	m := MaxValue(x)
	l := T(math.Log(float64(sumExpShifted(v, x, m))))
	// (x − m) is exact or nearly so where the result is small; adding m to l first would lose it.
	v.scalar[OpSub](dst, x, m)
	v.scalar[OpSub](dst, dst, l)
}

// LogSumExp returns ln Σ e^xᵢ: −Inf for an empty slice or one of −Inf alone, +Inf if +Inf is among them.
func LogSumExp[T Float](x []T) T {
	v := vec[T]()
	m := v.maxValue(x)
	if math.IsInf(float64(m), 0) || m != m {
		return m
	}
	return m + T(math.Log(float64(sumExpShifted(v, x, m))))
}

// expShifted sets dst = exp(x − m) and returns its sum over the fixed tree.
func expShifted[T Float](v *vecSet[T], dst, x []T, m T) T {
	if len(x) <= reduceBlock {
		return v.expShifted(dst, x, m)
	}
	var p pairwise[T]
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		p.add(v.expShifted(dst[:n], x[:n], m))
		dst, x = dst[n:], x[n:]
	}
	return p.total()
}

// sumExpShifted returns Σ exp(xᵢ − m) over the fixed tree.
func sumExpShifted[T Float](v *vecSet[T], x []T, m T) T {
	if len(x) <= reduceBlock {
		return v.sumExpShifted(x, m)
	}
	var p pairwise[T]
	for len(x) > 0 {
		n := min(len(x), reduceBlock)
		p.add(v.sumExpShifted(x[:n], m))
		x = x[n:]
	}
	return p.total()
}

func expShiftedPortable[T Float](dst, x []T, m T) T {
	for i, v := range x {
		dst[i] = T(math.Exp(float64(v - m)))
	}
	return sumPortable(dst)
}

func sumExpShiftedPortable[T Float](x []T, m T) T {
	var s [8]T
	for i, v := range x {
		s[i&7] += T(math.Exp(float64(v - m)))
	}
	return laneSum(&s)
}

// setPortableReduce fills in the reductions.
func setPortableReduce[T Float](s *vecSet[T]) {
	s.sum = sumPortable[T]
	s.sumSquares = sumSquaresPortable[T]
	s.dot = dotPortable[T]
	s.maxValue = maxPortable[T]
	s.minValue = minPortable[T]
	s.expShifted = expShiftedPortable[T]
	s.sumExpShifted = sumExpShiftedPortable[T]
	s.accumulate = func(dst, x []T) {
		for i, v := range x {
			dst[i] += v
		}
	}
}
