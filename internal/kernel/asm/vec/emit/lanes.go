// Package emit writes vector arithmetic as AVX2+FMA or AVX-512 instructions through avo. A function here is the readable
// form of a kernel: it takes vectors, emits the instructions of one formula, and returns the vectors with the result. The
// formulas are the same for both sets of instructions; what differs is the width of a vector, where the truth of a lane is
// kept (see Mask), and the few operations for which AVX-512 has an instruction of its own.
package emit

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Math emits code for vectors of one element type, Bits = 32 or 64 wide.
type Math struct {
	*build.Context
	Bits      int
	Wide      bool // 512-bit vectors and mask registers, else 256 bits
	constants map[string]operand.Mem
}

// New returns emitters that add to c. Both element types of one file share its constants.
func New(c *build.Context, wide bool) (f32, f64 *Math) {
	constants := map[string]operand.Mem{}
	return &Math{c, 32, wide, constants}, &Math{c, 64, wide, constants}
}

// V is a group of vectors on which every instruction is emitted in turn, so that their latencies overlap.
type V []reg.VecVirtual

// Operand is a group of vectors or one constant for all of them.
type Operand interface{ at(i int) operand.Op }

func (v V) at(i int) operand.Op { return v[i] }

type constant struct{ mem operand.Mem }

func (c constant) at(int) operand.Op { return c.mem }

// New returns fresh registers for n vectors.
func (m *Math) New(n int) V {
	v := make(V, n)
	for i := range v {
		if m.Wide {
			v[i] = m.ZMM()
		} else {
			v[i] = m.YMM()
		}
	}
	return v
}

// Size is the size of an element in bytes, VectorBytes that of a vector, Width the number of elements of a vector.
func (m *Math) Size() int  { return m.Bits / 8 }
func (m *Math) Width() int { return m.VectorBytes() / m.Size() }
func (m *Math) VectorBytes() int {
	if m.Wide {
		return 64
	}
	return 32
}

// K is a floating-point constant in every lane, KBits one given by its bits.
func (m *Math) K(v float64) Operand {
	if m.Bits == 32 {
		return m.KBits(uint64(math.Float32bits(float32(v))))
	}
	return m.KBits(math.Float64bits(v))
}

func (m *Math) KBits(bits uint64) Operand {
	name := fmt.Sprintf("k%d_%0*x", m.Bits, m.Bits/4, bits)
	mem, ok := m.constants[name]
	if !ok {
		mem = m.StaticGlobal(name)
		m.DataAttributes(attr.RODATA | attr.NOPTR)
		lanes := m.Width()
		if m.Wide { // broadcast when it is loaded: Go aligns data to 32 bytes, so whole vectors would straddle cache lines
			lanes = 1
		}
		for range lanes {
			if m.Bits == 32 {
				m.AppendDatum(operand.U32(bits))
			} else {
				m.AppendDatum(operand.U64(bits))
			}
		}
		m.constants[name] = mem
	}
	return constant{mem}
}

// instruction is an avo instruction of any number of operands, in Go's order: sources first, destination last.
type instruction = func(ops ...operand.Op)

// pick is the form of an instruction for the elements of m.
func pick[F any](m *Math, single, double F) F {
	if m.Bits == 32 {
		return single
	}
	return double
}

// shared returns n vectors that are one register holding k, to be read only.
func (m *Math) shared(k Operand, n int) V {
	r := m.Load(k, 1)[0]
	v := make(V, n)
	for i := range v {
		v[i] = r
	}
	return v
}

// source loads a constant once where several vectors read it: the processor loads only two vectors a cycle.
func (m *Math) source(b Operand, n int) Operand {
	if _, ok := b.(constant); ok && (n > 1 || m.Wide) {
		return m.shared(b, n)
	}
	return b
}

// two emits dst = a op b. b may be a constant; a must be vectors.
func (m *Math) two(f instruction, a V, b Operand) V {
	d := m.New(len(a))
	b = m.source(b, len(a))
	for i := range a {
		f(b.at(i), a[i], d[i])
	}
	return d
}

// into emits dst = dst op (a, b), the form of the fused multiply-adds.
func (m *Math) into(f instruction, b Operand, a, dst V) V {
	b = m.source(b, len(dst))
	for i := range dst {
		f(b.at(i), a[i], dst[i])
	}
	return dst
}

func (m *Math) Add(a V, b Operand) V { return m.two(pick(m, m.VADDPS, m.VADDPD), a, b) }
func (m *Math) Sub(a V, b Operand) V { return m.two(pick(m, m.VSUBPS, m.VSUBPD), a, b) }
func (m *Math) Mul(a V, b Operand) V { return m.two(pick(m, m.VMULPS, m.VMULPD), a, b) }
func (m *Math) Div(a V, b Operand) V { return m.two(pick(m, m.VDIVPS, m.VDIVPD), a, b) }
func (m *Math) And(a V, b Operand) V { return m.two(pick(m, m.VANDPS, m.VANDPD), a, b) }
func (m *Math) Or(a V, b Operand) V  { return m.two(pick(m, m.VORPS, m.VORPD), a, b) }
func (m *Math) Xor(a V, b Operand) V { return m.two(pick(m, m.VXORPS, m.VXORPD), a, b) }

// MaxOf and MinOf return b where either operand is NaN and where both are zeros: the second operand passes through.
func (m *Math) MaxOf(a V, b Operand) V { return m.two(pick(m, m.VMAXPS, m.VMAXPD), a, b) }
func (m *Math) MinOf(a V, b Operand) V { return m.two(pick(m, m.VMINPS, m.VMINPD), a, b) }

// IAdd and ISub are integer sums of lanes.
func (m *Math) IAdd(a V, b Operand) V { return m.two(pick(m, m.VPADDD, m.VPADDQ), a, b) }
func (m *Math) ISub(a V, b Operand) V { return m.two(pick(m, m.VPSUBD, m.VPSUBQ), a, b) }

// MulAdd sets p = p·a + b, MulSubFrom sets p = p − a·b, AddMul sets p = p + a·b, each rounded once, and returns p.
func (m *Math) MulAdd(p, a V, b Operand) V {
	return m.into(pick(m, m.VFMADD213PS, m.VFMADD213PD), b, a, p)
}
func (m *Math) MulSubFrom(p, a V, b Operand) V {
	return m.into(pick(m, m.VFNMADD231PS, m.VFNMADD231PD), b, a, p)
}
func (m *Math) AddMul(p, a V, b Operand) V {
	return m.into(pick(m, m.VFMADD231PS, m.VFMADD231PD), b, a, p)
}

// Load copies a constant into n registers.
func (m *Math) Load(k Operand, n int) V {
	d := m.New(n)
	load := pick(m, m.VMOVUPS, m.VMOVUPD)
	if _, ok := k.(constant); ok && m.Wide {
		load = m.Broadcast
	}
	for i := range d {
		load(k.at(i), d[i])
	}
	return d
}

// Broadcast fills the vector that is its second operand with the element in memory that is its first.
func (m *Math) Broadcast(ops ...operand.Op) { pick(m, m.VBROADCASTSS, m.VBROADCASTSD)(ops...) }

// Copy returns a in registers of its own.
func (m *Math) Copy(a V) V { return m.Load(a, len(a)) }

// Sqrt is the correctly rounded root.
func (m *Math) Sqrt(a V) V {
	d := m.New(len(a))
	for i := range a {
		pick(m, m.VSQRTPS, m.VSQRTPD)(a[i], d[i])
	}
	return d
}

// Round rounds to an integer: mode 0 to the nearest even, 1 down, 2 up, 3 towards 0; 8 suppresses the inexact exception.
func (m *Math) Round(a V, mode uint8) V {
	d := m.New(len(a))
	for i := range a {
		if m.Wide {
			pick(m, m.VRNDSCALEPS, m.VRNDSCALEPD)(operand.U8(mode|8), a[i], d[i])
		} else {
			pick(m, m.VROUNDPS, m.VROUNDPD)(operand.U8(mode|8), a[i], d[i])
		}
	}
	return d
}

// Scale is a·2ⁿ for integers n, rounded once. AVX-512 alone has it.
func (m *Math) Scale(a V, n Operand) V { return m.two(pick(m, m.VSCALEFPS, m.VSCALEFPD), a, n) }

// ShiftLeft and ShiftRight move the bits of each lane.
func (m *Math) ShiftLeft(a V, n int) V {
	d := m.New(len(a))
	for i := range a {
		pick(m, m.VPSLLD, m.VPSLLQ)(operand.U8(n), a[i], d[i])
	}
	return d
}

func (m *Math) ShiftRight(a V, n int) V {
	d := m.New(len(a))
	for i := range a {
		pick(m, m.VPSRLD, m.VPSRLQ)(operand.U8(n), a[i], d[i])
	}
	return d
}

// Clamp limits a to [lo, hi] and lets NaN through.
func (m *Math) Clamp(a V, lo, hi float64) V {
	return m.ClampBelow(m.ClampAbove(a, hi), lo)
}

// ClampAbove is min(a, hi), NaN passes. ClampBelow is max(a, lo).
func (m *Math) ClampAbove(a V, hi float64) V { return m.MinOf(m.shared(m.K(hi), len(a)), a) }
func (m *Math) ClampBelow(a V, lo float64) V { return m.MaxOf(m.shared(m.K(lo), len(a)), a) }

// Polynomial is c₀ + c₁x + … by Horner's rule.
func (m *Math) Polynomial(x V, c []float64) V {
	p := m.Load(m.K(c[len(c)-1]), len(x))
	for k := len(c) - 2; k >= 0; k-- {
		p = m.MulAdd(p, x, m.K(c[k]))
	}
	return p
}

// EvenOdd is the same polynomial as E(z) + x·O(z), z = x²: one product more, half the chain of dependent steps.
func (m *Math) EvenOdd(x, z V, c []float64) V {
	var even, odd []float64
	for k, v := range c {
		if k%2 == 0 {
			even = append(even, v)
		} else {
			odd = append(odd, v)
		}
	}
	return m.MulAdd(m.Polynomial(z, odd), x, m.Polynomial(z, even))
}

func (m *Math) signBit() Operand {
	return m.KBits(1 << (m.Bits - 1))
}

func (m *Math) magnitude() Operand {
	return m.KBits(1<<(m.Bits-1) - 1)
}

// Abs clears the sign, SignOf keeps only it, Neg flips it.
func (m *Math) Abs(a V) V    { return m.And(a, m.magnitude()) }
func (m *Math) SignOf(a V) V { return m.And(a, m.signBit()) }
func (m *Math) Neg(a V) V    { return m.Xor(a, m.signBit()) }
