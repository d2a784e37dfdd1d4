package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wideElement is an element type with the AVX-512 forms of its instructions. What takes two vectors to subtract, compare or
// unpack has the second first, as Go's assembler does.
type wideElement struct {
	*element
	lanes int // elements of a 512-bit register

	fma, fmaBroadcast, add, mul, max, cmp, broadcast, move func(ops ...operand.Op)
	moveZero                                               func(src, mask, dst operand.Op) // elements outside the mask become 0
	unpackLow, unpackHigh, shuffle                         func(ops ...operand.Op)         // unpack interleaves elements of each 128 bits, shuffle moves 128 bits
}

var wideFloat32 = wideElement{
	element: &float32Element, lanes: 16,
	fma: VFMADD231PS, fmaBroadcast: VFMADD231PS_BCST, add: VADDPS, mul: VMULPS, max: VMAXPS, cmp: VCMPPS,
	broadcast: VBROADCASTSS, move: VMOVUPS, moveZero: VMOVUPS_Z, unpackLow: VUNPCKLPS, unpackHigh: VUNPCKHPS, shuffle: VSHUFF32X4,
}

var wideFloat64 = wideElement{
	element: &float64Element, lanes: 8,
	fma: VFMADD231PD, fmaBroadcast: VFMADD231PD_BCST, add: VADDPD, mul: VMULPD, max: VMAXPD, cmp: VCMPPD,
	broadcast: VBROADCASTSD, move: VMOVUPD, moveZero: VMOVUPD_Z, unpackLow: VUNPCKLPD, unpackHigh: VUNPCKHPD, shuffle: VSHUFF64X2,
}

var z = [32]reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}

func zeroWide(i int) { VPXORD(z[i], z[i], z[i]) }

// setMask sets mask to the first n elements, n < 64, and uses n and ones up.
func setMask(mask reg.Register, n, ones reg.GPPhysical) {
	MOVL(operand.U32(0xffffffff), ones.As32())
	BZHIL(n.As32(), ones.As32(), ones.As32())
	KMOVW(ones.As32(), mask)
}

// transposeRegisters transposes the square of lanes × lanes elements whose row i is z[i]: column j becomes z[j]. It uses all
// registers. Elements are interleaved within 128 bits first, until each 128 bits hold a piece of one column; then the pieces
// are gathered from four registers.
func (e *wideElement) transposeRegisters() {
	in, out := 0, 16
	per := e.lanes / 4 // elements of 128 bits
	if e.size == 4 {
		for i := 0; i < 16; i += 4 {
			for h := 0; h < 4; h += 2 {
				VUNPCKLPS(z[i+h+1], z[i+h], z[16+i+h])
				VUNPCKHPS(z[i+h+1], z[i+h], z[16+i+h+1])
			}
			for h := range 2 {
				VUNPCKLPD(z[16+i+2+h], z[16+i+h], z[i+2*h])
				VUNPCKHPD(z[16+i+2+h], z[16+i+h], z[i+2*h+1])
			}
		}
	} else {
		for i := 0; i < 8; i += 2 {
			VUNPCKLPD(z[i+1], z[i], z[16+i])
			VUNPCKHPD(z[i+1], z[i], z[16+i+1])
		}
		in, out = 16, 0
	}
	// Register in + g·per + c holds rows g·per… of the columns c, per+c, 2per+c, 3per+c.
	for c := range per {
		u := func(g int) reg.Register { return z[in+g*per+c] }
		t := func(i int) reg.Register { return z[out+4*c+i] }
		e.shuffle(operand.Imm(0x44), u(1), u(0), t(0))
		e.shuffle(operand.Imm(0xee), u(1), u(0), t(1))
		e.shuffle(operand.Imm(0x44), u(3), u(2), t(2))
		e.shuffle(operand.Imm(0xee), u(3), u(2), t(3))
	}
	for c := range per {
		t := func(i int) reg.Register { return z[out+4*c+i] }
		to := func(l int) reg.Register { return z[l*per+c] }
		if out == 0 { // the destinations are among the sources of columns to come
			to = func(l int) reg.Register { return z[16+l*per+c] }
		}
		e.shuffle(operand.Imm(0x88), t(2), t(0), to(0))
		e.shuffle(operand.Imm(0xdd), t(2), t(0), to(1))
		e.shuffle(operand.Imm(0x88), t(3), t(1), to(2))
		e.shuffle(operand.Imm(0xdd), t(3), t(1), to(3))
	}
}

// transposedAt is the register in which transposeRegisters leaves column j.
func (e *wideElement) transposedAt(j int) reg.VecPhysical {
	if e.size == 8 {
		return z[16+j]
	}
	return z[j]
}
