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
