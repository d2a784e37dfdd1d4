// A tile of up to six rows of C = A·B, as gemm_arm64.go says; R0 points to the tileNEON. T and DOUBLE name the element type.
//
//	R1 A's step along k   R2 B    R3 B's step along k    R4 what is left of k    R5 rows    R8…R13 where each row is
//	V0…V23 sums, four registers a row    V24…V27 a row of B, C, the bias or the saved values    V28 an element of A
//	V30 α    V31 the mask of LEAK and SLOPE
//
// Each k is one fused multiply-add for each element, in ascending order, so an element's sum does not depend on the tile it
// is in. V28 takes A's elements in turn: the processor renames it.

	MOVD tileNEON_rows(R0), R5
	MOVD tileNEON_a(R0), R8
	MOVD tileNEON_aRow(R0), R6
	ROWS(R6)
	MOVD tileNEON_aCol(R0), R1
	MOVD tileNEON_b(R0), R2
	MOVD tileNEON_bRow(R0), R3
	MOVD tileNEON_k(R0), R4
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	MOVD tileNEON_width(R0), R7
	CMP  $const_oneColumn, R7
	BEQ  column
	CMP  $const_oneVector, R7
	BEQ  vector
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	VEOR V8.B16, V8.B16, V8.B16
	VEOR V9.B16, V9.B16, V9.B16
	VEOR V10.B16, V10.B16, V10.B16
	VEOR V11.B16, V11.B16, V11.B16
	VEOR V12.B16, V12.B16, V12.B16
	VEOR V13.B16, V13.B16, V13.B16
	VEOR V14.B16, V14.B16, V14.B16
	VEOR V15.B16, V15.B16, V15.B16
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V23.B16, V23.B16, V23.B16
	CMP  $5, R5
	BHI  rows6
	BEQ  rows5
	CMP  $3, R5
	BHI  rows4
	BEQ  rows3
	CMP  $1, R5
	BHI  rows2

rows1:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	SUBS $1, R4
	BNE  rows1
	B    finish

rows2:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	TIMES(R9, V4, V5, V6, V7)
	SUBS $1, R4
	BNE  rows2
	B    finish

rows3:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	TIMES(R9, V4, V5, V6, V7)
	TIMES(R10, V8, V9, V10, V11)
	SUBS $1, R4
	BNE  rows3
	B    finish

rows4:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	TIMES(R9, V4, V5, V6, V7)
	TIMES(R10, V8, V9, V10, V11)
	TIMES(R11, V12, V13, V14, V15)
	SUBS $1, R4
	BNE  rows4
	B    finish

rows5:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	TIMES(R9, V4, V5, V6, V7)
	TIMES(R10, V8, V9, V10, V11)
	TIMES(R11, V12, V13, V14, V15)
	TIMES(R12, V16, V17, V18, V19)
	SUBS $1, R4
	BNE  rows5
	B    finish

rows6:
	COLUMNS
	TIMES(R8, V0, V1, V2, V3)
	TIMES(R9, V4, V5, V6, V7)
	TIMES(R10, V8, V9, V10, V11)
	TIMES(R11, V12, V13, V14, V15)
	TIMES(R12, V16, V17, V18, V19)
	TIMES(R13, V20, V21, V22, V23)
	SUBS $1, R4
	BNE  rows6

finish: // all six rows, though some may be missing: their sums are 0 and go nowhere
	MOVD tileNEON_c(R0), R8
	MOVD tileNEON_cRow(R0), R6
	MOVD tileNEON_accumulate(R0), R7
	CBZ  R7, bias
	ROWS(R6)
	PLUS(R8, 0)
	PLUS(R9, 4)
	PLUS(R10, 8)
	PLUS(R11, 12)
	PLUS(R12, 16)
	PLUS(R13, 20)

bias:
	MOVD tileNEON_bias(R0), R7
	CBZ  R7, act
	VLD1 (R7), [V24.T, V25.T, V26.T, V27.T]
	PLUSBIAS(0)
	PLUSBIAS(4)
	PLUSBIAS(8)
	PLUSBIAS(12)
	PLUSBIAS(16)
	PLUSBIAS(20)

act:
	MOVD tileNEON_act(R0), R4
	CBZ  R4, saved
	ALPHA(R4)
	LEAKROW(0, V0, V1, V2, V3)
	LEAKROW(4, V4, V5, V6, V7)
	LEAKROW(8, V8, V9, V10, V11)
	LEAKROW(12, V12, V13, V14, V15)
	LEAKROW(16, V16, V17, V18, V19)
	LEAKROW(20, V20, V21, V22, V23)

saved:
	MOVD tileNEON_deriv(R0), R4
	CBZ  R4, write
	ALPHA(R4)
	MOVD tileNEON_saved(R0), R8
	MOVD tileNEON_savedRow(R0), R6
	ROWS(R6)
	SLOPEROW(R8, 0, V0, V1, V2, V3)
	SLOPEROW(R9, 4, V4, V5, V6, V7)
	SLOPEROW(R10, 8, V8, V9, V10, V11)
	SLOPEROW(R11, 12, V12, V13, V14, V15)
	SLOPEROW(R12, 16, V16, V17, V18, V19)
	SLOPEROW(R13, 20, V20, V21, V22, V23)

write:
	MOVD tileNEON_c(R0), R8
	MOVD tileNEON_cRow(R0), R1
	STORE(V0, V1, V2, V3)
	STORE(V4, V5, V6, V7)
	STORE(V8, V9, V10, V11)
	STORE(V12, V13, V14, V15)
	STORE(V16, V17, V18, V19)
	STORE(V20, V21, V22, V23)

column: // one column of B, in every lane
	VLD1R.P (R2)(R3), [V24.T]
	TIMES1(R8, V0)
	TIMES1(R9, V1)
	TIMES1(R10, V2)
	TIMES1(R11, V3)
	TIMES1(R12, V4)
	TIMES1(R13, V5)
	SUBS $1, R4
	BNE  column
	B    write1

vector: // as many columns as a vector has lanes
	VLD1.P (R2)(R3), [V24.T]
	TIMES1(R8, V0)
	TIMES1(R9, V1)
	TIMES1(R10, V2)
	TIMES1(R11, V3)
	TIMES1(R12, V4)
	TIMES1(R13, V5)
	SUBS $1, R4
	BNE  vector

write1:
	MOVD tileNEON_c(R0), R8
	MOVD tileNEON_cRow(R0), R1
	STORE1(V0)
	STORE1(V1)
	STORE1(V2)
	STORE1(V3)
	STORE1(V4)
	STORE1(V5)

done:
	RET
