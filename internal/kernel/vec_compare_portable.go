package kernel

// setPortableCompare fills in the comparisons and the selections.
func setPortableCompare[T Float](s *vecSet[T]) {
	s.compare = [numOps]func(dst []bool, a, b []T){
		OpLess: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v < b[i]
			}
		},
		OpLessEqual: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v <= b[i]
			}
		},
		OpEqual: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v == b[i]
			}
		},
		OpNotEqual: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v != b[i]
			}
		},
		OpGreater: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v > b[i]
			}
		},
		OpGreaterEqual: func(dst []bool, a, b []T) {
			for i, v := range a {
				dst[i] = v >= b[i]
			}
		},
	}
	s.cscalar = [numOps]func(dst []bool, a []T, s T){
		OpLess: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v < s
			}
		},
		OpLessEqual: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v <= s
			}
		},
		OpEqual: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v == s
			}
		},
		OpNotEqual: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v != s
			}
		},
		OpGreater: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v > s
			}
		},
		OpGreaterEqual: func(dst []bool, a []T, s T) {
			for i, v := range a {
				dst[i] = v >= s
			}
		},
	}
	for op := OpLess; op <= OpGreaterEqual; op++ {
		s.truth[op] = truthPortable[T](op)
		s.struth[op] = scalarTruthPortable[T](op)
	}
	s.selects = func(dst []T, cond []bool, a, b []T) {
		for i, c := range cond {
			if c {
				dst[i] = a[i]
			} else {
				dst[i] = b[i]
			}
		}
	}
	s.selectValues = func(dst, cond, a, b []T) {
		for i, c := range cond {
			if c != 0 {
				dst[i] = a[i]
			} else {
				dst[i] = b[i]
			}
		}
	}
}

// truthPortable is the comparison op with 1 for true and 0 for false.
func truthPortable[T Float](op Op) func(dst, a, b []T) {
	return func(dst, a, b []T) {
		for i, v := range a {
			dst[i] = truth[T](op, v, b[i])
		}
	}
}

func scalarTruthPortable[T Float](op Op) func(dst, a []T, s T) {
	return func(dst, a []T, s T) {
		for i, v := range a {
			dst[i] = truth[T](op, v, s)
		}
	}
}

func truth[T Float](op Op, a, b T) T {
	var holds bool
	switch op {
	case OpLess:
		holds = a < b
	case OpLessEqual:
		holds = a <= b
	case OpEqual:
		holds = a == b
	case OpNotEqual:
		holds = a != b
	case OpGreater:
		holds = a > b
	case OpGreaterEqual:
		holds = a >= b
	}
	if holds {
		return 1
	}
	return 0
}
