package kernel

import "unsafe"

// Gemm is one matrix product with what happens to its result:
//
//	C = epilogue(A·B [+ C])        A: M×K, B: K×N, C: M×N
//
// A and B take any non-negative strides, so a transpose is a swap of two numbers:
//
//	forward   Y  = X·W    A = X, ARow = ldx, ACol = 1;   B = W,  BRow = ldw, BCol = 1
//	backward  dX = dZ·Wᵀ  A = dZ, ARow = ldz, ACol = 1;  B = W,  BRow = 1,   BCol = ldw
//	backward  dW = Xᵀ·dZ  A = X, ARow = 1, ACol = ldx;   B = dZ, BRow = ldz, BCol = 1
//
// C must not overlap A, B or Bias. Elements between the rows of C (j ≥ N) are neither read nor written, and nothing outside
// the M×K, K×N and M×N elements is ever read.
//
// Each element is the sum over k of A's times B's elements, taken in an order that depends on M, N, K and the strides alone,
// with an error within K·ε·Σ|a||b|; NaN and Inf propagate as in the plain loop. With K = 0 the sum is 0; with M or N = 0
// there is nothing to do but to set the column sums to 0. A Gemm is a value: fill it in, Run it, and reuse it; it allocates nothing.
type Gemm[T Float] struct {
	M, N, K int

	A          []T // (i,k) at A[i*ARow+k*ACol]
	ARow, ACol int
	B          []T // (k,j) at B[k*BRow+j*BCol]
	BRow, BCol int
	C          []T // (i,j) at C[i*CRow+j]
	CRow       int

	// Accumulate adds the product to C instead of replacing C.
	Accumulate bool
	// transposed stores (i,j) at C[j*CRow+i]: the swapped form Cᵀ = Bᵀ·Aᵀ. Set on the copies that micro-kernels get.
	transposed bool
	// ahead, if not nil, is what the wide micro-kernel asks for meanwhile, the first of rows aheadRow apart: the part of B that
	// is packed next. Set on the same copies.
	ahead    *T
	aheadRow int

	Epilogue Epilogue[T]

	// Packed, if not nil, takes the place of B: see Pack.
	Packed *Packed[T]
}

// Parts is the number of parts the product falls into, from its sizes and strides alone: for parallel.Run.
func (g *Gemm[T]) Parts() int {
	if g.N > 0 && g.M == 0 && g.Epilogue.ColSums != nil {
		return 1
	}
	if g.M <= 0 || g.N <= 0 {
		return 0
	}
	p := g.plan()
	return p.downs * p.acrosses
}

// Do computes one part. Parts may run at the same time and in any order.
func (g *Gemm[T]) Do(part int) {
	if g.M == 0 {
		clear(g.Epilogue.ColSums[:g.N])
		return
	}
	p := g.plan()
	i0, i1 := p.rowRange(part / p.acrosses)
	j0, j1 := p.colRange(part % p.acrosses)
	g.check()
	g.region(&p, i0, i1, j0, j1)
}

// Run computes the whole product on the calling goroutine, to the same bits as the parts.
func (g *Gemm[T]) Run() {
	if g.M <= 0 || g.N <= 0 {
		if g.Parts() == 1 {
			g.Do(0)
		}
		return
	}
	g.check()
	if g.oneCall() {
		if g.Packed == nil {
			multiply(g)
			return
		}
		sub := *g
		sub.B, sub.BRow, sub.BCol = g.Packed.data, panel[T](), g.K
		multiply(&sub)
		return
	}
	p := g.plan()
	g.region(&p, 0, g.M, 0, g.N)
}

// oneCall says whether one call of the micro-kernel does it all: small products spend no time on plans.
func (g *Gemm[T]) oneCall() bool {
	at := blocks()
	rows, depth := g.direct()
	if g.M > rows || g.lowRows() > 0 || g.N > at.maxDirectCols || g.K <= 0 || g.ARow == 1 || g.Epilogue.finishes() || g.M*g.N*g.K > maxOneCall {
		return false
	}
	if g.Packed != nil {
		return g.K <= maxDepth
	}
	return g.BCol == 1 && g.N > 1 && (g.K <= depth || g.M <= at.tileRows && g.K <= maxDepth)
}

// check panics when an operand is too short for its sizes and strides: the micro-kernels do not look.
func (g *Gemm[T]) check() {
	if g.K > 0 {
		_ = g.A[(g.M-1)*g.ARow+(g.K-1)*g.ACol]
		if g.Packed != nil {
			g.Packed.check(g.K, g.N)
		} else {
			_ = g.B[(g.K-1)*g.BRow+(g.N-1)*g.BCol]
		}
	}
	_ = g.C[(g.M-1)*g.CRow+g.N-1]
	e := &g.Epilogue
	if e.Bias != nil {
		_ = e.Bias[g.N-1]
	}
	if e.Saved != nil {
		_ = e.Saved[(g.M-1)*e.SavedRow+g.N-1]
	}
	if e.ColSums != nil {
		_ = e.ColSums[g.N-1]
	}
}

// panel is the number of columns of B that a micro-kernel takes at a time and that packing keeps together: 64 bytes.
func panel[T Float]() int {
	var zero T
	return 64 / int(unsafe.Sizeof(zero))
}
