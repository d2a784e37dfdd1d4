package kernel

import (
	"fmt"
	"strings"
)

// Some programs have a kernel of their own, in which all values stay in registers from the first step to the last: an
// optimiser's update is the longest chain a training step runs, over every parameter. The kernels are generated from the
// text of the program (asm/vec/program.go), and a program is recognised by the same text: its steps with arguments and
// values numbered in the order in which they come up. The rounding is that of the steps.
//
//	sub F0 F1 > F2          F0 − F1, stored in F2; F is a Full argument, S a Scalar one
//	mul F0 S1; add %0 F2 > F2   %0 is the value of step 0

// fusedArgs is the largest number of arguments of such a program.
const fusedArgs = 16

// fusedKernel runs a program on n elements of its Full arguments, args[i], with the values scalars[i] of the others.
type fusedKernel[T Float] func(n int, args *[fusedArgs]*T, scalars *[fusedArgs]T)

// fusion is what Reserve finds out about a program: its text, empty if it cannot have a kernel, and its arguments in the order of the text.
type fusion struct {
	text string
	args []int
}

// fuse writes down the program.
func (p *Program[T]) fuse() *fusion {
	var text strings.Builder
	f := new(fusion)
	number := map[int]int{} // of arguments
	value := map[Ref]int{}  // the step that a register, or an argument that has been written, comes from
	argument := func(k int) (string, bool) {
		n, ok := number[k]
		if !ok {
			n = len(f.args)
			number[k] = n
			f.args = append(f.args, k)
		}
		return fmt.Sprintf("%c%d", "FSRC"[p.Args[k]], n), p.Args[k] <= Scalar && n < fusedArgs
	}
	operand := func(r Ref) (string, bool) {
		if k, ok := value[r]; ok {
			return fmt.Sprintf("%%%d", k), true
		}
		if r.kind() != refArgument {
			return "", false
		}
		return argument(r.index())
	}
	if p.Tail.Op != NoTail {
		return f
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Op >= OpLess {
			return f
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(s.Op.String())
		for _, r := range []Ref{s.A, s.B}[:s.Op.Arity()] {
			name, ok := operand(r)
			if !ok {
				return f
			}
			text.WriteString(" " + name)
		}
		if s.Dst.kind() == refArgument {
			name, ok := argument(s.Dst.index())
			if !ok {
				return f
			}
			text.WriteString(" > " + name)
		}
		value[s.Dst] = i
	}
	f.text = text.String()
	return f
}

// Fused is the text of the program if it has a kernel of its own in the set in use, else empty. It is for programs that
// have been reserved.
func (p *Program[T]) Fused() string {
	if p.fusion == nil || vec[T]().fused[p.fusion.text] == nil {
		return ""
	}
	return p.fusion.text
}

// fusedRows runs the program's kernel over the region, row by row, in spans.
func (r *run[T]) fusedRows(kernel fusedKernel[T]) {
	w, g := r.w, r.region
	order := r.program.fusion.args
	for i := g.Row; i < g.Row+g.Rows; i++ {
		for j := g.Col; j < g.Col+g.Cols; j += maxSpan {
			n := min(maxSpan, g.Col+g.Cols-j)
			for at, k := range order {
				arg := r.args[k]
				if r.program.Args[k] == Scalar {
					w.fusedScalars[at] = arg.Data[0]
					continue
				}
				part := arg.Data[i*arg.Stride+j:][:n]
				w.fusedArgs[at] = &part[0]
			}
			kernel(n, &w.fusedArgs, &w.fusedScalars)
		}
	}
	clear(w.fusedArgs[:])
}
