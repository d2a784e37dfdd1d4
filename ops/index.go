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

// indexAt reads an index along an axis and checks that it lies in [0, size), or in [−size, size) if negative ones count from the end.
func indexAt(index graph.Array, i, size, axis int, fromEnd bool) (int, error) {
	var j int64
	if index.DType == graph.Int32 {
		j = int64(index.I32()[i])
	} else {
		j = index.I64()[i]
	}
	least := 0
	if fromEnd {
		least = -size
	}
	switch {
	case size == 0:
		return 0, graph.Errorf(graph.ErrValue, "index %d (element %d of the indices) points into axis %d, which has no elements", j, i, axis)
	case j < int64(least) || j >= int64(size):
		return 0, graph.Errorf(graph.ErrValue, "index %d (element %d of the indices) is outside %d…%d of axis %d", j, i, least, size-1, axis)
	case j < 0:
		j += int64(size)
	}
	return int(j), nil
}

// evalIndexed runs over the indices: along the axis they have n entries, the indexed side has size.
func evalIndexed(index graph.Array, axis, size int, visit func(element, indexed int)) error {
	outer, n, inner := around(index.Shape, axis)
	for o := range outer {
		for k := range n {
			for i := range inner {
				element := (o*n+k)*inner + i
				j, err := indexAt(index, element, size, axis, false)
				if err != nil {
					return err
				}
				visit(element, (o*size+j)*inner+i)
			}
		}
	}
	return nil
}

func evalTakeAlong[T float32 | float64 | int32 | int64 | bool](c *graph.Call) error {
	x, dst, axis := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), c.Attr.(axisAttr).Axis
	return evalIndexed(c.In[1], axis, c.In[0].Shape[axis], func(element, indexed int) { dst[element] = x[indexed] })
}

type number interface {
	float32 | float64 | int32 | int64
}

func evalScatter[T number](c *graph.Call) error {
	x, dst, axis := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), c.Attr.(scatterAttr).Axis
	clear(dst)
	return evalIndexed(c.In[1], axis, c.Out[0].Shape[axis], func(element, indexed int) { dst[indexed] += x[element] })
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
