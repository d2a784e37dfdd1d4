package ops_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// einsum is the formula by nested loops over all its letters.
func einsum(formula string, operands ...graph.Array) (shape []int, values []float64) {
	left, out, _ := strings.Cut(formula, "->")
	parts := strings.Split(left, ",")
	size := map[rune]int{}
	var letters []rune
	for k, part := range parts {
		for i, l := range part {
			if n, ok := size[l]; !ok || n == 1 {
				size[l] = operands[k].Shape[i]
			}
			if !slices.Contains(letters, l) && !strings.ContainsRune(out, l) {
				letters = append(letters, l)
			}
		}
	}
	var all []int
	for _, l := range out {
		shape, all = append(shape, size[l]), append(all, size[l])
	}
	for _, l := range letters {
		all = append(all, size[l])
	}
	letters = append([]rune(out), letters...)
	n := 1
	for _, s := range shape {
		n *= s
	}
	values = make([]float64, n)
	each(all, func(_ int, index []int) {
		p := 1.0
		for k, part := range parts {
			var own []int
			for _, l := range part {
				own = append(own, index[slices.Index(letters, l)])
			}
			p *= at(operands[k], own...)
		}
		values[position(shape, index[:len(out)])] += p
	})
	return shape, values
}

// Any formula of one to three operands, with repeated letters, dimensions of size 1 and 0, agrees with nested loops; with all passes
// and with none of those that make products fast.
func TestEinsum(t *testing.T) {
	for _, dtype := range floatTypes {
		rapid.Check(t, func(t *rapid.T) {
			size := map[rune]int{}
			for _, l := range "abcde" {
				size[l] = rapid.SampledFrom([]int{2, 3, 1, 4, 0}).Draw(t, string(l))
			}
			var parts []string
			var operands []graph.Array
			var used []rune
			for k := range rapid.IntRange(1, 3).Draw(t, "operands") {
				letters := rapid.SliceOfN(rapid.SampledFrom([]rune("abcde")), 0, 4).Draw(t, "letters")
				var shape []int
				for i, l := range letters {
					n := size[l]
					if !slices.Contains(letters[:i], l) && !slices.Contains(letters[i+1:], l) && rapid.IntRange(0, 5).Draw(t, "repeats") == 0 {
						n = 1
					}
					shape = append(shape, n)
					if !slices.Contains(used, l) {
						used = append(used, l)
					}
				}
				parts = append(parts, string(letters))
				operands = append(operands, drawArray(t, fmt.Sprint("x", k), dtype, shape, quarters))
			}
			out := rapid.Permutation(used).Draw(t, "order")
			formula := strings.Join(parts, ",") + "->" + string(out[:rapid.IntRange(0, len(out)).Draw(t, "kept")])
			shape, want := einsum(formula, operands...)
			e := express(func(x []*graph.Node) []*graph.Node { return []*graph.Node{ops.Einsum(formula, x...)} }, operands...)
			if err := e.outs[0].Err(); err != nil {
				t.Fatal(err)
			}
			for _, without := range [][]string{nil, {"gemm", "affine"}} {
				got, err := e.run(without...)
				if err != nil {
					t.Fatalf("%s: %v", formula, err)
				}
				same(t, formula, got[0], dtype, shape, 1, func(i []int) float64 { return want[position(shape, i)] })
			}
		})
	}
}

// Formulas with the output left out, an ellipsis, or spaces mean what they mean in full.
func TestEinsumForms(t *testing.T) {
	for _, c := range []struct {
		formula, full string
		shapes        [][]int
	}{
		{"ij,jk", "ij,jk->ik", [][]int{{2, 3}, {3, 4}}},
		{"b a", "ba->ab", [][]int{{2, 3}}},
		{"ii", "ii->", [][]int{{3, 3}}},
		{" ij , kj -> ik ", "ij,kj->ik", [][]int{{2, 3}, {4, 3}}},
		{"...ij,...jk->...ik", "abij,abjk->abik", [][]int{{2, 3, 2, 3}, {2, 3, 3, 2}}},
		{"...ij,...jk", "abij,bjk->abik", [][]int{{2, 3, 2, 3}, {3, 3, 2}}},
		{"...ij,jk->...ik", "abij,jk->abik", [][]int{{2, 3, 2, 3}, {3, 2}}},
		{"i...->...i", "iab->abi", [][]int{{2, 3, 4}}},
		{"i...->i", "iab->i", [][]int{{2, 3, 4}}},
		{"...,...->...", "ab,ab->ab", [][]int{{2, 3}, {2, 3}}},
		{"...ii->...i", "aii->ai", [][]int{{2, 3, 3}}},
		{"...i,...i->...", "i,i->", [][]int{{3}, {3}}},
		{"ij,jk,kl->il", "ij,jk,kl->il", [][]int{{2, 3}, {3, 4}, {4, 2}}},
		{"a,b,c->cab", "a,b,c->cab", [][]int{{2}, {3}, {4}}},
		{",ij->ji", ",ij->ji", [][]int{nil, {2, 3}}},
		{"ij,ij,i->j", "ij,ij,i->j", [][]int{{2, 3}, {1, 3}, {2}}},
		{"bd,bdac->ad", "bd,bdac->ad", [][]int{{0, 2}, {0, 2, 2, 2}}}, // sums of nothing, of operands that are read permuted
	} {
		var operands []graph.Array
		for k, s := range c.shapes {
			n := 1
			for _, d := range s {
				n *= d
			}
			a := graph.NewArray(graph.Float64, s...)
			for i := range n {
				a.SetAt(i, float64((i*7+k*3)%11-5))
			}
			operands = append(operands, a)
		}
		shape, want := einsum(c.full, operands...)
		got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Einsum(c.formula, x...) }, operands...)
		same(t, c.formula, got, graph.Float64, shape, 1, func(i []int) float64 { return want[position(shape, i)] })
		gradcheck.Test(t, func(x []*graph.Node) *graph.Node { return ops.Einsum(c.formula, x...) }, anys(operands)...)
	}
}

func anys(list []graph.Array) (out []any) {
	for _, a := range list {
		out = append(out, a)
	}
	return out
}

// What a formula cannot mean is an invalid node that says why.
func TestEinsumMistakes(t *testing.T) {
	g := graph.New()
	n, m := graph.Symbol("n"), graph.Symbol("m")
	a, s, r := g.Input("a", graph.Float64, 2, 3), g.Input("s", graph.Float64, n), g.Input("r", graph.Float64, m)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Einsum("ij,jk->ik", a), "is about 2 operands, but there are 1"},
		{ops.Einsum("ij,jk->ik", a, a), "the dimensions j of (2, 3) and (2, 3) do not fit: 3 is not 2"},
		{ops.Einsum("ijk->i", a), "names 3 dimensions, but its operand has 2"},
		{ops.Einsum("...ijk->i", a), "more than the 2 dimensions"},
		{ops.Einsum("ij->k", a), "which no operand has"},
		{ops.Einsum("ij->ii", a), "twice"},
		{ops.Einsum("i1->i", a), "is no letter"},
		{ops.Einsum("ii->i", a), "the dimensions i of (2, 3) do not fit"},
		{ops.Einsum("i,i->i", s, r), "ops.AssertDim"},
		{ops.Einsum("ij->i", ops.Tuple(a, s)), "ops.Get"},
		{ops.TensorDot(a, a, []int{0}, []int{1}), "do not fit"},
		{ops.TensorDot(a, a, []int{0, 0}, []int{0, 0}), "named twice"},
		{ops.TensorDot(a, a, []int{0}, nil), "come in pairs"},
		{ops.TensorDot(a, a, []int{2}, []int{0}), "axis 2 is outside"},
		{ops.Inner(a, s), "may not fit"},
		{ops.Diagonal(a, 0, 1, -1), "both are axis 1"},
		{ops.Diagonal(a, 0, 1, 2), "axis 2 is outside"},
		{ops.DiagEmbed(g.Full(graph.Float64, 1), 0), "takes vectors"},
		{ops.Norm(a, math.NaN()), "no NaN-norm"},
		{ops.Norm(a, 2, 3), "axis 3 is outside"},
		{ops.Einsum("ij->i", nil), "nil"},
		{ops.Dot(nil, a), "nil"},
		{ops.Trace(s), "outside"},
	} {
		if err := c.node.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "einsum_test.go:") {
			t.Errorf("error %v, want this line and %q", err, c.want)
		}
	}
}

// One graph serves all sizes: the products, diagonals and norms of symbolic shapes, and their gradients.
func TestEinsumOfSymbolicShapes(t *testing.T) {
	b, h, q := graph.Symbol("batch"), graph.Symbol("heads"), graph.Symbol("q")
	g := graph.New()
	x, y, w := g.Input("x", graph.Float64, b, q, h, 4), g.Input("y", graph.Float64, b, q, h, 4), g.Input("w", graph.Float64, h, 4, 5)
	square := g.Input("square", graph.Float64, b, q, q)
	scores := ops.Einsum("bqhd,bkhd->bhqk", x, y)
	mixed := ops.Einsum("bhqk,bkhd->bqhd", ops.Softmax(scores, -1), y)
	nodes := []*graph.Node{scores, mixed, ops.Einsum("bqhd,hde->bqe", mixed, w), ops.Trace(square), ops.Diagonal(square, 0, 1, 2), ops.L2Norm(x, 1, 3), ops.Einsum("bqhd->dq", x),
		ops.TensorDot(x, w, []int{2, 3}, []int{0, 1}), ops.Outer(ops.Reshape(square, -1), w), ops.Norm(x, 3, -1), ops.Var(x, 1, 1, 3), ops.Prod(x, 1, 3), ops.LogSumExp(x, 0, 2), ops.CumProd(x, 1)}
	var parts []*graph.Node
	for _, n := range nodes[2:] {
		parts = append(parts, ops.Sum(n))
	}
	nodes = append(nodes, autodiff.Grad(ops.AddN(parts...), x, y, w, square)...)
	atSizes(t, nodes, []*graph.Node{x, y, w, square}, []graph.Binding{{b: 2, h: 3, q: 5}, {b: 1, h: 2, q: 1}, {b: 4, h: 2, q: 7}, {b: 0, h: 1, q: 2}})
}
