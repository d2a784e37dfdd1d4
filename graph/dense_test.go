package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Every element type and shape goes to a *tensor.Dense and back over the same memory.
func TestDenseRoundTrip(t *testing.T) {
	for dtype := graph.Float32; dtype <= graph.Bool; dtype++ {
		for _, shape := range [][]int{{}, {1}, {3}, {2, 3}, {1, 1}, {0}, {0, 3}, {2, 0, 3}, {2, 1, 2, 2}} {
			t.Run(fmt.Sprint(dtype, shape), func(t *testing.T) {
				a := graph.NewArray(dtype, shape...)
				for i := 0; i < a.Len(); i++ {
					a.SetAt(i, float64(i%2))
				}
				d := a.Dense()
				if d.Dtype() != dtype.Tensor() || !slices.Equal([]int(d.Shape()), shape) || d.IsScalar() != (len(shape) == 0) {
					t.Fatalf("became a %v%v", d.Dtype(), d.Shape())
				}
				b, err := graph.ArrayOf(d)
				if err != nil || b.DType != dtype || !slices.Equal(b.Shape, shape) || b.Len() != a.Len() {
					t.Fatalf("came back as %v%v: %v", b.DType, b.Shape, err)
				}
				if a.Len() > 0 && unsafe.SliceData(a.Bytes()) != unsafe.SliceData(b.Bytes()) {
					t.Error("was copied")
				}
				if !slices.Equal(a.Bytes(), b.Bytes()) {
					t.Errorf("came back as %v", b.Bytes())
				}
			})
		}
	}
}

// Views of tensors, in every order and with every slice, have the elements that the tensor says they have.
func TestArrayOfViews(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	backing := func(n int) []float64 {
		list := make([]float64, n)
		for i := range list {
			list[i] = float64(i)
		}
		return list
	}
	for round := 0; round < 300; round++ {
		var shape tensor.Shape
		n := 1
		for k := 1 + r.IntN(3); k > 0; k-- {
			shape = append(shape, 1+r.IntN(4))
			n *= shape[len(shape)-1]
		}
		options := []tensor.ConsOpt{tensor.WithShape(shape...), tensor.WithBacking(backing(n))}
		text := fmt.Sprint(shape)
		if r.IntN(3) == 0 {
			options[1] = tensor.AsFortran(backing(n))
			text += " column-major"
		}
		d := tensor.New(options...)
		regular := len(d.Strides()) == len(shape) // else tensor's own T and Slice panic: (3, 1) column-major has one stride
		if regular && r.IntN(2) == 0 {
			axes := r.Perm(len(shape))
			if err := d.T(axes...); err != nil {
				if _, ok := err.(tensor.NoOpError); !ok {
					t.Fatal(text, axes, err)
				}
			}
			text += fmt.Sprint(" transposed ", axes)
		}
		if regular && r.IntN(2) == 0 {
			var slices []tensor.Slice
			for _, s := range d.Shape() {
				from := r.IntN(s)
				if r.IntN(3) == 0 {
					slices = append(slices, nil)
					text += " [:]"
				} else {
					to := from + 1 + r.IntN(s-from)
					slices = append(slices, tensor.S(from, to))
					text += fmt.Sprintf(" [%d:%d]", from, to)
				}
			}
			v, err := d.Slice(slices...)
			if err != nil {
				t.Fatal(text, err)
			}
			d = v.(*tensor.Dense)
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !slices.Equal(a.Shape, []int(d.Shape())) {
			t.Errorf("%s: shape %v, want %v", text, a.Shape, d.Shape())
		}
		index := make([]int, len(a.Shape))
		for i := 0; i < a.Len(); i++ {
			want, err := d.At(index...)
			if len(index) == 0 {
				want, err = d.ScalarValue(), nil
			}
			if err != nil {
				t.Fatalf("%s: At%v: %v", text, index, err)
			}
			if got := a.F64()[i]; got != want {
				t.Errorf("%s: element %v is %v, want %v", text, index, got, want)
				break
			}
			for k := len(index) - 1; k >= 0; k-- {
				if index[k]++; index[k] < a.Shape[k] {
					break
				}
				index[k] = 0
			}
		}
	}
}

// Slices and dense tensors are used in place, numbers as scalars, and Go's int as int64.
func TestArrayOf(t *testing.T) {
	for _, c := range []struct {
		value any
		dtype graph.DType
		data  unsafe.Pointer
	}{
		{[]float32{1, 2}, graph.Float32, nil},
		{[]float64{1, 2}, graph.Float64, nil},
		{[]int32{1, 2}, graph.Int32, nil},
		{[]int64{1, 2}, graph.Int64, nil},
		{[]int{1, 2}, graph.Int64, nil},
		{[]bool{true, false}, graph.Bool, nil},
	} {
		a, err := graph.ArrayOf(c.value)
		if err != nil || a.DType != c.dtype || !slices.Equal(a.Shape, []int{2}) || a.At(0) != 1 {
			t.Errorf("%T: %v%v, %v", c.value, a.DType, a.Shape, err)
		}
		b, _ := graph.ArrayOf(c.value)
		if b.SetAt(0, 0); a.At(0) != 0 {
			t.Errorf("%T was copied", c.value)
		}
	}
	for _, c := range []struct {
		value any
		dtype graph.DType
	}{{float32(1), graph.Float32}, {1.0, graph.Float64}, {int32(1), graph.Int32}, {int64(1), graph.Int64}, {1, graph.Int64}, {true, graph.Bool}} {
		if a, err := graph.ArrayOf(c.value); err != nil || a.DType != c.dtype || len(a.Shape) != 0 || a.Len() != 1 || a.At(0) != 1 {
			t.Errorf("%T: %v%v, %v", c.value, a.DType, a.Shape, err)
		}
	}
	ints := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{1, 1 << 40}))
	if a, err := graph.ArrayOf(ints); err != nil || a.DType != graph.Int64 || a.I64()[1] != 1<<40 {
		t.Errorf("a tensor of int: %v %v", a, err)
	}
	var none []float32
	if a, err := graph.ArrayOf(none); err != nil || a.Len() != 0 || len(a.F32()) != 0 {
		t.Errorf("a nil slice: %v, %v", a, err)
	}
	if n := graph.New().Constant(none); n.Err() != nil || n.Type().String() != "float32(0)" {
		t.Errorf("a constant without elements: %v, %v", n.Type(), n.Err())
	}
}

// Feeding a dense tensor costs no memory.
func TestArrayOfAllocatesNothing(t *testing.T) {
	d := tensor.New(tensor.WithShape(3, 4), tensor.Of(tensor.Float32))
	if n := testing.AllocsPerRun(100, func() {
		if a, err := graph.ArrayOf(d); err != nil || a.Len() != 12 {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
