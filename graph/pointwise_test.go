package graph_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"pgregory.net/rapid"
)

// drawBroadcast draws a result's shape and operands that repeat to it.
func drawBroadcast(t *rapid.T, operands int) (shape []int, in []graph.Array) {
	shape = rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 1, 4, 0}), 0, 5).Draw(t, "shape")
	for k := 0; k < operands; k++ {
		own := append([]int(nil), shape[rapid.IntRange(0, len(shape)).Draw(t, "drop"):]...)
		for axis := range own {
			if rapid.Bool().Draw(t, "one") {
				own[axis] = 1
			}
		}
		a := graph.NewArray(graph.Float64, own...)
		for i := 0; i < a.Len(); i++ {
			a.F64()[i] = float64(1000*k + i)
		}
		in = append(in, a)
	}
	return shape, in
}

// broadcastIndex is the naive arithmetic: which element of an operand belongs to element i of the result.
func broadcastIndex(shape, operand []int, i int) int {
	at, stride := 0, 1
	for axis := len(shape) - 1; axis >= 0; axis-- {
		x := i % shape[axis]
		i /= shape[axis]
		if a := axis - len(shape) + len(operand); a >= 0 {
			if operand[a] != 1 {
				at += x * stride
			}
			stride *= operand[a]
		}
	}
	return at
}

// The runs of a walk cover the result once, in order, and lead to the elements that index arithmetic finds.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape, in := drawBroadcast(t, rapid.IntRange(0, 4).Draw(t, "operands"))
		size := graph.NewArray(graph.Bool, shape...).Len()
		var w graph.Walk
		w.Plan(shape, in)
		covered := 0
		for more := true; more; more = w.Next() {
			if w.Pos != covered || w.Run < 0 || w.Pos+w.Run > size {
				t.Fatalf("shape %v: a run of %d from %d after %d elements", shape, w.Run, w.Pos, covered)
			}
			for i := 0; i < w.Run; i++ {
				for k, x := range in {
					if w.Stride(k) != 0 && w.Stride(k) != 1 {
						t.Fatalf("stride %d", w.Stride(k))
					}
					if got, want := w.At[k]+i*w.Stride(k), broadcastIndex(shape, x.Shape, w.Pos+i); got != want {
						t.Fatalf("shape %v, operand %v: element %d reads %d, want %d", shape, x.Shape, w.Pos+i, got, want)
					}
				}
			}
			covered += w.Run
		}
		if covered != size {
			t.Fatalf("shape %v: %d elements of %d", shape, covered, size)
		}
	})
}

func TestPointwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape, in := drawBroadcast(t, rapid.IntRange(1, 4).Draw(t, "operands"))
		out, out32 := graph.NewArray(graph.Float64, shape...), graph.NewArray(graph.Float32, shape...)
		var in32 []graph.Array
		for _, x := range in {
			y := graph.NewArray(graph.Float32, x.Shape...)
			y.CopyFrom(x)
			in32 = append(in32, y)
		}
		for _, c := range []*graph.Call{{Out: []graph.Array{out}, In: in}, {Out: []graph.Array{out32}, In: in32}} {
			if err := add.Run(c); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i < out.Len(); i++ {
			want := 0.0
			for k, x := range in {
				want += float64(k+1) * x.F64()[broadcastIndex(shape, x.Shape, i)]
			}
			if out.At(i) != want || out32.At(i) != want {
				t.Fatalf("element %d of %v is %v and %v, want %v", i, shape, out.At(i), out32.At(i), want)
			}
		}
	})
}

func TestPointwiseAllocatesNothing(t *testing.T) {
	c := &graph.Call{
		Out: []graph.Array{graph.NewArray(graph.Float32, 4, 5, 6)},
		In:  []graph.Array{graph.NewArray(graph.Float32, 6), graph.NewArray(graph.Float32, 5, 1)},
	}
	if n := testing.AllocsPerRun(50, func() {
		if err := add.Run(c); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

// Integers and booleans are computed in their own type.
func TestPointwiseOfIntegersAndBooleans(t *testing.T) {
	d := &graph.Def{Name: "last", Infer: sameTypes, Pointwise: &graph.Pointwise{
		I32:  func(_ any, dst []int32, in [][]int32) { copy(dst, in[1]) },
		I64:  func(_ any, dst []int64, in [][]int64) { copy(dst, in[1]) },
		Bool: func(_ any, dst []bool, in [][]bool) { copy(dst, in[1]) },
	}}
	for _, v := range []any{[]int32{1 << 30, -7}, []int64{1<<53 + 1, -7}, []bool{true, false}} {
		want, err := graph.ArrayOf(v)
		if err != nil {
			t.Fatal(err)
		}
		out := graph.NewArray(want.DType, 3, 2)
		if err := d.Run(&graph.Call{Out: []graph.Array{out}, In: []graph.Array{graph.NewArray(want.DType), want}}); err != nil {
			t.Fatal(err)
		}
		for row := range 3 {
			if got := out.Bytes()[row*len(want.Bytes()):][:len(want.Bytes())]; !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%v: row %d is %v, want %v", want.DType, row, got, want.Bytes())
			}
		}
	}
}

// What an operator does not offer, Run says.
func TestRunWhatIsNotOffered(t *testing.T) {
	f64 := graph.NewArray(graph.Float64, 2)
	view := &graph.Def{Name: "view", Traits: graph.View}
	if err := view.Run(&graph.Call{Out: []graph.Array{f64}, In: []graph.Array{f64}}); err != nil || view.CanCompute(graph.Float64) != nil {
		t.Errorf("a view: %v", err)
	}
	only32 := &graph.Def{Name: "only32", Pointwise: &graph.Pointwise{F32: add.Pointwise.F32}}
	for _, c := range []struct {
		def   *graph.Def
		dtype graph.DType
		in    int
		says  string
	}{
		{&graph.Def{Name: "empty"}, graph.Float32, 1, "neither Eval nor Pointwise"},
		{only32, graph.Float64, 1, "no block function for float64"},
		{add, graph.Int64, 1, "no block function for int64 (Def.Pointwise.I64 is nil)"},
		{add, graph.Float32, 5, "5 operands"},
	} {
		var in []graph.Array
		for i := 0; i < c.in; i++ {
			in = append(in, graph.NewArray(c.dtype, 2))
		}
		wantErr(t, c.def.Run(&graph.Call{Out: []graph.Array{graph.NewArray(c.dtype, 2)}, In: in}), c.def.Name, c.says)
	}
	called := false
	eval := &graph.Def{Name: "eval", Eval: func(*graph.Call) error { called = true; return fmt.Errorf("mine") }}
	wantErr(t, eval.Run(&graph.Call{}), "mine")
	if !called {
		t.Error("Eval was not called")
	}
}
