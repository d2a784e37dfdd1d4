package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The registers of the wide micro-kernel beyond those of the narrow one, and those with another meaning.
var (
	rA5  = reg.RAX // row 5 of A's tile, or panel 3 of B
	rA10 = reg.RDX // row 10, or panel 3 or 10
	rX   = reg.R11 // free; in the loop over k what is asked for ahead, then the bytes between rows of C
	r3   = reg.R12 // 3·rARow or 3·rT

	k1 = reg.K1 // the columns of the last panel
	k2 = reg.K2
	k3 = reg.K3
)

// A wideTile is rows × panels registers of C, each panel one register wide and rT bytes of B from the one before. The last
// panel is masked by k1 wherever it meets memory. Tiles with few sums have several sets of them, each for every split-th k,
// so that eight are under way: only products of one to three rows have such, and their blocks start at multiples of
// the widest tile, so the order of a sum does not depend on how a product is cut.
type wideTile struct {
	*wideElement
	rows, panels int
	split        int
	aheadStep    *Mem   // nil, or bytes between the rows that the tile asks for instead of its own
	aBases       []spot // of rows of A
	bBases       []spot // of panels of B
}

// A spot is a pointer to the i-th row of A or panel of B.
type spot struct {
	i int
	r reg.GPPhysical
}

func newWideTile(e *wideElement, rows, panels int) *wideTile {
	t := &wideTile{wideElement: e, rows: rows, panels: panels, split: 1}
	if rows <= 3 {
		for rows*panels*t.split < 8 && rows*panels*t.split*2 <= 8 {
			t.split *= 2
		}
	}
	t.aBases = []spot{{0, rA}}
	for _, s := range []spot{{5, rA5}, {10, rA10}} {
		if rows > s.i {
			t.aBases = append(t.aBases, s)
		}
	}
	t.bBases = []spot{{0, rB}}
	switch {
	case panels == 4:
		t.bBases = append(t.bBases, spot{3, rA10})
	case panels > 4:
		t.bBases = append(t.bBases, spot{3, rA5})
	}
	if panels > 8 {
		t.bBases = append(t.bBases, spot{10, rA10})
	}
	return t
}

func (t *wideTile) label(s string) string { return fmt.Sprintf("t%dx%d%s", t.rows, t.panels, s) }

// sum is the register of row r, panel p in set s.
func (t *wideTile) sum(s, r, p int) int { return (s*t.rows+r)*t.panels + p }

// reach is memory at the i-th multiple of stride from the first of bases, through the last base before it that has it as a
// multiple that an address can have.
func reach(bases []spot, stride, triple reg.Register, i int) Mem {
	for _, b := range slices.Backward(bases) {
		switch d := i - b.i; d {
		case 0:
			return at(b.r, 0)
		case 1, 2, 4, 8:
			return indexed(b.r, stride, uint8(d), 0)
		case 3, 6, 12:
			return indexed(b.r, triple, uint8(d/3), 0)
		}
	}
	panic("out of reach")
}

func (t *wideTile) rowOf(r int) Mem   { return reach(t.aBases, rARow, r3, r) }
func (t *wideTile) panelOf(p int) Mem { return reach(t.bBases, rT, r3, p) }

// multiplyAhead emits two loops over k: one that asks for B's rows ahead of itself, and one that asks for a line of every other
// row that is packed next instead, so that four tiles together ask for the two lines under their panels in each of the rows. Asked
// for at once, or in two tiles, they came no sooner than when they are packed: memory does not bring as much meanwhile.
func (t *wideTile) multiplyAhead(f *wideFrame) {
	l := t.layout
	MOVQ(at(rG, l.ahead), rX)
	TESTQ(rX, rX)
	JZ(LabelRef(t.label("plain")))
	MOVQ(at(rG, l.k), rA5)
	BTQ(Imm(0), rA5)
	JCS(LabelRef(t.label("plain")))
	MOVQ(at(rG, l.m), rK)
	SUBQ(f.tileM, rK)
	CMPQ(rK, U32(3*t.rows))
	JG(LabelRef(t.label("plain")))
	MOVQ(at(rG, l.aheadRow), r3)
	SHLQ(Imm(uint64(t.shift)), r3)
	MOVQ(r3, f.aheadStep)
	CMPQ(rK, U32(2*t.rows))
	JL(LabelRef(t.label("firstline")))
	ADDQ(Imm(64), rX)
	SUBQ(U32(2*t.rows), rK)
	Label(t.label("firstline"))
	TESTQ(rK, rK)
	JZ(LabelRef(t.label("ahead")))
	SHRQ(Imm(1), rA5)
	IMULQ(rA5, r3)
	ADDQ(r3, rX)
	JMP(LabelRef(t.label("ahead")))
	Label(t.label("plain"))
	t.multiply("")
	JMP(LabelRef(t.label("finish")))
	Label(t.label("ahead"))
	ADDQ(rJ, rX)
	t.aheadStep = &f.aheadStep
	t.multiply("ahead")
	Label(t.label("finish"))
}

// multiply emits the loop over k, its labels with a suffix. On entry rB points to the first elements and rT is the bytes between
// panels.
func (t *wideTile) multiply(suffix string) {
	label := func(s string) LabelRef { return LabelRef(t.label(s + suffix)) }
	MOVQ(Mem{Base: rG, Disp: t.layout.k}, rK)
	for i := range t.rows * t.panels * t.split {
		zeroWide(i)
	}
	if t.rows > 3 {
		LEAQ(indexed(rARow, rARow, 2, 0), r3)
	} else if t.panels > 3 {
		LEAQ(indexed(rT, rT, 2, 0), r3)
	}
	for _, b := range t.aBases[1:] {
		LEAQ(indexed(rA, rARow, 4, 0), b.r)
		ADDQ(rARow, b.r)
		if b.i == 10 {
			LEAQ(indexed(b.r, rARow, 4, 0), b.r)
			ADDQ(rARow, b.r)
		}
	}
	for _, b := range t.bBases[1:] {
		LEAQ(indexed(rB, rT, 2, 0), b.r)
		ADDQ(rT, b.r)
		if b.i == 10 {
			LEAQ(indexed(rB, rT, 2, 0), b.r)
			LEAQ(indexed(b.r, rT, 8, 0), b.r)
		}
	}
	if t.aheadStep != nil {
		TESTQ(rK, rK)
		JZ(label("fold"))
	} else if t.split == 1 { // rows of B lie up to a page apart, where hardware does not foresee the next
		LEAQ(indexed(rBRow, rBRow, 2, 0), rX)
		if threes, _ := t.ahead(); threes > 1 {
			IMUL3Q(U32(threes), rX, rX)
		}
		ADDQ(rB, rX)
		TESTQ(rK, rK)
		JZ(label("fold"))
	} else {
		SUBQ(U32(t.split), rK)
		JLT(label("rest"))
	}
	Label(string(label("loop")))
	for s := range t.split {
		t.step(s)
	}
	if t.aheadStep != nil {
		t.step(1)
		DECQ(rK)
	}
	if t.split == 1 {
		DECQ(rK)
		JNZ(label("loop"))
		Label(string(label("fold")))
		return
	}
	SUBQ(U32(t.split), rK)
	JGE(label("loop"))
	Label(string(label("rest")))
	ADDQ(U32(t.split), rK)
	JZ(label("fold"))
	Label(string(label("single")))
	t.step(0)
	DECQ(rK)
	JNZ(label("single"))
	Label(string(label("fold")))
	for n := t.split / 2; n >= 1; n /= 2 {
		for i := range n * t.rows * t.panels {
			t.add(z[i+n*t.rows*t.panels], z[i], z[i])
		}
	}
}

// prefetchC asks for the lines of C that the tile will add to or store when it has gone through k. If that is not long it would
// be work for nothing.
func (t *wideTile) prefetchC(f *wideFrame) {
	CMPQ(rK, U32(32))
	JL(LabelRef(t.label("near")))
	MOVQ(f.tileC, rA5)
	MOVQ(f.tileStepC, rX)
	for r := range t.rows {
		if r > 0 {
			ADDQ(rX, rA5)
		}
		for p := range t.panels {
			PREFETCHT0(at(rA5, 64*p))
		}
	}
	Label(t.label("near"))
}

// ahead says how many rows before their turn, in threes, and which of the panels of B a tile asks for: what was quickest for
// 1 to 16 rows of 784 by 256, where B comes from the third-level cache.
func (t *wideTile) ahead() (threes, every int) {
	if t.panels == 8 {
		return 4, 2
	}
	return 1, 1
}

// step multiplies one k into set s and moves on.
func (t *wideTile) step(s int) {
	switch {
	case t.aheadStep != nil:
		if s == 1 {
			PREFETCHT1(at(rX, 0))
			ADDQ(*t.aheadStep, rX)
		}
		s = 0
	case t.split == 1:
		_, every := t.ahead()
		for p := 0; p < t.panels; p += every { // panels side by side: hardware foresees the packed ones
			PREFETCHT0(at(rX, 64*p))
		}
	}
	last := t.panels - 1
	load := func(p int, dst reg.Register) {
		if p == last {
			t.moveZero(t.panelOf(p), k1, dst)
		} else {
			t.move(t.panelOf(p), dst)
		}
	}
	switch {
	case t.rows == 1: // B is used but once
		t.broadcast(t.rowOf(0), z[31])
		for p := range t.panels {
			if p == last {
				t.fma(t.panelOf(p), z[31], k1, z[t.sum(s, 0, p)])
			} else {
				t.fma(t.panelOf(p), z[31], z[t.sum(s, 0, p)])
			}
		}
	case t.panels == 1: // A is used but once
		load(0, z[31])
		for r := range t.rows {
			t.fmaBroadcast(t.rowOf(r), z[31], z[t.sum(s, r, 0)])
		}
	case t.panels > t.rows:
		for r := range t.rows {
			t.broadcast(t.rowOf(r), z[29+r])
		}
		for p := range t.panels {
			b := z[24+p%4]
			load(p, b)
			for r := range t.rows {
				t.fma(b, z[29+r], z[t.sum(s, r, p)])
			}
		}
	default:
		n := t.rows * t.panels * t.split
		for p := range t.panels {
			load(p, z[n+p])
		}
		free := 32 - n - t.panels
		for r := range t.rows {
			a := z[n+t.panels+r%min(free, 4)]
			t.broadcast(t.rowOf(r), a)
			for p := range t.panels {
				t.fma(z[n+p], a, z[t.sum(s, r, p)])
			}
		}
	}
	for _, b := range t.aBases {
		ADDQ(rACol, b.r)
	}
	for _, b := range t.bBases {
		ADDQ(rBRow, b.r)
	}
	if t.split == 1 && t.aheadStep == nil {
		ADDQ(rBRow, rX)
	}
}
