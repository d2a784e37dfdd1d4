package optim

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
)

// The strong Wolfe conditions: the loss falls by a share c₁ of what the slope promises, and the slope shrinks to a share c₂.
const (
	wolfeFall  = 1e-4
	wolfeSlope = 0.9
)

// trial is a point along a line: its distance and the slope there.
type trial struct {
	point
	t, slope float64
}

// search looks along d from a for a point that satisfies the strong Wolfe conditions (algorithm 3.5): it goes outwards until an
// interval is known to hold one, then narrows that down.
func (p *objective) search(ctx context.Context, a point, d []float64, length float64, evaluations int) (found point, ok bool, err error) {
	start := trial{a, 0, floats.Dot(a.g, d)}
	if !(start.slope < 0) {
		return found, false, nil
	}
	try := func(t float64) (trial, error) {
		x := append([]float64(nil), a.x...)
		floats.AddScaled(x, t, d)
		at, err := p.at(ctx, x)
		return trial{at, t, floats.Dot(at.g, d)}, err
	}
	falls := func(b trial) bool { return b.f <= a.f+wolfeFall*b.t*start.slope }
	before := start
	for n := 0; n < evaluations; n++ {
		b, err := try(length)
		switch {
		case err != nil:
			return found, false, err
		case !falls(b) || n > 0 && b.f >= before.f: // NaN and infinities too
			return p.zoom(try, falls, start.slope, before, b, evaluations-n-1)
		case math.Abs(b.slope) <= -wolfeSlope*start.slope:
			return b.point, true, nil
		case b.slope >= 0:
			return p.zoom(try, falls, start.slope, b, before, evaluations-n-1)
		}
		before, length = b, 2*length
	}
	return before.point, before.t > 0, nil
}

// zoom narrows down an interval of which lo is the end with the smaller loss that falls enough (algorithm 3.6).
func (p *objective) zoom(try func(t float64) (trial, error), falls func(b trial) bool, slope float64, lo, hi trial, evaluations int) (found point, ok bool, err error) {
	for range evaluations {
		b, err := try(between(lo, hi))
		switch {
		case err != nil:
			return found, false, err
		case !falls(b) || b.f >= lo.f:
			hi = b
		case math.Abs(b.slope) <= -wolfeSlope*slope:
			return b.point, true, nil
		default:
			if b.slope*(hi.t-lo.t) >= 0 {
				hi = lo
			}
			lo = b
		}
		if math.Abs(hi.t-lo.t) <= 1e-12*math.Max(lo.t, hi.t) {
			break
		}
	}
	return lo.point, lo.t > 0, nil // it falls enough at least
}

// between is where the cubic through both ends' values and slopes has its minimum (formula 3.59), kept off the ends; the middle
// where there is none.
func between(lo, hi trial) float64 {
	width := hi.t - lo.t
	u := lo.slope + hi.slope - 3*(lo.f-hi.f)/(lo.t-hi.t)
	square := u*u - lo.slope*hi.slope
	middle := lo.t + width/2
	if !(square >= 0) {
		return middle
	}
	v := math.Copysign(math.Sqrt(square), width)
	t := hi.t - width*(hi.slope+v-u)/(hi.slope-lo.slope+2*v)
	low, high := lo.t+0.1*width, hi.t-0.1*width
	if low > high {
		low, high = high, low
	}
	if !(t >= low && t <= high) { // NaN too
		return math.Max(low, math.Min(high, middle))
	}
	return t
}
