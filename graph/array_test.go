package graph_test

import (
	"errors"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// What is no value of a node is an error of Constant, not a panic and not a node that later code trips over.
func TestConstantsThatAreNone(t *testing.T) {
	g := graph.New()
	rank17 := make([]int, graph.MaxRank+1)
	for i := range rank17 {
		rank17[i] = 1
	}
	for name, c := range map[string]struct {
		value any
		kind  error
	}{
		"nil":                {nil, graph.ErrValue},
		"nil tensor":         {(*tensor.Dense)(nil), graph.ErrValue},
		"text":               {"text", graph.ErrDType},
		"int8":               {int8(1), graph.ErrDType},
		"matrix of slices":   {[][]float32{{1}}, graph.ErrDType},
		"tensor of int16":    {tensor.New(tensor.WithShape(2), tensor.Of(tensor.Int16)), graph.ErrDType},
		"the zero Array":     {graph.Array{}, graph.ErrDType},
		"Array of no dtype":  {graph.Array{DType: 99}, graph.ErrDType},
		"Array without data": {graph.Array{DType: graph.Float32, Shape: []int{2}}, graph.ErrValue},
		"Array of bad shape": {graph.NewArray(graph.Float32, 3).As([]int{5}), graph.ErrValue},
		"negative sizes":     {graph.NewArray(graph.Float32, 4).As([]int{-2, -2}), graph.ErrValue},
		"rank 17":            {graph.NewArray(graph.Float32, rank17...), graph.ErrShape},
	} {
		n := g.Constant(c.value)
		if !errors.Is(n.Err(), c.kind) {
			t.Errorf("%s: %v is no %v", name, n.Err(), c.kind)
			continue
		}
		wantErr(t, n.Err(), "array_test.go:", "constant: ")
	}
	if n := g.Full(graph.DType(9), 1); !errors.Is(n.Err(), graph.ErrDType) {
		t.Errorf("a scalar of no type: %v", n.Err())
	}
	if len(g.Nodes()) != 0 {
		t.Errorf("%d nodes", len(g.Nodes()))
	}
}

// CopyFrom converts as Go does, in one step.
func TestCopyFromConverts(t *testing.T) {
	from := map[graph.DType]any{
		graph.Float32: []float32{0, 1, -2.75, 1e9, 16777217},
		graph.Float64: []float64{0, 1, -2.75, 1e9, 1.0000000001},
		graph.Int32:   []int32{0, 1, -2, 1<<31 - 1, -1 << 31},
		graph.Int64:   []int64{0, 1, -2, 1<<54 + 1<<30 + 1, 1<<31 - 1},
		graph.Bool:    []bool{false, true, true, false, true},
	}
	for _, x := range from {
		a, err := graph.ArrayOf(x)
		if err != nil {
			t.Fatal(err)
		}
		for to := graph.Float32; to <= graph.Bool; to++ {
			b := graph.NewArray(to, a.Len())
			b.CopyFrom(a)
			for i := 0; i < a.Len(); i++ {
				var want float64
				switch {
				case a.DType == graph.Int64 && to == graph.Float32:
					want = float64(float32(a.I64()[i])) // once rounded
				case a.DType == graph.Int64 && to == graph.Int32:
					want = float64(int32(a.I64()[i]))
				case to == graph.Float32:
					want = float64(float32(a.At(i)))
				case to == graph.Int32:
					want = float64(int32(a.At(i)))
				case to == graph.Int64:
					want = float64(int64(a.At(i)))
				case to == graph.Bool && a.At(i) != 0:
					want = 1
				case to == graph.Float64:
					want = a.At(i)
				}
				if got := b.At(i); got != want {
					t.Errorf("%v element %v as %v is %v, want %v", a.DType, a.At(i), to, got, want)
				}
			}
		}
	}
	exact := graph.NewArray(graph.Int64, 2)
	copy(exact.I64(), []int64{1<<53 + 1, -1<<63 + 1})
	same := graph.NewArray(graph.Int64, 2)
	same.CopyFrom(exact)
	if same.I64()[0] != 1<<53+1 || same.I64()[1] != -1<<63+1 {
		t.Errorf("copied %v", same.I64())
	}
}
