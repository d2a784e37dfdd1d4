package kernel

import (
	"sync"
	"unsafe"
)

// Reductions of a row-major matrix x of rows × cols along one of its sides.

// byRow works through a matrix of rows × cols with whole, as many rows at once as a span holds, or where whole is nil or
// the rows are too long for it with single. A row has out elements of dst.
func byRow[T Float](whole func(dst, x []T, rows, cols int), single func(dst, x []T), dst, x []T, rows, cols, out int) {
	dst, x = dst[:rows*out], x[:rows*cols]
	if whole == nil || cols > reduceBlock || cols == 0 {
		for i := range rows {
			single(dst[i*out:(i+1)*out], x[i*cols:(i+1)*cols])
		}
		return
	}
	for rows > 0 {
		n := min(rows, maxSpan/cols)
		whole(dst[:n*out], x[:n*cols], n, cols)
		dst, x, rows = dst[n*out:], x[n*cols:], rows-n
	}
}

// RowSums sets dst[i] to the sum of row i.
func RowSums[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().sumRows, func(dst, x []T) { dst[0] = Sum(x) }, dst, x, rows, cols, 1)
}

// RowMax sets dst[i] to the largest element of row i, NaN if one is NaN.
func RowMax[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().maxRows, func(dst, x []T) { dst[0] = MaxValue(x) }, dst, x, rows, cols, 1)
}

// RowMin sets dst[i] to the smallest element of row i, NaN if one is NaN.
func RowMin[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().minRows, func(dst, x []T) { dst[0] = MinValue(x) }, dst, x, rows, cols, 1)
}

// RowLogSumExp sets dst[i] to ln Σⱼ e^x[i,j].
func RowLogSumExp[T Float](dst, x []T, rows, cols int) {
	byRow(vec[T]().logSumExpRows, func(dst, x []T) { dst[0] = LogSumExp(x) }, dst, x, rows, cols, 1)
}

// SumRows sets dst[j] = Σᵢ x[i,j], the sum of the rows.
func SumRows[T Float](dst, x []T, rows, cols int) {
	clear(dst[:cols])
	AddRows(dst, x, rows, cols)
}

// Column sums are taken in strips of rowStrip columns through three levels of running sums of rowFan rows each, so the
// error grows like 3·rowFan·ε instead of rows·ε, in an order fixed by the shape.
const (
	rowStrip = 1024 // so that rows are read in long pieces, while the sums stay in the nearest cache
	rowFan   = 256
)

// AddRows sets dst[j] += Σᵢ x[i,j].
func AddRows[T Float](dst, x []T, rows, cols int) {
	add := vec[T]().accumulate
	if rows <= rowFan/4 {
		for i := range rows {
			add(dst[:cols], x[i*cols:(i+1)*cols])
		}
		return
	}
	s := rowSumsPool[T]().Get().(*rowSums[T])
	for j := 0; j < cols; j += rowStrip {
		n := min(rowStrip, cols-j)
		s.addStrip(dst[j:j+n], x[j:], rows, cols, add)
	}
	rowSumsPool[T]().Put(s)
}

// rowSums holds the running sums of one strip: level 0 of single rows, 1 of rowFan rows, 2 of rowFan² rows.
type rowSums[T Float] struct{ level [3][rowStrip]T }

func (s *rowSums[T]) addStrip(dst, x []T, rows, stride int, add func(dst, x []T)) {
	n := len(dst)
	l0, l1, l2 := s.level[0][:n], s.level[1][:n], s.level[2][:n]
	clear(l0)
	clear(l1)
	clear(l2)
	for i := range rows {
		add(l0, x[i*stride:i*stride+n])
		if (i+1)%rowFan == 0 {
			add(l1, l0)
			clear(l0)
			if (i+1)%(rowFan*rowFan) == 0 {
				add(l2, l1)
				clear(l1)
			}
		}
	}
	add(l1, l0)
	add(l2, l1)
	add(dst, l2)
}

// The running sums come from pools: kernels are called through a table, so a local array would move to the heap.
var (
	rowSumsPool32 = sync.Pool{New: func() any { return new(rowSums[float32]) }}
	rowSumsPool64 = sync.Pool{New: func() any { return new(rowSums[float64]) }}
)

func rowSumsPool[T Float]() *sync.Pool {
	var zero T
	if unsafe.Sizeof(zero) == 4 {
		return &rowSumsPool32
	}
	return &rowSumsPool64
}
