package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// A reduction folds groups of four vectors into four accumulators, single vectors into the first, and the accumulators in
// a fixed order: (0+1)+(2+3), upper half onto lower until two lanes are left, odd onto even. Where a term is computed there is one accumulator, and
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
	full := f.kernel(r.name, bits)
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
	f.begin(full, signature+") "+t, full+" "+r.doc+".")
	l := &loop{file: f, m: m}
	l.n = f.Load(f.Param(r.inputs[0]).Len(), f.GP64()).(reg.GPVirtual)
	if r.store {
		l.dst = f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
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
	var nan emit.Mask
	if r.watchNaN {
		nan = m.False()
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
				m.CopyMask(nan, m.Either(nan, m.Compare(emit.Unordered, x[k:k+1], x[min(k+1, len(x)-1):][:1])))
			}
		}
	}
	l.run(unroll, func(count int) { step(acc[:min(count, len(acc))], l.load(count)) },
		func(mask emit.Mask) { r.lastStep(f, m, l, acc[:1], nan, mask, s) })
	for len(acc) > 1 {
		f.move(acc[:1], r.combine(m, acc[:1], acc[1:2]))
		if len(acc) == 4 {
			f.move(acc[2:3], r.combine(m, acc[2:3], acc[3:4]))
			acc = emit.V{acc[0], acc[2]}
			continue
		}
		acc = append(emit.V{acc[0]}, acc[2:]...)
	}
	f.foldLanes(m, acc[:1], func(a, b emit.V) emit.V { return r.combine(m, a, b) })
	if r.watchNaN {
		m.JumpIfNone(nan, "ordered")
		f.move(acc[:1], m.Load(m.NaN(), 1))
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
	f.end()
}

// foldLanes folds the lanes of acc in place, upper half onto lower; the first holds the result.
func (f *file) foldLanes(m *emit.Math, acc emit.V, combine func(a, b emit.V) emit.V) {
	for lanes := m.Width() / 2; lanes > 0; lanes /= 2 {
		other := m.New(1)
		switch lanes * m.Size() {
		case 32:
			f.VEXTRACTF64X4(operand.U8(1), acc[0], other[0].AsY())
		case 16:
			f.VEXTRACTF128(operand.U8(1), acc[0].AsY(), other[0].AsX())
		case 8:
			f.VPERMILPD(operand.U8(1), acc[0].AsX(), other[0].AsX())
		default:
			f.VPERMILPS(operand.U8(1), acc[0].AsX(), other[0].AsX())
		}
		f.move(acc, combine(acc, other))
	}
}

// combine folds two accumulators, whatever the terms are.
func (r reduction) combine(m *emit.Math, a, b emit.V) emit.V {
	if r.fused != nil {
		return m.Add(a, b)
	}
	return r.accumulate(m, a, b)
}

// lastStep folds the partial vector: lanes beyond the end take part with the start value.
func (r reduction) lastStep(f *file, m *emit.Math, l *loop, acc emit.V, nan, mask emit.Mask, s reg.VecVirtual) {
	in := l.loadPartial(mask)
	if r.fused != nil { // zeros add nothing
		f.move(acc, r.fused(m, acc, in))
		return
	}
	if r.watchNaN {
		m.CopyMask(nan, m.Either(nan, m.Compare(emit.Unordered, in[0], in[0])))
	}
	x := in[0]
	if r.term != nil {
		x = r.term(m, in, emit.V{s})
	}
	start := m.Load(m.K(r.start), 1)
	f.move(acc, r.accumulate(m, acc, m.Blend(mask, start, x)))
	if r.store {
		f.partialStore(m, mask, x, l.dst, l.n)
	}
}

// move copies b into the registers of a.
func (f *file) move(a, b emit.V) {
	for k := range a {
		f.VMOVAPS(b[k], a[k])
	}
}
