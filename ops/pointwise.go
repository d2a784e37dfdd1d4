package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// function is a row in a table of operators of one operand.
type function struct {
	def    *graph.Def
	name   string
	block  *graph.Pointwise
	pull   func(dy, x, y *graph.Node) *graph.Node // the cotangent of x; nil: Discrete, the derivative is 0 wherever it exists
	lo, hi float64                                // of the samples, which keep away from avoid
	avoid  []float64
}

// defineFunctions enters rows of a table in the catalogue. Those whose kernels take integers are for integers too.
func defineFunctions(rows []function) {
	for _, f := range rows {
		d := graph.Def{Name: f.name, Infer: inferElementwise(1), Pointwise: f.block, Traits: graph.InPlace, Samples: unarySamples(f.lo, f.hi, f.avoid...)}
		if f.block.I64 != nil {
			d.Infer = inferNumeric(1)
		}
		if f.pull == nil {
			d.Traits |= graph.Discrete
		} else {
			d.VJP = func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{f.pull(dy, n.In(0), n)} }
		}
		define(f.def, d)
	}
}

// unary wraps a vector kernel as a pointwise operator.
func unary(f32 func(dst, x []float32), f64 func(dst, x []float64)) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(_ any, dst []float32, in [][]float32) { unaryBlock(dst, in[0], f32) },
		F64: func(_ any, dst []float64, in [][]float64) { unaryBlock(dst, in[0], f64) },
	}
}

func unaryBlock[T kernel.Float](dst, x []T, f func(dst, x []T)) {
	if len(x) == len(dst) {
		f(dst, x)
		return
	}
	f(dst[:1], x)
	fill(dst[1:], dst[0])
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// binaryForms are the loops of a binary operator: over two blocks, or with a scalar on one side.
type binaryForms[T kernel.Float] struct {
	full  func(dst, a, b []T)
	right func(dst, a []T, s T) // a ∘ s
	left  func(dst, b []T, s T) // s ∘ b
}

func (k binaryForms[T]) block(dst, a, b []T) {
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		k.full(dst, a, b)
	case len(a) == len(dst):
		k.right(dst, a, b[0])
	case len(b) == len(dst):
		k.left(dst, b, a[0])
	default:
		k.full(dst[:1], a, b)
		fill(dst[1:], dst[0])
	}
}

func binary(f32 binaryForms[float32], f64 binaryForms[float64]) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(_ any, dst []float32, in [][]float32) { f32.block(dst, in[0], in[1]) },
		F64: func(_ any, dst []float64, in [][]float64) { f64.block(dst, in[0], in[1]) },
	}
}

// mathUnary makes a pointwise operator of a function of package math, for which there is no vector kernel. Float32 is computed in
// float64 and rounded once.
func mathUnary(f func(x float64) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(_ any, dst []float32, in [][]float32) { mathBlock(dst, in, f) },
		F64: func(_ any, dst []float64, in [][]float64) { mathBlock(dst, in, f) },
	}
}

func mathBlock[T kernel.Float](dst []T, in [][]T, f func(x float64) float64) {
	mapUnary(dst, in, func(x T) T { return T(f(float64(x))) })
}

// mathBinary is mathUnary for two operands.
func mathBinary(f func(a, b float64) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(_ any, dst []float32, in [][]float32) {
			mapBinary(dst, in, func(a, b float32) float32 { return float32(f(float64(a), float64(b))) })
		},
		F64: func(_ any, dst []float64, in [][]float64) { mapBinary(dst, in, f) },
	}
}

// unaryInts adds loops over integers to p.
func unaryInts(p *graph.Pointwise, f32 func(x int32) int32, f64 func(x int64) int64) *graph.Pointwise {
	p.I32 = func(_ any, dst []int32, in [][]int32) { mapUnary(dst, in, f32) }
	p.I64 = func(_ any, dst []int64, in [][]int64) { mapUnary(dst, in, f64) }
	return p
}

// binaryInts adds loops over integers to p.
func binaryInts(p *graph.Pointwise, f32 func(a, b int32) int32, f64 func(a, b int64) int64) *graph.Pointwise {
	p.I32 = func(_ any, dst []int32, in [][]int32) { mapBinary(dst, in, f32) }
	p.I64 = func(_ any, dst []int64, in [][]int64) { mapBinary(dst, in, f64) }
	return p
}

// mapUnary applies f to each element; an operand of length 1 is a scalar.
func mapUnary[T any](dst []T, in [][]T, f func(x T) T) {
	x := in[0]
	if len(x) != len(dst) {
		fill(dst, f(x[0]))
		return
	}
	for i, v := range x {
		dst[i] = f(v)
	}
}

// mapBinary is mapUnary for two operands.
func mapBinary[T any](dst []T, in [][]T, f func(a, b T) T) {
	a, b := in[0], in[1]
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		for i, v := range a {
			dst[i] = f(v, b[i])
		}
	case len(a) == len(dst):
		s := b[0]
		for i, v := range a {
			dst[i] = f(v, s)
		}
	case len(b) == len(dst):
		s := a[0]
		for i, v := range b {
			dst[i] = f(s, v)
		}
	default:
		fill(dst, f(a[0], b[0]))
	}
}
