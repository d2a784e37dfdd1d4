package kernel

// region computes C's rows i0 ≤ i < i1, columns j0 ≤ j < j1. A region starts at multiples of the tile and panel sizes and
// ends at such or at C's edge.
func (g *Gemm[T]) region(p *plan, i0, i1, j0, j1 int) {
	var buf *packBuffer
	if p.packB || p.packA || p.swap {
		buf = takePackBuffer()
	}
	k0 := 0
	if g.K <= 0 {
		g.empty(i0, i1, j0, j1)
	} else if p.dots {
		g.dots(i0, i1, j0, j1)
		k0 = g.K
	}
	for ; k0 < g.K; k0 += p.depth {
		k1 := min(k0+p.depth, g.K)
		if p.swap {
			g.swapped(p, buf, i0, i1, j0, j1, k0, k1)
			continue
		}
		for i := i0; i < i1; {
			end := i1
			if p.packA {
				end = cutRows(i, i1, p.block)
			}
			g.straight(p, buf, i, end, j0, j1, k0, k1)
			i = end
		}
	}
	if buf != nil {
		giveBackPackBuffer(buf)
	}
}

// cutRows is the end of a piece of at most n rows from row i on. If n is a multiple of tileRows it leaves no last piece of one to
// three rows. The micro-kernels cut rows into tiles of six, but the last seven, eight or nine into two tiles of about the
// same height, so only a piece that short would be tiled, and its sums ordered, otherwise than as the end of a larger one.
func cutRows(i, end, n int) int {
	if n < tileRows {
		return min(i+n, end)
	}
	if end-i < n+4 {
		return end
	}
	return i + n
}

// straight adds the products of columns k0 ≤ k < k1 of A to a region, and does the epilogue with the last of them.
func (g *Gemm[T]) straight(p *plan, buf *packBuffer, i0, i1, j0, j1, k0, k1 int) {
	nr := panel[T]()
	sub := *g
	sub.Packed = nil
	sub.K = k1 - k0
	sub.Accumulate = g.Accumulate || k0 > 0
	last := k1 == g.K
	a := g.A[i0*g.ARow+k0*g.ACol:]
	if p.packA {
		sub.ARow, sub.ACol = p.rowStride, 1
		block := rows[T](buf)
		transposeRows(block, p.rowStride, a, g.ACol, i1-i0, sub.K)
		a = block
	}
	for j := j0; j < j1; j += p.group {
		sub.N = min(p.group, j1-j)
		switch {
		case g.Packed != nil:
			sub.B, sub.BRow, sub.BCol = g.Packed.columns(j, k0), nr, g.K
		case p.packB:
			b := panels[T](buf)
			packPanels(b, g.B[k0*g.BRow+j*g.BCol:], g.BRow, g.BCol, sub.K, sub.N)
			sub.B, sub.BRow, sub.BCol = b, nr, sub.K
			if g.BCol == 1 {
				sub.aheadRow = g.BRow
				switch {
				case j+p.group < j1:
					sub.ahead = &g.B[k0*g.BRow+j+p.group]
				case !last:
					sub.ahead = &g.B[k1*g.BRow+j0]
				}
			}
		default:
			sub.B = g.B[k0*g.BRow+j:]
		}
		for i := i0; i < i1; {
			end := cutRows(i, i1, p.chunk)
			sub.M = end - i
			sub.A = a[(i-i0)*sub.ARow:]
			sub.C = g.C[i*g.CRow+j:]
			sub.slice(&g.Epilogue, i, j, last)
			multiply(&sub)
			if last && g.Epilogue.finishes() {
				g.finish(i, j, sub.M, sub.N)
			}
			sub.ahead = nil // the first rows have asked for all
			i = end
		}
	}
}

// swapped does the same as Cᵀ = Bᵀ·Aᵀ: where B's columns are contiguous and A is the smaller operand, it is A that is
// transposed and packed, and B that is broadcast where it lies.
func (g *Gemm[T]) swapped(p *plan, buf *packBuffer, i0, i1, j0, j1, k0, k1 int) {
	sub := *g
	sub.Packed, sub.Epilogue = nil, Epilogue[T]{}
	sub.K = k1 - k0
	sub.Accumulate = g.Accumulate || k0 > 0
	sub.transposed = true
	sub.ARow, sub.ACol, sub.BRow, sub.BCol = g.BCol, g.BRow, panel[T](), sub.K
	sub.B = panels[T](buf)
	for i := i0; i < i1; i += p.group {
		sub.N = min(p.group, i1-i)
		packPanels(sub.B, g.A[i*g.ARow+k0*g.ACol:], g.ACol, g.ARow, sub.K, sub.N)
		for j := j0; j < j1; {
			end := cutRows(j, j1, p.chunk)
			sub.M = end - j
			sub.A = g.B[j*g.BCol+k0*g.BRow:]
			sub.C = g.C[i*g.CRow+j:]
			multiply(&sub)
			if k1 == g.K {
				g.epilogue(i, j, sub.N, sub.M)
			}
			j = end
		}
	}
}

// dots computes a region as dot products, of three rows of A and some columns of B at a time: assembly cannot be preempted.
func (g *Gemm[T]) dots(i0, i1, j0, j1 int) {
	const at = 1 << 18
	sub := *g
	if g.N > 1 {
		for step, j := max(at/(g.M*g.K), 16), j0; j < j1; j += step {
			sub.N = min(step, j1-j)
			sub.B = g.B[j*g.BCol:]
			for i := i0; i < i1; i += sub.M {
				sub.M = min(3, i1-i)
				sub.A, sub.C = g.A[i*g.ARow:], g.C[i*g.CRow+j:]
				multiplyDots(&sub)
			}
		}
	} else { // a column of A's rows times B: as a row, Cᵀ = Bᵀ·Aᵀ
		sub.M = 1
		sub.A, sub.ARow = g.B, 0
		sub.BRow, sub.BCol = 1, g.ARow
		for step, i := max(at/g.K, 1), i0; i < i1; i += step {
			sub.N = min(step, i1-i)
			sub.B, sub.C = g.A[i*g.ARow:], g.C[i:]
			multiplyDots(&sub)
		}
	}
	g.epilogue(i0, j0, i1-i0, j1-j0)
}

// epilogue does the whole epilogue on sums that are already in C.
func (g *Gemm[T]) epilogue(i, j, rows, cols int) {
	if e := &g.Epilogue; e.Bias != nil || e.inRegisters() && (e.Act != ActIdentity || e.Saved != nil) {
		sub := *g
		sub.M, sub.N, sub.K = rows, cols, 0
		sub.Accumulate = true
		sub.C = g.C[i*g.CRow+j:]
		sub.slice(e, i, j, true)
		multiply(&sub)
	}
	if g.Epilogue.finishes() {
		g.finish(i, j, rows, cols)
	}
}

// slice sets the epilogue of g, a block from row i and column j on, to the part of e that a micro-kernel does; only the
// last depth block has one.
func (g *Gemm[T]) slice(e *Epilogue[T], i, j int, last bool) {
	s := &g.Epilogue
	s.Act, s.Bias, s.Saved = ActIdentity, nil, nil
	if !last {
		return
	}
	if e.Bias != nil {
		s.Bias = e.Bias[j:]
	}
	if e.inRegisters() {
		s.Act = e.Act
		if e.Saved != nil {
			s.Saved = e.Saved[i*e.SavedRow+j:]
		}
	}
}

// empty is the product with K = 0.
func (g *Gemm[T]) empty(i0, i1, j0, j1 int) {
	if !g.Accumulate {
		for i := i0; i < i1; i++ {
			clear(g.C[i*g.CRow+j0 : i*g.CRow+j1])
		}
	}
	g.epilogue(i0, j0, i1-i0, j1-j0)
}
