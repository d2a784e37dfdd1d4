package peak

import "golang.org/x/sys/cpu"

// rounds of a sample: 200 µs at 4 GHz, as 12 multiply-adds take 6 cycles.
const rounds = 130_000

// fma32 and fma64 do 12 independent vector multiply-adds a round: the latency of four cycles on two units needs at least eight.
//
//go:noescape
func fma32(rounds int)

//go:noescape
func fma64(rounds int)

// HasLoop says whether the ceiling is that of a loop of multiply-adds alone; else it is estimated by a packed product in cache.
func HasLoop() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

type loopTask struct{ single bool }

func (l loopTask) Do(int) {
	if l.single {
		fma32(rounds)
	} else {
		fma64(rounds)
	}
}

func loopFlops(single bool) float64 {
	if single {
		return rounds * 12 * 2 * 8
	}
	return rounds * 12 * 2 * 4
}
