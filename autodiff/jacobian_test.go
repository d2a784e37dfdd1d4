package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/jacobian"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func shapeOf(n *graph.Node) string { return n.Shape().String() }

// Jacobians have the shape of the result and then of what it is differentiated by, whichever mode their size calls for: by columns if
// wrt has fewer elements, else by rows. Both agree with J = diag(1−y²)·W for y = tanh(W·x).
func TestJacobian(t *testing.T) {
	for _, size := range [][2]int{{2, 3}, {3, 2}, {1, 4}, {4, 1}, {3, 3}} {
		rows, cols := size[0], size[1]
		g := graph.New()
		x, w := g.Input("x", graph.Float64, graph.Dim(cols), 1), g.Input("w", graph.Float64, graph.Dim(rows), graph.Dim(cols))
		y := ops.Tanh(ops.MatMul(w, x))
		xv, wv := make([]float64, cols), make([]float64, rows*cols)
		for i := range xv {
			xv[i] = 0.3*float64(i) - 0.2
		}
		for i := range wv {
			wv[i] = math.Sin(float64(i))
		}
		j := autodiff.Jacobian(y, x)[0]
		if want := fmt.Sprintf("(%d, 1, %d, 1)", rows, cols); shapeOf(j) != want {
			t.Fatalf("%v: shape %v", size, shapeOf(j))
		}
		feeds := vm.Feeds{x: mustArray(xv, cols, 1), w: mustArray(wv, rows, cols)}
		got := compute(t, feeds, j, y)
		var want []float64
		for r := range rows {
			for c := range cols {
				want = append(want, (1-got[1][r]*got[1][r])*wv[r*cols+c])
			}
		}
		near(t, fmt.Sprint(size), got[0], want...)
		looped, err := jacobian.Rows(context.Background(), nil, y, x, feeds)
		if err != nil || !slices.Equal(looped.Shape(), []int{rows, 1, cols, 1}) {
			t.Fatalf("%v: %v, %v", size, looped, err)
		}
		near(t, fmt.Sprint("rows, ", size), looped.Float64s(), want...)
	}
}

// Of several nodes each has its Jacobian; what does not depend on one is an error, or zeros if asked for; scalars and sizes of 0 are
// shapes like others; one side may be symbolic.
func TestJacobianOfSeveral(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x, s, unused, batch := g.Input("x", graph.Float64, 2), g.Input("s", graph.Float64), g.Input("u", graph.Float32, 3), g.Input("batch", graph.Float64, n, 2)
	y := ops.Mul(ops.Square(x), s)
	list := autodiff.Options{AllowUnused: true}.Jacobian(y, x, s, unused)
	rowsOf := autodiff.Jacobian(ops.Sum(batch), batch)[0]
	columns := autodiff.Jacobian(ops.Mul(batch, x), x)[0]
	wide := autodiff.Jacobian(g.Constant(graph.NewArray(graph.Float64, 0)), x)[0]
	for i, c := range []struct {
		node *graph.Node
		want string
	}{{list[0], "float64(2, 2)"}, {list[1], "float64(2)"}, {list[2], "float64(2, 3)"}, {rowsOf, "float64(n, 2)"}, {columns, "float64(n, 2, 2)"}, {wide, "float64(0, 2)"}} {
		if got := c.node.Type().String(); got != c.want {
			t.Errorf("%d: %v, want %v; %v", i, got, c.want, c.node.Err())
		}
	}
	v := compute(t, vm.Feeds{x: []float64{3, 5}, s: 2.0, batch: mustArray([]float64{1, 2, 3, 4}, 2, 2)}, append(list, rowsOf, columns)...)
	near(t, "∂y/∂x", v[0], 12, 0, 0, 20)
	near(t, "∂y/∂s", v[1], 9, 25)
	near(t, "∂y/∂unused", v[2], 0, 0, 0, 0, 0, 0)
	near(t, "rows of a symbolic size", v[3], 1, 1, 1, 1)
	near(t, "columns of a symbolic size", v[4], 1, 0, 0, 2, 3, 0, 0, 4)
	large, other := g.Input("large", graph.Float64, 300), graph.New().Input("x", graph.Float64)
	for _, c := range []struct {
		node *graph.Node
		kind error
		want string
	}{
		{autodiff.Jacobian(y, unused)[0], graph.ErrGradient, "does not depend on it"},
		{autodiff.Jacobian(ops.Square(large), large)[0], graph.ErrGradient, "jacobian.Rows"},
		{autodiff.Jacobian(ops.Square(batch), batch)[0], graph.ErrGradient, "2*n elements"},
		{autodiff.Jacobian(y, other)[0], graph.ErrGraph, "another graph"},
		{autodiff.Jacobian(ops.Sum(x, 4), x)[0], graph.ErrShape, "axis 4"},
		{autodiff.Hessian(y, x)[0][0], graph.ErrGradient, "a gradient is of a scalar"},
		{autodiff.Hessian(ops.Sum(y), unused)[0][0], graph.ErrGradient, "does not depend on it"},
	} {
		if err := c.node.Err(); !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// The Hessian of ½xᵀAx + b·Σx is (A+Aᵀ)/2, block by block, with zeros where nothing flows.
func TestHessian(t *testing.T) {
	g := graph.New()
	x, b, a := g.Input("x", graph.Float64, 3, 1), g.Input("b", graph.Float64), g.Input("a", graph.Float64, 3, 3)
	y := ops.Add(ops.Scale(ops.Sum(ops.Mul(x, ops.MatMul(a, x))), 0.5), ops.Mul(b, ops.Sum(x)))
	h := autodiff.Hessian(y, x, b)
	if shapeOf(h[0][0]) != "(3, 1, 3, 1)" || shapeOf(h[0][1]) != "(3, 1)" || shapeOf(h[1][0]) != "(3, 1)" || shapeOf(h[1][1]) != "()" {
		t.Fatalf("%v %v %v %v", shapeOf(h[0][0]), shapeOf(h[0][1]), shapeOf(h[1][0]), shapeOf(h[1][1]))
	}
	v := compute(t, vm.Feeds{x: mustArray([]float64{1, 2, 3}, 3, 1), b: 4.0, a: mustArray([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 3)}, h[0][0], h[0][1], h[1][0], h[1][1])
	near(t, "xx", v[0], 1, 3, 5, 3, 5, 7, 5, 7, 9)
	near(t, "xb", v[1], 1, 1, 1)
	near(t, "bx", v[2], 1, 1, 1)
	near(t, "bb", v[3], 0)
}

// What a rule says of each mode stays apart in a Jacobian too.
func TestJacobianByMode(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 2)
	for _, y := range []*graph.Node{ops.ByMode(ops.Log(x), ops.Square(x)), ops.Sum(ops.ByMode(ops.Log(x), ops.Square(x)))} {
		got := compute(t, vm.Feeds{x: []float64{0, 3}}, autodiff.Jacobian(y, x)[0])[0]
		if y.Shape().Rank() == 0 {
			near(t, "by rows", got, 0, 6)
		} else {
			near(t, "by columns", got, 0, 0, 0, 6)
		}
	}
}

// Rows serves what is symbolic, empty or held by a state, and says what is wrong with the rest.
func TestRows(t *testing.T) {
	ctx := context.Background()
	g, n := graph.New(), graph.Symbol("n")
	x, w := g.Input("x", graph.Float32, n), g.Param("w", graph.Float32, graph.Full(3))
	y := ops.Mul(ops.Square(x), w)
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, fed := range [][]float32{{1, 2}, {5}, {}} {
		j, err := jacobian.Rows(ctx, state, y, x, vm.Feeds{x: fed})
		if err != nil || !slices.Equal(j.Shape(), []int{len(fed), len(fed)}) {
			t.Fatalf("%v: %v, %v", fed, j, err)
		}
		for i := range fed {
			if got, want := j.Float32s()[i*len(fed)+i], 6*fed[i]; got != want {
				t.Errorf("%v: element %d is %v, want %v", fed, i, got, want)
			}
		}
	}
	h, err := jacobian.Rows(ctx, nil, autodiff.Grad(ops.Sum(ops.PowScalar(x, 3)), x)[0], x, vm.Feeds{x: []float32{1, 2}})
	if err != nil || !slices.Equal(h.Float32s(), []float32{6, 0, 0, 12}) {
		t.Errorf("a Hessian: %v, %v", h, err)
	}
	for _, c := range []struct {
		y, x  *graph.Node
		state *vm.State
		feeds vm.Feeds
		want  string
	}{
		{y, x, nil, vm.Feeds{x: []float32{1}}, "vm.NewState"},
		{y, x, state, nil, "x"},
		{y, g.Full(graph.Float32, 9), state, nil, "does not depend on it"},
		{ops.Sum(y, 3), x, state, nil, "axis 3"},
		{y, x, state, vm.Feeds{x: []float64{1}}, "fed float64"},
	} {
		if _, err := jacobian.Rows(ctx, c.state, c.y, c.x, c.feeds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// A Jacobian of the largest size that is nodes builds and compiles in the time of a coffee sip: 256 passes over a network of three layers.
func TestLargestJacobianAsNodes(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 1, 256)
	h := x
	for i := range 3 {
		w := g.Param(fmt.Sprintf("w%d", i), graph.Float64, graph.Full(0.01), 256, 256)
		h = ops.Tanh(ops.Affine(h, w, g.Param(fmt.Sprintf("b%d", i), graph.Float64, graph.Zeros(), 256)))
	}
	start := time.Now()
	j := autodiff.Jacobian(h, x)[0]
	if err := j.Err(); err != nil {
		t.Fatal(err)
	}
	built := time.Since(start)
	if _, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{j}}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d nodes; built in %v, compiled in %v", len(graph.Reachable(j)), built, time.Since(start)-built)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%v", took)
	}
}
