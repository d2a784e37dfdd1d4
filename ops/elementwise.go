package ops

import "github.com/tapir-ml/tapir/graph"

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
	return inferPointwise(operands, graph.DType.IsFloat, "needs float32 or float64, not %v; convert with ops.Cast")
}

// inferNumeric is inferElementwise for operators that integers have too.
func inferNumeric(operands int) func(any, []graph.Type) (graph.Type, error) {
	isNumber := func(d graph.DType) bool { return d.IsFloat() || d.IsInt() }
	return inferPointwise(operands, isNumber, "needs numbers, not %v; convert with ops.Cast")
}

func inferPointwise(operands int, takes func(graph.DType) bool, refusal string) func(any, []graph.Type) (graph.Type, error) {
	return func(_ any, in []graph.Type) (graph.Type, error) {
		if err := wantOperands(in, operands); err != nil {
			return graph.Type{}, err
		}
		for _, t := range in {
			if !takes(t.DType) {
				return graph.Type{}, graph.Errorf(graph.ErrDType, refusal, t)
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

// Scalar returns v as a constant scalar of x's graph and element type, as in Greater(x, Scalar(x, 0)). It broadcasts with x.
func Scalar(x *graph.Node, v float64) *graph.Node { return like(x, v) }

// like is Scalar; what is wrong with x stays what is wrong.
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

// withInts adds samples of integers, over broadcast operands, to those of floats.
func withInts(samples func() []graph.Sample) func() []graph.Sample {
	return func() []graph.Sample {
		list := samples()
		operands := len(list[0].In)
		for _, dtype := range []graph.DType{graph.Int32, graph.Int64} {
			s := graph.Sample{In: []graph.Operand{{Type: graph.TypeOf(dtype, 2, 3), Values: []float64{7, -7, 3, 0, -1, 5}}}}
			if operands == 2 {
				s.In = append(s.In, graph.Operand{Type: graph.TypeOf(dtype, 3), Values: []float64{2, -3, 3}})
			}
			list = append(list, s)
		}
		return list
	}
}
