package kernel

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Unfold reads, and Fold adds to, exactly the elements that the definition of Window names, over any range of positions.
func TestUnfoldAndFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		w := Window{H: draw("h", 1, 6), W: draw("w", 1, 9), KH: draw("kh", 1, 3), KW: draw("kw", 1, 4), StrideH: draw("sh", 1, 3), StrideW: draw("sw", 1, 3),
			DilationH: draw("dh", 1, 2), DilationW: draw("dw", 1, 3), Top: draw("top", 0, 3), Left: draw("left", 0, 5), OH: draw("oh", 1, 4), OW: draw("ow", 1, 7)}
		channels := draw("channels", 1, 3)
		p0 := draw("p0", 0, w.OH*w.OW)
		p1 := draw("p1", p0, w.OH*w.OW)
		stride := p1 - p0 + draw("gap", 0, 3)
		x := make([]float32, channels*w.H*w.W)
		for i := range x {
			x[i] = float32(i + 1)
		}
		rows := channels * w.KH * w.KW
		got, want := make([]float32, rows*stride), make([]float32, rows*stride)
		for i := range got {
			got[i], want[i] = -7, -7
		}
		folded, sums := slices.Clone(x), slices.Clone(x)
		for row := range rows {
			c, kh, kw := row/(w.KH*w.KW), row/w.KW%w.KH, row%w.KW
			for p := p0; p < p1; p++ {
				ih, iw := p/w.OW*w.StrideH-w.Top+kh*w.DilationH, p%w.OW*w.StrideW-w.Left+kw*w.DilationW
				at := row*stride + p - p0
				want[at] = -1
				if ih >= 0 && ih < w.H && iw >= 0 && iw < w.W {
					want[at] = x[(c*w.H+ih)*w.W+iw]
				}
			}
		}
		Unfold(got, stride, x, channels, &w, p0, p1, -1)
		if !slices.Equal(got, want) {
			t.Fatalf("unfold %+v\n%v\nwant\n%v", w, got, want)
		}
		for row := range rows {
			c, kh, kw := row/(w.KH*w.KW), row/w.KW%w.KH, row%w.KW
			for p := p0; p < p1; p++ {
				ih, iw := p/w.OW*w.StrideH-w.Top+kh*w.DilationH, p%w.OW*w.StrideW-w.Left+kw*w.DilationW
				if ih >= 0 && ih < w.H && iw >= 0 && iw < w.W {
					sums[(c*w.H+ih)*w.W+iw] += want[row*stride+p-p0]
				}
			}
		}
		Fold(folded, channels, &w, p0, p1, want, stride)
		if !slices.Equal(folded, sums) {
			t.Fatalf("fold %+v\n%v\nwant\n%v", w, folded, sums)
		}
	})
}
