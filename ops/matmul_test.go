package ops_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
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

// What follows the products of a batch, and is computed tile by tile, agrees with the plain program: biases, activations, and pointwise
// operators with operands that are full, rows, columns, scalars or repeated over part of the batch; and so do all gradients.
func TestWhatFollowsABatchOfProducts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 2, 5, 33})
		m, k, n := size.Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
		batch := rapid.SliceOfN(rapid.SampledFrom([]int{2, 3, 1, 17}), 1, 2).Draw(t, "batch")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		draw := func(shape []int) graph.Array { // no sum of products hits a kink, where rounding would decide
			a := graph.NewArray(graph.Float64, shape...)
			for i := range a.Len() {
				a.SetAt(i, random.NormFloat64())
			}
			return a
		}
		pick := func(label string, shape []int) graph.Array { // repeats along some of the dimensions
			own := slices.Clone(shape[rapid.IntRange(0, len(shape)).Draw(t, label+" lacks"):])
			for i := range own {
				if rapid.IntRange(0, 3).Draw(t, label+" repeats") == 0 {
					own[i] = 1
				}
			}
			return draw(own)
		}
		left := append(slices.Clone(batch), m, k)
		right := append(slices.Clone(batch[rapid.IntRange(0, len(batch)).Draw(t, "right lacks"):]), k, n)
		full := append(slices.Clone(batch), m, n)
		fed := []graph.Array{draw(left), draw(right)}
		for range 4 {
			fed = append(fed, pick("operand", full))
		}
		turn := rapid.SliceOfN(rapid.Bool(), 2, 2).Draw(t, "transposed")
		steps := rapid.SliceOfN(rapid.IntRange(0, 7), 0, 5).Draw(t, "steps")
		e := express(func(x []*graph.Node) []*graph.Node {
			sides := slices.Clone(x[:2])
			for i, s := range sides {
				if turn[i] { // the elements of the operand, as those of a transpose
					last := len(s.Shape()) - 1
					s = ops.Reshape(s, append(slices.Clone(s.Shape()[:last-1]), s.Shape()[last], s.Shape()[last-1])...)
					sides[i] = ops.SwapAxes(s, -1, -2)
				}
			}
			y := ops.MatMul(sides[0], sides[1])
			for i, step := range steps {
				other := x[2+i%4]
				switch step {
				case 0, 1:
					y = ops.Add(y, other)
				case 2:
					y = ops.Tanh(y)
				case 3:
					y = ops.ReLU(y)
				case 4:
					y = ops.Mul(other, y)
				case 5:
					y = ops.Select(ops.Greater(y, ops.ZerosLike(y)), y, ops.Scale(y, 0.1))
				case 6:
					y = ops.Sub(ops.Sigmoid(y), other)
				case 7:
					y = ops.Add(ops.Tanh(y), ops.Scale(y, 0.5))
				}
			}
			return append([]*graph.Node{y}, autodiff.Options{AllowUnused: true}.Grad(ops.Sum(ops.Square(y)), x...)...)
		}, fed...)
		var optional []string
		for _, p := range vm.Passes() {
			if p.Optional {
				optional = append(optional, p.Name)
			}
		}
		want, err := e.run(optional...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.run()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			scale := 1.0
			for j := range want[i].Len() {
				scale = math.Max(scale, math.Abs(want[i].At(j)))
			}
			for j := range want[i].Len() {
				if d := math.Abs(got[i].At(j) - want[i].At(j)); !(d <= 1e-12*scale) {
					t.Fatalf("result %d, element %d: %v, plain %v", i, j, got[i].At(j), want[i].At(j))
				}
			}
		}
	})
}

// Products of a batch that are large enough to be cut into parts themselves.
func TestABatchOfLargeProducts(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	var fed []graph.Array
	for _, shape := range [][]int{{3, 200, 180}, {3, 180, 150}, {150}, {3, 200, 150}} {
		a := graph.NewArray(graph.Float64, shape...)
		for i := range a.Len() {
			a.SetAt(i, random.NormFloat64())
		}
		fed = append(fed, a)
	}
	e := express(func(x []*graph.Node) []*graph.Node {
		y := ops.Mul(ops.ReLU(ops.Add(ops.MatMul(x[0], x[1]), x[2])), x[3])
		hidden := ops.MatMul(ops.ReLU(y), ops.SwapAxes(x[1], 1, 2))
		return append([]*graph.Node{y, hidden}, autodiff.Grad(ops.Sum(ops.Square(hidden)), x...)...)
	}, fed...)
	got, err := e.run()
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.run("gemm", "affine", "epilogue")
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		scale := 1.0
		for j := range want[i].Len() {
			scale = math.Max(scale, math.Abs(want[i].At(j)))
		}
		for j := range want[i].Len() {
			if d := math.Abs(got[i].At(j) - want[i].At(j)); !(d <= 1e-13*scale) {
				t.Fatalf("result %d, element %d: %v, plain %v", i, j, got[i].At(j), want[i].At(j))
			}
		}
	}
}
