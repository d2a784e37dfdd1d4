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
