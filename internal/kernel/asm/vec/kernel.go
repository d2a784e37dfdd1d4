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

// A set is one of the two sets of kernels: AVX2+FMA with 256-bit vectors, or AVX-512 (F, DQ, BW, VL) with 512-bit ones.
type set struct {
	name   string // as part of the kernels' names
	suffix string // of the files' names
	wide   bool
}

var sets = []set{{"AVX2", "", false}, {"AVX512", "_avx512", true}}

// A file is one generated pair of assembly and stubs.
type file struct {
	*build.Context
	set
	f32, f64 *emit.Math
	mask     operand.Mem // AVX2: 32 bytes of ones and 32 of zeros
	prefix   string      // of the labels, where a kernel has several loops
	entries  []entry     // what it offers to the table of kernels

	constants map[string]operand.Mem
}

// An entry says which kernel goes into a field of kernel.vecSet.
type entry struct {
	bits         int
	field, value string
}

func newFile(s set) *file {
	c := build.NewContext()
	c.Constraint(buildtags.Not("noasm"))
	f := &file{Context: c, set: s, constants: map[string]operand.Mem{}}
	f.f32, f.f64 = emit.New(c, s.wide)
	if s.wide {
		return f
	}
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

// kernel is the full name of a kernel: name, set and element type.
func (f *file) kernel(name string, bits int) string {
	return fmt.Sprintf("%s%sF%d", name, f.name, bits)
}

// offer enters a kernel into the table, under a field of kernel.vecSet. wrap, if not empty, is a Go expression with the
// kernel's name for %s; p in it is the portable set.
func (f *file) offer(field string, bits int, name, wrap string) {
	value := f.kernel(name, bits)
	if wrap != "" {
		value = fmt.Sprintf(wrap, value)
	}
	f.entries = append(f.entries, entry{bits, field, value})
}

// highRegister matches what avo allocates when sixteen vector registers are not enough.
var highRegister = regexp.MustCompile(`\b[XYZ](1[6-9]|2[0-9]|3[01])\b`)

// unrolled emits with as many vectors in flight, up to four, as the registers allow.
func (f *file) unrolled(emit func(f *file, unroll int)) {
	unroll := 4
	for unroll > 1 && !f.fits(func(f *file) { emit(f, unroll) }) {
		unroll--
	}
	emit(f, unroll)
}

// fits reports whether what emit adds to an empty file compiles with the vector registers of the set.
func (s set) fits(emit func(f *file)) bool {
	f := newFile(s)
	emit(f)
	parsed, err := f.Result()
	if err != nil || pass.Compile.Execute(parsed) != nil {
		return false
	}
	text, err := printer.NewGoAsm(printer.Config{Pkg: "kernel"}).Print(parsed)
	return err == nil && (s.wide || highRegister.Find(text) == nil)
}

// math is the emitter of f for elements of the given width.
func (f *file) math(bits int) *emit.Math {
	if bits == 32 {
		return f.f32
	}
	return f.f64
}

// write compiles the file to dir/name_amd64.s and its stubs to dir/name_amd64.go, name with the set's suffix.
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
		if high := highRegister.Find(text); high != nil && !f.wide {
			return fmt.Errorf("register %s exists only with AVX-512: fewer vectors in flight", high)
		}
		if err := os.WriteFile(filepath.Join(dir, name+f.suffix+suffix), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// loop is the frame of an elementwise kernel: a main loop over groups of unroll vectors, then a loop over single vectors
// whose last may be partial. On AVX2 the partial vector is apart, read under a mask and written in halves.
type loop struct {
	*file
	m      *emit.Math
	n      reg.GPVirtual
	dst    reg.GPVirtual
	inputs []reg.GPVirtual
	bytes  []reg.GPVirtual // operands with a byte for each element
}

// elementwise emits the function name(dst, inputs… []T [, s T]), with body for each group of vectors.
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
	full := f.kernel(name, m.Bits)
	f.begin(full, signature+")", fmt.Sprintf("%s sets %s.", full, doc))
	l := &loop{file: f, m: m}
	l.dst = f.Load(f.Param("dst").Base(), f.GP64()).(reg.GPVirtual)
	l.n = f.Load(f.Param("dst").Len(), f.GP64()).(reg.GPVirtual)
	for _, in := range inputs {
		l.inputs = append(l.inputs, f.Load(f.Param(in).Base(), f.GP64()).(reg.GPVirtual))
	}
	var s reg.VecVirtual
	if scalar {
		s = broadcastParam(f, m, "s")
	}
	l.run(unroll, func(count int) { l.store(body(l.load(count), s)) }, func(mask emit.Mask) {
		f.partialStore(m, mask, body(l.loadPartial(mask), s), l.dst, l.n)
	})
	f.end()
}

// begin starts a kernel that keeps none of its slices and calls nothing.
func (f *file) begin(name, signature, doc string) {
	f.Function(name)
	f.Attributes(attr.NOSPLIT)
	f.Pragma("noescape")
	f.SignatureExpr(signature)
	f.Doc(doc)
}

func (f *file) end() {
	f.VZEROUPPER()
	f.RET()
}

// run emits the loops: whole for groups of count whole vectors, partial for the first lanes of one. It ends at the label done.
func (l *loop) run(unroll int, whole func(count int), partial func(mask emit.Mask)) {
	w := l.m.Width()
	if unroll > 1 || l.wide {
		l.Label(l.prefix + "group")
		l.CMPQ(l.n, operand.U32(w*unroll))
		l.JL(operand.LabelRef(l.prefix + "single"))
		whole(unroll)
		l.advance(unroll)
		l.JMP(operand.LabelRef(l.prefix + "group"))
	}
	l.Label(l.prefix + "single")
	if l.wide { // whole vectors are partial ones too: their masks are full
		l.TESTQ(l.n, l.n)
		l.JLE(operand.LabelRef(l.prefix + "done"))
		partial(l.firstLanes(l.m, l.n))
		l.advance(1)
		l.JMP(operand.LabelRef(l.prefix + "single"))
	} else {
		l.CMPQ(l.n, operand.U32(w))
		l.JL(operand.LabelRef(l.prefix + "tail"))
		whole(1)
		l.advance(1)
		l.JMP(operand.LabelRef(l.prefix + "single"))
		l.Label(l.prefix + "tail")
		l.TESTQ(l.n, l.n)
		l.JE(operand.LabelRef(l.prefix + "done"))
		partial(l.firstLanes(l.m, l.n))
	}
	l.Label(l.prefix + "done")
}

func broadcastParam(f *file, m *emit.Math, name string) reg.VecVirtual {
	p, err := f.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	s := m.New(1)[0]
	m.Broadcast(p.Addr, s)
	return s
}

func (l *loop) load(count int) []emit.V {
	in := make([]emit.V, len(l.inputs))
	for i, p := range l.inputs {
		in[i] = l.m.New(count)
		for k := range count {
			l.VMOVUPS(operand.Mem{Base: p, Disp: l.m.VectorBytes() * k}, in[i][k])
		}
	}
	return in
}

func (l *loop) loadPartial(mask emit.Mask) []emit.V {
	in := make([]emit.V, len(l.inputs))
	for i, p := range l.inputs {
		in[i] = l.maskedLoad(l.m, mask, operand.Mem{Base: p})
	}
	return in
}

func (l *loop) store(v emit.V) {
	for k := range v {
		l.VMOVUPS(v[k], operand.Mem{Base: l.dst, Disp: l.m.VectorBytes() * k})
	}
}

func (l *loop) advance(count int) {
	if l.dst != nil {
		l.ADDQ(operand.U32(l.m.VectorBytes()*count), l.dst)
	}
	for _, p := range l.inputs {
		l.ADDQ(operand.U32(l.m.VectorBytes()*count), p)
	}
	for _, p := range l.bytes {
		l.ADDQ(operand.U32(l.m.Width()*count), p)
	}
	l.SUBQ(operand.U32(l.m.Width()*count), l.n)
}

// firstLanes is true in the first n lanes of a vector: 0 < n ≤ width, or for AVX-512 0 < n < 64, where all lanes are first
// from the width on.
func (f *file) firstLanes(m *emit.Math, n reg.GPVirtual) emit.Mask {
	if f.wide {
		bits := f.GP64()
		f.MOVQ(operand.I32(-1), bits)
		f.BZHIQ(n, bits, bits)
		mask := m.K64()
		f.KMOVQ(bits, mask)
		return emit.Mask{mask}
	}
	at, offset := f.GP64(), f.GP64()
	f.LEAQ(f.mask.Offset(32), at)
	f.MOVQ(n, offset)
	f.NEGQ(offset)
	mask := f.YMM()
	f.VMOVUPS(operand.Mem{Base: at, Index: offset, Scale: uint8(m.Size())}, mask)
	return emit.Mask{mask}
}

// maskedLoad reads the lanes where mask is true; the others are 0.
func (f *file) maskedLoad(m *emit.Math, mask emit.Mask, at operand.Mem) emit.V {
	v := m.New(1)
	switch {
	case f.wide && m.Bits == 32:
		f.VMOVUPS_Z(at, mask[0], v[0])
	case f.wide:
		f.VMOVUPD_Z(at, mask[0], v[0])
	case m.Bits == 32:
		f.VMASKMOVPS(at, mask[0], v[0])
	default:
		f.VMASKMOVPD(at, mask[0], v[0])
	}
	return v
}

// partialStore writes the first n lanes of v, those of the mask; on AVX2 in halves, as masked stores are slow on Zen, for
// n < width. There it ends with jumps to the label done.
func (f *file) partialStore(m *emit.Math, mask emit.Mask, v emit.V, dst, n reg.GPVirtual) {
	if f.wide {
		if m.Bits == 32 {
			f.VMOVUPS(v[0], mask[0], operand.Mem{Base: dst})
		} else {
			f.VMOVUPD(v[0], mask[0], operand.Mem{Base: dst})
		}
		return
	}
	x := v[0].AsX()
	count := m.Width() / 2
	f.TESTQ(operand.U32(count), n)
	f.JE(operand.LabelRef(f.prefix + "quarter"))
	f.VMOVUPS(x, operand.Mem{Base: dst})
	f.VEXTRACTF128(operand.U8(1), v[0], x)
	f.ADDQ(operand.U32(16), dst)
	f.Label(f.prefix + "quarter")
	if m.Bits == 32 {
		f.TESTQ(operand.U32(2), n)
		f.JE(operand.LabelRef(f.prefix + "eighth"))
		f.VMOVLPS(x, operand.Mem{Base: dst})
		f.VPERMILPS(operand.U8(0b1110), x, x)
		f.ADDQ(operand.U32(8), dst)
		f.Label(f.prefix + "eighth")
	}
	f.TESTQ(operand.U32(1), n)
	f.JE(operand.LabelRef(f.prefix + "done"))
	if m.Bits == 32 {
		f.VMOVSS(x, operand.Mem{Base: dst})
	} else {
		f.VMOVSD(x, operand.Mem{Base: dst})
	}
}
