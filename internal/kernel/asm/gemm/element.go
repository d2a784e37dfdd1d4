package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// element is one element type: its size, its struct layout, and the instructions that differ with it.
type element struct {
	name   string // of the generated functions' suffix
	size   int    // bytes
	shift  int    // log₂ size
	lanes  int    // elements of a 256-bit register
	layout layout

	fma, add, mul, max, and, cmp, broadcast, move, moveScalar func(ops ...operand.Op)
	blend                                                     func(mask, set, clear, dst operand.Op) // by the sign bits of mask
}

var float32Element = element{
	name: "F32", size: 4, shift: 2, lanes: 8, layout: layoutOf[float32](),
	fma: VFMADD231PS, add: VADDPS, mul: VMULPS, max: VMAXPS, and: VANDPS, cmp: VCMPPS, blend: VBLENDVPS,
	broadcast: VBROADCASTSS, move: VMOVUPS, moveScalar: VMOVSS,
}

var float64Element = element{
	name: "F64", size: 8, shift: 3, lanes: 4, layout: layoutOf[float64](),
	fma: VFMADD231PD, add: VADDPD, mul: VMULPD, max: VMAXPD, and: VANDPD, cmp: VCMPPD, blend: VBLENDVPD,
	broadcast: VBROADCASTSD, move: VMOVUPD, moveScalar: VMOVSD,
}

// maskLoad loads the elements of m whose bit in mask is set; the others become 0 and are not touched in memory.
func (e *element) maskLoad(m operand.Mem, mask, dst reg.Register) {
	if e.size == 4 {
		VMASKMOVPS(m, mask, dst)
	} else {
		VMASKMOVPD(m, mask, dst)
	}
}

var y = [16]reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}

// x is the lower half of y[i].
func x(i int) reg.Register { return y[i].AsX() }

func zero(i int) { VXORPS(y[i], y[i], y[i]) }

// at is memory at base + offset bytes.
func at(base reg.Register, offset int) operand.Mem { return operand.Mem{Base: base, Disp: offset} }

// indexed is memory at base + index·scale + offset.
func indexed(base, index reg.Register, scale uint8, offset int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale, Disp: offset}
}
