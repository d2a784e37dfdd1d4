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
	sizes   graph.Binding
	bytes   int
	offsets []int   // by slot; of a view, its base's
	scratch []int   // by instruction: offset of the working memory, −1 for none
	shapes  [][]int // by slot
}

// sizes returns the bytes of every arena slot and of every instruction's scratch.
func (p *Program) sizes(b graph.Binding) (slots, scratch []int, err error) {
	eval := newDimCache(b)
	slots, scratch = make([]int, len(p.tape.slots)), make([]int, len(p.tape.instrs))
	total := 0
	round := func(n int, at *graph.Node) (int, error) {
		n = roundUp(n)
		if total += n; n < 0 || total < 0 {
			return 0, graph.Locate(graph.Errorf(graph.ErrShape, "the bytes of it and of what is computed before it overflow"), at)
		}
		return n, nil
	}
	for i, s := range p.tape.slots {
		if s.kind != inArena {
			continue
		}
		n, err := eval.product(s.typ.Shape, s.typ.DType.Size())
		if err != nil {
			return nil, nil, graph.Locate(err, s.node)
		}
		if slots[i], err = round(n, s.node); err != nil {
			return nil, nil, err
		}
	}
	for i, in := range p.tape.instrs {
		n, err := eval.dim(in.scratch)
		if err != nil {
			return nil, nil, graph.Locate(err, in.node)
		}
		if scratch[i], err = round(n, in.node); err != nil {
			return nil, nil, err
		}
	}
	return slots, scratch, nil
}

func roundUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// largest returns the node whose value takes the most memory under a binding for which sizes succeeds.
func (p *Program) largest(b graph.Binding) (n *graph.Node) {
	sizes, _, _ := p.sizes(b)
	most := -1
	for i, size := range sizes {
		if size > most {
			most, n = size, p.tape.slots[i].node
		}
	}
	return n
}

// plan places the slots. Small programs are also planned by size, and the smaller result is taken.
func (p *Program) plan(b graph.Binding) (*memoryPlan, error) {
	t := p.tape
	sizes, scratch, err := p.sizes(b)
	if err != nil {
		return nil, err
	}
	shapes := make([][]int, len(t.slots))
	eval := newDimCache(b)
	for i, s := range t.slots {
		shapes[i] = make([]int, len(s.typ.Shape))
		for k, d := range s.typ.Shape {
			if shapes[i][k], err = eval.dim(d); err != nil {
				return nil, graph.Locate(err, s.node)
			}
		}
	}
	lives := t.lives(sizes, scratch)
	bytes := placeInTime(lives, len(t.instrs))
	if len(lives) <= quadraticLimit {
		bySize := t.lives(sizes, scratch)
		if n := placeBySize(bySize); n < bytes {
			lives, bytes = bySize, n
		}
	}
	plan := &memoryPlan{sizes: b, bytes: bytes, offsets: make([]int, len(t.slots)), scratch: make([]int, len(t.instrs)), shapes: shapes}
	for i := range plan.scratch {
		plan.scratch[i] = -1
	}
	for _, l := range lives {
		if l.slot == noSlot {
			plan.scratch[l.first] = l.offset
		} else {
			plan.offsets[l.slot] = l.offset
		}
	}
	for i := range t.instrs { // in time, so that a chain of in-place results follows its head
		for _, s := range t.instrs[i].out {
			if from := t.slots[s].shares; from != noSlot {
				plan.offsets[s] = plan.offsets[from]
			}
		}
	}
	for i, s := range t.slots {
		if s.kind == viewOf {
			plan.offsets[i] = plan.offsets[s.base]
		}
	}
	return plan, nil
}

// quadraticLimit is the number of lives up to which placement by size is tried too.
const quadraticLimit = 1000

// life is a span of time in which a piece of memory is needed: by a slot and the in-place results that follow it, or by an
// instruction as scratch.
type life struct {
	slot        slotID // noSlot for scratch
	size        int
	first, last int // instructions
	offset      int
}

// lives lists them by their first instruction.
func (t *tape) lives(sizes, scratch []int) []life {
	end := make([]int, len(t.slots)) // of the chain of in-place results that begins with the slot
	for i := len(t.instrs) - 1; i >= 0; i-- {
		for _, s := range t.instrs[i].out {
			end[s] = max(end[s], t.slots[s].last)
			if from := t.slots[s].shares; from != noSlot {
				end[from] = end[s]
			}
		}
	}
	var lives []life
	for i := range t.instrs {
		for _, s := range t.instrs[i].out {
			if t.slots[s].shares == noSlot && sizes[s] > 0 {
				lives = append(lives, life{slot: s, size: sizes[s], first: i, last: end[s]})
			}
		}
		if scratch[i] > 0 {
			lives = append(lives, life{slot: noSlot, size: scratch[i], first: i, last: i})
		}
	}
	return lives
}

// placeInTime walks the tape: a life gets the smallest free block that holds it when it begins, and gives it back when it
// ends. O(n log n). It returns the bytes used.
func placeInTime(lives []life, instrs int) int {
	ending := make([][]int, instrs+1)
	for i, l := range lives {
		ending[l.last] = append(ending[l.last], i)
	}
	var free freeList
	next := 0
	for i := range instrs {
		for ; next < len(lives) && lives[next].first == i; next++ {
			lives[next].offset = free.take(lives[next].size)
		}
		for _, l := range ending[i] {
			free.give(lives[l].offset, lives[l].size)
		}
	}
	return free.top
}

// placeBySize places the largest lives first, each at the lowest place where it meets no other that is alive at the same
// time, and tries again with the life that ended at the top moved to the front. O(n²), and usually within a few per cent of the
// least possible. It returns the bytes used.
func placeBySize(lives []life) int {
	order := make([]int, len(lives))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lives[b].size - lives[a].size })
	var best []life
	least := 0
	for range placementTries {
		top, highest := placeInOrder(lives, order)
		if best == nil || top < least {
			best, least = slices.Clone(lives), top
		}
		if highest <= 0 { // the first in the order ends at the top: no other order of this kind is better
			break
		}
		first := order[highest]
		copy(order[1:], order[:highest])
		order[0] = first
	}
	copy(lives, best)
	return least
}

const placementTries = 16

// placeInOrder returns the bytes used and where in the order the life is that ends there.
func placeInOrder(lives []life, order []int) (top, highest int) {
	placed := make([]int, 0, len(lives)) // by offset
	for at, i := range order {
		l := &lives[i]
		l.offset = 0
		for _, j := range placed {
			other := &lives[j]
			if other.last < l.first || l.last < other.first {
				continue
			}
			if l.offset+l.size <= other.offset {
				break
			}
			l.offset = max(l.offset, other.offset+other.size)
		}
		if end := l.offset + l.size; end > top {
			top, highest = end, at
		}
		at, _ := slices.BinarySearchFunc(placed, l.offset, func(j, offset int) int { return lives[j].offset - offset })
		placed = slices.Insert(placed, at, i)
	}
	return top, highest
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

// allocate is alignedBytes, with an error where the memory cannot be had.
func allocate(n int) (memory []byte, err error) {
	if protect(func() error { memory = alignedBytes(n); return nil }) != nil {
		return nil, graph.Errorf(graph.ErrShape, "%d bytes of memory cannot be had; look at the sizes of its dimensions", n)
	}
	return memory, nil
}

// alignedBytes allocates memory that starts at a cache line.
func alignedBytes(n int) []byte {
	raw := make([]byte, n+alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(raw)))) & (alignment - 1)
	return raw[skip : skip+n : skip+n]
}
