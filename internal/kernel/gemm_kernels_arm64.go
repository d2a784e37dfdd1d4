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

func multiplyDots[T Float](g *Gemm[T]) { multiplyDotsPortable(g) }

// narrowDotRows is maxDotRows: no more than nothing else is made for, without assembly.
const narrowDotRows = 3

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
