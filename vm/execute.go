package vm

import (
	"slices"
	"sync/atomic"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/parallel"
)

// step is what a machine keeps for one instruction: the operands in the form that the kernel takes, set up when sizes change.
type step struct {
	in   *instr
	call graph.Call
	f32  *product[float32] // of affine instructions
	f64  *product[float64]
	e32  *elementRunner[float32] // of elementwise instructions, and of those in a product's epilogue
	e64  *elementRunner[float64]
	rows *rowRunner // of rows instructions
}

// fedOperand is an operand that is fed or a view of what is fed.
type fedOperand struct {
	step, operand int
	slot          slotID
}

// prepare makes the steps.
func (m *Machine) prepare() {
	t := m.program.tape
	m.arrays = make([]graph.Array, len(t.slots))
	m.steps = make([]step, len(t.instrs))
	m.hoisted, m.computed = t.hoisted(), t.computed()
	parallelCall := m.parallel
	for i := range t.instrs {
		in := &t.instrs[i]
		s := &m.steps[i]
		s.in = in
		s.call = graph.Call{In: make([]graph.Array, len(in.in)), Out: make([]graph.Array, len(in.out)), Binding: m.binding, Parallel: parallelCall}
		isFloat32 := t.slots[in.out[0]].typ.DType == graph.Float32
		switch {
		case in.kind == affineInstr && isFloat32:
			s.f32 = new(product[float32])
		case in.kind == affineInstr:
			s.f64 = new(product[float64])
		case in.kind == rowsInstr:
			s.rows = newRowRunner(t, in, &s.call)
		case in.kind == evalInstr:
			s.call.Attr = in.node.Attr()
		}
		switch {
		case len(in.elements.steps) == 0:
		case isFloat32:
			s.e32 = newElementRunner(&in.elements, &m.work32)
		default:
			s.e64 = newElementRunner(&in.elements, &m.work64)
		}
		for k, operand := range in.in {
			if t.slots[t.base(operand)].kind == inFeed {
				m.fedOperands = append(m.fedOperands, fedOperand{i, k, operand})
				if in.kind != evalInstr && !slices.Contains(m.fedKernels, i) {
					m.fedKernels = append(m.fedKernels, i)
				}
			}
		}
	}
}

// refresh points every step at its operands.
func (m *Machine) refresh() error {
	for i := range m.steps {
		s := &m.steps[i]
		for k, id := range s.in.in {
			s.call.In[k] = m.arrays[id]
		}
		for k, id := range s.in.out {
			s.call.Out[k] = m.arrays[id]
		}
		if at := m.plan.scratch[i]; at >= 0 {
			n, err := s.in.scratch.Eval(m.binding)
			if err != nil {
				return graph.Locate(err, s.in.node)
			}
			s.call.Scratch = m.arena[at : at+n]
		}
		s.bind()
	}
	return nil
}

// bind points a kernel at the operands in s.call.
func (s *step) bind() {
	switch {
	case s.rows != nil:
		s.rows.bind()
	case s.f32 != nil:
		s.f32.bind(s, s.e32)
	case s.f64 != nil:
		s.f64.bind(s, s.e64)
	case s.e32 != nil:
		s.e32.bind(&s.call)
	case s.e64 != nil:
		s.e64.bind(&s.call)
	}
}

// perform runs instruction at, and measures it and looks at its results if somebody wants to know.
func (m *Machine) perform(at int) (err error) {
	if m.profile != nil {
		err = m.profile.timed(at)
	} else {
		err = m.execute(&m.steps[at])
	}
	if m.CheckFinite && err == nil {
		m.lookAt(at)
	}
	return err
}

// execute runs one instruction.
func (m *Machine) execute(s *step) error {
	switch {
	case s.f32 != nil:
		parallel.Run(m.Workers, s.f32.parts(), s.f32)
	case s.f64 != nil:
		parallel.Run(m.Workers, s.f64.parts(), s.f64)
	case s.e32 != nil:
		parallel.Run(m.Workers, s.e32.parts(), s.e32)
		return s.e32.finish()
	case s.e64 != nil:
		parallel.Run(m.Workers, s.e64.parts(), s.e64)
		return s.e64.finish()
	case s.rows != nil:
		parallel.Run(m.Workers, s.rows.parts(), s.rows)
		return s.rows.finish()
	case s.in.kind == packInstr && s.call.In[0].DType == graph.Float32:
		pack[float32](s)
	case s.in.kind == packInstr:
		pack[float64](s)
	case s.in.kind == copyInstr:
		s.call.Out[0].CopyFrom(s.call.In[0])
	default:
		s.call.Stdout = m.Stdout
		return s.in.node.Def().Run(&s.call)
	}
	return nil
}

// fan turns a function of a part into a parallel.Task; each machine has one, as it runs one instruction at a time.
type fan struct {
	busy atomic.Bool
	do   func(part int)
}

// Do runs one part.
func (f *fan) Do(part int) { f.do(part) }

// parallel is what operators find as Call.Parallel. A part that calls it runs all its parts itself.
func (m *Machine) parallel(parts int, do func(part int)) {
	if !m.fan.busy.CompareAndSwap(false, true) {
		for part := range parts {
			do(part)
		}
		return
	}
	defer m.fan.busy.Store(false)
	m.fan.do = do
	parallel.Run(m.Workers, parts, &m.fan)
}
