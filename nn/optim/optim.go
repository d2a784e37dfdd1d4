// Package optim holds optimisers. An optimiser is a function from parameters and gradients to updates, written as expressions:
// what it computes is part of the graph, runs on the same tape as the gradient, and commits with the step.
//
//	updates := optim.Adam{LR: 1e-3}.Updates(params, autodiff.Grad(loss, params...))
//
// What an optimiser remembers (momentum, step counters) and the learning rate are variables of the graph, named after the
// optimiser and the parameter, so that a checkpoint of the State carries them. To change the learning rate while training, set
// its variable: state.Set("adam.lr", 1e-4); a Schedule says to what.
//
// The definitions are PyTorch's where it has the optimiser, the paper's otherwise. In a field whose zero value stands for a
// default, Zero is 0.
//
// What needs control flow runs on the host, around programs: LBFGS, and gradients that are summed over several batches
// (Accumulate).
package optim

import (
	"math"
	"path"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Optimizer makes updates of parameters by their gradients. What is wrong (a rate that is NaN, infinite or negative, lists of
// different length, a parameter without a gradient) is carried by the updates' values, so that compiling them says so.
type Optimizer interface {
	Updates(params, grads []*graph.Node) []graph.Update
}

// Zero is 0 for fields whose zero value stands for a default: Adam{Beta1: optim.Zero} keeps no momentum. It is the smallest
// positive number, so small that multiplying by it gives 0 and adding it changes nothing.
const Zero float64 = 0x1p-1074

// Group changes an optimiser for the parameters whose names match.
type Group struct {
	// Match is a pattern of the parameters' dotted names, as path.Match reads it: "*.bias", "encoder.*", "0.weight".
	Match string

	LRFactor    float64 // multiplies the learning rate; 0 means 1
	WeightDecay float64 // in place of the optimiser's; 0 means the optimiser's, Zero none
	Frozen      bool    // the parameters stay as they are, and need no gradient
}

// settings are the fields that all optimisers have.
type settings struct {
	name, standard   string
	lr, standardLR   float64
	rate             *graph.Node
	decay            float64
	groups           []Group
	params, grads    []*graph.Node
	decayIsDecoupled bool // p shrinks by itself
	decayIsInStep    bool // the optimiser adds it to its step
}

// one is a parameter that is updated, with what is its own.
type one struct {
	p, g  *graph.Node // the parameter and its gradient, with the decay's if that is not decoupled
	rate  *graph.Node // in p's element type
	keep  *graph.Node // 1 − LR·λ where the decay is decoupled, else nil
	decay float64
}

// collector gathers an optimiser's updates and its first error.
type collector struct {
	settings
	g       *graph.Graph
	lrNode  *graph.Node
	updates []graph.Update
	err     error
}

func begin(s settings) *collector {
	if s.name == "" {
		s.name = s.standard
	}
	c := &collector{settings: s}
	switch {
	case len(s.params) == 0:
		c.err = graph.Errorf(graph.ErrGraph, "no parameters to update")
		return c
	case len(s.params) != len(s.grads):
		c.err = graph.Errorf(graph.ErrGraph, "%d parameters but %d gradients", len(s.params), len(s.grads))
		return c
	}
	c.g = s.params[0].Graph()
	c.checkGroups()
	for i, p := range s.params {
		g := s.grads[i]
		switch {
		case p.Err() != nil:
			c.fail(p.Err())
		case c.group(p).Frozen:
		case g == nil:
			c.fail(graph.Errorf(graph.ErrGradient, "parameter %s has no gradient; leave it out, or freeze it by a Group", p.Name()))
		case g.Err() != nil:
			c.fail(g.Err())
		case !p.Type().Identical(g.Type()):
			c.fail(graph.Errorf(graph.ErrShape, "parameter %s is %v, its gradient %v", p.Name(), p.Type(), g.Type()))
		}
	}
	c.inRange("WeightDecay", s.decay, 0, math.MaxFloat64)
	return c
}

func (c *collector) checkGroups() {
	for _, g := range c.groups {
		if _, err := path.Match(g.Match, ""); err != nil {
			c.fail(graph.Errorf(graph.ErrValue, "the pattern %q of a group: %v", g.Match, err))
			continue
		}
		found := false
		for _, p := range c.params {
			matches, _ := path.Match(g.Match, p.Name())
			found = found || matches
		}
		if !found {
			c.fail(graph.Errorf(graph.ErrName, "no parameter matches %q of a group", g.Match))
		}
		c.inRange("LRFactor", g.LRFactor, 0, math.MaxFloat64)
		c.inRange("WeightDecay", g.WeightDecay, 0, math.MaxFloat64)
	}
}

// group is the first that a parameter's name matches.
func (c *collector) group(p *graph.Node) Group {
	for _, g := range c.groups {
		if matches, _ := path.Match(g.Match, p.Name()); matches {
			return g
		}
	}
	return Group{}
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

// below1 checks a decay rate, by whose complement the optimiser divides.
func (c *collector) below1(what string, v float64) { c.inRange(what, v, 0, math.Nextafter(1, 0)) }

// ready reports whether nothing is wrong, and makes the learning rate's variable.
func (c *collector) ready() bool {
	if c.rate == nil {
		lr := orDefault(c.lr, c.standardLR)
		if c.checkRate(lr); c.err == nil {
			c.lrNode = c.variable("lr", graph.Float64, graph.Full(lr))
		}
		return c.err == nil
	}
	switch c.lrNode = c.rate; {
	case c.rate.Err() != nil:
		c.fail(c.rate.Err())
	case !c.rate.Type().Identical(graph.TypeOf(graph.Float64)):
		c.fail(graph.Errorf(graph.ErrDType, "Rate is %v; it must be a float64 scalar", c.rate.Type()))
	case c.rate.Kind() == graph.Constant:
		c.checkRate(c.rate.Value().At(0))
	}
	return c.err == nil
}

func (c *collector) checkRate(lr float64) {
	if math.IsNaN(lr) || math.IsInf(lr, 0) || lr < 0 {
		c.fail(graph.Errorf(graph.ErrValue, "the learning rate is %v; it must be a finite number from 0 up", lr))
	}
}

// each calls f for every parameter that is not frozen, with rate, a float64 scalar made of the learning rate, as its own rate.
// Scalars come before the first call, so that each parameter's update is one chain of neighbours on the tape.
func (c *collector) each(rate *graph.Node, f func(k one)) {
	var list []one
	for i, p := range c.params {
		group := c.group(p)
		if group.Frozen {
			continue
		}
		k := one{p: p, g: c.grads[i], rate: rate, decay: orDefault(group.WeightDecay, c.decay)}
		if factor := orDefault(group.LRFactor, 1); factor != 1 {
			k.rate = ops.Scale(rate, factor)
		}
		k.rate = ops.Cast(k.rate, p.DType())
		if c.decayIsDecoupled && k.decay != 0 {
			k.keep = ops.Cast(ops.Sub(c.scalar(1), ops.Scale(c.lrNode, k.decay*orDefault(group.LRFactor, 1))), p.DType())
		}
		list = append(list, k)
	}
	for _, k := range list {
		if k.decay != 0 && !c.decayIsDecoupled && !c.decayIsInStep {
			k.g = ops.Add(k.g, ops.Scale(k.p, k.decay))
		}
		f(k)
	}
}

// counter is the number of this step, from 1 on, a float64 scalar.
func (c *collector) counter() *graph.Node {
	count := c.variable("step", graph.Float64, graph.Zeros())
	t := ops.AddScalar(count, 1)
	c.update(count, t)
	return t
}

// correction is 1 − βᵗ, what a mean that started at 0 lacks after t steps.
func (c *collector) correction(beta float64, t *graph.Node) *graph.Node {
	return ops.Sub(c.scalar(1), ops.Pow(c.scalar(beta), t))
}

func (c *collector) scalar(v float64) *graph.Node { return c.g.Full(graph.Float64, v) }

func (c *collector) variable(name string, dtype graph.DType, init graph.Init, dims ...graph.Dim) *graph.Node {
	return c.g.Variable(c.name+"."+name, dtype, init, dims...)
}

// memory is a variable of p's type that starts at 0.
func (c *collector) memory(what string, p *graph.Node) *graph.Node {
	return c.variable(what+"."+p.Name(), p.DType(), graph.Zeros(), p.Shape()...)
}

// mean is the moving mean m := β·m + (1−β)·x.
func (c *collector) mean(what string, p *graph.Node, beta float64, x *graph.Node) *graph.Node {
	m := c.memory(what, p)
	next := ops.Add(ops.Scale(m, beta), ops.Scale(x, 1-beta))
	c.update(m, next)
	return next
}

// descend sets p := p − d, after the decay if that is decoupled.
func (c *collector) descend(k one, d *graph.Node) {
	p := k.p
	if k.keep != nil {
		p = ops.Mul(p, k.keep)
	}
	c.update(k.p, ops.Sub(p, d))
}

func (c *collector) update(target, value *graph.Node) {
	c.updates = append(c.updates, graph.Update{Target: target, Value: value})
}

// finish returns the updates, or one that carries the error.
func (c *collector) finish() []graph.Update {
	if c.err == nil {
		return c.updates
	}
	var nodes []*graph.Node
	for _, n := range append(append([]*graph.Node(nil), c.params...), c.grads...) {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	broken := graph.Invalid(c.err, c.name, nodes...)
	return []graph.Update{{Target: broken, Value: broken}}
}

func orDefault(v, standard float64) float64 {
	if v == 0 {
		return standard
	}
	return v
}
