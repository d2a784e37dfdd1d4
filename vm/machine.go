package vm

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
	"unsafe"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Machine runs a program over a state. It owns the memory of the values in between, and is used by one goroutine at a time;
// many machines may run one program. A run that has seen its sizes before, or smaller ones, allocates nothing.
type Machine struct {
	// Workers limits how many goroutines work on one run; 0 means GOMAXPROCS, 1 suits servers that run many machines. Results
	// do not depend on it.
	Workers int

	// CheckFinite looks for NaN and infinities in what every instruction computes, the new states included. Where there are any,
	// nothing is committed and Run fails with the first node that made them of finite operands, which a second, plain evaluation
	// finds. What ops.AllowNonFinite marks is let pass. It is for finding mistakes: runs take several times as long.
	CheckFinite bool

	// PoisonDead overwrites every place in the machine's memory, with NaN where floats are kept, as soon as its value has been read
	// for the last time. It is for finding mistakes in the compiler and in operators: results are the same bits with it, or a
	// value was used that was not there any more.
	PoisonDead bool

	// Stdout is where ops.Print writes; nil means os.Stdout.
	Stdout io.Writer

	program *Program
	state   *State

	feeds   []feed
	refused refusal
	bound   bool // the memory is laid out for the shapes that were fed
	binding graph.Binding

	plans    []*memoryPlan // for several sizes, the latest last
	plan     *memoryPlan   // the one in use
	arena    []byte
	arrays   []graph.Array // by slot
	steps    []step        // by instruction
	hoisted  int           // the instructions before this one are the prologue
	computed int           // and those from here on the commit phase
	prologue *prologue
	fan      fan

	work32 workspaces[float32]
	work64 workspaces[float64]

	fedOperands []fedOperand // of steps, to point at newly fed tensors
	fedKernels  []int        // steps with kernels of their own that have such operands

	profile *Profile // nil: nobody measures
	suspect int      // with CheckFinite: the first instruction that made a number that is not finite, or −1

	ran bool // there are values to read
	at  int  // the instruction being run, for panics
}

// refusal is a Feed that failed. The next Run reports it, in case nobody looked, unless the node was fed well since.
type refusal struct {
	node *graph.Node
	err  error
}

// feed is what an input was fed last.
type feed struct {
	array graph.Array
	set   bool
	shape [graph.MaxRank]int // a copy: the tensor may be reshaped behind our back
}

// NewMachine returns a machine that runs p over s. Parameters and variables that were added to the graph after s was made get
// their initial values now. It fails if p and s belong to different graphs.
func NewMachine(p *Program, s *State) (*Machine, error) {
	switch {
	case p == nil:
		return nil, graph.Errorf(graph.ErrGraph, "a nil *vm.Program; look at the error of vm.Compile")
	case s == nil:
		return nil, graph.Errorf(graph.ErrGraph, "a nil *vm.State; make one with vm.NewState")
	}
	for _, n := range append(p.Outputs(), targets(p.updates)...) {
		if n.Graph() != s.graph {
			return nil, graph.Errorf(graph.ErrGraph, "the program and the state belong to different graphs")
		}
	}
	if err := s.ensure(p.states); err != nil {
		return nil, err
	}
	m := &Machine{program: p, state: s, binding: graph.Binding{}, feeds: make([]feed, len(p.feeds))}
	var err error
	if m.prologue, err = s.prologueOf(p); err != nil {
		return nil, err
	}
	m.prepare()
	return m, nil
}

// Program returns the program the machine runs.
func (m *Machine) Program() *Program { return m.program }

// Feed gives input n the value of the coming runs, until it is fed again: a *tensor.Dense, a slice for one dimension, or a
// number for none, of the input's element type and, symbols aside, its shape. Dense row-major memory is read in place and
// never written; it must not change during Run. A value of this machine's own (Value) is copied. Feeding a *tensor.Dense
// allocates nothing; wrapping a slice or a number does.
//
// A value that is refused leaves the input without one, and the next Run reports it again unless the input is fed well before.
func (m *Machine) Feed(n *graph.Node, value any) error {
	at := slices.Index(m.program.feeds, n)
	var err error
	if at < 0 {
		err = m.unknownFeed(n)
	} else {
		err = m.feed(at, n, value)
		m.feeds[at].set = err == nil
	}
	if err != nil {
		m.refused = refusal{n, err}
	} else if m.refused.node == n {
		m.refused = refusal{}
	}
	return err
}

func (m *Machine) feed(at int, n *graph.Node, value any) error {
	a, err := graph.ArrayOf(value)
	if err != nil {
		return graph.Locate(err, n)
	}
	if a.DType != n.DType() {
		return graph.Locate(graph.Errorf(graph.ErrDType, "fed %v, declared %v", a.DType, n.Type()), n)
	}
	fits := len(a.Shape) == len(n.Shape())
	for i, d := range n.Shape() {
		fits = fits && (d.IsSymbolic() || int(d) == a.Shape[i])
	}
	if !fits {
		return graph.Locate(graph.Errorf(graph.ErrShape, "fed shape %v, declared %v", tensor.Shape(a.Shape), n.Shape()), n)
	}
	f := &m.feeds[at]
	for i, s := range a.Shape {
		if !f.set || f.shape[i] != s {
			m.bound = false
		}
		f.shape[i] = s
	}
	if m.owns(a) { // the next run writes there
		a = clone(a)
	}
	f.array = a
	return nil
}

// owns reports whether a lies in the arena.
func (m *Machine) owns(a graph.Array) bool {
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(m.arena)))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(a.Bytes())))
	return at >= begin && at-begin < uintptr(len(m.arena))
}

func (m *Machine) unknownFeed(n *graph.Node) error {
	names := ""
	for i, x := range m.program.feeds {
		if i > 0 {
			names += ", "
		}
		names += x.Name()
	}
	switch {
	case n.Err() != nil:
		return n.Err()
	case n.Kind() != graph.Input:
		return graph.Locate(graph.Errorf(graph.ErrFeed, "only inputs are fed, and this is of the kind %v; the program needs: %s", n.Kind(), names), n)
	}
	return graph.Locate(graph.Errorf(graph.ErrFeed, "unknown feed: this program does not need it; it needs: %s", names), n)
}

// Run computes the outputs and commits the updates. If it fails or ctx ends first, nothing was committed: the state is as
// before, and the machine can be used again.
func (m *Machine) Run(ctx context.Context) error {
	if m.profile != nil {
		defer func(began time.Time) { m.profile.finish(time.Since(began)) }(time.Now())
	}
	m.ran, m.suspect = false, -1
	if err := m.refused.err; err != nil {
		m.refused = refusal{}
		return err
	}
	if err := m.bind(); err != nil {
		return err
	}
	if len(m.program.commits) > 0 {
		m.state.writer.Lock()
		defer m.state.writer.Unlock()
	}
	if err := m.compute(ctx); err != nil {
		if m.CheckFinite && m.suspect >= 0 { // why an assertion failed, for one
			if found := m.checkFinite(); found != nil {
				return found
			}
		}
		return err
	}
	if m.CheckFinite {
		if err := m.checkFinite(); err != nil {
			return err
		}
	}
	m.commit()
	m.ran = true
	return nil
}

// compute runs the instructions under the state's read lock.
func (m *Machine) compute(ctx context.Context) (err error) {
	m.state.mu.RLock()
	defer m.state.mu.RUnlock()
	defer func() {
		if p := recover(); p != nil {
			err = m.failed(panicError(p))
		}
	}()
	var done <-chan struct{}
	if ctx != nil {
		done = ctx.Done()
	}
	if err := m.enter(); err != nil {
		return m.failed(err)
	}
	var dead poison
	if m.PoisonDead {
		dead.begin(m)
	}
	for m.at = m.hoisted; m.at < m.computed; m.at++ {
		if done != nil {
			select {
			case <-done:
				return m.stopped(ctx)
			default:
			}
		}
		if err := m.perform(m.at); err != nil {
			return m.failed(err)
		}
		if m.PoisonDead {
			dead.after(m, m.at)
		}
	}
	return nil
}

// stopped reports that ctx ended; errors.Is finds both ctx.Err and the cause.
func (m *Machine) stopped(ctx context.Context) error {
	why, cause := ctx.Err(), context.Cause(ctx)
	if cause != why {
		why = fmt.Errorf("%w: %w", why, cause)
	}
	return &graph.Error{Kind: why, Msg: fmt.Sprintf("stopped before instruction %d of %d: %v; nothing was committed", m.at, len(m.steps), why)}
}

// commit runs the instructions that write the state, then copies the other new values into it.
func (m *Machine) commit() {
	if len(m.program.commits) == 0 {
		return
	}
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	for i := m.computed; i < len(m.steps); i++ {
		_ = m.perform(i) // an elementwise program, which cannot fail
	}
	for i, s := range m.program.tape.commits {
		if m.program.tape.slots[s].kind == inState {
			continue
		}
		name := m.program.states[m.program.commits[i]].Name()
		m.state.values[name].CopyFrom(m.arrays[s])
	}
	m.state.version++
}

// failed names the instruction and the user's line.
func (m *Machine) failed(err error) error {
	in := &m.program.tape.instrs[m.at]
	located := graph.Locate(err, in.node)
	if e, ok := located.(*graph.Error); ok {
		withStep := *e
		withStep.Msg += fmt.Sprintf(" (instruction %d)", m.at)
		return &withStep
	}
	return located
}

func panicError(p any) error { return graph.Errorf(graph.ErrOperator, "panicked: %v", p) }

// output returns the value of an output after a run.
func (m *Machine) output(n *graph.Node) (graph.Array, error) {
	for i, x := range m.program.outputs {
		if x == n {
			if !m.ran {
				return graph.Array{}, graph.Locate(graph.Errorf(graph.ErrValue, "no value: the machine has not run, or its last run failed"), n)
			}
			return m.arrays[m.program.tape.outputs[i]], nil
		}
	}
	if n.Err() != nil {
		return graph.Array{}, n.Err()
	}
	return graph.Array{}, graph.Locate(graph.Errorf(graph.ErrName, "this is no output of the program; add it to Spec.Outputs"), n)
}

// Value returns the value of output n. It is a view of the machine's memory, valid until the next Run; CopyTo keeps it.
func (m *Machine) Value(n *graph.Node) (*tensor.Dense, error) {
	a, err := m.output(n)
	if err != nil {
		return nil, err
	}
	a.Shape = append([]int(nil), a.Shape...)
	return a.Dense(), nil
}

// Scalar returns the value of an output of one element, without allocating.
func (m *Machine) Scalar(n *graph.Node) (float64, error) {
	a, err := m.output(n)
	if err != nil {
		return 0, err
	}
	if a.Len() != 1 {
		return 0, graph.Locate(graph.Errorf(graph.ErrShape, "shape %v is no scalar; use Value", tensor.Shape(a.Shape)), n)
	}
	return a.At(0), nil
}

// CopyTo copies the value of output n into dst, which has its element type and shape.
func (m *Machine) CopyTo(n *graph.Node, dst *tensor.Dense) error {
	a, err := m.output(n)
	if err != nil {
		return err
	}
	to, err := graph.ArrayOf(dst)
	if err != nil {
		return err
	}
	if to.DType != a.DType || !sameShape(to.Shape, a.Shape) || dst.RequiresIterator() || dst.DataOrder().IsColMajor() {
		return graph.Locate(graph.Errorf(graph.ErrShape, "the value is %v%v, the destination %v%v; it must be alike and dense", a.DType, tensor.Shape(a.Shape), to.DType, tensor.Shape(to.Shape)), n)
	}
	to.CopyFrom(a)
	return nil
}
