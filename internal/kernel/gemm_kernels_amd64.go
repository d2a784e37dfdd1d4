//go:build !noasm

package kernel

import "unsafe"

// multiply runs the micro-kernel in use on a block whose B is either contiguous along its rows (BCol = 1) or packed
// (BRow = panel, BCol = rows of a packed panel, so that in both cases panel q begins at q·panel·BCol). M, N and K are positive.
func multiply[T Float](g *Gemm[T]) {
	switch {
	case !accelerated:
		multiplyPortable(g)
	case unsafe.Sizeof(g.Epilogue.Alpha) == 4:
		gemmAVX2F32((*byte)(unsafe.Pointer(g)))
	default:
		gemmAVX2F64((*byte)(unsafe.Pointer(g)))
	}
}

// multiplyDots does a block of at most three rows of A with ACol = 1 and a B with BRow = 1, without an epilogue.
func multiplyDots[T Float](g *Gemm[T]) {
	if unsafe.Sizeof(g.Epilogue.Alpha) == 4 {
		dotsAVX2F32((*byte)(unsafe.Pointer(g)))
	} else {
		dotsAVX2F64((*byte)(unsafe.Pointer(g)))
	}
}

func bytes[T Float](s []T) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(s))) }

// copyPanel packs a full panel whose rows are contiguous, copyTwoPanels two of them side by side.
func copyPanel[T Float](dst, b []T, row int) {
	size := int(unsafe.Sizeof(b[0]))
	copyPanelAVX2(bytes(dst), bytes(b), row*size, len(dst)*size/64)
}

func copyTwoPanels[T Float](dst, b []T, row int) {
	size := int(unsafe.Sizeof(b[0]))
	copyPanelsAVX2(bytes(dst), bytes(b), row*size, len(dst)*size/128)
}

// transposePanel packs a panel of w columns that are contiguous and col apart.
func transposePanel[T Float](dst, b []T, col, w int) {
	nr := panel[T]()
	half, k := nr/2, len(dst)/nr
	full := k / half * half
	if full > 0 {
		transposeStrip(dst, nr, b, col, min(w, half), full)
		if w > half {
			transposeStrip(dst[half:], nr, b[half*col:], col, w-half, full)
		}
	}
	if w < nr { // the columns that are missing
		for i := range full {
			clear(dst[i*nr+w : (i+1)*nr])
		}
	}
	packPanel(dst, b, 1, col, w, full)
}

// transposeStrip sets dst[q*to+i] = src[i*col+q] for q < k, a positive multiple of a register's width, and i < w; up to the
// full width of a register it repeats the last column.
func transposeStrip[T Float](dst []T, to int, src []T, col, w, k int) {
	if size := int(unsafe.Sizeof(dst[0])); size == 4 {
		transposeAVX2F32(bytes(dst), 4*to, bytes(src), 4*col, w, k)
	} else {
		transposeAVX2F64(bytes(dst), 8*to, bytes(src), 8*col, w, k)
	}
}

// transposeRows lays out rows × k elements of A, contiguous in columns of stride col, by rows of stride to; rows of dst are
// at least k elements and a register's width long.
func transposeRows[T Float](dst []T, to int, a []T, col, rows, k int) {
	lanes := panel[T]() / 2
	full := rows / lanes * lanes
	if full > 0 {
		for q := 0; q < k; q += lanes {
			transposeStrip(dst[q:], to, a[q*col:], col, min(lanes, k-q), full)
		}
	}
	for i := full; i < rows; i++ {
		d := dst[i*to:][:k]
		for q := range d {
			d[q] = a[q*col+i]
		}
	}
}
