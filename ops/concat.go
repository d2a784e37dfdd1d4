package ops

import "github.com/tapir-ml/tapir/graph"

// The definitions of joining and splitting: each is the other's transpose.
var (
	ConcatDef = new(graph.Def)
	SplitDef  = new(graph.Def)
)

type splitAttr struct {
	Axis  int
	Sizes []graph.Dim
}

// Concat joins tensors along an axis, along which their sizes add up, symbolic ones too; the other dimensions are equal. A negative axis counts
// from the last.
func Concat(axis int, xs ...*graph.Node) *graph.Node {
	if err := firstError(xs); err != nil {
		return failed("concat", err, xs...)
	}
	a, err := normalAxis(axis, xs[0].Type())
	if err != nil {
		return failed("concat", err, xs...)
	}
	if len(xs) == 1 {
		return xs[0]
	}
	return graph.Apply(ConcatDef, axisAttr{a}, xs...)
}

// Stack joins tensors of one shape along a new axis, which has their number as its size.
func Stack(axis int, xs ...*graph.Node) *graph.Node {
	if err := firstError(xs); err != nil {
		return failed("stack", err, xs...)
	}
	parts := make([]*graph.Node, len(xs))
	for i, x := range xs {
		if parts[i] = Unsqueeze(x, axis); parts[i].Err() != nil {
			return parts[i]
		}
	}
	return Concat(axis, parts...)
}

// Split cuts x along an axis into parts of equal size. It is an error if there are none; SplitSizes makes parts of different sizes.
func Split(x *graph.Node, axis, parts int) []*graph.Node {
	if x.Err() != nil || parts < 1 {
		return []*graph.Node{failed("split", graph.Errorf(graph.ErrValue, "%d parts; at least one is needed", parts), x)}
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failures("split", err, x, parts)
	}
	size, ok := x.Shape()[a].Div(graph.Dim(parts))
	if !ok {
		return failures("split", graph.Errorf(graph.ErrShape, "dimension %d of %v, %v, has no %d equal parts for every size; ops.SplitSizes makes unequal ones", a, x.Shape(), x.Shape()[a], parts), x, parts)
	}
	sizes := make([]graph.Dim, parts)
	for i := range sizes {
		sizes[i] = size
	}
	return SplitSizes(x, a, sizes...)
}

// SplitSizes cuts x along an axis into parts of the given sizes, which add up to the whole. One of them may be −1: it is the rest.
func SplitSizes(x *graph.Node, axis int, sizes ...graph.Dim) []*graph.Node {
	if x.Err() != nil || len(sizes) == 0 {
		return []*graph.Node{failed("split", graph.Errorf(graph.ErrValue, "no sizes; at least one is needed"), x)}
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failures("split", err, x, len(sizes))
	}
	attr := splitAttr{a, append([]graph.Dim(nil), sizes...)}
	for i, s := range sizes {
		if s == -1 {
			rest := x.Shape()[a]
			for k, other := range sizes {
				if k != i {
					rest = rest.Sub(other)
				}
			}
			attr.Sizes[i] = rest
			break
		}
	}
	if len(sizes) == 1 && attr.Sizes[0] == x.Shape()[a] {
		return []*graph.Node{x}
	}
	both := graph.Apply(SplitDef, attr, x)
	parts := make([]*graph.Node, len(sizes))
	for i := range parts {
		parts[i] = Get(both, i)
	}
	return parts
}

// Unstack returns the slices of x along an axis of known size, which they no longer have: the opposite of Stack.
func Unstack(x *graph.Node, axis int) []*graph.Node {
	if x.Err() != nil {
		return []*graph.Node{failed("unstack", x.Err(), x)}
	}
	a, err := normalAxis(axis, x.Type())
	if err == nil && !x.Shape()[a].IsStatic() {
		err = graph.Errorf(graph.ErrShape, "dimension %d of %v, %v, is known only at run time, but the graph needs the number of parts; ops.AssertDim says what it is", a, x.Shape(), x.Shape()[a])
	}
	if err != nil {
		return []*graph.Node{failed("unstack", err, x)}
	}
	n := int(x.Shape()[a])
	if n == 0 {
		return nil
	}
	parts := Split(x, a, n)
	for i, p := range parts {
		parts[i] = Squeeze(p, a)
	}
	return parts
}

func failures(name string, err error, x *graph.Node, n int) []*graph.Node {
	list := make([]*graph.Node, n)
	for i := range list {
		list[i] = failed(name, err, x)
	}
	return list
}

func firstError(xs []*graph.Node) error {
	for _, x := range xs {
		if x.Err() != nil {
			return x.Err()
		}
	}
	if len(xs) == 0 {
		return graph.Errorf(graph.ErrOperator, "nothing to join; at least one operand is needed")
	}
	return nil
}

// moveParts copies between a whole and its parts along an axis.
func moveParts(parts []graph.Array, axis int, whole graph.Array, join bool) {
	outer, n, inner := around(whole.Shape, axis)
	at := 0
	for _, p := range parts {
		run := p.Shape[axis] * inner
		var m move
		if join {
			m.to0 = at
			m.loop(outer, n*inner, run)
			m.loop(run, 1, 1)
			m.run(whole, p)
		} else {
			m.from0 = at
			m.loop(outer, run, n*inner)
			m.loop(run, 1, 1)
			m.run(p, whole)
		}
		at += run
	}
}

func init() {
	define(ConcatDef, graph.Def{
		Name: "concat",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, max(len(in), 1)); err != nil {
				return graph.Type{}, err
			}
			axis := attr.(axisAttr).Axis
			out := graph.TypeOf(in[0].DType, append(graph.Shape(nil), in[0].Shape...)...)
			if axis >= len(out.Shape) {
				return out, graph.Errorf(graph.ErrShape, "axis %d is outside %v", axis, in[0])
			}
			for k, t := range in[1:] {
				if t.DType != out.DType {
					return out, graph.Errorf(graph.ErrDType, "operand 0 is %v, operand %d is %v; make them one element type with ops.Cast", in[0], k+1, t)
				}
				if len(t.Shape) != len(out.Shape) {
					return out, graph.Errorf(graph.ErrShape, "operand 0 has shape %v, operand %d has %v; they need the same number of dimensions (ops.Unsqueeze adds one, ops.Stack joins along a new one)", in[0].Shape, k+1, t.Shape)
				}
				for i, d := range t.Shape {
					if i == axis {
						out.Shape[i] = out.Shape[i].Add(d)
					} else if err := sameDim(in[0].Shape[i], d, func() string {
						return "beside axis " + graph.Dim(axis).String() + " the shapes " + in[0].Shape.String() + " and " + t.Shape.String()
					}); err != nil {
						return out, err
					}
				}
			}
			return out, nil
		},
		Eval: func(c *graph.Call) error {
			moveParts(c.In, c.Attr.(axisAttr).Axis, c.Out[0], true)
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			axis := n.Attr().(axisAttr).Axis
			sizes := make([]graph.Dim, len(n.Inputs()))
			for i, x := range n.Inputs() {
				sizes[i] = x.Shape()[axis]
			}
			return SplitSizes(dy, axis, sizes...)
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: axisAttr{0}, In: []graph.Operand{floats(2), floats(3)}},
				{Attr: axisAttr{1}, In: []graph.Operand{floats(2, 1), floats(2, 3), floats(2, 2)}},
				{Attr: axisAttr{1}, In: []graph.Operand{floats(2, 1, 3), floats(2, 0, 3), floats(2, 2, 3)}},
				{Attr: axisAttr{0}, In: []graph.Operand{floats(1, 0), floats(2, 0)}},
				{Attr: axisAttr{0}, In: []graph.Operand{floats(2, 2)}},
			}
		},
	})
	define(SplitDef, graph.Def{
		Name: "split",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a := attr.(splitAttr)
			if a.Axis >= len(in[0].Shape) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "axis %d is outside %v", a.Axis, in[0])
			}
			sum := graph.Dim(0)
			parts := make([]graph.Type, len(a.Sizes))
			for i, s := range a.Sizes {
				sum = sum.Add(s)
				parts[i] = graph.TypeOf(in[0].DType, append(graph.Shape(nil), in[0].Shape...)...)
				parts[i].Shape[a.Axis] = s
			}
			for _, s := range a.Sizes {
				if !s.Valid() {
					return graph.Type{}, graph.Errorf(graph.ErrShape, "a part of size %v among %v of dimension %d of %v; one part may be -1, the rest", s, a.Sizes, a.Axis, in[0].Shape)
				}
			}
			return graph.TupleOf(parts...), sameDim(sum, in[0].Shape[a.Axis], func() string {
				return "the sum of the sizes and dimension " + graph.Dim(a.Axis).String() + " of " + in[0].Shape.String()
			})
		},
		Eval: func(c *graph.Call) error {
			moveParts(c.Out, c.Attr.(splitAttr).Axis, c.In[0], false)
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(splitAttr)
			parts := make([]*graph.Node, len(a.Sizes))
			for i := range parts {
				parts[i] = Get(dy, i)
			}
			return []*graph.Node{Concat(a.Axis, parts...)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: splitAttr{0, []graph.Dim{2, 3}}, In: []graph.Operand{floats(5)}},
				{Attr: splitAttr{1, []graph.Dim{1, 0, 3}}, In: []graph.Operand{floats(2, 4, 2)}},
				{Attr: splitAttr{1, []graph.Dim{1, 1}}, In: []graph.Operand{floats(0, 2)}},
				{Attr: splitAttr{0, []graph.Dim{2}}, In: []graph.Operand{floats(2, 3)}},
			}
		},
	})
}
