package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// rowMembers are instructions that run one after the other on a block of rows, then on the next block.
type rowMembers struct {
	list  []instr
	lead  graph.Shape // the rows: all dimensions but the last
	width int         // the widest row of theirs
}

// perRow are the operators that make each row of their result of the same row of their operand, if they work along the last axis.
var perRow = map[*graph.Def]bool{ops.SumDef: true, ops.MeanDef: true, ops.MaxDef: true, ops.MinDef: true, ops.LogSumExpDef: true,
	ops.SoftmaxDef: true, ops.LogSoftmaxDef: true}

// widestRow bounds a row, in elements: a few of them have to stay in the cache.
const widestRow = 1 << 13

// fuseRows makes one instruction of neighbours that work on each row by itself, such as those of a normalisation or a softmax. It
// takes a block of rows through all of them before the next; what only they read has a place for one block:
//
//	s3     = eval mean(x) {axes=[1]}
//	s5, s7 = elementwise(x, s3) sub+mul+mean
//	s11    = elementwise(s7, 1e-05) add+sqrt
//	s14    = elementwise(s5, s11, s, h) div+mul+add     →   s14 = rows(x, 1e-05, s, h) mean; sub+mul+mean; add+sqrt; div+mul+add
func fuseRows(u *unit) error {
	t := u.tape
	f := rowFuser{elementFuser{tape: t, uses: t.uses(), readers: t.readers()}}
	kept := make([]instr, 0, len(t.instrs))
	for i := 0; i < len(t.instrs); {
		members := f.run(i)
		if len(members.list) < 2 {
			kept = append(kept, t.instrs[i])
			i++
			continue
		}
		kept = append(kept, f.fuse(members))
		i += len(members.list)
	}
	t.instrs = kept
	return nil
}

type rowFuser struct{ elementFuser }

// run returns the members of an instruction that begins with i: each but the first reads what one before it made.
func (f *rowFuser) run(i int) (m rowMembers) {
	made := map[slotID]bool{}
	for ; i < len(f.instrs); i++ {
		in, shape, ok := f.member(i)
		if !ok || len(shape) == 0 || len(m.list) > 0 && !slices.ContainsFunc(in.in, func(s slotID) bool { return made[f.base(s)] }) {
			break
		}
		if len(m.list) == 0 {
			if m.lead = shape[:len(shape)-1]; len(m.lead) == 0 {
				break
			}
		}
		width, ok := f.widthOf(m.lead, &in, made)
		if !ok || len(shape) == len(m.lead) && in.worksAlongRows() {
			break
		}
		m.list, m.width = append(m.list, in), max(m.width, width)
		for _, s := range in.out {
			made[s] = true
		}
	}
	if m.width < 2 {
		m.list = nil
	}
	return m
}

// member returns instruction i in the form that it has as a member, and the shape that it works over.
func (f *rowFuser) member(i int) (e instr, shape graph.Shape, ok bool) {
	in := &f.instrs[i]
	if in.hoisted || in.commit || in.again {
		return e, nil, false
	}
	if e, ok = f.program(i); ok {
		if e.elements.tail.node != nil && e.elements.tail.over != kernel.ByRow {
			return e, nil, false
		}
		at := slices.Index(e.elements.access, kernel.Full)
		if at < 0 {
			return e, nil, false
		}
		return e, f.slots[append(slices.Clone(e.in), e.out...)[at]].typ.Shape, true
	}
	if in.kind != evalInstr || !perRow[in.node.Def()] || !f.slots[in.out[0]].typ.DType.IsFloat() {
		return e, nil, false
	}
	shape = f.slots[in.in[0]].typ.Shape
	axes := ops.Axes(in.node)
	return *in, shape, len(axes) == 1 && axes[0] == len(shape)-1
}

// widthOf returns the length of a member's rows. It is not ok if an operand or a result has other rows than lead says, or rows of
// which the length is not known or too large.
func (f *rowFuser) widthOf(lead graph.Shape, in *instr, made map[slotID]bool) (width int, ok bool) {
	for k, s := range append(slices.Clone(in.in), in.out...) {
		if !in.isByRow(k) {
			if made[f.base(s)] {
				return 0, false
			}
			continue
		}
		n, ok := rowWidth(f.slots[s].typ.Shape, lead)
		if !ok {
			return 0, false
		}
		width = max(width, n)
	}
	return width, true
}

// worksAlongRows reports whether a member would compute something else if its values' last dimension were cut into blocks, as
// happens to those that have one element for each row.
func (in *instr) worksAlongRows() bool {
	return in.kind != elementwiseInstr || in.elements.tail.node != nil || slices.Contains(in.elements.access, kernel.Row)
}

// isByRow reports whether operand k of a member, results counted behind the operands, has a row for each of the member's.
func (in *instr) isByRow(k int) bool {
	return in.kind != elementwiseInstr || in.elements.access[k] == kernel.Full || in.elements.access[k] == kernel.Column
}

// rowWidth returns how many elements a value of some shape has for each of the rows that lead counts.
func rowWidth(shape, lead graph.Shape) (int, bool) {
	n := len(lead)
	switch {
	case len(shape) < n || !shape[:n].Identical(lead):
		return 0, false
	case len(shape) == n:
		return 1, true
	}
	last := shape[n]
	return int(last), len(shape) == n+1 && last.IsStatic() && last >= 1 && last <= widestRow
}

// fuse makes one instruction of the members.
func (f *rowFuser) fuse(m rowMembers) instr {
	fused := instr{kind: rowsInstr, node: m.list[len(m.list)-1].node, rows: m}
	inside, made := map[slotID]int{}, map[slotID]bool{}
	for _, in := range m.list {
		for _, s := range in.in {
			if b := f.base(s); made[b] {
				inside[b]++
			} else if !slices.Contains(fused.in, s) {
				fused.in = append(fused.in, s)
			}
		}
		for _, s := range in.out {
			made[s] = true
		}
	}
	for _, in := range m.list {
		for _, s := range in.out {
			if f.uses[s] > inside[s] {
				fused.out = append(fused.out, s)
			} else {
				f.slots[s].kind = inBlock
			}
		}
	}
	return fused
}

// rowsInPlace reports whether result k of the instruction may take the place of operand j: every member that reads the operand
// comes before the one that writes the result, or may itself write over it.
func (t *tape) rowsInPlace(in *instr, j, k int) bool {
	written := false
	for i := range in.rows.list {
		m := &in.rows.list[i]
		result := slices.Index(m.out, in.out[k])
		for at, s := range m.in {
			if t.base(s) != t.base(in.in[j]) {
				continue
			}
			if written || !m.isByRow(at) || result >= 0 && !t.allowsInPlace(m, at, result) {
				return false
			}
		}
		written = written || result >= 0
	}
	return true
}
