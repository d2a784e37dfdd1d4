//go:build !noasm

package kernel

// multiply runs the micro-kernel in use on a block whose B is either contiguous along its rows (BCol = 1) or packed
// (BRow = panel, BCol = rows of a packed panel, so that in both cases panel q begins at q·panel·BCol). M, N and K are positive.
func multiply[T Float](g *Gemm[T]) {
	if accelerated {
		multiplyNEON(g)
	} else {
		multiplyPortable(g)
	}
}

// Dot products and packing have no assembly here.

// multiplyDots does a block of at most three rows of A with ACol = 1 and a B with BRow = 1, without an epilogue: four columns
// at a time, so that one sum need not wait for the other. An element is the sum in ascending k wherever the block begins.
func multiplyDots[T Float](g *Gemm[T]) {
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

// narrowDotRows is maxDotRows: no more than nothing else is made for, without assembly.
const narrowDotRows = 3

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

// copyPanels packs full panels whose rows are contiguous, as many of them as go side by side, at most n, and says how many.
func copyPanels[T Float](dst, b []T, row, k, n int) int {
	packPanel(dst[:k*panel[T]()], b, row, 1, panel[T](), 0)
	return 1
}

// transposePanel packs a panel of w columns that are contiguous and col apart.
func transposePanel[T Float](dst, b []T, col, w int) { packPanel(dst, b, 1, col, w, 0) }

// transposeRows lays out rows × k elements of A, contiguous in columns of stride col, by rows of stride to.
func transposeRows[T Float](dst []T, to int, a []T, col, rows, k int) {
	for i := range rows {
		d := dst[i*to:][:k]
		for q := range d {
			d[q] = a[q*col+i]
		}
	}
}

// rowTile is the height of the next tile when left rows are left: six, but the last seven, eight or nine are cut evenly,
// because tiles of one or two rows use half the multipliers. A chunk that starts at a multiple of six and ends with the
// matrix is cut like the whole matrix as long as it has at least four rows.
func rowTile(left int) int {
	if left > 9 || left == tileRows {
		return tileRows
	}
	if left > tileRows {
		return (left + 1) / 2
	}
	return left
}
