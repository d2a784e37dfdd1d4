package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wideRows is the height of a full tile.
const wideRows = 12

// widths are the panels that the tiles of a product lie across, widest first, and rows their greatest height: the
// lower the tile, the wider it is, so that there are sums enough under way and B is read in long pieces.
var widths = []struct{ panels, rows int }{{16, 1}, {8, 3}, {4, 6}, {2, wideRows}, {1, wideRows}}

// flat is the K up to which the time goes into storing C, whatever its height: it is then stored in long pieces.
const flat = 8

// The locals of the wide micro-kernel.
type wideFrame struct {
	widest     Mem // panels of a tile at most
	panelStep  Mem // bytes from one panel of B to the next
	panelB     Mem // B at the current columns
	panelC     Mem // C at the current columns
	panelStepC Mem
	tileA      Mem // A and C at the current tile
	tileC      Mem
	tileStepC  Mem // bytes between rows of A's product in C
	tileM      Mem // rows left
	rows       Mem // of the tile to store transposed
	panels     Mem
	aheadStep  Mem // bytes between the rows that a tile asks for
	scratch    Mem // two panels of 16 rows, on their way to the transposed store
}

const (
	scratchPanel = 16 * 64
	scratchSize  = 2 * scratchPanel
)

// gemm emits the micro-kernel: for each step of columns as wide as the rows allow, for each tile of rows.
func (e *wideElement) gemm() {
	TEXT("gemmAVX512"+e.name, 0, "func(block *byte)")
	Pragma("noescape")
	Doc("gemmAVX512" + e.name + " is the micro-kernel for a block: see multiply. M and N are positive.")
	l := e.layout
	f := &wideFrame{}
	for _, m := range []*Mem{&f.widest, &f.panelStep, &f.panelB, &f.panelC, &f.panelStepC, &f.tileA, &f.tileC, &f.tileStepC, &f.tileM, &f.rows, &f.panels, &f.aheadStep} {
		*m = AllocLocal(8)
	}
	f.scratch = AllocLocal(scratchSize)

	Load(Param("block"), rG)
	for _, s := range []struct {
		r      reg.GPPhysical
		offset int
	}{{rARow, l.aRow}, {rACol, l.aCol}, {rBRow, l.bRow}, {rX, l.cRow}} {
		MOVQ(at(rG, s.offset), s.r)
		SHLQ(Imm(uint64(e.shift)), s.r)
	}
	MOVQ(at(rG, l.bCol), rT)
	SHLQ(Imm(6), rT)
	MOVQ(rT, f.panelStep)
	MOVQ(at(rG, l.b), rT)
	MOVQ(rT, f.panelB)
	MOVQ(at(rG, l.c), rT)
	MOVQ(rT, f.panelC)
	MOVQ(at(rG, l.n), rN)
	XORL(rJ.As32(), rJ.As32())
	MOVQ(U32(64), f.panelStepC)
	MOVQ(rX, f.tileStepC)
	MOVQ(U32(2), f.widest)
	CMPB(at(rG, l.transposed), Imm(0))
	JE(LabelRef("straight"))
	SHLQ(Imm(uint64(6-e.shift)), rX)
	MOVQ(rX, f.panelStepC)
	MOVQ(U32(e.size), f.tileStepC)
	JMP(LabelRef("columns"))

	Label("straight")
	MOVQ(at(rG, l.m), rT)
	for _, w := range []int{2, 1, 0} {
		CMPQ(rT, U32(widths[w].rows))
		JG(LabelRef("flat"))
		MOVQ(U32(widths[w].panels), f.widest)
	}
	JMP(LabelRef("columns"))

	Label("flat") // of many rows
	CMPQ(at(rG, l.k), Imm(flat))
	JG(LabelRef("columns"))
	CMPQ(rN, U32(8*e.lanes))
	JL(LabelRef("columns"))
	MOVQ(U32(8), f.widest)

	Label("columns")
	TESTQ(rN, rN)
	JLE(LabelRef("done"))
	LEAQ(at(rN, e.lanes-1), rT)
	SHRQ(Imm(uint64(6-e.shift)), rT)
	CMPQ(rT, f.widest)
	CMOVQGT(f.widest, rT)
	for _, w := range widths[:len(widths)-1] {
		CMPQ(rT, U32(w.panels))
		JGE(LabelRef(fmt.Sprintf("across%d", w.panels)))
	}

	for i := len(widths) - 1; i >= 0; i-- {
		e.across(f, widths[i].panels, widths[i].rows)
	}
	e.transposed(f)
	Label("done")
	VZEROUPPER()
	RET()
}

// across emits a step of so many panels: its loop over tiles of up to so many rows.
func (e *wideElement) across(f *wideFrame, panels, rows int) {
	l := e.layout
	name := fmt.Sprintf("across%d", panels)
	Label(name)
	// k1 masks the last panel; all others are full.
	LEAQ(at(rN, -(panels-1)*e.lanes), rA)
	MOVL(U32(e.lanes), rT.As32())
	CMPQ(rA, rT)
	CMOVQGT(rT, rA)
	setMask(k1, rA, rT)
	MOVQ(at(rG, l.a), rA)
	MOVQ(rA, f.tileA)
	MOVQ(f.panelC, rT)
	MOVQ(rT, f.tileC)
	MOVQ(at(rG, l.m), rX)

	Label(name + "rows")
	MOVQ(rX, f.tileM)
	MOVQ(f.panelB, rB)
	MOVQ(f.panelStep, rT)
	MOVQ(at(rG, l.k), rK)
	if rows == wideRows {
		// The next tile when rX rows are left: full, but what follows the last full one is cut evenly.
		CMPQ(rX, U32(rows))
		JLE(LabelRef(name + "height"))
		CMPQ(rX, U32(2*rows))
		JG(LabelRef(name + "full"))
		INCQ(rX)
		SHRQ(Imm(1), rX)
		JMP(LabelRef(name + "height"))
		Label(name + "full")
		MOVQ(U32(rows), rX)
		Label(name + "height")
	}
	e.dispatch(name, 1, rows)
	for r := rows; r >= 1; r-- {
		Label(fmt.Sprintf("%sheight%d", name, r))
		t := newWideTile(e, r, panels)
		if r == wideRows && panels == 2 {
			t.prefetchC(f)
			t.multiplyAhead(f)
		} else {
			t.multiply("")
		}
		t.finish(f)
	}

	// rK rows are done.
	Label(name + "next")
	MOVQ(f.tileM, rX)
	SUBQ(rK, rX)
	JLE(LabelRef(name + "step"))
	MOVQ(rK, rT)
	IMULQ(rARow, rT)
	MOVQ(f.tileA, rA)
	ADDQ(rT, rA)
	MOVQ(rA, f.tileA)
	IMULQ(f.tileStepC, rK)
	ADDQ(rK, f.tileC)
	JMP(LabelRef(name + "rows"))

	Label(name + "step")
	IMUL3Q(U32(panels), f.panelStep, rT)
	ADDQ(rT, f.panelB)
	IMUL3Q(U32(panels), f.panelStepC, rT)
	ADDQ(rT, f.panelC)
	ADDQ(U32(64*panels), rJ)
	SUBQ(U32(panels*e.lanes), rN)
	JMP(LabelRef("columns"))
}

// dispatch jumps to the tile of rX rows, low ≤ rX ≤ high, by halving.
func (e *wideElement) dispatch(name string, low, high int) {
	if low == high {
		JMP(LabelRef(fmt.Sprintf("%sheight%d", name, low)))
		return
	}
	half := (low + high) / 2
	above := fmt.Sprintf("%sabove%d", name, half)
	CMPQ(rX, U32(half))
	if half+1 == high {
		JG(LabelRef(fmt.Sprintf("%sheight%d", name, high)))
	} else {
		JG(LabelRef(above))
	}
	e.dispatch(name, low, half)
	if half+1 != high {
		Label(above)
		e.dispatch(name, half+1, high)
	}
}
