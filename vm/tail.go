package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// tail describes the reduction at the end of an elementwise program: the last result of the instruction.
type tail struct {
	node *graph.Node // the reduction, nil for none
	src  kernel.Ref
	over kernel.TailOver // of all elements, or of each row
}

// fuseTail lets an elementwise program reduce what it computes, block by block; what only the reduction reads is never stored:
//
//	s5 = elementwise(s1, s2) sub+mul
//	s6 = eval mean(s5) {axes=[0 1]}     →   s6 = elementwise(s1, s2) sub+mul+mean
func fuseTail(u *unit) error {
	t := u.tape
	f := elementFuser{tape: t, uses: t.uses(), readers: t.readers()}
	for i := range t.instrs {
		e, ok := f.program(i)
		if !ok || e.commit || t.instrs[i].dead {
			continue
		}
		for k, s := range e.out {
			at := slices.IndexFunc(f.readers[s], func(r int) bool { return t.canBeTail(&t.instrs[r], s) })
			if at < 0 {
				continue
			}
			reduction := &t.instrs[f.readers[s][at]]
			if e.reduce(k, t.slots[s].typ.Shape.Rank(), reduction, f.uses[s] == 1) {
				reduction.dead = true
				t.instrs[i] = e
				break
			}
		}
	}
	t.instrs = slices.DeleteFunc(t.instrs, func(in instr) bool { return in.dead })
	return nil
}

// canBeTail reports whether an instruction sums s, or takes its mean, over all axes or the last.
func (t *tape) canBeTail(in *instr, s slotID) bool {
	if in.kind != evalInstr || in.dead || in.in[0] != s || !in.node.Is(ops.SumDef) && !in.node.Is(ops.MeanDef) || !t.slots[s].typ.DType.IsFloat() {
		return false
	}
	rank, axes := t.slots[s].typ.Shape.Rank(), ops.Axes(in.node)
	return rank > 0 && (len(axes) == rank || len(axes) == 1 && axes[0] == rank-1)
}

// reduce makes a reduction of result k, a value of the given rank, the program's tail. If nothing else reads the result it is no
// result any more, unless no other operand would tell the size of the program.
func (e *instr) reduce(k, rank int, reduction *instr, alone bool) bool {
	n := len(e.in)
	result := kernel.Arg(n + k)
	steps := slices.Clone(e.elements.steps)
	access, out := slices.Clone(e.elements.access), slices.Clone(e.out)
	src := result
	if alone && (len(out) > 1 || slices.Contains(access[:n], kernel.Full)) {
		src = kernel.Reg(e.elements.registers())
		moved := func(r kernel.Ref) kernel.Ref {
			for j := k; j < len(out); j++ {
				if r == kernel.Arg(n+j) && j == k {
					return src
				} else if r == kernel.Arg(n+j) {
					return kernel.Arg(n + j - 1)
				}
			}
			return r
		}
		for i := range steps {
			s := &steps[i]
			s.dst, s.a, s.b, s.c = moved(s.dst), moved(s.a), moved(s.b), moved(s.c)
		}
		access, out = slices.Delete(access, n+k, n+k+1), slices.Delete(out, k, k+1)
	}
	over := kernel.Total
	if rank > len(ops.Axes(reduction.node)) {
		over = kernel.ByRow
		access = append(access, kernel.Column)
	}
	e.elements = elementwise{access: access, steps: steps, tail: tail{reduction.node, src, over}}
	e.out = append(out, reduction.out[0])
	return true
}

// registers is the number of registers that the steps use.
func (e *elementwise) registers() int {
	n := 0
	for _, s := range e.steps {
		if r, ok := registerOf(s.dst); ok {
			n = max(n, r+1)
		}
	}
	return n
}

// bindTail chooses where the reduction goes. Of a single row, which may be split into parts, it is the total.
func (r *elementRunner[T]) bindTail() {
	t := &r.program.Tail
	t.Over = r.tail.over
	if r.tail.over == kernel.ByRow {
		r.arguments[t.Into] = kernel.Argument[T]{Data: graph.Elements[T](r.reduced)}
	}
	r.partials = nil
	if r.rows == 1 {
		t.Over = kernel.Total
	}
	if t.Over == kernel.Total {
		if n := r.parts(); cap(r.sums) < n {
			r.sums = make([]T, n)
		}
		r.partials = r.sums[:r.parts()]
	}
}

// finish adds up the parts' sums, in their order, and makes a mean of a sum. That a mean of nothing is an error, the operator
// itself says.
func (r *elementRunner[T]) finish() error {
	if r.tail == nil {
		return nil
	}
	result, count := graph.Elements[T](r.reduced), r.cols
	if r.tail.over == kernel.Total {
		count *= r.rows
	}
	switch {
	case count == 0:
		empty := []graph.Array{graph.NewArray(r.reduced.DType, r.shape...)}
		return r.tail.node.Def().Run(&graph.Call{Attr: r.tail.node.Attr(), In: empty, Out: []graph.Array{r.reduced}, Scratch: make([]byte, 64)})
	case r.partials != nil:
		result[0] = 0
		for _, sum := range r.partials {
			result[0] += sum
		}
	}
	if r.tail.node.Is(ops.MeanDef) {
		kernel.DivScalar(result, result, T(count))
	}
	return nil
}
