//go:build !(amd64 || arm64) || noasm

package kernel

// multiply runs the micro-kernel on a block whose B is either contiguous along its rows (BCol = 1) or packed (BRow = panel,
// BCol = rows of a packed panel, so that in both cases panel q begins at q·panel·BCol). M, N and K are positive.
func multiply[T Float](g *Gemm[T]) { multiplyPortable(g) }

const narrowDotRows = 0

func multiplyDots[T Float](g *Gemm[T]) { multiplyDotsPortable(g) }

// There is no portable form of these: nothing calls them unless accelerated.
func copyPanels[T Float](dst, b []T, row, k, n int) int               { return 1 }
func transposePanel[T Float](dst, b []T, col, w int)                  {}
func transposeRows[T Float](dst []T, to int, a []T, col, rows, k int) {}
