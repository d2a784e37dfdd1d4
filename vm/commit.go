package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// commitInPlace moves elementwise programs whose results are new states, and nothing else, to the end of the tape, where they
// write the states themselves: Adam's update reads and writes each of its tensors once.
//
//	s9 = elementwise(lr, s8, w)  mul+sub
//	commit w := s9                        →   w = elementwise(lr, s8, w) mul+sub    in the commit phase
//
// The commit phase cannot be undone, so only our own kernels may run there: they cannot fail. And since every right-hand side
// sees the state before the step, a program stays where it is if another one of them reads what it would overwrite.
func commitInPlace(u *unit) error {
	t := u.tape
	f := elementFuser{tape: t, uses: t.uses(), readers: t.readers()}
	state := t.stateSlots(u.updates)
	update := map[slotID]int{}
	for i, s := range t.commits {
		update[s] = i
	}
	programs := map[int]instr{} // by place on the tape
	writes := map[slotID]int{}  // which of them would write a state
	reads := map[slotID][]int{} // and which read it
	for i := range t.instrs {
		e, ok := f.program(i)
		if !ok {
			continue
		}
		e.out = slices.Clone(e.out)
		for k, s := range e.out {
			if at, isUpdate := update[s]; isUpdate && f.uses[s] == 1 {
				e.out[k] = state[at]
			}
		}
		if !t.canCommit(&e) {
			continue
		}
		e.commit = true
		programs[i] = e
		for _, s := range e.out {
			writes[s] = i
		}
		for _, s := range e.in {
			if b := t.base(s); t.slots[b].kind == inState {
				reads[b] = append(reads[b], i)
			}
		}
	}
	for s, i := range writes {
		for _, reader := range reads[s] {
			if reader != i {
				delete(programs, i)
			}
		}
	}
	kept, last := make([]instr, 0, len(t.instrs)), make([]instr, 0, len(programs))
	for i := range t.instrs {
		e, ok := programs[i]
		if !ok {
			kept = append(kept, t.instrs[i])
			continue
		}
		last = append(last, e)
		for k, s := range t.instrs[i].out {
			t.commits[update[s]] = e.out[k]
		}
	}
	t.instrs = append(kept, last...)
	return nil
}

// canCommit reports whether a program writes states alone, cannot fail, and reads a state it writes at the same elements and
// before it writes them.
func (t *tape) canCommit(e *instr) bool {
	if slices.ContainsFunc(e.elements.steps, func(s elementStep) bool { return s.op == kernel.OpCall }) {
		return false
	}
	for k, s := range e.out {
		if t.slots[s].kind != inState || slices.Contains(e.out[:k], s) {
			return false
		}
		for j, r := range e.in {
			if t.base(r) == s && (r != s || e.elements.readsAfter(kernel.Arg(j), kernel.Arg(len(e.in)+k))) {
				return false
			}
		}
	}
	return true
}

// stateSlots returns the slot of each update's target, adding those that nothing reads.
func (t *tape) stateSlots(updates []graph.Update) []slotID {
	known := map[string]slotID{}
	for i, s := range t.slots {
		if s.kind == inState {
			known[s.name] = slotID(i)
		}
	}
	index := map[string]int{}
	for i, n := range t.states {
		index[n.Name()] = i
	}
	slots := make([]slotID, len(updates))
	for i, up := range updates {
		name := up.Target.Name()
		s, ok := known[name]
		if !ok {
			s = t.add(slot{kind: inState, index: index[name], typ: up.Target.Type(), name: name, node: up.Target, base: noSlot, shares: noSlot})
			known[name] = s
		}
		slots[i] = s
	}
	return slots
}
