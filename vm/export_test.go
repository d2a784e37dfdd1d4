package vm

import (
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

func init() { verifyPasses = true }

// CheckOrder exposes the check of the pass table.
var CheckOrder = checkOrder

// SkipVerify turns the verifier between passes off while f runs, for benchmarks.
func SkipVerify(f func()) {
	verifyPasses = false
	defer func() { verifyPasses = true }()
	f()
}

// Prologues counts the prologues that a state holds.
func Prologues(s *State) int {
	s.prologues.Lock()
	defer s.prologues.Unlock()
	return len(s.prologues.of)
}

// ArenaBytes is the memory that a machine holds for values.
func ArenaBytes(m *Machine) int { return len(m.arena) }

// ElementKernels lists the kernels that run all steps of an elementwise instruction of p at once, by their texts; empty
// for an instruction that runs step by step.
func ElementKernels(p *Program) (texts []string) {
	for i := range p.tape.instrs {
		in := &p.tape.instrs[i]
		if in.kind != elementwiseInstr || p.tape.slots[in.out[0]].typ.DType != graph.Float32 {
			continue
		}
		r := newElementRunner[float32](&in.elements, nil)
		kernel.NewWorkspace(&r.program)
		texts = append(texts, r.program.Fused())
	}
	return texts
}

// BreakLiveness makes the compiler's mistake of letting the values of a program die before they are read for the last time, as far
// as they are read more than once, and reports whether there was one. p was compiled for this only.
func BreakLiveness(p *Program) (broken bool) {
	t := p.tape
	for i := range t.slots {
		s := &t.slots[i]
		if s.kind != inArena || s.last >= len(t.instrs) || s.shares != noSlot {
			continue
		}
		for k := s.first + 1; k < s.last; k++ {
			for _, x := range t.instrs[k].in {
				if t.base(x) == slotID(i) {
					s.last, broken = k, true
				}
			}
		}
	}
	return broken
}

// RandomLives returns a function that places n lives of random sizes in time, and gives the bytes used: one in ten lasts for up to half
// of the tape, the others for a few instructions.
func RandomLives(n int) (place func() int) {
	r := rand.New(rand.NewPCG(1, 2))
	lives := make([]life, n)
	for i := range lives {
		span := 1 + r.IntN(8)
		if r.IntN(10) == 0 {
			span = 1 + r.IntN(n/2)
		}
		lives[i] = life{size: alignment * (1 + r.IntN(4096)), first: i, last: min(i+span, n)}
	}
	return func() int { return placeInTime(slices.Clone(lives), n) }
}
