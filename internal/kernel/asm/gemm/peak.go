package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// peak emits a loop of nothing but multiply-adds, the ceiling that benchmarks measure products against: each of its rounds
// has 12 independent ones.
func (e *element) peak() {
	TEXT("peakAVX2"+e.name, NOSPLIT, "func(rounds int)")
	Doc("peakAVX2" + e.name + " does 12 vector multiply-adds a round.")
	Load(Param("rounds"), rK)
	for i := range 14 {
		zero(i)
	}
	Label("round")
	for i := range 12 {
		e.fma(y[12], y[13], y[i])
	}
	DECQ(rK)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}
