package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// random is Philox 4×32-10 on eight counters at a time, a 32-bit word to a 64-bit lane: the multiplication reads the low
// half of a lane only, so what the rounds leave in the high halves never matters. See random_philox.go for the generator.
func random(f *file) {
	f.philox("philoxWordsAVX2", "[]uint32", "the words themselves", 32, func(words emit.V) emit.V { return words })
	f.philox("uniformAVX2F32", "[]float32", "their top 24 bits as fractions", 32, func(words emit.V) emit.V {
		m := f.f32
		top := m.ShiftRight(words, 8)
		for k := range top {
			f.VCVTDQ2PS(top[k], top[k])
		}
		return m.Mul(top, m.K(0x1p-24))
	})
	f.philox("uniformAVX2F64", "[]float64", "the top 53 bits of each two as fractions", 16, func(words emit.V) emit.V {
		// The halves of a 53-bit integer x become 2⁸⁴ + 2³²·high and 2⁵² + low by their bits alone; the sums are exact.
		m := f.f64
		x := m.ShiftRight(words, 11)
		high := m.Or(m.ShiftRight(x, 32), m.K(0x1p84))
		low := m.Or(m.And(x, m.KBits(1<<32-1)), m.K(0x1p52))
		return m.Mul(m.Add(m.Sub(high, m.K(0x1p84+0x1p52)), low), m.K(0x1p-53))
	})
}

// philox emits name(dst, key, stream, block), which fills as many whole groups of per elements (eight blocks) as dst holds.
func (f *file) philox(name, slice, what string, per int, convert func(words emit.V) emit.V) {
	const groups = 2
	m := f.f64
	f.Function(name)
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr(fmt.Sprintf("func(dst %s, key, stream, block uint64)", slice))
	f.Doc(fmt.Sprintf("%s sets the first ⌊len(dst)/%d⌋·%d elements of dst to the random words from block on: %s.", name, per, per, what))
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	rounds := f.GP64()
	key, stream := broadcastParam(f, m, "key"), broadcastParam(f, m, "stream")
	counter := m.New(1)
	f.VPADDQ(f.lanes(0, 1, 2, 3), broadcastParam(f, m, "block"), counter[0])

	f.Label("group")
	f.CMPQ(n, operand.U32(per))
	f.JL(operand.LabelRef("done"))
	c := [4]emit.V{m.New(groups), m.New(groups), m.New(groups), m.New(groups)}
	f.VMOVDQU(counter[0], c[0][0])
	f.VPADDQ(f.lanes(4, 4, 4, 4), counter[0], c[0][1])
	f.VPADDQ(f.lanes(8, 8, 8, 8), counter[0], counter[0])
	for k := range groups {
		f.VPSRLQ(operand.U8(32), c[0][k], c[1][k])
		f.VMOVDQU(stream, c[2][k])
		f.VPSRLQ(operand.U8(32), stream, c[3][k])
	}
	k0, k1 := f.YMM(), f.YMM()
	f.VMOVDQU(key, k0)
	f.VPSRLQ(operand.U8(32), key, k1)
	f.MOVQ(operand.U32(10), rounds)
	f.Label("round")
	for k := range groups {
		c0, c1, c2, c3 := c[0][k], c[1][k], c[2][k], c[3][k]
		p0, p1 := f.YMM(), f.YMM()
		f.VPMULUDQ(f.lanes(0xD2511F53), c0, p0)
		f.VPMULUDQ(f.lanes(0xCD9E8D57), c2, p1)
		f.VPSRLQ(operand.U8(32), p1, c0)
		f.VPXOR(c1, c0, c0)
		f.VPXOR(k0, c0, c0)
		f.VPSRLQ(operand.U8(32), p0, c2)
		f.VPXOR(c3, c2, c2)
		f.VPXOR(k1, c2, c2)
		f.VMOVDQA(p1, c1)
		f.VMOVDQA(p0, c3)
	}
	f.VPADDQ(f.lanes(0x9E3779B9), k0, k0)
	f.VPADDQ(f.lanes(0xBB67AE85), k1, k1)
	f.DECQ(rounds)
	f.JNE(operand.LabelRef("round"))
	for k := range groups {
		// Words 0 and 1 of four blocks side by side, words 2 and 3 likewise, then block after block.
		first, second := c[1][k], c[3][k]
		f.VPSLLQ(operand.U8(32), first, first)
		f.VPBLENDD(operand.U8(0b01010101), c[0][k], first, first)
		f.VPSLLQ(operand.U8(32), second, second)
		f.VPBLENDD(operand.U8(0b01010101), c[2][k], second, second)
		even, odd := f.YMM(), f.YMM()
		f.VPUNPCKLQDQ(second, first, even)
		f.VPUNPCKHQDQ(second, first, odd)
		out := m.New(2)
		f.VPERM2I128(operand.U8(0x20), odd, even, out[0])
		f.VPERM2I128(operand.U8(0x31), odd, even, out[1])
		for j, v := range convert(out) {
			f.VMOVUPS(v, operand.Mem{Base: dst, Disp: 64*k + 32*j})
		}
	}
	f.ADDQ(operand.U32(64*groups), dst)
	f.SUBQ(operand.U32(per), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.VZEROUPPER()
	f.RET()
}

// lanes is a constant of four 64-bit lanes; one value stands for four.
func (f *file) lanes(v ...uint64) operand.Mem {
	name := "lanes"
	for i := range 4 {
		name += fmt.Sprintf("_%x", v[i%len(v)])
	}
	if mem, ok := f.constants[name]; ok {
		return mem
	}
	mem := f.StaticGlobal(name)
	f.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 4 {
		f.AppendDatum(operand.U64(v[i%len(v)]))
	}
	f.constants[name] = mem
	return mem
}
