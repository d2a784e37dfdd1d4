package ops

import (
	"cmp"
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// SortDef is the definition of sorting, and of what comes first in order.
var SortDef = new(graph.Def)

type sortAttr struct {
	Axis       int
	Count      int // elements that are wanted, −1 for all
	Descending bool
}

// Sort returns the elements along an axis in order and where each was, as int64. Equal elements keep their order; NaN counts as larger
// than all else. The cotangent of each value goes to where the value was.
func Sort(x *graph.Node, axis int, descending bool) (values, indices *graph.Node) {
	return inOrder(x, axis, -1, descending)
}

// ArgSort returns the int64 indices that put the elements along an axis in order; equal elements keep their order.
func ArgSort(x *graph.Node, axis int, descending bool) *graph.Node {
	_, indices := inOrder(x, axis, -1, descending)
	return indices
}

// TopK returns the k largest elements along an axis, the largest first, and where each was, as int64; of equal ones the first. NaN
// counts as larger than all else. Fewer than k elements are an error, at run time if their number is a symbol.
func TopK(x *graph.Node, k, axis int) (values, indices *graph.Node) {
	if k < 0 && x.Err() == nil {
		bad := graph.Invalid(graph.Errorf(graph.ErrValue, "the %d largest elements", k), "topk("+x.Name()+")", x)
		return bad, bad
	}
	return inOrder(x, axis, k, true)
}

func inOrder(x *graph.Node, axis, count int, descending bool) (values, indices *graph.Node) {
	both := graph.Apply(SortDef, nil, x)
	if x.Err() == nil {
		a, err := normalAxis(axis, x.Type())
		if err != nil {
			both = graph.Invalid(err, "sort("+x.Name()+")", x)
		} else {
			both = graph.Apply(SortDef, sortAttr{a, count, descending}, x)
		}
	}
	return Get(both, 0), Get(both, 1)
}

// compareNumbers orders numbers, NaN after all else.
func compareNumbers[T number](a, b T) int {
	switch {
	case a < b || a == a && b != b:
		return -1
	case a > b || a != a && b == b:
		return 1
	}
	return 0
}

// evalSort orders the places of each row by what is there, in scratch memory for one row.
func evalSort[T number](c *graph.Call) error {
	attr := c.Attr.(sortAttr)
	outer, n, inner := around(c.In[0].Shape, attr.Axis)
	_, k, _ := around(c.Out[0].Shape, attr.Axis)
	if k > n {
		return graph.Errorf(graph.ErrShape, "the %d largest of %d elements: axis %d of %v is too short", k, n, attr.Axis, c.In[0].Shape)
	}
	if k == 0 {
		return nil
	}
	x, values, indices := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), c.Out[1].I64()
	places := graph.ElementsIn[int64](c.Scratch)[:n]
	for o := range outer {
		for i := range inner {
			row := x[o*n*inner+i:]
			for j := range places {
				places[j] = int64(j)
			}
			slices.SortFunc(places, func(p, q int64) int {
				order := compareNumbers(row[int(p)*inner], row[int(q)*inner])
				if attr.Descending {
					order = -order
				}
				if order == 0 { // equal elements keep their order
					order = cmp.Compare(p, q)
				}
				return order
			})
			for j, p := range places[:k] {
				to := (o*k+j)*inner + i
				values[to], indices[to] = row[int(p)*inner], p
			}
		}
	}
	return nil
}

func init() {
	define(SortDef, graph.Def{
		Name: "sort",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			t, err := inferNumeric(1)(nil, in)
			if err != nil {
				return t, err
			}
			a := attr.(sortAttr)
			if _, err := normalAxis(a.Axis, t); err != nil {
				return t, err
			}
			shape := slices.Clone(t.Shape)
			if a.Count >= 0 {
				if shape[a.Axis].IsStatic() && graph.Dim(a.Count) > shape[a.Axis] {
					return t, graph.Errorf(graph.ErrShape, "the %d largest of %v elements: axis %d of %v is too short", a.Count, shape[a.Axis], a.Axis, t.Shape)
				}
				shape[a.Axis] = graph.Dim(a.Count)
			}
			return graph.TupleOf(graph.TypeOf(t.DType, shape...), graph.TypeOf(graph.Int64, shape...)), nil
		},
		Scratch: func(attr any, in []graph.Type) graph.Dim { return in[0].Shape[attr.(sortAttr).Axis].Mul(8) },
		Eval: func(c *graph.Call) error {
			switch c.In[0].DType {
			case graph.Float32:
				return evalSort[float32](c)
			case graph.Float64:
				return evalSort[float64](c)
			case graph.Int32:
				return evalSort[int32](c)
			}
			return evalSort[int64](c)
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			axis := n.Attr().(sortAttr).Axis
			return []*graph.Node{ScatterAlongAxis(Get(dy, 0), Get(n, 1), axis, n.In(0).Shape()[axis])}
		},
		Samples: func() []graph.Sample {
			far := func(dims ...graph.Dim) []graph.Operand {
				x := floats(dims...)
				x.Values = distinct
				return []graph.Operand{x}
			}
			return []graph.Sample{
				{Attr: sortAttr{0, -1, false}, In: far(5)},
				{Attr: sortAttr{1, 2, true}, In: far(3, 4)},
				{Attr: sortAttr{1, -1, true}, In: far(2, 3, 2)},
				{Attr: sortAttr{0, 0, true}, In: far(2, 2)},
				{Attr: sortAttr{0, 1, true}, In: far(1)},
				{Attr: sortAttr{0, -1, false}, In: far(0, 2)},
			}
		},
	})
}
