package data_test

import (
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

func TestAsType(t *testing.T) {
	want := []float64{0, 1, 7, 100}
	for _, from := range []any{
		[]int8{0, 1, 7, 100}, []int16{0, 1, 7, 100}, []int32{0, 1, 7, 100}, []int64{0, 1, 7, 100}, []int{0, 1, 7, 100},
		[]uint8{0, 1, 7, 100}, []uint16{0, 1, 7, 100}, []uint32{0, 1, 7, 100}, []uint64{0, 1, 7, 100},
		[]float32{0, 1, 7, 100}, []float64{0, 1, 7, 100},
	} {
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool} {
			got, err := data.AsType(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(from)), dtype)
			if err != nil {
				t.Fatalf("%T as %v: %v", from, dtype, err)
			}
			a, err := graph.ArrayOf(got)
			if err != nil || a.DType != dtype || !slices.Equal(a.Shape, []int{2, 2}) {
				t.Fatalf("%T as %v: %v%v, %v", from, dtype, a.DType, a.Shape, err)
			}
			for i, w := range want {
				if dtype == graph.Bool {
					w = min(w, 1)
				}
				if a.At(i) != w {
					t.Errorf("%T as %v: element %d is %v", from, dtype, i, a.At(i))
				}
			}
		}
	}
	for _, backing := range []any{[]uint8{1, 2, 3, 4, 5, 6}, []float32{1, 2, 3, 4, 5, 6}} {
		x := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(backing))
		slice, err := x.Slice(nil, tensor.S(1, 3))
		if err != nil {
			t.Fatal(err)
		}
		got, err := data.AsType(slice.(*tensor.Dense), graph.Float32)
		if err != nil || !slices.Equal(got.Float32s(), []float32{2, 3, 5, 6}) {
			t.Errorf("two columns of %T: %v, %v", backing, got, err)
		}
		if err := x.T(); err != nil {
			t.Fatal(err)
		}
		if got, err = data.AsType(x, graph.Float32); err != nil || !slices.Equal(got.Float32s(), []float32{1, 4, 2, 5, 3, 6}) || got.Shape()[0] != 3 {
			t.Errorf("a transposed %T: %v%v, %v", backing, got.Shape(), got, err)
		}
	}
	x := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}))
	if got, err := data.AsType(x, graph.Float32); err != nil || got != x {
		t.Error("what has the type already is copied")
	}
	for name, err := range map[string]error{
		"nil":      func() error { _, err := data.AsType(nil, graph.Float32); return err }(),
		"no dtype": func() error { _, err := data.AsType(x, 0); return err }(),
		"text": func() error {
			_, err := data.AsType(tensor.New(tensor.WithShape(1), tensor.WithBacking([]string{"a"})), graph.Float32)
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
