package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// dots emits the micro-kernel for one to three rows of A and a B whose columns are contiguous: each element of C is a dot
// product along k, eight or four columns at a time. Registers r·cols+c hold the sums of row r, column c, lane l those of k ≡ l.
func (e *wideElement) dots() {
	TEXT("dotsAVX512"+e.name, NOSPLIT, "func(block *byte)")
	Pragma("noescape")
	Doc("dotsAVX512"+e.name+" sets C, or adds to it, the dot products of the rows of A (at most three, ACol = 1) and the columns of B",
		"(BRow = 1). M, N and K are positive. There is no epilogue.")
	l := e.layout
	rC, rCRow := rA10, rX
	Load(Param("block"), rG)
	MOVQ(at(rG, l.aRow), rARow)
	SHLQ(Imm(uint64(e.shift)), rARow)
	MOVQ(at(rG, l.bCol), rBRow)
	SHLQ(Imm(uint64(e.shift)), rBRow)
	MOVQ(at(rG, l.cRow), rCRow)
	SHLQ(Imm(uint64(e.shift)), rCRow)
	MOVQ(at(rG, l.c), rC)
	MOVQ(at(rG, l.n), rN)
	MOVQ(at(rG, l.b), rJ)
	// k1 masks the last K mod lanes elements, k3 what is added to: nothing or all of C.
	MOVQ(at(rG, l.k), rT)
	ANDQ(U32(e.lanes-1), rT)
	setMask(k1, rT, rA)
	KXORW(k3, k3, k3)
	CMPB(at(rG, l.accumulate), Imm(0))
	JE(LabelRef("begin"))
	KXNORW(k3, k3, k3)
	Label("begin")
	MOVQ(at(rG, l.m), rT)
	CMPQ(rT, U32(2))
	JEQ(LabelRef("dots2x4"))
	JG(LabelRef("dots3x4"))
	for rows := 1; rows <= 3; rows++ {
		for _, cols := range []int{8, 4, 1} {
			if rows*cols > 12 {
				continue
			}
			name := fmt.Sprintf("dots%dx%d", rows, cols)
			next := "done"
			if cols > 1 {
				next = fmt.Sprintf("dots%dx%d", rows, map[int]int{8: 4, 4: 1}[cols])
			}
			Label(name)
			CMPQ(rN, U32(cols))
			JLT(LabelRef(next))
			e.dotTile(rows, cols, name)
			IMUL3Q(U32(cols), rBRow, rT)
			ADDQ(rT, rJ)
			ADDQ(U32(cols*e.size), rC)
			SUBQ(U32(cols), rN)
			JMP(LabelRef(name))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

func (e *wideElement) dotTile(rows, cols int, name string) {
	rC, rCRow := rA10, rX
	for i := range rows * cols {
		zeroWide(i)
	}
	MOVQ(at(rG, e.layout.a), rA)
	MOVQ(at(rG, e.layout.k), rK)
	MOVQ(rJ, rB)
	bases := []spot{{0, rB}}
	if cols > 3 {
		bases = append(bases, spot{3, rA5})
		LEAQ(indexed(rB, rBRow, 2, 0), rA5)
		ADDQ(rBRow, rA5)
		LEAQ(indexed(rBRow, rBRow, 2, 0), r3)
	}
	step := func(load func(m Mem, to int)) {
		for r := range rows {
			load(rowOf(r), 24+r)
		}
		for c := range cols {
			b := 28 + c%4
			load(reach(bases, rBRow, r3, c), b)
			for r := range rows {
				e.fma(z[b], z[24+r], z[r*cols+c])
			}
		}
	}
	SUBQ(U32(e.lanes), rK)
	JLT(LabelRef(name + "rest"))
	Label(name + "loop")
	step(func(m Mem, to int) { e.move(m, z[to]) })
	ADDQ(U32(64), rA)
	for _, b := range bases {
		ADDQ(U32(64), b.r)
	}
	SUBQ(U32(e.lanes), rK)
	JGE(LabelRef(name + "loop"))
	Label(name + "rest")
	ADDQ(U32(e.lanes), rK)
	JZ(LabelRef(name + "sum"))
	step(func(m Mem, to int) { e.moveZero(m, k1, z[to]) })

	// The sums of the lanes, as a tree: the two halves first, then neighbours, the two quarters last.
	Label(name + "sum")
	pairs, addOne, moveOne := VHADDPS, VADDSS, VMOVSS
	if e.size == 8 {
		pairs, addOne, moveOne = VHADDPD, VADDSD, VMOVSD
	}
	for i := range rows * cols {
		VEXTRACTF64X4(Imm(1), z[i], y[15])
		e.add(y[15], y[i], y[i])
	}
	quarters := func(i int) {
		VEXTRACTF128(Imm(1), y[i], x(15))
		e.add(x(15), x(i), x(i))
	}
	for r := range rows {
		if r > 0 {
			ADDQ(rCRow, rC)
		}
		if cols == 1 {
			pairs(y[r], y[r], y[r])
			if e.size == 4 {
				pairs(y[r], y[r], y[r])
			}
			quarters(r)
			addOne(at(rC, 0), x(r), k3, x(r))
			moveOne(x(r), at(rC, 0))
		}
		for c := 0; c+4 <= cols; c += 4 {
			a := r*cols + c
			pairs(y[a+1], y[a], y[a])
			pairs(y[a+3], y[a+2], y[a+2])
			if e.size == 4 {
				pairs(y[a+2], y[a], y[a])
				quarters(a)
				e.add(at(rC, 4*c), x(a), k3, x(a))
				e.move(x(a), at(rC, 4*c))
				continue
			}
			for h := range 2 {
				quarters(a + 2*h)
				e.add(at(rC, 8*c+16*h), x(a+2*h), k3, x(a+2*h))
				e.move(x(a+2*h), at(rC, 8*c+16*h))
			}
		}
	}
	for range rows - 1 {
		SUBQ(rCRow, rC)
	}
}
