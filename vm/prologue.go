package vm

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// hoistPrologue moves what depends on the state alone to the front of a program that does not change the state, and lays out
// the weights of its products as the kernel reads them. That part runs once for each version of the state, not in each run, and
// its results are shared by all machines of the program and the state:
//
//	                                         s9 = pack(w)                   prologue
//	s4 = eval exp(v)                         s4 = eval exp(v)               prologue
//	s5 = affine(x, w, s4)             →      s5 = affine(x, packed w, s4)
func hoistPrologue(u *unit) error {
	t := u.tape
	if len(t.commits) > 0 {
		return nil
	}
	var hoisted, kept []instr
	for _, in := range t.instrs {
		if t.dependsOnStateAlone(&in) {
			in.hoisted = true
			for _, s := range in.out {
				t.shareSlot(s)
			}
			hoisted = append(hoisted, in)
			continue
		}
		kept = append(kept, in)
	}
	packed := map[packing]slotID{}
	for i := range kept {
		in := &kept[i]
		if in.kind != affineInstr || !t.isShared(in.in[1]) || t.slots[in.in[1]].typ.Shape.Rank() != 2 {
			continue
		}
		b, perm := &t.slots[in.in[1]], in.affine.perms[1]
		matrix := permuted(b.typ.Shape, perm)
		k, n := matrix[0], matrix[1]
		if !k.IsStatic() || !n.IsStatic() || k*n < minPacked {
			continue
		}
		key := packing{in.in[1], perm != nil && swapsLast(perm)}
		to, ok := packed[key]
		if !ok {
			size := kernel.PackedLen[float64](int(k), int(n))
			if b.typ.DType == graph.Float32 {
				size = kernel.PackedLen[float32](int(k), int(n))
			}
			to = t.add(slot{typ: graph.TypeOf(b.typ.DType, graph.Dim(size)), name: b.name, node: b.node, base: noSlot, shares: noSlot})
			t.shareSlot(to)
			packed[key] = to
			pack := instr{kind: packInstr, node: b.node, in: []slotID{in.in[1]}, out: []slotID{to}, hoisted: true}
			pack.affine.perms[1] = perm
			hoisted = append(hoisted, pack)
		}
		in.affine.packed = true
		in.in = append(slices.Clone(in.in), to)
	}
	t.instrs = append(hoisted, kept...)
	return nil
}

// packing is a matrix and which way round it is laid out.
type packing struct {
	matrix     slotID
	transposed bool
}

// minPacked is how many elements a matrix has at least for its layout to be worth the memory.
const minPacked = 1 << 10

// isShared reports whether a slot's value is the same for all machines until the state changes.
func (t *tape) isShared(s slotID) bool {
	switch t.slots[t.base(s)].kind {
	case inState, inConst, inPrologue:
		return true
	}
	return false
}

func (t *tape) dependsOnStateAlone(in *instr) bool {
	if in.kind == evalInstr && in.node.Def().Traits.Has(graph.Impure) || !in.scratch.IsStatic() {
		return false
	}
	for _, d := range in.node.AttrDims() {
		if !d.IsStatic() {
			return false
		}
	}
	for _, s := range in.in {
		if !t.isShared(s) {
			return false
		}
	}
	for _, s := range in.out {
		if !t.slots[s].typ.Shape.IsStatic() {
			return false
		}
	}
	return len(in.in) > 0
}

// shareSlot places a slot in the prologue's memory.
func (t *tape) shareSlot(s slotID) {
	at := &t.slots[s]
	at.kind, at.index = inPrologue, t.shared
	t.shared += roundUp(int(at.typ.Shape.Size()) * at.typ.DType.Size())
}

// hoisted counts the instructions of the prologue.
func (t *tape) hoisted() int {
	n := 0
	for n < len(t.instrs) && t.instrs[n].hoisted {
		n++
	}
	return n
}

// prologue is the memory of what a program computes from a state alone. All runs read the state under its lock, so while one
// finds that the memory is of an older version, none that still reads it can be under way.
type prologue struct {
	mu      sync.Mutex
	version atomic.Uint64 // of the state, plus 1; 0 before the first time
	memory  []byte
}

// prologueOf returns the prologue that all machines of a program share.
func (s *State) prologueOf(p *Program) (*prologue, error) {
	if p.tape.hoisted() == 0 { // its memory may be empty, as its values may
		return nil, nil
	}
	s.prologues.Lock()
	defer s.prologues.Unlock()
	key := weak.Make(p)
	if known := s.prologues.of[key]; known != nil {
		return known, nil
	}
	memory, err := allocate(p.tape.shared)
	if err != nil {
		return nil, err
	}
	if s.prologues.of == nil {
		s.prologues.of = map[weak.Pointer[Program]]*prologue{}
	}
	s.prologues.of[key] = &prologue{memory: memory}
	runtime.AddCleanup(p, func(s weak.Pointer[State]) {
		if s := s.Value(); s != nil {
			s.prologues.Lock()
			delete(s.prologues.of, key)
			s.prologues.Unlock()
		}
	}, weak.Make(s))
	return s.prologues.of[key], nil
}

// prologues are those of a state's programs, which are not kept alive for it.
type prologues struct {
	sync.Mutex
	of map[weak.Pointer[Program]]*prologue
}

// enter runs the prologue if the state has changed since somebody did. The caller holds the state's read lock.
func (m *Machine) enter() error {
	p := m.prologue
	if p == nil || p.version.Load() == m.state.version+1 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version.Load() == m.state.version+1 {
		return nil
	}
	for m.at = range m.hoisted {
		if err := m.perform(m.at); err != nil {
			return err
		}
	}
	p.version.Store(m.state.version + 1)
	return nil
}

// pack lays out a matrix as the product kernel reads it.
func pack[T kernel.Float](s *step) {
	b := s.call.In[0]
	var as operandOf
	as.set(b.Shape, s.in.affine.perms[1])
	k, n, row, col := as.matrix()
	kernel.Pack(graph.Elements[T](s.call.Out[0]), graph.Elements[T](b), row, col, k, n)
}
