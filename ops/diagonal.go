package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators between a diagonal and what it is the diagonal of.
var (
	DiagonalDef  = new(graph.Def)
	DiagEmbedDef = new(graph.Def)
)

// diagonalAttr says where a diagonal lies: at (i, i + Offset) for a positive offset, (i − Offset, i) for a negative one, of two axes.
type diagonalAttr struct {
	Offset int
	A, B   int
}

// embedAttr is where a diagonal goes: into two axes of the given sizes.
type embedAttr struct {
	Diagonal   diagonalAttr
	Rows, Cols graph.Dim
}

// Diagonal returns the elements x[…, i, …, i + offset, …] of two axes as a new last dimension; the two are dropped. Negative axes count
// from the last. A positive offset is above the main diagonal, a negative one below; one beyond the corner gives no elements.
func Diagonal(x *graph.Node, offset, axisA, axisB int) *graph.Node {
	at, err := diagonalAt(x, offset, axisA, axisB)
	if err != nil {
		return graph.Invalid(err, "diagonal("+x.Name()+")", x)
	}
	return graph.Apply(DiagonalDef, at, x)
}

// DiagEmbed makes square matrices in the last two dimensions that hold the last dimension of x on a diagonal, and 0 elsewhere: x: (…, n)
// gives (…, n + |offset|, n + |offset|).
func DiagEmbed(x *graph.Node, offset int) *graph.Node {
	rank := len(x.Shape())
	if x.Err() != nil || rank == 0 {
		return graph.Apply(DiagEmbedDef, embedAttr{}, x)
	}
	size := x.Shape()[rank-1].Add(graph.Dim(max(offset, -offset)))
	return graph.Apply(DiagEmbedDef, embedAttr{diagonalAttr{offset, rank - 1, rank}, size, size}, x)
}

// Diag is the matrix that has the vector x on the diagonal with the given offset, or that diagonal of the matrix x.
func Diag(x *graph.Node, offset int) *graph.Node {
	if len(x.Shape()) == 1 {
		return DiagEmbed(x, offset)
	}
	return Diagonal(x, offset, -2, -1)
}

// Trace returns the sum of the diagonal of the last two dimensions.
func Trace(x *graph.Node) *graph.Node { return Sum(Diagonal(x, 0, -2, -1), -1) }

func diagonalAt(x *graph.Node, offset, axisA, axisB int) (diagonalAttr, error) {
	if x.Err() != nil {
		return diagonalAttr{}, x.Err()
	}
	a, err := normalAxis(axisA, x.Type())
	if err != nil {
		return diagonalAttr{}, err
	}
	b, err := normalAxis(axisB, x.Type())
	if err == nil && a == b {
		err = graph.Errorf(graph.ErrShape, "a diagonal is of two axes, but both are axis %d of %v", a, x.Shape())
	}
	return diagonalAttr{offset, a, b}, err
}

// length is the number of elements on the diagonal of a matrix, 0 if the offset is beyond it.
func (d diagonalAttr) length(rows, cols graph.Dim) graph.Dim {
	rows, cols = rows.Add(graph.Dim(min(d.Offset, 0))), cols.Sub(graph.Dim(max(d.Offset, 0)))
	if rows == cols && d.Offset == 0 {
		return rows
	}
	shorter := rows.Add(cols).Sub(rows.Max(cols))
	return shorter.Max(0)
}

// strides returns where the diagonal begins in a row-major array, how far apart its elements lie, and the same for every other axis.
func (d diagonalAttr) strides(shape []int) (start, step int, rank int, size, stride [graph.MaxRank]int) {
	for axis, s := len(shape)-1, 1; axis >= 0; axis-- {
		switch axis {
		case d.A:
			start, step = start+s*max(-d.Offset, 0), step+s
		case d.B:
			start, step = start+s*max(d.Offset, 0), step+s
		default:
			size[rank], stride[rank] = shape[axis], s // innermost first
			rank++
		}
		s *= shape[axis]
	}
	return start, step, rank, size, stride
}

// walkDiagonal visits the elements of a diagonal: elements of the array that has it, in the order of the array of diagonals.
func (d diagonalAttr) walkDiagonal(whole []int, diagonals graph.Array, visit func(inDiagonals, inWhole int)) {
	if diagonals.Len() == 0 {
		return
	}
	n := diagonals.Shape[len(diagonals.Shape)-1]
	at, step, rank, size, stride := d.strides(whole)
	var index [graph.MaxRank]int
	for i := 0; i < diagonals.Len(); i += n {
		for k := range n {
			visit(i+k, at+k*step)
		}
		for r := range rank {
			at += stride[r]
			if index[r]++; index[r] < size[r] {
				break
			}
			at -= stride[r] * size[r]
			index[r] = 0
		}
	}
}

func evalDiagonal[T number | bool](c *graph.Call) error {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	c.Attr.(diagonalAttr).walkDiagonal(c.In[0].Shape, c.Out[0], func(i, at int) { dst[i] = x[at] })
	return nil
}

func evalDiagEmbed[T number | bool](c *graph.Call) error {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	clear(dst)
	c.Attr.(embedAttr).Diagonal.walkDiagonal(c.Out[0].Shape, c.In[0], func(i, at int) { dst[at] = x[i] })
	return nil
}

func init() {
	define(DiagonalDef, graph.Def{
		Name: "diagonal",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			d, shape := attr.(diagonalAttr), in[0].Shape
			if max(d.A, d.B) >= len(shape) || d.A == d.B {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "axes %d and %d are not two of %v", d.A, d.B, shape)
			}
			out := graph.TypeOf(in[0].DType)
			for axis, size := range shape {
				if axis != d.A && axis != d.B {
					out.Shape = append(out.Shape, size)
				}
			}
			out.Shape = append(out.Shape, d.length(shape[d.A], shape[d.B]))
			return out, nil
		},
		Eval: anyType(evalDiagonal[float32], evalDiagonal[float64], evalDiagonal[int32], evalDiagonal[int64], evalDiagonal[bool]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			d, shape := n.Attr().(diagonalAttr), n.In(0).Shape()
			return []*graph.Node{graph.Apply(DiagEmbedDef, embedAttr{d, shape[d.A], shape[d.B]}, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: diagonalAttr{0, 0, 1}, In: []graph.Operand{floats(3, 3)}},
				{Attr: diagonalAttr{1, 0, 1}, In: []graph.Operand{floats(2, 4)}},
				{Attr: diagonalAttr{-1, 2, 0}, In: []graph.Operand{floats(3, 2, 2)}},
				{Attr: diagonalAttr{0, 1, 3}, In: []graph.Operand{floats(2, 3, 1, 2)}},
				{Attr: diagonalAttr{5, 0, 1}, In: []graph.Operand{floats(2, 3)}},
				{Attr: diagonalAttr{0, 0, 1}, In: []graph.Operand{floats(2, 2, 0)}},
			}
		},
	})
	define(DiagEmbedDef, graph.Def{
		Name: "diagembed",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a, shape := attr.(embedAttr), in[0].Shape
			d, rank := a.Diagonal, len(shape)+1
			if len(shape) == 0 || d.A == d.B || max(d.A, d.B) >= rank {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "takes vectors to put on a diagonal, not %v", in[0])
			}
			if err := sameDim(shape[rank-2], d.length(a.Rows, a.Cols), func() string { return "the elements and the diagonal" }); err != nil {
				return graph.Type{}, err
			}
			out := graph.TypeOf(in[0].DType)
			rest := slices.Clone(shape[:rank-2])
			for axis := range rank {
				switch axis {
				case d.A:
					out.Shape = append(out.Shape, a.Rows)
				case d.B:
					out.Shape = append(out.Shape, a.Cols)
				default:
					out.Shape, rest = append(out.Shape, rest[0]), rest[1:]
				}
			}
			return out, nil
		},
		Eval: anyType(evalDiagEmbed[float32], evalDiagEmbed[float64], evalDiagEmbed[int32], evalDiagEmbed[int64], evalDiagEmbed[bool]),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{graph.Apply(DiagonalDef, n.Attr().(embedAttr).Diagonal, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: embedAttr{diagonalAttr{0, 0, 1}, 3, 3}, In: []graph.Operand{floats(3)}},
				{Attr: embedAttr{diagonalAttr{-2, 1, 2}, 4, 4}, In: []graph.Operand{floats(3, 2)}},
				{Attr: embedAttr{diagonalAttr{1, 2, 0}, 2, 4}, In: []graph.Operand{floats(2, 2)}},
				{Attr: embedAttr{diagonalAttr{0, 1, 2}, 1, 1}, In: []graph.Operand{floats(2, 1)}},
				{Attr: embedAttr{diagonalAttr{0, 0, 1}, 0, 0}, In: []graph.Operand{floats(0)}},
			}
		},
	})
}
