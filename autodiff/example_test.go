package autodiff_test

import (
	"fmt"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The gradient of an expression is an expression, which can be differentiated again.
func Example() {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	y := ops.PowScalar(x, 3)
	slope := autodiff.Grad(y, x)[0]
	curvature := autodiff.Grad(slope, x)[0]
	for _, n := range []*graph.Node{y, slope, curvature} {
		v, err := vm.Eval(nil, n, vm.Feeds{x: 2.0})
		fmt.Println(v, err)
	}
	// Output:
	// 8 <nil>
	// 12 <nil>
	// 12 <nil>
}
