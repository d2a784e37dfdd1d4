//go:build !noasm

// The micro-kernels of arm64, written by hand in Go's assembler: avo, which writes those of amd64, knows no arm64. Both are
// the text of gemm_tile_arm64.h, which says what they do, with the vectors' element in place of T.

#include "textflag.h"
#include "go_asm.h"
#include "gemm_macros_arm64.h"

#define T S4
#define DOUBLE 0

// func gemmTileNEONF32(t *tileNEON)
TEXT ·gemmTileNEONF32(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
#include "gemm_tile_arm64.h"

#undef T
#undef DOUBLE
#define T D2
#define DOUBLE 0x00400000

// func gemmTileNEONF64(t *tileNEON)
TEXT ·gemmTileNEONF64(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
#include "gemm_tile_arm64.h"
