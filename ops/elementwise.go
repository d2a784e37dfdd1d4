package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// BroadcastShapes returns the shape of an elementwise result by NumPy's rules.
func BroadcastShapes(a, b graph.Shape) (graph.Shape, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append(graph.Shape(nil), a...)
	for i, d := range b { // what can never fit is said before what may not
		if e := a[len(a)-len(b)+i]; d != 1 && e != 1 && e.Equal(d) == graph.No {
			return nil, graph.Errorf(graph.ErrShape, "shapes %v and %v do not fit: %v is not %v", a, b, e, d)
		}
	}
	for i, d := range b {
		axis := len(a) - len(b) + i
		e := a[axis]
		switch {
		case d == 1:
		case e == 1:
			out[axis] = d
		default:
			if err := sameDim(e, d, func() string { return "shapes " + a.String() + " and " + b.String() }); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// sameDim fails unless a and b are known to be equal; what names the shapes they come from.
func sameDim(a, b graph.Dim, what func() string) error {
	switch a.Equal(b) {
	case graph.Yes:
		return nil
	case graph.No:
		return graph.Errorf(graph.ErrShape, "%s do not fit: %v is not %v", what(), a, b)
	}
	return graph.Errorf(graph.ErrShape, "%s may not fit: whether %v is %v is known only at run time; if it is, say so with ops.AssertDim(x, axis, %v)",
		what(), a, b, b)
}

// inferElementwise is the rule of pointwise operators: one float element type, broadcast shapes.
func inferElementwise(operands int) func(any, []graph.Type) (graph.Type, error) {
	return func(_ any, in []graph.Type) (graph.Type, error) {
		if err := wantOperands(in, operands); err != nil {
			return graph.Type{}, err
		}
		for _, t := range in {
			if !t.DType.IsFloat() {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "needs float32 or float64, not %v; convert with ops.Cast", t)
			}
		}
		return broadcastTypes(in)
	}
}

func broadcastTypes(in []graph.Type) (graph.Type, error) {
	out := graph.Type{DType: in[0].DType, Shape: in[0].Shape}
	for _, t := range in[1:] {
		if t.DType != out.DType {
			return graph.Type{}, graph.Errorf(graph.ErrDType, "element types differ: %v and %v; make them one with ops.Cast, or with g.Full(graph.%s, v) where a number is meant",
				in[0], t, goName(floatOf(out.DType, t.DType)))
		}
		var err error
		if out.Shape, err = BroadcastShapes(out.Shape, t.Shape); err != nil {
			return graph.Type{}, err
		}
	}
	return out, nil
}

// floatOf is the first of two element types that is a float, else the first.
func floatOf(a, b graph.DType) graph.DType {
	if !a.IsFloat() && b.IsFloat() {
		return b
	}
	return a
}

func goName(d graph.DType) string {
	return map[graph.DType]string{graph.Float32: "Float32", graph.Float64: "Float64", graph.Int32: "Int32", graph.Int64: "Int64", graph.Bool: "Bool"}[d]
}

func wantOperands(in []graph.Type, n int) error {
	if len(in) != n {
		return graph.Errorf(graph.ErrOperator, "takes %d operands, not %d", n, len(in))
	}
	for i, t := range in {
		if t.IsTuple() {
			return graph.Errorf(graph.ErrOperator, "operand %d is a tuple %v; take a part of it with ops.Get", i, t)
		}
	}
	return nil
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

// sumLike is the transpose of broadcasting: it sums dy over the dimensions along which x was repeated, giving x's shape.
func sumLike(dy, x *graph.Node) *graph.Node {
	from, to := dy.Shape(), x.Shape()
	if from.Identical(to) {
		return dy
	}
	var axes []int
	lead := len(from) - len(to)
	for i := range from {
		if i < lead || to[i-lead] == 1 && from[i] != 1 {
			axes = append(axes, i)
		}
	}
	if len(axes) > 0 {
		dy = Sum(dy, axes...)
	}
	return Reshape(dy, to...)
}

// like returns the scalar v in x's graph and element type.
func like(x *graph.Node, v float64) *graph.Node {
	if x.Err() != nil || x.Type().IsTuple() {
		return x
	}
	return x.Graph().Full(x.DType(), v)
}

// floats is a sample operand of static shape with values from −1 to 1.
func floats(dims ...graph.Dim) graph.Operand {
	return graph.Operand{Type: graph.TypeOf(graph.Float64, dims...)}
}

// floatsIn is a sample operand with values from lo to hi.
func floatsIn(lo, hi float64, dims ...graph.Dim) graph.Operand {
	return graph.Operand{Type: graph.TypeOf(graph.Float64, dims...), Lo: lo, Hi: hi}
}

// unarySamples tries an operator on a scalar, a matrix, and no elements at all.
func unarySamples(lo, hi float64, avoid ...float64) func() []graph.Sample {
	return func() []graph.Sample {
		var list []graph.Sample
		for _, dims := range [][]graph.Dim{{}, {3, 4}, {2, 0}, {1, 5, 2}} {
			x := floatsIn(lo, hi, dims...)
			x.Avoid = avoid
			list = append(list, graph.Sample{In: []graph.Operand{x}})
		}
		return list
	}
}

// binarySamples tries an operator with equal shapes and with every kind of broadcasting.
func binarySamples(a, b graph.Operand) func() []graph.Sample {
	return func() []graph.Sample {
		var list []graph.Sample
		for _, dims := range [][2][]graph.Dim{{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{}, {2, 3}}, {{2, 1}, {3}}, {{4, 1, 3}, {2, 1}}, {{0, 3}, {1, 3}}} {
			x, y := a, b
			x.Type, y.Type = graph.TypeOf(graph.Float64, dims[0]...), graph.TypeOf(graph.Float64, dims[1]...)
			list = append(list, graph.Sample{In: []graph.Operand{x, y}})
		}
		return list
	}
}
