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
