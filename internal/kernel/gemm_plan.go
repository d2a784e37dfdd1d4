package kernel

import (
	"math"
	"unsafe"
)

// How a product is cut up, following the loops of Goto and van de Geijn ("Anatomy of High-Performance Matrix
// Multiplication", 2008) with two changes: K stays whole up to maxDepth, so that the epilogue meets each tile once and in
// registers, and A is read where it lies unless its strides are unlucky, because the micro-kernels broadcast A's elements
// and need no layout for that.
//
//	for each depth block k of K                              (one, up to maxDepth)
//	    for each group of panels of B       packed group: at most groupBytes, half the second-level cache
//	        for each chunk of rows of A     chunk: at most chunkBytes, a quarter of it
//	            the micro-kernel: for each panel or two, for each tile of rows
//
// Every element sees its k in ascending order whatever the cut, so the cut is free to change and results do not.

const (
	tileRows      = 6         // rows of a full tile of the narrow kernels
	maxDepth      = 1024      // the longest k the micro-kernel runs in one pass
	maxGroupBytes = 512 << 10 // packed panels of B in use at a time, at most
	blockBytes    = 1 << 20   // rows of A transposed at a time
	hotBytes      = 32 << 10  // finished elements of C that wait for the rest of their epilogue
	maxShallow    = 96        // the longest k at which
	shallowBytes  = 1 << 20   // a C from this size on is stored
	shallowRows   = 12        // so many rows at a time, unless k is flat and the tiles are wide
	pageBytes     = 4096
	maxPanels     = 32      // of a group and
	minDotDepth   = 48      // the shortest k for dot products of more than three rows
	maxRows       = 384     // of a chunk: a call of the micro-kernel, which cannot be preempted, takes at most some 250 µs
	maxOneCall    = 1 << 23 // multiply-adds of a product that needs no plan: some 200 µs at most
	flat          = 8       // the longest k at which C is stored in rows as long as tiles can be: known to the assembly
	lowWork       = 1 << 15 // elements of B that are worth a plan of few rows at a time
	partWork      = 1 << 21 // multiply-adds a part should have at least: some 40 µs
	partRows      = 512     // rows of a part at most, so that large products have parts in both directions
	partCols      = 256     // columns of a part of a tall product at least, if there are that many
	partPanels    = 4       // and panels of any
)

// blocking is what the cut depends on beside the product: the kernels in use, and where for them one way begins to beat another.
type blocking struct {
	tileRows   int // rows of a full tile
	wideRows   int // rows of a product up to which tiles are wider than two panels
	groupBytes int // packed panels of B in use at a time
	chunkBytes int // rows of A in use at a time
	widePanels int // groups and parts of such products are multiples of so many panels
	wideDepth  int // their k, if they are packed: so many panels of it fit into groupBytes

	maxDotRows        int // rows of A up to which elements of C may be dot products of contiguous vectors: see dotsPay
	maxSwapRows       int // rows of A up to which it is A, not B, that may be transposed: see swapPays
	storeTransposed   int // what it costs to store a row's elements transposed, and
	packTransposed    int // to pack a row of B, in multiply-adds for each element
	maxDirectRows     int // rows of A up to which B is read where it lies
	maxDirectDepth    int // and the k up to which several tiles of rows find its panel still in the second-level cache
	maxAliasedRows    int // both where rows of B lie whole pages apart and so get in each other's way in the caches
	maxAliasedDepth   int
	maxAliasedColumns int // and the k at a time of an A whose columns lie whole pages apart
	maxDirectCols     int // columns up to which such a product needs no plan
	minTransposeCols  int // columns of C from which a transposed A is laid out by rows
	minTransposeDepth int // and the k from which
}

// Variables for the benchmarks that found them.
var (
	narrowBlocking = blocking{
		tileRows: tileRows, wideRows: 4, groupBytes: 256 << 10, chunkBytes: 128 << 10, widePanels: 12, wideDepth: 320,
		maxDotRows: narrowDotRows, maxSwapRows: 128, storeTransposed: 1, packTransposed: 5, maxDirectRows: 32, maxDirectDepth: 400, maxAliasedRows: 32, maxAliasedDepth: 400, maxAliasedColumns: maxDepth, maxDirectCols: 512,
		minTransposeCols: 64, minTransposeDepth: 48,
	}
	wideBlocking = blocking{
		tileRows: 12, wideRows: 3, groupBytes: 512 << 10, chunkBytes: 256 << 10, widePanels: 16, wideDepth: 512,
		maxDotRows: 12, maxSwapRows: 128, storeTransposed: 16, packTransposed: 8, maxDirectRows: 256, maxDirectDepth: 1024, maxAliasedRows: 32, maxAliasedDepth: 400, maxAliasedColumns: 256, maxDirectCols: 512,
		minTransposeCols: math.MaxInt,
	}
)

// blocks is the blocking for the kernels in use.
func blocks() *blocking {
	if wide {
		return &wideBlocking
	}
	return &narrowBlocking
}

// plan says how a Gemm is cut: into downs × acrosses parts, and each part into blocks.
type plan struct {
	m, n            int
	rows, cols      int // of a part; the last may be shorter, or a little longer
	downs, acrosses int
	depth           int // of a depth block
	group           int // columns of a group, a multiple of the panel
	chunk           int // rows of a chunk, a multiple of tileRows
	packB           bool
	packA           bool // transpose A to rows of rowStride elements, block rows at a time
	block           int
	rowStride       int
	dots            bool // each element is a dot product of contiguous vectors
	swap            bool // compute Cᵀ = Bᵀ·Aᵀ: group then counts rows of C, chunk columns
}

// direct is the number of rows of A up to which B is read where it lies, if its rows are contiguous, and the k
// that such a product of several tiles of rows may have at a time.
func (g *Gemm[T]) direct() (rows, depth int) {
	at := blocks()
	if g.BRow*int(unsafe.Sizeof(g.Epilogue.Alpha))%pageBytes == 0 {
		return at.maxAliasedRows, at.maxAliasedDepth
	}
	return at.maxDirectRows, at.maxDirectDepth
}

// dotsPay says whether A's rows and B's columns, both contiguous, had better be multiplied as they lie than laid out otherwise.
func (g *Gemm[T]) dotsPay() bool {
	return g.M <= 3 || accelerated && g.M <= blocks().maxDotRows && g.K >= minDotDepth && g.padding() > g.M/4
}

// padding is the number of columns by which the last panel is short of A transposed.
func (g *Gemm[T]) padding() int { return roundUp(g.M, panel[T]()) - g.M }

// swapPays says whether a B with contiguous columns had better be broadcast than packed: packing it costs as much as some rows of
// C, the other way C is stored transposed and the last panel of A may be padding.
func (g *Gemm[T]) swapPays() bool {
	at := blocks()
	return g.M <= at.maxSwapRows && at.storeTransposed*g.M <= (at.packTransposed-g.padding())*g.K
}

// lowRows is the height of the pieces in which products of seven to nine rows go through the narrow kernels' wider tiles, three or
// four rows high, if they are large enough to gain by it: else 0.
func (g *Gemm[T]) lowRows() int {
	switch {
	case wide || !accelerated || g.M < 7 || g.M > 9 || g.N*g.K < lowWork:
		return 0
	case g.M == 7:
		return 4
	}
	return 3
}

func (g *Gemm[T]) plan() plan {
	nr, at := panel[T](), blocks()
	directRows, directDepth := g.direct()
	size := 64 / nr
	p := plan{m: g.M, n: g.N, depth: g.K}
	p.dots = g.Packed == nil && g.ACol == 1 && g.BRow == 1 && (g.N > 1 && g.BCol != 1 && g.dotsPay() || g.N == 1 && g.CRow == 1)
	p.swap = accelerated && !p.dots && g.Packed == nil && g.BCol != 1 && g.BRow == 1 && g.N > 3 && g.swapPays()
	p.packB = !p.swap && !p.dots && g.Packed == nil && (g.BCol != 1 || g.M > directRows)
	low := 0 // rows that a piece has of a product that goes through in low pieces
	if !p.swap && !p.packB {
		low = g.lowRows()
	}
	most := maxDepth
	if p.dots {
		most = g.K
	} else if p.packB && g.M <= at.wideRows {
		most = at.wideDepth
	} else if !p.swap && !p.packB && g.Packed == nil && g.M > at.tileRows && low == 0 {
		most = directDepth
	}
	if g.ARow == 1 && g.ACol*size%pageBytes == 0 && !p.dots && !p.swap && g.M > 3 {
		most = min(most, at.maxAliasedColumns)
	}
	if g.K > most {
		blocks := (g.K + most - 1) / most
		p.depth = roundUp((g.K+blocks-1)/blocks, 16)
	}
	depth := max(p.depth, 1)
	p.group = min(max(at.groupBytes/(64*depth), 1), maxPanels) * nr
	if g.M <= at.wideRows || low > 0 {
		p.group = max(p.group/(at.widePanels*nr), 1) * at.widePanels * nr
	}
	rows := min(max(at.chunkBytes/(size*depth), 1), maxRows)
	if finishes := g.Epilogue.finishes(); p.swap || finishes {
		if finishes && !p.swap && !p.packB && g.M > 3 && low == 0 {
			p.group = min(maxPanels*nr, roundUp(g.N, nr)) // long rows, whole ones if possible: see finish
		}
		extent := g.N
		if p.swap {
			extent = g.M
		}
		rows = min(rows, hotBytes/(size*min(p.group, extent))) // C is read again
	} else if (depth > flat || !wide) && depth <= maxShallow && g.M*g.N*size > shallowBytes {
		rows = shallowRows // the time goes into storing C: in long pieces
	}
	p.chunk = roundUp(rows, at.tileRows)
	if low > 0 {
		p.chunk = low
	}
	if accelerated && !p.swap && !p.dots && g.ARow == 1 && g.ACol > 1 && g.M > 1 && g.N >= at.minTransposeCols && depth >= at.minTransposeDepth {
		p.packA = true
		p.rowStride = roundUp(depth, nr) + nr // an odd number of cache lines: rows then start in different sets
		if p.rowStride/nr%2 == 0 {
			p.rowStride += nr
		}
		p.block = blockBytes / (size * p.rowStride) / at.tileRows * at.tileRows
	}

	// Parts: columns are cut first, as each part packs its own columns of B; rows only when a part of partCols columns
	// would still be far too large, and never if columns are to be summed.
	p.rows, p.cols = g.M, g.N
	work := g.M * g.N * max(g.K, 1)
	if want := work / partWork; want > 1 {
		align := nr
		switch {
		case p.swap:
			align = at.tileRows
		case g.M <= at.wideRows || low > 0 || g.K <= flat:
			align = at.widePanels * nr
		}
		p.cols = roundUp(max((g.N+want-1)/want, partPanels*nr), align)
		if g.Epilogue.ColSums == nil && p.cols < partCols && g.M > 2*partRows {
			p.cols = min(partCols, roundUp(g.N, align))
		}
		if per := p.cols * max(g.K, 1); g.Epilogue.ColSums == nil && g.M > partRows && g.M*per > partWork {
			p.rows = roundUp(min(partRows, max(partWork/per, 96)), at.tileRows)
		}
	}
	p.acrosses = (g.N + p.cols - 1) / p.cols
	if p.swap && p.acrosses > 1 && g.N-(p.acrosses-1)*p.cols < 4 {
		p.acrosses--
	}
	p.downs = (g.M + p.rows - 1) / p.rows
	if p.downs > 1 && g.M-(p.downs-1)*p.rows < 4 {
		p.downs-- // tiles of the last part are cut as those of the whole: see cutRows
	}
	return p
}

func (p *plan) rowRange(d int) (i0, i1 int) {
	if d == p.downs-1 {
		return d * p.rows, p.m
	}
	return d * p.rows, (d + 1) * p.rows
}

func (p *plan) colRange(a int) (j0, j1 int) {
	if a == p.acrosses-1 {
		return a * p.cols, p.n
	}
	return a * p.cols, (a + 1) * p.cols
}

func roundUp(x, to int) int { return (x + to - 1) / to * to }
