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

// Packing has no assembly here.

// copyPanel packs a full panel whose rows are contiguous, copyTwoPanels two of them side by side.
func copyPanel[T Float](dst, b []T, row int) { packPanel(dst, b, row, 1, panel[T](), 0) }

func copyTwoPanels[T Float](dst, b []T, row int) {
	half := len(dst) / 2
	copyPanel(dst[:half], b, row)
	copyPanel(dst[half:], b[panel[T]():], row)
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
