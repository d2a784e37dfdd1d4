package kernel

import "math"

// programBlock is the number of elements that a step handles at once: eight registers of float32 fill half of a 32 KB cache.
const programBlock = 512

// A Workspace is the scratch memory of one running program: its registers, and blocks for broadcast operands. It belongs
// to one goroutine at a time and may serve any program that needs no more than it was made for.
type Workspace[T Float] struct {
	registers []T // programBlock each
	rows      []T // a Row argument repeated for as many rows as a block holds, programBlock each
	columns   []T // a Column argument spread over a block
	spill     [3][]T
	call      [3][]T // the operands of a call
	sums      pairwise[T]
	values    []value[T] // the arguments, resolved for the current block

	fusedArgs    [fusedArgs]*T // of a program with a kernel of its own
	fusedScalars [fusedArgs]T
}

// value is an operand within a block: a slice, or one number for all elements where the slice is nil.
type value[T Float] struct {
	data   []T
	scalar T
}

// NewWorkspace returns a workspace for p.
func NewWorkspace[T Float](p *Program[T]) *Workspace[T] {
	w := new(Workspace[T])
	w.Reserve(p)
	return w
}

// Another returns a workspace for all programs that w serves.
func (w *Workspace[T]) Another() *Workspace[T] {
	other := &Workspace[T]{
		registers: make([]T, len(w.registers)),
		rows:      make([]T, len(w.rows)),
		columns:   make([]T, len(w.columns)),
		values:    make([]value[T], len(w.values)),
	}
	for i, s := range w.spill {
		other.spill[i] = make([]T, len(s))
	}
	return other
}

// Reserve makes w large enough for p; it allocates only when it has to grow. The first workspace of a program also looks
// for a kernel that does all of its steps at once, and remembers it in p: p is complete then, and does not run.
func (w *Workspace[T]) Reserve(p *Program[T]) {
	if p.fusion == nil {
		p.fusion = p.fuse()
	}
	grow := func(s *[]T, blocks int) {
		if len(*s) < blocks*programBlock {
			*s = make([]T, blocks*programBlock)
		}
	}
	grow(&w.registers, p.Registers())
	grow(&w.rows, len(p.Args))
	grow(&w.columns, len(p.Args))
	for i := range w.spill {
		grow(&w.spill[i], 1)
	}
	if len(w.values) < len(p.Args) {
		w.values = make([]value[T], len(p.Args))
	}
}

// Run executes the program on a region: args[k] is argument k, described by its Access for the whole matrix. It returns
// the reduction of a Total tail and 0 without one. It does not allocate.
//
// Arguments that the program writes may be the same memory as others at the same elements, but then no step after the
// writing may read the other. The order of a sum is fixed by the region and by which arguments are contiguous.
func (p *Program[T]) Run(w *Workspace[T], args []Argument[T], g Region) T {
	r := run[T]{program: p, w: w, args: args, v: vec[T](), region: g}
	switch p.Tail.Op {
	case TailMax:
		r.extreme = T(math.Inf(-1))
	case TailMin:
		r.extreme = T(math.Inf(1))
	}
	w.sums.depth, w.sums.count = 0, 0
	n := r.rowsPerBlock()
	if p.fusion != nil && p.fusion.text != "" {
		if kernel := r.v.fused[p.fusion.text]; kernel != nil {
			r.fusedRows(kernel)
			return 0
		}
	}
	if n > 1 {
		r.blocksOfRows(n)
	} else {
		r.rowsInBlocks()
	}
	switch {
	case p.Tail.Op == NoTail || p.Tail.Over != Total:
		return 0
	case p.Tail.Op == TailSum:
		return w.sums.total()
	}
	return r.extreme
}

// run is the state of one Run.
type run[T Float] struct {
	program *Program[T]
	w       *Workspace[T]
	args    []Argument[T]
	v       *vecSet[T]
	region  Region
	extreme T
}

// rowsPerBlock is how many whole rows a block may hold: more than one if the rows of every Full argument follow each other
// without a gap, so that narrow matrices run at the speed of wide ones.
func (r *run[T]) rowsPerBlock() int {
	g := r.region
	if g.Rows <= 1 || g.Cols == 0 {
		return 1
	}
	flat := true
	for k, a := range r.program.Args {
		if a == Full && r.args[k].Stride != g.Cols {
			return 1
		}
		flat = flat && (a == Full || a == Scalar)
	}
	if flat && (r.program.Tail.Op == NoTail || r.program.Tail.Over == Total) {
		// No row matters: the region is one long row.
		r.region = Region{Row: 0, Col: g.Row*g.Cols + g.Col, Rows: 1, Cols: g.Rows * g.Cols}
		return 1
	}
	return programBlock / g.Cols
}

// rowsInBlocks runs row after row, each in pieces of programBlock columns.
func (r *run[T]) rowsInBlocks() {
	g := r.region
	for i := g.Row; i < g.Row+g.Rows; i++ {
		if r.program.Tail.Over == ByRow {
			r.w.sums.depth, r.w.sums.count = 0, 0
		}
		for j := g.Col; j < g.Col+g.Cols; j += programBlock {
			n := min(programBlock, g.Col+g.Cols-j)
			for k, a := range r.program.Args {
				r.w.values[k] = r.inRow(k, a, i, j, n)
			}
			r.steps(n)
			r.tail(i, j, n)
		}
	}
}

func (r *run[T]) inRow(k int, a Access, i, j, n int) value[T] {
	arg := r.args[k]
	switch a {
	case Full:
		at := i*arg.Stride + j
		return value[T]{data: arg.Data[at : at+n]}
	case Row:
		return value[T]{data: arg.Data[j : j+n]}
	case Column:
		return value[T]{scalar: arg.Data[i]}
	}
	return value[T]{scalar: arg.Data[0]}
}

// blocksOfRows runs blocks of up to count rows. A Row argument is repeated count times beforehand.
func (r *run[T]) blocksOfRows(count int) {
	g := r.region
	for k, a := range r.program.Args {
		if a == Row {
			b := r.w.rows[k*programBlock:]
			for i := range min(count, g.Rows) {
				copy(b[i*g.Cols:(i+1)*g.Cols], r.args[k].Data[g.Col:])
			}
		}
	}
	for i := g.Row; i < g.Row+g.Rows; i += count {
		rows := min(count, g.Row+g.Rows-i)
		n := rows * g.Cols
		for k, a := range r.program.Args {
			r.w.values[k] = r.inRows(k, a, i, rows, n)
		}
		r.steps(n)
		if r.program.Tail.Op == NoTail {
			continue
		}
		if r.program.Tail.Over == Total {
			r.tail(i, 0, n)
			continue
		}
		r.tailOfRows(i, rows, n)
	}
}

func (r *run[T]) inRows(k int, a Access, i, rows, n int) value[T] {
	arg, cols := r.args[k], r.region.Cols
	switch a {
	case Full:
		at := i*arg.Stride + r.region.Col
		return value[T]{data: arg.Data[at : at+n]}
	case Row:
		b := r.w.rows[k*programBlock:]
		return value[T]{data: b[:n]}
	case Column:
		b := r.w.columns[k*programBlock : k*programBlock+n]
		for q := range rows {
			fill(b[q*cols:(q+1)*cols], arg.Data[i+q])
		}
		return value[T]{data: b}
	}
	return value[T]{scalar: arg.Data[0]}
}

func fill[T Float](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// steps executes the program on the current block of n elements.
func (r *run[T]) steps(n int) {
	for k := range r.program.Steps {
		r.step(&r.program.Steps[k], n)
	}
}

// operand resolves a reference within the current block.
func (r *run[T]) operand(f Ref, imm T, n int) value[T] {
	switch f.kind() {
	case refRegister:
		at := f.index() * programBlock
		return value[T]{data: r.w.registers[at : at+n]}
	case refArgument:
		return r.w.values[f.index()]
	}
	return value[T]{scalar: imm}
}

// slice is an operand as n values, spread into the spill block if it is one number.
func (r *run[T]) slice(x value[T], spill, n int) []T {
	if x.data != nil {
		return x.data
	}
	b := r.w.spill[spill][:n]
	fill(b, x.scalar)
	return b
}

func (r *run[T]) step(s *Step[T], n int) {
	dst := r.operand(s.Dst, 0, n).data
	a := r.operand(s.A, s.Imm, n)
	op := s.Op
	switch {
	case op < OpAdd:
		r.v.unary[op](dst, r.slice(a, 0, n))
		return
	case op >= OpSelect:
		r.ternary(s, dst, a, n)
		return
	}
	b := r.operand(s.B, s.Imm, n)
	truth := op >= OpLess
	if a.data == nil && b.data == nil {
		a.data = r.slice(a, 0, n)
	}
	switch {
	case truth && a.data == nil:
		r.v.struth[mirrored[op]](dst, b.data, a.scalar)
	case truth && b.data == nil:
		r.v.struth[op](dst, a.data, b.scalar)
	case truth:
		r.v.truth[op](dst, a.data, b.data)
	case a.data == nil:
		r.v.rscalar[op](dst, b.data, a.scalar)
	case b.data == nil:
		r.v.scalar[op](dst, a.data, b.scalar)
	default:
		r.v.binary[op](dst, a.data, b.data)
	}
}

// mirrored is the comparison that holds for (b, a) when the given one holds for (a, b).
var mirrored = [numOps]Op{
	OpLess: OpGreater, OpLessEqual: OpGreaterEqual, OpEqual: OpEqual,
	OpNotEqual: OpNotEqual, OpGreater: OpLess, OpGreaterEqual: OpLessEqual,
}

func (r *run[T]) ternary(s *Step[T], dst []T, a value[T], n int) {
	if s.Op == OpSelect {
		b, c := r.operand(s.B, s.Imm, n), r.operand(s.C, s.Imm, n)
		r.v.selectValues(dst, r.slice(a, 0, n), r.slice(b, 1, n), r.slice(c, 2, n))
		return
	}
	in := r.w.call[:0]
	for k, f := range [3]Ref{s.A, s.B, s.C} {
		if f == 0 {
			continue
		}
		x := r.operand(f, s.Imm, n)
		if x.data == nil {
			x.data = r.slice(x, k, 1)
		}
		in = append(in, x.data)
	}
	s.Func(dst, in)
}
