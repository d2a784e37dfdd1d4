package ops_test

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Operators build nodes; shapes are known, and checked, before anything runs.
func Example() {
	g := graph.New()
	batch := graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch)
	centred := ops.Sub(x, ops.MeanKeep(x))
	fmt.Println(centred.Type())
	v, err := vm.Eval(nil, centred, vm.Feeds{x: []float64{1, 2, 6}})
	fmt.Println(v, err)
	// Output:
	// float64(batch)
	// [-2  -1   3] <nil>
}
