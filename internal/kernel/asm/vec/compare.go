package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

var comparisons = []struct {
	name, sign string
	predicate  uint8
}{
	{"less", "<", emit.Less},
	{"lessEqual", "≤", emit.LessEqual},
	{"equal", "=", emit.Equal},
	{"notEqual", "≠", emit.NotEqual},
	{"greater", ">", emit.Greater},
	{"greaterEqual", "≥", emit.GreaterEqual},
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
			f.compareBytes(m, k.name, k.sign, k.predicate, false)
			f.compareBytes(m, k.name, k.sign, k.predicate, true)
		}
		f.elementwise(m, "selectValues", "dst = a where cond ≠ 0, else b", []string{"cond", "a", "b"}, false, 2,
			func(in []emit.V, _ reg.VecVirtual) emit.V {
				return m.Blend(m.Compare(emit.NotEqual, in[0], m.K(0)), in[2], in[1])
			})
		f.selectBytes(m)
	}
}

// compareBytes is a comparison into bools, 8 elements at a time; the rest (len(dst) mod 8) is left to the caller.
func (f *file) compareBytes(m *emit.Math, name, sign string, predicate uint8, scalar bool) {
	t := fmt.Sprintf("float%d", m.Bits)
	second, suffix := "b []"+t, ""
	if scalar {
		second, suffix = "s "+t, "Scalar"
	}
	full := fmt.Sprintf("%s%sBytesAVX2F%d", name, suffix, m.Bits)
	f.Function(full)
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr("func(dst []bool, a []" + t + ", " + second + ")")
	f.Doc(fmt.Sprintf("%s sets dst = a %s %c for the first ⌊len(dst)/8⌋·8 elements.", full, sign, second[0]))
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
		masks[k] = m.Compare(predicate, x, y)[0]
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
	f.VZEROUPPER()
	f.RET()
}

// selectBytes is the selection by bools, a vector at a time; the rest is left to the caller.
func (f *file) selectBytes(m *emit.Math) {
	t := fmt.Sprintf("[]float%d", m.Bits)
	w := m.Width()
	full := fmt.Sprintf("selectBytesAVX2F%d", m.Bits)
	f.Function(full)
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr("func(dst " + t + ", cond []bool, a, b " + t + ")")
	f.Doc(fmt.Sprintf("%s sets dst to a where cond holds, else to b, for the first ⌊len(dst)/%d⌋·%d elements.", full, w, w))
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	n := f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	cond := f.Load(f.Param("cond").Base(), f.GP64()).(reg.GPVirtual)
	a := f.Load(f.Param("a").Base(), f.GP64()).(reg.GPVirtual)
	b := f.Load(f.Param("b").Base(), f.GP64()).(reg.GPVirtual)
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
	f.VMOVUPS(m.Blend(emit.V{mask}, x, y)[0], operand.Mem{Base: dst})
	for _, p := range []reg.GPVirtual{dst, a, b} {
		f.ADDQ(operand.U32(32), p)
	}
	f.ADDQ(operand.U32(w), cond)
	f.SUBQ(operand.U32(w), n)
	f.JMP(operand.LabelRef("group"))
	f.Label("done")
	f.VZEROUPPER()
	f.RET()
}
