package figure

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Field colours the plane by a function of it, from orange for low by white to blue for high, and draws the line where it is halfway. Values
// are its rows from the bottom up, at n×n places evenly from lo to hi, the ends included, both across and up.
func (p *Plot) Field(values []float64, lo, hi, low, high float64) *Plot {
	n := int(math.Round(math.Sqrt(float64(len(values)))))
	if p.err == nil && (n < 2 || n*n != len(values)) {
		p.err = fmt.Errorf("%s: %d values are no square of places", p.Title.Text, len(values))
	}
	if p.err != nil {
		return p
	}
	cells := image.NewRGBA(image.Rect(0, 0, n, n))
	for i, v := range values {
		share := 2*min(max((v-low)/(high-low), 0), 1) - 1
		full := Blue
		if share < 0 {
			full = Orange
		}
		mix := func(c uint8) uint8 { return uint8(math.Round(255 + 0.75*math.Abs(share)*(float64(c)-255))) }
		cells.SetRGBA(i%n, n-1-i/n, color.RGBA{mix(full.R), mix(full.G), mix(full.B), 255})
	}
	half := (hi - lo) / float64(n-1) / 2 // a cell lies around its place
	p.Add(plotter.NewImage(cells, lo-half, lo-half, hi+half, hi+half))
	if smallest, largest := bounds(values); smallest < (low+high)/2 && largest > (low+high)/2 {
		border := plotter.NewContour(field{values, n, lo, hi}, []float64{(low + high) / 2}, nil)
		border.LineStyles[0].Color, border.LineStyles[0].Width = color.Gray{0x33}, vg.Points(1.6)
		p.Add(border)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = lo, hi, lo, hi
	return p
}

func bounds(values []float64) (smallest, largest float64) {
	smallest, largest = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		smallest, largest = min(smallest, v), max(largest, v)
	}
	return smallest, largest
}

// field is a function on a grid, as the contours read it.
type field struct {
	values []float64
	n      int
	lo, hi float64
}

func (f field) Dims() (c, r int)   { return f.n, f.n }
func (f field) Z(c, r int) float64 { return f.values[r*f.n+c] }
func (f field) X(c int) float64    { return f.lo + (f.hi-f.lo)*float64(c)/float64(f.n-1) }
func (f field) Y(r int) float64    { return f.X(r) }
