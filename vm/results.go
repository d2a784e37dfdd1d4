package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// stageResults copies results that are not the arena's into it: an output must be the machine's own, and the commit phase must
// find what was true before the step even if one state becomes another:
//
//	w := v                        →   s9 = copy(v);  w := s9
func stageResults(u *unit) error {
	t := u.tape
	var copies []instr
	stage := func(list, done []slotID) {
		for i, s := range list {
			if t.slots[t.base(s)].kind == inArena || done != nil && done[i] == s {
				continue
			}
			to := t.add(slot{kind: inArena, typ: t.slots[s].typ, name: t.slots[s].name, node: t.slots[s].node, base: noSlot, shares: noSlot})
			copies = append(copies, instr{kind: copyInstr, node: t.slots[s].node, in: []slotID{s}, out: []slotID{to}})
			list[i] = to
		}
	}
	stage(t.outputs, nil)
	stage(t.commits, t.stateSlots(u.updates))
	t.instrs = slices.Insert(t.instrs, t.computed(), copies...)
	return nil
}

// computed counts the instructions of the compute phase; the others, if any, are the commit phase.
func (t *tape) computed() int {
	n := len(t.instrs)
	for n > 0 && t.instrs[n-1].commit {
		n--
	}
	return n
}

// findLiveness records where each arena slot is written and where it is read last, views included.
func findLiveness(u *unit) error {
	t := u.tape
	for i := range t.slots {
		t.slots[i].first, t.slots[i].last = -1, -1
	}
	for i := range t.instrs {
		for _, s := range t.instrs[i].out {
			t.slots[s].first, t.slots[s].last = i, i
		}
		for _, s := range t.instrs[i].in {
			t.slots[t.base(s)].last = i
		}
	}
	for _, list := range [][]slotID{t.outputs, t.commits} {
		for _, s := range list {
			t.slots[t.base(s)].last = len(t.instrs)
		}
	}
	return nil
}

// shareInPlace lets a result take the place of an operand that dies with the instruction, where the operator allows it and
// the sizes are equal under every binding:
//
//	s6 = eval exp(s5)             →   s6 in the place of s5
func shareInPlace(u *unit) error {
	t := u.tape
	for i := range t.instrs {
		in := &t.instrs[i]
		if in.hoisted || in.commit {
			continue
		}
		taken := map[slotID]bool{}
		for k, o := range in.out {
			for j, s := range in.in {
				b := t.base(s)
				from, out := &t.slots[b], &t.slots[o]
				if from.kind == inArena && from.last == i && !taken[b] && t.slots[s].typ.Identical(out.typ) && t.allowsInPlace(in, j, k) {
					out.shares, taken[b] = b, true
					break
				}
			}
		}
	}
	return nil
}

// allowsInPlace reports whether result k of an instruction may take the place of operand j, which is of its type.
func (t *tape) allowsInPlace(in *instr, j, k int) bool {
	switch in.kind {
	case evalInstr:
		return len(in.out) == 1 && in.node.Def().Traits.Has(graph.InPlace)
	case elementwiseInstr:
		if in.elements.tail.node != nil && k == len(in.out)-1 { // other rows may still read the operand
			return false
		}
		for other, s := range in.in { // read in two ways, the operand could be needed after its element was overwritten
			if other != j && t.base(s) == t.base(in.in[j]) {
				return false
			}
		}
		return !in.elements.readsAfter(kernel.Arg(j), kernel.Arg(len(in.in)+k))
	case rowsInstr:
		return t.rowsInPlace(in, j, k)
	}
	return false
}
