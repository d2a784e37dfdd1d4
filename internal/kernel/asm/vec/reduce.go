package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// A reduction folds groups of four vectors into four accumulators, single vectors into the first, and the accumulators in
// a fixed order: (0+1)+(2+3), upper half onto lower, odd onto even. Where a term is computed there is one accumulator, and
// the terms of a group are folded, last onto first, before they meet it.
type reduction struct {
	name, doc  string
	inputs     []string
	scalar     bool // a further parameter s
	store      bool // a first parameter dst that receives term's value
	start      float64
	accumulate func(m *emit.Math, acc, term emit.V) emit.V        // a new value of acc; may be in place
	term       func(m *emit.Math, in []emit.V, s emit.V) emit.V   // nil: the input itself
	fused      func(m *emit.Math, acc emit.V, in []emit.V) emit.V // instead of term and accumulate
	watchNaN   bool                                               // the fold loses NaN: look for it apart
}

func sumFold(m *emit.Math, acc, x emit.V) emit.V { return m.Add(acc, x) }

func (r reduction) emit(f *file, bits, unroll int) {
	m := f.math(bits)
	t := fmt.Sprintf("float%d", bits)
	full := fmt.Sprintf("%sAVX2F%d", r.name, bits)
	signature := "func("
	if r.store {
		signature += "dst, "
	}
	for i, in := range r.inputs {
		if i > 0 {
			signature += ", "
		}
		signature += in
	}
	signature += " []" + t
	if r.scalar {
		signature += ", s " + t
	}
	f.Function(full)
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr(signature + ") " + t)
	f.Doc(full + " " + r.doc + ".")
	l := &loop{file: f, m: m}
	l.n = f.Load(f.Param(r.inputs[0]).Len(), f.GP64()).(reg.GPVirtual)
	l.dst = f.GP64()
	if r.store {
		f.Load(f.Param("dst").Base(), l.dst)
	} else {
		f.XORQ(l.dst, l.dst)
	}
	for _, in := range r.inputs {
		l.inputs = append(l.inputs, f.Load(f.Param(in).Base(), f.GP64()).(reg.GPVirtual))
	}
	var s reg.VecVirtual
	if r.scalar {
		s = broadcastParam(f, m, "s")
	}
	accumulators := unroll
	if r.term != nil { // the term needs the registers
		accumulators = 1
	}
	acc := m.Load(m.K(r.start), accumulators)
	nan := m.New(1)
	if r.watchNaN {
		f.VXORPS(nan[0], nan[0], nan[0])
	}
	step := func(acc emit.V, in []emit.V) {
		var next emit.V
		if r.fused != nil {
			next = r.fused(m, acc, in)
		} else {
			x := in[0]
			if r.term != nil {
				x = r.term(m, in, same(s, len(x)))
			}
			if r.store {
				l.store(x)
			}
			for ; len(x) > len(acc); x = x[:len(x)-1] {
				x[len(x)-2] = r.accumulate(m, x[len(x)-2:len(x)-1], x[len(x)-1:])[0]
			}
			next = r.accumulate(m, acc, x)
		}
		f.move(acc, next)
		if r.watchNaN {
			x := in[0]
			for k := 0; k < len(x); k += 2 { // one comparison sees a NaN in either of two vectors
				f.move(nan, m.Or(nan, m.Compare(emit.Unordered, x[k:k+1], x[min(k+1, len(x)-1):][:1])))
			}
		}
	}
	w := m.Width()
	f.Label("group")
	f.CMPQ(l.n, operand.U32(w*unroll))
	f.JL(operand.LabelRef("single"))
	step(acc, l.load(unroll))
	l.advance(unroll)
	f.JMP(operand.LabelRef("group"))
	f.Label("single")
	f.CMPQ(l.n, operand.U32(w))
	f.JL(operand.LabelRef("tail"))
	step(acc[:1], l.load(1))
	l.advance(1)
	f.JMP(operand.LabelRef("single"))
	f.Label("tail")
	f.TESTQ(l.n, l.n)
	f.JE(operand.LabelRef("done"))
	mask := f.tailMask(m, l.n)
	r.lastStep(f, m, l, acc[:1], nan, mask, s)
	f.Label("done")
	for len(acc) > 1 {
		f.move(acc[:1], r.combine(m, acc[:1], acc[1:2]))
		if len(acc) == 4 {
			f.move(acc[2:3], r.combine(m, acc[2:3], acc[3:4]))
			acc = emit.V{acc[0], acc[2]}
			continue
		}
		acc = append(emit.V{acc[0]}, acc[2:]...)
	}
	for _, half := range []uint8{0, 1, 2} {
		if half == 2 && bits == 64 {
			break
		}
		other := f.YMM()
		switch {
		case half == 0:
			f.VEXTRACTF128(operand.U8(1), acc[0], other.AsX())
		case half == 1:
			f.VPERMILPD(operand.U8(1), acc[0].AsX(), other.AsX())
		default:
			f.VPERMILPS(operand.U8(1), acc[0].AsX(), other.AsX())
		}
		f.move(acc[:1], r.combine(m, acc[:1], emit.V{other}))
	}
	if r.watchNaN {
		any := f.GP32()
		f.VMOVMSKPS(nan[0], any)
		f.TESTL(any, any)
		f.JE(operand.LabelRef("ordered"))
		f.move(acc[:1], m.Load(m.KBits(nanBits(bits)), 1))
		f.Label("ordered")
	}
	result, err := f.ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	if bits == 32 {
		f.VMOVSS(acc[0].AsX(), result.Addr)
	} else {
		f.VMOVSD(acc[0].AsX(), result.Addr)
	}
	f.VZEROUPPER()
	f.RET()
}

func nanBits(bits int) uint64 {
	if bits == 32 {
		return 0x7fc00000
	}
	return 0x7ff8000000000000
}

// combine folds two accumulators, whatever the terms are.
func (r reduction) combine(m *emit.Math, a, b emit.V) emit.V {
	if r.fused != nil {
		return m.Add(a, b)
	}
	return r.accumulate(m, a, b)
}

// lastStep folds the partial vector: lanes beyond the end take part with the start value.
func (r reduction) lastStep(f *file, m *emit.Math, l *loop, acc, nan emit.V, mask, s reg.VecVirtual) {
	in := make([]emit.V, len(l.inputs))
	for i, p := range l.inputs {
		in[i] = emit.V{f.maskedLoad(m, mask, p)}
	}
	if r.fused != nil { // zeros add nothing
		f.move(acc, r.fused(m, acc, in))
		return
	}
	if r.watchNaN {
		f.move(nan, m.Or(nan, m.Compare(emit.Unordered, in[0], in[0])))
	}
	x := in[0]
	if r.term != nil {
		x = r.term(m, in, emit.V{s})
	}
	start := m.Load(m.K(r.start), 1)
	f.move(acc, r.accumulate(m, acc, m.Blend(emit.V{mask}, start, x)))
	if r.store {
		f.partialStore(m, x[0], l.dst, l.n)
	}
}

// move copies b into the registers of a.
func (f *file) move(a, b emit.V) {
	for k := range a {
		f.VMOVAPS(b[k], a[k])
	}
}
