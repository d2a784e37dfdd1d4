package ops

import (
	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that pick elements by index.
var (
	TakeAlongAxisDef    = new(graph.Def)
	ScatterAlongAxisDef = new(graph.Def)
)

type scatterAttr struct {
	Axis int
	Size graph.Dim
}

// TakeAlongAxis picks elements of x along an axis: out[…, i, …] = x[…, index[…, i, …], …]. index is int32 or int64 and has x's
// shape but for that axis; elsewhere dimensions of the literal size 1 repeat, of either. An index outside the axis is an error at run
// time; negative ones do not count from the end.
func TakeAlongAxis(x, index *graph.Node, axis int) *graph.Node {
	if a, err := normalAxis(axis, x.Type()); err == nil && len(index.Shape()) == len(x.Shape()) {
		x, index = repeatBeside(x, index, a), repeatBeside(index, x, a)
	}
	return indexAlong(TakeAlongAxisDef, x, index, axis, func(a int) any { return axisAttr{a} })
}

// ScatterAlongAxis is the transpose of TakeAlongAxis: it adds each element of x to zeros of the given size along the axis, at the
// place that index names. x and index have one shape. Where an index repeats, contributions are added in order.
func ScatterAlongAxis(x, index *graph.Node, axis int, size graph.Dim) *graph.Node {
	return indexAlong(ScatterAlongAxisDef, x, index, axis, func(a int) any { return scatterAttr{a, size} })
}

// repeatBeside repeats x along dimensions of size 1, other than the axis, to those of y.
func repeatBeside(x, y *graph.Node, axis int) *graph.Node {
	shape := append(graph.Shape{}, x.Shape()...)
	for i, d := range y.Shape() {
		if i != axis && shape[i] == 1 {
			shape[i] = d
		}
	}
	return BroadcastTo(x, shape...)
}

func indexAlong(d *graph.Def, x, index *graph.Node, axis int, attr func(axis int) any) *graph.Node {
	if x.Err() != nil || index.Err() != nil {
		return graph.Apply(d, nil, x, index)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return graph.Invalid(err, d.Name+"("+x.Name()+")", x, index)
	}
	return graph.Apply(d, attr(a), x, index)
}

func checkIndex(in []graph.Type, axis int) error {
	if err := wantOperands(in, 2); err != nil {
		return err
	}
	x, index := in[0], in[1]
	if err := wantIndices(index); err != nil {
		return err
	}
	if len(x.Shape) != len(index.Shape) || axis >= len(x.Shape) {
		return graph.Errorf(graph.ErrShape, "operand %v and indices %v must have the same number of dimensions", x.Shape, index.Shape)
	}
	for i := range x.Shape {
		if i == axis {
			continue
		}
		if err := sameDim(x.Shape[i], index.Shape[i], func() string { return "operand " + x.Shape.String() + " and indices " + index.Shape.String() }); err != nil {
			return err
		}
	}
	return nil
}

// walkAlong calls one of the loops for the type of the indices, and says which index is wrong if one is.
func walkAlong[T any](dst, src []T, index graph.Array, axis, size int, loop32 func(alongAxes, []T, []T, []int32) int, loop64 func(alongAxes, []T, []T, []int64) int) error {
	var a alongAxes
	a.outer, a.n, a.inner = around(index.Shape, axis)
	a.size = size
	bad := -1
	if index.DType == graph.Int32 {
		bad = loop32(a, dst, src, index.I32())
	} else {
		bad = loop64(a, dst, src, index.I64())
	}
	if bad < 0 {
		return nil
	}
	return wrongIndex(index, bad, size, axis, false)
}

// alongAxes are the sizes of a loop over indices: along the axis they have n entries, the indexed side has size.
type alongAxes struct{ outer, n, inner, size int }

func takeAlong[T any, I int32 | int64](a alongAxes, dst, x []T, index []I) int {
	for o := range a.outer {
		x := x[o*a.size*a.inner : (o+1)*a.size*a.inner]
		for k := range a.n {
			at := (o*a.n + k) * a.inner
			for i := range a.inner {
				j := int(index[at+i])
				if uint(j) >= uint(a.size) {
					return at + i
				}
				dst[at+i] = x[j*a.inner+i]
			}
		}
	}
	return -1
}

func scatterAlong[T number, I int32 | int64](a alongAxes, dst, x []T, index []I) int {
	clear(dst)
	for o := range a.outer {
		dst := dst[o*a.size*a.inner : (o+1)*a.size*a.inner]
		for k := range a.n {
			at := (o*a.n + k) * a.inner
			for i := range a.inner {
				j := int(index[at+i])
				if uint(j) >= uint(a.size) {
					return at + i
				}
				dst[j*a.inner+i] += x[at+i]
			}
		}
	}
	return -1
}

func evalTakeAlong[T number | bool](c *graph.Call) error {
	axis := c.Attr.(axisAttr).Axis
	return walkAlong(graph.Elements[T](c.Out[0]), graph.Elements[T](c.In[0]), c.In[1], axis, c.In[0].Shape[axis], takeAlong[T, int32], takeAlong[T, int64])
}

func evalScatter[T number](c *graph.Call) error {
	axis := c.Attr.(scatterAttr).Axis
	return walkAlong(graph.Elements[T](c.Out[0]), graph.Elements[T](c.In[0]), c.In[1], axis, c.Out[0].Shape[axis], scatterAlong[T, int32], scatterAlong[T, int64])
}

type number interface {
	float32 | float64 | int32 | int64
}

// indexAt reads an index along an axis; it is not ok unless it lies in [0, size), or in [−size, size) if negative ones count from the end.
func indexAt(index graph.Array, i, size int, fromEnd bool) (j int, ok bool) {
	j = int(wholeIndex(index, i))
	if fromEnd && j < 0 {
		j += size
	}
	return j, j >= 0 && j < size
}

func wholeIndex(index graph.Array, i int) int64 {
	if index.DType == graph.Int32 {
		return int64(index.I32()[i])
	}
	return index.I64()[i]
}

// wrongIndex says what is wrong with element i of the indices.
func wrongIndex(index graph.Array, i, size, axis int, fromEnd bool) error {
	j, least := wholeIndex(index, i), 0
	if fromEnd {
		least = -size
	}
	if size == 0 {
		return graph.Errorf(graph.ErrValue, "index %d (element %d of the indices) points into axis %d, which has no elements", j, i, axis)
	}
	return graph.Errorf(graph.ErrValue, "index %d (element %d of the indices) is outside %d…%d of axis %d", j, i, least, size-1, axis)
}

// onNumbers picks the instance of a kernel for an element type other than bool.
func onNumbers(f32, f64, i32, i64 func(*graph.Call) error) func(*graph.Call) error {
	return anyType(f32, f64, i32, i64, func(c *graph.Call) error {
		return graph.Errorf(graph.ErrDType, "adds numbers, not %v", c.Out[0].DType)
	})
}

func init() {
	indices := func(values []float64, dims ...graph.Dim) graph.Operand {
		return graph.Operand{Type: graph.TypeOf(graph.Int64, dims...), Values: values}
	}
	define(TakeAlongAxisDef, graph.Def{
		Name: "takealongaxis",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := checkIndex(in, attr.(axisAttr).Axis); err != nil {
				return graph.Type{}, err
			}
			return graph.TypeOf(in[0].DType, in[1].Shape...), nil
		},
		Eval: anyType(evalTakeAlong[float32], evalTakeAlong[float64], evalTakeAlong[int32], evalTakeAlong[int64], evalTakeAlong[bool]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			axis := n.Attr().(axisAttr).Axis
			return []*graph.Node{ScatterAlongAxis(dy, n.In(1), axis, n.In(0).Shape()[axis]), nil}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: axisAttr{1}, In: []graph.Operand{floats(3, 4), indices([]float64{1, 3, 0}, 3, 1)}},
				{Attr: axisAttr{0}, In: []graph.Operand{floats(3, 2), indices([]float64{2, 0, 2, 2}, 2, 2)}},
				{Attr: axisAttr{1}, In: []graph.Operand{floats(2, 3, 2), indices([]float64{0, 0, 2, 1}, 2, 1, 2)}},
				{Attr: axisAttr{1}, In: []graph.Operand{floats(0, 3), indices(nil, 0, 1)}},
			}
		},
	})
	define(ScatterAlongAxisDef, graph.Def{
		Name: "scatteralongaxis",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			a := attr.(scatterAttr)
			if err := checkIndex(in, a.Axis); err != nil {
				return graph.Type{}, err
			}
			if in[0].DType == graph.Bool {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "adds numbers, not %v; convert with ops.Cast", in[0])
			}
			if err := sameDim(in[0].Shape[a.Axis], in[1].Shape[a.Axis], func() string { return "operand and indices along the axis" }); err != nil {
				return graph.Type{}, err
			}
			out := graph.TypeOf(in[0].DType, append(graph.Shape(nil), in[0].Shape...)...)
			out.Shape[a.Axis] = a.Size
			return out, nil
		},
		Eval: onNumbers(evalScatter[float32], evalScatter[float64], evalScatter[int32], evalScatter[int64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{TakeAlongAxis(dy, n.In(1), n.Attr().(scatterAttr).Axis), nil}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: scatterAttr{1, 4}, In: []graph.Operand{floats(3, 1), indices([]float64{1, 3, 0}, 3, 1)}},
				{Attr: scatterAttr{0, 3}, In: []graph.Operand{floats(2, 2), indices([]float64{2, 0, 2, 2}, 2, 2)}},
			}
		},
	})
}
