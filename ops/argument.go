package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the extrema with their places.
var (
	MaxArgDef = new(graph.Def)
	MinArgDef = new(graph.Def)
)

// MaxArg returns the largest element along one axis and its int64 index, the first one where several tie; a NaN counts as larger
// than all else. Of no elements it is an error at run time. The cotangent of the values flows as for Max.
func MaxArg(x *graph.Node, axis int) (values, indices *graph.Node) {
	both := alongAxis(MaxArgDef, x, axis)
	return Get(both, 0), Get(both, 1)
}

// ArgMax returns the int64 index of the largest element along one axis, the first one where several tie.
func ArgMax(x *graph.Node, axis int) *graph.Node { return Get(alongAxis(MaxArgDef, x, axis), 1) }

// MinArg returns the smallest element along one axis and its int64 index, the first one where several tie; a NaN counts as smaller
// than all else. Of no elements it is an error at run time. The cotangent of the values flows as for Min.
func MinArg(x *graph.Node, axis int) (values, indices *graph.Node) {
	both := alongAxis(MinArgDef, x, axis)
	return Get(both, 0), Get(both, 1)
}

// ArgMin returns the int64 index of the smallest element along one axis, the first one where several tie.
func ArgMin(x *graph.Node, axis int) *graph.Node { return Get(alongAxis(MinArgDef, x, axis), 1) }

// evalArgument goes through memory once. rowIndex, if not nil, finds the place in a contiguous row.
func evalArgument[T number](c *graph.Call, smallest bool, rowIndex func(x []T) int) {
	outer, n, inner := around(c.In[0].Shape, c.Attr.(axisAttr).Axis)
	x, values, indices := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), c.Out[1].I64()
	if inner == 1 && n < shortRow {
		for o := range outer {
			row := x[o*n : (o+1)*n]
			best, at := row[0], 0
			for j, v := range row {
				better := v > best
				if smallest {
					better = v < best
				}
				if better || v != v && best == best {
					best, at = v, j
				}
			}
			values[o], indices[o] = best, int64(at)
		}
		return
	}
	if inner == 1 && rowIndex != nil {
		for o := range outer {
			row := x[o*n : (o+1)*n]
			i := rowIndex(row)
			values[o], indices[o] = row[i], int64(i)
		}
		return
	}
	for o := range outer {
		best, at := values[o*inner:(o+1)*inner], indices[o*inner:(o+1)*inner]
		copy(best, x[o*n*inner:])
		clear(at)
		for j := 1; j < n; j++ {
			for i, v := range x[(o*n+j)*inner : (o*n+j+1)*inner] {
				better := v > best[i]
				if smallest {
					better = v < best[i]
				}
				if better || v != v && best[i] == best[i] {
					best[i], at[i] = v, int64(j)
				}
			}
		}
	}
}

func init() {
	for _, d := range []struct {
		def      *graph.Def
		name     string
		what     string
		smallest bool
		f32      func([]float32) int
		f64      func([]float64) int
	}{
		{MaxArgDef, "maxarg", "maximum", false, kernel.ArgMax[float32], kernel.ArgMax[float64]},
		{MinArgDef, "minarg", "minimum", true, kernel.ArgMin[float32], kernel.ArgMin[float64]},
	} {
		define(d.def, graph.Def{
			Name: d.name,
			Infer: func(attr any, in []graph.Type) (graph.Type, error) {
				t, err := inferNumeric(1)(nil, in)
				if err != nil {
					return t, err
				}
				axis, err := normalAxis(attr.(axisAttr).Axis, t)
				if err != nil {
					return t, err
				}
				shape := slices.Delete(append(graph.Shape(nil), t.Shape...), axis, axis+1)
				return graph.TupleOf(graph.TypeOf(t.DType, shape...), graph.TypeOf(graph.Int64, shape...)), nil
			},
			Eval: func(c *graph.Call) error {
				if c.Out[0].Len() > 0 && c.In[0].Len() == 0 {
					return graph.Errorf(graph.ErrValue, "the %s of no elements: the operand has shape %v", d.what, c.In[0].Shape)
				}
				switch c.In[0].DType {
				case graph.Float32:
					evalArgument(c, d.smallest, d.f32)
				case graph.Float64:
					evalArgument(c, d.smallest, d.f64)
				case graph.Int32:
					evalArgument[int32](c, d.smallest, nil)
				default:
					evalArgument[int64](c, d.smallest, nil)
				}
				return nil
			},
			VJP: func(n, dy *graph.Node) []*graph.Node {
				return []*graph.Node{shareAmongTies(n.In(0), Get(n, 0), Get(dy, 0), []int{n.Attr().(axisAttr).Axis})}
			},
			Samples: func() []graph.Sample {
				x := floats(2, 3, 2)
				x.Values = distinct
				y := floats(3)
				y.Values = distinct[:3]
				return []graph.Sample{{Attr: axisAttr{1}, In: []graph.Operand{x}}, {Attr: axisAttr{0}, In: []graph.Operand{y}}, {Attr: axisAttr{1}, In: []graph.Operand{floats(0, 3)}}}
			},
		})
	}
}
