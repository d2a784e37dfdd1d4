package ops_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// pythonRange lists what range(n)[start:stop:step] does in Python, where nil is a bound left out: by walking, not by arithmetic.
func pythonRange(n int, start, stop *int, step int) (list []int) {
	from, to := 0, n
	if step < 0 {
		from, to = n-1, -1
	}
	clip := func(b *int, open int) int {
		if b == nil {
			return open
		}
		v := *b
		if v < 0 {
			v += n
		}
		if step > 0 {
			return max(0, min(v, n))
		}
		return max(-1, min(v, n-1))
	}
	from, to = clip(start, from), clip(stop, to)
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		list = append(list, i)
	}
	return list
}

func drawBound(t *rapid.T, label string, n int) (*int, graph.Dim) {
	if rapid.IntRange(0, 4).Draw(t, label+" open") == 0 {
		return nil, ops.Open
	}
	v := rapid.IntRange(-n-2, n+2).Draw(t, label)
	return &v, graph.Dim(v)
}

// A slice takes what Python's range takes, for every element type, axis, bound and step.
func TestSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), shape, ordinary)
		axis := rapid.IntRange(-len(shape), len(shape)-1).Draw(t, "axis")
		a := (axis + len(shape)) % len(shape)
		start, first := drawBound(t, "start", shape[a])
		stop, end := drawBound(t, "stop", shape[a])
		step := rapid.SampledFrom([]int{1, -1, 2, -2, 3, -3, 7}).Draw(t, "step")
		taken := pythonRange(shape[a], start, stop, step)
		want := slices.Clone(shape)
		want[a] = len(taken)
		got := compute(t, func(n []*graph.Node) *graph.Node { return ops.SliceStep(n[0], axis, first, end, step) }, x)
		same(t, "slice", got, x.DType, want, 0, func(i []int) float64 {
			from := slices.Clone(i)
			from[a] = taken[i[a]]
			return x.At(position(shape, from))
		})
	})
}

// One program slices every size of a symbolic axis, as long as the bounds lie within it; else the run fails and says so.
func TestSliceOfASymbolicAxis(t *testing.T) {
	n := graph.Symbol("n")
	one := func(v int) *int { return &v }
	for _, c := range []struct {
		start, stop *int
		step        int
		least       int // size that the bounds need
	}{
		{nil, nil, 1, 0}, {nil, nil, -1, 0}, {nil, nil, 2, 0}, {nil, nil, -2, 0}, {nil, nil, -3, 0}, {one(1), nil, 1, 1}, {one(-3), nil, 1, 3}, {nil, one(-2), 1, 2},
		{one(2), nil, 2, 2}, {nil, one(4), 1, 4}, {one(1), one(-1), 1, 2}, {one(3), one(0), -1, 4}, {one(-1), one(2), -2, 3}, {nil, one(1), -1, 2}, {one(-2), nil, -1, 2}, {one(1), one(5), 3, 5},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, 2, n)
		bound := func(v *int) graph.Dim {
			if v == nil {
				return ops.Open
			}
			return graph.Dim(*v)
		}
		y := ops.SliceStep(x, 1, bound(c.start), bound(c.stop), c.step)
		name := fmt.Sprintf("%v, %v:%v:%d", y.Type(), bound(c.start), bound(c.stop), c.step)
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{y}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s, _ := vm.NewState(g, 1)
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{7, 8, 5, 4, 3, 2, 1, 0} {
			fed := graph.NewArray(graph.Float64, 2, size)
			for i := range fed.Len() {
				fed.SetAt(i, float64(i))
			}
			if err := m.Feed(x, fed); err != nil {
				t.Fatal(err)
			}
			err := m.Run(context.Background())
			if size < c.least {
				if err == nil && len(pythonRange(size, c.start, c.stop, c.step)) > 0 {
					t.Errorf("%s of %d elements: no error", name, size)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s of %d elements: %v", name, size, err)
				continue
			}
			v, _ := m.Value(y)
			got, _ := graph.ArrayOf(v)
			taken := pythonRange(size, c.start, c.stop, c.step)
			same(t, name, got, graph.Float64, []int{2, len(taken)}, 0, func(i []int) float64 { return float64(i[0]*size + taken[i[1]]) })
		}
	}
}

func TestSliceOutsideASymbolicAxisFails(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x := g.Input("x", graph.Float32, n)
	_, err := vm.Eval(mustState(t, g), ops.Slice(x, 0, 0, 5), vm.Feeds{x: []float32{1, 2, 3}})
	if err == nil || !strings.Contains(err.Error(), "slice_test.go:") || !strings.Contains(err.Error(), "5 elements from 0 on, 1 apart, are not in axis 0 of this run, which has 3") {
		t.Errorf("5 of 3 elements: %v", err)
	}
}

func mustState(t *testing.T, g *graph.Graph) *vm.State {
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Flip, Roll and At are index arithmetic.
func TestFlipRollAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), shape, ordinary)
		axis := rapid.IntRange(0, len(shape)-1).Draw(t, "axis")
		n := shape[axis]
		from := func(i []int, k int) float64 {
			j := slices.Clone(i)
			j[axis] = k
			return x.At(position(shape, j))
		}
		got := compute(t, func(in []*graph.Node) *graph.Node { return ops.Flip(in[0], axis-len(shape)) }, x)
		same(t, "flip", got, x.DType, shape, 0, func(i []int) float64 { return from(i, n-1-i[axis]) })
		shift := rapid.IntRange(-9, 9).Draw(t, "shift")
		got = compute(t, func(in []*graph.Node) *graph.Node { return ops.Roll(in[0], shift, axis) }, x)
		same(t, "roll", got, x.DType, shape, 0, func(i []int) float64 { return from(i, ((i[axis]-shift)%n+n)%n) })
		got = compute(t, func(in []*graph.Node) *graph.Node { return ops.Flip(in[0]) }, x)
		same(t, "flip all", got, x.DType, shape, 0, func(i []int) float64 { return x.At(x.Len() - 1 - position(shape, i)) })
		if n == 0 {
			return
		}
		k := rapid.IntRange(-n, n-1).Draw(t, "index")
		got = compute(t, func(in []*graph.Node) *graph.Node { return ops.At(in[0], axis, graph.Dim(k)) }, x)
		same(t, "at", got, x.DType, slices.Delete(slices.Clone(shape), axis, axis+1), 0, func(i []int) float64 {
			return x.At(position(shape, slices.Insert(slices.Clone(i), axis, (k+n)%n)))
		})
	})
}

// Pad and its modes against the index that each element comes from.
func TestPad(t *testing.T) {
	modes := []struct {
		name string
		pad  func(x *graph.Node, margins ...[2]int) *graph.Node
		most func(n int) int    // largest margin
		from func(i, n int) int // where index i < 0 or ≥ n comes from; −1: the value
	}{
		{"constant", func(x *graph.Node, m ...[2]int) *graph.Node { return ops.Pad(x, 7, m...) }, func(int) int { return 3 }, func(int, int) int { return -1 }},
		{"edge", ops.PadEdge, func(n int) int { return min(3*n, 3) }, func(i, n int) int { return max(0, min(i, n-1)) }},
		{"reflect", ops.PadReflect, func(n int) int { return max(n-1, 0) }, func(i, n int) int {
			if i < 0 {
				return -i
			}
			return 2*(n-1) - i
		}},
		{"circular", ops.PadCircular, func(n int) int { return n }, func(i, n int) int { return (i + n) % n }},
	}
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		x := drawArray(t, "x", rapid.SampledFrom(allTypes).Draw(t, "dtype"), shape, ordinary)
		mode := rapid.SampledFrom(modes).Draw(t, "mode")
		margins := make([][2]int, len(shape))
		padded := slices.Clone(shape)
		for i, n := range shape {
			for side := range 2 {
				least := 0
				if mode.name == "constant" {
					least = -(n / 2)
				}
				margins[i][side] = rapid.IntRange(least, mode.most(n)).Draw(t, "margin")
				padded[i] += margins[i][side]
			}
		}
		got := compute(t, func(in []*graph.Node) *graph.Node { return mode.pad(in[0], margins...) }, x)
		same(t, mode.name, got, x.DType, padded, 0, func(i []int) float64 {
			from := slices.Clone(i)
			for a := range from {
				from[a] -= margins[a][0]
				if n := shape[a]; from[a] < 0 || from[a] >= n {
					if from[a] = mode.from(from[a], n); from[a] < 0 {
						if x.DType == graph.Bool {
							return 1
						}
						return 7
					}
				}
			}
			return x.At(position(shape, from))
		})
	})
}

// Joining is the opposite of splitting, along every axis, in equal and unequal parts.
func TestConcatAndSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 1)
		axis := rapid.IntRange(-len(shape), len(shape)-1).Draw(t, "axis")
		a := (axis + len(shape)) % len(shape)
		dtype := rapid.SampledFrom(allTypes).Draw(t, "dtype")
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 5).Draw(t, "sizes")
		shape[a] = 0
		var parts []graph.Array
		var dims []graph.Dim
		for _, s := range sizes {
			own := slices.Clone(shape)
			own[a] = s
			parts = append(parts, drawArray(t, "part", dtype, own, ordinary))
			dims = append(dims, graph.Dim(s))
		}
		for _, s := range sizes {
			shape[a] += s
		}
		dims[rapid.IntRange(0, len(dims)-1).Draw(t, "rest")] = -1
		joined := func(x []*graph.Node) *graph.Node { return ops.Concat(axis, x...) }
		got := compute(t, joined, parts...)
		same(t, "concat", got, dtype, shape, 0, func(i []int) float64 {
			j := slices.Clone(i)
			for k, s := range sizes {
				if j[a] < s {
					return parts[k].At(position(parts[k].Shape, j))
				}
				j[a] -= s
			}
			panic("outside")
		})
		back, err := express(func(x []*graph.Node) []*graph.Node { return ops.SplitSizes(joined(x), axis, dims...) }, parts...).run()
		if err != nil {
			t.Fatalf("%v", err)
		}
		for k, p := range parts {
			same(t, "split", back[k], dtype, p.Shape, 0, func(i []int) float64 { return p.At(position(p.Shape, i)) })
		}
	})
}

// Stack joins along a new axis, Unstack undoes it.
func TestStackAndUnstack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := drawShape(t, "shape", 0)
		axis := rapid.IntRange(-len(shape)-1, len(shape)).Draw(t, "axis")
		a := (axis + len(shape) + 1) % (len(shape) + 1)
		dtype := rapid.SampledFrom(allTypes).Draw(t, "dtype")
		parts := make([]graph.Array, rapid.IntRange(1, 4).Draw(t, "parts"))
		for i := range parts {
			parts[i] = drawArray(t, "part", dtype, shape, ordinary)
		}
		got := compute(t, func(x []*graph.Node) *graph.Node { return ops.Stack(axis, x...) }, parts...)
		same(t, "stack", got, dtype, slices.Insert(slices.Clone(shape), a, len(parts)), 0, func(i []int) float64 {
			return parts[i[a]].At(position(shape, slices.Delete(slices.Clone(i), a, a+1)))
		})
		back, err := express(func(x []*graph.Node) []*graph.Node { return ops.Unstack(ops.Stack(axis, x...), axis) }, parts...).run()
		if err != nil {
			t.Fatalf("%v", err)
		}
		for k, p := range parts {
			same(t, "unstack", back[k], dtype, shape, 0, func(i []int) float64 { return p.At(position(shape, i)) })
		}
	})
}

// Sizes that only a run knows add up, and split where they divide.
func TestSymbolicJoinsAndParts(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x, y := g.Input("x", graph.Float32, n, 2), g.Input("y", graph.Float32, 3, 2)
	joined := ops.Concat(0, x, y, x)
	if got := joined.Shape().String(); got != "(2*n + 3, 2)" {
		t.Errorf("joined is %v", got)
	}
	parts := ops.SplitSizes(joined, 0, n, -1, n)
	if got := parts[1].Shape().String(); got != "(3, 2)" {
		t.Errorf("the rest is %v", got)
	}
	if half := ops.Split(ops.Concat(0, x, x), 0, 2); half[0].Shape().String() != "(n, 2)" {
		t.Errorf("a half is %v", half[0].Shape())
	}
	if err := ops.Split(x, 0, 2)[0].Err(); err == nil || !strings.Contains(err.Error(), "ops.SplitSizes") {
		t.Errorf("half of n: %v", err)
	}
	v, err := vm.Eval(mustState(t, g), parts[2], vm.Feeds{x: array(graph.Float32, []int{2, 2}, 1, 2, 3, 4), y: array(graph.Float32, []int{3, 2}, 9)})
	if err != nil || fmt.Sprint(v.Data()) != "[1 2 3 4]" {
		t.Errorf("%v, %v", v, err)
	}
}
