package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var maskTable *Mem

// masks is 32 bytes of ones followed by 32 of zeros: the mask of n bytes begins at 32−n.
func masks() Mem {
	if maskTable == nil {
		m := GLOBL("gemmMasks", 8|16)
		for i := range 8 {
			v := ^uint64(0)
			if i >= 4 {
				v = 0
			}
			DATA(8*i, U64(v))
		}
		maskTable = &m
	}
	return *maskTable
}

// class is the width of a panel's tiles: full, or a tail of more or of at most one register.
type class struct {
	name string
	vecs int
	tail bool
}

// gemm emits the micro-kernel with its two loops: for each panel of B, for each tile of rows of A and C.
func (e *element) gemm() {
	mask := masks()
	TEXT("gemmAVX2"+e.name, NOSPLIT, "func(block *byte)")
	Pragma("noescape")
	Doc("gemmAVX2" + e.name + " is the micro-kernel for a block: see multiply. M and N are positive.")
	l := e.layout
	panelB := AllocLocal(8)    // the current panel of B
	panelStep := AllocLocal(8) // bytes from one panel to the next
	panelC := AllocLocal(8)    // C at the current panel
	panelStepC := AllocLocal(8)
	tileA := AllocLocal(8) // A and C at the current tile
	tileC := AllocLocal(8)
	tileStepC := AllocLocal(8) // bytes between rows of A's product in C

	Load(Param("block"), rG)
	for _, s := range []struct {
		r      reg.Register
		offset int
	}{{rARow, l.aRow}, {rACol, l.aCol}, {rBRow, l.bRow}, {rCRow, l.cRow}} {
		MOVQ(at(rG, s.offset), s.r.(reg.GPPhysical))
		SHLQ(Imm(uint64(e.shift)), s.r.(reg.GPPhysical))
	}
	MOVQ(at(rG, l.bCol), rT)
	SHLQ(Imm(6), rT)
	MOVQ(rT, panelStep)
	MOVQ(at(rG, l.b), rT)
	MOVQ(rT, panelB)
	MOVQ(at(rG, l.c), rT)
	MOVQ(rT, panelC)
	MOVQ(U32(64), panelStepC)
	MOVQ(rCRow, tileStepC)
	MOVQ(at(rG, l.n), rN)
	XORL(rJ.As32(), rJ.As32())
	CMPB(at(rG, l.transposed), Imm(0))
	JE(LabelRef("straight"))
	MOVQ(rCRow, rT)
	SHLQ(Imm(uint64(6-e.shift)), rT)
	MOVQ(rT, panelStepC)
	MOVQ(U32(e.size), tileStepC)
	JMP(LabelRef("panel"))

	Label("straight")
	MOVQ(at(rG, l.m), rM)
	CMPQ(rM, U32(4))
	JG(LabelRef("flat"))
	JE(LabelRef("wide4x3"))
	CMPQ(rM, U32(2))
	JE(LabelRef("wide2x3"))
	JG(LabelRef("wide3x2"))
	JMP(LabelRef("wide1x6"))
	Label("flat")
	CMPQ(at(rG, l.k), Imm(flat))
	JLE(LabelRef("wide3x2"))
	JMP(LabelRef("panel"))
	for _, w := range []struct {
		rows, panels, tiles int
		next                string
	}{{1, 6, 1, "wide1x4"}, {1, 4, 1, "wide1x2"}, {1, 2, 1, "panel"}, {2, 3, 1, "wide2x2"}, {2, 2, 1, "panel"}, {3, 2, 1, "panel"}, {4, 3, 2, "panel"}} {
		name := fmt.Sprintf("wide%dx%d", w.rows, w.panels)
		Label(name)
		CMPQ(rN, U32(2*w.panels*e.lanes))
		JLT(LabelRef(w.next))
		MOVQ(at(rG, l.m), rM)
		MOVQ(at(rG, l.a), rT)
		MOVQ(rT, tileA)
		MOVQ(panelC, rT)
		MOVQ(rT, tileC)
		Label(name + "rows")
		for i := range w.tiles {
			t := tile{element: e, rows: w.rows, vecs: 2 * w.panels / w.tiles, split: 1, panels: w.panels, first: 2 * w.panels / w.tiles * i, name: fmt.Sprintf("%st%d", name, i)}
			MOVQ(tileA, rA)
			MOVQ(at(rG, l.k), rK)
			MOVQ(panelB, rB)
			MOVQ(panelStep, rT)
			t.multiplyWide()
			MOVQ(tileC, rC)
			t.finish()
			if w.tiles > 1 {
				ADDQ(U32(32*t.vecs), tileC)
				ADDQ(U32(32*t.vecs), rJ)
			}
		}
		if w.rows == 3 { // a product with many rows, if flat
			SUBQ(U32(3), rM)
			JLE(LabelRef(name + "step"))
			LEAQ(indexed(rARow, rARow, 2, 0), rT)
			ADDQ(rT, tileA)
			LEAQ(indexed(rCRow, rCRow, 2, 0), rT)
			ADDQ(rT, tileC)
			CMPQ(rM, U32(2))
			JG(LabelRef(name + "rows"))
			JE(LabelRef("wide2x2rows"))
			JMP(LabelRef("wide1x2rows"))
			Label(name + "step")
		}
		if w.tiles == 1 {
			ADDQ(U32(64*w.panels), rJ)
		}
		ADDQ(U32(64*w.panels), panelC)
		MOVQ(panelStep, rT)
		IMUL3Q(U32(w.panels), rT, rT)
		ADDQ(rT, panelB)
		SUBQ(U32(2*w.panels*e.lanes), rN)
		if w.panels == 2 { // the tile may have been one of another height's last rows
			JMP(LabelRef("straight"))
		} else {
			JMP(LabelRef(name))
		}
	}

	Label("panel")
	TESTQ(rN, rN)
	JLE(LabelRef("done"))
	MOVQ(at(rG, l.m), rM)
	MOVQ(at(rG, l.a), rT)
	MOVQ(rT, tileA)
	MOVQ(panelC, rT)
	MOVQ(rT, tileC)
	CMPQ(rN, U32(2*e.lanes))
	JGE(LabelRef("full"))
	// The mask: of rN mod lanes elements, or all.
	MOVQ(rN, rA)
	NEGQ(rA)
	ANDQ(U32(e.lanes-1), rA)
	SHLQ(Imm(uint64(e.shift)), rA)
	LEAQ(mask, rT)
	VMOVUPS(indexed(rT, rA, 1, 0), y[15])
	CMPQ(rN, U32(e.lanes))
	JG(LabelRef("tail2"))
	JMP(LabelRef("tail1"))

	for _, c := range []class{{"full", 2, false}, {"tail2", 2, true}, {"tail1", 1, true}} {
		Label(c.name)
		// rT, the height of the next tile when rM rows are left, is six, but the last seven, eight or nine rows are cut evenly:
		// tiles of one or two rows use half the multipliers. So rows that begin at a multiple of six and end with the matrix
		// are cut like the whole matrix as long as there are at least four of them.
		MOVQ(rM, rT)
		CMPQ(rM, U32(6))
		JLE(LabelRef(c.name + "height"))
		MOVQ(U32(6), rT)
		CMPQ(rM, U32(9))
		JG(LabelRef(c.name + "height"))
		LEAQ(at(rM, 1), rT)
		SHRQ(Imm(1), rT)
		Label(c.name + "height")
		MOVQ(tileA, rA)
		MOVQ(panelB, rB)
		MOVQ(tileC, rC)
		MOVQ(at(rG, l.k), rK)
		for rows := 5; rows >= 1; rows-- {
			CMPQ(rT, U32(rows))
			JE(LabelRef(fmt.Sprintf("%sheight%d", c.name, rows)))
		}
		for rows := 6; rows >= 1; rows-- {
			t := e.newTile(rows, c.vecs, c.tail)
			Label(fmt.Sprintf("%sheight%d", c.name, rows))
			t.multiply()
			t.finish()
			Label(t.label("next"))
			IMUL3Q(U32(rows), rARow, rT)
			ADDQ(rT, tileA)
			MOVQ(tileStepC, rT)
			IMUL3Q(U32(rows), rT, rT)
			ADDQ(rT, tileC)
			SUBQ(U32(rows), rM)
			JG(LabelRef(c.name))
			JMP(LabelRef("nextpanel"))
			t.transposed()
		}
	}

	Label("nextpanel")
	MOVQ(panelStep, rT)
	ADDQ(rT, panelB)
	MOVQ(panelStepC, rT)
	ADDQ(rT, panelC)
	ADDQ(U32(64), rJ)
	SUBQ(U32(2*e.lanes), rN)
	JMP(LabelRef("panel"))
	Label("done")
	VZEROUPPER()
	RET()
}

// prefetchFrom sets ahead to B's address some rows further on, for the caller to ask for while it goes through the rows
// before: unpacked rows lie up to a page apart, where hardware does not foresee the next.
func (t *tile) prefetchFrom(ahead reg.GPPhysical) {
	LEAQ(indexed(rBRow, rBRow, 2, 0), ahead)
	SHLQ(Imm(2), ahead) // 12 rows
	ADDQ(rB, ahead)
}

// linesAhead are the lines of B's rows that a wide tile asks for, counted from its first panel: its own. Of two tiles that
// share panels the first asks for all of them, because half a line is in both, and the second for the next to come.
func (t *tile) linesAhead() []int {
	if t.first > 0 {
		return []int{t.panels}
	}
	return []int{0, 1, 2, 3, 4, 5}[:t.panels]
}

// multiplyWide emits the loop over k of a tile of one to four rows on panels that are rT bytes apart.
func (t *tile) multiplyWide() {
	for i := range t.rows * t.vecs {
		zero(i)
	}
	rB3, ahead := rA3, rC // rC is reloaded after the loop
	t.prefetchFrom(ahead)
	if t.panels > 3 {
		LEAQ(indexed(rB, rT, 2, 0), rB3)
		ADDQ(rT, rB3)
	}
	if t.rows > 3 {
		LEAQ(indexed(rA, rARow, 2, 0), rA3)
		ADDQ(rARow, rA3)
	}
	vec := func(v int) Mem {
		v += t.first
		base, p := rB, v/2
		if p >= 3 {
			base, p = rB3, p-3
		}
		if p == 0 {
			return at(base, 32*(v%2))
		}
		return indexed(base, rT, uint8(p), 32*(v%2))
	}
	TESTQ(rK, rK)
	JZ(LabelRef(t.label("fold")))
	Label(t.label("loop"))
	for _, line := range t.linesAhead() {
		PREFETCHT0(at(ahead, 64*line))
	}
	ADDQ(rBRow, ahead)
	if t.rows > t.vecs {
		for v := range t.vecs {
			t.move(vec(v), y[12+v])
		}
		for r := range t.rows {
			t.broadcast(rowOf(r), y[15])
			for v := range t.vecs {
				t.fma(y[12+v], y[15], y[t.sum(0, r, v)])
			}
		}
	} else {
		for r := range t.rows {
			t.broadcast(rowOf(r), y[13+r])
		}
		for v := range t.vecs {
			if t.rows == 1 {
				t.fma(vec(v), y[13], y[v])
				continue
			}
			t.move(vec(v), y[12])
			for r := range t.rows {
				t.fma(y[12], y[13+r], y[t.sum(0, r, v)])
			}
		}
	}
	ADDQ(rACol, rA)
	if t.rows > 3 {
		ADDQ(rACol, rA3)
	}
	ADDQ(rBRow, rB)
	if t.panels > 3 {
		ADDQ(rBRow, rB3)
	}
	DECQ(rK)
	JNZ(LabelRef(t.label("loop")))
	Label(t.label("fold"))
}

// transposed emits the other store: the tile's column j goes to row j of C, at rC + j·rCRow, its rows side by side. It
// adds to C if asked and knows no epilogue.
func (t *tile) transposed() {
	Label(t.label("transposed"))
	CMPB(at(rG, t.layout.accumulate), Imm(0))
	JNE(LabelRef(t.label("transposedadd")))
	t.storeTransposed(false)
	JMP(LabelRef(t.label("next")))
	Label(t.label("transposedadd"))
	t.storeTransposed(true)
	JMP(LabelRef(t.label("next")))
}

// storeTransposed walks the columns in the order a register transpose makes them, and rows in groups of four, two and one.
func (t *tile) storeTransposed(add bool) {
	prefix := t.label("t")
	if add {
		prefix += "add"
	}
	n := 0
	// column stores what f stores in row j of C, unless j ≥ rN.
	column := func(j int, f func(m func(bytes int) Mem)) {
		n++
		skip := fmt.Sprintf("%s%d", prefix, n)
		if t.tail {
			CMPQ(rN, U32(j))
			JLE(LabelRef(skip))
		}
		IMUL3Q(U32(j), rCRow, rB)
		f(func(bytes int) Mem { return indexed(rC, rB, 1, bytes) })
		if t.tail {
			Label(skip)
		}
	}
	for v := range t.vecs {
		// After interleaving, put stores the low and the high half of a register in two columns.
		halves := func(i, j, bytes int, put func(i int, m func(bytes int) Mem, bytes int)) {
			column(v*t.lanes+j, func(m func(int) Mem) { put(i, m, bytes) })
			VEXTRACTF128(Imm(1), y[i], x(i))
			column(v*t.lanes+j+t.lanes/2, func(m func(int) Mem) { put(i, m, bytes) })
		}
		sixteen := func(i int, m func(int) Mem, bytes int) {
			if add { // in another register: this would clear the upper half
				t.add(m(bytes), x(i), x(14))
				i = 14
			}
			VMOVUPS(x(i), m(bytes))
		}
		r := 0
		if t.size == 4 {
			for ; t.rows-r >= 4; r += 4 {
				a, b, c, d := t.sum(0, r, v), t.sum(0, r+1, v), t.sum(0, r+2, v), t.sum(0, r+3, v)
				VUNPCKLPS(y[b], y[a], y[12])
				VUNPCKHPS(y[b], y[a], y[13])
				VUNPCKLPS(y[d], y[c], y[14])
				VUNPCKHPS(y[d], y[c], y[a]) // y15 may be the mask
				VUNPCKLPD(y[14], y[12], y[b])
				VUNPCKHPD(y[14], y[12], y[c])
				VUNPCKLPD(y[a], y[13], y[d])
				VUNPCKHPD(y[a], y[13], y[a])
				for j, i := range []int{b, c, d, a} {
					halves(i, j, 4*r, sixteen)
				}
			}
			for ; t.rows-r >= 2; r += 2 {
				a, b := t.sum(0, r, v), t.sum(0, r+1, v)
				VUNPCKLPS(y[b], y[a], y[12])
				VUNPCKHPS(y[b], y[a], y[13])
				for i := 12; i <= 13; i++ { // columns 0 and 1, then 2 and 3, of each half
					for _, j := range []int{0, t.lanes / 2} {
						for odd := range 2 {
							column(v*t.lanes+j+2*(i-12)+odd, func(m func(int) Mem) {
								if odd == 0 {
									VMOVAPS(x(i), x(14))
								} else {
									VPERMILPS(Imm(0xee), x(i), x(14))
								}
								if add {
									VMOVSD(m(4*r), x(a))
									VADDPS(x(a), x(14), x(14))
								}
								VMOVLPS(x(14), m(4*r))
							})
						}
						if j == 0 {
							VEXTRACTF128(Imm(1), y[i], x(i))
						}
					}
				}
			}
		} else {
			for ; t.rows-r >= 2; r += 2 {
				a, b := t.sum(0, r, v), t.sum(0, r+1, v)
				VUNPCKLPD(y[b], y[a], y[12])
				VUNPCKHPD(y[b], y[a], y[13])
				halves(12, 0, 8*r, sixteen)
				halves(13, 1, 8*r, sixteen)
			}
		}
		for ; r < t.rows; r++ {
			i := t.sum(0, r, v)
			VEXTRACTF128(Imm(1), y[i], x(13)) // rotating the lower half clears the upper
			for j := range t.lanes {
				column(v*t.lanes+j, func(m func(int) Mem) {
					switch to := m(t.size * r); {
					case !add:
						t.moveScalar(x(i), to)
					case t.size == 4:
						VADDSS(to, x(i), x(12))
						VMOVSS(x(12), to)
					default:
						VADDSD(to, x(i), x(12))
						VMOVSD(x(12), to)
					}
				})
				switch {
				case j == t.lanes/2-1:
					i = 13
				case t.size == 4:
					VPERMILPS(Imm(0x39), x(i), x(i)) // the next element down
				default:
					VPERMILPD(Imm(1), x(i), x(i))
				}
			}
		}
	}
}
