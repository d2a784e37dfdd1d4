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

// Swish is z·σ(βz), SwishSlope a·σ(t)(1 + t·σ(−t)) with t = βz.
func (m *Math) Swish(z, beta V) V { return m.Mul(m.Sigmoid(m.Mul(z, beta)), z) }

func (m *Math) SwishSlope(a, z, beta V) V {
	t := m.Mul(z, beta)
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
func (m *Math) GELU(z V) V { return m.Mul(m.normalCDF(z), z) }

func (m *Math) GELUSlope(a, z V) V {
	density := m.Mul(m.ExpNegative(m.Mul(m.Mul(z, z), m.K(-0.5))), m.K(1/math.Sqrt(2*math.Pi)))
	return m.Mul(m.MulAdd(density, z, m.normalCDF(z)), a)
}

// normalCDF is Φ(z) = ½(1 + erf(z/√2)): with t = |z|/√2, for t < 1 by the polynomial of the error function, beyond by
// ½erfc t = ½e^−Q(t) for z < 0 and 1 less that for z > 0, so that no digits of a small Φ cancel. Where erf would round to
// ±1, Φ is 0 or 1.
func (m *Math) normalCDF(z V) V {
	small, large, limit := erf32, erfc32, 4.0
	if m.Bits == 64 {
		small, large, limit = erf64, erfc64, 6
	}
	t := m.Mul(z, m.K(math.Sqrt2/2))
	a := m.Abs(t)
	e := m.expNormal(m.Neg(m.Polynomial(m.ClampAbove(a, limit), large)))
	e = m.Where(m.Compare(NotGreaterEq, a, m.K(limit)), m.Mul(e, m.K(0.5))) // and NaN
	far := m.Blend(m.Negative(z), m.Sub(m.shared(m.K(1), len(z)), e), e)
	near := m.MulAdd(m.Polynomial(m.Mul(t, t), small), t, t)
	near = m.MulAdd(near, m.shared(m.K(0.5), len(z)), m.K(0.5))
	return m.Blend(m.Compare(Less, a, m.K(1)), far, near)
}

// The tanh form of gelu is ½z(1 + tanh w) = z·σ(2w) with 2w = z(geluA + geluB·z²).
const (
	geluA = 2 * math.Sqrt2 / math.SqrtPi
	geluB = geluA * 0.044715
)

// GELUTanh is z·σ(u), GELUTanhSlope a·σ(u)(1 + z·u′·σ(−u)), u = 2w.
func (m *Math) GELUTanh(z V) V {
	return m.Mul(m.Sigmoid(m.Mul(m.MulAdd(m.Mul(z, z), m.shared(m.K(geluB), len(z)), m.K(geluA)), z)), z)
}

func (m *Math) GELUTanhSlope(a, z V) V {
	square := m.Mul(z, z)
	u := m.Mul(m.MulAdd(m.Copy(square), m.shared(m.K(geluB), len(z)), m.K(geluA)), z)
	v := m.Mul(m.MulAdd(square, m.shared(m.K(3*geluB), len(z)), m.K(geluA)), z)
	plus, minus := m.logistic(u)
	return m.Mul(m.Mul(m.MulAdd(minus, v, m.K(1)), plus), a)
}
