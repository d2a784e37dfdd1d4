package emit

import "math"

// The activations of a layer that are more than one function of this package, and the slopes a·act′ that carry a gradient
// a back through one: from its input z, or from its output y where that determines the slope.

// LeakyReLU is z, or αz where z ≤ 0.
func (m *Math) LeakyReLU(z, alpha V) V {
	return m.Blend(m.Compare(LessEqual, z, m.K(0)), z, m.Mul(z, alpha))
}

// ReLUSlope is a where s > 0, else 0 whatever a is. LeakyReLUSlope is αa there. s may be the input or the output.
func (m *Math) ReLUSlope(a, s V) V { return m.Where(m.Compare(Greater, s, m.K(0)), a) }

func (m *Math) LeakyReLUSlope(a, s, alpha V) V {
	return m.Blend(m.Compare(Greater, s, m.K(0)), m.Mul(a, alpha), a)
}

// ELU is λz, or λα(eᶻ − 1) where z < 0, given λ and λα. Lanes that are not negative hold nonsense until the choice.
func (m *Math) ELU(z V, lambda, lambdaAlpha Operand) V {
	e := m.expm1Normal(m.ClampBelow(z, m.format().expm1Min))
	return m.Blend(m.Compare(Less, z, m.K(0)), m.Mul(z, lambda), m.Mul(e, lambdaAlpha))
}

// ELUSlopeIn is λa, or λα·eᶻ·a where z ≤ 0. ELUSlopeOut has y = λα(eᶻ − 1) instead.
func (m *Math) ELUSlopeIn(a, z V, lambda, lambdaAlpha Operand) V {
	return m.eluSlope(a, z, m.Mul(m.ExpNegative(z), lambdaAlpha), lambda)
}

func (m *Math) ELUSlopeOut(a, y V, lambda, lambdaAlpha Operand) V {
	return m.eluSlope(a, y, m.Add(y, lambdaAlpha), lambda)
}

func (m *Math) eluSlope(a, s, left V, lambda Operand) V {
	return m.Mul(m.Blend(m.Compare(Greater, s, m.K(0)), left, lambda), a)
}

// TanhSlopeIn is a/cosh² z = 4a·e/(1+e)² with e = e^−2|z|, which keeps its relative accuracy; SigmoidSlopeIn is
// a·σ(z)σ(−z) = a·e/(1+e)² with e = e^−|z|.
func (m *Math) TanhSlopeIn(a, z V) V {
	e := m.bell(m.Add(z, z))
	return m.Mul(m.Mul(e, m.K(4)), a)
}

func (m *Math) SigmoidSlopeIn(a, z V) V { return m.Mul(m.bell(z), a) }

// bell is e/(1+e)² with e = e^−|t|.
func (m *Math) bell(t V) V {
	e := m.ExpNegative(m.Or(t, m.signBit()))
	s := m.Add(e, m.K(1))
	return m.Div(e, m.Mul(s, s))
}

// TanhSlopeOut is a(1 − y²), SigmoidSlopeOut a(y − y²); the difference is rounded once.
func (m *Math) TanhSlopeOut(a, y V) V {
	return m.Mul(m.MulSubFrom(m.Load(m.K(1), len(y)), y, y), a)
}

func (m *Math) SigmoidSlopeOut(a, y V) V { return m.Mul(m.MulSubFrom(m.Copy(y), y, y), a) }

// SoftplusSlopeIn is a·σ(z); SoftplusSlopeOut has e^−y = 1/(1+eᶻ), so it is a(1 − e^−y).
func (m *Math) SoftplusSlopeIn(a, z V) V { return m.Mul(m.Sigmoid(z), a) }

func (m *Math) SoftplusSlopeOut(a, y V) V {
	e := m.expm1Normal(m.ClampBelow(m.Neg(y), m.format().expm1Min))
	return m.Mul(m.Sub(m.shared(m.K(0), len(y)), e), a) // +0 at 0
}

// Swish is z·σ(βz), 0 where σ is, SwishSlope a·σ(t)(1 + t·σ(−t)) with t = βz.
func (m *Math) Swish(z, beta V) V { return m.gated(z, m.Sigmoid(m.Mul(z, beta))) }

func (m *Math) SwishSlope(a, z, beta V) V {
	t := m.Clamp(m.Mul(z, beta), -gateFar, gateFar)
	plus, minus := m.logistic(t)
	return m.Mul(m.Mul(m.MulAdd(minus, t, m.K(1)), plus), a)
}

// logistic is σ(t) and σ(−t) by one exponential: with e = e^−|t| they are 1/(1+e) and e/(1+e), in this order for t ≥ 0.
func (m *Math) logistic(t V) (plus, minus V) {
	e := m.ExpNegative(m.Or(t, m.signBit()))
	one := m.shared(m.K(1), len(t))
	q := m.Div(one, m.Add(e, one))
	p := m.Mul(e, q)
	negative := m.Negative(t)
	return m.Blend(negative, q, p), m.Blend(negative, p, q)
}

// GELU is z·Φ(z), GELUSlope a(Φ(z) + z·φ(z)) with the density φ(z) = e^(−z²/2)/√(2π).
func (m *Math) GELU(z V) V {
	cdf, _ := m.normal(z)
	return m.gated(z, cdf)
}

func (m *Math) GELUSlope(a, z V) V {
	z = m.Clamp(z, -gateFar, gateFar)
	cdf, e := m.normal(z)
	return m.Mul(m.MulAdd(m.Mul(e, m.K(1/math.Sqrt(2*math.Pi))), z, cdf), a)
}

// normal is Φ(z) and e^(−z²/2), both with a relative error of about z²ε at most: with s = |z|, Φ(−s) is e^(−s²/2)·P(u)/(s+k),
// u = s/(s+k), and Φ(s) = 1 − Φ(−s). Where Φ is large u is small, and its rounding does not matter.
func (m *Math) normal(z V) (cdf, e V) {
	p, k, largest := mills32, 2.75, 16.0
	if m.Bits == 64 {
		p, k, largest = mills64, 3.5, 40
	}
	e = m.ExpNegative(m.Mul(m.Mul(z, z), m.K(-0.5)))
	s := m.ClampAbove(m.Abs(z), largest)
	r := m.Reciprocal(m.Add(s, m.K(k)))
	u := m.Mul(s, r)
	tail := m.Mul(m.Mul(m.EvenOdd(u, m.Mul(u, u), p), r), e)
	return m.Blend(m.Negative(z), m.Sub(m.shared(m.K(1), len(z)), tail), tail), e
}

// gateFar is where a gate has long been 0 or 1. Beyond, a product of z with what the gate leaves would be ∞·0.
const gateFar = 1000

// gated is z·gate, and 0 where the gate is closed, at −∞ too.
func (m *Math) gated(z, gate V) V {
	return m.Mul(m.Where(m.Compare(NotEqual, gate, m.K(0)), z), gate)
}

// The tanh form of gelu is ½z(1 + tanh w) = z·σ(2w) with 2w = z(geluA + geluB·z²).
const (
	geluA = 2 * math.Sqrt2 / math.SqrtPi
	geluB = geluA * 0.044715
)

// GELUTanh is z·σ(u), GELUTanhSlope a·σ(u)(1 + z·u′·σ(−u)), u = 2w.
func (m *Math) GELUTanh(z V) V {
	return m.gated(z, m.Sigmoid(m.Mul(m.MulAdd(m.Mul(z, z), m.shared(m.K(geluB), len(z)), m.K(geluA)), z)))
}

func (m *Math) GELUTanhSlope(a, z V) V {
	z = m.Clamp(z, -gateFar, gateFar)
	square := m.Mul(z, z)
	u := m.Mul(m.MulAdd(m.Copy(square), m.shared(m.K(geluB), len(z)), m.K(geluA)), z)
	v := m.Mul(m.MulAdd(square, m.shared(m.K(3*geluB), len(z)), m.K(geluA)), z)
	plus, minus := m.logistic(u)
	return m.Mul(m.Mul(m.MulAdd(minus, v, m.K(1)), plus), a)
}
