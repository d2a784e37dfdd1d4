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

// Flatten makes one dimension of those from axis on: Flatten(x, 1) of (batch, 8, 8) is (batch, 64), Flatten(x, 0) a vector.
func Flatten(x *graph.Node, axis int) *graph.Node {
	if x.Err() != nil {
		return failed("flatten", x.Err(), x)
	}
	if axis == 0 && len(x.Shape()) == 0 && !x.Type().IsTuple() {
		return Reshape(x, 1)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("flatten", err, x)
	}
	return Reshape(x, append(append(graph.Shape(nil), x.Shape()[:a]...), x.Shape()[a:].Size())...)
}

// Squeeze drops the given axes, which must have the literal size 1, or all that have it if none is given.
func Squeeze(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("squeeze", x.Err(), x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return failed("squeeze", err, x)
	}
	var shape graph.Shape
	for i, d := range x.Shape() {
		switch {
		case !slices.Contains(normal, i) || len(axes) == 0 && d != 1:
			shape = append(shape, d)
		case d != 1:
			return failed("squeeze", graph.Errorf(graph.ErrShape, "dimension %d of %v is %v; only one of the literal size 1 can be dropped (ops.At picks an index)", i, x.Shape(), d), x)
		}
	}
	return Reshape(x, shape...)
}

// Unsqueeze adds dimensions of size 1 at the given axes of the result; negative ones count from its last. NumPy calls it expand_dims.
func Unsqueeze(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("unsqueeze", x.Err(), x)
	}
	shape := make(graph.Shape, len(x.Shape())+len(axes))
	normal, err := normalAxes(axes, graph.Type{Shape: shape, Tuple: x.Type().Tuple})
	if err != nil || len(axes) == 0 {
		if err == nil {
			return x
		}
		return failed("unsqueeze", err, x)
	}
	rest := x.Shape()
	for i := range shape {
		if slices.Contains(normal, i) {
			shape[i] = 1
		} else {
			shape[i], rest = rest[0], rest[1:]
		}
	}
	return Reshape(x, shape...)
}

// SwapAxes exchanges two axes.
func SwapAxes(x *graph.Node, a, b int) *graph.Node {
	return permuted(x, func(perm []int, axis func(int) int) []int {
		i, j := axis(a), axis(b)
		perm[i], perm[j] = perm[j], perm[i]
		return perm
	}, a, b)
}

// MoveAxis moves an axis to another place; the others keep their order.
func MoveAxis(x *graph.Node, from, to int) *graph.Node {
	return permuted(x, func(perm []int, axis func(int) int) []int {
		return slices.Insert(slices.Delete(perm, axis(from), axis(from)+1), axis(to), axis(from))
	}, from, to)
}

// permuted transposes x by what edit makes of the identity.
func permuted(x *graph.Node, edit func(perm []int, axis func(int) int) []int, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("transpose", x.Err(), x)
	}
	for _, a := range axes {
		if _, err := normalAxis(a, x.Type()); err != nil {
			return failed("transpose", err, x)
		}
	}
	perm := make([]int, len(x.Shape()))
	for i := range perm {
		perm[i] = i
	}
	perm = edit(perm, func(a int) int { a, _ = normalAxis(a, x.Type()); return a })
	if slices.IsSorted(perm) {
		return x
	}
	return Transpose(x, perm...)
}

// Tile repeats x as a whole, reps[i] times along axis i. Missing leading reps, or missing leading dimensions of x, are 1.
func Tile(x *graph.Node, reps ...graph.Dim) *graph.Node {
	if x.Err() != nil || x.Type().IsTuple() {
		return failed("tile", graph.Errorf(graph.ErrOperator, "the operand is a tuple %v; take a part of it with ops.Get", x.Type()), x)
	}
	shape := x.Shape()
	for len(shape) < len(reps) {
		shape = append(graph.Shape{1}, shape...)
	}
	for len(reps) < len(shape) {
		reps = append([]graph.Dim{1}, reps...)
	}
	var spread, repeated, tiled graph.Shape
	for i, d := range shape {
		spread, repeated, tiled = append(spread, 1, d), append(repeated, reps[i], d), append(tiled, reps[i].Mul(d))
	}
	return Reshape(BroadcastTo(Reshape(x, spread...), repeated...), tiled...)
}

// Repeat repeats each element along an axis n times in a row, as NumPy's repeat and PyTorch's repeat_interleave do.
func Repeat(x *graph.Node, n graph.Dim, axis int) *graph.Node {
	if x.Err() != nil {
		return failed("repeat", x.Err(), x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("repeat", err, x)
	}
	spread := slices.Insert(slices.Clone(x.Shape()), a+1, 1)
	repeated := slices.Clone(spread)
	repeated[a+1] = n
	shape := slices.Clone(x.Shape())
	shape[a] = shape[a].Mul(n)
	return Reshape(BroadcastTo(Reshape(x, spread...), repeated...), shape...)
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
}
