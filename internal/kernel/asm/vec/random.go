package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// random is Philox 4×32-10 on a counter for each 64-bit lane of two vectors, a 32-bit word to a lane: the multiplication
// reads the low half of a lane only, so what the rounds leave in the high halves never matters. See random_philox.go for
// the generator. All sets of kernels draw the same numbers.
func random(f *file) {
	f.philox("philoxWords", 0, "[]uint32", "the words themselves", func(words emit.V) emit.V { return words })
	f.philox("uniform", 32, "[]float32", "their top 24 bits as fractions", func(words emit.V) emit.V {
		m := f.f32
		top := m.ShiftRight(words, 8)
		for k := range top {
			f.VCVTDQ2PS(top[k], top[k])
		}
		return m.Mul(top, m.K(0x1p-24))
	})
	f.philox("uniform", 64, "[]float64", "the top 53 bits of each two as fractions", func(words emit.V) emit.V {
		return f.f64.Mul(f.integer(f.f64.ShiftRight(words, 11)), f.f64.K(0x1p-53))
	})
	f.normals(32)
	f.normals(64)
}

// integer is the integers in 64-bit lanes as numbers: their halves become 2⁸⁴ + 2³²·high and 2⁵² + low by their bits alone;
// the difference is exact and the sum is rounded once.
func (f *file) integer(x emit.V) emit.V {
	m := f.f64
	high := m.Or(m.ShiftRight(x, 32), m.K(0x1p84))
	return m.Add(m.Sub(high, m.K(0x1p84+0x1p52)), f.lowHalf(x))
}

// lowHalf is 2⁵² + the low half of each lane.
func (f *file) lowHalf(x emit.V) emit.V {
	return f.f64.Or(f.f64.And(x, f.f64.KBits(1<<32-1)), f.f64.K(0x1p52))
}

// normals makes normally distributed numbers of random words, in float64 for both types, as many vectors of pairs at a time
// as the registers allow.
func (f *file) normals(bits int) {
	f.offer("normals", bits, "normals", "")
	largest := 4 // vectors of four pairs
	if f.wide {
		largest = 2
	}
	for unroll := largest; ; unroll /= 2 {
		if emit := func(f *file) { f.normalsUnrolled(bits, unroll) }; unroll == 1 || f.fits(emit) {
			emit(f)
			return
		}
	}
}

func (f *file) normalsUnrolled(bits, unroll int) {
	m := f.f64
	full := f.kernel("normals", bits)
	f.begin(full, fmt.Sprintf("func(dst []float%d, words []uint32)", bits), full+" sets dst to pairs of normal numbers, from the words of random_normal.go; len(dst) is a multiple of 32.")
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	words := f.Load(f.Param("words").Base(), f.GP64()).(reg.GPVirtual)
	load := func(count int) emit.V {
		x := m.New(count)
		for k := range x {
			f.VMOVUPS(operand.Mem{Base: words, Disp: k * m.VectorBytes()}, x[k])
		}
		f.ADDQ(operand.U32(count*m.VectorBytes()), words)
		return x
	}
	f.Label("group")
	f.TESTQ(n, n)
	f.JE(operand.LabelRef("done"))
	if bits == 32 {
		x := load(unroll)
		u := m.Mul(m.Sub(f.lowHalf(x), m.K(0x1p52-0.5)), m.K(0x1p-32)) // low word + ½
		v := m.Mul(m.Sub(m.Or(m.ShiftRight(x, 32), m.K(0x1p52)), m.K(0x1p52)), m.K(0x1p-32))
		a, b := m.Normals(u, v)
		for k := range a {
			f.storePairs32(a[k], b[k], operand.Mem{Base: dst, Disp: k * m.VectorBytes()})
		}
		f.ADDQ(operand.U32(unroll*m.VectorBytes()), dst)
	} else {
		// Two vectors of 64-bit words hold first and second words in turn; unpacking puts the firsts of both together, and
		// the results unpack to the order of the words.
		x := load(2 * unroll)
		first, second := m.New(unroll), m.New(unroll)
		for k := range first {
			f.VUNPCKLPD(x[2*k+1], x[2*k], first[k])
			f.VUNPCKHPD(x[2*k+1], x[2*k], second[k])
		}
		u := m.Mul(m.Add(f.integer(first), m.K(0.5)), m.K(0x1p-64))
		v := m.Mul(f.integer(m.ShiftRight(second, 11)), m.K(0x1p-53))
		a, b := m.Normals(u, v)
		for k := range a {
			y := m.New(2)
			f.VUNPCKLPD(b[k], a[k], y[0])
			f.VUNPCKHPD(b[k], a[k], y[1])
			f.VMOVUPS(y[0], operand.Mem{Base: dst, Disp: 2 * k * m.VectorBytes()})
			f.VMOVUPS(y[1], operand.Mem{Base: dst, Disp: (2*k + 1) * m.VectorBytes()})
		}
		f.ADDQ(operand.U32(2*unroll*m.VectorBytes()), dst)
	}
	f.SUBQ(operand.U32(2*unroll*m.Width()), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.end()
}

// storePairs32 writes a and b, rounded to float32, in turn.
func (f *file) storePairs32(a, b reg.VecVirtual, at operand.Mem) {
	if f.wide {
		f.VCVTPD2PS(a, a.AsY())
		f.VCVTPD2PS(b, b.AsY())
		f.VPMOVZXDQ(a.AsY(), a)
		f.VPMOVZXDQ(b.AsY(), b)
		f.VPSLLQ(operand.U8(32), b, b)
		f.VPORQ(a, b, b)
		f.VMOVUPS(b, at)
		return
	}
	f.VCVTPD2PSY(a, a.AsX())
	f.VCVTPD2PSY(b, b.AsX())
	y := f.XMM()
	f.VUNPCKLPS(b.AsX(), a.AsX(), y)
	f.VMOVUPS(y, at)
	f.VUNPCKHPS(b.AsX(), a.AsX(), y)
	f.VMOVUPS(y, at.Offset(16))
}

// philox emits name(dst, key, stream, block), which fills as many whole groups of blocks as dst holds; bits is 0 for words.
func (f *file) philox(name string, bits int, slice, what string, convert func(words emit.V) emit.V) {
	const groups = 2
	m := f.f64
	blocks := groups * m.Width()
	full, per := name+f.name, 4*blocks
	if bits != 0 {
		full, per = f.kernel(name, bits), 128/bits*blocks
		f.offer(name, bits, name, fmt.Sprintf("groupsThenRest(%%s, p.%s, %d, %d)", name, per, blocks))
	}
	f.begin(full, fmt.Sprintf("func(dst %s, key, stream, block uint64)", slice),
		fmt.Sprintf("%s sets the first ⌊len(dst)/%d⌋·%d elements of dst to the random words from block on: %s.", full, per, per, what))
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	rounds := f.GP64()
	key, stream := broadcastParam(f, m, "key"), broadcastParam(f, m, "stream")
	counter := m.New(1)
	f.VPADDQ(f.lanes(0, 1, 2, 3, 4, 5, 6, 7), broadcastParam(f, m, "block"), counter[0])
	next, vector := f.constant(uint64(blocks)), f.constant(uint64(m.Width()))
	m0, m1 := f.constant(0xD2511F53), f.constant(0xCD9E8D57)
	w0, w1 := f.constant(0x9E3779B9), f.constant(0xBB67AE85)

	f.Label("group")
	f.CMPQ(n, operand.U32(per))
	f.JL(operand.LabelRef("done"))
	c := [4]emit.V{m.New(groups), m.New(groups), m.New(groups), m.New(groups)}
	f.VMOVUPS(counter[0], c[0][0])
	f.VPADDQ(vector, counter[0], c[0][1])
	f.VPADDQ(next, counter[0], counter[0])
	for k := range groups {
		f.VPSRLQ(operand.U8(32), c[0][k], c[1][k])
		f.VMOVUPS(stream, c[2][k])
		f.VPSRLQ(operand.U8(32), stream, c[3][k])
	}
	keys := m.New(2)
	f.VMOVUPS(key, keys[0])
	f.VPSRLQ(operand.U8(32), key, keys[1])
	f.MOVQ(operand.U32(10), rounds)
	f.Label("round")
	for k := range groups {
		c0, c1, c2, c3 := c[0][k], c[1][k], c[2][k], c[3][k]
		p := m.New(2)
		f.VPMULUDQ(m0, c0, p[0])
		f.VPMULUDQ(m1, c2, p[1])
		f.VPSRLQ(operand.U8(32), p[1], c0)
		f.xor3(c0, c1, keys[0])
		f.VPSRLQ(operand.U8(32), p[0], c2)
		f.xor3(c2, c3, keys[1])
		f.VMOVAPS(p[1], c1)
		f.VMOVAPS(p[0], c3)
	}
	f.VPADDQ(w0, keys[0], keys[0])
	f.VPADDQ(w1, keys[1], keys[1])
	f.DECQ(rounds)
	f.JNE(operand.LabelRef("round"))
	for k := range groups {
		out := f.blockAfterBlock(f.pair(c[0][k], c[1][k]), f.pair(c[2][k], c[3][k]))
		for j, v := range convert(out) {
			f.VMOVUPS(v, operand.Mem{Base: dst, Disp: m.VectorBytes() * (2*k + j)})
		}
	}
	f.ADDQ(operand.U32(2*groups*m.VectorBytes()), dst)
	f.SUBQ(operand.U32(per), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.end()
}

// xor3 sets a = a ⊕ b ⊕ c.
func (f *file) xor3(a, b, c reg.VecVirtual) {
	if f.wide {
		f.VPTERNLOGQ(operand.U8(0x96), b, c, a)
		return
	}
	f.VPXOR(b, a, a)
	f.VPXOR(c, a, a)
}

// pair is the low half of each lane of high above that of low.
func (f *file) pair(low, high reg.VecVirtual) reg.VecVirtual {
	f.VPSLLQ(operand.U8(32), high, high)
	if f.wide { // the bits of low where the constant has them, else those of high
		out := f.f64.Load(f.f64.KBits(1<<32-1), 1)
		f.VPTERNLOGQ(operand.U8(0xca), high, low, out[0])
		return out[0]
	}
	f.VPBLENDD(operand.U8(0b01010101), low, high, high)
	return high
}

// blockAfterBlock puts the first and the second halves of a block next to each other.
func (f *file) blockAfterBlock(first, second reg.VecVirtual) emit.V {
	out := f.f64.New(2)
	if f.wide {
		f.VMOVUPS(f.lanes(0, 8, 1, 9, 2, 10, 3, 11), out[0])
		f.VMOVUPS(f.lanes(4, 12, 5, 13, 6, 14, 7, 15), out[1])
		f.VPERMI2Q(second, first, out[0])
		f.VPERMI2Q(second, first, out[1])
		return out
	}
	even, odd := f.YMM(), f.YMM()
	f.VPUNPCKLQDQ(second, first, even)
	f.VPUNPCKHQDQ(second, first, odd)
	f.VPERM2I128(operand.U8(0x20), odd, even, out[0])
	f.VPERM2I128(operand.U8(0x31), odd, even, out[1])
	return out
}

// constant is a vector of 64-bit lanes that all hold v, in memory where registers are few.
func (f *file) constant(v uint64) operand.Op {
	if f.wide {
		return f.f64.Load(f.f64.KBits(v), 1)[0]
	}
	return f.lanes(v, v, v, v)
}

// lanes is a constant with the given 64-bit lanes, as far as the vector reaches.
func (f *file) lanes(v ...uint64) operand.Mem {
	name := "lanes"
	v = v[:f.f64.Width()]
	for _, v := range v {
		name += fmt.Sprintf("_%x", v)
	}
	if mem, ok := f.constants[name]; ok {
		return mem
	}
	mem := f.StaticGlobal(name)
	f.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, v := range v {
		f.AppendDatum(operand.U64(v))
	}
	f.constants[name] = mem
	return mem
}
