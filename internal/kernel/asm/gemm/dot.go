package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// dots emits the micro-kernel for one to three rows of A and a B whose columns are contiguous: each element of C is a dot
// product along k, four columns at a time. Registers r·cols+c hold the sums of row r, column c, lane l those of k ≡ l.
func (e *element) dots() {
	mask := masks()
	TEXT("dotsAVX2"+e.name, NOSPLIT, "func(block *byte)")
	Pragma("noescape")
	Doc("dotsAVX2"+e.name+" sets C, or adds to it, the dot products of the rows of A (at most three, ACol = 1) and the columns of B",
		"(BRow = 1). M, N and K are positive. There is no epilogue.")
	l := e.layout
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
	// rM is the address of the mask of the last K mod lanes elements.
	MOVQ(at(rG, l.k), rT)
	ANDQ(U32(e.lanes-1), rT)
	SHLQ(Imm(uint64(e.shift)), rT)
	LEAQ(mask, rM)
	ADDQ(U32(32), rM)
	SUBQ(rT, rM)
	MOVQ(at(rG, l.m), rT)
	CMPQ(rT, U32(2))
	JE(LabelRef("dots2"))
	JG(LabelRef("dots3"))
	for rows := 1; rows <= 3; rows++ {
		all := fmt.Sprintf("dots%d", rows)
		Label(all)
		for _, cols := range []int{4, 1} {
			next := all + "single"
			if cols == 1 {
				Label(next)
				next = "dotsdone"
			}
			CMPQ(rN, U32(cols))
			JL(LabelRef(next))
			e.dotTile(rows, cols, fmt.Sprintf("%sx%d", all, cols))
			IMUL3Q(U32(cols), rBRow, rT)
			ADDQ(rT, rJ)
			ADDQ(U32(cols*e.size), rC)
			SUBQ(U32(cols), rN)
			if cols == 4 {
				JMP(LabelRef(all))
			} else {
				JMP(LabelRef(all + "single"))
			}
		}
	}
	Label("dotsdone")
	VZEROUPPER()
	RET()
}

func (e *element) dotTile(rows, cols int, name string) {
	for i := range rows * cols {
		zero(i)
	}
	MOVQ(at(rG, e.layout.a), rA)
	MOVQ(at(rG, e.layout.k), rK)
	MOVQ(rJ, rB)
	if cols == 4 {
		LEAQ(indexed(rB, rBRow, 2, 0), rA3) // the fourth column
		ADDQ(rBRow, rA3)
	}
	column := func(c int) Mem {
		switch c {
		case 0:
			return at(rB, 0)
		case 3:
			return at(rA3, 0)
		}
		return indexed(rB, rBRow, uint8(c), 0)
	}
	step := func(load func(m Mem, to int)) {
		for r := range rows {
			load(rowOf(r), 12+r)
		}
		for c := range cols {
			load(column(c), 15)
			for r := range rows {
				e.fma(y[15], y[12+r], y[r*cols+c])
			}
		}
	}
	SUBQ(U32(e.lanes), rK)
	JL(LabelRef(name + "rest"))
	Label(name + "loop")
	step(func(m Mem, to int) { e.move(m, y[to]) })
	ADDQ(U32(32), rA)
	ADDQ(U32(32), rB)
	if cols == 4 {
		ADDQ(U32(32), rA3)
	}
	SUBQ(U32(e.lanes), rK)
	JGE(LabelRef(name + "loop"))
	Label(name + "rest")
	ADDQ(U32(e.lanes), rK)
	JZ(LabelRef(name + "sum"))
	step(func(m Mem, to int) {
		VMOVUPS(at(rM, 0), y[to])
		e.maskLoad(m, y[to], y[to])
	})

	// The sums of the lanes, as a tree: neighbours first, the two halves last.
	Label(name + "sum")
	pairs := VHADDPS
	if e.size == 8 {
		pairs = VHADDPD
	}
	CMPB(at(rG, e.layout.accumulate), Imm(0))
	for r := range rows {
		a := r * cols
		m := at(rC, 0)
		if r > 0 {
			m = indexed(rC, rCRow, uint8(r), 0)
		}
		skip := fmt.Sprintf("%sadd%d", name, r)
		halves := func(i int) {
			VEXTRACTF128(Imm(1), y[i], x(15))
			e.add(x(15), x(i), x(i))
		}
		switch {
		case cols == 4 && e.size == 4:
			pairs(y[a+1], y[a], y[a])
			pairs(y[a+3], y[a+2], y[a+2])
			pairs(y[a+2], y[a], y[a])
			halves(a)
			JE(LabelRef(skip))
			VADDPS(m, x(a), x(a))
			Label(skip)
			VMOVUPS(x(a), m)
		case cols == 4:
			pairs(y[a+1], y[a], y[a])
			pairs(y[a+3], y[a+2], y[a+2])
			halves(a)
			halves(a + 2)
			second := m
			second.Disp += 16
			JE(LabelRef(skip))
			VADDPD(m, x(a), x(a))
			VADDPD(second, x(a+2), x(a+2))
			Label(skip)
			VMOVUPD(x(a), m)
			VMOVUPD(x(a+2), second)
		case e.size == 4:
			pairs(y[a], y[a], y[a])
			pairs(y[a], y[a], y[a])
			halves(a)
			JE(LabelRef(skip))
			VADDSS(m, x(a), x(a))
			Label(skip)
			VMOVSS(x(a), m)
		default:
			pairs(y[a], y[a], y[a])
			halves(a)
			JE(LabelRef(skip))
			VADDSD(m, x(a), x(a))
			Label(skip)
			VMOVSD(x(a), m)
		}
	}
}
