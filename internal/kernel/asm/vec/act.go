package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"

	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

// The constants of SELU, as in kernel/act.go.
const (
	seluLambda = 1.0507009873554804934193349852946
	seluAlpha  = 1.6732632423543772848170429916717
)

// activations has the forward form of each (nil: it is the kernel of one operand named there) and the slopes, which may be
// the same for input and output. s is the parameter of the activation.
var activations = []struct {
	name, act string
	forward   func(m *emit.Math, z, s emit.V) emit.V
	in, out   func(m *emit.Math, a, z, s emit.V) emit.V
}{
	{"relu", "ReLU", nil, reluSlope, reluSlope},
	{"leakyReLU", "LeakyReLU", (*emit.Math).LeakyReLU, (*emit.Math).LeakyReLUSlope, (*emit.Math).LeakyReLUSlope},
	{"elu", "ELU",
		func(m *emit.Math, z, s emit.V) emit.V { return m.ELU(z, m.K(1), s) },
		func(m *emit.Math, a, z, s emit.V) emit.V { return m.ELUSlopeIn(a, z, m.K(1), s) },
		func(m *emit.Math, a, y, s emit.V) emit.V { return m.ELUSlopeOut(a, y, m.K(1), s) }},
	{"selu", "SELU",
		func(m *emit.Math, z, _ emit.V) emit.V { return m.ELU(z, m.K(seluLambda), m.K(seluLambda*seluAlpha)) },
		func(m *emit.Math, a, z, _ emit.V) emit.V {
			return m.ELUSlopeIn(a, z, m.K(seluLambda), m.K(seluLambda*seluAlpha))
		},
		func(m *emit.Math, a, y, _ emit.V) emit.V {
			return m.ELUSlopeOut(a, y, m.K(seluLambda), m.K(seluLambda*seluAlpha))
		}},
	{"tanh", "Tanh", nil,
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.TanhSlopeIn(a, z) },
		func(m *emit.Math, a, y, _ emit.V) emit.V { return m.TanhSlopeOut(a, y) }},
	{"sigmoid", "Sigmoid", nil,
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.SigmoidSlopeIn(a, z) },
		func(m *emit.Math, a, y, _ emit.V) emit.V { return m.SigmoidSlopeOut(a, y) }},
	{"softplus", "Softplus", nil,
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.SoftplusSlopeIn(a, z) },
		func(m *emit.Math, a, y, _ emit.V) emit.V { return m.SoftplusSlopeOut(a, y) }},
	{"swish", "Swish", (*emit.Math).Swish, (*emit.Math).SwishSlope, nil},
	{"gelu", "GELU",
		func(m *emit.Math, z, _ emit.V) emit.V { return m.GELU(z) },
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.GELUSlope(a, z) }, nil},
	{"geluTanh", "GELUTanh",
		func(m *emit.Math, z, _ emit.V) emit.V { return m.GELUTanh(z) },
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.GELUTanhSlope(a, z) }, nil},
	{"exp", "Exp", nil,
		func(m *emit.Math, a, z, _ emit.V) emit.V { return m.Mul(m.Exp(z), a) },
		func(m *emit.Math, a, y, _ emit.V) emit.V { return m.Mul(a, y) }},
}

func reluSlope(m *emit.Math, a, s, _ emit.V) emit.V { return m.ReLUSlope(a, s) }

// activate is the activations and their slopes, each in one pass.
func activate(f *file) {
	for _, bits := range []int{32, 64} {
		for _, k := range activations {
			forward, wrap := k.name, "withoutParameter(%s)"
			if k.forward != nil {
				forward, wrap = k.name+"Act", ""
				f.unrolled(func(f *file, unroll int) {
					m := f.math(bits)
					f.elementwise(m, forward, "dst to the activation of x with parameter s", []string{"x"}, true, unroll,
						func(in []emit.V, s reg.VecVirtual) emit.V { return k.forward(m, in[0], same(s, len(in[0]))) })
				})
			}
			f.offer(fmt.Sprintf("act[Act%s]", k.act), bits, forward, wrap)
			for _, slope := range []struct {
				field, suffix, of string
				body              func(m *emit.Math, a, saved, s emit.V) emit.V
			}{{"slopeIn", "SlopeIn", "inputs", k.in}, {"slopeOut", "SlopeOut", "outputs", k.out}} {
				if slope.body == nil {
					continue
				}
				f.unrolled(func(f *file, unroll int) {
					m := f.math(bits)
					f.elementwise(m, k.name+slope.suffix, "dst = a ⊙ act′ from the "+slope.of+" saved of the activation with parameter s",
						[]string{"a", "saved"}, true, unroll, func(in []emit.V, s reg.VecVirtual) emit.V {
							return slope.body(m, in[0], in[1], same(s, len(in[0])))
						})
				})
				f.offer(fmt.Sprintf("%s[Act%s]", slope.field, k.act), bits, k.name+slope.suffix, "")
			}
		}
	}
}
