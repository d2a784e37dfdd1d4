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
	sine, cosine := sin32, cos32
	if m.Bits == 64 {
		sine, cosine = sin64, cos64
	}
	biased := m.MulAdd(m.Load(m.K(2/math.Pi), len(x)), x, m.K(f.magic))
	n := m.Sub(biased, m.K(f.magic))
	r := m.Copy(x)
	for _, part := range halfPi[m.Bits] {
		r = m.MulSubFrom(r, n, m.K(part))
	}
	if quarters != 0 {
		biased = m.IAdd(biased, m.KBits(quarters))
	}
	z := m.Mul(r, r)
	c := m.MulAdd(m.Polynomial(z, append([]float64{-0.5}, cosine...)), z, m.K(1))
	s := m.MulAdd(m.Mul(m.Polynomial(z, sine), z), r, r)
	y := m.Blend(m.Negative(m.ShiftLeft(biased, m.Bits-1)), s, c)
	flip := m.And(m.ShiftLeft(biased, m.Bits-2), m.signBit())
	return m.Xor(y, flip)
}
