package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The frame of all pictures is the same, so that they can be compared: a unit is as long across as up.
const (
	unit         = 26.0 // pixels
	lowest, top  = -2.0, 4.0
	margin, head = 10.0, 24.0
)

// svg draws value and derivative. The colours are ones that light and dark pages bear, and the colour-blind tell apart; the
// derivative is dashed as well. There is no background.
func (c curve) svg() string {
	width, height := unit*(c.Hi-c.Lo)+2*margin, unit*(top-lowest)+head+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img">`+"\n", pixels(width), pixels(height))
	fmt.Fprintf(&b, "<title>%s and its derivative, for x from %g to %g</title>\n", html.EscapeString(c.Call), c.Lo, c.Hi)
	fmt.Fprintf(&b, `<clipPath id="frame"><rect x="%s" y="%s" width="%s" height="%s"/></clipPath>`+"\n",
		pixels(margin), pixels(head), pixels(unit*(c.Hi-c.Lo)), pixels(unit*(top-lowest)))
	fmt.Fprintf(&b, `<text x="%s" y="16" font-family="ui-monospace, SFMono-Regular, Menlo, monospace" font-size="12" fill="#808080">%s</text>`+"\n", pixels(margin), html.EscapeString(c.Call))
	line := func(x0, y0, x1, y1, opacity float64) {
		fmt.Fprintf(&b, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="#808080" stroke-opacity="%.2f"/>`+"\n", pixels(c.across(x0)), pixels(up(y0)), pixels(c.across(x1)), pixels(up(y1)), opacity)
	}
	for x := c.Lo; x <= c.Hi; x++ {
		line(x, lowest, x, top, opacity(x))
	}
	for y := lowest; y <= top; y++ {
		line(c.Lo, y, c.Hi, y, opacity(y))
	}
	b.WriteString(`<g clip-path="url(#frame)" fill="none" stroke-width="2" stroke-linejoin="round">` + "\n")
	fmt.Fprintf(&b, `<path stroke="#3c8dd9" d="%s"/>`+"\n", c.path(c.Y))
	fmt.Fprintf(&b, `<path stroke="#e07b28" stroke-dasharray="5 3" d="%s"/>`+"\n", c.path(c.DY))
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// opacity of a line of the grid: the axes stand out.
func opacity(at float64) float64 {
	if at == 0 {
		return 0.9
	}
	return 0.2
}

func (c curve) across(x float64) float64 { return margin + unit*(x-c.Lo) }

func up(y float64) float64 { return head + unit*(top-y) }

// path draws the points that there are, where the function has a value. It breaks where one is missing, and where the curve jumps:
// where it goes five times as far as in the step before, and further than the eye forgives.
func (c curve) path(values []number) string {
	width := (c.Hi - c.Lo) / float64(len(values)-1)
	var b strings.Builder
	last, step := math.NaN(), math.NaN() // NaN: not known
	for i, v := range values {
		if v == nil || c.Y[i] == nil {
			last, step = math.NaN(), math.NaN()
			continue
		}
		y := min(max(*v, 10*lowest), 10*top) // what is far outside need not be exact
		move := math.Abs(y - last)
		if math.IsNaN(last) || move > 5*step+0.05 {
			b.WriteByte('M')
			move = math.NaN()
		} else {
			b.WriteByte('L')
		}
		b.WriteString(pixels(c.across(c.Lo+float64(i)*width)) + " " + pixels(up(y)))
		last, step = y, move
	}
	return b.String()
}

// pixels prints a length to a tenth. Halves are rounded up, also those that rounding of another processor left a little below, so
// that the pictures are the same everywhere.
func pixels(v float64) string {
	s := fmt.Sprintf("%.1f", math.Floor(10*v+0.5+1e-6)/10)
	return strings.TrimSuffix(s, ".0")
}

// pictureOf is the file of a function's picture.
func pictureOf(name string) string { return strings.ToLower(name) + ".svg" }
