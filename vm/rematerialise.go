package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// rematerialise computes again what checkpoints (ops.Checkpoint) allow to forget. At the last mark, of all that was computed so far
// only marked values, results of the program and what acts outside it are kept; whatever else is needed later is computed from
// them a second time, once, right before its first use:
//
//	s1 = tanh(s0)                   s1 = tanh(s0)
//	s2 = tanh(s1)    a mark         s2 = tanh(s1)
//	s3 = tanh(s2)                   s3 = tanh(s2)
//	s4 = tanh(s3)    a mark    →    s4 = tanh(s3)
//	…                               …
//	s7 = f(s4, s3)                  s9 = tanh(s2)         again
//	                                s7 = f(s4, s9)
//	s8 = g(s2, s1)                  s10 = tanh(s0)        again
//	                                s8 = g(s2, s10)
//
// So s1 and s3 need not live until gradients are computed. The second computation is the same instruction over the same values,
// random numbers included, so it gives the same bits.
func rematerialise(u *unit) error {
	t := u.tape
	r := remat{tape: t, writer: t.writers(), redone: map[slotID]slotID{}}
	last := -1
	for _, s := range t.marks {
		last = max(last, r.writer[s])
	}
	if last < 0 {
		return nil
	}
	computed := t.computed()
	r.early = make([]bool, len(t.instrs))
	for i := range r.early[:min(last+1, computed)] {
		in := &t.instrs[i]
		r.early[i] = !in.hoisted && !(in.kind == evalInstr && in.node.Def().Traits.Has(graph.Impure))
	}
	r.kept = make([]bool, len(t.slots))
	for _, list := range [][]slotID{t.marks, t.outputs, t.commits} {
		for _, s := range list {
			r.kept[t.base(s)] = true
		}
	}
	for _, in := range t.instrs[computed:] {
		for _, s := range in.in {
			r.kept[t.base(s)] = true
		}
	}
	tape := slices.Clone(t.instrs[:last+1])
	for _, in := range t.instrs[last+1:] {
		for _, i := range r.missing(&in) {
			tape = append(tape, r.again(t.instrs[i]))
		}
		in.in = r.operands(in.in)
		tape = append(tape, in)
	}
	t.instrs = tape
	return nil
}

type remat struct {
	*tape
	writer []int             // the instruction that writes each slot
	early  []bool            // of an instruction: it stands before the last mark and may run twice
	kept   []bool            // of a slot: its value is there until it is read last
	redone map[slotID]slotID // from forgotten slots, and views of them, to what was computed in their place
}

// missing lists the instructions, in order, that must run again before in can: it, or one of them, reads what is forgotten.
func (r *remat) missing(in *instr) (list []int) {
	seen := map[int]bool{}
	for stack := [][]slotID{in.in}; len(stack) > 0; {
		operands := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, s := range operands {
			b := r.base(s)
			if i := r.forgotten(b); i >= 0 && !seen[i] {
				if _, done := r.redone[b]; !done {
					seen[i] = true
					list = append(list, i)
					stack = append(stack, r.instrs[i].in)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// forgotten returns the instruction that would have to compute a slot again, −1 if its value is kept.
func (r *remat) forgotten(b slotID) int {
	if i := r.writer[b]; i >= 0 && r.early[i] && !r.kept[b] {
		return i
	}
	return -1
}

// again returns an instruction a second time, over what takes the place of its operands.
func (r *remat) again(in instr) instr {
	in.again = true
	in.in = r.operands(in.in)
	in.out = slices.Clone(in.out)
	for k, s := range in.out {
		in.out[k] = r.add(r.slots[s])
		if !r.kept[s] {
			r.redone[s] = in.out[k]
		}
	}
	return in
}

func (r *remat) operands(list []slotID) []slotID {
	list = slices.Clone(list)
	for k, s := range list {
		base, ok := r.redone[r.base(s)]
		if !ok {
			continue
		}
		if to, known := r.redone[s]; known {
			list[k] = to
			continue
		}
		view := r.slots[s]
		view.base = base
		list[k] = r.add(view)
		r.redone[s] = list[k]
	}
	return list
}
