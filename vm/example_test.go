package vm_test

import (
	"context"
	"fmt"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Fit a line to points: declare, differentiate, compile, run.
func Example() {
	g, n := graph.New(), graph.Symbol("n")
	x, y := g.Input("x", graph.Float64, n), g.Input("y", graph.Float64, n)
	slope := g.Param("slope", graph.Float64, graph.Zeros())
	offset := g.Param("offset", graph.Float64, graph.Zeros())

	prediction := ops.Add(ops.Mul(slope, x), offset)
	loss := ops.Mean(ops.Square(ops.Sub(prediction, y)))
	grads := autodiff.Grad(loss, slope, offset)

	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss}, Mode: vm.Train, Updates: []graph.Update{
		{Target: slope, Value: ops.Sub(slope, ops.Scale(grads[0], 0.1))},
		{Target: offset, Value: ops.Sub(offset, ops.Scale(grads[1], 0.1))},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	state, err := vm.NewState(g, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := vm.NewMachine(step, state)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.FeedAll(vm.Feeds{x: []float64{0, 1, 2, 3}, y: []float64{1, 3, 5, 7}}); err != nil {
		fmt.Println(err)
		return
	}
	for range 300 {
		if err := m.Run(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, name := range state.Names() {
		v, _ := state.Get(name)
		fmt.Printf("%s %.3f\n", name, v.Data())
	}
	// Output:
	// slope 2.000
	// offset 1.000
}
