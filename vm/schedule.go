package vm

import (
	"container/heap"
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// schedule reorders the compute phase where that lowers the peak of memory: of the instructions that could run next, the one that
// frees most, or else takes least; of equal ones the one that was written first.
//
//	s2 = matmul(x, a)             s2 = matmul(x, a)
//	s3 = matmul(x, b)             s4 = sum(s2)
//	s4 = sum(s2)             →    s3 = matmul(x, b)
//	s5 = sum(s3)                  s5 = sum(s3)
//
// The order that people write in is good for most programs, and greed is not always right, so the peaks of both are compared, for
// three sizes of the symbols, without in-place results, and the written order stays unless the other one needs less at one of them
// and more at none. At other sizes it can need a little more: 64 bytes of 195,072 for a small U-net's training step at batch 1.
func schedule(u *unit) error {
	t := u.tape
	first, end := t.hoisted(), t.computed()
	if end-first < 3 || slices.ContainsFunc(t.instrs, func(in instr) bool { return in.again }) { // what is computed again stands where it is needed
		return nil
	}
	s := newScheduler(t, first, end)
	written := make([]int, end-first)
	for i := range written {
		written[i] = i
	}
	if s.measure(samples[1]) != nil { // sizes that make no sense at the sample: they may at others
		return nil
	}
	order := s.greedy()
	better := false
	for _, size := range samples {
		if s.measure(size) != nil {
			return nil
		}
		a, b := s.peak(order), s.peak(written)
		if a > b {
			return nil
		}
		better = better || a < b-b/16
	}
	if !better {
		return nil
	}
	old := slices.Clone(t.instrs[first:end])
	for to, from := range order {
		t.instrs[first+to] = old[from]
	}
	return nil
}

// samples stand for the size of every symbol where orders are compared.
var samples = []int{16, 128, 1024}

// scheduler knows who waits for whom among the instructions of the compute phase, which it counts from 0.
type scheduler struct {
	tape    *tape
	instrs  []instr
	outs    [][]int // the values that an instruction makes
	ins     [][]int // and those that it reads, of those that are made in this phase, each once
	readers [][]int // of each value
	size    []int   // bytes of each value
	scratch []int   // bytes of each instruction
	kept    []bool  // values that are needed to the end
	waits   []int   // for how many others an instruction waits
	before  []int   // the effect that has to come first, −1 for none
}

func newScheduler(t *tape, first, end int) *scheduler {
	n := end - first
	s := &scheduler{tape: t, instrs: t.instrs[first:end], outs: make([][]int, n), ins: make([][]int, n), readers: make([][]int, len(t.slots)),
		size: make([]int, len(t.slots)), scratch: make([]int, n), kept: make([]bool, len(t.slots)), waits: make([]int, n), before: make([]int, n)}
	made := make([]bool, len(t.slots))
	effect := -1
	for i := range s.instrs {
		in := &s.instrs[i]
		for _, x := range in.out {
			made[x] = true
			s.outs[i] = append(s.outs[i], int(x))
		}
		for _, x := range in.in {
			if b := int(t.base(x)); made[b] && !slices.Contains(s.ins[i], b) {
				s.ins[i] = append(s.ins[i], b)
				s.readers[b] = append(s.readers[b], i)
			}
		}
		s.before[i] = -1
		if in.kind == evalInstr && in.node.Def().Traits.Has(graph.Impure) {
			s.before[i], effect = effect, i
		}
	}
	for _, list := range [][]slotID{t.outputs, t.commits} {
		for _, x := range list {
			s.kept[t.base(x)] = true
		}
	}
	for i := end; i < len(t.instrs); i++ { // the commit phase
		for _, x := range t.instrs[i].in {
			s.kept[t.base(x)] = true
		}
	}
	return s
}

// measure finds the bytes of all values where every symbol has one size.
func (s *scheduler) measure(sample int) error {
	binding := graph.Binding{}
	for _, slot := range s.tape.slots {
		for _, d := range slot.typ.Shape {
			if !d.IsStatic() {
				for _, symbol := range d.Symbols(nil) {
					binding[symbol] = sample
				}
			}
		}
	}
	eval := newDimCache(binding)
	for i := range s.instrs {
		for _, x := range s.outs[i] {
			typ := s.tape.slots[x].typ
			size, err := eval.product(typ.Shape, typ.DType.Size())
			if err != nil {
				return err
			}
			s.size[x] = roundUp(size)
		}
		var err error
		if s.scratch[i], err = eval.dim(s.instrs[i].scratch); err != nil {
			return err
		}
	}
	return nil
}

// greedy returns an order.
func (s *scheduler) greedy() (order []int) {
	writer := make([]int, len(s.size))
	for i := range s.instrs {
		for _, x := range s.outs[i] {
			writer[x] = i
		}
	}
	left := make([]int, len(s.size)) // readers of each value that have not run
	followers := make([][]int, len(s.instrs))
	for i := range s.instrs {
		writers := map[int]bool{}
		for _, x := range s.ins[i] {
			left[x]++
			if w := writer[x]; !writers[w] {
				writers[w] = true
				followers[w] = append(followers[w], i)
				s.waits[i]++
			}
		}
		if b := s.before[i]; b >= 0 && !writers[b] {
			followers[b] = append(followers[b], i)
			s.waits[i]++
		}
	}
	grows := func(i int) (n int) { // by how much memory does with instruction i
		for _, x := range s.outs[i] {
			if s.kept[x] || len(s.readers[x]) > 0 {
				n += s.size[x]
			}
		}
		for _, x := range s.ins[i] {
			if left[x] == 1 && !s.kept[x] {
				n -= s.size[x]
			}
		}
		return n
	}
	var ready candidates
	done := make([]bool, len(s.instrs))
	push := func(i int) { heap.Push(&ready, candidate{grows(i), i}) }
	for i := range s.instrs {
		if s.waits[i] == 0 {
			push(i)
		}
	}
	for len(ready) > 0 {
		c := heap.Pop(&ready).(candidate)
		if done[c.at] || c.grows != grows(c.at) { // a better entry of it is there
			continue
		}
		done[c.at] = true
		order = append(order, c.at)
		for _, x := range s.ins[c.at] {
			if left[x]--; left[x] == 1 { // whoever reads it last frees it
				for _, r := range s.readers[x] {
					if !done[r] && s.waits[r] == 0 {
						push(r)
					}
				}
			}
		}
		for _, f := range followers[c.at] {
			if s.waits[f]--; s.waits[f] == 0 {
				push(f)
			}
		}
	}
	return order
}

// peak returns the most bytes that are alive at a time in an order.
func (s *scheduler) peak(order []int) (most int) {
	left, live := make([]int, len(s.size)), 0
	for x := range left {
		left[x] = len(s.readers[x])
	}
	for _, i := range order {
		for _, x := range s.outs[i] {
			live += s.size[x]
		}
		most = max(most, live+s.scratch[i])
		for _, x := range s.ins[i] {
			if left[x]--; left[x] == 0 && !s.kept[x] {
				live -= s.size[x]
			}
		}
		for _, x := range s.outs[i] {
			if len(s.readers[x]) == 0 && !s.kept[x] {
				live -= s.size[x]
			}
		}
	}
	return most
}

// candidate is an instruction that could run next.
type candidate struct{ grows, at int }

// candidates is a heap: the one that grows memory least is on top.
type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	return c[i].grows < c[j].grows || c[i].grows == c[j].grows && c[i].at < c[j].at
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := len(*c) - 1
	x := (*c)[last]
	*c = (*c)[:last]
	return x
}
