package kernel

// Window is the geometry of a convolution or a pool over planes of H×W elements: position (oh, ow) of the OH×OW positions has the element
//
//	(oh·StrideH − Top + kh·DilationH, ow·StrideW − Left + kw·DilationW)    for kh < KH, kw < KW
//
// of the plane, or none where that is outside it. Strides and dilations are positive.
type Window struct {
	H, W                 int
	KH, KW               int
	StrideH, StrideW     int
	DilationH, DilationW int
	Top, Left            int
	OH, OW               int
}

// Whole reports whether the positions are the elements of the plane, one by one.
func (w *Window) Whole() bool {
	return w.KH == 1 && w.KW == 1 && w.StrideH == 1 && w.StrideW == 1 && w.Top == 0 && w.Left == 0 && w.OH == w.H && w.OW == w.W
}

// columns returns which positions [lo, hi) of a row have the kw-th element of their window inside the plane.
func (w *Window) columns(kw int) (lo, hi int) {
	first := kw*w.DilationW - w.Left // column of position 0
	if first < 0 {
		lo = (-first + w.StrideW - 1) / w.StrideW
	}
	if last := w.W - 1 - first; last >= 0 {
		hi = last/w.StrideW + 1
	}
	return min(lo, w.OW), min(hi, w.OW)
}

// Unfold lays out what the windows at positions p0 ≤ p < p1 (p = oh·OW + ow) see of a number of planes, as the matrix that turns a convolution
// into a product (im2col): row (c·KH + kh)·KW + kw begins at dst[row·stride] and has an element for each position, outside where the window
// leaves the plane. x: channels planes, one after the other.
func Unfold[T Float](dst []T, stride int, x []T, channels int, w *Window, p0, p1 int, outside T) {
	for c := range channels {
		plane := x[c*w.H*w.W : (c+1)*w.H*w.W]
		for kh := range w.KH {
			for kw := range w.KW {
				lo, hi := w.columns(kw)
				row := dst[:p1-p0]
				dst = dst[min(stride, len(dst)):]
				for p := p0; p < p1; {
					oh, from := p/w.OW, p%w.OW
					to := min(w.OW, from+p1-p)
					run := row[p-p0:][:to-from]
					p += to - from
					ih := oh*w.StrideH - w.Top + kh*w.DilationH
					a, b := min(max(lo, from), to), min(max(hi, from), to)
					if ih < 0 || ih >= w.H || a >= b {
						fill(run, outside)
						continue
					}
					fill(run[:a-from], outside)
					fill(run[b-from:], outside)
					src := plane[ih*w.W+a*w.StrideW-w.Left+kw*w.DilationW:]
					if run = run[a-from : b-from]; w.StrideW == 1 {
						copy(run, src)
						continue
					}
					for i := range run {
						run[i] = src[i*w.StrideW]
					}
				}
			}
		}
	}
}

// Fold is the transpose of Unfold (col2im): it adds every element of the matrix to the element of x that Unfold reads for it; those outside
// count for nothing.
func Fold[T Float](x []T, channels int, w *Window, p0, p1 int, src []T, stride int) {
	for c := range channels {
		plane := x[c*w.H*w.W : (c+1)*w.H*w.W]
		for kh := range w.KH {
			for kw := range w.KW {
				lo, hi := w.columns(kw)
				row := src[:p1-p0]
				src = src[min(stride, len(src)):]
				for p := p0; p < p1; {
					oh, from := p/w.OW, p%w.OW
					to := min(w.OW, from+p1-p)
					run := row[p-p0:][:to-from]
					p += to - from
					ih := oh*w.StrideH - w.Top + kh*w.DilationH
					a, b := min(max(lo, from), to), min(max(hi, from), to)
					if ih < 0 || ih >= w.H || a >= b {
						continue
					}
					dst := plane[ih*w.W+a*w.StrideW-w.Left+kw*w.DilationW:]
					if run = run[a-from : b-from]; w.StrideW == 1 {
						Add(dst[:len(run)], dst[:len(run)], run)
						continue
					}
					for i, v := range run {
						dst[i*w.StrideW] += v
					}
				}
			}
		}
	}
}

// MaxPool finds the largest element of each window over a number of planes, NaN if one is NaN, and its index in the plane, the first in
// row-major order where several tie. x: planes planes; values and indices: as many times OH×OW. It returns false if a window has no elements.
func MaxPool[T Float](values []T, indices []int64, x []T, planes int, w *Window) bool {
	at := 0
	for c := range planes {
		plane := x[c*w.H*w.W : (c+1)*w.H*w.W]
		for oh := range w.OH {
			h0, h1 := inside(oh*w.StrideH-w.Top, w.DilationH, w.KH, w.H)
			for ow := range w.OW {
				w0, w1 := inside(ow*w.StrideW-w.Left, w.DilationW, w.KW, w.W)
				if h0 >= h1 || w0 >= w1 {
					return false
				}
				best := largest(plane, w, h0, h1, w0, w1)
				values[at], indices[at] = plane[best], int64(best)
				at++
			}
		}
	}
	return true
}

// largest is the index of the largest element among those of a window inside its plane. Only the index depends on what is compared, so that
// no branch has to be predicted.
func largest[T Float](plane []T, w *Window, h0, h1, w0, w1 int) int {
	best := h0*w.W + w0
	for h := h0; h < h1; h += w.DilationH {
		for i := h*w.W + w0; i < h*w.W+w1; i += w.DilationW {
			e := plane[i]
			if e != e {
				return i
			}
			if e > plane[best] {
				best = i
			}
		}
	}
	return best
}

// inside returns the first index of a window of k elements from start on, step apart, that is in [0, n), and the end of those that are.
func inside(start, step, k, n int) (first, end int) {
	end = min(start+(k-1)*step+1, n)
	if start < 0 {
		start += (-start + step - 1) / step * step
	}
	return start, end
}
