package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the reductions. A reduction drops the axes it reduces; the Keep forms put them back with size 1.
var (
	SumDef    = new(graph.Def)
	MeanDef   = new(graph.Def)
	MaxDef    = new(graph.Def)
	MaxArgDef = new(graph.Def)
)

type axesAttr struct{ Axes []int }

// Sum returns the sum over the given axes, or over all if none is given. The sum of no elements is 0.
func Sum(x *graph.Node, axes ...int) *graph.Node { return reduce(SumDef, x, axes) }

// SumKeep is Sum with the reduced axes kept at size 1.
func SumKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Sum(x, axes...), x, axes) }

// Mean returns the mean over the given axes, or over all if none is given. The mean of no elements is an error at run time.
func Mean(x *graph.Node, axes ...int) *graph.Node { return reduce(MeanDef, x, axes) }

// MeanKeep is Mean with the reduced axes kept at size 1.
func MeanKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Mean(x, axes...), x, axes) }

// Max returns the largest element over the given axes, or over all if none is given, NaN if one is NaN. The maximum of no
// elements is an error at run time. Elements that tie for the maximum share the cotangent equally.
func Max(x *graph.Node, axes ...int) *graph.Node { return reduce(MaxDef, x, axes) }

// MaxKeep is Max with the reduced axes kept at size 1.
func MaxKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Max(x, axes...), x, axes) }

// MaxArg returns the largest element along one axis and its int64 index, the first one where several tie. The cotangent of
// the values flows as for Max.
func MaxArg(x *graph.Node, axis int) (values, indices *graph.Node) {
	both := alongAxis(MaxArgDef, x, axis)
	return Get(both, 0), Get(both, 1)
}

// ArgMax returns the int64 index of the largest element along one axis, the first one where several tie.
func ArgMax(x *graph.Node, axis int) *graph.Node { return Get(alongAxis(MaxArgDef, x, axis), 1) }

// Axes returns the axes, counted from the first dimension and in rising order, that a reduction node reduces; nil for others.
func Axes(n *graph.Node) []int {
	if attr, ok := n.Attr().(axesAttr); ok {
		return attr.Axes
	}
	return nil
}

func reduce(d *graph.Def, x *graph.Node, axes []int) *graph.Node {
	if x.Err() != nil {
		return graph.Apply(d, nil, x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return graph.Invalid(err, d.Name+"("+x.Name()+")", x)
	}
	return graph.Apply(d, axesAttr{normal}, x)
}

// normalAxes returns the axes counted from the first dimension, in rising order; none means all.
func normalAxes(axes []int, t graph.Type) ([]int, error) {
	normal := make([]int, 0, len(t.Shape))
	if len(axes) == 0 {
		for i := range t.Shape {
			normal = append(normal, i)
		}
	}
	for _, axis := range axes {
		a, err := normalAxis(axis, t)
		if err != nil {
			return nil, err
		}
		if slices.Contains(normal, a) {
			return nil, graph.Errorf(graph.ErrShape, "axis %d is named twice in %v", axis, axes)
		}
		normal = append(normal, a)
	}
	slices.Sort(normal)
	return normal, nil
}

// keep gives a reduction of x its reduced axes back, with size 1.
func keep(reduced, x *graph.Node, axes []int) *graph.Node {
	if reduced.Err() != nil {
		return reduced
	}
	normal, _ := normalAxes(axes, x.Type())
	return Reshape(reduced, keptShape(x.Shape(), normal)...)
}

func keptShape(s graph.Shape, axes []int) graph.Shape {
	kept := append(graph.Shape(nil), s...)
	for _, a := range axes {
		kept[a] = 1
	}
	return kept
}

func inferReduce(attr any, in []graph.Type) (graph.Type, error) {
	t, err := inferElementwise(1)(nil, in)
	if err != nil {
		return t, err
	}
	axes := attr.(axesAttr).Axes
	out := graph.TypeOf(t.DType)
	for i, d := range t.Shape {
		if !slices.Contains(axes, i) {
			out.Shape = append(out.Shape, d)
		}
	}
	return out, nil
}

// reducer is the loops of one reduction: over a contiguous row, and over the rows of a matrix.
type reducer[T kernel.Float] struct {
	row    func(x []T) T
	rows   func(dst, x []T, rows, cols int) // dst[j] = reduction over i of x[i,j]
	finish func(dst []T, count int)         // optional
}

// eval reduces one run of adjacent axes at a time, innermost first, so that every step is over rows or over columns.
func (r reducer[T]) eval(c *graph.Call) error {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	axes := c.Attr.(axesAttr).Axes
	shape := c.In[0].Shape
	count := 1
	for _, a := range axes {
		count *= shape[a]
	}
	if len(axes) == 0 {
		copy(dst, x)
	}
	rest := graph.ElementsIn[T](c.Scratch)
	for len(axes) > 0 {
		last := axes[len(axes)-1]
		first := last
		for len(axes) > 1 && axes[len(axes)-2] == first-1 {
			axes = axes[:len(axes)-1]
			first--
		}
		axes = axes[:len(axes)-1]
		// The axes before first are untouched, those after last are reduced or kept inner ones.
		outer, n, inner := 1, 1, 1
		for i, s := range shape {
			switch {
			case i < first:
				outer *= s
			case i <= last:
				n *= s
			case !slices.Contains(c.Attr.(axesAttr).Axes, i):
				inner *= s
			}
		}
		to := dst
		if len(axes) > 0 {
			to, rest = rest[:outer*inner], rest[outer*inner:]
		}
		r.step(to, x, outer, n, inner)
		x = to
	}
	if r.finish != nil {
		r.finish(dst, count)
	}
	return nil
}

func (r reducer[T]) step(dst, x []T, outer, n, inner int) {
	if inner == 1 {
		for o := range outer {
			dst[o] = r.row(x[o*n : (o+1)*n])
		}
		return
	}
	for o := range outer {
		r.rows(dst[o*inner:(o+1)*inner], x[o*n*inner:(o+1)*n*inner], n, inner)
	}
}

// scratchReduce holds the partial results between runs of axes. A partial result can be larger than the operand: reducing an
// axis of no elements gives one.
func scratchReduce(attr any, in []graph.Type) graph.Dim {
	elements := graph.Dim(0)
	axes := attr.(axesAttr).Axes
	for i := len(axes) - 1; i > 0; i-- {
		if axes[i-1] == axes[i]-1 {
			continue
		}
		size := graph.Dim(1)
		for axis, d := range in[0].Shape {
			if !slices.Contains(axes[i:], axis) {
				size = size.Mul(d)
			}
		}
		elements = elements.Add(size)
	}
	return elements.Mul(graph.Dim(in[0].DType.Size()))
}

func evalReduce(f32 reducer[float32], f64 reducer[float64], needsElements string) func(*graph.Call) error {
	return func(c *graph.Call) error {
		if needsElements != "" && c.Out[0].Len() > 0 && c.In[0].Len() == 0 {
			return graph.Errorf(graph.ErrValue, "the %s of no elements: the operand has shape %v; an empty batch must not reach it", needsElements, c.In[0].Shape)
		}
		if c.Out[0].DType == graph.Float32 {
			return f32.eval(c)
		}
		return f64.eval(c)
	}
}

func meanFinish[T kernel.Float](dst []T, count int) { kernel.DivScalar(dst, dst, T(count)) }

func maxRows[T kernel.Float](dst, x []T, rows, cols int) {
	copy(dst, x[:cols])
	for i := 1; i < rows; i++ {
		kernel.Max(dst, dst, x[i*cols:(i+1)*cols])
	}
}

func evalMaxArg[T kernel.Float](c *graph.Call) error {
	outer, n, inner := around(c.In[0].Shape, c.Attr.(axisAttr).Axis)
	if n == 0 && c.Out[0].Len() > 0 {
		return graph.Errorf(graph.ErrValue, "the maximum of no elements: the operand has shape %v", c.In[0].Shape)
	}
	x, values, indices := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), c.Out[1].I64()
	for o := range outer {
		for i := range inner {
			best := 0
			row := x[o*n*inner+i:]
			for j := range n {
				if v := row[j*inner]; v > row[best*inner] || v != v && row[best*inner] == row[best*inner] {
					best = j
				}
			}
			values[o*inner+i], indices[o*inner+i] = row[best*inner], int64(best)
		}
	}
	return nil
}

// shareAmongTies sends dy, the cotangent of a maximum y, to the elements of x that equal it, in equal parts.
func shareAmongTies(x, y, dy *graph.Node, axes []int) *graph.Node {
	kept := keptShape(x.Shape(), axes)
	ties := Cast(Equal(x, Reshape(y, kept...)), x.DType())
	return Mul(ties, Div(Reshape(dy, kept...), SumKeep(ties, axes...)))
}

func reduceSamples(values ...float64) func() []graph.Sample {
	return func() []graph.Sample {
		var list []graph.Sample
		for _, s := range []struct {
			axes []int
			dims []graph.Dim
		}{{nil, nil}, {[]int{0, 1}, []graph.Dim{2, 3}}, {[]int{0}, []graph.Dim{2, 3}}, {[]int{1}, []graph.Dim{2, 3}}, {[]int{0, 2}, []graph.Dim{2, 3, 2}},
			{[]int{1}, []graph.Dim{2, 1, 3}}, {[]int{1}, []graph.Dim{0, 3}}} {
			x := floats(s.dims...)
			if n := int(x.Type.Shape.Size()); n > 0 && len(values) >= n {
				x.Values = values[:n]
			}
			list = append(list, graph.Sample{Attr: axesAttr{s.axes}, In: []graph.Operand{x}})
		}
		return list
	}
}

// Values far enough apart that no finite difference changes which is largest.
var distinct = []float64{0.3, -0.7, 1.1, 0.9, -0.2, 0.5, 0.1, -1.3, 0.7, -0.4, 1.5, -0.9}

func init() {
	define(SumDef, graph.Def{
		Name:    "sum",
		Infer:   inferReduce,
		Scratch: scratchReduce,
		Eval: evalReduce(
			reducer[float32]{row: kernel.Sum[float32], rows: kernel.SumRows[float32]},
			reducer[float64]{row: kernel.Sum[float64], rows: kernel.SumRows[float64]}, ""),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			x := n.In(0)
			kept := keptShape(x.Shape(), n.Attr().(axesAttr).Axes)
			return []*graph.Node{BroadcastTo(Reshape(dy, kept...), x.Shape()...)}
		},
		Samples: reduceSamples(),
	})
	define(MeanDef, graph.Def{
		Name:    "mean",
		Infer:   inferReduce,
		Scratch: scratchReduce,
		Eval: evalReduce(
			reducer[float32]{kernel.Sum[float32], kernel.SumRows[float32], meanFinish[float32]},
			reducer[float64]{kernel.Sum[float64], kernel.SumRows[float64], meanFinish[float64]}, "mean"),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			x := n.In(0)
			axes := n.Attr().(axesAttr).Axes
			count := graph.Dim(1)
			for _, a := range axes {
				count = count.Mul(x.Shape()[a])
			}
			share := Div(dy, DimSize(x.Graph(), count, x.DType()))
			return []*graph.Node{BroadcastTo(Reshape(share, keptShape(x.Shape(), axes)...), x.Shape()...)}
		},
		Samples: reduceSamples(),
	})
	define(MaxDef, graph.Def{
		Name:    "max",
		Infer:   inferReduce,
		Scratch: scratchReduce,
		Eval: evalReduce(
			reducer[float32]{row: kernel.MaxValue[float32], rows: maxRows[float32]},
			reducer[float64]{row: kernel.MaxValue[float64], rows: maxRows[float64]}, "maximum"),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{shareAmongTies(n.In(0), n, dy, n.Attr().(axesAttr).Axes)}
		},
		Samples: reduceSamples(distinct...),
	})
	define(MaxArgDef, graph.Def{
		Name: "maxarg",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			t, err := inferSoftmax(attr, in)
			if err != nil {
				return t, err
			}
			shape := slices.Delete(append(graph.Shape(nil), t.Shape...), attr.(axisAttr).Axis, attr.(axisAttr).Axis+1)
			return graph.TupleOf(graph.TypeOf(t.DType, shape...), graph.TypeOf(graph.Int64, shape...)), nil
		},
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				return evalMaxArg[float32](c)
			}
			return evalMaxArg[float64](c)
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{shareAmongTies(n.In(0), Get(n, 0), Get(dy, 0), []int{n.Attr().(axisAttr).Axis})}
		},
		Samples: func() []graph.Sample {
			x := floats(2, 3, 2)
			x.Values = distinct
			y := floats(3)
			y.Values = distinct[:3]
			return []graph.Sample{{Attr: axisAttr{1}, In: []graph.Operand{x}}, {Attr: axisAttr{0}, In: []graph.Operand{y}}}
		},
	})
}
