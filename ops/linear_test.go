package ops_test

import (
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// Operators that are linear in an operand, with their transposes as autodiff makes them: ⟨Ax, y⟩ = ⟨x, Aᵀy⟩, exactly, because values are small
// integers; and the transpose of the transpose is the operator.
func TestLinearOperatorsAndTheirTransposes(t *testing.T) {
	for _, c := range linearOperators {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				build, inputs := c.draw(t)
				integers := rapid.SampledFrom([]float64{-2, -1, 0, 1, 2, 3})
				dtype := rapid.SampledFrom(floatTypes).Draw(t, "dtype")
				var operands []graph.Array
				for _, shape := range inputs {
					operands = append(operands, drawArray(t, "x", dtype, shape, integers))
				}
				ax := compute(t, build, operands...)
				y := drawArray(t, "y", dtype, ax.Shape, integers)
				out, err := express(func(x []*graph.Node) []*graph.Node {
					k := len(x) - 1
					f := build(x[:k])
					at := autodiff.VJP(f, x[k], x[0])[0]
					again := autodiff.VJP(at, x[0], x[k])[0] // Aᵀ is linear in y, and its transpose is A
					return []*graph.Node{at, again}
				}, append(slices.Clone(operands), y)...).run()
				if err != nil {
					t.Fatalf("%v", err)
				}
				left, right := dotOf(ax, y), dotOf(operands[0], out[0])
				if left != right {
					t.Errorf("⟨Ax, y⟩ = %v but ⟨x, Aᵀy⟩ = %v", left, right)
				}
				same(t, "(Aᵀ)ᵀx", out[1], dtype, ax.Shape, 1, func(i []int) float64 { return ax.At(position(ax.Shape, i)) })
			})
		})
	}
}

func dotOf(a, b graph.Array) (sum float64) {
	for i := range a.Len() {
		sum += a.At(i) * b.At(i)
	}
	return sum
}

type linearOperator struct {
	name string
	// draw returns the operator, linear in its first operand, and the shapes of its operands.
	draw func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int)
}

var linearOperators = []linearOperator{
	{"slice", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		shape := drawShape(t, "shape", 1)
		axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		_, start := drawBound(t, "start", shape[axis])
		_, stop := drawBound(t, "stop", shape[axis])
		step := rapid.SampledFrom([]int{1, -1, 2, -3}).Draw(t, "step")
		return func(x []*graph.Node) *graph.Node { return ops.Flip(ops.SliceStep(x[0], axis, start, stop, step), 0) }, [][]int{shape}
	}},
	{"pad", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		before, after := rapid.IntRange(0, 2).Draw(t, "before"), rapid.IntRange(0, 2).Draw(t, "after")
		mode := rapid.SampledFrom([]func(*graph.Node, ...[2]int) *graph.Node{ops.PadReflect, ops.PadEdge, ops.PadCircular,
			func(x *graph.Node, m ...[2]int) *graph.Node { return ops.Pad(x, 0, m...) }}).Draw(t, "mode")
		return func(x []*graph.Node) *graph.Node { return mode(x[0], [2]int{before, after}) }, [][]int{{3, 4}}
	}},
	{"concat", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		shape := drawShape(t, "shape", 1)
		axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		return func(x []*graph.Node) *graph.Node { return ops.Concat(axis, x[0], ops.Flip(x[0]), x[0]) }, [][]int{shape}
	}},
	{"split", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		shape := slices.Insert(drawShape(t, "shape", 0), 0, 5)
		cut := rapid.IntRange(0, 5).Draw(t, "cut")
		return func(x []*graph.Node) *graph.Node {
			parts := ops.SplitSizes(x[0], 0, graph.Dim(cut), -1)
			return ops.Concat(0, parts[1], parts[0], parts[1])
		}, [][]int{shape}
	}},
	{"take", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		index := drawIndices(t, []int{rapid.IntRange(0, 4).Draw(t, "picks")}, -3, 2)
		return func(x []*graph.Node) *graph.Node { return ops.Take(x[0], x[0].Graph().Constant(index), 1) }, [][]int{{2, 3, 2}}
	}},
	{"tile and repeat", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		shape := drawShape(t, "shape", 1)
		n := graph.Dim(rapid.IntRange(0, 3).Draw(t, "n"))
		return func(x []*graph.Node) *graph.Node { return ops.Tile(ops.Repeat(x[0], n, -1), 2, 1) }, [][]int{shape}
	}},
	{"triangle", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
		k := rapid.IntRange(-4, 4).Draw(t, "k")
		return func(x []*graph.Node) *graph.Node { return ops.Concat(0, ops.Tril(x[0], k), ops.Triu(x[0], k)) }, [][]int{{2, 3, 4}}
	}},
}
