package ops_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

func drawIndices(t *rapid.T, shape []int, least, most int) graph.Array {
	index := graph.NewArray(rapid.SampledFrom([]graph.DType{graph.Int32, graph.Int64}).Draw(t, "index type"), shape...)
	for i := range index.Len() {
		index.SetAt(i, float64(rapid.IntRange(least, most).Draw(t, "index")))
	}
	return index
}

// Take puts the indices' dimensions in the place of the axis; IndexAdd adds what Take takes.
func TestTakeAndIndexAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		n := max(shape[axis], 1)
		shape[axis] = n
		picks := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 2).Draw(t, "picks")
		index := drawIndices(t, picks, -n, n-1)
		wrapped := func(i []int) int { return (int(index.At(position(picks, i))) + n) % n }
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), shape, ordinary)
		taken := slices.Concat(shape[:axis], picks, shape[axis+1:])
		got := compute(t, func(in []*graph.Node) *graph.Node { return ops.Take(in[0], in[1], axis-len(shape)) }, x, index)
		same(t, "take", got, x.DType, taken, 0, func(i []int) float64 {
			at := slices.Concat(i[:axis], []int{wrapped(i[axis : axis+len(picks)])}, i[axis+len(picks):])
			return x.At(position(shape, at))
		})
		if len(picks) != 1 {
			return
		}
		dtype := rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64}).Draw(t, "type of numbers")
		base := drawArray(t, "base", dtype, shape, rapid.SampledFrom([]float64{-1, 0, 8}))
		updates := drawArray(t, "updates", dtype, taken, rapid.SampledFrom([]float64{-2, 3, 4}))
		sums := make([]float64, base.Len())
		for i := range sums {
			sums[i] = base.At(i)
		}
		each(taken, func(p int, i []int) {
			to := slices.Clone(i)
			to[axis] = wrapped(i[axis : axis+1])
			sums[position(shape, to)] += updates.At(p)
		})
		got = compute(t, func(in []*graph.Node) *graph.Node { return ops.IndexAdd(in[0], in[1], in[2], axis) }, base, index, updates)
		same(t, "indexadd", got, dtype, shape, 0, func(i []int) float64 { return sums[position(shape, i)] })
	})
}

// Beside the axis, dimensions of size 1 repeat, of operand and indices.
func TestTakeAlongAxisRepeats(t *testing.T) {
	x := array(graph.Float64, []int{2, 3}, 0, 1, 2, 3, 4, 5)
	got := compute(t, func(n []*graph.Node) *graph.Node { return ops.TakeAlongAxis(n[0], n[1], 1) }, x, array(graph.Int64, []int{1, 2}, 2, 0))
	same(t, "index", got, graph.Float64, []int{2, 2}, 0, func(i []int) float64 { return float64(3*i[0] + 2 - 2*i[1]) })
	got = compute(t, func(n []*graph.Node) *graph.Node { return ops.TakeAlongAxis(n[0], n[1], 1) }, x.As([]int{1, 6}), array(graph.Int64, []int{2, 1}, 5, 1))
	same(t, "operand", got, graph.Float64, []int{2, 1}, 0, func(i []int) float64 { return float64(5 - 4*i[0]) })
}

// An embedding's gradient adds up where an id repeats; negative ids and those past the table are errors that name the line.
func TestEmbedding(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	table, ids := g.Input("table", graph.Float32, 4, 2), g.Input("ids", graph.Int32, batch, 2)
	rows := ops.Embedding(table, ids)
	if got := rows.Shape().String(); got != "(batch, 2, 2)" {
		t.Errorf("shape %v", got)
	}
	dTable := autodiff.Grad(ops.Sum(ops.Square(rows)), table)[0]
	values := array(graph.Float32, []int{4, 2}, 1, 2, 3, 4, 5, 6, 7, 8)
	v, err := vm.Eval(mustState(t, g), dTable, vm.Feeds{table: values, ids: array(graph.Int32, []int{2, 2}, 1, 3, 1, 1)})
	if err != nil || fmt.Sprint(v.Data()) != "[0 0 18 24 0 0 14 16]" {
		t.Errorf("%v, %v", v, err)
	}
	for bad, want := range map[float64]string{-1: "index -1 (element 1 of the indices) is outside 0…3 of axis 0", 4: "index 4 (element 1 of the indices) is outside 0…3 of axis 0"} {
		_, err = vm.Eval(mustState(t, g), rows, vm.Feeds{table: values, ids: array(graph.Int32, []int{1, 2}, 0, bad)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "take_test.go:") {
			t.Errorf("id %v: %v", bad, err)
		}
	}
	x := array(graph.Float64, []int{2, 3}, 1)
	_, err = express(func(n []*graph.Node) []*graph.Node { return []*graph.Node{ops.Take(n[0], n[1], 1)} }, x, array(graph.Int64, nil, -4)).run()
	if err == nil || !strings.Contains(err.Error(), "outside -3…2 of axis 1") {
		t.Errorf("take −4 of 3: %v", err)
	}
}

func TestOneHot(t *testing.T) {
	ids := array(graph.Int64, []int{2, 3}, 0, 3, 1, 2, 2, 0)
	for _, dtype := range allTypes {
		got := compute(t, func(n []*graph.Node) *graph.Node { return ops.OneHot(n[0], 4, dtype) }, ids)
		same(t, "onehot", got, dtype, []int{2, 3, 4}, 0, func(i []int) float64 {
			if at(ids, i[:2]...) == float64(i[2]) {
				return 1
			}
			return 0
		})
	}
	for _, bad := range []float64{-1, 4} {
		if _, err := express(func(n []*graph.Node) []*graph.Node { return []*graph.Node{ops.OneHot(n[0], 4, graph.Float32)} }, array(graph.Int32, nil, bad)).run(); err == nil || !strings.Contains(err.Error(), "outside 0…3") {
			t.Errorf("%v of 4: %v", bad, err)
		}
	}
}

// ScatterAdd is a loop of additions.
func TestScatterAdd(t *testing.T) {
	x, index, u := array(graph.Float64, []int{2, 3}, 1, 2, 3, 4, 5, 6), array(graph.Int64, []int{2, 2}, 2, 2, 0, 1), array(graph.Float64, []int{2, 2}, 10, 20, 30, 40)
	got := compute(t, func(n []*graph.Node) *graph.Node { return ops.ScatterAdd(n[0], n[1], n[2], -1) }, x, index, u)
	same(t, "scatteradd", got, graph.Float64, []int{2, 3}, 0, func(i []int) float64 { return []float64{1, 2, 33, 34, 45, 6}[3*i[0]+i[1]] })
}
