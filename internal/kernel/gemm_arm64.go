//go:build !noasm

package kernel

import "unsafe"

// tileNEON is what an arm64 micro-kernel is to do: one tile of up to tileRows rows and one panel of columns,
//
//	c = act(A·B [+ c] [+ bias]) ⊙ act′(saved)
//
// with identity, relu and leaky relu, as Gemm.store has it. Strides are in bytes and not negative, nothing needs to be
// aligned, rows is 1…tileRows and k ≥ 1. Only the elements of A, B, bias, saved and c that the tile has are read and only
// those of c are written, after all else of the tile has been read: saved may be c.
type tileNEON struct {
	a          unsafe.Pointer // (i,k) at a + i·aRow + k·aCol
	aRow, aCol int
	b          unsafe.Pointer // row k's elements one after the other from b + k·bRow on
	bRow       int
	k, rows    int
	// width is one of those below. In the narrow ones there is no epilogue, and each row of c gets 16 bytes: the caller
	// gives it a buffer.
	width      int
	c          unsafe.Pointer // (i,j) at c + i·cRow, elements one after the other
	cRow       int
	accumulate int            // 1 adds what is in c, 0 does not
	bias       unsafe.Pointer // or nil
	act, deriv int            // ActIdentity, ActReLU or ActLeakyReLU
	alpha      unsafe.Pointer // to one element
	saved      unsafe.Pointer // like c, unless deriv is ActIdentity
	savedRow   int
}

// The widths of a tile.
const (
	onePanel  = iota // 64 bytes of columns, each row of B whole
	oneVector        // 16 bytes of columns
	oneColumn        // one column, its sum repeated to 16 bytes
)

// gemmTileNEONF32 does a tile of float32.
//
//go:noescape
func gemmTileNEONF32(t *tileNEON)

// gemmTileNEONF64 does a tile of float64.
//
//go:noescape
func gemmTileNEONF64(t *tileNEON)

func (t *tileNEON) run(size int) {
	if size == 4 {
		gemmTileNEONF32(t)
	} else {
		gemmTileNEONF64(t)
	}
}

// multiplyNEON is the micro-kernel for a block: see multiply. Full panels are finished in registers. The last columns, and
// a block whose result is stored transposed, go through a buffer of sums and Gemm.store; an element's bits are the same
// either way.
func multiplyNEON[T Float](g *Gemm[T]) {
	if g.K == 0 {
		multiplyPortable(g)
		return
	}
	nr := panel[T]()
	size, lanes := 64/nr, nr/4
	packed := g.BCol != 1
	stride := nr + lanes            // of the buffer: the last column's vector reaches beyond the panel
	var sums [tileRows * (16 + 4)]T // for either type
	e := &g.Epilogue

	t := tileNEON{aRow: g.ARow * size, aCol: g.ACol * size, bRow: g.BRow * size, k: g.K, alpha: unsafe.Pointer(&e.Alpha)}
	for j := 0; j < g.N; j += nr {
		w := min(nr, g.N-j)
		b := g.B[j*g.BCol:]
		for i := 0; i < g.M; i += t.rows {
			t.rows = rowTile(g.M - i)
			t.a = unsafe.Pointer(&g.A[i*g.ARow])
			t.b = unsafe.Pointer(&b[0])
			t.width = onePanel
			if w == nr && !g.transposed {
				t.c, t.cRow = unsafe.Pointer(&g.C[i*g.CRow+j]), g.CRow*size
				t.accumulate = 0
				if g.Accumulate {
					t.accumulate = 1
				}
				if e.Bias != nil {
					t.bias = unsafe.Pointer(&e.Bias[j])
				}
				t.act, t.deriv = int(e.Act), int(ActIdentity)
				if e.Saved != nil {
					t.deriv, t.saved, t.savedRow = int(e.Deriv), unsafe.Pointer(&e.Saved[i*e.SavedRow+j]), e.SavedRow*size
				}
				t.run(size)
				continue
			}

			t.c, t.cRow = unsafe.Pointer(&sums), stride*size
			t.accumulate, t.bias, t.act, t.deriv = 0, nil, 0, 0
			if w == nr || packed { // a packed panel is whole: zeros fill it up
				t.run(size)
			} else {
				for q := 0; q < w; {
					t.b, t.c = unsafe.Pointer(&b[q]), unsafe.Pointer(&sums[q])
					if w-q >= lanes {
						t.width = oneVector
						q += lanes
					} else {
						t.width = oneColumn
						q++
					}
					t.run(size)
				}
			}
			for y := range t.rows {
				row := sums[y*stride:][:w]
				if g.transposed {
					g.scatter(i+y, j, row)
				} else {
					g.store(i+y, j, row)
				}
			}
		}
	}
}

// scatter writes sums to row i of a C that is stored transposed, from column j on.
func (g *Gemm[T]) scatter(i, j int, sums []T) {
	for q, v := range sums {
		at := (j+q)*g.CRow + i
		if g.Accumulate {
			v += g.C[at]
		}
		g.C[at] = v
	}
}
