// Package gradcheck compares gradients with finite differences, for anyone's tests: gradcheck.Test in a go test, gradcheck.Check
// in a notebook.
//
// A function f of some tensors is made scalar by contracting its result with fixed random numbers. Its gradient by Grad is
// compared with central differences in float64, and so is the gradient of the (again contracted) gradient, which checks second
// derivatives. An element passes if |analytic − numeric| ≤ 10⁻⁵ + 10⁻³·|numeric|.
package gradcheck

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The bounds of the comparison.
const (
	Absolute = 1e-5
	Relative = 1e-3
)

// Func builds an expression from inputs; all its float inputs are differentiated.
type Func func(x []*graph.Node) *graph.Node

// Element is the comparison of one derivative.
type Element struct {
	Order    int // 1 or 2
	Input    int // which input
	Index    int // which of its elements, row-major
	Analytic float64
	Numeric  float64
}

// excess is how far the element is from passing: at most 1 passes.
func (e Element) excess() float64 {
	x := math.Abs(e.Analytic-e.Numeric) / (Absolute + Relative*math.Abs(e.Numeric))
	if math.IsNaN(x) {
		return math.Inf(1)
	}
	return x
}

// String prints the comparison on one line.
func (e Element) String() string {
	return fmt.Sprintf("order %d, input %d, element %d: analytic %.9g, numeric %.9g, difference %.3g (allowed %.3g)",
		e.Order, e.Input, e.Index, e.Analytic, e.Numeric, math.Abs(e.Analytic-e.Numeric), Absolute+Relative*math.Abs(e.Numeric))
}

// Report is the outcome of a check.
type Report struct {
	Checked int     // derivatives compared
	Failed  int     // of which outside the bounds
	Worst   Element // the one furthest out, or nearest to it
}

// OK reports whether every derivative is within the bounds.
func (r *Report) OK() bool { return r.Failed == 0 }

// String sums up the report.
func (r *Report) String() string {
	if r.Checked == 0 {
		return "nothing compared: the inputs have no elements"
	}
	if r.OK() {
		return fmt.Sprintf("%d derivatives agree; the worst: %v", r.Checked, r.Worst)
	}
	return fmt.Sprintf("%d of %d derivatives differ; the worst: %v", r.Failed, r.Checked, r.Worst)
}

// T is what Test needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Test checks f at the given inputs and reports what differs as an error of t.
func Test(t T, f Func, inputs ...any) {
	t.Helper()
	report, err := Check(f, inputs...)
	if err != nil {
		t.Errorf("gradcheck: %v", err)
	} else if !report.OK() {
		t.Errorf("gradcheck: %v", report)
	}
}

// Check compares first and second derivatives of f at the given inputs: *tensor.Dense, slices or numbers, of which the float64
// ones are differentiated. Keep them away from kinks. It fails if f, its gradient or the gradient's gradient cannot be built
// or run; a second derivative that is zero because nothing flows counts as 0.
func Check(f Func, inputs ...any) (*Report, error) {
	g := graph.New()
	nodes := make([]*graph.Node, len(inputs))
	values := make([]graph.Array, len(inputs))
	var wrt []*graph.Node
	var at []int // inputs of wrt
	for i, v := range inputs {
		a, err := graph.ArrayOf(v)
		if err != nil {
			return nil, err
		}
		dims := make([]graph.Dim, len(a.Shape))
		for k, s := range a.Shape {
			dims[k] = graph.Dim(s)
		}
		values[i] = graph.NewArray(a.DType, append([]int(nil), a.Shape...)...)
		values[i].CopyFrom(a)
		nodes[i] = g.Input(fmt.Sprintf("x%d", i), a.DType, dims...)
		if a.DType == graph.Float64 {
			wrt, at = append(wrt, nodes[i]), append(at, i)
		}
	}
	if len(wrt) == 0 {
		return nil, graph.Errorf(graph.ErrDType, "no input is float64, so there is nothing to differentiate by")
	}
	c := checker{graph: g, nodes: nodes, values: values, wrt: wrt, at: at, random: rand.New(rand.NewPCG(1, 2))}
	y := f(nodes)
	if err := y.Err(); err != nil {
		return nil, err
	}
	first := c.contract([]*graph.Node{y})
	grads := autodiff.Options{AllowUnused: true}.Grad(first, wrt...)
	if err := c.compare(1, first, grads); err != nil {
		return nil, err
	}
	second := c.contract(grads)
	if err := c.compare(2, second, autodiff.Options{AllowUnused: true}.Grad(second, wrt...)); err != nil {
		return nil, err
	}
	return &c.report, nil
}

type checker struct {
	graph  *graph.Graph
	nodes  []*graph.Node
	values []graph.Array
	wrt    []*graph.Node
	at     []int
	random *rand.Rand
	report Report
}

// contract makes a scalar of several values: Σ r⊙y with fixed random r from ½ to 1½, so that no cancellation is systematic.
func (c *checker) contract(ys []*graph.Node) *graph.Node {
	var sum *graph.Node
	for _, y := range ys {
		if y.Err() != nil {
			return y
		}
		shape := make([]int, len(y.Shape()))
		for i, d := range y.Shape() {
			if !d.IsStatic() {
				return graph.Invalid(graph.Errorf(graph.ErrShape, "the result has shape %v; a check needs fixed sizes", y.Shape()), "gradcheck", y)
			}
			shape[i] = int(d)
		}
		r := graph.NewArray(graph.Float64, shape...)
		for i := range r.Len() {
			r.SetAt(i, 0.5+c.random.Float64())
		}
		term := ops.Sum(ops.Mul(y, c.graph.Constant(r)))
		if sum == nil {
			sum = term
		} else {
			sum = ops.Add(sum, term)
		}
	}
	return sum
}

// compare holds the gradients of y against central differences of y.
func (c *checker) compare(order int, y *graph.Node, grads []*graph.Node) error {
	m, err := c.machine(append([]*graph.Node{y}, grads...))
	if err != nil {
		return err
	}
	if err := m.Run(context.Background()); err != nil {
		return err
	}
	analytic := make([][]float64, len(grads))
	for i, g := range grads {
		d, err := m.Value(g)
		if err != nil {
			return err
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			return err
		}
		for k := range a.Len() {
			analytic[i] = append(analytic[i], a.At(k))
		}
	}
	if m, err = c.machine([]*graph.Node{y}); err != nil {
		return err
	}
	at := func(x []float64, k int, v float64) (float64, error) {
		saved := x[k]
		x[k] = v
		err := m.Run(context.Background())
		x[k] = saved
		if err != nil {
			return 0, err
		}
		return m.Scalar(y)
	}
	for i, input := range c.at {
		x := c.values[input].F64()
		for k, v := range x {
			h := 6e-6 * math.Max(math.Abs(v), 1)
			up, err := at(x, k, v+h)
			if err != nil {
				return err
			}
			down, err := at(x, k, v-h)
			if err != nil {
				return err
			}
			c.count(Element{order, input, k, analytic[i][k], (up - down) / ((v + h) - (v - h))})
		}
	}
	return nil
}

func (c *checker) count(e Element) {
	c.report.Checked++
	if e.excess() > 1 {
		c.report.Failed++
	}
	if c.report.Checked == 1 || e.excess() > c.report.Worst.excess() {
		c.report.Worst = e
	}
}

// machine runs some nodes on the values, which it reads in place.
func (c *checker) machine(outputs []*graph.Node) (*vm.Machine, error) {
	p, err := vm.Compile(vm.Spec{Outputs: outputs})
	if err != nil {
		return nil, err
	}
	s, err := vm.NewState(c.graph, 0)
	if err != nil {
		return nil, err
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Feeds() {
		for i, x := range c.nodes {
			if x == n {
				if err := m.Feed(n, c.values[i]); err != nil {
					return nil, err
				}
			}
		}
	}
	return m, nil
}
