package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// activations are the operators that the affine kernel applies to a finished tile. Swish and the gelus are not among them: their
// operators have a limit at −Inf, where the kernel's z·gate(z) is NaN. They join a product as any other Pointwise does.
var activations = map[*graph.Def]kernel.Act{
	ops.ReLUDef:      kernel.ActReLU,
	ops.LeakyReLUDef: kernel.ActLeakyReLU,
	ops.ELUDef:       kernel.ActELU,
	ops.SELUDef:      kernel.ActSELU,
	ops.TanhDef:      kernel.ActTanh,
	ops.SigmoidDef:   kernel.ActSigmoid,
	ops.SoftplusDef:  kernel.ActSoftplus,
	ops.ExpDef:       kernel.ActExp,
}

// useGemm gives matrix products the GEMM kernel, and lets it read permuted operands where they are, if rows or columns stay
// contiguous, and if it does not make many products out of what could be one:
//
//	s4 = eval transpose(s1)
//	s5 = eval matmul(s0, s4)      →   s5 = affine(s0, s1ᵀ)
func useGemm(u *unit) error {
	t := u.tape
	writer := t.writers()
	for i := range t.instrs {
		in := &t.instrs[i]
		if in.kind != evalInstr || !in.node.Is(ops.MatMulDef) {
			continue
		}
		in.kind = affineInstr
		in.affine.names = []string{"matmul"}
		for k := range in.affine.perms {
			w := writer[in.in[k]]
			if w < 0 || t.instrs[w].kind != evalInstr {
				continue
			}
			perm := ops.Permutation(t.instrs[w].node)
			last := len(perm) - 1
			isBatch := k == 0 && last > 1 && t.slots[in.in[1]].typ.Shape.Rank() == 2
			if last > 0 && !isBatch && (perm[last] == last || perm[last-1] == last) {
				in.in[k] = t.instrs[w].in[0]
				in.affine.perms[k] = perm
			}
		}
	}
	return nil
}

// fuseAffine moves a bias and an activation into the product they follow, if nothing else reads what lies between:
//
//	s5 = affine(s0, s1)
//	s6 = eval add(s5, s2)
//	s7 = eval relu(s6)            →   s7 = affine(s0, s1, s2) relu
func fuseAffine(u *unit) error {
	t := u.tape
	uses := t.uses()
	reader := make([]int, len(t.slots)) // the last instruction that reads the slot itself; the only one where uses is 1
	for i := range t.instrs {
		for _, s := range t.instrs[i].in {
			reader[s] = i
		}
	}
	for i := range t.instrs {
		p := &t.instrs[i]
		if p.kind != affineInstr || uses[p.out[0]] != 1 {
			continue
		}
		next := &t.instrs[reader[p.out[0]]]
		if next.kind != evalInstr || next == p || p.affine.act != kernel.ActIdentity {
			continue
		}
		fused := *p
		if act, ok := activations[next.node.Def()]; ok {
			if next.in[0] != p.out[0] { // it reads a view
				continue
			}
			fused.affine.act, fused.affine.alpha = act, ops.Alpha(next.node)
		} else if bias := t.biasOf(p, next); bias != noSlot && !p.affine.bias {
			fused.affine.bias = true
			fused.in = append(append([]slotID(nil), p.in...), bias)
		} else {
			continue
		}
		fused.affine.names = append(append([]string(nil), p.affine.names...), next.node.Def().Name)
		fused.node, fused.out = next.node, next.out
		*next = fused
		p.dead = true
	}
	return nil
}

// swapsLast reports whether a permutation exchanges the last two dimensions and nothing else.
func swapsLast(perm []int) bool {
	last := len(perm) - 1
	for i, p := range perm[:last-1] {
		if p != i {
			return false
		}
	}
	return perm[last] == last-1
}

// biasOf returns the other operand of next if next adds a row of the product's width to the product p, else noSlot.
func (t *tape) biasOf(p, next *instr) slotID {
	if !next.node.Is(ops.AddDef) {
		return noSlot
	}
	product := p.out[0]
	shape := t.slots[product].typ.Shape
	for k, other := range []slotID{next.in[1], next.in[0]} {
		bias := t.slots[other].typ.Shape
		if len(bias) == 0 {
			continue
		}
		last := len(bias) - 1
		isRow := !slices.ContainsFunc(bias[:last], func(d graph.Dim) bool { return d != 1 })
		if next.in[k] == product && isRow && bias[last] == shape[len(shape)-1] && t.slots[next.out[0]].typ.Shape.Identical(shape) {
			return other
		}
	}
	return noSlot
}

// removeDead drops instructions whose results nobody reads.
func removeDead(u *unit) error {
	t := u.tape
	needed := make([]bool, len(t.slots))
	for _, s := range append(append([]slotID(nil), t.outputs...), t.commits...) {
		needed[t.base(s)] = true
	}
	for i := len(t.instrs) - 1; i >= 0; i-- {
		in := &t.instrs[i]
		live := false
		for _, s := range in.out {
			live = live || needed[s]
		}
		if in.dead = in.dead || !live; in.dead {
			continue
		}
		for _, s := range in.in {
			needed[t.base(s)] = true
		}
	}
	kept := t.instrs[:0]
	for _, in := range t.instrs {
		if !in.dead {
			kept = append(kept, in)
		}
	}
	t.instrs = kept
	return nil
}
