package graph_test

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
)

// An operator is one literal; package ops is full of them. Here is one of one's own, applied to an input of any batch size.
func Example() {
	double := &graph.Def{
		Name:  "double",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Pointwise: &graph.Pointwise{F32: func(_ any, dst []float32, in [][]float32) {
			for i, x := range in[0] {
				dst[i] = 2 * x
			}
		}},
	}

	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 784)
	y := graph.Apply(double, nil, x)
	fmt.Println(y, "is", y.Type())
	fmt.Println("the same expression is the same node:", graph.Apply(double, nil, x) == y)

	bad := g.Input("z", graph.Float32, -2) // does not fit, but nothing needs to be checked here
	z := graph.Apply(double, nil, graph.Apply(double, nil, bad))
	fmt.Println(z.Err())
	// Output:
	// double(x) is float32(batch, 784)
	// the same expression is the same node: true
	// example_test.go:27: input z: dimension 0 is negative: -2; a size that is known only at run time is a graph.Symbol(name)
}

// Symbols stand for sizes that are known when a program runs.
func ExampleDim() {
	length := graph.Symbol("length")
	windows := length.Sub(3).FloorDiv(2).Add(1)
	n, err := windows.Eval(graph.Binding{length: 28})
	fmt.Println(windows, "is", n, err)
	fmt.Println(windows.Equal(length.Sub(1).FloorDiv(2)) == graph.Yes)
	// Output:
	// floor((length + 1)/2) - 1 is 13 <nil>
	// true
}
