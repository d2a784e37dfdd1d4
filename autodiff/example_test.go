package autodiff_test

import (
	"context"
	"fmt"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/jacobian"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// show prints the value of an expression.
func show(n *graph.Node, feeds vm.Feeds) {
	v, err := vm.Eval(nil, n, feeds)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.6g\n", v.Data())
}

// The gradient of an expression is an expression, which can be differentiated again.
func Example() {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	y := ops.PowScalar(x, 3)
	slope := autodiff.Grad(y, x)[0]
	curvature := autodiff.Grad(slope, x)[0]
	for _, n := range []*graph.Node{y, slope, curvature} {
		show(n, vm.Feeds{x: 2.0})
	}
	// Output:
	// 8
	// 12
	// 12
}

func ExampleGrad() {
	g := graph.New()
	x, w := g.Input("x", graph.Float64, 3), g.Input("w", graph.Float64, 3)
	loss := ops.Sum(ops.Square(ops.Mul(x, w)))
	grads := autodiff.Grad(loss, w, x) // one for each, of its type
	feeds := vm.Feeds{x: []float64{1, 2, 3}, w: []float64{1, 0, -1}}
	show(grads[0], feeds)
	show(grads[1], feeds)
	// Output:
	// [2 0 -18]
	// [2 0 6]
}

// What a loss does not depend on is an error, unless zeros are meant.
func ExampleOptions() {
	g := graph.New()
	x, unused := g.Input("x", graph.Float64), g.Input("unused", graph.Float64, 2)
	loss := ops.Square(x)
	fmt.Println(autodiff.Grad(loss, unused)[0].Err() != nil)
	show(autodiff.Options{AllowUnused: true}.Grad(loss, unused)[0], nil)
	// Output:
	// true
	// [0 0]
}

// The cotangent of a result that is no scalar says how much each element counts.
func ExampleVJP() {
	g := graph.New()
	x, dy := g.Input("x", graph.Float64, 3), g.Input("dy", graph.Float64, 3)
	y := ops.Square(x)
	show(autodiff.VJP(y, dy, x)[0], vm.Feeds{x: []float64{1, 2, 3}, dy: []float64{1, 10, 100}})
	// Output: [2 40 600]
}

// The derivative of all elements of a result along one direction, at the price of one more forward pass.
func ExampleJVP() {
	g := graph.New()
	t, unit := g.Input("t", graph.Float64), g.Full(graph.Float64, 1)
	curve := ops.Mul(t, g.Constant([]float64{1, 2, 3}))
	show(autodiff.JVP(ops.Square(curve), []*graph.Node{t}, []*graph.Node{unit}), vm.Feeds{t: 2.0})
	// Output: [4 16 36]
}

// A product with the Hessian costs a few passes, where the Hessian itself would cost one for each parameter: what a Newton step by
// conjugate gradients needs.
func ExampleHVP() {
	g := graph.New()
	w, v := g.Input("w", graph.Float64, 3), g.Input("v", graph.Float64, 3)
	loss := ops.Sum(ops.PowScalar(w, 3))
	show(autodiff.HVP(loss, []*graph.Node{w}, []*graph.Node{v})[0], vm.Feeds{w: []float64{1, 2, 3}, v: []float64{1, 0, -1}})
	// Output: [6 0 -18]
}

// The shape is that of the result, then that of what it is differentiated by.
func ExampleJacobian() {
	g := graph.New()
	p := g.Input("p", graph.Float64, 2) // radius and angle
	r, a := ops.Slice(p, 0, 0, 1), ops.Slice(p, 0, 1, 2)
	y := ops.Concat(0, ops.Mul(r, ops.Cos(a)), ops.Mul(r, ops.Sin(a)))
	j := autodiff.Jacobian(y, p)[0]
	fmt.Println(j.Type())
	show(j, vm.Feeds{p: []float64{2, 0}})
	// Output:
	// float64(2, 2)
	// [1 0 0 2]
}

// One block for each pair of nodes.
func ExampleHessian() {
	g := graph.New()
	a, b := g.Input("a", graph.Float64, 2), g.Input("b", graph.Float64)
	y := ops.Mul(ops.Sum(ops.Square(a)), b)
	h := autodiff.Hessian(y, a, b)
	show(h[0][0], vm.Feeds{b: 3.0})
	show(h[0][1], vm.Feeds{a: []float64{1, 2}})
	show(h[1][1], nil)
	// Output:
	// [6 0 0 6]
	// [2 4]
	// 0
}

func ExampleNth() {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	show(autodiff.Nth(ops.PowScalar(x, 4), x, 3), vm.Feeds{x: []float64{1, 2, 3}}) // 24·x
	// Output: [24 48 72]
}

// Jacobians of symbolic size are run row by row.
func Example_jacobianRows() {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("n"))
	j, err := jacobian.Rows(context.Background(), nil, ops.Mul(x, ops.Sum(x)), x, vm.Feeds{x: []float64{1, 2}})
	fmt.Println(j.Data(), j.Shape(), err)
	// Output: [4 1 2 5] (2, 2) <nil>
}

// The gradient penalty of a Wasserstein critic (Gulrajani et al., 2017, arXiv:1704.00028) is an expression of a gradient, and is
// differentiated like any other.
func Example_gradientPenalty() {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 2)
	w := g.Input("w", graph.Float64, 2, 1)
	critic := ops.Square(ops.MatMul(x, w))                                // (batch, 1)
	slope := autodiff.Grad(ops.Sum(critic), x)[0]                         // row i is of sample i alone
	norm := ops.Sqrt(ops.AddScalar(ops.Sum(ops.Square(slope), 1), 1e-12)) // (batch)
	penalty := ops.Mean(ops.Square(ops.AddScalar(norm, -1)))
	samples := mustArray([]float64{1, 0, 0, 2}, 2, 2)
	feeds := vm.Feeds{x: samples, w: mustArray([]float64{3, 4}, 2, 1)}
	show(penalty, feeds)
	show(autodiff.Grad(penalty, w)[0], feeds)
	// Output:
	// 3541
	// [1152.8 2730.4]
}

// Learning to learn (Finn et al., 2017, arXiv:1703.03400): a step of gradient descent is an expression, and so is the gradient through it.
func Example_innerStep() {
	g := graph.New()
	w, a, b := g.Input("w", graph.Float64), g.Input("a", graph.Float64), g.Input("b", graph.Float64)
	task := func(w, target *graph.Node) *graph.Node { return ops.Square(ops.Sub(w, target)) }
	adapted := ops.Sub(w, ops.Scale(autodiff.Grad(task(w, a), w)[0], 0.25)) // w − ¼·2(w−a)
	meta := autodiff.Grad(task(adapted, b), w)[0]                           // 2(w′−b)·½
	show(adapted, vm.Feeds{w: 1.0, a: 3.0})
	show(meta, vm.Feeds{w: 1.0, a: 3.0, b: 5.0})
	// Output:
	// 2
	// -3
}
