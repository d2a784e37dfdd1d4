package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// MatMulDef is the definition of the matrix product.
var MatMulDef = new(graph.Def)

// MatMul returns the matrix product a·b of a: (m, k) and b: (k, n), which is (m, n).
func MatMul(a, b *graph.Node) *graph.Node { return graph.Apply(MatMulDef, nil, a, b) }

// Affine returns x·w + b for x: (batch, in), w: (in, out) and b: (out), or x·w if b is nil. It is a composition; the compiler
// makes it, and an activation that follows, one instruction.
func Affine(x, w, b *graph.Node) *graph.Node {
	if b == nil {
		return MatMul(x, w)
	}
	return Add(MatMul(x, w), b)
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
				if t.Shape.Rank() != 2 {
					return graph.Type{}, graph.Errorf(graph.ErrShape, "takes two matrices, but one operand has shape %v; ops.Reshape gives it two dimensions", t.Shape)
				}
			}
			if a.DType != b.DType {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "element types differ: %v and %v; convert one with ops.Cast(x, graph.%s)", a, b, goName(a.DType))
			}
			switch a.Shape[1].Equal(b.Shape[0]) {
			case graph.No:
				hint := ""
				if a.Shape[1] == b.Shape[1] {
					hint = "; transposing the second operand would fit"
				} else if a.Shape[0] == b.Shape[0] {
					hint = "; transposing the first operand would fit"
				}
				return graph.Type{}, graph.Errorf(graph.ErrShape, "inner dimensions differ: %v · %v; columns of the first (%v) must equal rows of the second (%v)%s", a.Shape, b.Shape, a.Shape[1], b.Shape[0], hint)
			case graph.Unknown:
				return graph.Type{}, graph.Errorf(graph.ErrShape, "inner dimensions may differ: %v · %v; if they are equal, say so with ops.AssertDim(x, axis, %v)", a.Shape, b.Shape, b.Shape[0])
			}
			return graph.TypeOf(a.DType, a.Shape[0], b.Shape[1]), nil
		},
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				evalMatMul[float32](c)
			} else {
				evalMatMul[float64](c)
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { // dA = dY·Bᵀ, dB = Aᵀ·dY
			a, b := n.In(0), n.In(1)
			return []*graph.Node{MatMul(dy, Transpose(b)), MatMul(Transpose(a), dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{In: []graph.Operand{floats(2, 3), floats(3, 4)}},
				{In: []graph.Operand{floats(1, 5), floats(5, 1)}},
				{In: []graph.Operand{floats(3, 1), floats(1, 2)}},
				{In: []graph.Operand{floats(2, 0), floats(0, 3)}},
				{In: []graph.Operand{floats(0, 2), floats(2, 3)}},
			}
		},
	})
}

// evalMatMul is the plain product in a fixed order, the yardstick of the compiled form: row i of the result gathers rows of b.
func evalMatMul[T kernel.Float](c *graph.Call) {
	a, b, out := graph.Elements[T](c.In[0]), graph.Elements[T](c.In[1]), graph.Elements[T](c.Out[0])
	k, n := c.In[1].Shape[0], c.In[1].Shape[1]
	clear(out)
	for i := range c.Out[0].Shape[0] {
		row := out[i*n : (i+1)*n]
		for l, x := range a[i*k : (i+1)*k] {
			for j, y := range b[l*n : (l+1)*n] {
				row[j] += x * y
			}
		}
	}
}
