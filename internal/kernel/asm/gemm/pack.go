package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose emits the transposition that packs a panel from a matrix whose columns, not rows, are contiguous: dst's row q
// gets element q of each column. A call does one register's width of columns.
func (e *element) transpose() {
	TEXT("transposeAVX2"+e.name, NOSPLIT, "func(dst *byte, to int, src *byte, stride, columns, k int)")
	Pragma("noescape")
	Doc("transposeAVX2"+e.name+" sets element i of dst's row q, at q·to bytes, to src's element q at i·stride bytes, for i < 32 bytes'",
		"worth of elements and q < k, k a positive multiple of those. For i ≥ columns, at least 1, it repeats the last column.")
	rows := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.R8, reg.R9, reg.R10, reg.R11}[:e.lanes]
	dst, stride, columns, k, to := reg.RDI, reg.RSI, reg.R12, reg.R13, reg.R15
	Load(Param("dst"), dst)
	Load(Param("src"), rows[0])
	Load(Param("stride"), stride)
	Load(Param("columns"), columns)
	Load(Param("k"), k)
	Load(Param("to"), to)
	for i := 1; i < e.lanes; i++ {
		MOVQ(rows[i-1], rows[i])
		LEAQ(indexed(rows[i], stride, 1, 0), reg.R14)
		CMPQ(columns, U32(i))
		CMOVQGT(reg.R14, rows[i])
	}
	// The upper half of a register holds the rows half a register further down.
	half := e.lanes / 2
	pair := func(r, offset, to int) {
		VMOVUPS(at(rows[r], offset), x(to))
		VINSERTF128(Imm(1), at(rows[r+half], offset), y[to], y[to])
	}
	put := func(i int) {
		e.move(y[i], at(dst, 0))
		ADDQ(to, dst)
	}
	Label("loop")
	for h := range 2 {
		if e.size == 4 {
			for r := range 4 {
				pair(r, 16*h, r)
			}
			VUNPCKLPS(y[1], y[0], y[4])
			VUNPCKHPS(y[1], y[0], y[5])
			VUNPCKLPS(y[3], y[2], y[6])
			VUNPCKHPS(y[3], y[2], y[7])
			VUNPCKLPD(y[6], y[4], y[8])
			VUNPCKHPD(y[6], y[4], y[9])
			VUNPCKLPD(y[7], y[5], y[10])
			VUNPCKHPD(y[7], y[5], y[11])
			for i := range 4 {
				put(8 + i)
			}
		} else {
			pair(0, 16*h, 0)
			pair(1, 16*h, 1)
			VUNPCKLPD(y[1], y[0], y[2])
			VUNPCKHPD(y[1], y[0], y[3])
			put(2)
			put(3)
		}
	}
	for _, r := range rows {
		ADDQ(U32(32), r)
	}
	SUBQ(U32(e.lanes), k)
	JG(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// copyPanels emits the packing of one and of two panels side by side from a matrix with contiguous rows, of any element type.
func copyPanels() {
	for panels := 1; panels <= 2; panels++ {
		name := []string{"", "copyPanelAVX2", "copyPanelsAVX2"}[panels]
		TEXT(name, NOSPLIT, "func(dst, src *byte, stride, k int)")
		Pragma("noescape")
		if panels == 1 {
			Doc(name + " sets the 64-byte row q of dst to the 64 bytes at src + q·stride, q < k, k > 0.")
		} else {
			Doc(name + " does the same with the next 64 bytes of each row too, which go to dst + 64·k.")
		}
		dst, src, stride, k, ahead, second := reg.RDI, reg.RSI, reg.RDX, reg.RCX, reg.RAX, reg.RBX
		Load(Param("dst"), dst)
		Load(Param("src"), src)
		Load(Param("stride"), stride)
		Load(Param("k"), k)
		MOVQ(stride, ahead) // rows lie a page apart where hardware does not foresee the next: ask for it 16 rows ahead
		SHLQ(Imm(4), ahead)
		ADDQ(src, ahead)
		if panels == 2 {
			MOVQ(k, second)
			SHLQ(Imm(6), second)
			ADDQ(dst, second)
		}
		Label("loop")
		for p := range panels {
			PREFETCHT0(at(ahead, 64*p))
		}
		for i := range 2 * panels {
			VMOVUPS(at(src, 32*i), y[i])
		}
		for i := range 2 * panels {
			to := dst
			if i >= 2 {
				to = second
			}
			VMOVUPS(y[i], at(to, 32*(i%2)))
		}
		ADDQ(stride, src)
		ADDQ(stride, ahead)
		ADDQ(U32(64), dst)
		if panels == 2 {
			ADDQ(U32(64), second)
		}
		DECQ(k)
		JNZ(LabelRef("loop"))
		VZEROUPPER()
		RET()
	}
}
