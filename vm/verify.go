package vm

import (
	"fmt"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// verify says what a legal program is, at whatever stage it is.
func (u *unit) verify() error {
	if u.tape == nil {
		return u.verifyGraph()
	}
	return u.tape.verify()
}

// verifyGraph: the roots are valid nodes of the private graph, of the types that were asked for; operands come before their
// users; every type is what the operator's rule infers.
func (u *unit) verifyGraph() error {
	wanted := u.wanted()
	if len(u.roots) != len(wanted) {
		return fmt.Errorf("%d roots for %d wanted nodes", len(u.roots), len(wanted))
	}
	for i, n := range u.roots {
		if n.Err() != nil {
			return n.Err()
		}
		if n.Graph() == u.user {
			return fmt.Errorf("root %d is a node of the user's graph", i)
		}
		if !n.Type().Identical(wanted[i].Type()) {
			return fmt.Errorf("root %d has type %v, wanted %v", i, n.Type(), wanted[i].Type())
		}
	}
	for _, n := range graph.Reachable(u.roots...) {
		var types []graph.Type
		for _, x := range n.Inputs() {
			if x.ID() >= n.ID() {
				return fmt.Errorf("node %d reads node %d", n.ID(), x.ID())
			}
			types = append(types, x.Type())
		}
		if n.Def() == nil {
			continue
		}
		if t, err := n.Def().Infer(n.Attr(), types); err != nil || !t.Identical(n.Type()) {
			return fmt.Errorf("node %d, %v, has type %v, inferred %v (%v)", n.ID(), n, n.Type(), t, err)
		}
	}
	return nil
}

// verify: each arena slot is written once, before it is read; views lead to memory in one step and have its size; affine
// instructions have the operands their form needs; in-place results take the place of an operand nobody reads later.
func (t *tape) verify() error {
	written := make([]int, len(t.slots))
	for i := range written {
		written[i] = -1
	}
	read := func(i int, s slotID) error {
		b := t.base(s)
		if t.slots[b].kind == viewOf {
			return fmt.Errorf("slot %d is a view of a view", s)
		}
		if b != s && t.slots[b].typ.Shape.Size().Equal(t.slots[s].typ.Shape.Size()) != graph.Yes {
			return fmt.Errorf("slot %d is a view of %v as %v", s, t.slots[b].typ, t.slots[s].typ)
		}
		if k := t.slots[b].kind; k == inBlock || (k == inArena || k == inPrologue) && written[b] < 0 {
			return fmt.Errorf("instruction %d reads slot %d, which is not written yet", i, s)
		}
		return nil
	}
	computed := t.computed()
	for i := range t.instrs {
		in := &t.instrs[i]
		if in.dead {
			continue
		}
		for _, s := range in.in {
			if err := read(i, s); err != nil {
				return err
			}
		}
		if i >= computed {
			if err := t.verifyCommit(in, written); err != nil {
				return fmt.Errorf("instruction %d: %w", i, err)
			}
			for _, s := range in.out {
				written[s] = i
			}
			continue
		}
		for _, s := range in.out {
			if want := map[bool]slotKind{false: inArena, true: inPrologue}[in.hoisted]; t.slots[s].kind != want || written[s] >= 0 {
				return fmt.Errorf("instruction %d writes slot %d, which is no place of its own or was written by %d", i, s, written[s])
			}
			written[s] = i
			if b := t.slots[s].shares; b != noSlot && t.slots[b].last != i {
				return fmt.Errorf("instruction %d takes the place of slot %d, which is read until %d", i, b, t.slots[b].last)
			}
		}
		if in.kind == affineInstr {
			if err := t.verifyAffine(in); err != nil {
				return fmt.Errorf("instruction %d: %w", i, err)
			}
		}
		if in.kind == rowsInstr {
			if err := t.verifyRows(in); err != nil {
				return fmt.Errorf("instruction %d: %w", i, err)
			}
		}
		if in.kind == evalInstr && (in.node.Is(ops.ByModeDef) || in.node.Def() == nil) {
			return fmt.Errorf("instruction %d cannot be executed: %v", i, in.node)
		}
	}
	for _, s := range append(append([]slotID(nil), t.outputs...), t.commits...) {
		if err := read(len(t.instrs), s); err != nil {
			return err
		}
	}
	return nil
}

// verifyCommit: the commit phase is elementwise programs that write states, each once, and read none that is written already.
func (t *tape) verifyCommit(in *instr, written []int) error {
	if in.kind != elementwiseInstr {
		return fmt.Errorf("%s in the commit phase", instrNames[in.kind])
	}
	for _, s := range in.in {
		if b := t.base(s); t.slots[b].kind == inState && written[b] >= 0 {
			return fmt.Errorf("reads %s, which was written before", t.slots[b].name)
		}
	}
	for _, s := range in.out {
		if t.slots[s].kind != inState || written[s] >= 0 {
			return fmt.Errorf("writes slot %d, which is no state or was written before", s)
		}
	}
	return nil
}

// verifyRows: each member reads the instruction's operands and what members before it wrote; what lives in a block is read by
// members only; rows of all operands but those that are there once are the same.
func (t *tape) verifyRows(in *instr) error {
	made := map[slotID]bool{}
	for _, m := range in.rows.list {
		for k, s := range append(slices.Clone(m.in), m.out...) {
			b := t.base(s)
			switch {
			case k < len(m.in) && !made[b] && !slices.Contains(in.in, s):
				return fmt.Errorf("a member reads slot %d, which is no operand and not written yet", s)
			case k >= len(m.in) && (t.slots[s].kind == inBlock) == slices.Contains(in.out, s):
				return fmt.Errorf("slot %d is a result in a block, or neither", s)
			}
			if _, ok := rowWidth(t.slots[s].typ.Shape, in.rows.lead); m.isByRow(k) && !ok {
				return fmt.Errorf("slot %d, %v, has other rows than %v", s, t.slots[s].typ, in.rows.lead)
			}
			made[s] = made[s] || k >= len(m.in)
		}
	}
	return nil
}

func (t *tape) verifyAffine(in *instr) error {
	operands, results := 2, 1
	if in.affine.bias {
		operands++
	}
	if in.affine.deriv != kernel.ActIdentity {
		operands++
	}
	if in.affine.sums {
		results++
	}
	if in.affine.packed {
		operands++
	}
	if n := len(in.elements.steps); n > 0 { // at least one result
		operands += len(in.elements.access) - (len(in.out) - results + 1)
		results = len(in.out)
	}
	if len(in.in) != operands || len(in.out) != results {
		return fmt.Errorf("%d operands and %d results for an affine form of %d and %d", len(in.in), len(in.out), operands, results)
	}
	a, b, c := t.slots[in.in[0]].typ.Shape, t.slots[in.in[1]].typ.Shape, t.slots[in.out[0]].typ.Shape
	want, err := ops.MatMulDef.Infer(nil, []graph.Type{graph.TypeOf(graph.Float64, permuted(a, in.affine.perms[0])...), graph.TypeOf(graph.Float64, permuted(b, in.affine.perms[1])...)})
	if err != nil || !want.Shape.Identical(c) {
		return fmt.Errorf("%v%v · %v%v gives %v (%v)", a, in.affine.perms[0], b, in.affine.perms[1], c, err)
	}
	return nil
}

// permuted returns a shape with its dimensions in another order.
func permuted(s graph.Shape, perm []int) graph.Shape {
	if perm == nil {
		return s
	}
	var out graph.Shape
	for _, p := range perm {
		out = append(out, s[p])
	}
	return out
}
