package vm

import (
	"slices"
	"unsafe"

	"github.com/tapir-ml/tapir/graph"
)

// alignment of every slot: one cache line, which also suits every vector load.
const alignment = 64

// memoryPlan places every slot of a program under one binding. Where no size shrinks while a symbol grows, the plan for the
// largest sizes serves all smaller ones.
type memoryPlan struct {
	bytes   int
	offsets []int   // by slot; of a view, its base's
	scratch []int   // by instruction: offset of the working memory, −1 for none
	shapes  [][]int // by slot
}

// sizes returns the bytes of every arena slot and of every instruction's scratch.
func (p *Program) sizes(b graph.Binding) (slots, scratch []int, err error) {
	eval := newDimCache(b)
	slots, scratch = make([]int, len(p.tape.slots)), make([]int, len(p.tape.instrs))
	for i, s := range p.tape.slots {
		if s.kind != inArena {
			continue
		}
		n, err := eval.product(s.typ.Shape, s.typ.DType.Size())
		if err != nil {
			return nil, nil, graph.Locate(err, s.node)
		}
		slots[i] = roundUp(n)
	}
	for i, in := range p.tape.instrs {
		n, err := eval.dim(in.scratch)
		if err != nil {
			return nil, nil, graph.Locate(err, in.node)
		}
		scratch[i] = roundUp(n)
	}
	return slots, scratch, nil
}

func roundUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// plan walks the tape in time: a slot gets the smallest free block that holds it when it is written, and gives it back after
// its last use. O(n log n) for n instructions.
func (p *Program) plan(b graph.Binding) (memoryPlan, error) {
	t := p.tape
	sizes, scratch, err := p.sizes(b)
	if err != nil {
		return memoryPlan{}, err
	}
	plan := memoryPlan{offsets: make([]int, len(t.slots)), scratch: make([]int, len(t.instrs)), shapes: make([][]int, len(t.slots))}
	eval := newDimCache(b)
	for i, s := range t.slots {
		plan.shapes[i] = make([]int, len(s.typ.Shape))
		for k, d := range s.typ.Shape {
			if plan.shapes[i][k], err = eval.dim(d); err != nil {
				return memoryPlan{}, graph.Locate(err, s.node)
			}
		}
	}
	dying := make([][]slotID, len(t.instrs))
	taken := make([]bool, len(t.slots)) // its place went to an in-place result
	for i, s := range t.slots {
		if s.kind == inArena && s.first >= 0 && s.last < len(t.instrs) {
			dying[s.last] = append(dying[s.last], slotID(i))
		}
		if s.shares != noSlot {
			taken[s.shares] = true
		}
	}
	var free freeList
	for i := range t.instrs {
		for _, s := range t.instrs[i].out {
			if from := t.slots[s].shares; from != noSlot {
				plan.offsets[s] = plan.offsets[from]
			} else {
				plan.offsets[s] = free.take(sizes[s])
			}
		}
		plan.scratch[i] = -1
		if scratch[i] > 0 {
			plan.scratch[i] = free.take(scratch[i])
			free.give(plan.scratch[i], scratch[i])
		}
		for _, s := range dying[i] {
			if !taken[s] {
				free.give(plan.offsets[s], sizes[s])
			}
		}
	}
	for i, s := range t.slots {
		if s.kind == viewOf {
			plan.offsets[i] = plan.offsets[s.base]
		}
	}
	plan.bytes = free.top
	return plan, nil
}

// freeList hands out blocks of an arena that grows as needed: the smallest that fits, the lowest of equal ones.
type freeList struct {
	top    int           // bytes used so far
	blocks []block       // free ones, by size and then offset
	ending map[int]block // free blocks by end, to join neighbours
	begin  map[int]block // and by start
}

type block struct{ size, offset int }

func compareBlocks(a, b block) int {
	if a.size != b.size {
		return a.size - b.size
	}
	return a.offset - b.offset
}

func (f *freeList) take(size int) int {
	if size == 0 {
		return 0
	}
	if i, _ := slices.BinarySearchFunc(f.blocks, block{size, -1}, compareBlocks); i < len(f.blocks) {
		b := f.blocks[i]
		f.remove(b)
		if b.size > size {
			f.insert(block{b.size - size, b.offset + size})
		}
		return b.offset
	}
	offset := f.top
	if b, ok := f.ending[f.top]; ok { // the last block is free but too small: grow it
		f.remove(b)
		offset = b.offset
	}
	f.top = offset + size
	return offset
}

func (f *freeList) give(offset, size int) {
	if size == 0 {
		return
	}
	b := block{size, offset}
	if before, ok := f.ending[offset]; ok {
		f.remove(before)
		b = block{before.size + b.size, before.offset}
	}
	if after, ok := f.begin[offset+size]; ok {
		f.remove(after)
		b.size += after.size
	}
	f.insert(b)
}

func (f *freeList) insert(b block) {
	if f.ending == nil {
		f.ending, f.begin = map[int]block{}, map[int]block{}
	}
	i, _ := slices.BinarySearchFunc(f.blocks, b, compareBlocks)
	f.blocks = slices.Insert(f.blocks, i, b)
	f.ending[b.offset+b.size], f.begin[b.offset] = b, b
}

func (f *freeList) remove(b block) {
	i, _ := slices.BinarySearchFunc(f.blocks, b, compareBlocks)
	f.blocks = slices.Delete(f.blocks, i, i+1)
	delete(f.ending, b.offset+b.size)
	delete(f.begin, b.offset)
}

// dimCache evaluates each distinct dimension once.
type dimCache struct {
	binding graph.Binding
	known   map[graph.Dim]int
}

func newDimCache(b graph.Binding) dimCache { return dimCache{b, map[graph.Dim]int{}} }

func (c dimCache) dim(d graph.Dim) (int, error) {
	if d.IsStatic() {
		return int(d), nil
	}
	if n, ok := c.known[d]; ok {
		return n, nil
	}
	n, err := d.Eval(c.binding)
	if err == nil {
		c.known[d] = n
	}
	return n, err
}

func (c dimCache) product(s graph.Shape, unit int) (int, error) {
	n := graph.Dim(unit)
	for _, d := range s {
		v, err := c.dim(d)
		if err != nil {
			return 0, err
		}
		n = n.Mul(graph.Dim(v))
	}
	if !n.Valid() {
		return 0, graph.Errorf(graph.ErrShape, "the size of %v overflows", s)
	}
	return int(n), nil
}

// alignedBytes allocates memory that starts at a cache line.
func alignedBytes(n int) []byte {
	raw := make([]byte, n+alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(raw)))) & (alignment - 1)
	return raw[skip : skip+n : skip+n]
}
