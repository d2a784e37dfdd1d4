package vm

import "slices"

// sinkPointwise moves a pointwise operator to its only reader, if that is pointwise over the same shape, so that the two are
// neighbours and become one program, whatever was written between them:
//
//	s5 = eval less(0, s1)
//	s6 = affine(s2, s3)                     s6 = affine(s2, s3)
//	s7 = eval select(s5, s6, 0)      →      s5 = eval less(0, s1)
//	                                        s7 = eval select(s5, s6, 0)
//
// Values never change, so moving down is always legal.
func sinkPointwise(u *unit) error {
	t := u.tape
	uses, writer := t.uses(), t.writers()
	readers := t.readers()
	isPointwise := func(in *instr) bool { _, ok := t.opOf(in); return ok }
	sinks := make([]bool, len(t.instrs))
	for i := range t.instrs {
		in := &t.instrs[i]
		if !isPointwise(in) || uses[in.out[0]] != 1 || len(readers[in.out[0]]) != 1 { // none: it is read under another shape
			continue
		}
		to := &t.instrs[readers[in.out[0]][0]]
		sinks[i] = isPointwise(to) && t.slots[to.out[0]].typ.Shape.Identical(t.slots[in.out[0]].typ.Shape)
	}
	sunk := make([]instr, 0, len(t.instrs))
	var stack []int
	for i := range t.instrs {
		if sinks[i] {
			continue
		}
		// The operators that sink to i, each before the one that reads it and in the order they were written.
		stack = append(stack[:0], i)
		at := len(sunk)
		for len(stack) > 0 {
			j := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			sunk = append(sunk, t.instrs[j])
			for _, s := range t.instrs[j].in {
				if w := writer[s]; w >= 0 && sinks[w] {
					stack = append(stack, w)
				}
			}
		}
		slices.Reverse(sunk[at:])
	}
	t.instrs = sunk
	return nil
}
