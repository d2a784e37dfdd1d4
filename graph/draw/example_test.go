package draw_test

import (
	"fmt"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/graph/draw"
)

func Example() {
	relu := &graph.Def{Name: "relu", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil }}
	add := &graph.Def{Name: "add", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil }}

	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 4)
	b := g.Param("bias", graph.Float32, graph.Zeros(), 4)
	y := graph.Apply(relu, nil, graph.Apply(add, nil, x, b)).Named("hidden")

	picture := draw.Graph(y) // picture.WriteFile("graph.svg") stores it; a notebook shows it
	fmt.Println(strings.HasPrefix(picture.SVG(), "<svg "))
	fmt.Print(picture)
	// Output:
	// true
	// %0 = input x : float32(batch, 4)  example_test.go:16
	// %1 = param bias : float32(4)  example_test.go:17
	// %2 = add(%0, %1) : float32(batch, 4)  example_test.go:18
	// %3 = relu(%2) "hidden" : float32(batch, 4)  example_test.go:18
}
