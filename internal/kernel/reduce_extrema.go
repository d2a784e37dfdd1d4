package kernel

import "math"

// MaxValue returns the largest element, NaN if one is NaN, −Inf for an empty slice. It is exact, so any split of the
// slice gives the same answer (but for the sign of a zero).
func MaxValue[T Float](x []T) T {
	f := vec[T]().maxValue
	m := f(x[:min(len(x), maxSpan)])
	for len(x) > maxSpan {
		x = x[maxSpan:]
		m = max(m, f(x[:min(len(x), maxSpan)]))
	}
	return m
}

// MinValue returns the smallest element, NaN if one is NaN, +Inf for an empty slice.
func MinValue[T Float](x []T) T {
	f := vec[T]().minValue
	m := f(x[:min(len(x), maxSpan)])
	for len(x) > maxSpan {
		x = x[maxSpan:]
		m = min(m, f(x[:min(len(x), maxSpan)]))
	}
	return m
}

// ArgMax returns the index of the first largest element; a NaN counts as larger than all else, so the first NaN wins.
// It is −1 for an empty slice.
func ArgMax[T Float](x []T) int { return indexOf(x, MaxValue(x)) }

// ArgMin returns the index of the first smallest element; the first NaN wins. It is −1 for an empty slice.
func ArgMin[T Float](x []T) int { return indexOf(x, MinValue(x)) }

// indexOf returns the first index of v in x, where any NaN matches NaN.
func indexOf[T Float](x []T, v T) int {
	if v != v {
		for i, u := range x {
			if u != u {
				return i
			}
		}
		return -1
	}
	for i, u := range x {
		if u == v {
			return i
		}
	}
	return -1
}

func maxPortable[T Float](x []T) T {
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func minPortable[T Float](x []T) T {
	m := T(math.Inf(1))
	for _, v := range x {
		m = min(m, v)
	}
	return m
}
