package emit

// ReLU is max(0, x); x is the operand that passes through, so NaN stays.
func (m *Math) ReLU(x V) V { return m.ClampBelow(x, 0) }

// Sign is ±1 with the sign of x, or x itself where it is ±0 or NaN.
func (m *Math) Sign(x V) V {
	one := m.Or(m.SignOf(x), m.K(1))
	keep := m.Compare(Different, x, m.K(0))
	return m.Blend(keep, x, one)
}

// Max and Min take both orders of the processor's instruction, which differ where an operand is NaN or both are zeros.
// For Max the conjunction of the two makes +0 of ±0, and NaN is put back; for Min the disjunction makes −0 of ±0 and any
// NaN stays one.
func (m *Math) Max(a, b V) V {
	both := m.And(m.MaxOf(a, b), m.MaxOf(b, a))
	return m.NaNWhere(m.Compare(Unordered, a, b), both)
}

func (m *Math) Min(a, b V) V { return m.Or(m.MinOf(a, b), m.MinOf(b, a)) }

// Reciprocal is 1/x.
func (m *Math) Reciprocal(x V) V { return m.Div(m.shared(m.K(1), len(x)), x) }

// Truth is 1 where the predicate holds for a and b, else 0.
func (m *Math) Truth(predicate uint8, a V, b Operand) V {
	return m.Where(m.Compare(predicate, a, b), m.K(1))
}
