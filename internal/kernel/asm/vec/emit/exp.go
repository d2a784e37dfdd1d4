package emit

import "math"

// format is what the exponential and the logarithm need to know of a floating-point format.
type format struct {
	mantissa  int     // bits after the point
	bias      uint64  // of the exponent
	magic     float64 // 1.5·2^mantissa: adding it rounds to an integer and leaves that integer in the low bits
	ln2Hi     float64 // ln 2 in so few bits that its product with an exponent is exact
	ln2Lo     float64
	ln2       float64 // ln 2 rounded to the type
	ln2Rest   float64 // ln 2 − ln2
	expMax    float64 // e^expMax = ∞ after rounding
	expMin    float64 // e^expMin = 0 after rounding
	expm1Min  float64 // e^expm1Min − 1 = −1 after rounding
	minNormal float64
	rescale   int // 2^rescale makes every subnormal normal
	exp       []float64
	expm1     []float64
	log       []float64
}

var formats = map[int]format{
	32: {mantissa: 23, bias: 127, magic: 0x1.8p23,
		ln2Hi: 0x1.62e4p-1, ln2Lo: 0x1.7f7d1cf79abcap-20, ln2: float64(float32(math.Ln2)), ln2Rest: math.Ln2 - float64(float32(math.Ln2)),
		expMax: 89, expMin: -104, expm1Min: -30, minNormal: 0x1p-126, rescale: 24,
		exp: expm132, expm1: expm132, log: log32}, // a degree less for exp costs 0.05 ULP: 1.008 in all
	64: {mantissa: 52, bias: 1023, magic: 0x1.8p52,
		ln2Hi: 0x1.62e42fefap-1, ln2Lo: 0x1.cf79abc9e3b3ap-40, ln2: math.Ln2, ln2Rest: 0x1.abc9e3b39803fp-56,
		expMax: 710, expMin: -746, expm1Min: -60, minNormal: 0x1p-1022, rescale: 54,
		exp: exp64, expm1: expm164, log: log64},
}

func (m *Math) format() format { return formats[m.Bits] }

func (m *Math) oneBits() Operand { f := m.format(); return m.KBits(f.bias << f.mantissa) }

// reduce writes x = n·ln 2 + r with n an integer and |r| ≤ ½ ln 2. It returns the biased sum n + magic, whose low
// bits are the integer, n, and r in the registers of x.
func (m *Math) reduce(x V) (biased, n, r V) {
	f := m.format()
	biased = m.MulAdd(m.Load(m.K(1/math.Ln2), len(x)), x, m.K(f.magic))
	n = m.Sub(biased, m.K(f.magic))
	r = m.MulSubFrom(x, n, m.K(f.ln2))
	r = m.MulSubFrom(r, n, m.K(f.ln2Rest))
	return biased, n, r
}

// powerOfTwo is 2ⁿ for the integer in the low bits of a biased sum; n must be the exponent of a normal number.
func (m *Math) powerOfTwo(biased V) V {
	return m.IAdd(m.ShiftLeft(biased, m.format().mantissa), m.oneBits())
}

// exponential is e^r − 1 = r + r²·P(r) for a reduced r.
func (m *Math) exponential(r V, c []float64) V {
	if m.Bits == 32 { // short enough for Horner, with one vector more in flight
		p := m.Polynomial(r, c)
		return m.MulAdd(p, m.Mul(r, r), r)
	}
	z := m.Mul(r, r)
	return m.MulAdd(m.EvenOdd(r, z, c), z, r)
}

// ExpClamped is eˣ for expMin ≤ x ≤ expMax. The power of two is applied in two halves, so that a subnormal result is
// rounded from one with full precision and an overflow happens once: e = (h + h·p)·2ⁿ/h with h = 2^(n/2). AVX-512 scales
// by any power at once.
func (m *Math) ExpClamped(x V) V { return m.scaled(m.reduce(x)) }

// scaled is 2ⁿ·e^r for a reduced argument.
func (m *Math) scaled(biased, n, r V) V {
	f := m.format()
	p := m.exponential(r, f.exp)
	if m.Wide {
		return m.Scale(m.Add(p, m.K(1)), n)
	}
	half := m.MulAdd(n, m.shared(m.K(0.5), len(n)), m.K(f.magic))
	rest := m.ISub(biased, half)
	h := m.powerOfTwo(half)
	p = m.MulAdd(p, h, h)
	return m.Mul(p, m.powerOfTwo(rest))
}

// Exp is eˣ.
func (m *Math) Exp(x V) V {
	f := m.format()
	return m.ExpClamped(m.Clamp(x, f.expMin, f.expMax))
}

// Exp2 is 2ˣ = 2ⁿ·e^(r ln 2) with n the integer nearest to x; x − n is exact.
func (m *Math) Exp2(x V) V {
	f := m.format()
	x = m.Clamp(x, -float64(f.bias)-float64(f.mantissa)-1, float64(f.bias)+2)
	biased := m.Add(x, m.K(f.magic))
	n := m.Sub(biased, m.K(f.magic))
	d := m.Sub(x, n)
	r := m.Mul(d, m.K(f.ln2))
	return m.scaled(biased, n, m.AddMul(r, d, m.K(f.ln2Rest)))
}

// ExpNegative is eˣ for x ≤ 0. Results span so little more than the normal numbers that one shift of the exponent, taken
// back by a product, does: e = (h + h·p)·2⁻ᵏ with h = 2ⁿ⁺ᵏ.
func (m *Math) ExpNegative(x V) V {
	f := m.format()
	x = m.ClampBelow(x, f.expMin)
	if m.Wide {
		return m.ExpClamped(x)
	}
	biased, _, r := m.reduce(x)
	p := m.exponential(r, f.exp)
	k := f.bias / 2
	h := m.IAdd(m.ShiftLeft(biased, f.mantissa), m.KBits((f.bias+k)<<f.mantissa))
	return m.Mul(m.MulAdd(p, h, h), m.K(math.Ldexp(1, -int(k))))
}

// expm1Normal is eˣ − 1 = 2ⁿ(e^r − 1) + (2ⁿ − 1) where 2ⁿ is a normal number, but for the sign of zero.
func (m *Math) expm1Normal(x V) V {
	biased, _, r := m.reduce(x)
	p := m.exponential(r, m.format().expm1)
	s := m.powerOfTwo(biased)
	return m.MulAdd(p, s, m.Sub(s, m.K(1)))
}

// Expm1 is eˣ − 1. The largest exponent, bias + 1, is taken as bias and a doubling.
func (m *Math) Expm1(x V) V {
	f := m.format()
	biased, n, r := m.reduce(m.Clamp(x, f.expm1Min, f.expMax))
	p := m.exponential(r, f.expm1)
	n = m.Add(m.MinOf(n, m.K(float64(f.bias))), m.K(f.magic))
	s := m.powerOfTwo(n)
	p = m.MulAdd(p, s, m.Sub(s, m.K(1)))
	p = m.Mul(p, m.powerOfTwo(m.ISub(biased, n)))
	return m.Or(p, m.SignOf(x))
}

// Sigmoid is 1/(1+e⁻ˣ): with e = e^−|x| it is 1/(1+e) or, for negative x, e/(1+e), which keeps its relative accuracy.
// In float32, y·(1 − lost) makes up for what 1+e lost in rounding, where it matters most (e ≪ 1): 2.25 ULP would be too many.
func (m *Math) Sigmoid(x V) V {
	e := m.ExpNegative(m.Or(x, m.signBit()))
	one := m.shared(m.K(1), len(x))
	s := m.Add(e, one)
	if m.Bits == 64 {
		return m.Div(m.Blend(m.Negative(x), one, e), s)
	}
	lost := m.Sub(e, m.Sub(s, one))
	y := m.Div(m.Blend(m.Negative(x), one, e), s)
	return m.MulSubFrom(y, lost, y)
}

// Tanh is ±m/(m+2) with m = e^2|x| − 1. Beyond 2|x| = 20 (float32) and 44 it rounds to 1.
func (m *Math) Tanh(x V) V {
	limit := 20.0
	if m.Bits == 64 {
		limit = 44
	}
	a := m.Abs(x)
	e := m.expm1Normal(m.ClampAbove(m.Add(a, a), limit))
	return m.Or(m.Div(e, m.Add(e, m.K(2))), m.SignOf(x))
}

// Erf is x + x·P(x²) for |x| < 1, and ±(1 − e^−Q(|x|)) beyond, up to where it rounds to 1.
func (m *Math) Erf(x V) V {
	small, large, limit := erf32, erfc32, 4.0
	if m.Bits == 64 {
		small, large, limit = erf64, erfc64, 6
	}
	a := m.ClampAbove(m.Abs(x), limit)
	e := m.expNormal(m.Neg(m.Polynomial(a, large)))
	e = m.Or(m.Sub(m.shared(m.K(1), len(x)), e), m.SignOf(x))
	near := m.MulAdd(m.Polynomial(m.Mul(a, a), small), x, x)
	return m.Blend(m.Compare(Less, a, m.K(1)), e, near)
}

// expNormal is eˣ where that is a normal number.
func (m *Math) expNormal(x V) V {
	biased, _, r := m.reduce(x)
	e := m.exponential(r, m.format().exp)
	s := m.powerOfTwo(biased)
	return m.MulAdd(e, s, s)
}
