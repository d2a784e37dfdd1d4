// Command vec generates the vector kernels of internal/kernel, in AVX2+FMA and in AVX-512, and the table of them. From
// internal/kernel/asm:
//
//	go run ./vec -dir ..
package main

//go:generate go run . -dir ../..

import (
	"flag"
	"fmt"
	"log"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/reg"
	"github.com/tapir-ml/tapir/internal/kernel/asm/vec/emit"
)

func main() {
	dir := flag.String("dir", "..", "where the generated files go")
	flag.Parse()
	table := newTable()
	for _, s := range sets {
		for _, g := range []struct {
			name string
			emit func(f *file)
		}{
			{"vec_unary", mapUnary},
			{"act", activate},
			{"vec_arith", arithmetic},
			{"vec_compare", compareAndSelect},
			{"reduce", reductions},
			{"reduce_rows", rowKernels},
			{"program", programKernels},
			{"random", random},
		} {
			f := newFile(s)
			g.emit(f)
			if err := f.write(*dir, g.name); err != nil {
				log.Fatalf("%s, %s: %v", g.name, s.name, err)
			}
			table.add(f)
		}
	}
	if err := table.write(*dir); err != nil {
		log.Fatal(err)
	}
}

// unaries are the functions of one operand.
var unaries = []struct {
	name, op, doc string
	body          func(m *emit.Math, x emit.V) emit.V
}{
	{"exp", "Exp", "dst = eˣ", (*emit.Math).Exp},
	{"expm1", "Expm1", "dst = eˣ − 1", (*emit.Math).Expm1},
	{"exp2", "Exp2", "dst = 2ˣ", (*emit.Math).Exp2},
	{"log", "Log", "dst = ln x", (*emit.Math).Log},
	{"log2", "Log2", "dst = log₂ x", (*emit.Math).Log2},
	{"log1p", "Log1p", "dst = ln(1 + x)", (*emit.Math).Log1p},
	{"tanh", "Tanh", "dst = tanh x", (*emit.Math).Tanh},
	{"sigmoid", "Sigmoid", "dst = 1/(1 + e⁻ˣ)", (*emit.Math).Sigmoid},
	{"softplus", "Softplus", "dst = ln(1 + eˣ)", (*emit.Math).Softplus},
	{"erf", "Erf", "dst = erf x", (*emit.Math).Erf},
	{"sinSmall", "Sin", "dst = sin x, |x| ≤ 2¹⁵", (*emit.Math).Sin},
	{"cosSmall", "Cos", "dst = cos x, |x| ≤ 2¹⁵", (*emit.Math).Cos},
	{"relu", "ReLU", "dst = max(x, 0)", (*emit.Math).ReLU},
	{"sqrt", "Sqrt", "dst = √x", (*emit.Math).Sqrt},
	{"rsqrt", "Rsqrt", "dst = 1/√x", func(m *emit.Math, x emit.V) emit.V { return m.Reciprocal(m.Sqrt(x)) }},
	{"neg", "Neg", "dst = −x", (*emit.Math).Neg},
	{"abs", "Abs", "dst = |x|", (*emit.Math).Abs},
	{"square", "Square", "dst = x²", func(m *emit.Math, x emit.V) emit.V { return m.Mul(x, x) }},
	{"reciprocal", "Reciprocal", "dst = 1/x", (*emit.Math).Reciprocal},
	{"sign", "Sign", "dst to the sign of x", (*emit.Math).Sign},
	{"floor", "Floor", "dst = ⌊x⌋", func(m *emit.Math, x emit.V) emit.V { return m.Round(x, 1) }},
	{"ceil", "Ceil", "dst = ⌈x⌉", func(m *emit.Math, x emit.V) emit.V { return m.Round(x, 2) }},
	{"trunc", "Trunc", "dst to x without its fraction", func(m *emit.Math, x emit.V) emit.V { return m.Round(x, 3) }},
	{"round", "Round", "dst to the nearest integer, ties to even", func(m *emit.Math, x emit.V) emit.V { return m.Round(x, 0) }},
}

// mapUnary emits them.
func mapUnary(f *file) {
	for _, bits := range []int{32, 64} {
		for _, k := range unaries {
			f.unrolled(func(f *file, unroll int) {
				m := f.math(bits)
				f.elementwise(m, k.name, k.doc, []string{"x"}, false, unroll,
					func(in []emit.V, _ reg.VecVirtual) emit.V { return k.body(m, in[0]) })
			})
			field, wrap := "unary[Op"+k.op+"]", ""
			if strings.HasSuffix(k.name, "Small") {
				wrap = fmt.Sprintf("whereSmall(%s, %s, %%s, p.%s)", f.kernel("maxValue", bits), f.kernel("minValue", bits), field)
			}
			f.offer(field, bits, k.name, wrap)
		}
	}
}

// arithmetic is the functions of two operands, elementwise and with a scalar on either side.
func arithmetic(f *file) {
	for _, m := range []*emit.Math{f.f32, f.f64} {
		for _, k := range []struct {
			name, op, doc string
			commutes      bool
			body          func(a, b emit.V) emit.V
		}{
			{"add", "Add", "+", true, func(a, b emit.V) emit.V { return m.Add(a, b) }},
			{"sub", "Sub", "−", false, func(a, b emit.V) emit.V { return m.Sub(a, b) }},
			{"mul", "Mul", "·", true, func(a, b emit.V) emit.V { return m.Mul(a, b) }},
			{"div", "Div", "/", false, func(a, b emit.V) emit.V { return m.Div(a, b) }},
			{"max", "Max", "max", true, m.Max},
			{"min", "Min", "min", true, m.Min},
		} {
			f.elementwise(m, k.name, "dst = a "+k.doc+" b", []string{"a", "b"}, false, 2,
				func(in []emit.V, _ reg.VecVirtual) emit.V { return k.body(in[0], in[1]) })
			f.elementwise(m, k.name+"Scalar", "dst = a "+k.doc+" s", []string{"a"}, true, 2,
				func(in []emit.V, s reg.VecVirtual) emit.V { return k.body(in[0], same(s, len(in[0]))) })
			reversed := k.name + "Scalar"
			if !k.commutes {
				reversed = "r" + reversed
				f.elementwise(m, reversed, "dst = s "+k.doc+" a", []string{"a"}, true, 2,
					func(in []emit.V, s reg.VecVirtual) emit.V { return k.body(same(s, len(in[0])), in[0]) })
			}
			f.offer("binary[Op"+k.op+"]", m.Bits, k.name, "")
			f.offer("scalar[Op"+k.op+"]", m.Bits, k.name+"Scalar", "")
			f.offer("rscalar[Op"+k.op+"]", m.Bits, reversed, "")
		}
		f.offer("accumulate", m.Bits, "add", "into(%s)")
	}
}

// same is one register as n vectors.
func same(r reg.VecVirtual, n int) emit.V {
	v := make(emit.V, n)
	for i := range v {
		v[i] = r
	}
	return v
}

// reductions are the leaves of the sums, the extrema, and the two sums of exponentials behind softmax.
func reductions(f *file) {
	infinity := math.Inf(1)
	shifted := func(m *emit.Math, in []emit.V, s emit.V) emit.V {
		// The lower clamp alone: x − s ≤ 0 where s is the largest element.
		return m.ExpNegative(m.Sub(in[0], s))
	}
	for _, bits := range []int{32, 64} {
		for _, r := range []reduction{
			{name: "sum", doc: "returns Σ x", inputs: []string{"x"}, accumulate: sumFold},
			{name: "dot", doc: "returns Σ a·b", inputs: []string{"a", "b"},
				fused: func(m *emit.Math, acc emit.V, in []emit.V) emit.V { return m.AddMul(acc, in[0], in[1]) }},
			{name: "sumSquares", doc: "returns Σ x²", inputs: []string{"x"},
				fused: func(m *emit.Math, acc emit.V, in []emit.V) emit.V { return m.AddMul(acc, in[0], in[0]) }},
			{name: "maxValue", doc: "returns the largest x, NaN if there is one", inputs: []string{"x"}, start: -infinity, watchNaN: true,
				accumulate: func(m *emit.Math, acc, x emit.V) emit.V { return m.MaxOf(acc, x) }},
			{name: "minValue", doc: "returns the smallest x, NaN if there is one", inputs: []string{"x"}, start: infinity, watchNaN: true,
				accumulate: func(m *emit.Math, acc, x emit.V) emit.V { return m.MinOf(acc, x) }},
			{name: "sumExpShifted", doc: "returns Σ exp(x − s), x ≤ s", inputs: []string{"x"}, scalar: true, term: shifted, accumulate: sumFold},
			{name: "expShifted", doc: "sets dst = exp(x − s), x ≤ s, and returns the sum", inputs: []string{"x"}, scalar: true, store: true, term: shifted, accumulate: sumFold},
		} {
			f.unrolled(func(f *file, unroll int) { r.emit(f, bits, unroll) })
			f.offer(r.name, bits, r.name, "")
		}
	}
}
