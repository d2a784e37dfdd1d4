package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// rowKernels are the reductions of rows and the softmax family, for any number of rows in one call: a row of ten classes
// takes less time than a call.
func rowKernels(f *file) {
	infinity := math.Inf(1)
	for _, bits := range []int{32, 64} {
		m := f.math(bits)
		largest := fold{start: -infinity, accumulate: func(acc, x emit.V) emit.V { return m.MaxOf(acc, x) }}
		smallest := fold{start: infinity, accumulate: func(acc, x emit.V) emit.V { return m.MinOf(acc, x) }}
		watched := func(g fold) fold { g.watchNaN = true; return g }
		sum := fold{accumulate: func(acc, x emit.V) emit.V { return m.Add(acc, x) }}
		// exponentials is the sum of e^(x − largest). A NaN may be lost on the way to the largest, but not in this sum.
		exponentials := func(max emit.V, keep bool) fold {
			g := sum
			g.keep = keep
			g.term = func(x emit.V) emit.V { return m.ExpNegative(m.Sub(x, same(max[0], len(x)))) }
			return g
		}
		f.rowwise(m, "softmaxRows", "to the softmax of each row of x", true, func(r *row) {
			e := r.fold(exponentials(r.fold(largest), true))
			inverse := m.Reciprocal(e)
			r.finish(func(x emit.V) emit.V { return m.Mul(x, same(inverse[0], len(x))) })
		})
		f.rowwise(m, "logSoftmaxRows", "to the logarithm of the softmax of each row of x", true, func(r *row) {
			max := r.fold(largest)
			log := m.Log(r.fold(exponentials(max, false)))
			// x − max is exact or nearly so where the result is small; adding max to log first would lose it.
			r.finish(func(x emit.V) emit.V {
				return m.Sub(m.Sub(x, same(max[0], len(x))), same(log[0], len(x)))
			})
		})
		f.rowwise(m, "logSumExpRows", "to ln Σ eˣ of each row of x", false, func(r *row) {
			max := r.fold(watched(largest))
			log := m.Log(r.fold(exponentials(max, false)))
			r.result(m.Blend(m.Compare(emit.Equal, m.Abs(max), m.K(infinity)), m.Add(max, log), max))
		})
		f.rowwise(m, "maxRows", "to the largest element of each row of x, NaN if there is one", false, func(r *row) { r.result(r.fold(watched(largest))) })
		f.rowwise(m, "minRows", "to the smallest element of each row of x, NaN if there is one", false, func(r *row) { r.result(r.fold(watched(smallest))) })
		f.rowwise(m, "sumRows", "to the sum of each row of x", false, func(r *row) { r.result(r.fold(sum)) })
	}
}

// inRegisters is the largest number of vectors that a row is kept in. Longer rows are read again for each step.
func (s set) inRegisters() int {
	if s.wide {
		return 4
	}
	return 2
}

// A row is the code for one row: either its elements are in vectors, or each step is a loop over them.
type row struct {
	*file
	m       *emit.Math
	full    bool // a result for each element, not for each row
	x, dst  reg.GPVirtual
	cols    reg.GPVirtual
	vectors int       // that hold the row; 0: loops
	mask    emit.Mask // of the last of them
	v       emit.V    // the row, or what the last step kept
	kept    bool      // a step has left its terms in dst
	steps   int
}

// A fold combines the terms of a row's elements.
type fold struct {
	start      float64
	accumulate func(acc, x emit.V) emit.V
	term       func(x emit.V) emit.V // nil: the element
	keep       bool                  // the terms take the place of the elements for the next step
	watchNaN   bool                  // accumulate loses NaN: look for it apart
}

// rowwise emits name(dst, x []T, rows, cols int) for rows > 0 and cols > 0 with the code for a row: once for rows that fit
// in one vector, once for those that fit in two, and so on (on AVX2 without filling the last, whose store under a mask is
// slow), and once for any length.
func (f *file) rowwise(m *emit.Math, name, doc string, full bool, body func(r *row)) {
	t := fmt.Sprintf("float%d", m.Bits)
	kernel := f.kernel(name, m.Bits)
	f.begin(kernel, fmt.Sprintf("func(dst, x []%s, rows, cols int)", t), fmt.Sprintf("%s sets dst %s.", kernel, doc))
	f.offer(name, m.Bits, name, "")
	dst := f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	x := f.Load(f.Param("x").Base(), f.GP64()).(reg.GPVirtual)
	rows := f.Load(f.Param("rows"), f.GP64()).(reg.GPVirtual)
	cols := f.Load(f.Param("cols"), f.GP64()).(reg.GPVirtual)
	stride := f.GP64()
	f.MOVQ(cols, stride)
	f.SHLQ(operand.U8(map[int]uint8{32: 2, 64: 3}[m.Bits]), stride)
	w := m.Width()
	for k := 1; k <= f.inRegisters(); k++ {
		f.CMPQ(cols, operand.U32(k*w))
		if f.wide {
			f.JLE(operand.LabelRef(fmt.Sprintf("rows%d", k)))
			continue
		}
		f.JL(operand.LabelRef(fmt.Sprintf("rows%d", k)))
		f.JE(operand.LabelRef("rows0"))
	}
	for k := 0; k <= f.inRegisters(); k++ {
		r := &row{file: f, m: m, full: full, x: x, dst: dst, cols: cols, vectors: k}
		f.prefix = fmt.Sprintf("row%d", k)
		f.Label(fmt.Sprintf("rows%d", k))
		if k > 0 {
			rest := f.GP64()
			f.LEAQ(operand.Mem{Base: cols, Disp: -(k - 1) * w}, rest)
			r.mask = f.firstLanes(m, rest)
		}
		f.Label(f.prefix)
		if k > 0 {
			r.load()
		}
		body(r)
		f.ADDQ(stride, x)
		if full {
			f.ADDQ(stride, dst)
		} else {
			f.ADDQ(operand.U32(m.Size()), dst)
		}
		f.DECQ(rows)
		f.JNE(operand.LabelRef(fmt.Sprintf("row%d", k)))
		f.end()
	}
	f.prefix = ""
}

// load reads the row into vectors.
func (r *row) load() {
	r.v = r.m.New(r.vectors - 1)
	for k := range r.v {
		r.VMOVUPS(operand.Mem{Base: r.x, Disp: k * r.m.VectorBytes()}, r.v[k])
	}
	r.v = append(r.v, r.maskedLoad(r.m, r.mask, operand.Mem{Base: r.x, Disp: len(r.v) * r.m.VectorBytes()})...)
}

// loop is a loop over the row, reading from and writing to dst where asked.
func (r *row) loop(fromDst, store bool) *loop {
	r.steps++
	r.prefix = fmt.Sprintf("row%dstep%d", r.vectors, r.steps)
	pointer := func(p reg.GPVirtual) reg.GPVirtual {
		q := r.GP64()
		r.MOVQ(p, q)
		return q
	}
	l := &loop{file: r.file, m: r.m, n: pointer(r.cols)}
	if fromDst {
		l.inputs = []reg.GPVirtual{pointer(r.dst)}
	} else {
		l.inputs = []reg.GPVirtual{pointer(r.x)}
	}
	if store {
		l.dst = pointer(r.dst)
	}
	return l
}

// fold returns the combination of the row in every lane of a vector.
func (r *row) fold(g fold) emit.V {
	m := r.m
	term := g.term
	if term == nil {
		term = func(x emit.V) emit.V { return x }
	}
	var acc emit.V
	var nan emit.Mask
	if r.vectors > 0 {
		if g.watchNaN {
			for k := range r.v {
				u := m.Compare(emit.Unordered, r.v[k:k+1], r.v[k:k+1])
				if nan == nil {
					nan = u
				} else {
					nan = m.Either(nan, u)
				}
			}
		}
		x := term(r.v)
		last := len(x) - 1
		acc = m.Blend(r.mask, m.Load(m.K(g.start), 1), x[last:])
		for k := range last {
			acc = g.accumulate(acc, x[k:k+1])
		}
		if g.keep {
			r.v = x
		}
	} else {
		acc, nan = r.foldLoop(g, term)
	}
	acc = m.Copy(acc)
	r.foldLanes(m, acc, g.accumulate)
	if g.watchNaN {
		r.steps++
		ordered := fmt.Sprintf("row%dordered%d", r.vectors, r.steps)
		m.JumpIfNone(nan, ordered)
		r.move(acc, m.Load(m.NaN(), 1))
		r.Label(ordered)
	}
	all := m.New(1)
	m.Broadcast(acc[0].AsX(), all[0])
	return all
}

// foldLoop is fold's loop: four accumulators where the term is the element itself, else one, which the terms of a group
// meet when they have been combined.
func (r *row) foldLoop(g fold, term func(x emit.V) emit.V) (emit.V, emit.Mask) {
	m := r.m
	l := r.loop(r.kept, g.keep)
	unroll, accumulators := 4, 4
	if g.term != nil {
		unroll, accumulators = 2, 1
	}
	if r.wide {
		unroll = 4
	}
	accs := m.Load(m.K(g.start), accumulators)
	var nan emit.Mask
	if g.watchNaN {
		nan = m.False()
	}
	l.run(unroll, func(count int) {
		x := l.load(count)[0]
		if g.watchNaN {
			for k := 0; k < count; k += 2 { // one comparison sees a NaN in either of two vectors
				m.CopyMask(nan, m.Either(nan, m.Compare(emit.Unordered, x[k:k+1], x[min(k+1, count-1):][:1])))
			}
		}
		x = term(x)
		if g.keep {
			l.store(x)
		}
		for ; len(x) > len(accs); x = x[:len(x)-1] {
			x[len(x)-2] = g.accumulate(x[len(x)-2:len(x)-1], x[len(x)-1:])[0]
		}
		r.move(accs[:len(x)], g.accumulate(accs[:len(x)], x))
	}, func(mask emit.Mask) {
		x := l.loadPartial(mask)[0]
		if g.watchNaN {
			m.CopyMask(nan, m.Either(nan, m.Compare(emit.Unordered, x, x)))
		}
		x = term(x)
		r.move(accs[:1], g.accumulate(accs[:1], m.Blend(mask, m.Load(m.K(g.start), 1), x)))
		if g.keep {
			r.partialStore(m, mask, x, l.dst, l.n)
		}
	})
	r.kept = r.kept || g.keep
	for ; len(accs) > 1; accs = accs[:len(accs)/2] {
		r.move(accs[:len(accs)/2], g.accumulate(accs[:len(accs)/2], accs[len(accs)/2:]))
	}
	return accs, nan
}

// finish writes a value for each element.
func (r *row) finish(term func(x emit.V) emit.V) {
	m := r.m
	if r.vectors == 0 {
		l := r.loop(r.kept, true)
		l.run(4, func(count int) { l.store(term(l.load(count)[0])) }, func(mask emit.Mask) {
			r.partialStore(m, mask, term(l.loadPartial(mask)[0]), l.dst, l.n)
		})
		return
	}
	y := term(r.v)
	last := len(y) - 1
	for k := range last {
		r.VMOVUPS(y[k], operand.Mem{Base: r.dst, Disp: k * m.VectorBytes()})
	}
	at, n := r.GP64(), r.GP64()
	r.LEAQ(operand.Mem{Base: r.dst, Disp: last * m.VectorBytes()}, at)
	r.LEAQ(operand.Mem{Base: r.cols, Disp: -last * m.Width()}, n)
	r.partialStore(m, r.mask, y[last:], at, n)
	if !r.wide {
		r.Label(r.prefix + "done")
	}
}

// result writes the row's value.
func (r *row) result(v emit.V) {
	if r.m.Bits == 32 {
		r.VMOVSS(v[0].AsX(), operand.Mem{Base: r.dst})
	} else {
		r.VMOVSD(v[0].AsX(), operand.Mem{Base: r.dst})
	}
}
