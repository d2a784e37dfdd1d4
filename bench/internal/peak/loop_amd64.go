package peak

import (
	"golang.org/x/sys/cpu"

	"github.com/tapir-ml/tapir/internal/kernel"
)

// rounds of a sample: 200 µs at 4 GHz, as 12 multiply-adds take 6 cycles, be they 256 bits wide or, where the units are, 512.
const rounds = 130_000

// fma32 and fma64 do 12 independent vector multiply-adds a round: the latency of four cycles on two units needs at least eight.
//
//go:noescape
func fma32(rounds int)

//go:noescape
func fma64(rounds int)

//go:noescape
func fma32wide(rounds int)

//go:noescape
func fma64wide(rounds int)

// wide says that multiply-adds are 512 bits wide, unless the kernels were asked to be narrower: then the ceiling is theirs.
var wide = cpu.X86.HasAVX512F && kernel.Set() != "avx2"

// HasLoop says whether the ceiling is that of a loop of multiply-adds alone; else it is estimated by a packed product in cache.
func HasLoop() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

type loopTask struct{ single bool }

func (l loopTask) Do(int) {
	switch {
	case wide && l.single:
		fma32wide(rounds)
	case wide:
		fma64wide(rounds)
	case l.single:
		fma32(rounds)
	default:
		fma64(rounds)
	}
}

func loopFlops(single bool) float64 {
	flops := rounds * 12 * 2 * 4.0
	if single {
		flops *= 2
	}
	if wide {
		flops *= 2
	}
	return flops
}
