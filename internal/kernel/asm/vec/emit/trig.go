package emit

import "math"

// halfPi is π/2 as a sum of three numbers of the type, the first correctly rounded, each next the rounding of what is left.
var halfPi = map[int][3]float64{
	32: {0x1.921fb6p+0, -0x1.777a5cp-25, -0x1.ee59dap-50},
	64: {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110},
}

// Sin and Cos hold for |x| ≤ 2¹⁵: x = n·π/2 + r with the fused multiply-add keeping the differences exact, then the
// polynomial of sine or cosine by the last bit of n and the sign by the bit above it.
func (m *Math) Sin(x V) V {
	y := m.sinCos(x, 0)
	return m.Blend(m.Compare(Equal, x, m.K(0)), y, x) // the sum r + (−r³/6 …) loses the sign of −0
}

func (m *Math) Cos(x V) V { return m.sinCos(x, 1) }

// sinCos is sin(x + quarters·π/2).
func (m *Math) sinCos(x V, quarters uint64) V {
	f := m.format()
	biased := m.MulAdd(m.Load(m.K(2/math.Pi), len(x)), x, m.K(f.magic))
	n := m.Sub(biased, m.K(f.magic))
	r := m.Copy(x)
	for _, part := range halfPi[m.Bits] {
		r = m.MulSubFrom(r, n, m.K(part))
	}
	if quarters != 0 {
		biased = m.IAdd(biased, m.KBits(quarters))
	}
	s, c := m.sinAndCos(r)
	return m.quadrant(biased, s, c)
}

// sinAndCos are sine and cosine of |r| ≤ π/4, in registers of their own.
func (m *Math) sinAndCos(r V) (s, c V) {
	sine, cosine := sin32, cos32
	if m.Bits == 64 {
		sine, cosine = sin64, cos64
	}
	z := m.Mul(r, r)
	c = m.MulAdd(m.Polynomial(z, append([]float64{-0.5}, cosine...)), z, m.K(1))
	s = m.MulAdd(m.Mul(m.Polynomial(z, sine), z), r, r)
	return s, c
}

// quadrant is sin(r + n·π/2) from the sine and the cosine of r, for the integer n in the low bits of a biased sum.
func (m *Math) quadrant(biased, s, c V) V {
	y := m.Blend(m.Negative(m.ShiftLeft(biased, m.Bits-1)), s, c)
	return m.Xor(y, m.And(m.ShiftLeft(biased, m.Bits-2), m.signBit()))
}

// Normals are two independent standard normal vectors r·cos 2πv and r·sin 2πv, r = √(−2 ln u), for 0 < u ≤ 1 and 0 ≤ v < 1
// (G. E. P. Box and M. E. Muller 1958). The angle is reduced to |2πv − n·π/2| ≤ π/4 exactly, as 4v is a binary fraction.
func (m *Math) Normals(u, v V) (a, b V) {
	f := m.format()
	var w, k V
	if m.Wide {
		w, k = m.splitWide(u)
	} else {
		w, _, k = m.split(u, m.exponentBias(false))
	}
	r := m.Sqrt(m.Mul(m.assemble(k, m.Sub(w, m.K(1))), m.K(-2)))
	biased := m.MulAdd(m.Load(m.K(4), len(v)), v, m.K(f.magic))
	n := m.Sub(biased, m.K(f.magic))
	s, c := m.sinAndCos(m.Mul(m.MulSubFrom(v, n, m.K(0.25)), m.K(2*math.Pi)))
	sin := m.quadrant(biased, s, c)
	cos := m.quadrant(m.IAdd(biased, m.KBits(1)), s, c)
	return m.Mul(cos, r), m.Mul(sin, r)
}
