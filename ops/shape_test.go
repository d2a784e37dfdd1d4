package ops_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// Dimension i of a transpose is dimension perm[i] of the operand, for ranks 0 to 4, every permutation and element type.
func TestTranspose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), drawShape(t, "shape", 0), ordinary)
		perm := make([]int, len(x.Shape))
		for i := range perm {
			perm[i] = i
		}
		perm = rapid.Permutation(perm).Draw(t, "perm")
		shape := make([]int, len(perm))
		for i, p := range perm {
			shape[i] = x.Shape[p]
		}
		want := func(index []int) float64 {
			from := make([]int, len(index))
			for i, p := range perm {
				from[p] = index[i]
			}
			return at(x, from...)
		}
		if len(perm) > 0 {
			same(t, "transpose", compute(t, func(n []*graph.Node) *graph.Node { return ops.Transpose(n[0], perm...) }, x), x.DType, shape, 0, want)
		}
		slices.Sort(perm)
		slices.Reverse(perm)
		for i, p := range perm {
			shape[i] = x.Shape[p]
		}
		same(t, "reversal", compute(t, func(n []*graph.Node) *graph.Node { return ops.Transpose(n[0]) }, x), x.DType, shape, 0, want)
	})
}

// Reshape keeps the row-major order; BroadcastTo repeats along new leading dimensions and those of size 1.
func TestReshapeAndBroadcast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom(allTypes).Draw(t, "dtype")
		shape := drawShape(t, "shape", 0)
		x := drawOperand(t, "x", dtype, shape, ordinary)
		dims := make([]graph.Dim, len(shape))
		for i, s := range shape {
			dims[i] = graph.Dim(s)
		}
		same(t, "broadcast", compute(t, func(n []*graph.Node) *graph.Node { return ops.BroadcastTo(n[0], dims...) }, x), dtype, shape, 0,
			func(i []int) float64 { return at(x, i...) })
		flat := compute(t, func(n []*graph.Node) *graph.Node { return ops.Reshape(n[0], -1) }, x)
		same(t, "reshape", flat, dtype, []int{x.Len()}, 0, func(i []int) float64 { return x.At(i[0]) })
		column := compute(t, func(n []*graph.Node) *graph.Node { return ops.Reshape(n[0], 1, -1, 1) }, x)
		same(t, "reshape", column, dtype, []int{1, x.Len(), 1}, 0, func(i []int) float64 { return x.At(i[1]) })
	})
}

func TestReshapeInfersSymbols(t *testing.T) {
	n, m := graph.Symbol("n"), graph.Symbol("m")
	for _, c := range []struct {
		from, to []graph.Dim
		want     string
	}{
		{[]graph.Dim{n, 6}, []graph.Dim{-1, 3}, "(2*n, 3)"},
		{[]graph.Dim{n, 6}, []graph.Dim{n, -1}, "(n, 6)"},
		{[]graph.Dim{n, 6}, []graph.Dim{n, 2, -1}, "(n, 2, 3)"},
		{[]graph.Dim{n, m}, []graph.Dim{-1}, "(m*n)"},
		{[]graph.Dim{n, m, 2}, []graph.Dim{n, -1}, "(n, 2*m)"},
		{[]graph.Dim{2, 0}, []graph.Dim{-1, 3}, "(0, 3)"},
		{[]graph.Dim{}, []graph.Dim{-1}, "(1)"},
		{[]graph.Dim{n}, []graph.Dim{-1, 2}, ""},
		{[]graph.Dim{n, 6}, []graph.Dim{m, -1}, ""},
	} {
		x := graph.New().Input("x", graph.Float32, c.from...)
		y := ops.Reshape(x, c.to...)
		switch {
		case c.want == "" && y.Err() == nil:
			t.Errorf("%v to %v: %v, want an error", x.Shape(), graph.Shape(c.to), y.Shape())
		case c.want != "" && y.Err() != nil:
			t.Errorf("%v to %v: %v", x.Shape(), graph.Shape(c.to), y.Err())
		case c.want != "" && strings.ReplaceAll(y.Shape().String(), "·", "*") != c.want:
			t.Errorf("%v to %v: %v, want %v", x.Shape(), graph.Shape(c.to), y.Shape(), c.want)
		}
	}
}

// Taking is indexing along an axis; scattering is its transpose, and adds where an index repeats.
func TestTakeAndScatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		given := axis
		if rapid.Bool().Draw(t, "negative") {
			given -= len(shape)
		}
		shape[axis] = max(shape[axis], 1)
		size := shape[axis]
		picked := slices.Clone(shape)
		picked[axis] = rapid.IntRange(0, 4).Draw(t, "picks")
		index := graph.NewArray(rapid.SampledFrom([]graph.DType{graph.Int32, graph.Int64}).Draw(t, "index type"), picked...)
		for i := range index.Len() {
			index.SetAt(i, float64(rapid.IntRange(0, size-1).Draw(t, "index")))
		}
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), shape, ordinary)
		got := compute(t, func(n []*graph.Node) *graph.Node { return ops.TakeAlongAxis(n[0], n[1], given) }, x, index)
		same(t, "take", got, x.DType, picked, 0, func(i []int) float64 {
			from := slices.Clone(i)
			from[axis] = int(at(index, i...))
			return x.At(position(x.Shape, from))
		})
		y := drawArray(t, "y", rapid.SampledFrom(floatTypes).Draw(t, "float type"), picked, rapid.SampledFrom([]float64{-2, -1, 0.5, 4}))
		sums := make([]float64, x.Len())
		each(picked, func(p int, i []int) {
			to := slices.Clone(i)
			to[axis] = int(index.At(p))
			sums[position(shape, to)] += y.At(p)
		})
		got = compute(t, func(n []*graph.Node) *graph.Node { return ops.ScatterAlongAxis(n[0], n[1], given, graph.Dim(size)) }, y, index)
		same(t, "scatter", got, y.DType, shape, 0, func(i []int) float64 { return sums[position(shape, i)] })
	})
}

func position(shape, index []int) (p int) {
	for axis, i := range index {
		p = p*shape[axis] + i
	}
	return p
}

// An index outside the axis is an error of the run which names the index; negative ones do not count from the end.
func TestIndexOutOfRange(t *testing.T) {
	for _, bad := range []int64{-1, 3, math.MaxInt64, math.MinInt64} {
		x, index := array(graph.Float64, []int{2, 3}, 1), mustArray([]int64{0, bad}).As([]int{2, 1})
		_, err := express(func(n []*graph.Node) []*graph.Node { return []*graph.Node{ops.TakeAlongAxis(n[0], n[1], 1)} }, x, index).run()
		if err == nil || !strings.Contains(err.Error(), "outside 0…2") {
			t.Errorf("take %d: %v", bad, err)
		}
		_, err = express(func(n []*graph.Node) []*graph.Node { return []*graph.Node{ops.ScatterAlongAxis(n[0], n[1], 1, 3)} }, x.As([]int{3, 2}), index.As([]int{1, 2})).run()
		if err == nil {
			t.Errorf("scatter %d of the wrong shape: no error", bad)
		}
		_, err = express(func(n []*graph.Node) []*graph.Node { return []*graph.Node{ops.ScatterAlongAxis(n[0], n[1], 1, 3)} }, array(graph.Float32, []int{2, 1}, 1), index).run()
		if err == nil || !strings.Contains(err.Error(), "outside 0…2") {
			t.Errorf("scatter %d: %v", bad, err)
		}
	}
}

// AssertDim and DimSize speak of sizes that only a run knows.
func TestSizesAtRunTime(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	e := &expression{g: g, x: []*graph.Node{g.Input("x", graph.Float32, n, 2), g.Input("y", graph.Float32, graph.Symbol("k"), 2)}}
	e.outs = []*graph.Node{ops.Add(e.x[0], ops.AssertDim(e.x[1], 0, n)), ops.DimSize(g, n.Mul(2), graph.Float32), ops.DimSize(g, 7, graph.Int64)}
	e.fed = []graph.Array{array(graph.Float32, []int{3, 2}, 1, 2), array(graph.Float32, []int{3, 2}, 10)}
	out, err := e.run()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "sum", out[0], graph.Float32, []int{3, 2}, 0, func(i []int) float64 { return float64(11 + i[1]) })
	if out[1].At(0) != 6 || out[2].At(0) != 7 {
		t.Errorf("2n = %v, 7 = %v", out[1].At(0), out[2].At(0))
	}
	e.fed[1] = array(graph.Float32, []int{4, 2}, 10)
	if _, err := e.run(); err == nil || !strings.Contains(err.Error(), "was asserted to be n") {
		t.Errorf("4 rows for n = 3: %v", err)
	}
}

// Shape operators that do not fit say what would fix them.
func TestShapesThatDoNotFit(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	a, s := g.Input("a", graph.Float64, 2, 3), g.Input("s", graph.Float64, n, 3)
	i, mask := g.Input("i", graph.Int64, 2), g.Input("mask", graph.Bool, 2, 3)
	pair := ops.Tuple(a, s)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Slice(a, 2, 0, 1), "axis 2 is outside"},
		{ops.SliceStep(a, 0, 0, 1, 0), "a step of 0; 1 takes every element"},
		{ops.At(a, 1, 3), "index 3 is outside axis 1 of (2, 3), which has 3 elements"},
		{ops.At(a, 1, -4), "index -4 is outside"},
		{ops.Flip(a, 0, 0), "named twice"},
		{ops.Roll(a, 1, 5), "axis 5 is outside"},
		{ops.Pad(a, 0, [2]int{1, 1}, [2]int{0, 0}, [2]int{0, 0}), "3 margins for the 2 dimensions"},
		{ops.Pad(a, 0, [2]int{-2, -2}), "take more than the 2 elements of axis 0"},
		{ops.PadReflect(a, [2]int{2, 0}), "a margin of 2 is more than axis 0 of (2, 3) can fill"},
		{ops.PadEdge(a, [2]int{-1, 0}), "only ops.Pad and ops.Slice"},
		{ops.Concat(0), "nothing to join"},
		{ops.Concat(0, a, g.Input("row", graph.Float64, 3)), "the same number of dimensions (ops.Unsqueeze adds one"},
		{ops.Concat(0, a, ops.Transpose(a)), "beside axis 0 the shapes (2, 3) and (3, 2) do not fit"},
		{ops.Concat(1, a, s), "ops.AssertDim"},
		{ops.Concat(0, a, mask), "operand 0 is float64(2, 3), operand 1 is bool(2, 3); make them one element type with ops.Cast"},
		{ops.Stack(3, a, a), "axis 3 is outside"},
		{ops.Split(a, 1, 2)[0], "no 2 equal parts for every size; ops.SplitSizes"},
		{ops.Split(a, 1, 0)[0], "at least one"},
		{ops.SplitSizes(a, 1, 1, 1)[1], "the sum of the sizes and dimension 1 of (2, 3) do not fit: 2 is not 3"},
		{ops.SplitSizes(a, 1, 5, -1)[0], "one part may be -1, the rest"},
		{ops.Unstack(s, 0)[0], "ops.AssertDim"},
		{ops.Squeeze(a, 0), "dimension 0 of (2, 3) is 2; only one of the literal size 1 can be dropped"},
		{ops.Unsqueeze(a, 3), "axis 3 is outside"},
		{ops.SwapAxes(a, 0, 2), "axis 2 is outside"},
		{ops.MoveAxis(a, -3, 0), "axis -3 is outside"},
		{ops.Flatten(a, 2), "axis 2 is outside"},
		{ops.Take(a, a, 0), "indices are int32 or int64, not float64(2, 3); convert them with ops.Cast"},
		{ops.Embedding(a, mask), "indices are int32 or int64"},
		{ops.IndexAdd(a, i, i, 0), "must have the same number of dimensions"},
		{ops.IndexAdd(a, i, ops.Transpose(a), 0), "updates (3, 2) at axis 0 and indices (2) do not fit"},
		{ops.ScatterAdd(a, i, a, 0), "same number of dimensions"},
		{ops.OneHot(a, 3, graph.Float32), "indices are int32 or int64"},
		{ops.Tril(i, 0), "a triangle is of matrices"},
		{ops.Iota(g, graph.Bool, 3), "not in bool"},
		{ops.Arange(g, graph.Float32, 0, 1, 0), "no finite list"},
		{ops.Arange(g, graph.Float32, 0, math.Inf(1), 1), "no finite list"},
		{ops.Meshgrid(a)[0], "not a vector"},
		{ops.Repeat(a, 2, 2), "axis 2 is outside"},
		{ops.Slice(pair, 0, 0, 1), "tuple"},
		{ops.Tile(pair, 2), "ops.Get"},
		{ops.Pad(pair, 0, [2]int{1, 1}), "ops.Get"},
		{ops.Slice(nil, 0, 0, 1), "nil"},
		{ops.Concat(0, nil, a), "nil"},
		{ops.Stack(0, a, nil), "nil"},
		{ops.Split(nil, 0, 2)[0], "nil"},
		{ops.Take(a, nil, 0), "nil"},
		{ops.IndexAdd(nil, nil, nil, 0), "nil"},
		{ops.OneHot(nil, 2, graph.Float32), "nil"},
		{ops.Squeeze(nil), "nil"},
		{ops.Tile(nil, 2), "nil"},
		{ops.PadEdge(nil, [2]int{1, 1}), "nil"},
		{ops.ShapeOf(nil), "nil"},
		{ops.MaskedFill(nil, nil, 0), "nil"},
		{ops.Tril(nil, 0), "nil"},
		{ops.Meshgrid(nil)[0], "nil"},
	} {
		if err := c.node.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "shape_test.go:") {
			t.Errorf("%v: error %v, want this line and %q", c.node, err, c.want)
		}
	}
}
