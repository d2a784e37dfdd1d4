package kernel

import "unsafe"

// multiplyPortable is the portable micro-kernel: tiles of two rows and four columns, whose eight sums, two elements of A and
// four of B fit in sixteen registers.
func multiplyPortable[T Float](g *Gemm[T]) {
	nr := panel[T]()
	if g.K == 0 {
		for i := range g.M {
			for j := 0; j < g.N; j += nr {
				g.store(i, j, make([]T, 16)[:min(nr, g.N-j)])
			}
		}
		return
	}
	for j := 0; j < g.N; j++ {
		b := g.B[j/nr*nr*g.BCol+j%nr:]
		wide := j%4 == 0 && g.N-j >= 4
		for i := 0; i < g.M; {
			a := g.A[i*g.ARow:]
			switch {
			case wide && g.M-i >= 2:
				x, y := tile2x4(&a[0], &b[0], g.K, g.ARow, g.ACol, g.BRow)
				g.store(i, j, x[:])
				g.store(i+1, j, y[:])
				i += 2
			case wide:
				x := tile1x4(&a[0], &b[0], g.K, g.ACol, g.BRow)
				g.store(i, j, x[:])
				i++
			default:
				var sum T
				for k := range g.K {
					sum += a[k*g.ACol] * b[k*g.BRow]
				}
				g.store(i, j, []T{sum})
				i++
			}
		}
		if wide {
			j += 3
		}
	}
}

// tile2x4 is the inner loop. The pointers stay within their slices: Gemm.check has seen the last elements.
func tile2x4[T Float](a, b *T, k, aRow, aCol, bRow int) (x, y [4]T) {
	size := unsafe.Sizeof(*a)
	pa, qa, pb := unsafe.Pointer(a), unsafe.Add(unsafe.Pointer(a), aRow*int(size)), unsafe.Pointer(b)
	da, db := aCol*int(size), bRow*int(size)
	var x0, x1, x2, x3, y0, y1, y2, y3 T
	for {
		b := (*[4]T)(pb)
		u, v := *(*T)(pa), *(*T)(qa)
		x0 += u * b[0]
		y0 += v * b[0]
		x1 += u * b[1]
		y1 += v * b[1]
		x2 += u * b[2]
		y2 += v * b[2]
		x3 += u * b[3]
		y3 += v * b[3]
		if k--; k == 0 {
			return [4]T{x0, x1, x2, x3}, [4]T{y0, y1, y2, y3}
		}
		pa, qa, pb = unsafe.Add(pa, da), unsafe.Add(qa, da), unsafe.Add(pb, db)
	}
}

func tile1x4[T Float](a, b *T, k, aCol, bRow int) (x [4]T) {
	size := unsafe.Sizeof(*a)
	pa, pb := unsafe.Pointer(a), unsafe.Pointer(b)
	da, db := aCol*int(size), bRow*int(size)
	var x0, x1, x2, x3 T
	for {
		b := (*[4]T)(pb)
		u := *(*T)(pa)
		x0 += u * b[0]
		x1 += u * b[1]
		x2 += u * b[2]
		x3 += u * b[3]
		if k--; k == 0 {
			return [4]T{x0, x1, x2, x3}
		}
		pa, pb = unsafe.Add(pa, da), unsafe.Add(pb, db)
	}
}

// store finishes the sums of row i from column j on and writes them to C.
func (g *Gemm[T]) store(i, j int, sums []T) {
	c := g.C[i*g.CRow+j:][:len(sums)]
	if g.Accumulate {
		for q, v := range c {
			sums[q] += v
		}
	}
	e := &g.Epilogue
	if e.Bias != nil {
		for q, v := range e.Bias[j:][:len(sums)] {
			sums[q] += v
		}
	}
	for q, v := range sums { // Act and Deriv are of those in registers
		switch {
		case e.Act == ActReLU && v <= 0:
			sums[q] = 0
		case e.Act == ActLeakyReLU && v <= 0:
			sums[q] *= e.Alpha
		}
		if e.Saved != nil && !(e.Saved[i*e.SavedRow+j+q] > 0) {
			switch e.Deriv {
			case ActReLU:
				sums[q] = 0
			case ActLeakyReLU:
				sums[q] *= e.Alpha
			}
		}
	}
	copy(c, sums)
}
