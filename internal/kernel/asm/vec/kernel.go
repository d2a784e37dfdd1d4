package main

import (
	"fmt"

	"os"
	"path/filepath"
	"regexp"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/buildtags"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// A file is one generated pair of assembly and stubs.
type file struct {
	*build.Context
	f32, f64 *emit.Math
	mask     operand.Mem // 32 bytes of ones and 32 of zeros

	constants map[string]operand.Mem
}

func newFile() *file {
	c := build.NewContext()
	c.Constraint(buildtags.Not("noasm"))
	f := &file{Context: c, constants: map[string]operand.Mem{}}
	f.f32, f.f64 = emit.New(c)
	f.mask = c.StaticGlobal("tailmask")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		v := operand.U64(0)
		if i < 4 {
			v = ^v
		}
		c.AppendDatum(v)
	}
	return f
}

// highRegister matches what avo allocates when sixteen vector registers are not enough.
var highRegister = regexp.MustCompile(`\b[XYZ](1[6-9]|2[0-9]|3[01])\b`)

// fits reports whether what emit adds to an empty file compiles with sixteen vector registers.
func fits(emit func(f *file)) bool {
	f := newFile()
	emit(f)
	parsed, err := f.Result()
	if err != nil || pass.Compile.Execute(parsed) != nil {
		return false
	}
	text, err := printer.NewGoAsm(printer.Config{Pkg: "kernel"}).Print(parsed)
	return err == nil && highRegister.Find(text) == nil
}

// math is the emitter of f for elements of the given width.
func (f *file) math(bits int) *emit.Math {
	if bits == 32 {
		return f.f32
	}
	return f.f64
}

// write compiles the file to dir/name_amd64.s and its stubs to dir/name_amd64.go.
func (f *file) write(dir, name string) error {
	parsed, err := f.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(parsed); err != nil {
		return err
	}
	cfg := printer.Config{Argv: []string{"go", "run", "./vec"}, Pkg: "kernel"}
	for suffix, p := range map[string]printer.Printer{"_amd64.s": printer.NewGoAsm(cfg), "_amd64.go": printer.NewStubs(cfg)} {
		text, err := p.Print(parsed)
		if err != nil {
			return err
		}
		if high := highRegister.Find(text); high != nil {
			return fmt.Errorf("register %s exists only with AVX-512: fewer vectors in flight", high)
		}
		if err := os.WriteFile(filepath.Join(dir, name+suffix), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// loop is the frame of an elementwise kernel: a main loop over groups of unroll vectors, a loop over single vectors, and
// the last, partial vector, read under a mask and written in halves.
type loop struct {
	*file
	m      *emit.Math
	name   string
	n      reg.GPVirtual
	dst    reg.GPVirtual
	inputs []reg.GPVirtual
}

// elementwise begins the function name(dst, inputs… []T [, s T]) and emits body for each group of vectors.
func (f *file) elementwise(m *emit.Math, name, doc string, inputs []string, scalar bool, unroll int, body func(in []emit.V, s reg.VecVirtual) emit.V) {
	t := fmt.Sprintf("float%d", m.Bits)
	signature := "func(dst"
	for _, in := range inputs {
		signature += ", " + in
	}
	signature += " []" + t
	if scalar {
		signature += ", s " + t
	}
	f.Function(fmt.Sprintf("%sAVX2F%d", name, m.Bits))
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr(signature + ")")
	f.Doc(fmt.Sprintf("%sAVX2F%d sets %s.", name, m.Bits, doc))
	l := &loop{file: f, m: m, name: name}
	l.dst = f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	l.n = f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	for _, in := range inputs {
		l.inputs = append(l.inputs, f.Load(f.Param(in).Base(), f.GP64()).(reg.GPVirtual))
	}
	var s reg.VecVirtual
	if scalar {
		s = broadcastParam(f, m, "s")
	}
	w := m.Width()
	if unroll > 1 {
		f.Label("group")
		f.CMPQ(l.n, operand.U32(w*unroll))
		f.JL(operand.LabelRef("single"))
		l.store(body(l.load(unroll), s))
		l.advance(unroll)
		f.JMP(operand.LabelRef("group"))
	}
	f.Label("single")
	f.CMPQ(l.n, operand.U32(w))
	f.JL(operand.LabelRef("tail"))
	l.store(body(l.load(1), s))
	l.advance(1)
	f.JMP(operand.LabelRef("single"))
	f.Label("tail")
	f.TESTQ(l.n, l.n)
	f.JE(operand.LabelRef("done"))
	mask := f.tailMask(m, l.n)
	in := make([]emit.V, len(l.inputs))
	for i, p := range l.inputs {
		in[i] = emit.V{f.maskedLoad(m, mask, p)}
	}
	f.partialStore(m, body(in, s)[0], l.dst, l.n)
	f.Label("done")
	f.VZEROUPPER()
	f.RET()
}

func broadcastParam(f *file, m *emit.Math, name string) reg.VecVirtual {
	p, err := f.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	s := f.YMM()
	if m.Bits == 32 {
		f.VBROADCASTSS(p.Addr, s)
	} else {
		f.VBROADCASTSD(p.Addr, s)
	}
	return s
}

func (l *loop) load(count int) []emit.V {
	in := make([]emit.V, len(l.inputs))
	for i, p := range l.inputs {
		in[i] = l.m.New(count)
		for k := range count {
			l.VMOVUPS(operand.Mem{Base: p, Disp: 32 * k}, in[i][k])
		}
	}
	return in
}

func (l *loop) store(v emit.V) {
	for k := range v {
		l.VMOVUPS(v[k], operand.Mem{Base: l.dst, Disp: 32 * k})
	}
}

func (l *loop) advance(count int) {
	for _, p := range append([]reg.GPVirtual{l.dst}, l.inputs...) {
		l.ADDQ(operand.U32(32*count), p)
	}
	l.SUBQ(operand.U32(l.m.Width()*count), l.n)
}

// tailMask is a vector whose first n lanes are ones, 0 < n < width.
func (f *file) tailMask(m *emit.Math, n reg.GPVirtual) reg.VecVirtual {
	at, offset := f.GP64(), f.GP64()
	f.LEAQ(f.mask.Offset(32), at)
	f.MOVQ(n, offset)
	f.NEGQ(offset)
	mask := f.YMM()
	f.VMOVUPS(operand.Mem{Base: at, Index: offset, Scale: uint8(m.Size())}, mask)
	return mask
}

func (f *file) maskedLoad(m *emit.Math, mask reg.VecVirtual, p reg.GPVirtual) reg.VecVirtual {
	v := f.YMM()
	if m.Bits == 32 {
		f.VMASKMOVPS(operand.Mem{Base: p}, mask, v)
	} else {
		f.VMASKMOVPD(operand.Mem{Base: p}, mask, v)
	}
	return v
}

// partialStore writes the first n < width lanes of v in halves: masked stores are slow on Zen.
func (f *file) partialStore(m *emit.Math, v reg.VecVirtual, dst, n reg.GPVirtual) {
	x := v.AsX()
	count := m.Width() / 2
	f.TESTQ(operand.U32(count), n)
	f.JE(operand.LabelRef("quarter"))
	f.VMOVUPS(x, operand.Mem{Base: dst})
	f.VEXTRACTF128(operand.U8(1), v, x)
	f.ADDQ(operand.U32(16), dst)
	f.Label("quarter")
	if m.Bits == 32 {
		f.TESTQ(operand.U32(2), n)
		f.JE(operand.LabelRef("eighth"))
		f.VMOVLPS(x, operand.Mem{Base: dst})
		f.VPERMILPS(operand.U8(0b1110), x, x)
		f.ADDQ(operand.U32(8), dst)
		f.Label("eighth")
	}
	f.TESTQ(operand.U32(1), n)
	f.JE(operand.LabelRef("done"))
	if m.Bits == 32 {
		f.VMOVSS(x, operand.Mem{Base: dst})
	} else {
		f.VMOVSD(x, operand.Mem{Base: dst})
	}
}
