// Package gradcheck compares derivatives with finite differences, for anyone's tests: gradcheck.Test in a go test, gradcheck.Check
// in a notebook, gradcheck.Node for an expression that exists already.
//
// A function f of some tensors is made scalar by contracting its results with fixed random numbers. Its gradient by Grad is
// compared with central differences in float64; so is the gradient of the (again contracted) gradient, which checks second
// derivatives; and forward mode is held against reverse mode by ⟨JVP(v), u⟩ = ⟨v, VJP(u)⟩. Inputs of many elements are
// moved along random directions d instead of element by element, comparing the slope along d with ⟨∇f, d⟩.
//
// # Tolerances
//
// An input x is moved by ±t·max(|x|, 1) with t = ε^⅓ ≈ 6·10⁻⁶, at which the two errors of a central difference, of truncation
// t²/6·|f‴| and of rounding ε·S/t, are alike: about ε^⅔·S, with S the sum of the magnitudes that f adds up. A derivative passes within 64 times that,
// about 2·10⁻⁹·S. What does not pass is looked at again with the steps 2t and t/8: the truncation error is then estimated instead of
// assumed, though never taken for more than Absolute + Relative·|numeric|, and kinks are told from slips. At a kink there is no derivative to
// compare with; one that lies between the slopes of the two sides is counted in Report.Kinks, any other fails.
package gradcheck

import (
	"fmt"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The widest bounds of the comparison: what a steep third derivative may make of a finite difference.
const (
	Absolute = 1e-5
	Relative = 1e-3
)

// Func builds an expression from inputs; all its float64 inputs are differentiated. It may return a tuple (ops.Tuple), of which all float
// parts are checked.
type Func func(x []*graph.Node) *graph.Node

// Options are the less common wishes of a check. The zero value is what Check and Test use.
type Options struct {
	// Order is the highest order of derivatives to check, 1 or 2; 0 means 2. Forward mode rests on second derivatives, and is
	// checked with them.
	Order int

	// Elements is the size up to which an input is checked element by element, and beyond which along random directions; 0 means 100.
	Elements int

	// Directions is how many random directions a larger input is moved along; 0 means 4.
	Directions int

	// Mode resolves ops.ByMode.
	Mode vm.Mode

	// Seed varies the random numbers.
	Seed uint64
}

// Input is a value fed to an input of given dimensions, some of them symbols, which take their sizes from the value.
type Input struct {
	Value any
	Dims  []graph.Dim
}

// Shaped gives an input dimensions, such as a symbolic batch: gradcheck.Check(f, gradcheck.Shaped(x, batch, 3)).
func Shaped(value any, dims ...graph.Dim) Input { return Input{value, dims} }

// T is what Test needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Test checks f at the given inputs and reports what differs as an error of t.
func Test(t T, f Func, inputs ...any) {
	t.Helper()
	Options{}.Test(t, f, inputs...)
}

// Test is the function Test with options.
func (o Options) Test(t T, f Func, inputs ...any) {
	t.Helper()
	report, err := o.Check(f, inputs...)
	if err != nil {
		t.Errorf("gradcheck: %v", err)
	} else if !report.OK() {
		t.Errorf("gradcheck: %v", report)
	}
}

// Check compares first and second derivatives of f at the given inputs: *tensor.Dense, slices or numbers, or one of these with
// symbolic dimensions by Shaped. The float64 ones are differentiated. It fails if f, its gradient or the gradient's gradient cannot be
// built or run; a derivative that is zero because nothing flows counts as 0.
func Check(f Func, inputs ...any) (*Report, error) { return Options{}.Check(f, inputs...) }

// Check is the function Check with options.
func (o Options) Check(f Func, inputs ...any) (*Report, error) {
	c := o.checker(graph.New())
	var nodes []*graph.Node
	for i, v := range inputs {
		in, shaped := v.(Input)
		if !shaped {
			in.Value = v
		}
		a, err := graph.ArrayOf(in.Value)
		if err != nil {
			return nil, err
		}
		if !shaped {
			in.Dims = dimsOf(a.Shape)
		}
		n := c.graph.Input(fmt.Sprintf("x%d", i), a.DType, in.Dims...)
		if n.Err() != nil {
			return nil, n.Err()
		}
		nodes = append(nodes, n)
		c.input(n, a)
	}
	return c.run(f(nodes))
}

// Node checks the derivatives of expression y by all the float64 leaves it depends on, at the given values: those of inputs, and of parameters and
// variables too. y's graph is left as it is. The errors are those of Check, and a leaf without a value.
func Node(y *graph.Node, values map[*graph.Node]any) (*Report, error) {
	return Options{}.Node(y, values)
}

// Node is the function Node with options.
func (o Options) Node(y *graph.Node, values map[*graph.Node]any) (*Report, error) {
	if err := y.Err(); err != nil {
		return nil, err
	}
	c := o.checker(graph.New())
	copied := graph.Rebuild{Into: c.graph, Replace: func(n *graph.Node, _ []*graph.Node) *graph.Node {
		if n.Kind() == graph.Param || n.Kind() == graph.Variable {
			return c.graph.Input(n.Name(), n.DType(), n.Shape()...)
		}
		return nil
	}}
	root := copied.Run(y)[0]
	for _, n := range graph.Reachable(y) {
		if k := n.Kind(); k == graph.Op || k == graph.Constant {
			continue
		}
		a, err := graph.ArrayOf(values[n])
		if err != nil {
			return nil, graph.Locate(err, n)
		}
		c.input(copied.Image(n), a)
	}
	return c.run(root)
}

func dimsOf(shape []int) []graph.Dim {
	dims := make([]graph.Dim, len(shape))
	for i, s := range shape {
		dims[i] = graph.Dim(s)
	}
	return dims
}

// checker is one check: a graph of its own, and values of its inputs.
type checker struct {
	Options
	graph  *graph.Graph
	nodes  []*graph.Node
	values map[*graph.Node]graph.Array // copies, which differences move in place
	wrt    []*graph.Node
	at     []int // inputs of wrt
	random *rand.Rand
	report Report
}

func (o Options) checker(g *graph.Graph) *checker {
	for _, d := range []struct {
		option *int
		value  int
	}{{&o.Order, 2}, {&o.Elements, 100}, {&o.Directions, 4}} {
		if *d.option == 0 {
			*d.option = d.value
		}
	}
	return &checker{Options: o, graph: g, values: map[*graph.Node]graph.Array{}, random: rand.New(rand.NewPCG(1+o.Seed, 2))}
}

func (c *checker) input(n *graph.Node, v graph.Array) {
	if v.DType == graph.Float64 && n.DType() == graph.Float64 {
		c.wrt, c.at = append(c.wrt, n), append(c.at, len(c.nodes))
	}
	own := graph.NewArray(v.DType, append([]int(nil), v.Shape...)...)
	own.CopyFrom(v)
	c.nodes = append(c.nodes, n)
	c.values[n] = own
}

// run checks the expression y of the inputs.
func (c *checker) run(y *graph.Node) (*Report, error) {
	if err := y.Err(); err != nil {
		return nil, err
	}
	if len(c.wrt) == 0 {
		return nil, graph.Errorf(graph.ErrDType, "no input is float64, so there is nothing to differentiate by")
	}
	c.report.Function = y.Expr()
	if y.Pos().IsKnown() {
		c.report.Function = y.Pos().String() + ": " + c.report.Function
	}
	var ys []*graph.Node
	for i, t := range y.Type().Tuple {
		if t.DType.IsFloat() {
			ys = append(ys, ops.Get(y, i))
		}
	}
	if !y.Type().IsTuple() {
		ys = []*graph.Node{y}
	}
	zeros := autodiff.Options{AllowUnused: true}
	f, scale, err := c.contract("r", ys)
	if err != nil {
		return nil, err
	}
	grads := zeros.Grad(f, c.wrt...)
	if err := c.compare(1, f, scale, grads); err != nil || c.Order < 2 {
		return &c.report, err
	}
	if err := c.forward(f, scale, grads); err != nil {
		return nil, err
	}
	f2, scale2, err := c.contract("s", grads)
	if err != nil {
		return nil, err
	}
	if err := c.compare(2, f2, scale+scale2, zeros.Grad(f2, c.wrt...)); err != nil {
		return nil, err
	}
	return &c.report, nil
}

// contract makes a scalar of several values: Σ r⊙y with fixed random r from ½ to 1½, so that no derivative hides behind a symmetry such
// as Σ softmax = 1. It returns also Σ |r⊙y|, by which rounding errors are measured.
func (c *checker) contract(name string, ys []*graph.Node) (f *graph.Node, scale float64, err error) {
	values, err := c.evaluate(ys)
	if err != nil {
		return nil, 0, err
	}
	var terms []*graph.Node
	for i, y := range ys {
		if !y.DType().IsFloat() {
			return nil, 0, graph.Locate(graph.Errorf(graph.ErrDType, "the result is %v; only float32 and float64 have gradients", y.Type()), y)
		}
		r := c.draw(fmt.Sprintf("gradcheck.%s%d", name, i), y, values[i].Shape)
		for k := range values[i].Len() {
			v := c.values[r].At(k) * values[i].At(k)
			scale += max(v, -v)
		}
		terms = append(terms, ops.Sum(ops.Mul(y, r)))
	}
	f = ops.AddN(terms...)
	return f, scale, f.Err()
}

// draw adds an input like y with random values.
func (c *checker) draw(name string, y *graph.Node, shape []int) *graph.Node {
	r := c.graph.Input(name, y.DType(), y.Shape()...)
	a := graph.NewArray(y.DType(), append([]int(nil), shape...)...)
	for i := range a.Len() {
		a.SetAt(i, 0.5+c.random.Float64())
	}
	c.values[r] = a
	return r
}
