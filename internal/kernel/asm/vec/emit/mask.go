package emit

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A Mask holds a truth value for each lane of a group of vectors. On AVX2 it is vectors of the same shape, true where the
// sign bit is set (comparisons set all bits of a lane); on AVX-512 it is mask registers with one bit for each lane.
type Mask []reg.Register

// vectors are the registers of an AVX2 mask as vectors.
func (k Mask) vectors() V {
	v := make(V, len(k))
	for i := range k {
		v[i] = k[i].(reg.VecVirtual)
	}
	return v
}

func (v V) mask() Mask {
	k := make(Mask, len(v))
	for i := range v {
		k[i] = v[i]
	}
	return k
}

// newMask returns fresh registers for the masks of n vectors.
func (m *Math) newMask(n int) Mask {
	if !m.Wide {
		return m.New(n).mask()
	}
	k := make(Mask, n)
	for i := range k {
		k[i] = m.K64()
	}
	return k
}

// K64 is a fresh mask register.
func (m *Math) K64() reg.OpmaskVirtual { return m.Context.K() }

// Predicates of Compare (the quiet ones).
const (
	Equal        = 0
	Less         = 17
	LessEqual    = 18
	Unordered    = 3
	NotEqual     = 4
	Different    = 12 // and ordered
	NotGreaterEq = 25
	GreaterEqual = 29
	Greater      = 30
)

// Compare is true in the lanes where the predicate holds for a and b.
func (m *Math) Compare(p uint8, a V, b Operand) Mask {
	d := m.newMask(len(a))
	b = m.source(b, len(a))
	for i := range a {
		pick(m, m.VCMPPS, m.VCMPPD)(operand.U8(p), b.at(i), a[i], d[i])
	}
	return d
}

// Negative is true in the lanes whose sign bit is set.
func (m *Math) Negative(a V) Mask {
	if !m.Wide {
		return a.mask()
	}
	d := m.newMask(len(a))
	for i := range a {
		pick(m, m.VPMOVD2M, m.VPMOVQ2M)(a[i], d[i])
	}
	return d
}

// Blend chooses b where mask is true, else a.
func (m *Math) Blend(mask Mask, a V, b Operand) V {
	d := m.New(len(a))
	b = m.source(b, len(a))
	for i := range a {
		if m.Wide {
			pick(m, m.VBLENDMPS, m.VBLENDMPD)(b.at(i), a[i], mask[i], d[i])
		} else {
			pick(m, m.VBLENDVPS, m.VBLENDVPD)(mask[i], b.at(i), a[i], d[i])
		}
	}
	return d
}

// Where is b where a comparison is true, else 0.
func (m *Math) Where(mask Mask, b Operand) V {
	if !m.Wide {
		return m.And(mask.vectors(), b)
	}
	d := m.New(len(mask))
	b = m.source(b, len(mask))
	for i := range mask {
		pick(m, m.VMOVUPS_Z, m.VMOVUPD_Z)(b.at(i), mask[i], d[i])
	}
	return d
}

// NaNWhere is NaN where a comparison is true, else a.
func (m *Math) NaNWhere(mask Mask, a V) V {
	if !m.Wide {
		return m.Or(a, mask.vectors())
	}
	return m.Blend(mask, a, m.NaN())
}

// NaN is a quiet NaN.
func (m *Math) NaN() Operand { f := m.format(); return m.KBits((4*f.bias + 3) << (f.mantissa - 1)) }

// Either is true where one of two masks is.
func (m *Math) Either(a, b Mask) Mask {
	if !m.Wide {
		return m.Or(a.vectors(), b.vectors()).mask()
	}
	d := m.newMask(len(a))
	for i := range a {
		m.KORW(b[i], a[i], d[i])
	}
	return d
}

// False is a mask that is nowhere true.
func (m *Math) False() Mask {
	k := m.newMask(1)
	if m.Wide {
		m.KXORW(k[0], k[0], k[0])
	} else {
		m.VXORPS(k[0], k[0], k[0])
	}
	return k
}

// CopyMask copies b into the registers of a.
func (m *Math) CopyMask(a, b Mask) {
	for i := range a {
		if m.Wide {
			m.KMOVQ(b[i], a[i])
		} else {
			m.VMOVAPS(b[i], a[i])
		}
	}
}

// JumpIfNone goes to label if no lane of the mask is true.
func (m *Math) JumpIfNone(k Mask, label string) {
	if m.Wide {
		m.KTESTW(k[0], k[0])
	} else {
		any := m.GP32()
		m.VMOVMSKPS(k[0], any)
		m.TESTL(any, any)
	}
	m.JE(operand.LabelRef(label))
}
