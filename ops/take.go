package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that pick whole slabs along an axis, and that add to them: each is the other's transpose.
var (
	TakeDef     = new(graph.Def)
	IndexAddDef = new(graph.Def)
)

type takeAttr struct {
	Axis    int
	FromEnd bool // negative indices count from the end
}

type indexAddAttr struct {
	Axis    int
	FromEnd bool
	Rank    int       // of the indices
	Size    graph.Dim // of the result along the axis
}

// Take returns the slabs of x at the given indices along an axis, as NumPy's take: the indices' dimensions stand in the place of the axis.
// Indices are int32 or int64 of any shape; negative ones count from the end. One outside the axis is an error of the run. Where an
// index repeats, the gradient adds up.
func Take(x, index *graph.Node, axis int) *graph.Node { return take(x, index, axis, true) }

// Embedding returns the rows of a table at the given ids. table: (entries, …); ids: int32 or int64 of any shape, from 0 to entries−1, which
// every run checks; result: ids' shape followed by an entry's. Where an id repeats, the gradient adds up.
func Embedding(table, ids *graph.Node) *graph.Node { return take(table, ids, 0, false) }

func take(x, index *graph.Node, axis int, fromEnd bool) *graph.Node {
	return indexAlong(TakeDef, x, index, axis, func(a int) any { return takeAttr{a, fromEnd} })
}

// IndexAdd adds slabs to those of x along an axis: that at index[k] gets the k-th of updates. index is a vector of int32 or int64; updates has
// x's shape but for the axis, which has index's size. Where an index repeats, all its updates are added, in order. Negative indices count
// from the end.
func IndexAdd(x, index, updates *graph.Node, axis int) *graph.Node {
	if x.Err() != nil || index.Err() != nil || updates.Err() != nil {
		return failed("indexadd", nil, x, index, updates)
	}
	a, err := normalAxis(axis, x.Type())
	if err == nil && len(updates.Shape()) != len(x.Shape()) {
		err = graph.Errorf(graph.ErrShape, "updates %v and operand %v must have the same number of dimensions", updates.Shape(), x.Shape())
	}
	if err != nil {
		return failed("indexadd", err, x, index, updates)
	}
	return Add(x, graph.Apply(IndexAddDef, indexAddAttr{a, true, len(index.Shape()), x.Shape()[a]}, updates, index))
}

// ScatterAdd adds elements to those of x along an axis: x[…, index[…, i, …], …] gets updates[…, i, …]. index and updates have one shape,
// which is x's but for the axis. Where an index repeats, all its updates are added, in order.
func ScatterAdd(x, index, updates *graph.Node, axis int) *graph.Node {
	if x.Err() != nil || index.Err() != nil || updates.Err() != nil {
		return failed("scatteradd", nil, x, index, updates)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("scatteradd", err, x, index, updates)
	}
	return Add(x, ScatterAlongAxis(updates, index, a, x.Shape()[a]))
}

// OneHot returns, for each id, depth elements of which the id's is 1 and the others are 0, along a new last axis. ids: int32 or int64 of any
// shape, from 0 to depth−1, which every run checks. For other values than 1 and 0 take off + (on − off)·OneHot; ids that shall count as
// none are set to 0 beforehand and masked away afterwards, both with Select.
func OneHot(ids *graph.Node, depth graph.Dim, dtype graph.DType) *graph.Node {
	if ids.Err() != nil || ids.Type().IsTuple() {
		return failed("onehot", graph.Errorf(graph.ErrOperator, "the operand is a tuple %v; take a part of it with ops.Get", ids.Type()), ids)
	}
	number := dtype
	if dtype == graph.Bool {
		number = graph.Int32
	}
	column := Unsqueeze(ids, -1)
	return Cast(ScatterAlongAxis(Full(ids.Graph(), number, 1, column.Shape()...), column, -1, depth), dtype)
}

func evalTake(c *graph.Call) error {
	a := c.Attr.(takeAttr)
	switch c.Out[0].DType.Size() {
	case 1:
		return takeSlabs(c, a, words[bool](c.Out[0]), words[bool](c.In[0]))
	case 4:
		return takeSlabs(c, a, words[int32](c.Out[0]), words[int32](c.In[0]))
	}
	return takeSlabs(c, a, words[int64](c.Out[0]), words[int64](c.In[0]))
}

func takeSlabs[T word](c *graph.Call, a takeAttr, dst, x []T) error {
	outer, n, inner := around(c.In[0].Shape, a.Axis)
	index := c.In[1]
	picks := index.Len()
	for k := range picks { // all are checked, also where a slab has no elements
		j, ok := indexAt(index, k, n, a.FromEnd)
		if !ok {
			return wrongIndex(index, k, n, a.Axis, a.FromEnd)
		}
		for o := range outer {
			d, s := (o*picks+k)*inner, (o*n+j)*inner
			if inner == 1 {
				dst[d] = x[s]
			} else {
				copy(dst[d:d+inner], x[s:s+inner])
			}
		}
	}
	return nil
}

func addSlabs[T number](c *graph.Call) error {
	a := c.Attr.(indexAddAttr)
	dst, updates, index := graph.Elements[T](c.Out[0]), graph.Elements[T](c.In[0]), c.In[1]
	outer, n, inner := around(c.Out[0].Shape, a.Axis)
	clear(dst)
	picks := index.Len()
	for k := range picks {
		j, ok := indexAt(index, k, n, a.FromEnd)
		if !ok {
			return wrongIndex(index, k, n, a.Axis, a.FromEnd)
		}
		for o := range outer {
			to := dst[(o*n+j)*inner : (o*n+j+1)*inner]
			for i, u := range updates[(o*picks+k)*inner : (o*picks+k+1)*inner] {
				to[i] += u
			}
		}
	}
	return nil
}

func wantIndices(t graph.Type) error {
	if !t.DType.IsInt() {
		return graph.Errorf(graph.ErrDType, "indices are int32 or int64, not %v; convert them with ops.Cast", t)
	}
	return nil
}

func init() {
	indices := func(values []float64, dims ...graph.Dim) graph.Operand {
		return graph.Operand{Type: graph.TypeOf(graph.Int64, dims...), Values: values}
	}
	define(TakeDef, graph.Def{
		Name: "take",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 2); err != nil {
				return graph.Type{}, err
			}
			axis := attr.(takeAttr).Axis
			if axis >= len(in[0].Shape) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "axis %d is outside %v", axis, in[0])
			}
			return graph.TypeOf(in[0].DType, slices.Concat(in[0].Shape[:axis], in[1].Shape, in[0].Shape[axis+1:])...), wantIndices(in[1])
		},
		Eval: evalTake,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(takeAttr)
			x, index := n.In(0), n.In(1)
			return []*graph.Node{graph.Apply(IndexAddDef, indexAddAttr{a.Axis, a.FromEnd, len(index.Shape()), x.Shape()[a.Axis]}, dy, index), nil}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: takeAttr{0, false}, In: []graph.Operand{floats(3, 2), indices([]float64{2, 0, 2, 1}, 2, 2)}},
				{Attr: takeAttr{1, true}, In: []graph.Operand{floats(2, 3, 2), indices([]float64{-1, 0, -3, 2}, 4)}},
				{Attr: takeAttr{1, true}, In: []graph.Operand{floats(2, 3), indices([]float64{1})}},
				{Attr: takeAttr{0, true}, In: []graph.Operand{floats(1), indices([]float64{0, 0}, 2, 1)}},
				{Attr: takeAttr{0, true}, In: []graph.Operand{floats(3, 2), indices(nil, 0)}},
				{Attr: takeAttr{1, true}, In: []graph.Operand{floats(0, 2), indices([]float64{1}, 1)}},
			}
		},
	})
	define(IndexAddDef, graph.Def{
		Name: "indexadd",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 2); err != nil {
				return graph.Type{}, err
			}
			a := attr.(indexAddAttr)
			updates, index := in[0], in[1]
			if updates.DType == graph.Bool {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "adds numbers, not %v; convert with ops.Cast", updates)
			}
			if len(index.Shape) != a.Rank || a.Axis+a.Rank > len(updates.Shape) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "updates %v have not the dimensions of the indices %v at axis %d", updates.Shape, index.Shape, a.Axis)
			}
			for i, d := range index.Shape {
				if err := sameDim(updates.Shape[a.Axis+i], d, func() string {
					return "updates " + updates.Shape.String() + " at axis " + graph.Dim(a.Axis+i).String() + " and indices " + index.Shape.String()
				}); err != nil {
					return graph.Type{}, err
				}
			}
			return graph.TypeOf(updates.DType, slices.Concat(updates.Shape[:a.Axis], graph.Shape{a.Size}, updates.Shape[a.Axis+a.Rank:])...), wantIndices(index)
		},
		Eval: onNumbers(addSlabs[float32], addSlabs[float64], addSlabs[int32], addSlabs[int64]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(indexAddAttr)
			return []*graph.Node{graph.Apply(TakeDef, takeAttr{a.Axis, a.FromEnd}, dy, n.In(1)), nil}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: indexAddAttr{0, false, 2, 3}, In: []graph.Operand{floats(2, 2, 2), indices([]float64{2, 0, 2, 1}, 2, 2)}},
				{Attr: indexAddAttr{1, true, 1, 3}, In: []graph.Operand{floats(2, 4, 2), indices([]float64{-1, 0, -3, 2}, 4)}},
				{Attr: indexAddAttr{1, true, 0, 3}, In: []graph.Operand{floats(2), indices([]float64{1})}},
				{Attr: indexAddAttr{0, true, 1, 2}, In: []graph.Operand{floats(0, 2), indices(nil, 0)}},
			}
		},
	})
}
