package vm

import (
	"runtime"
	"slices"
	"sync"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// elementsPerBlock is how many elements of the widest rows a block has about: with a few values of this size a nearby cache is
// far from full, and what a member costs beside its work does not matter.
const elementsPerBlock = 1 << 14

// rowRunner runs a rows instruction; it is a parallel.Task.
type rowRunner struct {
	tape  *tape
	in    *instr
	call  *graph.Call // the operands and results
	width []int       // of the rows of each operand and result; 0 where it is there once for all
	rows  int

	mu   sync.Mutex
	free []*rowContext
	err  error
}

// rowContext is what one part needs for itself: the members with their operands, and a block of each value between them.
type rowContext struct {
	steps  []rowStep
	blocks []graph.Array
}

// rowStep runs one member on n rows from row i on.
type rowStep interface {
	run(r *rowRunner, c *rowContext, i, n int) error
}

// rowOperand says where an operand of a member is: in the instruction's call, or in a block.
type rowOperand struct {
	at    int // counted through call.In and call.Out, or in blocks
	block bool
	width int // 0: all of it, for every row
}

func newRowRunner(t *tape, in *instr, call *graph.Call) *rowRunner {
	r := &rowRunner{tape: t, in: in, call: call, width: make([]int, len(in.in)+len(in.out))}
	for _, m := range in.rows.list {
		for k, s := range append(slices.Clone(m.in), m.out...) {
			if at := r.operand(s); at >= 0 && m.isByRow(k) {
				r.width[at], _ = rowWidth(t.slots[s].typ.Shape, in.rows.lead)
			}
		}
	}
	return r
}

// operand returns the place of a slot among the instruction's operands and results, −1 for none.
func (r *rowRunner) operand(s slotID) int {
	if at := slices.Index(r.in.in, s); at >= 0 {
		return at
	}
	if at := slices.Index(r.in.out, r.tape.base(s)); at >= 0 { // what a member wrote, perhaps under another shape
		return len(r.in.in) + at
	}
	return -1
}

// array returns an operand or result of the instruction.
func (r *rowRunner) array(at int) graph.Array {
	if n := len(r.call.In); at >= n {
		return r.call.Out[at-n]
	}
	return r.call.In[at]
}

// bind finds out how many rows there are, and makes as many contexts as parts may run at a time.
func (r *rowRunner) bind() {
	r.rows = r.call.Out[0].Len() / r.width[len(r.in.in)]
	for n := min(r.parts(), runtime.GOMAXPROCS(0)); len(r.free) < n; {
		r.free = append(r.free, r.context())
	}
}

func (r *rowRunner) rowsPerBlock() int { return max(1, elementsPerBlock/r.in.rows.width) }

// rowsPerPart is a whole number of blocks.
func (r *rowRunner) rowsPerPart() int { return r.rowsPerBlock() * (elementsPerPart / elementsPerBlock) }

func (r *rowRunner) parts() int { return (r.rows + r.rowsPerPart() - 1) / r.rowsPerPart() }

// Do runs one part.
func (r *rowRunner) Do(part int) {
	c := r.take()
	defer r.give(c)
	end := min((part+1)*r.rowsPerPart(), r.rows)
	for i := part * r.rowsPerPart(); i < end; i += r.rowsPerBlock() {
		for _, s := range c.steps {
			if err := s.run(r, c, i, min(r.rowsPerBlock(), end-i)); err != nil {
				r.mu.Lock()
				r.err = err
				r.mu.Unlock()
				return
			}
		}
	}
}

// finish returns what went wrong in a part.
func (r *rowRunner) finish() error {
	err := r.err
	r.err = nil
	return err
}

func (r *rowRunner) take() *rowContext {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.free) - 1
	if last < 0 { // GOMAXPROCS has grown
		return r.context()
	}
	c := r.free[last]
	r.free = r.free[:last]
	return c
}

func (r *rowRunner) give(c *rowContext) {
	r.mu.Lock()
	r.free = append(r.free, c)
	r.mu.Unlock()
}

// context makes the steps of the members.
func (r *rowRunner) context() *rowContext {
	c := new(rowContext)
	blocks := map[slotID]int{}
	for i := range r.in.rows.list {
		m := &r.in.rows.list[i]
		operands := make([]rowOperand, 0, len(m.in)+len(m.out))
		for k, s := range append(slices.Clone(m.in), m.out...) {
			o := rowOperand{at: r.operand(s)}
			if m.isByRow(k) {
				o.width, _ = rowWidth(r.tape.slots[s].typ.Shape, r.in.rows.lead)
			}
			if b := r.tape.base(s); o.at < 0 {
				at, ok := blocks[b]
				if !ok {
					at = len(c.blocks)
					blocks[b] = at
					c.blocks = append(c.blocks, graph.NewArray(r.tape.slots[b].typ.DType, r.rowsPerBlock()*o.width))
				}
				o.at, o.block = at, true
			}
			operands = append(operands, o)
		}
		isFloat32 := r.tape.slots[m.out[0]].typ.DType == graph.Float32
		switch {
		case m.kind == evalInstr:
			c.steps = append(c.steps, newEvalStep(r, m, operands))
		case isFloat32:
			c.steps = append(c.steps, newProgramStep[float32](m, operands))
		default:
			c.steps = append(c.steps, newProgramStep[float64](m, operands))
		}
	}
	return c
}

// programStep is an elementwise program, with or without a reduction of its rows.
type programStep[T kernel.Float] struct {
	program   kernel.Program[T]
	workspace *kernel.Workspace[T]
	arguments []kernel.Argument[T]
	operands  []rowOperand
	cols      int
	mean      bool
}

func newProgramStep[T kernel.Float](m *instr, operands []rowOperand) *programStep[T] {
	s := &programStep[T]{program: programOf[T](&m.elements), arguments: make([]kernel.Argument[T], len(operands)), operands: operands}
	s.cols = operands[slices.Index(s.program.Args, kernel.Full)].width
	s.mean = m.elements.tail.node != nil && m.elements.tail.node.Is(ops.MeanDef)
	s.workspace = kernel.NewWorkspace(&s.program)
	return s
}

func (s *programStep[T]) run(r *rowRunner, c *rowContext, i, n int) error {
	for k, o := range s.operands {
		var data []T
		switch {
		case o.block:
			data = graph.Elements[T](c.blocks[o.at])[:n*o.width]
		case o.width == 0:
			data = graph.Elements[T](r.array(o.at))
		default:
			data = graph.Elements[T](r.array(o.at))[i*o.width : (i+n)*o.width]
		}
		s.arguments[k] = kernel.Argument[T]{Data: data, Stride: s.cols}
	}
	s.program.Run(s.workspace, s.arguments, kernel.Region{Rows: n, Cols: s.cols})
	if s.mean {
		sums := s.arguments[len(s.arguments)-1].Data
		kernel.DivScalar(sums, sums, T(s.cols))
	}
	return nil
}

// evalStep is an operator's own kernel.
type evalStep struct {
	node     *graph.Node
	call     graph.Call
	operands []rowOperand
	rowAxis  int // of all shapes
}

func newEvalStep(r *rowRunner, m *instr, operands []rowOperand) *evalStep {
	s := &evalStep{node: m.node, operands: operands, rowAxis: len(r.in.rows.lead) - 1}
	s.call = graph.Call{Attr: m.node.Attr(), Binding: r.call.Binding, Parallel: func(parts int, do func(part int)) {
		for part := range parts {
			do(part)
		}
	}}
	var types []graph.Type
	for k, o := range operands {
		slot := m.slot(k)
		typ := r.tape.slots[slot].typ
		a := graph.Array{DType: typ.DType, Shape: make([]int, len(typ.Shape))}
		for axis := range a.Shape {
			a.Shape[axis] = 1
		}
		if len(a.Shape) > s.rowAxis+1 {
			a.Shape[s.rowAxis+1] = o.width
		}
		if k < len(m.in) {
			s.call.In = append(s.call.In, a)
			t := graph.Type{DType: a.DType}
			for axis, n := range a.Shape {
				if axis == s.rowAxis {
					n = r.rowsPerBlock()
				}
				t.Shape = append(t.Shape, graph.Dim(n))
			}
			types = append(types, t)
		} else {
			s.call.Out = append(s.call.Out, a)
		}
	}
	if scratch := m.node.Def().Scratch; scratch != nil {
		s.call.Scratch = alignedBytes(int(scratch(m.node.Attr(), types)))
	}
	return s
}

// slot returns operand k, results counted behind the operands.
func (in *instr) slot(k int) slotID {
	if k < len(in.in) {
		return in.in[k]
	}
	return in.out[k-len(in.in)]
}

func (s *evalStep) run(r *rowRunner, c *rowContext, i, n int) error {
	for k, o := range s.operands {
		to := &s.call.Out[max(k-len(s.call.In), 0)]
		if k < len(s.call.In) {
			to = &s.call.In[k]
		}
		size := o.width * to.DType.Size()
		to.Shape[s.rowAxis] = n
		if o.block {
			*to = graph.ArrayAt(to.DType, to.Shape, c.blocks[o.at].Bytes()[:n*size])
		} else {
			*to = graph.ArrayAt(to.DType, to.Shape, r.array(o.at).Bytes()[i*size:(i+n)*size])
		}
	}
	if err := s.node.Def().Run(&s.call); err != nil {
		return graph.Locate(err, s.node)
	}
	return nil
}
