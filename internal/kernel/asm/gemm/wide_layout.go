package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose emits the transposition that packs a panel from a matrix whose columns, not rows, are contiguous. A call does a
// whole panel's width of columns.
func (e *wideElement) transpose() {
	TEXT("transposeAVX512"+e.name, NOSPLIT, "func(dst *byte, to int, src *byte, stride, columns, k int)")
	Pragma("noescape")
	Doc("transposeAVX512"+e.name+" sets element i of dst's row q, at q·to bytes, to src's element q at i·stride bytes, for i < 64 bytes'",
		"worth of elements and q < k. k is positive. For i ≥ columns, at least 1, it sets 0.")
	dst, src, stride, columns, k, to, row, left, ones := reg.RDI, reg.RSI, reg.RDX, reg.R12, reg.R13, reg.R15, reg.RAX, reg.RBX, reg.RCX
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("stride"), stride)
	Load(Param("columns"), columns)
	Load(Param("k"), k)
	Load(Param("to"), to)
	Label("loop")
	MOVQ(k, left)
	MOVL(U32(e.lanes), ones.As32())
	CMPQ(left, ones)
	CMOVQGT(ones, left)
	setMask(k1, left, ones)
	MOVQ(src, row)
	for i := range e.lanes {
		if i == 0 {
			e.moveZero(at(row, 0), k1, z[0])
		} else {
			// A column that is not there is read as zeros.
			ADDQ(stride, row)
			CMPQ(columns, U32(i))
			JLE(LabelRef(fmt.Sprintf("none%d", i)))
			e.moveZero(at(row, 0), k1, z[i])
		}
	}
	JMP(LabelRef("all"))
	for i := 1; i < e.lanes; i++ {
		Label(fmt.Sprintf("none%d", i))
		zeroWide(i)
	}
	Label("all")
	e.transposeRegisters()
	for j := range e.lanes {
		if j > 0 {
			CMPQ(k, U32(j))
			JLE(LabelRef("done"))
		}
		e.move(e.transposedAt(j), at(dst, 0))
		ADDQ(to, dst)
	}
	ADDQ(U32(64), src)
	SUBQ(U32(e.lanes), k)
	JG(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}

// copyWidePanels emits the packing of one, two and four panels side by side from a matrix with contiguous rows, of any
// element type.
func copyWidePanels() {
	TEXT("copyPanelsAVX512", NOSPLIT, "func(dst, src *byte, stride, k, panels int)")
	Pragma("noescape")
	Doc("copyPanelsAVX512 sets the 64-byte row q of dst to the 64 bytes at src + q·stride, q < k, k > 0; likewise the row q of dst + 64·k·p",
		"to the 64 bytes p further on, for p < panels, one of 1, 2 and 4.")
	dst, src, stride, k, ahead, step, panels, step3 := reg.RDI, reg.RSI, reg.RDX, reg.RCX, reg.RAX, reg.RBX, reg.R8, reg.R9
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("stride"), stride)
	Load(Param("k"), k)
	Load(Param("panels"), panels)
	MOVQ(stride, ahead) // rows lie a page apart where hardware does not foresee the next: ask for it 16 rows ahead
	SHLQ(Imm(4), ahead)
	ADDQ(src, ahead)
	MOVQ(k, step)
	SHLQ(Imm(6), step)
	LEAQ(indexed(step, step, 2, 0), step3)
	CMPQ(panels, Imm(2))
	JEQ(LabelRef("loop2"))
	JG(LabelRef("loop4"))
	for _, n := range []int{1, 2, 4} {
		Label(fmt.Sprintf("loop%d", n))
		to := []Mem{at(dst, 0), indexed(dst, step, 1, 0), indexed(dst, step, 2, 0), indexed(dst, step3, 1, 0)}
		for p := range n {
			PREFETCHT0(at(ahead, 64*p))
		}
		for p := range n {
			VMOVUPS(at(src, 64*p), z[p])
		}
		for p := range n {
			VMOVUPS(z[p], to[p])
		}
		ADDQ(stride, src)
		ADDQ(stride, ahead)
		ADDQ(U32(64), dst)
		DECQ(k)
		JNZ(LabelRef(fmt.Sprintf("loop%d", n)))
		VZEROUPPER()
		RET()
	}
}
