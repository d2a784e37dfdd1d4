package ops_test

import (
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// quarters are values whose products and sums are exact, so that every order of summation gives the same bits.
var quarters = rapid.Map(rapid.IntRange(-8, 8), func(i int) float64 { return float64(i) / 4 })

// dotAt is element i of the product of matrices a and b, whose batches broadcast.
func dotAt(a, b graph.Array, i []int) (s float64) {
	r := len(i)
	for l := range a.Shape[len(a.Shape)-1] {
		s += at(a, append(slices.Clone(i[:r-1]), l)...) * at(b, append(slices.Clone(i[:r-2]), l, i[r-1])...)
	}
	return s
}

// widen puts dimensions of size 1 before or after a vector, so that it is a matrix.
func widen(a graph.Array, column bool) graph.Array {
	if len(a.Shape) > 1 {
		return a
	}
	if column {
		return a.As([]int{a.Shape[0], 1})
	}
	return a.As([]int{1, a.Shape[0]})
}

func TestMatMul(t *testing.T) {
	for _, dtype := range floatTypes {
		rapid.Check(t, func(t *rapid.T) {
			size := rapid.SampledFrom([]int{0, 1, 2, 3, 7, 17})
			m, k, n := size.Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
			a, b := drawArray(t, "a", dtype, []int{m, k}, quarters), drawArray(t, "b", dtype, []int{k, n}, quarters)
			c := drawArray(t, "c", dtype, []int{n}, quarters)
			dot := func(i []int) float64 { return dotAt(a, b, i) }
			out, err := express(func(x []*graph.Node) []*graph.Node {
				return []*graph.Node{ops.MatMul(x[0], x[1]), ops.Affine(x[0], x[1], x[2]), ops.Affine(x[0], x[1], nil),
					ops.MatMul(ops.Transpose(x[1]), ops.Transpose(x[0]))}
			}, a, b, c).run()
			if err != nil {
				t.Fatal(err)
			}
			same(t, "matmul", out[0], dtype, []int{m, n}, 1, dot)
			same(t, "affine", out[1], dtype, []int{m, n}, 1, func(i []int) float64 { return dot(i) + c.At(i[1]) })
			same(t, "affine without bias", out[2], dtype, []int{m, n}, 1, dot)
			same(t, "transposed", out[3], dtype, []int{n, m}, 1, func(i []int) float64 { return dot([]int{i[1], i[0]}) })
		})
	}
}

// Batches broadcast, vectors are rows on the left and columns on the right; with all passes and with none of the optional ones, and
// by the kernel's direct path and by its plans.
func TestMatMulOfBatchesAndVectors(t *testing.T) {
	for _, dtype := range floatTypes {
		rapid.Check(t, func(t *rapid.T) {
			size := rapid.SampledFrom([]int{1, 2, 0, 3, 9, 40})
			m, k, n := size.Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
			batch := rapid.SliceOfN(rapid.SampledFrom([]int{2, 3, 1, 0}), 0, 3).Draw(t, "batch")
			operand := func(label string, rows, cols int, vector int) graph.Array {
				if rapid.IntRange(0, 4).Draw(t, label+" is a vector") == 0 {
					return drawArray(t, label, dtype, []int{vector}, quarters)
				}
				own := slices.Clone(batch[rapid.IntRange(0, len(batch)).Draw(t, label+" lacks"):])
				for i := range own {
					if rapid.IntRange(0, 2).Draw(t, label+" repeats") == 0 {
						own[i] = 1
					}
				}
				return drawArray(t, label, dtype, append(own, rows, cols), quarters)
			}
			a, b := operand("a", m, k, k), operand("b", k, n, k)
			wideA, wideB := widen(a, false), widen(b, true)
			outer := resultShape(graph.Array{Shape: wideA.Shape[:len(wideA.Shape)-2]}, graph.Array{Shape: wideB.Shape[:len(wideB.Shape)-2]})
			full := append(slices.Clone(outer), wideA.Shape[len(wideA.Shape)-2], wideB.Shape[len(wideB.Shape)-1])
			shape := slices.Clone(outer)
			if len(a.Shape) > 1 {
				shape = append(shape, m)
			}
			if len(b.Shape) > 1 {
				shape = append(shape, n)
			}
			e := express(func(x []*graph.Node) []*graph.Node {
				turned := func(x *graph.Node) *graph.Node { // a transpose of a transpose that no rule sees through
					if r := len(x.Shape()); r > 1 {
						perm := make([]int, r)
						for i := range perm {
							perm[i] = i
						}
						perm[r-1], perm[r-2] = r-2, r-1
						return ops.Transpose(ops.Add(ops.Transpose(x, perm...), ops.ZerosLike(ops.Transpose(x, perm...))), perm...)
					}
					return x
				}
				return []*graph.Node{ops.MatMul(x[0], x[1]), ops.MatMul(turned(x[0]), turned(x[1]))}
			}, a, b)
			for _, without := range [][]string{nil, {"gemm", "affine"}} {
				out, err := e.run(without...)
				if err != nil {
					t.Fatal(err)
				}
				for i, what := range []string{"matmul", "transposed"} {
					got := out[i]
					if !slices.Equal(got.Shape, shape) {
						t.Fatalf("%s of %v and %v has shape %v, want %v", what, a.Shape, b.Shape, got.Shape, shape)
					}
					same(t, what, got.As(full), dtype, full, 1, func(i []int) float64 { return dotAt(wideA, wideB, i) })
				}
			}
		})
	}
}

// One graph with a symbolic batch serves every size, also of a batch of products.
func TestMatMulOfSymbolicBatches(t *testing.T) {
	batch, time := graph.Symbol("batch"), graph.Symbol("time")
	g := graph.New()
	x, y := g.Input("x", graph.Float64, batch, time, 4), g.Input("y", graph.Float64, batch, 1, 4, 3)
	w, b := g.Input("w", graph.Float64, 4, 3), g.Input("b", graph.Float64, 3)
	nodes := []*graph.Node{ops.Affine(x, w, b), ops.MatMul(x, ops.Transpose(x, 0, 2, 1)), ops.MatMul(ops.Reshape(x, batch, 1, time, 4), y), ops.MatMul(x, g.Constant([]float64{1, 2, 3, 4}))}
	loss := ops.AddN(ops.Sum(ops.Square(nodes[0])), ops.Sum(nodes[1]), ops.Sum(ops.Square(nodes[2])), ops.Sum(nodes[3]))
	square := ops.MatMul(ops.Tanh(x), ops.Transpose(x, 0, 2, 1))
	nodes = append(nodes, ops.Add(ops.ReLU(square), ops.Tanh(square)), ops.Mul(ops.Sigmoid(ops.MatMul(x, ops.Transpose(ops.Exp(x), 0, 2, 1))), ops.SumKeep(x, 2)))
	nodes = append(nodes, autodiff.Grad(loss, x, w, b, y)...)
	atSizes(t, nodes, []*graph.Node{x, y, w, b}, []graph.Binding{{batch: 2, time: 5}, {batch: 1, time: 1}, {batch: 0, time: 3}, {batch: 7, time: 20}, {batch: 3, time: 0}})
}
