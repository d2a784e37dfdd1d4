package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Comparisons of C's elements with zero as the first operand; both are false, or true, without a signal where one is NaN.
const (
	notBelow = 0x1d // 0 ≥ x, false for NaN
	below    = 0x11 // 0 < x, false for NaN
	noSlope  = 0x15 // not 0 < x, true for NaN
)

// eachRow calls f for each register of a tile with its memory, in a matrix whose first row is at base, which is used up;
// rows are stride bytes apart.
func (t *wideTile) eachRow(base, stride reg.GPPhysical, f func(i int, m Mem, last bool)) {
	for r := range t.rows {
		if r > 0 {
			ADDQ(stride, base)
		}
		for p := range t.panels {
			f(t.sum(0, r, p), at(base, 64*p), p == t.panels-1)
		}
	}
}

// finish emits the epilogue on the registers and the store. It leaves the number of rows in rK.
func (t *wideTile) finish(f *wideFrame) {
	l := t.layout
	rC, rCRow := rA10, rX
	MOVQ(f.tileC, rC)
	if t.panels <= 2 {
		CMPB(at(rG, l.transposed), Imm(0))
		JNE(LabelRef(t.label("transposed")))
	}
	MOVQ(f.tileStepC, rCRow)
	CMPB(at(rG, l.accumulate), Imm(0))
	JE(LabelRef(t.label("bias")))
	MOVQ(rC, rA)
	t.eachRow(rA, rCRow, func(i int, m Mem, last bool) {
		if last {
			t.add(m, z[i], k1, z[i])
		} else {
			t.add(m, z[i], z[i])
		}
	})

	Label(t.label("bias"))
	MOVQ(at(rG, l.bias), rA)
	TESTQ(rA, rA)
	JZ(LabelRef(t.label("act")))
	ADDQ(rJ, rA)
	for p := range t.panels {
		if p == t.panels-1 {
			t.moveZero(at(rA, 64*p), k1, z[28])
		} else {
			t.move(at(rA, 64*p), z[28])
		}
		for r := range t.rows {
			i := t.sum(0, r, p)
			t.add(z[28], z[i], z[i])
		}
	}

	Label(t.label("act"))
	MOVBLZX(at(rG, l.act), rA.As32())
	TESTL(rA.As32(), rA.As32())
	JZ(LabelRef(t.label("deriv")))
	zeroWide(28)
	CMPL(rA.As32(), Imm(1))
	JNE(LabelRef(t.label("leaky")))
	for i := range t.rows * t.panels { // relu: the second operand of max, the sum, wins if it is NaN
		t.max(z[i], z[28], z[i])
	}
	JMP(LabelRef(t.label("deriv")))
	Label(t.label("leaky"))
	t.broadcast(at(rG, l.alpha), z[29])
	for i := range t.rows * t.panels {
		t.cmp(Imm(notBelow), z[i], z[28], k2)
		t.mul(z[29], z[i], k2, z[i])
	}

	Label(t.label("deriv"))
	MOVQ(at(rG, l.saved), rA)
	TESTQ(rA, rA)
	JZ(LabelRef(t.label("store")))
	MOVBLZX(at(rG, l.deriv), rB.As32())
	TESTL(rB.As32(), rB.As32())
	JZ(LabelRef(t.label("store")))
	// rA = saved + i·savedRow + j, where i = M − rows left
	MOVQ(at(rG, l.savedRow), rT)
	SHLQ(Imm(uint64(t.shift)), rT)
	MOVQ(at(rG, l.m), rK)
	SUBQ(f.tileM, rK)
	IMULQ(rT, rK)
	ADDQ(rK, rA)
	ADDQ(rJ, rA)
	zeroWide(28)
	compare := func(how int, m Mem, last bool) {
		if last {
			t.cmp(Imm(uint64(how)), m, z[28], k1, k2)
		} else {
			t.cmp(Imm(uint64(how)), m, z[28], k2)
		}
	}
	CMPL(rB.As32(), Imm(1))
	JNE(LabelRef(t.label("leakyderiv")))
	t.eachRow(rA, rT, func(i int, m Mem, last bool) {
		compare(below, m, last)
		t.moveZero(z[i], k2, z[i])
	})
	JMP(LabelRef(t.label("store")))
	Label(t.label("leakyderiv"))
	t.broadcast(at(rG, l.alpha), z[29])
	t.eachRow(rA, rT, func(i int, m Mem, last bool) {
		compare(noSlope, m, last)
		t.mul(z[29], z[i], k2, z[i])
	})

	Label(t.label("store"))
	t.eachRow(rC, rCRow, func(i int, m Mem, last bool) {
		if last {
			t.move(z[i], k1, m)
		} else {
			t.move(z[i], m)
		}
	})
	MOVL(U32(t.rows), rK.As32())
	JMP(LabelRef(fmt.Sprintf("across%dnext", t.panels)))

	if t.panels > 2 {
		return
	}
	Label(t.label("transposed"))
	LEAQ(f.scratch, rA)
	for r := range t.rows {
		for p := range t.panels {
			t.move(z[t.sum(0, r, p)], at(rA, p*scratchPanel+64*r))
		}
	}
	MOVQ(U32(t.rows), f.rows)
	MOVQ(U32(t.panels), f.panels)
	JMP(LabelRef("transposed"))
}

// transposed emits the other store, of a tile that lies in scratch: the tile's column j goes to row j of C, at rC + j·rCRow,
// its rows side by side. It adds to C if asked and knows no epilogue.
func (e *wideElement) transposed(f *wideFrame) {
	rC, rCRow, left, panels, columns := rA10, rX, rA5, rT, rK
	Label("transposed")
	MOVQ(at(rG, e.layout.cRow), rCRow)
	SHLQ(Imm(uint64(e.shift)), rCRow)
	MOVQ(f.panels, panels)
	MOVQ(rN, columns)
	Label("transposedpanel")
	for h := 0; h < wideRows; h += e.lanes {
		if h > 0 {
			CMPQ(f.rows, U32(h))
			JLE(LabelRef("transposednext"))
		}
		MOVQ(f.rows, left)
		if h > 0 {
			SUBQ(U32(h), left)
		}
		setMask(k2, left, rB)
		KXORW(k3, k3, k3)
		CMPB(at(rG, e.layout.accumulate), Imm(0))
		JE(LabelRef(fmt.Sprintf("transposed%d", h)))
		KMOVW(k2, k3)
		Label(fmt.Sprintf("transposed%d", h))
		for i := range e.lanes {
			e.move(at(rA, 64*(h+i)), z[i])
		}
		e.transposeRegisters()
		LEAQ(at(rC, e.size*h), rB)
		end := fmt.Sprintf("transposedend%d", h)
		for j := range e.lanes {
			if j > 0 {
				CMPQ(columns, U32(j))
				JLE(LabelRef(end))
			}
			c := e.transposedAt(j)
			e.add(at(rB, 0), c, k3, c)
			e.move(c, k2, at(rB, 0))
			ADDQ(rCRow, rB)
		}
		Label(end)
	}
	Label("transposednext")
	MOVQ(rCRow, rB)
	SHLQ(Imm(uint64(6-e.shift)), rB)
	ADDQ(rB, rC)
	ADDQ(U32(scratchPanel), rA)
	SUBQ(U32(e.lanes), columns)
	DECQ(panels)
	JNZ(LabelRef("transposedpanel"))
	MOVQ(f.rows, rK)
	CMPQ(f.panels, Imm(2))
	JEQ(LabelRef("across2next"))
	JMP(LabelRef("across1next"))
}

// peak emits a loop of nothing but multiply-adds: each of its rounds has 12 independent ones.
func (e *wideElement) peak() {
	TEXT("peakAVX512"+e.name, NOSPLIT, "func(rounds int)")
	Doc("peakAVX512" + e.name + " does 12 vector multiply-adds a round.")
	Load(Param("rounds"), rK)
	for i := range 14 {
		zeroWide(i)
	}
	Label("round")
	for i := range 12 {
		e.fma(z[12], z[13], z[i])
	}
	DECQ(rK)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}
