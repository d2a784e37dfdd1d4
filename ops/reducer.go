package ops

import (
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// reducer is the loops of one reduction in one element type, over a matrix x.
type reducer[T number | bool] struct {
	none   T                                      // what no elements give
	across func(dst, x []T, rows, cols int)       // dst[i] = reduction over j of x[i,j]
	down   func(dst, x, work []T, rows, cols int) // dst[j] = reduction over i of x[i,j]; work has 3·reduceStrip elements
	finish func(dst []T, count int)               // optional
	join   func(parts []T) T                      // optional: the reduction of a row from those of its equal parts of a power of two of blocks
	short  int                                    // rows of so many elements, up to shortRow, are better turned into columns
}

// Columns fewer than narrowColumns are reduced side by side with the rows below them, in up to twice as many partial results.
const (
	narrowColumns = 128
	reduceStrip   = 128
	shortRow      = 8
	reduceWork    = (3 + shortRow) * reduceStrip
)

// eval reduces one run of adjacent axes at a time, innermost first, so that every step is over rows or over columns.
func (r *reducer[T]) eval(c *graph.Call, reduced []int, scratch []byte) {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	axes, shape := reduced, c.In[0].Shape
	count := 1
	for _, a := range axes {
		count *= shape[a]
	}
	switch {
	case len(x) == 0:
		fill(dst, r.none)
		return
	case len(axes) == 0:
		copy(dst, x)
	}
	rest := graph.ElementsIn[T](scratch)
	work, narrow, rest := rest[:reduceWork], rest[reduceWork:reduceWork+2*narrowColumns], rest[reduceWork+2*narrowColumns:]
	for len(axes) > 0 {
		last := axes[len(axes)-1]
		first := last
		for len(axes) > 1 && axes[len(axes)-2] == first-1 {
			axes = axes[:len(axes)-1]
			first--
		}
		axes = axes[:len(axes)-1]
		// The axes before first are untouched, those after last are reduced or kept inner ones.
		outer, n, inner := 1, 1, 1
		for i, s := range shape {
			switch {
			case i < first:
				outer *= s
			case i <= last:
				n *= s
			case !slices.Contains(reduced, i):
				inner *= s
			}
		}
		to := dst
		if len(axes) > 0 {
			to, rest = rest[:outer*inner], rest[outer*inner:]
		}
		switch {
		case inner == 1 && n <= r.short:
			r.turned(to, x, work, outer, n)
		case inner == 1:
			r.rows(c, to, x, narrow, outer, n)
		default:
			for o := range outer {
				r.columns(to[o*inner:(o+1)*inner], x[o*n*inner:(o+1)*n*inner], work, narrow, n, inner)
			}
		}
		x = to
	}
	if r.finish != nil {
		r.finish(dst, count)
	}
}

// partElements is how much of a matrix is worth another goroutine: some 20 µs of reading.
const partElements = 128 * kernel.ReduceBlock

// rowsSplit is a reduction of rows in parts: of some rows each, or of one row's equal pieces.
type rowsSplit[T number | bool] struct {
	dst, x     []T
	rows, cols int // of a part; of the last one there may be less
	across     func(dst, x []T, rows, cols int)
	do         func(part int)
}

func (s *rowsSplit[T]) part(part int) {
	dst, x := s.dst[part*s.rows:], s.x[part*s.rows*s.cols:]
	s.across(dst, x, min(s.rows, len(dst)), min(s.cols, len(x)))
}

// rows reduces the rows of a matrix. The parts follow from its shape alone; partial has room for 2·narrowColumns parts of a row.
func (r *reducer[T]) rows(c *graph.Call, dst, x, partial []T, rows, cols int) {
	height, width, to := max(partElements/cols, 1), cols, dst
	joined := rows == 1 && r.join != nil && cols > partElements
	if joined {
		for width = partElements; cols > width*len(partial); width *= 2 {
		}
		height, to = 1, partial[:(cols+width-1)/width]
	}
	parts := (len(to) + height - 1) / height
	if parts == 1 {
		r.across(dst, x, rows, cols)
		return
	}
	s, _ := c.Kept.(*rowsSplit[T])
	if s == nil {
		s = new(rowsSplit[T])
		s.do, s.across = s.part, r.across
		c.Kept = s
	}
	s.dst, s.x, s.rows, s.cols = to, x, height, width
	if c.Parallel != nil {
		c.Parallel(parts, s.do)
	} else {
		for part := range parts {
			s.do(part)
		}
	}
	s.dst, s.x = nil, nil
	if joined {
		dst[0] = r.join(to)
	}
}

// columns reduces the columns of a matrix. If there are few, q rows at a time are taken for one of q times the columns:
//
//	a b          a b c d e f
//	c d    →     g h i j k l    →  the reductions of a g, b h, …, then of the three rows of two that these are, and of m n
//	…            m n
func (r *reducer[T]) columns(dst, x, work, narrow []T, rows, cols int) {
	q := narrowColumns / cols
	if q < 2 || rows < 2*q {
		r.down(dst, x, work, rows, cols)
		return
	}
	wide, left := rows/q, rows%q
	r.down(narrow[:q*cols], x, work, wide, q*cols)
	copy(narrow[q*cols:], x[wide*q*cols:])
	r.down(dst, narrow, work, q+left, cols)
}

// turned reduces short rows as columns: those of reduceStrip rows at a time are written side by side.
func (r *reducer[T]) turned(dst, x, work []T, rows, cols int) {
	work, columns := work[:3*reduceStrip], work[3*reduceStrip:]
	for i := 0; i < rows; i += reduceStrip {
		n := min(reduceStrip, rows-i)
		for j := range cols {
			column := columns[j*n:][:n]
			for k := range column {
				column[k] = x[(i+k)*cols+j]
			}
		}
		r.down(dst[i:i+n], columns, work, cols, n)
	}
}

// scratchReduce holds the partial results between runs of axes.
func scratchReduce(attr any, in []graph.Type) graph.Dim {
	elements := graph.Dim(reduceWork + 2*narrowColumns)
	axes := attr.(axesAttr).Axes
	for i := len(axes) - 1; i > 0; i-- {
		if axes[i-1] == axes[i]-1 {
			continue
		}
		size := graph.Dim(1)
		for axis, d := range in[0].Shape {
			if !slices.Contains(axes[i:], axis) {
				size = size.Mul(d)
			}
		}
		elements = elements.Add(size)
	}
	return elements.Mul(graph.Dim(in[0].DType.Size()))
}

// reducers are the loops of one reduction for the element types it is offered for.
type reducers struct {
	f32  reducer[float32]
	f64  reducer[float64]
	i32  reducer[int32]
	i64  reducer[int64]
	bool reducer[bool]

	needsElements string // what to call the result in the error that no elements have none; "" if they have one
}

func (r *reducers) eval(c *graph.Call) error {
	if r.needsElements != "" && c.Out[0].Len() > 0 && c.In[0].Len() == 0 {
		return graph.Errorf(graph.ErrValue, "the %s of no elements: the operand has shape %v; an empty batch must not reach it", r.needsElements, c.In[0].Shape)
	}
	axes := c.Attr.(axesAttr).Axes
	switch c.Out[0].DType {
	case graph.Float32:
		r.f32.eval(c, axes, c.Scratch)
	case graph.Float64:
		r.f64.eval(c, axes, c.Scratch)
	case graph.Int32:
		r.i32.eval(c, axes, c.Scratch)
	case graph.Int64:
		r.i64.eval(c, axes, c.Scratch)
	default:
		r.bool.eval(c, axes, c.Scratch)
	}
	return nil
}

// eachRow reduces rows one by one.
func eachRow[T number | bool](row func(x []T) T) func(dst, x []T, rows, cols int) {
	return func(dst, x []T, rows, cols int) {
		for i := range rows {
			dst[i] = row(x[i*cols : (i+1)*cols])
		}
	}
}

// folding makes a reducer of an associative operator, down columns by combining a row with those before it, some columns at a time so
// that they stay in the cache.
func folding[T number | bool](none T, across func(dst, x []T, rows, cols int), combine func(dst, a, b []T)) reducer[T] {
	const strip = 4096
	return reducer[T]{none: none, across: across, down: func(dst, x, _ []T, rows, cols int) {
		for j := 0; j < cols; j += strip {
			n := min(strip, cols-j)
			copy(dst[j:j+n], x[j:])
			for i := 1; i < rows; i++ {
				combine(dst[j:j+n], dst[j:j+n], x[i*cols+j:i*cols+j+n])
			}
		}
	}}
}

func sumRows[T kernel.Float](dst, x, _ []T, rows, cols int) { kernel.SumRows(dst, x, rows, cols) }

func summing[T kernel.Float]() reducer[T] {
	return reducer[T]{across: kernel.RowSums[T], down: sumRows[T], join: kernel.CombineSums[T]}
}

func averaging[T kernel.Float]() reducer[T] {
	return reducer[T]{across: kernel.RowSums[T], down: sumRows[T], join: kernel.CombineSums[T], finish: func(dst []T, count int) { kernel.DivScalar(dst, dst, T(count)) }}
}

func addingIntegers[T int32 | int64]() reducer[T] {
	return folding(0, eachRow(func(x []T) (s T) {
		for _, v := range x {
			s += v
		}
		return s
	}), func(dst, a, b []T) {
		for i, v := range b {
			dst[i] = a[i] + v
		}
	})
}

func multiplying[T number](combine func(dst, a, b []T)) reducer[T] {
	return folding(1, multiplyRows[T], combine)
}

// multiplyRows goes through a row from first to last, as several products of its parts could meet as 0·Inf, but through four rows
// at a time, since a product waits for the one before it.
func multiplyRows[T number](dst, x []T, rows, cols int) {
	i := 0
	for ; i+4 <= rows; i += 4 {
		a, b, c, d := x[i*cols:(i+1)*cols], x[(i+1)*cols:(i+2)*cols], x[(i+2)*cols:(i+3)*cols], x[(i+3)*cols:(i+4)*cols]
		p, q, r, s := T(1), T(1), T(1), T(1)
		for k := range a {
			p, q, r, s = p*a[k], q*b[k], r*c[k], s*d[k]
		}
		dst[i], dst[i+1], dst[i+2], dst[i+3] = p, q, r, s
	}
	for ; i < rows; i++ {
		p := T(1)
		for _, v := range x[i*cols : (i+1)*cols] {
			p *= v
		}
		dst[i] = p
	}
}

func multiplyIntegers[T int32 | int64](dst, a, b []T) {
	for i, v := range b {
		dst[i] = a[i] * v
	}
}

func largestInteger[T int32 | int64]() reducer[T] {
	return folding(0, eachRow(slices.Max[[]T]), func(dst, a, b []T) {
		for i, v := range b {
			dst[i] = max(a[i], v)
		}
	})
}

func smallestInteger[T int32 | int64]() reducer[T] {
	return folding(0, eachRow(slices.Min[[]T]), func(dst, a, b []T) {
		for i, v := range b {
			dst[i] = min(a[i], v)
		}
	})
}

// logSumExpRows is stable by columns: with m the largest element of a column, or 0 if that is not finite, ln Σ e^x = m + ln Σ e^(x−m).
func logSumExpRows[T kernel.Float](dst, x, work []T, rows, cols int) {
	for j := 0; j < cols; j += reduceStrip {
		n := min(reduceStrip, cols-j)
		sums, shift, e := dst[j:j+n], work[:n], work[reduceStrip:reduceStrip+n]
		fill(shift, T(math.Inf(-1)))
		for i := range rows {
			kernel.Max(shift, shift, x[i*cols+j:i*cols+j+n])
		}
		for k, m := range shift {
			if math.IsInf(float64(m), 0) || m != m {
				shift[k] = 0
			}
		}
		clear(sums)
		for i := range rows {
			kernel.Sub(e, x[i*cols+j:i*cols+j+n], shift)
			kernel.Exp(e, e)
			kernel.Add(sums, sums, e)
		}
		kernel.Log(sums, sums)
		kernel.Add(sums, sums, shift)
	}
}
