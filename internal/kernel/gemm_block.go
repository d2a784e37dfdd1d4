package kernel

// region computes C's rows i0 ≤ i < i1, columns j0 ≤ j < j1. A region starts at multiples of the tile and panel sizes and
// ends at such or at C's edge.
func (g *Gemm[T]) region(p *plan, i0, i1, j0, j1 int) {
	if g.K <= 0 {
		g.empty(i0, i1, j0, j1)
		return
	}
	nr := panel[T]()
	var buf *packBuffer
	if p.packB {
		buf = takePackBuffer()
	}
	sub := *g
	sub.Packed = nil
	for k0 := 0; k0 < g.K; k0 += p.depth {
		depth := min(p.depth, g.K-k0)
		last := k0+depth == g.K
		sub.K = depth
		sub.Accumulate = g.Accumulate || k0 > 0
		for j := j0; j < j1; j += p.group {
			sub.N = min(p.group, j1-j)
			switch {
			case g.Packed != nil:
				sub.B, sub.BRow, sub.BCol = g.Packed.columns(j, k0), nr, g.K
			case p.packB:
				b := packed[T](buf)
				packPanels(b, g.B[k0*g.BRow+j*g.BCol:], g.BRow, g.BCol, depth, sub.N)
				sub.B, sub.BRow, sub.BCol = b, nr, depth
			default:
				sub.B = g.B[k0*g.BRow+j:]
			}
			for i := i0; i < i1; {
				rows := p.chunk
				if left := i1 - i; left < rows+4 { // no chunk of one to three rows: see rowTile
					rows = left
				}
				sub.M = rows
				sub.A = g.A[i*g.ARow+k0*g.ACol:]
				sub.C = g.C[i*g.CRow+j:]
				sub.slice(&g.Epilogue, i, j, last)
				multiply(&sub)
				if last && g.Epilogue.finishes() {
					g.finish(i, j, rows, sub.N, false)
				}
				i += rows
			}
		}
	}
	if buf != nil {
		giveBackPackBuffer(buf)
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
	g.finish(i0, j0, i1-i0, j1-j0, true)
}
