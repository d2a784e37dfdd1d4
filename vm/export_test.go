package vm

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
