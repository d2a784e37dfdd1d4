package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The registers of the micro-kernel. BP is left to the frame.
var (
	rG    = reg.RDI // the Gemm
	rA    = reg.RSI // A's tile: row 0 of the current k
	rA3   = reg.RAX // row 3
	rARow = reg.R8  // bytes between rows of A
	rACol = reg.R9  // bytes between columns of A
	rB    = reg.RBX // B's panel at the current k
	rBRow = reg.R10 // bytes between rows of B
	rK    = reg.RCX // counts k down
	rC    = reg.RDX // C's tile
	rCRow = reg.R11 // bytes between rows of C
	rM    = reg.R12 // rows left
	rN    = reg.R13 // columns left
	rJ    = reg.R14 // bytes from the first column to the current
	rT    = reg.R15 // the tile's height, then free
)

// A tile is rows × vecs registers of C. The inner loop broadcasts one element of A for each row and multiplies it into a row
// of the panel of B. Small tiles use several sets of sums, each for every split-th k, so that at least eight sums are under
// way: a multiply-add takes four cycles and two begin in each.
type tile struct {
	*element
	rows, vecs int
	split      int
	tail       bool // fewer than vecs·lanes columns: the last register is loaded by mask (y15) and stored in pieces
	panels     int  // of wide tiles: the panels of B side by side on which it lies, alone or beside another, else 0
	first      int  // and the register of those with which it begins
	name       string
}

func (e *element) newTile(rows, vecs int, tail bool) tile {
	t := tile{element: e, rows: rows, vecs: vecs, tail: tail, split: 1}
	switch n := rows * vecs; {
	case n <= 1:
		t.split = 8
	case n <= 3:
		t.split = 4
	case n <= 6:
		t.split = 2
	}
	t.name = fmt.Sprintf("r%dv%d", rows, vecs)
	if tail {
		t.name += "tail"
	}
	return t
}

func (t *tile) label(s string) string { return t.name + s }

// sum is the register of row r, vector v in set s.
func (t *tile) sum(s, r, v int) int { return (s*t.rows+r)*t.vecs + v }

// rowOf is the address of row r in A.
func rowOf(r int) Mem {
	base := rA
	if r >= 3 {
		base, r = rA3, r-3
	}
	if r == 0 {
		return at(base, 0)
	}
	return indexed(base, rARow, uint8(r), 0)
}

// multiply emits the loop over k. On entry rA and rB point to the first elements and rK is K ≥ 0.
func (t *tile) multiply() {
	for i := range t.rows * t.vecs * t.split {
		zero(i)
	}
	if t.rows > 3 {
		LEAQ(indexed(rA, rARow, 2, 0), rA3)
		ADDQ(rARow, rA3)
	}
	if t.prefetches() {
		t.prefetchFrom(rT)
	}
	if t.split > 1 {
		SUBQ(U32(t.split), rK)
		JLT(LabelRef(t.label("rest")))
	} else {
		TESTQ(rK, rK)
		JZ(LabelRef(t.label("fold")))
	}
	Label(t.label("loop"))
	for s := range t.split {
		t.step(s)
	}
	if t.split == 1 {
		DECQ(rK)
		JNZ(LabelRef(t.label("loop")))
		Label(t.label("fold"))
		return
	}
	SUBQ(U32(t.split), rK)
	JGE(LabelRef(t.label("loop")))
	Label(t.label("rest"))
	ADDQ(U32(t.split), rK)
	JZ(LabelRef(t.label("fold")))
	Label(t.label("single"))
	t.step(0)
	DECQ(rK)
	JNZ(LabelRef(t.label("single")))
	Label(t.label("fold"))
	for n := t.split / 2; n >= 1; n /= 2 {
		for s := range n {
			for r := range t.rows {
				for v := range t.vecs {
					a, b := t.sum(s, r, v), t.sum(s+n, r, v)
					t.add(y[b], y[a], y[a])
				}
			}
		}
	}
}

// prefetches says whether the tile asks for rows of B ahead. Tiles of few rows come last, when the panel has been read, and
// those of few columns belong to small products: for them it would be work for nothing.
func (t *tile) prefetches() bool { return t.split == 1 && !t.tail }

// step multiplies one k into set s and moves on.
func (t *tile) step(s int) {
	const b0, a0, mask = 12, 14, 15
	broadcasts := 2
	if t.tail {
		broadcasts = 1 // y15 is the mask
	}
	if t.prefetches() {
		PREFETCHT0(at(rT, 0))
		ADDQ(rBRow, rT)
	}
	for v := range t.vecs {
		if t.tail && v == t.vecs-1 {
			t.maskLoad(at(rB, 32*v), y[mask], y[b0+v])
		} else {
			t.move(at(rB, 32*v), y[b0+v])
		}
	}
	for r := range t.rows {
		a := a0 + r%broadcasts
		t.broadcast(rowOf(r), y[a])
		for v := range t.vecs {
			t.fma(y[b0+v], y[a], y[t.sum(s, r, v)])
		}
	}
	ADDQ(rACol, rA)
	if t.rows > 3 {
		ADDQ(rACol, rA3)
	}
	ADDQ(rBRow, rB)
}

// load reads vector v of the memory at m, by mask if it is the short one.
func (t *tile) load(m Mem, v, dst int) {
	if t.tail && v == t.vecs-1 {
		t.maskLoad(m, y[15], y[dst])
	} else {
		t.move(m, y[dst])
	}
}

// eachRow calls f for each row of a matrix whose first row is at base; it uses base up, three rows at a time.
func (t *tile) eachRow(base, stride reg.Register, f func(r int, row func(v int) Mem)) {
	for r := range t.rows {
		if r == 3 {
			LEAQ(indexed(base, stride, 2, 0), base)
			ADDQ(stride, base)
		}
		f(r, func(v int) Mem {
			if r%3 == 0 {
				return at(base, 32*v)
			}
			return indexed(base, stride, uint8(r%3), 32*v)
		})
	}
}

// finish emits the epilogue on the registers and the store. rC is C's tile; rA, rA3, rB, rK are free.
func (t *tile) finish() {
	l := t.layout
	if t.panels == 0 {
		CMPB(at(rG, l.transposed), Imm(0))
		JNE(LabelRef(t.label("transposed")))
	}
	CMPB(at(rG, l.accumulate), Imm(0))
	JE(LabelRef(t.label("bias")))
	MOVQ(rC, rA)
	t.eachRow(rA, rCRow, func(r int, row func(v int) Mem) {
		for v := range t.vecs {
			t.load(row(v), v, 12)
			t.add(y[12], y[t.sum(0, r, v)], y[t.sum(0, r, v)])
		}
	})

	Label(t.label("bias"))
	MOVQ(at(rG, l.bias), rA)
	TESTQ(rA, rA)
	JZ(LabelRef(t.label("act")))
	for v := range t.vecs {
		t.load(indexed(rA, rJ, 1, 32*v), v, 12)
		for r := range t.rows {
			t.add(y[12], y[t.sum(0, r, v)], y[t.sum(0, r, v)])
		}
	}

	Label(t.label("act"))
	MOVBLZX(at(rG, l.act), rA.As32())
	TESTL(rA.As32(), rA.As32())
	JZ(LabelRef(t.label("deriv")))
	zero(12)
	CMPL(rA.As32(), Imm(1))
	JNE(LabelRef(t.label("leaky")))
	for i := range t.rows * t.vecs { // relu: the second operand of max, the sum, wins if it is NaN
		t.max(y[i], y[12], y[i])
	}
	JMP(LabelRef(t.label("deriv")))
	Label(t.label("leaky"))
	t.broadcast(at(rG, l.alpha), y[12])
	for i := range t.rows * t.vecs {
		t.mul(y[12], y[i], y[13])
		t.blend(y[i], y[13], y[i], y[i])
	}

	Label(t.label("deriv"))
	MOVQ(at(rG, l.saved), rA)
	TESTQ(rA, rA)
	JZ(LabelRef(t.label("store")))
	MOVBLZX(at(rG, l.deriv), rB.As32())
	TESTL(rB.As32(), rB.As32())
	JZ(LabelRef(t.label("store")))
	// rA = saved + i·savedRow + j, where i = M − rows left
	MOVQ(at(rG, l.savedRow), rA3)
	SHLQ(Imm(uint64(t.shift)), rA3)
	MOVQ(at(rG, l.m), rK)
	SUBQ(rM, rK)
	IMULQ(rA3, rK)
	ADDQ(rK, rA)
	ADDQ(rJ, rA)
	zero(12)
	CMPL(rB.As32(), Imm(1))
	JNE(LabelRef(t.label("leakyderiv")))
	t.eachRow(rA, rA3, func(r int, row func(v int) Mem) {
		for v := range t.vecs {
			i := t.sum(0, r, v)
			t.load(row(v), v, 13)
			t.cmp(Imm(lessThan), y[13], y[12], y[13]) // 0 < saved
			t.and(y[13], y[i], y[i])
		}
	})
	JMP(LabelRef(t.label("store")))
	Label(t.label("leakyderiv"))
	t.broadcast(at(rG, l.alpha), y[14])
	t.eachRow(rA, rA3, func(r int, row func(v int) Mem) {
		for v := range t.vecs {
			i := t.sum(0, r, v)
			t.load(row(v), v, 13)
			t.cmp(Imm(lessThan), y[13], y[12], y[13])
			if t.tail {
				// y14 and y15 are taken: α·sum goes where the zero was, and zero comes back after
				t.mul(y[14], y[i], y[12])
				t.blend(y[13], y[i], y[12], y[i])
				zero(12)
			} else {
				t.mul(y[14], y[i], y[15])
				t.blend(y[13], y[i], y[15], y[i])
			}
		}
	})

	Label(t.label("store"))
	MOVQ(rC, rA)
	t.eachRow(rA, rCRow, func(r int, row func(v int) Mem) {
		for v := range t.vecs {
			i := t.sum(0, r, v)
			if t.tail && v == t.vecs-1 {
				t.storeTail(i, row(v), r)
			} else {
				t.move(y[i], row(v))
			}
		}
	})
}

// lessThan is the ordered, quiet comparison predicate.
const lessThan = 0x11

// storeTail stores the first rN mod lanes elements of y[i], or all if that is 0, in halves: by pieces of 4, 2 and 1, since
// a masked store costs a dozen cycles.
func (t *tile) storeTail(i int, m Mem, r int) {
	label := func(s string) string { return t.label(fmt.Sprintf("%s%d", s, r)) }
	// The number of elements that remain is in rN; the tile has (vecs−1)·lanes full columns before them.
	TESTQ(U32(t.lanes-1), rN)
	JNZ(LabelRef(label("part")))
	t.move(y[i], m)
	JMP(LabelRef(label("stored")))
	Label(label("part"))
	// rK is the address of what is stored next.
	LEAQ(m, rK)
	if t.size == 4 {
		TESTQ(U32(4), rN)
		JZ(LabelRef(label("two")))
		VMOVUPS(x(i), at(rK, 0))
		VEXTRACTF128(Imm(1), y[i], x(i))
		ADDQ(U32(16), rK)
		Label(label("two"))
		TESTQ(U32(2), rN)
		JZ(LabelRef(label("one")))
		VMOVLPS(x(i), at(rK, 0))
		VPERMILPS(Imm(0xee), x(i), x(i))
		ADDQ(U32(8), rK)
		Label(label("one"))
		TESTQ(U32(1), rN)
		JZ(LabelRef(label("stored")))
		VMOVSS(x(i), at(rK, 0))
	} else {
		TESTQ(U32(2), rN)
		JZ(LabelRef(label("one")))
		VMOVUPD(x(i), at(rK, 0))
		VEXTRACTF128(Imm(1), y[i], x(i))
		ADDQ(U32(16), rK)
		Label(label("one"))
		TESTQ(U32(1), rN)
		JZ(LabelRef(label("stored")))
		VMOVSD(x(i), at(rK, 0))
	}
	Label(label("stored"))
}
