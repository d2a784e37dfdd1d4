package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fromText builds the program that a text describes.
func fromText[T Float](text string) *Program[T] {
	p := new(Program[T])
	argument := func(word string) Ref {
		var k int
		fmt.Sscanf(word[1:], "%d", &k)
		for len(p.Args) <= k {
			p.Args = append(p.Args, Full)
		}
		if word[0] == 'S' {
			p.Args[k] = Scalar
		}
		return Arg(k)
	}
	var values []Ref // where the value of each step is
	for _, part := range strings.Split(text, "; ") {
		left, store, stored := strings.Cut(part, " > ")
		words := strings.Fields(left)
		s := Step[T]{Op: Op(slices.Index(opNames[:], words[0]))}
		for i, to := range []*Ref{&s.A, &s.B}[:len(words)-1] {
			if word := words[i+1]; word[0] == '%' {
				var k int
				fmt.Sscanf(word[1:], "%d", &k)
				*to = values[k]
			} else {
				*to = argument(word)
			}
		}
		s.Dst = Reg(len(values))
		if stored {
			s.Dst = argument(store)
		}
		values = append(values, s.Dst)
		p.Steps = append(p.Steps, s)
	}
	return p
}

// adamText is the update of Adam as the compiler writes it, with p, m and v read and written through arguments of their own.
const adamText = "mul F0 S1; mul F2 S3; add %0 %1 > F4; mul F5 S6; mul F2 F2; mul %4 S7; add %3 %5 > F8; " +
	"sqrt %6; div %7 S9; add %8 S10; div %2 %9; mul S11 %10; sub F12 %11 > F13"

// adamInPlace are pairs of its arguments that are the same memory.
var adamInPlace = [][2]int{{4, 0}, {8, 5}, {13, 12}}

// A program with a kernel of its own gives the bits of its steps, at every length, strided, and in place.
func TestFusedPrograms(t *testing.T) {
	eachSet(t, func(t *testing.T) { fusedPrograms[float32](t); fusedPrograms[float64](t) })
}

func fusedPrograms[T Float](t *testing.T) {
	if Set() != "portable" && Set() != "neon" && vec[T]().fused[adamText] == nil {
		t.Error("Adam has no kernel")
	}
	for text := range vec[T]().fused {
		for n := range 203 {
			rows, cols, stride := 1, n, n
			if n > 200 {
				rows, cols, stride = 3, 20+n%2, 21
			}
			inPlace := text == adamText && n%2 == 1
			p := fromText[T](text)
			run := func(fused bool) []walled[T] {
				rng := rand.New(rand.NewPCG(25, uint64(n)))
				all := make([]walled[T], len(p.Args))
				args := make([]Argument[T], len(p.Args))
				for k := range all {
					all[k] = newWalled[T](max(1, rows*stride))
					for i := range all[k].x {
						all[k].x[i] = T(0.1 + rng.Float64())
					}
				}
				for k := range all {
					for _, same := range adamInPlace {
						if inPlace && same[0] == k {
							all[k] = all[same[1]]
						}
					}
					args[k] = Argument[T]{Data: all[k].x, Stride: stride}
				}
				w := NewWorkspace(p)
				if got := p.Fused(); got != text {
					t.Fatalf("%q is read as %q", text, got)
				}
				q := *p
				if !fused {
					q.fusion = nil
				}
				q.Run(w, args, Region{Rows: rows, Cols: cols})
				return all
			}
			got, want := run(true), run(false)
			for k := range got {
				if !slices.Equal(got[k].whole, want[k].whole) {
					t.Fatalf("%q with %d × %d: argument %d:\n%v, want\n%v", text, rows, cols, k, got[k].x, want[k].x)
				}
			}
		}
	}
}

// What has no kernel runs step by step.
func TestNotFused(t *testing.T) {
	for name, p := range map[string]*Program[float32]{
		"tail":      {Args: []Access{Scalar, Full, Full, Full}, Tail: Tail{Op: TailSum, Src: Arg(3)}},
		"row":       {Args: []Access{Scalar, Full, Row, Full}},
		"immediate": {Args: []Access{Scalar, Full, Full, Full}, Steps: []Step[float32]{{Op: OpMul, Dst: Reg(0), A: Imm, B: Arg(1)}}},
	} {
		if len(p.Steps) == 0 {
			p.Steps = []Step[float32]{{Op: OpMul, Dst: Reg(0), A: Arg(0), B: Arg(1)}, {Op: OpSub, Dst: Arg(3), A: Arg(2), B: Reg(0)}}
		}
		NewWorkspace(p)
		if text := p.Fused(); text != "" {
			t.Errorf("%s: fused as %q", name, text)
		}
	}
}

// BenchmarkAdam is the update of Adam, in place, by its kernel and step by step.
//
//	go test -run '^$' -bench Adam ./internal/kernel
func BenchmarkAdam(b *testing.B) {
	b.Run("float32", benchmarkAdam[float32])
	b.Run("float64", benchmarkAdam[float64])
}

func benchmarkAdam[T Float](b *testing.B) {
	p := fromText[T](adamText)
	w := NewWorkspace(p)
	steps := *p
	steps.fusion = nil
	for _, n := range []int{1 << 12, 1 << 16, 1 << 20} {
		args := make([]Argument[T], len(p.Args))
		for i := range args {
			args[i] = Argument[T]{make([]T, n), n}
			fill(args[i].Data, T(0.5+0.01*float64(i)))
		}
		for _, same := range adamInPlace {
			args[same[0]] = args[same[1]]
		}
		for name, p := range map[string]*Program[T]{"kernel": p, "steps": &steps} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					p.Run(w, args, Region{Rows: 1, Cols: n})
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
