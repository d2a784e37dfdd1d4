package kernel

import "fmt"

// A Program is a short sequence of elementwise steps over the elements (i, j) of a matrix, as data. It runs block by block,
// so that intermediate values stay in the first-level cache: a chain of fused operators, an optimiser's update, the epilogue
// of a matrix product on each finished tile.
//
//	y = tanh(x + bias) · mask, x, mask and y being matrices and bias a row:
//
//	Program[float32]{
//		Args: []Access{Full, Row, Full, Full},
//		Steps: []Step[float32]{
//			{Op: OpAdd, Dst: Reg(0), A: Arg(0), B: Arg(1)},
//			{Op: OpTanh, Dst: Reg(0), A: Reg(0)},
//			{Op: OpMul, Dst: Arg(3), A: Reg(0), B: Arg(2)},
//		},
//	}
//
// A program is read-only while it runs; any number of goroutines may run it, each with a Workspace of its own.
type Program[T Float] struct {
	Args  []Access  // how each external operand is laid out
	Steps []Step[T] // in order
	Tail  Tail      // optional reduction

	fusion *fusion // see Workspace.Reserve
}

// A Step sets Dst = Op(A, B, C). Dst is a register or a Full argument; it may be one of the operands too. Operands beyond
// Op's arity are ignored.
type Step[T Float] struct {
	Op      Op
	Dst     Ref
	A, B, C Ref
	Imm     T // the value of an operand that is Imm

	// Func is the function of OpCall: it sets each element of dst from those of the operands, A, B and C as far as they are
	// not zero Refs. An operand has dst's length, or length 1 where it is one number for all elements; dst may be one of them.
	// It must not keep the slices, and be safe for concurrent use.
	Func func(dst []T, in [][]T)
}

// A Ref names an operand of a step: a register, an argument or the step's immediate. The zero Ref is none.
type Ref uint16

const (
	refRegister Ref = 1 << 8
	refArgument Ref = 2 << 8
	refKind     Ref = 3 << 8

	// Imm is the immediate value of the step.
	Imm Ref = 3 << 8
)

// Reg is register i, a block of values that lives from its writing to the end of the block.
func Reg(i int) Ref { return refRegister | Ref(uint8(i)) }

// Arg is argument i of the program.
func Arg(i int) Ref { return refArgument | Ref(uint8(i)) }

func (r Ref) kind() Ref  { return r & refKind }
func (r Ref) index() int { return int(r & 0xff) }

func (r Ref) String() string {
	switch r.kind() {
	case refRegister:
		return fmt.Sprintf("r%d", r.index())
	case refArgument:
		return fmt.Sprintf("arg%d", r.index())
	case Imm:
		return "imm"
	}
	return "none"
}

// Access says where the element (i, j) of an argument is found in its Data.
type Access uint8

const (
	Full   Access = iota // Data[i·Stride + j]
	Scalar               // Data[0]
	Row                  // Data[j]: one row for all, a bias
	Column               // Data[i]: one value for each row
)

func (a Access) String() string {
	return [...]string{"full", "scalar", "row", "column"}[a]
}

// An Argument is the value of one external operand for a run. Stride is the distance of rows of a Full one.
type Argument[T Float] struct {
	Data   []T
	Stride int
}

// A Region is the part of the matrix that a run covers.
type Region struct{ Row, Col, Rows, Cols int }

// A Tail reduces Src, a register or an argument, as the last thing done with each block.
//
//	Total    Run returns the reduction of the whole region.
//	ByRow    argument Into (Column) receives the reduction of each row over the columns of the region.
//	ByColumn argument Into (Row) has the column sums of the region added; Sum only.
type Tail struct {
	Op   TailOp
	Over TailOver
	Src  Ref
	Into int
}

// TailOp is the kind of reduction.
type TailOp uint8

const (
	NoTail TailOp = iota
	TailSum
	TailMax
	TailMin
)

// TailOver is the extent of a reduction.
type TailOver uint8

const (
	Total TailOver = iota
	ByRow
	ByColumn
)

// Registers is the number of registers that the program uses.
func (p *Program[T]) Registers() int {
	n := 0
	see := func(r Ref) {
		if r.kind() == refRegister {
			n = max(n, r.index()+1)
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		see(s.Dst)
		see(s.A)
		see(s.B)
		see(s.C)
	}
	see(p.Tail.Src)
	return n
}

// Check reports the first mistake in the program: an operand that is missing or unknown, a register read before it is
// written, a destination that cannot be written. Run relies on a checked program.
func (p *Program[T]) Check() error {
	var written [256]bool
	for i := range p.Steps {
		s := &p.Steps[i]
		arity := s.Op.Arity()
		if arity == 0 {
			return fmt.Errorf("step %d: no operation %v", i, s.Op)
		}
		if s.Op == OpCall && s.Func == nil {
			return fmt.Errorf("step %d: a call without a function", i)
		}
		for k, r := range []Ref{s.A, s.B, s.C}[:arity] {
			if r == 0 && s.Op == OpCall {
				continue
			}
			if err := p.readable(r, &written); err != nil {
				return fmt.Errorf("step %d (%v): operand %d: %w", i, s.Op, k, err)
			}
		}
		switch {
		case s.Dst.kind() == refRegister:
			written[s.Dst.index()] = true
		case s.Dst.kind() != refArgument || s.Dst.index() >= len(p.Args) || p.Args[s.Dst.index()] != Full:
			return fmt.Errorf("step %d (%v): destination %v is neither a register nor a full argument", i, s.Op, s.Dst)
		}
	}
	return p.checkTail(&written)
}

func (p *Program[T]) checkTail(written *[256]bool) error {
	t := p.Tail
	if t.Op == NoTail {
		return nil
	}
	if err := p.readable(t.Src, written); err != nil || t.Src.kind() == Imm {
		return fmt.Errorf("tail: source %v is not a value of the program", t.Src)
	}
	want := map[TailOver]Access{ByRow: Column, ByColumn: Row}
	if a, ok := want[t.Over]; ok && (t.Into < 0 || t.Into >= len(p.Args) || p.Args[t.Into] != a) {
		return fmt.Errorf("tail: argument %d is not of access %v", t.Into, a)
	}
	if t.Over == ByColumn && t.Op != TailSum {
		return fmt.Errorf("tail: only sums go by column")
	}
	return nil
}

func (p *Program[T]) readable(r Ref, written *[256]bool) error {
	switch r.kind() {
	case refRegister:
		if !written[r.index()] {
			return fmt.Errorf("register %d is read before it is written", r.index())
		}
	case refArgument:
		if r.index() >= len(p.Args) {
			return fmt.Errorf("there is no argument %d", r.index())
		}
	case Imm:
	default:
		return fmt.Errorf("missing")
	}
	return nil
}
