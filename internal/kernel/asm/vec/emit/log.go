package emit

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// split writes a positive normal u as 2ᵏ·v with √½ ≤ v < √2 and returns v, the biased exponent field of 2ᵏ, and k, less
// which may be a constant or a vector: k = exponent − less.
func (m *Math) split(u V, less Operand) (v, field, k V) {
	f := m.format()
	field = m.And(m.IAdd(u, m.KBits(f.bias<<f.mantissa-m.bits(math.Sqrt2/2))), m.KBits((2*f.bias+1)<<f.mantissa))
	v = m.IAdd(m.ISub(u, field), m.oneBits())
	// The exponent as the low bits of 2^mantissa is a number that far above it.
	k = m.Sub(m.Or(m.ShiftRight(field, f.mantissa), m.K(math.Ldexp(1, f.mantissa))), less)
	return v, field, k
}

func (m *Math) bits(v float64) uint64 {
	if m.Bits == 32 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}

// exponentBias is what split subtracts: 2^mantissa + bias, and the rescaling of subnormals on top.
func (m *Math) exponentBias(rescaled bool) Operand {
	f := m.format()
	b := math.Ldexp(1, f.mantissa) + float64(f.bias)
	if rescaled {
		b += float64(f.rescale)
	}
	return m.K(b)
}

// tail is ln(1+f) − f for √½ ≤ 1+f ≤ √2. float32: f²·(−½ + f·P(f)). float64: with s = f/(2+f), ln(1+f) = 2·atanh s
// = f − s·(f − R), R = s²·P(s²).
func (m *Math) tail(f V) V {
	if m.Bits == 32 {
		p := m.Polynomial(f, append([]float64{-0.5}, m.format().log...))
		return m.Mul(p, m.Mul(f, f))
	}
	s := m.Div(f, m.Add(f, m.K(2)))
	z := m.Mul(s, s)
	p := m.Polynomial(z, m.format().log)
	p = m.Mul(p, z)
	return m.Mul(m.Sub(p, f), s)
}

// assemble is k·ln 2 + ln(1+f). k·ln2Hi is exact; what its sum with f loses is found again and added to the small terms.
func (m *Math) assemble(k, f V) V {
	t := m.tail(f)
	t = m.AddMul(t, k, m.K(m.format().ln2Lo))
	a := m.Mul(k, m.K(m.format().ln2Hi))
	s := m.Add(a, f)
	lost := m.Add(m.Sub(a, s), f)
	return m.Add(s, m.Add(lost, t))
}

// logSpecial replaces y by NaN where not u ≥ 0, by −∞ where u = 0, by +∞ where u = +∞.
func (m *Math) logSpecial(y, u V) V {
	if m.Wide {
		// A digit for each class of u, lowest first: quiet NaN, signalling NaN, ±0, 1, −∞, +∞, negative, positive. 0 keeps
		// y, 2 passes the NaN on, 3 is NaN, 4 is −∞, 5 is +∞.
		return m.fix(y, u, 0x03530422)
	}
	inf := math.Inf(1)
	y = m.NaNWhere(m.Compare(NotGreaterEq, u, m.K(0)), y)
	y = m.Blend(m.Compare(Equal, u, m.K(0)), y, m.K(-inf))
	return m.Blend(m.Compare(Equal, u, m.K(inf)), y, m.K(inf))
}

// fix replaces y in place by what the table says of the class of u.
func (m *Math) fix(y, u V, table uint64) V {
	t := m.shared(m.KBits(table), 1)[0]
	for i := range y {
		pick(m, m.VFIXUPIMMPS, m.VFIXUPIMMPD)(operand.U8(0), t, u[i], y[i])
	}
	return y
}

// splitWide is split by the instructions that AVX-512 has for it, for any positive u.
func (m *Math) splitWide(u V) (v, k V) {
	v, k = m.New(len(u)), m.New(len(u))
	for i := range u {
		pick(m, m.VGETMANTPS, m.VGETMANTPD)(operand.U8(0), u[i], v[i]) // 1 ≤ v < 2
		pick(m, m.VGETEXPPS, m.VGETEXPPD)(u[i], k[i])
	}
	large := m.Compare(GreaterEqual, v, m.K(math.Sqrt2))
	half, one := m.shared(m.K(0.5), 1)[0], m.shared(m.K(1), 1)[0]
	for i := range u {
		pick(m, m.VMULPS, m.VMULPD)(half, v[i], large[i], v[i])
		pick(m, m.VADDPS, m.VADDPD)(one, k[i], large[i], k[i])
	}
	return v, k
}

// Log is ln x.
func (m *Math) Log(x V) V {
	k, f := m.exponentAndFraction(x)
	return m.logSpecial(m.assemble(k, f), x)
}

// Log2 is log₂ x = k + log₂e·(f + tail), exact at powers of two.
func (m *Math) Log2(x V) V {
	k, f := m.exponentAndFraction(x)
	rounded, rest := math.Log2E, 0x1.777d0ffda0d24p-56
	if m.Bits == 32 {
		rounded = float64(float32(math.Log2E))
		rest = math.Log2E - rounded
	}
	y := m.Mul(f, m.K(rest))
	y = m.AddMul(y, m.tail(f), m.K(rounded))
	y = m.AddMul(y, f, m.K(rounded))
	return m.logSpecial(m.Add(y, k), x)
}

// exponentAndFraction writes a positive x, subnormal ones too, as 2ᵏ(1+f) with √½ ≤ 1+f ≤ √2.
func (m *Math) exponentAndFraction(x V) (k, f V) {
	if m.Wide {
		v, k := m.splitWide(x)
		return k, m.Sub(v, m.K(1))
	}
	subnormal := m.Compare(Less, x, m.K(m.format().minNormal))
	u := m.Blend(subnormal, x, m.Mul(x, m.K(math.Ldexp(1, m.format().rescale))))
	less := m.Blend(subnormal, m.shared(m.exponentBias(false), len(x)), m.exponentBias(true))
	v, _, k := m.split(u, less)
	return k, m.Sub(v, m.K(1))
}

// Log1p is ln(1+x). u = 1+x is rounded and c is exactly what it lost, so 1+x = 2ᵏ(v + c·2⁻ᵏ) and f = (v−1) + c·2⁻ᵏ; where
// k = 0 this gives back x itself.
func (m *Math) Log1p(x V) V {
	one := m.shared(m.K(1), len(x))
	u := m.Add(x, one)
	b := m.Sub(u, one)
	c := m.Add(m.Sub(one, m.Sub(u, b)), m.Sub(x, b))
	if m.Wide {
		v, k := m.splitWide(u)
		f := m.Add(m.Scale(c, m.Sub(m.shared(m.K(0), len(k)), k)), m.Sub(v, one))
		return m.Or(m.logSpecial(m.assemble(k, f), u), m.SignOf(x))
	}
	v, field, k := m.split(u, m.exponentBias(false))
	f := m.format()
	inverse := m.ISub(m.shared(m.KBits(2*f.bias<<f.mantissa), len(x)), field)
	inverse = m.Blend(m.Negative(inverse), inverse, m.K(0)) // where 2⁻ᵏ is not a normal number, c is 0 anyway
	y := m.assemble(k, m.MulAdd(c, inverse, m.Sub(v, m.K(1))))
	return m.Or(m.logSpecial(y, u), m.SignOf(x))
}

// Softplus is ln(1+eˣ) = max(x, 0) + ln(1+e), e = e^−|x| ≤ 1. Where e > √2 − 1, 1+e = 2(1 + (e−1)/2).
func (m *Math) Softplus(x V) V {
	f := m.format()
	e := m.ExpNegative(m.Or(x, m.signBit()))
	large := m.Compare(Greater, e, m.K(math.Sqrt2-1))
	g := m.Blend(large, e, m.Mul(m.Sub(e, m.K(1)), m.K(0.5)))
	t := m.Add(m.tail(g), m.Where(large, m.K(f.ln2Lo)))
	hi := m.Where(large, m.K(f.ln2Hi))
	y := m.Add(hi, m.Add(g, t))
	return m.Add(y, m.ClampBelow(x, 0))
}
