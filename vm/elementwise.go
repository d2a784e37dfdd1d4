package vm

import (
	"runtime"
	"slices"
	"sync"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
)

// elementwiseOps are the operators that elementwise programs have an opcode for. Truth values are 1 and 0 in a program.
var elementwiseOps = map[*graph.Def]kernel.Op{
	ops.AddDef: kernel.OpAdd, ops.SubDef: kernel.OpSub, ops.MulDef: kernel.OpMul, ops.DivDef: kernel.OpDiv, ops.PowDef: kernel.OpPow,
	ops.MinimumDef: kernel.OpMin, ops.MaximumDef: kernel.OpMax,
	ops.NegDef: kernel.OpNeg, ops.AbsDef: kernel.OpAbs, ops.ReciprocalDef: kernel.OpReciprocal, ops.SignDef: kernel.OpSign,
	ops.FloorDef: kernel.OpFloor, ops.CeilDef: kernel.OpCeil, ops.RoundDef: kernel.OpRound, ops.TruncDef: kernel.OpTrunc,
	ops.ExpDef: kernel.OpExp, ops.Expm1Def: kernel.OpExpm1, ops.LogDef: kernel.OpLog, ops.Log1pDef: kernel.OpLog1p,
	ops.Exp2Def: kernel.OpExp2, ops.Log2Def: kernel.OpLog2, ops.SqrtDef: kernel.OpSqrt, ops.RSqrtDef: kernel.OpRsqrt,
	ops.ErfDef: kernel.OpErf, ops.SinDef: kernel.OpSin, ops.CosDef: kernel.OpCos, ops.TanDef: kernel.OpTan,
	ops.AtanDef: kernel.OpAtan, ops.AsinhDef: kernel.OpAsinh, ops.AcoshDef: kernel.OpAcosh, ops.AtanhDef: kernel.OpAtanh,
	ops.ReLUDef: kernel.OpReLU, ops.SigmoidDef: kernel.OpSigmoid, ops.TanhDef: kernel.OpTanh, ops.SoftplusDef: kernel.OpSoftplus,
	ops.LessDef: kernel.OpLess, ops.LessEqualDef: kernel.OpLessEqual, ops.EqualDef: kernel.OpEqual, ops.NotEqualDef: kernel.OpNotEqual,
	ops.AndDef: kernel.OpMul, ops.OrDef: kernel.OpMax, ops.XorDef: kernel.OpNotEqual, ops.NotDef: kernel.OpEqual, // ¬a is a = 0
	ops.SelectDef: kernel.OpSelect,
}

// opOf returns the opcode of a pointwise instruction: its operator's own, or a call of its Pointwise where there is none.
func (t *tape) opOf(in *instr) (op kernel.Op, ok bool) {
	if in.kind != evalInstr || len(in.out) != 1 {
		return op, false
	}
	d := in.node.Def()
	if op, ok = elementwiseOps[d]; ok {
		return op, true
	}
	dtype := t.slots[in.out[0]].typ.DType
	isOther := func(s slotID) bool { return t.slots[s].typ.DType != dtype }
	if p := d.Pointwise; p == nil || len(in.in) == 0 || len(in.in) > 3 || slices.ContainsFunc(in.in, isOther) {
		return op, false
	} else if dtype == graph.Float32 {
		return kernel.OpCall, p.F32 != nil
	} else {
		return kernel.OpCall, dtype == graph.Float64 && p.F64 != nil
	}
}

// elementwise describes several operators in one pass over their elements: the operands are the instruction's, inputs first and
// then results; what lies between stays in registers, blocks small enough for the nearest cache.
type elementwise struct {
	access []kernel.Access // of the operands
	steps  []elementStep
	tail   tail // what is reduced at the end, if anything
}

type elementStep struct {
	op           kernel.Op
	dst, a, b, c kernel.Ref
	name         string
	node         *graph.Node // of kernel.OpCall: whose Pointwise is called
}

// fuseElementwise makes one instruction of neighbours that work on elements of one shape:
//
//	s5 = eval mul(s1, 0.9)
//	s6 = eval mul(s2, 0.1)
//	s7 = eval add(s5, s6)         →   s7 = elementwise(s1, 0.9, s2, 0.1) mul+mul+add
//
// Only neighbours on the tape are taken, so the order of everything else stays, and any number of their results may be read
// elsewhere.
func fuseElementwise(u *unit) error {
	t := u.tape
	f := elementFuser{tape: t, uses: t.uses(), readers: t.readers()}
	kept := make([]instr, 0, len(t.instrs))
	for i := 0; i < len(t.instrs); {
		n := f.run(i)
		if n < 2 {
			kept = append(kept, t.instrs[i])
			i++
			continue
		}
		kept = append(kept, f.fuse(t.instrs[i:i+n]))
		i += n
	}
	t.instrs = kept
	return nil
}

// longestProgram bounds the steps of a program, and with them its operands: a block of each has to stay in the cache.
const longestProgram = 32

type elementFuser struct {
	*tape
	uses    []int   // of each slot's memory
	readers [][]int // of each slot itself
}

// run returns how many instructions from i on can be one.
func (f *elementFuser) run(i int) int {
	members := map[slotID]bool{}
	typ := graph.Type{}
	n := 0
	for ; n < longestProgram && i+n < len(f.instrs); n++ {
		in := &f.instrs[i+n]
		if _, ok := f.opOf(in); !ok || n > 0 && !f.slots[in.out[0]].typ.Shape.Identical(typ.Shape) {
			break
		}
		dtype := f.slots[in.in[len(in.in)-1]].typ.DType // of select the first operand is the condition
		if n == 0 {
			typ = graph.Type{DType: dtype, Shape: f.slots[in.out[0]].typ.Shape}
		}
		isLogic := n > 0 && dtype == graph.Bool // of truth values in the program
		if !isLogic && (!dtype.IsFloat() || dtype != typ.DType) || !f.operandsFit(in, typ.Shape, members) {
			break
		}
		members[in.out[0]] = true
	}
	return f.enclosed(i, n)
}

// enclosed shortens a run of n instructions to one that reads all truth values it makes, which live in registers only.
func (f *elementFuser) enclosed(i, n int) int {
	for k := 0; k < n; k++ {
		out := f.instrs[i+k].out[0]
		if f.slots[out].typ.DType != graph.Bool {
			continue
		}
		reads := 0
		for _, in := range f.instrs[i+k+1 : i+n] {
			for _, s := range in.in {
				if s == out {
					reads++
				}
			}
		}
		if reads != f.uses[out] {
			n, k = k, -1
		}
	}
	return n
}

// operandsFit reports whether every operand can be read as an argument of a program over shape.
func (f *elementFuser) operandsFit(in *instr, shape graph.Shape, members map[slotID]bool) bool {
	for _, s := range in.in {
		if members[s] {
			continue
		}
		if members[f.base(s)] { // a view of a member: its elements are not where the program writes them
			return false
		}
		if f.slots[s].typ.DType == graph.Bool { // a truth value comes from a comparison in the program
			return false
		}
		if _, ok := accessOf(f.slots[s].typ.Shape, shape); !ok {
			return false
		}
	}
	return true
}

// accessOf says how an operand is read by a program over the elements of shape, seen as a matrix of its last dimension.
func accessOf(operand, shape graph.Shape) (kernel.Access, bool) {
	isOne := func(d graph.Dim) bool { return d == 1 }
	rank := len(operand)
	switch {
	case operand.Identical(shape):
		return kernel.Full, true
	case !slices.ContainsFunc(operand, func(d graph.Dim) bool { return !isOne(d) }):
		return kernel.Scalar, true
	case len(shape) < 2:
		return 0, false
	case operand[rank-1] == shape[len(shape)-1] && !slices.ContainsFunc(operand[:rank-1], func(d graph.Dim) bool { return !isOne(d) }):
		return kernel.Row, true
	case rank == len(shape) && isOne(operand[rank-1]) && operand[:rank-1].Identical(shape[:rank-1]):
		return kernel.Column, true
	}
	return 0, false
}

// program returns instruction i as an elementwise program, if it is one or can be.
func (f *elementFuser) program(i int) (e instr, ok bool) {
	switch in := &f.instrs[i]; {
	case in.kind == elementwiseInstr:
		return *in, true
	case f.run(i) > 0 && f.slots[in.out[0]].typ.DType.IsFloat(): // truth values need their readers in the same program
		return f.fuse(f.instrs[i : i+1]), true
	}
	return e, false
}

// fuse makes one instruction of several.
func (f *elementFuser) fuse(members []instr) instr {
	last := members[len(members)-1]
	fused := instr{kind: elementwiseInstr, node: last.node}
	shape := f.slots[last.out[0]].typ.Shape
	inside := map[slotID]int{} // reads by members
	lastRead := map[slotID]int{}
	for i := range members {
		for _, s := range members[i].in {
			inside[s]++
			lastRead[s] = i
		}
	}
	made := map[slotID]bool{}
	for i := range members {
		made[members[i].out[0]] = true
	}
	for i := range members {
		for _, s := range members[i].in {
			if !made[s] && !slices.Contains(fused.in, s) {
				fused.in = append(fused.in, s)
			}
		}
		if s := members[i].out[0]; f.uses[s] > inside[s] {
			fused.out = append(fused.out, s)
		}
	}
	refs := map[slotID]kernel.Ref{}
	for i, s := range fused.in {
		access, _ := accessOf(f.slots[s].typ.Shape, shape)
		fused.elements.access = append(fused.elements.access, access)
		refs[s] = kernel.Arg(i)
	}
	for i, s := range fused.out {
		fused.elements.access = append(fused.elements.access, kernel.Full)
		refs[s] = kernel.Arg(len(fused.in) + i)
	}
	var free []int // registers
	next := 0
	for i := range members {
		in := &members[i]
		step := elementStep{name: in.node.Def().Name}
		if step.op, _ = f.opOf(in); step.op == kernel.OpCall {
			step.node = in.node
		}
		if in.node.Is(ops.NotDef) {
			step.b = kernel.Imm // 0
		}
		for k, to := range []*kernel.Ref{&step.a, &step.b, &step.c}[:len(in.in)] {
			*to = refs[in.in[k]]
		}
		for k, s := range in.in { // registers read for the last time may take the result
			if r, ok := registerOf(refs[s]); ok && lastRead[s] == i && !slices.Contains(in.in[:k], s) {
				free = append(free, r)
			}
		}
		out := in.out[0]
		if refs[out] == 0 {
			r := next
			if len(free) > 0 {
				r, free = free[len(free)-1], free[:len(free)-1]
			} else {
				next++
			}
			refs[out] = kernel.Reg(r)
		}
		step.dst = refs[out]
		fused.elements.steps = append(fused.elements.steps, step)
	}
	return fused
}

// registerOf returns the number of a register reference.
func registerOf(r kernel.Ref) (int, bool) {
	if n := int(r) & 0xff; r == kernel.Reg(n) {
		return n, true
	}
	return 0, false
}

// readsAfter reports whether the program reads argument in after it has written argument out.
func (e *elementwise) readsAfter(in, out kernel.Ref) bool {
	written := false
	for _, s := range e.steps {
		if written && (s.a == in || s.b == in || s.c == in) {
			return true
		}
		written = written || s.dst == out
	}
	return false
}

// elementRunner runs an elementwise instruction; it is a parallel.Task.
type elementRunner[T kernel.Float] struct {
	program    kernel.Program[T]
	arguments  []kernel.Argument[T]
	workspaces *workspaces[T]
	shape      []int // that the program is over, seen as a matrix of rows and cols
	rows, cols int

	tail     *tail
	partials []T // of a Total tail, by part; in the memory of sums
	sums     []T
	reduced  graph.Array
}

// workspaces are the registers of programs, handed out to the parts that run at the same time. A machine's instructions run
// one after the other, so they share them.
type workspaces[T kernel.Float] struct {
	mu   sync.Mutex
	free []*kernel.Workspace[T]
}

// reserve makes room for a program of n parts, of which as many run at a time as there are processors. No part runs meanwhile, so
// all are free, in any order.
func (w *workspaces[T]) reserve(p *kernel.Program[T], n int) {
	for n = min(n, runtime.GOMAXPROCS(0)); len(w.free) < n; {
		one := kernel.NewWorkspace(p)
		if len(w.free) > 0 {
			one = w.free[0].Another() // fits the programs before this one too, which may get it now
		}
		w.free = append(w.free, one)
	}
	for _, one := range w.free {
		one.Reserve(p)
	}
}

func (w *workspaces[T]) take(p *kernel.Program[T]) *kernel.Workspace[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.free) - 1
	if last < 0 { // GOMAXPROCS has grown
		return kernel.NewWorkspace(p)
	}
	one := w.free[last]
	w.free = w.free[:last]
	one.Reserve(p) // nothing to do, unless GOMAXPROCS had grown when it was made
	return one
}

func (w *workspaces[T]) give(one *kernel.Workspace[T]) {
	w.mu.Lock()
	w.free = append(w.free, one)
	w.mu.Unlock()
}

// elementsPerPart is how many elements a part has about: some tens of microseconds of work.
const elementsPerPart = 1 << 15

func newElementRunner[T kernel.Float](e *elementwise, shared *workspaces[T]) *elementRunner[T] {
	r := &elementRunner[T]{program: programOf[T](e), arguments: make([]kernel.Argument[T], len(e.access)), workspaces: shared}
	if e.tail.node != nil {
		r.tail = &e.tail
	}
	return r
}

// programOf writes a program as the kernel takes it.
func programOf[T kernel.Float](e *elementwise) (p kernel.Program[T]) {
	p.Args = e.access
	for _, s := range e.steps {
		step := kernel.Step[T]{Op: s.op, Dst: s.dst, A: s.a, B: s.b, C: s.c}
		if s.op == kernel.OpCall {
			step.Func = blockFunction[T](s.node)
		}
		p.Steps = append(p.Steps, step)
	}
	if e.tail.node != nil {
		p.Tail = kernel.Tail{Op: kernel.TailSum, Over: e.tail.over, Src: e.tail.src, Into: len(e.access) - 1}
	}
	if err := p.Check(); err != nil {
		panic(err)
	}
	return p
}

// blockFunction returns the Pointwise of a node's operator with its attributes.
func blockFunction[T kernel.Float](n *graph.Node) func(dst []T, in [][]T) {
	attr, p := n.Attr(), n.Def().Pointwise
	var f any = func(dst []float64, in [][]float64) { p.F64(attr, dst, in) }
	if _, ok := f.(func(dst []T, in [][]T)); !ok {
		f = func(dst []float32, in [][]float32) { p.F32(attr, dst, in) }
	}
	return f.(func(dst []T, in [][]T))
}

// bind points the program at its operands.
func (r *elementRunner[T]) bind(call *graph.Call) {
	outs := call.Out
	if r.tail != nil {
		r.reduced, outs = outs[len(outs)-1], outs[:len(outs)-1]
	}
	if len(outs) > 0 {
		r.shape = outs[0].Shape
	} else {
		r.shape = call.In[slices.Index(r.program.Args, kernel.Full)].Shape
	}
	r.rows, r.cols = 1, 1
	for i, s := range r.shape {
		if i == len(r.shape)-1 {
			r.cols = s
		} else {
			r.rows *= s
		}
	}
	for i, a := range call.In {
		r.arguments[i] = kernel.Argument[T]{Data: graph.Elements[T](a), Stride: r.cols}
	}
	for i, a := range outs {
		r.arguments[len(call.In)+i] = kernel.Argument[T]{Data: graph.Elements[T](a), Stride: r.cols}
	}
	if r.tail != nil {
		r.bindTail()
	}
	r.workspaces.reserve(&r.program, r.parts())
}

// parts splits rows, or the columns of a single row, by size alone.
func (r *elementRunner[T]) parts() int {
	if r.rows == 1 {
		return (r.cols + elementsPerPart - 1) / elementsPerPart
	}
	return (r.rows + r.rowsPerPart() - 1) / r.rowsPerPart()
}

func (r *elementRunner[T]) rowsPerPart() int { return max(1, elementsPerPart/max(r.cols, 1)) }

// Do runs one part.
func (r *elementRunner[T]) Do(part int) {
	region := kernel.Region{Rows: 1, Col: part * elementsPerPart}
	region.Cols = min(elementsPerPart, r.cols-region.Col)
	if r.rows != 1 {
		region = kernel.Region{Row: part * r.rowsPerPart(), Cols: r.cols}
		region.Rows = min(r.rowsPerPart(), r.rows-region.Row)
	}
	if total := r.run(region); r.partials != nil {
		r.partials[part] = total
	}
}

func (r *elementRunner[T]) run(region kernel.Region) T {
	w := r.workspaces.take(&r.program)
	total := r.program.Run(w, r.arguments, region)
	r.workspaces.give(w)
	return total
}
