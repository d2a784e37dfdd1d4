package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

var comparisons = []comparison{
	{"less", "Less", "<", emit.Less},
	{"lessEqual", "LessEqual", "≤", emit.LessEqual},
	{"equal", "Equal", "=", emit.Equal},
	{"notEqual", "NotEqual", "≠", emit.NotEqual},
	{"greater", "Greater", ">", emit.Greater},
	{"greaterEqual", "GreaterEqual", "≥", emit.GreaterEqual},
}

type comparison struct {
	name, op, sign string
	predicate      uint8
}

// compareAndSelect is the comparisons, as numbers 1 and 0 and as bytes, and the two forms of selection.
func compareAndSelect(f *file) {
	for _, bits := range []int{32, 64} {
		m := f.math(bits)
		for _, k := range comparisons {
			f.elementwise(m, k.name+"Truth", "dst = 1 where a "+k.sign+" b, else 0", []string{"a", "b"}, false, 2,
				func(in []emit.V, _ reg.VecVirtual) emit.V { return m.Truth(k.predicate, in[0], in[1]) })
			f.elementwise(m, k.name+"ScalarTruth", "dst = 1 where a "+k.sign+" s, else 0", []string{"a"}, true, 2,
				func(in []emit.V, s reg.VecVirtual) emit.V { return m.Truth(k.predicate, in[0], same(s, len(in[0]))) })
			f.offer("truth[Op"+k.op+"]", bits, k.name+"Truth", "")
			f.offer("struth[Op"+k.op+"]", bits, k.name+"ScalarTruth", "")
			f.compareBytes(m, k, false)
			f.compareBytes(m, k, true)
		}
		f.elementwise(m, "selectValues", "dst = a where cond ≠ 0, else b", []string{"cond", "a", "b"}, false, 2,
			func(in []emit.V, _ reg.VecVirtual) emit.V {
				return m.Blend(m.Compare(emit.NotEqual, in[0], m.K(0)), in[2], in[1])
			})
		f.offer("selectValues", bits, "selectValues", "")
		f.selectBytes(m)
	}
}

// compareBytes is a comparison into bools: on AVX2 8 elements at a time, with the rest (len(dst) mod 8) left to the caller.
func (f *file) compareBytes(m *emit.Math, c comparison, scalar bool) {
	t := fmt.Sprintf("float%d", m.Bits)
	second, name, field, wrap := "b []"+t, c.name+"Bytes", "compare[Op"+c.op+"]", "wholeThenRest"
	if scalar {
		second, name, field, wrap = "s "+t, c.name+"ScalarBytes", "cscalar[Op"+c.op+"]", "scalarWholeThenRest"
	}
	full, extent := f.kernel(name, m.Bits), ""
	if f.wide {
		wrap = ""
	} else {
		extent, wrap = " for the first ⌊len(dst)/8⌋·8 elements", wrap+"(%s, p."+field+")"
	}
	f.offer(field, m.Bits, name, wrap)
	f.begin(full, "func(dst []bool, a []"+t+", "+second+")", fmt.Sprintf("%s sets dst = a %s %c%s.", full, c.sign, second[0], extent))
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	a := f.Load(f.Param("a").Base(), f.GP64()).(reg.GPVirtual)
	var b reg.GPVirtual
	var s reg.VecVirtual
	if scalar {
		s = broadcastParam(f, m, "s")
	} else {
		b = f.Load(f.Param("b").Base(), f.GP64()).(reg.GPVirtual)
	}
	ones := f.XMM()
	f.VPCMPEQB(ones, ones, ones)
	f.VPABSB(ones, ones) // −1 → 1 in every byte
	if f.wide {
		f.compareVectors(m, c.predicate, dst, n, a, b, s, ones)
		f.end()
		return
	}
	f.Label("group")
	f.CMPQ(n, operand.U32(8))
	f.JL(operand.LabelRef("done"))
	vectors := 8 / m.Width()
	masks := make(emit.V, vectors)
	for k := range masks {
		x := m.New(1)
		f.VMOVUPS(operand.Mem{Base: a, Disp: 32 * k}, x[0])
		y := emit.V{s}
		if !scalar {
			y = m.New(1)
			f.VMOVUPS(operand.Mem{Base: b, Disp: 32 * k}, y[0])
		}
		masks[k] = m.Compare(c.predicate, x, y)[0].(reg.VecVirtual)
	}
	lo, hi := f.XMM(), f.XMM()
	if m.Bits == 64 { // 4 × 64 bits → 4 × 32, twice
		for k, half := range []reg.VecVirtual{lo, hi} {
			top := f.XMM()
			f.VEXTRACTF128(operand.U8(1), masks[k], top)
			f.VSHUFPS(operand.U8(0b10001000), top, masks[k].AsX(), half)
		}
	} else {
		f.VEXTRACTF128(operand.U8(1), masks[0], hi)
		f.VMOVAPS(masks[0].AsX(), lo)
	}
	f.VPACKSSDW(hi, lo, lo)
	f.VPACKSSWB(lo, lo, lo)
	f.VPAND(ones, lo, lo)
	f.VMOVQ(lo, operand.Mem{Base: dst})
	f.ADDQ(operand.U32(8), dst)
	f.ADDQ(operand.U32(8*m.Size()), a)
	if !scalar {
		f.ADDQ(operand.U32(8*m.Size()), b)
	}
	f.SUBQ(operand.U32(8), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.end()
}

// compareVectors is the loop of compareBytes on AVX-512: the bits of a mask register become bytes. s stands for b where b is nil.
func (f *file) compareVectors(m *emit.Math, predicate uint8, dst, n, a, b reg.GPVirtual, s, ones reg.VecVirtual) {
	l := &loop{file: f, m: m, n: n, inputs: []reg.GPVirtual{a}, bytes: []reg.GPVirtual{dst}}
	if b != nil {
		l.inputs = append(l.inputs, b)
	}
	compare := func(in []emit.V) emit.Mask {
		if b == nil {
			return m.Compare(predicate, in[0], same(s, len(in[0])))
		}
		return m.Compare(predicate, in[0], in[1])
	}
	w := m.Width()
	truth := f.XMM()
	l.run(4, func(count int) {
		for k, holds := range compare(l.load(count)) {
			f.VMOVDQU8_Z(ones, holds, truth)
			if at := (operand.Mem{Base: dst, Disp: w * k}); w == 16 {
				f.VMOVDQU(truth, at)
			} else {
				f.VMOVQ(truth, at)
			}
		}
	}, func(mask emit.Mask) {
		lanes := mask[0]
		if w == 8 { // not all of the sixteen bytes
			lanes = m.K64()
			f.KMOVB(mask[0], lanes)
		}
		f.VMOVDQU8_Z(ones, compare(l.loadPartial(mask))[0], truth)
		f.VMOVDQU8(truth, lanes, operand.Mem{Base: dst})
	})
}

// selectBytes is the selection by bools; on AVX2 a vector at a time, with the rest left to the caller.
func (f *file) selectBytes(m *emit.Math) {
	t := fmt.Sprintf("[]float%d", m.Bits)
	w := m.Width()
	full, extent, wrap := f.kernel("selectBytes", m.Bits), "", ""
	if !f.wide {
		extent, wrap = fmt.Sprintf(" for the first ⌊len(dst)/%d⌋·%d elements", w, w), "selectsThenRest(%s, p.selects)"
	}
	f.offer("selects", m.Bits, "selectBytes", wrap)
	f.begin(full, "func(dst "+t+", cond []bool, a, b "+t+")", full+" sets dst to a where cond holds, else to b"+extent+".")
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	cond := f.Load(f.Param("cond").Base(), f.GP64()).(reg.GPVirtual)
	a := f.Load(f.Param("a").Base(), f.GP64()).(reg.GPVirtual)
	b := f.Load(f.Param("b").Base(), f.GP64()).(reg.GPVirtual)
	if f.wide {
		f.selectVectors(m, dst, n, cond, a, b)
		f.end()
		return
	}
	zero := f.YMM()
	f.VPXOR(zero, zero, zero)
	f.Label("group")
	f.CMPQ(n, operand.U32(w))
	f.JL(operand.LabelRef("done"))
	mask := f.YMM()
	if m.Bits == 32 {
		f.VPMOVZXBD(operand.Mem{Base: cond}, mask)
		f.VPCMPEQD(zero, mask, mask)
	} else {
		f.VPMOVZXBQ(operand.Mem{Base: cond}, mask)
		f.VPCMPEQQ(zero, mask, mask)
	}
	x, y := m.New(1), m.New(1)
	f.VMOVUPS(operand.Mem{Base: a}, x[0])
	f.VMOVUPS(operand.Mem{Base: b}, y[0])
	f.VMOVUPS(m.Blend(emit.Mask{mask}, x, y)[0], operand.Mem{Base: dst})
	for _, p := range []reg.GPVirtual{dst, a, b} {
		f.ADDQ(operand.U32(32), p)
	}
	f.ADDQ(operand.U32(w), cond)
	f.SUBQ(operand.U32(w), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.end()
}

// selectVectors is the loop of selectBytes on AVX-512: bytes become the bits of a mask register.
func (f *file) selectVectors(m *emit.Math, dst, n, cond, a, b reg.GPVirtual) {
	l := &loop{file: f, m: m, n: n, dst: dst, inputs: []reg.GPVirtual{a, b}, bytes: []reg.GPVirtual{cond}}
	w := m.Width()
	holds := func(bytes reg.VecVirtual) emit.Mask {
		k := m.K64()
		f.VPTESTMB(bytes, bytes, k)
		return emit.Mask{k}
	}
	l.run(4, func(count int) {
		in := l.load(count)
		for k := range count {
			bytes := f.XMM()
			if at := (operand.Mem{Base: cond, Disp: w * k}); w == 16 {
				f.VMOVDQU(at, bytes)
			} else {
				f.VMOVQ(at, bytes)
			}
			in[0][k] = m.Blend(holds(bytes), in[1][k:k+1], in[0][k:k+1])[0]
		}
		l.store(in[0])
	}, func(mask emit.Mask) {
		bytes := f.XMM()
		f.VMOVDQU8_Z(operand.Mem{Base: cond}, mask[0], bytes)
		in := l.loadPartial(mask)
		f.partialStore(m, mask, m.Blend(holds(bytes), in[1], in[0]), dst, n)
	})
}
