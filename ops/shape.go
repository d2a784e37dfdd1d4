package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that move elements or speak of shapes.
var (
	ReshapeDef     = new(graph.Def)
	TransposeDef   = new(graph.Def)
	BroadcastToDef = new(graph.Def)
	AssertDimDef   = new(graph.Def)
	DimSizeDef     = new(graph.Def)
)

type shapeAttr struct{ Shape graph.Shape }

type permAttr struct{ Perm []int }

type assertDimAttr struct {
	Axis int
	Dim  graph.Dim
}

type dimSizeAttr struct {
	Dim   graph.Dim
	DType graph.DType
}

// Reshape returns x's elements, in the same row-major order, under another shape of the same size. One dimension may be −1: it
// is inferred, and must divide exactly, also for symbols.
func Reshape(x *graph.Node, dims ...graph.Dim) *graph.Node {
	shape := append(graph.Shape(nil), dims...)
	if x.Err() == nil && !x.Type().IsTuple() {
		if at := slices.Index(shape, -1); at >= 0 {
			rest := slices.Delete(append(graph.Shape(nil), shape...), at, at+1)
			inferred, ok := x.Shape().Size().Div(rest.Size())
			if !ok {
				return graph.Invalid(graph.Errorf(graph.ErrShape, "the inferred dimension would be %v / %v, which is no whole number for every size; name it",
					x.Shape().Size(), rest.Size()), "reshape("+x.Name()+")", x)
			}
			shape[at] = inferred
		}
		if shape.Identical(x.Shape()) {
			return x
		}
	}
	return graph.Apply(ReshapeDef, shapeAttr{shape}, x)
}

// Transpose permutes the dimensions: dimension i of the result is dimension perm[i] of x. Without perm it reverses them.
func Transpose(x *graph.Node, perm ...int) *graph.Node {
	if len(perm) == 0 {
		for i := len(x.Shape()) - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	return graph.Apply(TransposeDef, permAttr{append([]int(nil), perm...)}, x)
}

// Permutation returns the permutation of a Transpose node, nil for other nodes.
func Permutation(n *graph.Node) []int {
	if n.Is(TransposeDef) {
		return n.Attr().(permAttr).Perm
	}
	return nil
}

// BroadcastTo repeats x along new leading dimensions and along dimensions of size 1 so that it has the given shape.
func BroadcastTo(x *graph.Node, dims ...graph.Dim) *graph.Node {
	if x.Err() == nil && !x.Type().IsTuple() && x.Shape().Identical(dims) {
		return x
	}
	return graph.Apply(BroadcastToDef, shapeAttr{append(graph.Shape(nil), dims...)}, x)
}

// AssertDim states that dimension axis of x is d, which the graph cannot know; each run checks it.
func AssertDim(x *graph.Node, axis int, d graph.Dim) *graph.Node {
	if x.Err() != nil {
		return graph.Apply(AssertDimDef, nil, x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return graph.Invalid(err, "assertdim("+x.Name()+")", x)
	}
	if x.Shape()[a] == d {
		return x
	}
	return graph.Apply(AssertDimDef, assertDimAttr{a, d}, x)
}

// DimSize returns the size of a dimension as a scalar of the given element type: the batch size that a mean divides by.
func DimSize(g *graph.Graph, d graph.Dim, dtype graph.DType) *graph.Node {
	if d.IsStatic() {
		return g.Full(dtype, float64(d))
	}
	return g.Apply(DimSizeDef, dimSizeAttr{d, dtype})
}

// copyAny is the kernel of operators whose result is their operand under another type.
func copyAny(c *graph.Call) error {
	c.Out[0].CopyFrom(c.In[0])
	return nil
}

func evalTranspose(c *graph.Call) error {
	var m move
	to, from := strides(c.Out[0].Shape), strides(c.In[0].Shape)
	for i, p := range c.Attr.(permAttr).Perm {
		m.loop(c.Out[0].Shape[i], to[i], from[p])
	}
	m.run(c.Out[0], c.In[0])
	return nil
}

func evalBroadcastTo(c *graph.Call) error {
	var m move
	to, from := strides(c.Out[0].Shape), strides(c.In[0].Shape)
	lead := len(c.Out[0].Shape) - len(c.In[0].Shape)
	for i, n := range c.Out[0].Shape {
		step := 0
		if i >= lead && c.In[0].Shape[i-lead] == n {
			step = from[i-lead]
		}
		m.loop(n, to[i], step)
	}
	m.run(c.Out[0], c.In[0])
	return nil
}

// anyType picks the instance of a generic kernel for an element type.
func anyType(f32, f64, i32, i64, b func(*graph.Call) error) func(*graph.Call) error {
	return func(c *graph.Call) error {
		switch c.Out[0].DType {
		case graph.Float32:
			return f32(c)
		case graph.Float64:
			return f64(c)
		case graph.Int32:
			return i32(c)
		case graph.Int64:
			return i64(c)
		}
		return b(c)
	}
}

func inverse(perm []int) []int {
	inv := make([]int, len(perm))
	for i, p := range perm {
		inv[p] = i
	}
	return inv
}

func init() {
	define(ReshapeDef, graph.Def{
		Name: "reshape",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			shape := attr.(shapeAttr).Shape
			from, to := in[0].Shape.Size(), shape.Size()
			if !shape.IsValid() {
				return graph.TypeOf(in[0].DType, shape...), nil // the graph says what is wrong with it
			}
			if from.Equal(to) != graph.Yes {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "%v has %v elements but %v has %v; a dimension of -1 is inferred", in[0].Shape, from, shape, to)
			}
			return graph.TypeOf(in[0].DType, shape...), nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Reshape(dy, n.In(0).Shape()...)}
		},
		Traits: graph.View,
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: shapeAttr{graph.Shape{3, 2}}, In: []graph.Operand{floats(2, 3)}},
				{Attr: shapeAttr{graph.Shape{1, 1}}, In: []graph.Operand{floats()}},
				{Attr: shapeAttr{graph.Shape{0}}, In: []graph.Operand{floats(3, 0)}},
			}
		},
	})
	define(TransposeDef, graph.Def{
		Name: "transpose",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			perm := attr.(permAttr).Perm
			out := graph.TypeOf(in[0].DType)
			sorted := slices.Sorted(slices.Values(perm))
			for i, p := range sorted {
				if i != p || len(perm) != in[0].Shape.Rank() {
					return graph.Type{}, graph.Errorf(graph.ErrShape, "%v is no permutation of the %d dimensions of %v", perm, in[0].Shape.Rank(), in[0].Shape)
				}
			}
			for _, p := range perm {
				out.Shape = append(out.Shape, in[0].Shape[p])
			}
			return out, nil
		},
		Eval: evalTranspose,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{Transpose(dy, inverse(n.Attr().(permAttr).Perm)...)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: permAttr{[]int{1, 0}}, In: []graph.Operand{floats(2, 3)}},
				{Attr: permAttr{[]int{2, 0, 1}}, In: []graph.Operand{floats(2, 3, 4)}},
				{Attr: permAttr{[]int{0}}, In: []graph.Operand{floats(3)}},
				{Attr: permAttr{[]int{1, 0}}, In: []graph.Operand{floats(0, 3)}},
			}
		},
	})
	define(BroadcastToDef, graph.Def{
		Name: "broadcast",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			shape := attr.(shapeAttr).Shape
			if !shape.IsValid() {
				return graph.TypeOf(in[0].DType, shape...), nil
			}
			if both, err := BroadcastShapes(shape, in[0].Shape); err != nil || !both.Identical(shape) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "%v cannot be repeated to %v; only dimensions of the literal size 1 and new leading ones repeat", in[0].Shape, shape)
			}
			return graph.TypeOf(in[0].DType, shape...), nil
		},
		Eval: evalBroadcastTo,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{sumLike(dy, n.In(0))}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: shapeAttr{graph.Shape{2, 3}}, In: []graph.Operand{floats(3)}},
				{Attr: shapeAttr{graph.Shape{2, 3}}, In: []graph.Operand{floats(2, 1)}},
				{Attr: shapeAttr{graph.Shape{4, 2, 3}}, In: []graph.Operand{floats()}},
				{Attr: shapeAttr{graph.Shape{0, 3}}, In: []graph.Operand{floats(1, 3)}},
			}
		},
	})
	define(AssertDimDef, graph.Def{
		Name: "assertdim",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a := attr.(assertDimAttr)
			if a.Axis >= len(in[0].Shape) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "axis %d is outside %v", a.Axis, in[0])
			}
			if in[0].Shape[a.Axis].Equal(a.Dim) == graph.No {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "dimension %d of %v can never be %v", a.Axis, in[0].Shape, a.Dim)
			}
			out := graph.TypeOf(in[0].DType, in[0].Shape...)
			out.Shape = append(graph.Shape(nil), out.Shape...)
			out.Shape[a.Axis] = a.Dim
			return out, nil
		},
		Eval: func(c *graph.Call) error {
			axis := c.Attr.(assertDimAttr).Axis
			if got, want := c.In[0].Shape[axis], c.Out[0].Shape[axis]; got != want {
				return graph.Errorf(graph.ErrShape, "dimension %d is %d, but was asserted to be %v, which is %d", axis, got, c.Attr.(assertDimAttr).Dim, want)
			}
			return copyAny(c)
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			axis := n.Attr().(assertDimAttr).Axis
			return []*graph.Node{AssertDim(dy, axis, n.In(0).Shape()[axis])}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: assertDimAttr{0, 2}, In: []graph.Operand{floats(2, 3)}}}
		},
	})
	define(DimSizeDef, graph.Def{
		Name: "dimsize",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 0); err != nil {
				return graph.Type{}, err
			}
			a := attr.(dimSizeAttr)
			if !a.Dim.Valid() {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "%d is no dimension", int64(a.Dim))
			}
			return graph.TypeOf(a.DType), nil
		},
		Eval: func(c *graph.Call) error {
			n, err := c.Attr.(dimSizeAttr).Dim.Eval(c.Binding)
			if err == nil {
				c.Out[0].SetAt(0, float64(n))
			}
			return err
		},
		Traits: graph.Discrete,
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: dimSizeAttr{3, graph.Float64}}}
		},
	})

	rewrite(graph.Rule{
		Name: "transpose-transpose", Why: "two permutations are one, or none", Root: TransposeDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			inner := m.Op(n.In(0), TransposeDef)
			if inner == nil {
				return nil
			}
			outer, first := n.Attr().(permAttr).Perm, inner.Attr().(permAttr).Perm
			perm := make([]int, len(outer))
			for i, p := range outer {
				perm[i] = first[p]
			}
			if slices.IsSorted(perm) {
				return inner.In(0)
			}
			return Transpose(inner.In(0), perm...)
		},
	})
	rewrite(graph.Rule{
		Name: "reshape-reshape", Why: "only the last of several shapes counts", Root: ReshapeDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if inner := m.Op(n.In(0), ReshapeDef); inner != nil {
				return Reshape(inner.In(0), n.Shape()...)
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "reshape-broadcast", Why: "a single value can be repeated to the last shape at once", Root: ReshapeDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			b := m.Op(n.In(0), BroadcastToDef)
			if b == nil || b.In(0).Shape().Size() != 1 {
				return nil
			}
			return BroadcastTo(Reshape(b.In(0)), n.Shape()...)
		},
	})
	rewrite(graph.Rule{
		Name: "broadcast-broadcast", Why: "what is repeated twice can be repeated to the last shape at once", Root: BroadcastToDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if b := m.Op(n.In(0), BroadcastToDef); b != nil {
				return BroadcastTo(b.In(0), n.Shape()...)
			}
			return nil
		},
	})
}
