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
	if e := &g.Epilogue; g.K == 1 && g.BCol == 1 && e.Bias == nil && e.Act == ActIdentity && e.Saved == nil {
		g.outerPortable()
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

// outerPortable is the product with K = 1: rows of C are multiples of B's one.
func (g *Gemm[T]) outerPortable() {
	for i := range g.M {
		a, c := g.A[i*g.ARow], g.C[i*g.CRow:][:g.N]
		b := g.B[:len(c)]
		if g.Accumulate {
			for j, x := range b {
				c[j] += a * x
			}
		} else {
			for j, x := range b {
				c[j] = a * x
			}
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
	if e.Act == ActIdentity && e.Saved == nil {
		copy(c, sums)
		return
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

// multiplyDotsPortable does a block of A with ACol = 1 and a B with BRow = 1, without an epilogue: four columns
// at a time, so that one sum need not wait for the other. An element is the sum in ascending k wherever the block begins.
func multiplyDotsPortable[T Float](g *Gemm[T]) {
	for i := range g.M {
		a := g.A[i*g.ARow:][:g.K]
		for j := 0; j < g.N; {
			var sums [4]T
			n := 1
			b := g.B[j*g.BCol:]
			if g.N-j >= 4 {
				n = 4
				sums = dots4(a, b[:g.K], b[g.BCol:][:g.K], b[2*g.BCol:][:g.K], b[3*g.BCol:][:g.K])
			} else {
				b = b[:len(a)]
				for k, x := range a {
					sums[0] += x * b[k]
				}
			}
			c := g.C[i*g.CRow+j:][:n]
			for q := range c {
				if g.Accumulate {
					c[q] += sums[q]
				} else {
					c[q] = sums[q]
				}
			}
			j += n
		}
	}
}

func dots4[T Float](a, b0, b1, b2, b3 []T) [4]T {
	b0, b1, b2, b3 = b0[:len(a)], b1[:len(a)], b2[:len(a)], b3[:len(a)]
	var s0, s1, s2, s3 T
	for k, x := range a {
		s0 += x * b0[k]
		s1 += x * b1[k]
		s2 += x * b2[k]
		s3 += x * b3[k]
	}
	return [4]T{s0, s1, s2, s3}
}
