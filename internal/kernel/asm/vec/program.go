package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// programs are the elementwise programs with a kernel of their own, in the text by which kernel.Program recognises them
// (program_fused.go): steps in order; F and S are arguments, a matrix or a number, %k is the value of step k, > stores it.
var programs = []struct{ name, text string }{
	// p := p − lr·g
	{"sgd", "mul S0 F1; sub F2 %0 > F3"},
	// m := β₁m + (1−β₁)g, v := β₂v + (1−β₂)g², p := p − step·m/(√v/correction + ε)
	{"adam", "mul F0 S1; mul F2 S3; add %0 %1 > F4; mul F5 S6; mul F2 F2; mul %4 S7; add %3 %5 > F8; " +
		"sqrt %6; div %7 S9; add %8 S10; div %2 %9; mul S11 %10; sub F12 %11 > F13"},
}

// programKernels emits them.
func programKernels(f *file) {
	for _, bits := range []int{32, 64} {
		for _, p := range programs {
			steps := parse(p.text)
			f.unrolled(func(f *file, unroll int) { f.program(f.math(bits), p.name, p.text, steps, unroll) })
			f.offer(fmt.Sprintf("fused[%q]", p.text), bits, p.name+"Program", "")
		}
	}
}

// A programStep is one step of the text: store is the argument that takes the value, or −1.
type programStep struct {
	op       string
	operands []programOperand
	store    int
}

// A programOperand is F, S or % and its number.
type programOperand struct {
	kind   byte
	number int
}

func parse(text string) (steps []programStep) {
	for _, part := range strings.Split(text, "; ") {
		s := programStep{store: -1}
		words := strings.Fields(part)
		s.op = words[0]
		for k := 1; k < len(words); k++ {
			word := words[k]
			if word == ">" {
				s.store = parseOperand(words[k+1]).number
				break
			}
			s.operands = append(s.operands, parseOperand(word))
		}
		steps = append(steps, s)
	}
	return steps
}

func parseOperand(word string) programOperand {
	n, err := strconv.Atoi(word[1:])
	if err != nil {
		panic("operand " + word)
	}
	return programOperand{word[0], n}
}

// apply is the value of a step.
func (s *programStep) apply(m *emit.Math, in []emit.V) emit.V {
	switch s.op {
	case "add":
		return m.Add(in[0], in[1])
	case "sub":
		return m.Sub(in[0], in[1])
	case "mul":
		return m.Mul(in[0], in[1])
	case "div":
		return m.Div(in[0], in[1])
	case "sqrt":
		return m.Sqrt(in[0])
	}
	panic("no operation " + s.op)
}

// program emits the kernel of one program. Its arguments come through tables of their addresses and values.
func (f *file) program(m *emit.Math, name, text string, steps []programStep, unroll int) {
	full := f.kernel(name+"Program", m.Bits)
	f.begin(full, fmt.Sprintf("func(n int, args *[16]*float%d, scalars *[16]float%d)", m.Bits, m.Bits), full+" runs the program "+text+".")
	n := f.Load(f.Param("n"), f.GP64()).(reg.GPVirtual)
	args := f.Load(f.Param("args"), f.GP64())
	scalars := f.Load(f.Param("scalars"), f.GP64())
	l := &loop{file: f, m: m, n: n}
	pointers := map[int]reg.GPVirtual{}
	broadcast := map[int]reg.VecVirtual{}
	pointer := func(k int) {
		if pointers[k] == nil {
			pointers[k] = f.GP64()
			f.MOVQ(operand.Mem{Base: args, Disp: 8 * k}, pointers[k])
			l.inputs = append(l.inputs, pointers[k])
		}
	}
	for _, s := range steps {
		for _, o := range s.operands {
			switch {
			case o.kind == 'F':
				pointer(o.number)
			case o.kind == 'S' && broadcast[o.number] == nil:
				broadcast[o.number] = m.New(1)[0]
				m.Broadcast(operand.Mem{Base: scalars, Disp: m.Size() * o.number}, broadcast[o.number])
			}
		}
		if s.store >= 0 {
			pointer(s.store)
		}
	}
	// run emits the steps on count vectors, each argument read when it is first used.
	run := func(count int, load func(p reg.GPVirtual) emit.V, store func(p reg.GPVirtual, v emit.V)) {
		loaded := map[int]emit.V{}
		values := make([]emit.V, len(steps))
		for k := range steps {
			s := &steps[k]
			in := make([]emit.V, len(s.operands))
			for i, o := range s.operands {
				switch o.kind {
				case 'F':
					if loaded[o.number] == nil {
						loaded[o.number] = load(pointers[o.number])
					}
					in[i] = loaded[o.number]
				case 'S':
					in[i] = same(broadcast[o.number], count)
				default:
					in[i] = values[o.number]
				}
			}
			values[k] = s.apply(m, in)
			if s.store >= 0 {
				store(pointers[s.store], values[k])
			}
		}
	}
	l.run(unroll, func(count int) {
		run(count, func(p reg.GPVirtual) emit.V {
			v := m.New(count)
			for k := range v {
				f.VMOVUPS(operand.Mem{Base: p, Disp: k * m.VectorBytes()}, v[k])
			}
			return v
		}, func(p reg.GPVirtual, v emit.V) {
			for k := range v {
				f.VMOVUPS(v[k], operand.Mem{Base: p, Disp: k * m.VectorBytes()})
			}
		})
	}, func(mask emit.Mask) {
		stores := 0
		run(1, func(p reg.GPVirtual) emit.V { return f.maskedLoad(m, mask, operand.Mem{Base: p}) }, func(p reg.GPVirtual, v emit.V) {
			if f.wide {
				f.partialStore(m, mask, v, p, n)
				return
			}
			stores++
			f.prefix = fmt.Sprintf("store%d", stores)
			f.partialStore(m, mask, m.Copy(v), p, n)
			f.Label(f.prefix + "done")
			f.prefix = ""
		})
	})
	f.end()
}
