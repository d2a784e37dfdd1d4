// The macros of gemm_tile_arm64.h.

// Instructions on floating-point vectors that Go's assembler has no name for, by register number, destination last; DOUBLE
// is the bit that makes them work on float64.
#define VFADD(m, n, d) WORD $(0x4E20D400 | DOUBLE | (m)<<16 | (n)<<5 | (d)) // Vd = Vn + Vm
#define VFMUL(m, n, d) WORD $(0x6E20DC00 | DOUBLE | (m)<<16 | (n)<<5 | (d)) // Vd = Vn · Vm
#define VPOSITIVE(n, d) WORD $(0x4EA0C800 | DOUBLE | (n)<<5 | (d)) // FCMGT: Vd = Vn > 0, all bits set where it holds
#define VNOTABOVE(n, d) WORD $(0x6EA0D800 | DOUBLE | (n)<<5 | (d)) // FCMLE: Vd = Vn ≤ 0

// ROWS sets R8…R13 to the beginnings of six rows from R8, stride bytes apart; rows that the tile lacks repeat its last.
#define ROWS(stride) \
	CMP  $1, R5; \
	CSEL HI, stride, ZR, R7; \
	ADD  R7, R8, R9; \
	CMP  $2, R5; \
	CSEL HI, stride, ZR, R7; \
	ADD  R7, R9, R10; \
	CMP  $3, R5; \
	CSEL HI, stride, ZR, R7; \
	ADD  R7, R10, R11; \
	CMP  $4, R5; \
	CSEL HI, stride, ZR, R7; \
	ADD  R7, R11, R12; \
	CMP  $5, R5; \
	CSEL HI, stride, ZR, R7; \
	ADD  R7, R12, R13

// COLUMNS takes the next row of a full panel of B.
#define COLUMNS VLD1.P (R2)(R3), [V24.T, V25.T, V26.T, V27.T]

// TIMES adds the next element of a row of A times the panel's row to that row's sums.
#define TIMES(at, c0, c1, c2, c3) \
	VLD1R.P (at)(R1), [V28.T]; \
	VFMLA   V24.T, V28.T, c0.T; \
	VFMLA   V25.T, V28.T, c1.T; \
	VFMLA   V26.T, V28.T, c2.T; \
	VFMLA   V27.T, V28.T, c3.T

// TIMES1 does the same with one vector of B.
#define TIMES1(at, c) \
	VLD1R.P (at)(R1), [V28.T]; \
	VFMLA   V24.T, V28.T, c.T

// PLUS adds what is at a row of C to that row's sums, whose first register is number n.
#define PLUS(at, n) \
	VLD1 (at), [V24.T, V25.T, V26.T, V27.T]; \
	VFADD(24, n, n); \
	VFADD(25, n+1, n+1); \
	VFADD(26, n+2, n+2); \
	VFADD(27, n+3, n+3)

// PLUSBIAS adds the bias, in V24…V27.
#define PLUSBIAS(n) \
	VFADD(24, n, n); \
	VFADD(25, n+1, n+1); \
	VFADD(26, n+2, n+2); \
	VFADD(27, n+3, n+3)

// LEAK replaces v ≤ 0, in register number n, by α·v under the mask V31: 0 for relu, all bits for the leaky one. NaN stays.
#define LEAK(n, v) \
	VNOTABOVE(n, 24); \
	VFMUL(30, n, 28); \
	VAND V31.B16, V28.B16, V28.B16; \
	VBIT V24.B16, V28.B16, v.B16

#define LEAKROW(n, c0, c1, c2, c3) \
	LEAK(n, c0); \
	LEAK(n+1, c1); \
	LEAK(n+2, c2); \
	LEAK(n+3, c3)

// SLOPE does to the sums in register number n what LEAK does, but where the saved value in number s is not above 0.
#define SLOPE(s, sv, n, v) \
	VPOSITIVE(s, s); \
	VFMUL(30, n, 28); \
	VAND V31.B16, V28.B16, V28.B16; \
	VBIF sv.B16, V28.B16, v.B16

#define SLOPEROW(at, n, c0, c1, c2, c3) \
	VLD1 (at), [V24.T, V25.T, V26.T, V27.T]; \
	SLOPE(24, V24, n, c0); \
	SLOPE(25, V25, n+1, c1); \
	SLOPE(26, V26, n+2, c2); \
	SLOPE(27, V27, n+3, c3)

// ALPHA loads α and, for act, the mask of LEAK and SLOPE.
#define ALPHA(act) \
	MOVD  tileNEON_alpha(R0), R7; \
	VLD1R (R7), [V30.T]; \
	CMP   $const_ActLeakyReLU, act; \
	CSETM EQ, R7; \
	VDUP  R7, V31.D2

// STORE writes a row and leaves after the tile's last.
#define STORE(c0, c1, c2, c3) \
	VST1.P [c0.T, c1.T, c2.T, c3.T], (R8)(R1); \
	SUBS   $1, R5; \
	BEQ    done

#define STORE1(c) \
	VST1.P [c.T], (R8)(R1); \
	SUBS   $1, R5; \
	BEQ    done
