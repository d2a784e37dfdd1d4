package vm

import (
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
