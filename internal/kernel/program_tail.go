package kernel

// tail reduces a block that is a piece of row i from column j, or for Total any n elements.
func (r *run[T]) tail(i, j, n int) {
	t := &r.program.Tail
	if t.Op == NoTail {
		return
	}
	x := r.slice(r.operand(t.Src, 0, n), 0, n)
	switch {
	case t.Over == ByColumn:
		r.v.accumulate(r.args[t.Into].Data[j:j+n], x)
	case t.Over == ByRow:
		r.reduceRow(&r.args[t.Into].Data[i], x, j == r.region.Col)
	case t.Op == TailSum:
		r.w.sums.add(r.v.sum(x))
	case t.Op == TailMax:
		r.extreme = max(r.extreme, r.v.maxValue(x))
	default:
		r.extreme = min(r.extreme, r.v.minValue(x))
	}
}

// tailOfRows reduces a block of whole rows, row by row.
func (r *run[T]) tailOfRows(i, rows, n int) {
	t := &r.program.Tail
	cols := r.region.Cols
	x := r.slice(r.operand(t.Src, 0, n), 0, n)
	for q := range rows {
		row := x[q*cols : (q+1)*cols]
		if t.Over == ByColumn {
			r.v.accumulate(r.args[t.Into].Data[r.region.Col:r.region.Col+cols], row)
			continue
		}
		r.w.sums.depth, r.w.sums.count = 0, 0
		r.reduceRow(&r.args[t.Into].Data[i+q], row, true)
	}
}

// reduceRow folds a further piece of a row into its result.
func (r *run[T]) reduceRow(into *T, x []T, first bool) {
	switch r.program.Tail.Op {
	case TailSum:
		r.w.sums.add(r.v.sum(x))
		*into = r.w.sums.total()
	case TailMax:
		if m := r.v.maxValue(x); first {
			*into = m
		} else {
			*into = max(*into, m)
		}
	case TailMin:
		if m := r.v.minValue(x); first {
			*into = m
		} else {
			*into = min(*into, m)
		}
	}
}
