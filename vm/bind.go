package vm

import (
	"maps"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// bind gives the symbols the sizes of what was fed, and lays out the memory if they changed. Where a plan for sizes at
// least as large is there, only shapes are computed anew and nothing is allocated.
func (m *Machine) bind() error {
	for i := range m.feeds {
		if !m.feeds[i].set {
			return graph.Locate(graph.Errorf(graph.ErrFeed, "missing feed: the program needs it; call Feed before Run"), m.program.feeds[i])
		}
	}
	if m.bound {
		m.refreshFeeds()
		return nil
	}
	if err := m.solve(); err != nil {
		return err
	}
	if err := m.choosePlan(); err != nil {
		return err
	}
	for i := range m.arrays {
		if err := m.place(slotID(i)); err != nil {
			return err
		}
	}
	if err := m.refresh(); err != nil {
		return err
	}
	m.bound = true
	return nil
}

// solve finds the sizes of the symbols, and that all feeds agree.
func (m *Machine) solve() error {
	clear(m.binding)
	for i, n := range m.program.feeds {
		for axis, d := range n.Shape() {
			if !d.IsSymbol() {
				continue
			}
			size := m.feeds[i].shape[axis]
			if known, ok := m.binding[d]; !ok {
				m.binding[d] = size
			} else if known != size {
				return graph.Locate(graph.Errorf(graph.ErrFeed, "the feeds disagree: %v is %d in %s but %d in %s", d, known, m.hasDim(d), size, n.Name()), n)
			}
		}
	}
	for i, n := range m.program.feeds {
		for axis, d := range n.Shape() {
			want, err := d.Eval(m.binding)
			if err != nil {
				return graph.Locate(err, n)
			}
			if got := m.feeds[i].shape[axis]; got != want {
				return graph.Locate(graph.Errorf(graph.ErrFeed, "dimension %d was fed as %d, but %v is %d", axis, got, d, want), n)
			}
		}
	}
	return nil
}

// hasDim names the first input that has dimension d.
func (m *Machine) hasDim(d graph.Dim) string {
	for _, n := range m.program.feeds {
		for _, e := range n.Shape() {
			if e == d {
				return n.Name()
			}
		}
	}
	return "?"
}

// choosePlan finds a plan that serves the sizes of now, or makes one.
func (m *Machine) choosePlan() error {
	for _, p := range m.plans {
		if p.serves(m.binding, m.program.fixed) {
			m.plan = p
			return nil
		}
	}
	plan, err := m.program.plan(maps.Clone(m.binding))
	if err != nil {
		return err
	}
	if n := len(m.plans); n > 0 && !m.program.fixed {
		last := m.plans[n-1]
		joint := maps.Clone(m.binding)
		for s, size := range last.sizes {
			joint[s] = max(joint[s], size)
		}
		if both, err := m.program.plan(joint); err == nil && both.bytes <= jointLimit*max(plan.bytes, last.bytes) {
			plan, m.plans = both, m.plans[:n-1]
		}
	}
	if len(m.arena) < plan.bytes || m.arena == nil {
		arena, err := allocate(plan.bytes)
		if err != nil {
			return graph.Locate(err, m.program.largest(plan.sizes))
		}
		m.arena = arena
	}
	if len(m.plans) == mostPlans {
		m.plans = slices.Delete(m.plans, 0, 1)
	}
	m.plans, m.plan = append(m.plans, plan), plan
	return nil
}

const (
	// jointLimit is how much more memory one plan for the largest sizes seen may take than what was needed. Two sizes that are
	// large in turn, long sequences and large batches, get a plan each if the product of both is out of proportion.
	jointLimit = 2

	// mostPlans is how many plans a machine keeps.
	mostPlans = 8
)

// serves reports whether a plan has room for the sizes of a binding: for sizes that grow with every symbol, if none is larger.
func (p *memoryPlan) serves(b graph.Binding, fixed bool) bool {
	for s, n := range b {
		if n > p.sizes[s] || fixed && n != p.sizes[s] {
			return false
		}
	}
	return true
}

// place points a slot's array at its memory, with the shape it has under the binding.
func (m *Machine) place(id slotID) error {
	t := m.program.tape
	s := &t.slots[id]
	shape := m.plan.shapes[id]
	for k, d := range s.typ.Shape {
		n, err := d.Eval(m.binding)
		if err != nil {
			return graph.Locate(err, s.node)
		}
		shape[k] = n
	}
	switch s.kind {
	case inArena:
		if s.first >= 0 {
			m.arrays[id] = graph.ArrayAt(s.typ.DType, shape, m.arena[m.plan.offsets[id]:])
		}
	case inState:
		m.state.mu.RLock()
		m.arrays[id] = m.state.values[s.name]
		m.state.mu.RUnlock()
	case inPrologue:
		m.arrays[id] = graph.ArrayAt(s.typ.DType, shape, m.prologue.memory[s.index:])
	case inConst:
		m.arrays[id] = t.consts[s.index]
	case inFeed:
		m.arrays[id] = m.feeds[s.index].array
		m.arrays[id].Shape = shape
	case viewOf:
		if t.slots[s.base].kind == inBlock { // its place is the runner's matter
			return nil
		}
		// A base comes before its views, so it is in place already.
		m.arrays[id] = m.arrays[s.base].As(shape)
	}
	if n := m.arrays[id].Len(); s.kind == viewOf && n != m.arrays[s.base].Len() {
		return graph.Locate(graph.Errorf(graph.ErrShape, "%v elements viewed as %v", m.arrays[s.base].Len(), tensor.Shape(shape)), s.node)
	}
	return nil
}

// refreshFeeds points slots at newly fed tensors of the same shapes.
func (m *Machine) refreshFeeds() {
	for _, r := range m.fedOperands {
		m.steps[r.step].call.In[r.operand] = m.fed(r.slot)
	}
	for _, i := range m.fedKernels {
		m.steps[i].bind()
	}
}

func (m *Machine) fed(id slotID) graph.Array {
	t := m.program.tape
	base := t.base(id)
	a := m.feeds[t.slots[base].index].array
	m.arrays[base] = a
	m.arrays[id] = a.As(m.plan.shapes[id])
	return m.arrays[id]
}
