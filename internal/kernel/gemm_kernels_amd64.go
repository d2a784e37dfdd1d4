//go:build !noasm

package kernel

import "unsafe"

// multiply runs the micro-kernel in use on a block whose B is either contiguous along its rows (BCol = 1) or packed
// (BRow = panel, BCol = rows of a packed panel, so that in both cases panel q begins at q·panel·BCol). M, N and K are positive.
func multiply[T Float](g *Gemm[T]) {
	single := unsafe.Sizeof(g.Epilogue.Alpha) == 4
	switch {
	case !accelerated:
		multiplyPortable(g)
	case wide && single:
		gemmAVX512F32((*byte)(unsafe.Pointer(g)))
	case wide:
		gemmAVX512F64((*byte)(unsafe.Pointer(g)))
	case single:
		gemmAVX2F32((*byte)(unsafe.Pointer(g)))
	default:
		gemmAVX2F64((*byte)(unsafe.Pointer(g)))
	}
}

// multiplyDots does a block of at most three rows of A with ACol = 1 and a B with BRow = 1, without an epilogue.
func multiplyDots[T Float](g *Gemm[T]) {
	single := unsafe.Sizeof(g.Epilogue.Alpha) == 4
	switch {
	case !accelerated:
		multiplyDotsPortable(g)
	case wide && single:
		dotsAVX512F32((*byte)(unsafe.Pointer(g)))
	case wide:
		dotsAVX512F64((*byte)(unsafe.Pointer(g)))
	case single:
		dotsAVX2F32((*byte)(unsafe.Pointer(g)))
	default:
		dotsAVX2F64((*byte)(unsafe.Pointer(g)))
	}
}

// narrowDotRows is maxDotRows for the narrow kernels.
const narrowDotRows = 40

func bytes[T Float](s []T) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(s))) }

// copyPanels packs full panels whose rows are contiguous, as many of them as go side by side, at most n, and says how many.
func copyPanels[T Float](dst, b []T, row, k, n int) int {
	size := int(unsafe.Sizeof(b[0]))
	switch {
	case wide:
		if n >= 4 {
			n = 4
		} else {
			n = min(n, 2)
		}
		copyPanelsAVX512(bytes(dst), bytes(b), row*size, k, n)
		return n
	case n >= 2:
		copyPanelsAVX2(bytes(dst), bytes(b), row*size, k)
		return 2
	}
	copyPanelAVX2(bytes(dst), bytes(b), row*size, k)
	return 1
}

// transposePanel packs a panel of w columns that are contiguous and col apart.
func transposePanel[T Float](dst, b []T, col, w int) {
	nr := panel[T]()
	lanes, k := transposeLanes[T](), len(dst)/nr
	if wide {
		transposeStrip(dst, nr, b, col, w, k)
		return
	}
	full := k / lanes * lanes
	if full > 0 {
		for at := 0; at < w; at += lanes {
			transposeStrip(dst[at:], nr, b[at*col:], col, min(w-at, lanes), full)
			if full < k { // the last square again, a little further on
				transposeStrip(dst[(k-lanes)*nr+at:], nr, b[at*col+k-lanes:], col, min(w-at, lanes), lanes)
			}
		}
		full = k
	}
	if w < nr { // the columns that are missing
		for i := range full {
			clear(dst[i*nr+w : (i+1)*nr])
		}
	}
	packPanel(dst, b, 1, col, w, full)
}

// transposeLanes is the side of the squares in which the kernels transpose.
func transposeLanes[T Float]() int {
	if wide {
		return panel[T]()
	}
	return panel[T]() / 2
}

// transposeStrip sets dst[q*to+i] = src[i*col+q] for q < k and i < w, both positive; the elements i up to transposeLanes it sets to
// anything. The narrow kernels take multiples of transposeLanes as k.
func transposeStrip[T Float](dst []T, to int, src []T, col, w, k int) {
	switch size := int(unsafe.Sizeof(dst[0])); {
	case wide && size == 4:
		transposeAVX512F32(bytes(dst), 4*to, bytes(src), 4*col, w, k)
	case wide:
		transposeAVX512F64(bytes(dst), 8*to, bytes(src), 8*col, w, k)
	case size == 4:
		transposeAVX2F32(bytes(dst), 4*to, bytes(src), 4*col, w, k)
	default:
		transposeAVX2F64(bytes(dst), 8*to, bytes(src), 8*col, w, k)
	}
}

// transposeRows lays out rows × k elements of A, contiguous in columns of stride col, by rows of stride to; rows of dst are
// at least k elements long, and a multiple of transposeLanes.
func transposeRows[T Float](dst []T, to int, a []T, col, rows, k int) {
	lanes := transposeLanes[T]()
	full := rows / lanes * lanes
	if full > 0 {
		for q := 0; q < k; q += lanes {
			transposeStrip(dst[q:], to, a[q*col:], col, min(lanes, k-q), full)
			if full < rows { // the last square again, a little further on
				transposeStrip(dst[(rows-lanes)*to+q:], to, a[q*col+rows-lanes:], col, min(lanes, k-q), lanes)
			}
		}
		full = rows
	}
	for i := full; i < rows; i++ {
		d := dst[i*to:][:k]
		for q := range d {
			d[q] = a[q*col+i]
		}
	}
}
