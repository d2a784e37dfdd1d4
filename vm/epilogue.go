package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// fuseEpilogue moves the pointwise operators that alone read a product into the product, which runs them on each tile while it
// is in the nearest cache, and sums columns on the way. It is what makes the backward pass of a layer two instructions:
//
//	s5 = affine(s4, wᵀ)
//	s6 = elementwise(0, s2, s5) less+select
//	s7 = eval sum(s6) {axes=[0]}            →   s6, s7 = affine(s4, wᵀ, s2) matmul+relu′+sum
func fuseEpilogue(u *unit) error {
	t := u.tape
	f := elementFuser{tape: t, uses: t.uses(), readers: t.readers()}
	for i := range t.instrs {
		p := &t.instrs[i]
		if p.kind != affineInstr || p.dead || f.uses[p.out[0]] != 1 || len(f.readers[p.out[0]]) != 1 {
			continue
		}
		at := f.readers[p.out[0]][0]
		if e, ok := f.program(at); ok && !e.commit {
			if fused, ok := t.absorb(p, &e); ok {
				t.instrs[at] = fused
				p.dead = true
			}
		}
	}
	for i := range t.instrs {
		p := &t.instrs[i]
		if p.kind != affineInstr || p.dead || p.affine.sums || !t.isOneProduct(p) {
			continue
		}
		for _, at := range f.readers[p.out[0]] {
			if s := &t.instrs[at]; s.kind == evalInstr && s.node.Is(ops.SumDef) && s.in[0] == p.out[0] && t.leavesLast(s) {
				p.affine.sums = true
				p.affine.names = append(slices.Clone(p.affine.names), "sum")
				p.out = append(slices.Clone(p.out), s.out[0])
				s.dead = true
				break
			}
		}
	}
	t.instrs = slices.DeleteFunc(t.instrs, func(in instr) bool { return in.dead })
	return nil
}

// isOneProduct reports whether the rows of an affine instruction's result are those of one product, which can sum its columns.
func (t *tape) isOneProduct(in *instr) bool {
	return in.affine.isOneProduct(t.slots[in.in[0]].typ.Shape.Rank(), t.slots[in.in[1]].typ.Shape.Rank())
}

// leavesLast reports whether a sum is over all dimensions but the last.
func (t *tape) leavesLast(sum *instr) bool {
	axes := ops.Axes(sum.node)
	for i, axis := range axes {
		if i != axis {
			return false
		}
	}
	return len(axes) == t.slots[sum.in[0]].typ.Shape.Rank()-1
}

// readers lists the instructions that read each slot itself, in order.
func (t *tape) readers() [][]int {
	list, total := make([][]int, len(t.slots)), 0
	count := make([]int, len(t.slots))
	for i := range t.instrs {
		for _, s := range t.instrs[i].in {
			count[s]++
		}
		total += len(t.instrs[i].in)
	}
	all := make([]int, total) // of all lists one after the other
	for s, n := range count {
		list[s], all = all[:0:n], all[n:]
	}
	for i := range t.instrs {
		for k, s := range t.instrs[i].in {
			if !slices.Contains(t.instrs[i].in[:k], s) {
				list[s] = append(list[s], i)
			}
		}
	}
	return list
}

// absorb returns product p with the elementwise instruction e, its only reader, as its epilogue. e's first result takes the
// product's memory, so it must have been read for the last time before that is written.
func (t *tape) absorb(p, e *instr) (fused instr, ok bool) {
	if len(p.elements.steps) > 0 || p.affine.deriv != kernel.ActIdentity || p.affine.sums {
		return fused, false
	}
	n := len(e.in)
	j := slices.Index(e.in, p.out[0])
	if e.elements.access[j] != kernel.Full || e.elements.readsAfter(kernel.Arg(j), kernel.Arg(n)) {
		return fused, false
	}
	fused = *p
	fused.node, fused.out = e.node, e.out
	fused.affine.names = slices.Clone(p.affine.names)
	if saved, ok := t.reluDerivative(e, p.out[0]); ok {
		fused.in = append(slices.Clone(p.in), saved)
		fused.affine.deriv = kernel.ActReLU
		fused.affine.names = append(fused.affine.names, "relu′")
		return fused, true
	}
	fused.in = append(slices.Clone(p.in), slices.Delete(slices.Clone(e.in), j, j+1)...)
	fused.elements.access = slices.Delete(slices.Clone(e.elements.access), j, j+1)
	moved := func(r kernel.Ref) kernel.Ref {
		for k := range e.elements.access {
			switch {
			case r != kernel.Arg(k):
			case k == j:
				return kernel.Arg(n - 1)
			case k > j:
				return kernel.Arg(k - 1)
			}
		}
		return r
	}
	for _, s := range e.elements.steps {
		s.dst, s.a, s.b, s.c = moved(s.dst), moved(s.a), moved(s.b), moved(s.c)
		fused.elements.steps = append(fused.elements.steps, s)
		fused.affine.names = append(fused.affine.names, s.name)
	}
	return fused, true
}

// reluDerivative recognises product · 1[saved > 0], which the kernel does in registers, and returns saved.
func (t *tape) reluDerivative(e *instr, product slotID) (saved slotID, ok bool) {
	steps := e.elements.steps
	if len(steps) != 2 || len(e.out) != 1 || steps[0].op != kernel.OpLess || steps[1].op != kernel.OpSelect || steps[1].a != steps[0].dst {
		return noSlot, false
	}
	slotOf := func(r kernel.Ref) slotID {
		for k, s := range e.in {
			if r == kernel.Arg(k) {
				return s
			}
		}
		return noSlot
	}
	isZero := func(s slotID) bool {
		return s != noSlot && t.slots[s].kind == inConst && len(t.slots[s].typ.Shape) == 0 && t.consts[t.slots[s].index].At(0) == 0
	}
	saved = slotOf(steps[0].b)
	ok = isZero(slotOf(steps[0].a)) && isZero(slotOf(steps[1].c)) && slotOf(steps[1].b) == product &&
		saved != noSlot && saved != product && t.slots[saved].typ.Identical(t.slots[product].typ)
	return saved, ok
}

// Tile runs the program on a finished tile of a product: the first result is the product's own memory. A kernel.Tiler.
func (r *elementRunner[T]) Tile(_ []T, i0, j0, rows, cols, _ int) {
	r.run(kernel.Region{Row: i0, Col: j0, Rows: rows, Cols: cols})
}

// bindEpilogue points the epilogue of a product at its operands.
func bindEpilogue[T kernel.Float](g *kernel.Gemm[T], s *step, tile *elementRunner[T]) {
	form, e := &s.in.affine, &g.Epilogue
	e.Act, e.Alpha = form.act, T(form.alpha)
	rest := s.call.In[2:]
	if form.packed {
		if g.Packed == nil {
			g.Packed = new(kernel.Packed[T])
		}
		*g.Packed = kernel.PackedAt(graph.Elements[T](rest[len(rest)-1]), g.K, g.N)
		rest = rest[:len(rest)-1]
	}
	if form.bias {
		e.Bias, rest = graph.Elements[T](rest[0]), rest[1:]
	}
	outs := s.call.Out
	if form.sums {
		e.ColSums, outs = graph.Elements[T](outs[len(outs)-1]), outs[:len(outs)-1]
	}
	if form.deriv != kernel.ActIdentity {
		e.Deriv, e.Saved, e.SavedRow = form.deriv, graph.Elements[T](rest[0]), g.N
	}
	if tile != nil {
		tile.arguments = tile.arguments[:0]
		for _, list := range [][]graph.Array{rest, outs} {
			for _, a := range list {
				tile.arguments = append(tile.arguments, kernel.Argument[T]{Data: graph.Elements[T](a), Stride: g.N})
			}
		}
		e.Tile = tile
	}
}
