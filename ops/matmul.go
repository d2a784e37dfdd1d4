package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// MatMulDef is the definition of the matrix product of operands that have at least two dimensions.
var MatMulDef = new(graph.Def)

// MatMul returns the matrix product a·b by NumPy's rules: a: (…, m, k) and b: (…, k, n) give (…, m, n), where the dimensions before
// the last two, the batch, broadcast. A vector on the left is a row, one on the right a column, and the dimension that this adds is
// dropped again: (k)·(…, k, n) is (…, n), (…, m, k)·(k) is (…, m), and (k)·(k) a scalar. A sum of no products is 0.
//
// The compiler reads transposed operands where they are. If b has no batch, (…, m, k)·(k, n) is one large product.
func MatMul(a, b *graph.Node) *graph.Node {
	if a.Err() != nil || b.Err() != nil || a.Type().IsTuple() || b.Type().IsTuple() {
		return graph.Apply(MatMulDef, nil, a, b)
	}
	left, right := a.Shape(), b.Shape()
	vectorLeft, vectorRight := len(left) == 1, len(right) == 1
	if !vectorLeft && !vectorRight || len(left) == 0 || len(right) == 0 {
		return graph.Apply(MatMulDef, nil, a, b)
	}
	inner := right[max(len(right)-2, 0)]
	if err := sameInner(left, right, left[len(left)-1], inner); err != nil {
		return graph.Invalid(err, "matmul("+a.Name()+", "+b.Name()+")", a, b)
	}
	if vectorLeft {
		a = Reshape(a, 1, left[0])
	}
	if vectorRight {
		b = Reshape(b, right[0], 1)
	}
	y := graph.Apply(MatMulDef, nil, a, b)
	if y.Err() != nil {
		return y
	}
	shape := y.Shape()
	rank := len(shape)
	switch {
	case vectorLeft && vectorRight:
		return Reshape(y)
	case vectorLeft:
		return Reshape(y, append(append(graph.Shape(nil), shape[:rank-2]...), shape[rank-1])...)
	}
	return Reshape(y, shape[:rank-1]...)
}

// Affine returns x·w + b for x: (…, in), w: (in, out) and b: (out), or x·w if b is nil. It is a composition; the compiler
// makes it, and an activation that follows, one instruction, whatever number of dimensions x has.
func Affine(x, w, b *graph.Node) *graph.Node {
	if b == nil {
		return MatMul(x, w)
	}
	return Add(MatMul(x, w), b)
}

// sameInner fails unless the dimensions that a product of shapes a and b sums over are known to be equal.
func sameInner(a, b graph.Shape, columns, rows graph.Dim) error {
	switch columns.Equal(rows) {
	case graph.No:
		hint := ""
		if len(a) >= 2 && len(b) >= 2 {
			if columns == b[len(b)-1] {
				hint = "; transposing the second operand would fit"
			} else if a[len(a)-2] == rows {
				hint = "; transposing the first operand would fit"
			}
		}
		return graph.Errorf(graph.ErrShape, "inner dimensions differ: %v · %v; columns of the first (%v) must equal rows of the second (%v)%s", a, b, columns, rows, hint)
	case graph.Unknown:
		return graph.Errorf(graph.ErrShape, "inner dimensions may differ: %v · %v; if they are equal, say so with ops.AssertDim(x, axis, %v)", a, b, rows)
	}
	return nil
}

// swapLast transposes the last two dimensions.
func swapLast(x *graph.Node) *graph.Node {
	perm := identity(len(x.Shape()))
	if n := len(perm); n >= 2 {
		perm[n-2], perm[n-1] = n-1, n-2
	}
	return Transpose(x, perm...)
}

func identity(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	return perm
}

// rowsOf sees x as the matrix of its last dimension.
func rowsOf(x *graph.Node) *graph.Node {
	s := x.Shape()
	return Reshape(x, s[:len(s)-1].Size(), s[len(s)-1])
}

func init() {
	define(MatMulDef, graph.Def{
		Name: "matmul",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 2); err != nil {
				return graph.Type{}, err
			}
			a, b := in[0], in[1]
			for _, t := range in {
				if !t.DType.IsFloat() {
					return graph.Type{}, graph.Errorf(graph.ErrDType, "needs float32 or float64, not %v; convert with ops.Cast", t)
				}
				if t.Shape.Rank() < 2 {
					return graph.Type{}, graph.Errorf(graph.ErrShape, "takes two matrices, but one operand has shape %v; ops.Reshape gives it two dimensions", t.Shape)
				}
			}
			if a.DType != b.DType {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "element types differ: %v and %v; convert one with ops.Cast(x, graph.%s)", a, b, goName(a.DType))
			}
			p, q := a.Shape.Rank()-2, b.Shape.Rank()-2
			if err := sameInner(a.Shape, b.Shape, a.Shape[p+1], b.Shape[q]); err != nil {
				return graph.Type{}, err
			}
			batch, err := BroadcastShapes(a.Shape[:p], b.Shape[:q])
			if err != nil {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "the batches of %v · %v: %v", a.Shape, b.Shape, err)
			}
			return graph.TypeOf(a.DType, append(batch, a.Shape[p], b.Shape[q+1])...), nil
		},
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				evalMatMul[float32](c)
			} else {
				evalMatMul[float64](c)
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { // dA = dY·Bᵀ, dB = Aᵀ·dY, summed over what was repeated
			a, b := n.In(0), n.In(1)
			da := sumLike(MatMul(dy, swapLast(b)), a)
			if len(b.Shape()) == 2 { // the sum over the batch is part of the product
				return []*graph.Node{da, MatMul(swapLast(rowsOf(a)), rowsOf(dy))}
			}
			return []*graph.Node{da, sumLike(MatMul(swapLast(a), dy), b)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{In: []graph.Operand{floats(2, 3), floats(3, 4)}},
				{In: []graph.Operand{floats(1, 5), floats(5, 1)}},
				{In: []graph.Operand{floats(3, 1), floats(1, 2)}},
				{In: []graph.Operand{floats(2, 0), floats(0, 3)}},
				{In: []graph.Operand{floats(0, 2), floats(2, 3)}},
				{In: []graph.Operand{floats(2, 3, 2), floats(2, 2)}},
				{In: []graph.Operand{floats(3, 2), floats(2, 2, 3)}},
				{In: []graph.Operand{floats(2, 1, 2, 3), floats(3, 3, 2)}},
				{In: []graph.Operand{floats(1, 2, 2), floats(2, 2, 1)}},
				{In: []graph.Operand{floats(0, 2, 2), floats(2, 3)}},
				{In: []graph.Operand{floats(2, 2, 0), floats(0, 3)}},
			}
		},
	})
}

// evalMatMul is the plain product in a fixed order, the yardstick of the compiled form: row i of the result gathers rows of b.
func evalMatMul[T kernel.Float](c *graph.Call) {
	a, b, out := graph.Elements[T](c.In[0]), graph.Elements[T](c.In[1]), graph.Elements[T](c.Out[0])
	shape := c.Out[0].Shape
	rank := len(shape)
	m, n, k := shape[rank-2], shape[rank-1], c.In[1].Shape[len(c.In[1].Shape)-2]
	clear(out)
	for e := 0; len(out) > 0; e++ {
		x, y := a[batchElement(e, shape, c.In[0].Shape)*m*k:], b[batchElement(e, shape, c.In[1].Shape)*k*n:]
		for i := range m {
			row := out[i*n : (i+1)*n]
			for l, u := range x[i*k : (i+1)*k] {
				for j, v := range y[l*n : (l+1)*n] {
					row[j] += u * v
				}
			}
		}
		out = out[m*n:]
	}
}

// batchElement returns which matrix of an operand belongs to matrix e of the result: dimensions of size 1 repeat.
func batchElement(e int, result, operand []int) int {
	at, stride := 0, 1
	for i := 3; i <= len(operand); i++ {
		size := result[len(result)-i]
		if own := operand[len(operand)-i]; own != 1 {
			at += e % size * stride
			stride *= own
		}
		e /= size
	}
	return at
}
