package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
)

// IotaDef is the definition of counting.
var IotaDef = new(graph.Def)

type iotaAttr struct {
	N           graph.Dim
	DType       graph.DType
	Start, Step float64
}

// Full returns a tensor of one value.
func Full(g *graph.Graph, dtype graph.DType, v float64, dims ...graph.Dim) *graph.Node {
	return BroadcastTo(g.Full(dtype, v), dims...)
}

// ZerosLike returns zeros of x's type.
func ZerosLike(x *graph.Node) *graph.Node { return FullLike(x, 0) }

// OnesLike returns ones of x's type.
func OnesLike(x *graph.Node) *graph.Node { return FullLike(x, 1) }

// FullLike returns a tensor of x's type that holds v everywhere.
func FullLike(x *graph.Node, v float64) *graph.Node { return BroadcastTo(like(x, v), x.Shape()...) }

// Iota returns the vector 0, 1, …, n−1. n may be symbolic.
func Iota(g *graph.Graph, dtype graph.DType, n graph.Dim) *graph.Node {
	return g.Apply(IotaDef, iotaAttr{n, dtype, 0, 1})
}

// Arange returns the vector start, start + step, … of the values before stop; element i is start + i·step, rounded once. Integer types
// drop fractions of start and step. For a length that only a run knows see Iota.
func Arange(g *graph.Graph, dtype graph.DType, start, stop, step float64) *graph.Node {
	if dtype.IsInt() {
		start, step = math.Trunc(start), math.Trunc(step)
	}
	n := math.Max(math.Ceil((stop-start)/step), 0)
	if step == 0 || !(n < 1<<53) {
		return failed("arange", graph.Errorf(graph.ErrValue, "from %v to %v by %v is no finite list", start, stop, step), g.Full(dtype, 0))
	}
	return g.Apply(IotaDef, iotaAttr{graph.Dim(n), dtype, start, step})
}

// Linspace returns n values from start to stop, both exactly among them, at equal distances: element i is start·(1−t) + stop·t with
// t = i/(n−1). n may be symbolic; one value alone is start. The element type is a float type.
func Linspace(g *graph.Graph, dtype graph.DType, start, stop float64, n graph.Dim) *graph.Node {
	t := Div(Iota(g, dtype, n), DimSize(g, n.Sub(1).Max(1), dtype))
	return Add(Scale(Sub(like(t, 1), t), start), Scale(t, stop))
}

// Eye returns the n×n unit matrix.
func Eye(g *graph.Graph, dtype graph.DType, n graph.Dim) *graph.Node {
	i := Iota(g, graph.Int64, n)
	return Cast(Equal(Unsqueeze(i, 1), i), dtype)
}

// Tril returns the lower triangle of the matrices in the last two dimensions of x: the elements on and below diagonal k, zeros above it.
// Diagonal 0 is the main one, positive ones are above.
func Tril(x *graph.Node, k int) *graph.Node { return triangle("tril", x, k, LessEqual) }

// Triu returns the upper triangle of the matrices in the last two dimensions of x: the elements on and above diagonal k, zeros below it.
func Triu(x *graph.Node, k int) *graph.Node { return triangle("triu", x, k, GreaterEqual) }

// triangle keeps the elements whose column compares so with row + k.
func triangle(name string, x *graph.Node, k int, keep func(column, row *graph.Node) *graph.Node) *graph.Node {
	rank := len(x.Shape())
	if x.Err() != nil || rank < 2 {
		return failed(name, graph.Errorf(graph.ErrShape, "a triangle is of matrices, but the operand is %v", x.Type()), x)
	}
	g := x.Graph()
	row := g.Apply(IotaDef, iotaAttr{x.Shape()[rank-2], graph.Int64, float64(k), 1})
	column := Iota(g, graph.Int64, x.Shape()[rank-1])
	return Select(keep(column, Unsqueeze(row, 1)), x, like(x, 0))
}

// MaskedFill returns x with v where mask is true, broadcast. mask is boolean.
func MaskedFill(x, mask *graph.Node, v float64) *graph.Node { return Select(mask, like(x, v), x) }

// Meshgrid returns, for vectors x₀, x₁, …, tensors over their grid: element (i, j, …) of the k-th is the k-th vector's at the k-th index,
// as NumPy's meshgrid with indexing="ij".
func Meshgrid(xs ...*graph.Node) []*graph.Node {
	shape := make(graph.Shape, len(xs))
	for i, x := range xs {
		if x.Err() != nil || len(x.Shape()) != 1 {
			return failures("meshgrid", graph.Errorf(graph.ErrShape, "operand %d is %v, not a vector", i, x.Type()), x, len(xs))
		}
		shape[i] = x.Shape()[0]
	}
	grids := make([]*graph.Node, len(xs))
	for i, x := range xs {
		column := make(graph.Shape, len(xs))
		for k := range column {
			column[k] = 1
		}
		column[i] = shape[i]
		grids[i] = BroadcastTo(Reshape(x, column...), shape...)
	}
	return grids
}

// ShapeOf returns the sizes of x as an int64 vector.
func ShapeOf(x *graph.Node) *graph.Node {
	if x.Err() != nil {
		return failed("shapeof", x.Err(), x)
	}
	g := x.Graph()
	sizes := make([]*graph.Node, len(x.Shape()))
	for i, d := range x.Shape() {
		sizes[i] = DimSize(g, d, graph.Int64)
	}
	if len(sizes) == 0 {
		return Full(g, graph.Int64, 0, 0)
	}
	return Stack(0, sizes...)
}

func init() {
	define(IotaDef, graph.Def{
		Name: "iota",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			a := attr.(iotaAttr)
			if a.DType == graph.Bool {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "counts in numbers, not in bool")
			}
			return graph.TypeOf(a.DType, a.N), wantOperands(in, 0)
		},
		Eval: func(c *graph.Call) error {
			a := c.Attr.(iotaAttr)
			switch dst := c.Out[0]; dst.DType {
			case graph.Float32:
				count(dst.F32(), a.Start, a.Step)
			case graph.Float64:
				count(dst.F64(), a.Start, a.Step)
			case graph.Int32:
				count(dst.I32(), int64(a.Start), int64(a.Step))
			default:
				count(dst.I64(), int64(a.Start), int64(a.Step))
			}
			return nil
		},
		Traits: graph.Discrete,
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: iotaAttr{4, graph.Float64, -1, 0.5}}, {Attr: iotaAttr{0, graph.Int64, 0, 1}}, {Attr: iotaAttr{3, graph.Int32, 5, -2}}}
		},
	})
}

func count[T float32 | float64 | int32 | int64, S float64 | int64](dst []T, start, step S) {
	for i := range dst {
		dst[i] = T(start + S(i)*step)
	}
}
