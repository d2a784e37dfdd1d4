package main

import (
	"math"
	"math/big"
)

// A fit asks for c so that Σ cᵢ·basisᵢ(x) ≈ target(x) on [lo, hi] with the smallest possible largest value of
// |error(x)| / scale(x). The basis need not be of monomials, which is how fixed leading terms and quotients are had.
type fit struct {
	lo, hi float64
	basis  []func(x *big.Float) *big.Float
	target func(x *big.Float) *big.Float
	scale  func(x *big.Float) *big.Float
}

const gridSize = 1200

// samples holds everything the exchange needs on one fixed grid, dense towards the ends as the extrema are.
type samples struct {
	x             []*big.Float
	basis         [][]*big.Float // [point][coefficient]
	target, scale []*big.Float
}

func (f fit) sample() samples {
	s := samples{}
	for i := range gridSize + 1 {
		t := 0.5 - 0.5*math.Cos(math.Pi*float64(i)/gridSize)
		x := num(f.lo + (f.hi-f.lo)*t)
		row := make([]*big.Float, len(f.basis))
		for k, b := range f.basis {
			row[k] = b(x)
		}
		s.x = append(s.x, x)
		s.basis = append(s.basis, row)
		s.target = append(s.target, f.target(x))
		s.scale = append(s.scale, f.scale(x))
	}
	return s
}

// solve is the Remez exchange: choose n+1 points, make the weighted error equal and alternating there, move the points to
// the extrema of the error it has, until the extrema are level. known[k] fixes coefficient k. It returns the coefficients
// and the largest weighted error on the grid.
func (s samples) solve(known []*big.Float) ([]*big.Float, float64) {
	var free []int
	for k, c := range known {
		if c == nil {
			free = append(free, k)
		}
	}
	coefficients := append([]*big.Float(nil), known...)
	n := len(free)
	points := make([]int, n+1)
	for i := range points {
		points[i] = i * gridSize / max(n, 1)
	}
	for round := 0; n > 0; round++ {
		a := make([][]*big.Float, n+1)
		for i, p := range points {
			row := make([]*big.Float, n+2)
			for j, k := range free {
				row[j] = s.basis[p][k]
			}
			row[n] = s.scale[p]
			if i%2 == 1 {
				row[n] = neg(row[n])
			}
			row[n+1] = s.residual(p, known)
			a[i] = row
		}
		c := gauss(a)
		for j, k := range free {
			coefficients[k] = c[j]
		}
		level, _ := c[n].Float64()
		next, worst := s.extrema(coefficients, n+1)
		if next == nil || round == 60 || worst <= math.Abs(level)*(1+1e-4) {
			return coefficients, worst
		}
		points = next
	}
	_, worst := s.extrema(coefficients, 1)
	return coefficients, worst
}

// residual is target − Σ (known coefficients)·basis at a point.
func (s samples) residual(p int, known []*big.Float) *big.Float {
	r := s.target[p]
	for k, c := range known {
		if c != nil {
			r = sub(r, mul(c, s.basis[p][k]))
		}
	}
	return r
}

// extrema returns want grid points of alternating extreme error, and the largest weighted error; nil points if there are
// fewer alternations (the error is then already below what the coefficients can express).
func (s samples) extrema(c []*big.Float, want int) ([]int, float64) {
	type peak struct {
		at    int
		error float64
	}
	var peaks []peak
	worst := 0.0
	for p := range s.x {
		e, _ := quo(s.residual(p, c), s.scale[p]).Float64()
		worst = max(worst, math.Abs(e))
		if k := len(peaks) - 1; k >= 0 && (peaks[k].error < 0) == (e < 0) {
			if math.Abs(e) > math.Abs(peaks[k].error) {
				peaks[k] = peak{p, e}
			}
		} else {
			peaks = append(peaks, peak{p, e})
		}
	}
	for len(peaks) > want { // drop the smaller end
		if math.Abs(peaks[0].error) < math.Abs(peaks[len(peaks)-1].error) {
			peaks = peaks[1:]
		} else {
			peaks = peaks[:len(peaks)-1]
		}
	}
	if len(peaks) < want {
		return nil, worst
	}
	points := make([]int, want)
	for i, p := range peaks {
		points[i] = p.at
	}
	return points, worst
}

// gauss solves the augmented system by elimination with partial pivoting.
func gauss(a [][]*big.Float) []*big.Float {
	n := len(a)
	for i := range n {
		pivot := i
		for r := i + 1; r < n; r++ {
			if zero().Abs(a[r][i]).Cmp(zero().Abs(a[pivot][i])) > 0 {
				pivot = r
			}
		}
		a[i], a[pivot] = a[pivot], a[i]
		for r := i + 1; r < n; r++ {
			q := quo(a[r][i], a[i][i])
			for c := i; c <= n; c++ {
				a[r][c] = sub(a[r][c], mul(q, a[i][c]))
			}
		}
	}
	x := make([]*big.Float, n)
	for i := n - 1; i >= 0; i-- {
		v := a[i][n]
		for c := i + 1; c < n; c++ {
			v = sub(v, mul(a[i][c], x[c]))
		}
		x[i] = quo(v, a[i][i])
	}
	return x
}

// rounded solves the fit with coefficients representable in bits bits. It rounds them one by one in ascending order and
// lets the rest make up for each rounding, and keeps the best of the sets met on the way when the rest is rounded at once
// (the exchange may go astray once the terms that matter near a zero of the basis are fixed).
func (f fit) rounded(bits int) ([]float64, float64) {
	s := f.sample()
	known := make([]*big.Float, len(f.basis))
	var best []*big.Float
	worst := math.Inf(1)
	for k := range known {
		c, _ := s.solve(known)
		known[k] = num(round(c[k], bits))
		for j := range c {
			c[j] = num(round(c[j], bits))
		}
		if _, w := s.extrema(c, 1); w < worst {
			best, worst = c, w
		}
	}
	out := make([]float64, len(best))
	for k, c := range best {
		out[k], _ = c.Float64()
	}
	return out, worst
}

func round(v *big.Float, bits int) float64 {
	if bits == 32 {
		r, _ := v.Float32()
		return float64(r)
	}
	r, _ := v.Float64()
	return r
}
