// Package optim holds optimisers. An optimiser is a function from parameters and gradients to updates, written as expressions:
// what it computes is part of the graph, runs on the same tape as the gradient, and commits with the step.
//
// What an optimiser remembers (momentum, step counters) and the learning rate are variables of the graph, named after the
// optimiser and the parameter. To change the learning rate while training, set its variable: state.Set("adam.lr", 1e-4).
package optim

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// SGD is gradient descent: p := p − LR·g, with momentum μ: v := μ·v + g, p := p − LR·v (PyTorch's form, without dampening).
type SGD struct {
	LR       float64     // learning rate; 0 means 0.01
	Momentum float64     // μ from 0 to 1
	Rate     *graph.Node // if set, a float64 scalar used in place of LR
	Name     string      // prefix of its variables; "" means "sgd"
}

// Updates returns the updates of params by their gradients grads. What is wrong (a rate that is NaN, infinite or negative,
// lists of different length, invalid gradients) is carried by the updates' values, so that compiling them says so.
func (o SGD) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(o.Name, "sgd", params, grads)
	c.inRange("Momentum", o.Momentum, 0, 1)
	rate := c.rate(o.Rate, o.LR, 0.01)
	if !c.ready() {
		return c.finish()
	}
	for i, p := range params {
		g := grads[i]
		if o.Momentum != 0 {
			v := c.memory("momentum", p)
			g = ops.Add(ops.Scale(v, o.Momentum), g)
			c.update(v, g)
		}
		c.update(p, ops.Sub(p, ops.Mul(ops.Cast(rate, p.DType()), g)))
	}
	return c.finish()
}

// Adam is adaptive moment estimation (Kingma and Ba 2015), in PyTorch's form:
//
//	m := β₁·m + (1−β₁)·g     v := β₂·v + (1−β₂)·g²
//	p := p − LR/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
//
// The corrections for step t are computed in float64 for every type of parameter.
type Adam struct {
	LR           float64     // learning rate; 0 means 0.001
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-8
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "adam"
}

// Updates returns the updates of params by their gradients grads; see SGD.Updates.
func (o Adam) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(o.Name, "adam", params, grads)
	beta1, beta2, epsilon := orDefault(o.Beta1, 0.9), orDefault(o.Beta2, 0.999), orDefault(o.Epsilon, 1e-8)
	c.inRange("Beta1", beta1, 0, math.Nextafter(1, 0))
	c.inRange("Beta2", beta2, 0, math.Nextafter(1, 0))
	c.inRange("Epsilon", epsilon, 0, math.MaxFloat64)
	rate := c.rate(o.Rate, o.LR, 0.001)
	if !c.ready() {
		return c.finish()
	}
	counter := c.variable("step", graph.Float64, graph.Zeros())
	t := ops.AddScalar(counter, 1)
	c.update(counter, t)
	one := c.g.Full(graph.Float64, 1)
	power := func(beta float64) *graph.Node { return ops.Pow(c.g.Full(graph.Float64, beta), t) }
	stepSize := ops.Div(rate, ops.Sub(one, power(beta1)))
	correction := ops.Sqrt(ops.Sub(one, power(beta2)))
	for _, p := range params { // before the loop, so that each parameter's update is one chain of neighbours
		ops.Cast(correction, p.DType())
		ops.Cast(stepSize, p.DType())
	}
	for i, p := range params {
		g := grads[i]
		m, v := c.memory("m", p), c.memory("v", p)
		newM := ops.Add(ops.Scale(m, beta1), ops.Scale(g, 1-beta1))
		newV := ops.Add(ops.Scale(v, beta2), ops.Scale(ops.Square(g), 1-beta2))
		denominator := ops.AddScalar(ops.Div(ops.Sqrt(newV), ops.Cast(correction, p.DType())), epsilon)
		c.update(m, newM)
		c.update(v, newV)
		c.update(p, ops.Sub(p, ops.Mul(ops.Cast(stepSize, p.DType()), ops.Div(newM, denominator))))
	}
	return c.finish()
}

func orDefault(v, standard float64) float64 {
	if v == 0 {
		return standard
	}
	return v
}

// collector gathers an optimiser's updates and its first error.
type collector struct {
	g             *graph.Graph
	name          string
	params, grads []*graph.Node
	updates       []graph.Update
	err           error
}

func begin(name, standard string, params, grads []*graph.Node) *collector {
	if name == "" {
		name = standard
	}
	c := &collector{name: name, params: params, grads: grads}
	if len(params) == 0 {
		c.err = graph.Errorf(graph.ErrGraph, "no parameters to update")
		return c
	}
	if len(params) != len(grads) {
		c.err = graph.Errorf(graph.ErrGraph, "%d parameters but %d gradients", len(params), len(grads))
		return c
	}
	c.g = params[0].Graph()
	for i, p := range params {
		switch {
		case p.Err() != nil:
			c.err = p.Err()
		case grads[i].Err() != nil:
			c.err = grads[i].Err()
		case !p.Type().Identical(grads[i].Type()):
			c.err = graph.Errorf(graph.ErrShape, "parameter %s is %v, its gradient %v", p.Name(), p.Type(), grads[i].Type())
		default:
			continue
		}
		break
	}
	return c
}

func (c *collector) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *collector) inRange(what string, v, lo, hi float64) {
	if !(v >= lo && v <= hi) {
		c.fail(graph.Errorf(graph.ErrValue, "%s is %v; it must be from %v to %v", what, v, lo, hi))
	}
}

// ready reports whether nothing is wrong so far.
func (c *collector) ready() bool { return c.err == nil }

func (c *collector) rate(node *graph.Node, lr, standard float64) *graph.Node {
	if node != nil {
		switch {
		case node.Err() != nil:
			c.fail(node.Err())
		case !node.Type().Identical(graph.TypeOf(graph.Float64)):
			c.fail(graph.Errorf(graph.ErrDType, "Rate is %v; it must be a float64 scalar", node.Type()))
		case node.Kind() == graph.Constant:
			c.checkRate(node.Value().At(0))
		}
		return node
	}
	lr = orDefault(lr, standard)
	if c.checkRate(lr); c.err != nil {
		return nil
	}
	return c.variable("lr", graph.Float64, graph.Full(lr))
}

func (c *collector) checkRate(lr float64) {
	if math.IsNaN(lr) || math.IsInf(lr, 0) || lr < 0 {
		c.fail(graph.Errorf(graph.ErrValue, "the learning rate is %v; it must be a finite number from 0 up", lr))
	}
}

func (c *collector) variable(name string, dtype graph.DType, init graph.Init, dims ...graph.Dim) *graph.Node {
	return c.g.Variable(c.name+"."+name, dtype, init, dims...)
}

func (c *collector) memory(what string, p *graph.Node) *graph.Node {
	return c.variable(what+"."+p.Name(), p.DType(), graph.Zeros(), p.Shape()...)
}

func (c *collector) update(target, value *graph.Node) {
	c.updates = append(c.updates, graph.Update{Target: target, Value: value})
}

// finish returns the updates, or one that carries the error.
func (c *collector) finish() []graph.Update {
	if c.err == nil {
		return c.updates
	}
	broken := graph.Invalid(c.err, c.name, append(append([]*graph.Node(nil), c.params...), c.grads...)...)
	updates := []graph.Update{{Target: broken, Value: broken}}
	return updates
}
