package kernel

import "math"

// setPortableBinary fills in the functions of two operands.
func setPortableBinary[T Float](s *vecSet[T]) {
	s.binary = [numOps]func(dst, a, b []T){
		OpAdd: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = v + b[i]
			}
		},
		OpSub: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = v - b[i]
			}
		},
		OpMul: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = v * b[i]
			}
		},
		OpDiv: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = v / b[i]
			}
		},
		OpMax: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = max(v, b[i])
			}
		},
		OpMin: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = min(v, b[i])
			}
		},
		OpPow: func(dst, a, b []T) {
			for i, v := range a {
				dst[i] = T(math.Pow(float64(v), float64(b[i])))
			}
		},
	}
	s.scalar = [numOps]func(dst, a []T, s T){
		OpAdd: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = v + s
			}
		},
		OpSub: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = v - s
			}
		},
		OpMul: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = v * s
			}
		},
		OpDiv: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = v / s
			}
		},
		OpMax: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = max(v, s)
			}
		},
		OpMin: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = min(v, s)
			}
		},
		OpPow: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = T(math.Pow(float64(v), float64(s)))
			}
		},
	}
	s.rscalar = [numOps]func(dst, a []T, s T){
		OpAdd: s.scalar[OpAdd],
		OpMul: s.scalar[OpMul],
		OpMax: s.scalar[OpMax],
		OpMin: s.scalar[OpMin],
		OpSub: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = s - v
			}
		},
		OpDiv: rdivPortable[T],
		OpPow: func(dst, a []T, s T) {
			for i, v := range a {
				dst[i] = T(math.Pow(float64(s), float64(v)))
			}
		},
	}
}

func rdivPortable[T Float](dst, a []T, s T) {
	for i, v := range a {
		dst[i] = s / v
	}
}
