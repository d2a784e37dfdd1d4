package optim

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// RMSprop divides by the root of a moving mean of squares (Hinton 2012), with momentum μ:
//
//	g := g + λ·p     s := α·s + (1−α)·g²
//	b := μ·b + g/(√s + ε)
//	p := p − LR·b
//
// Centered (Graves 2013), the root is of s − a², a being the moving mean of g. Without momentum b is its last term.
type RMSprop struct {
	LR          float64     // learning rate; 0 means 0.01
	Alpha       float64     // α; 0 means 0.99
	Epsilon     float64     // 0 means 1e-8
	Momentum    float64     // μ, from 0 to 1
	Centered    bool        // divide by the deviation from the mean
	WeightDecay float64     // λ
	Groups      []Group     // what is different for some parameters; the first that matches counts
	Rate        *graph.Node // if set, a float64 scalar used in place of LR
	Name        string      // prefix of its variables; "" means "rmsprop"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o RMSprop) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "rmsprop", lr: o.LR, standardLR: 0.01, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	alpha, epsilon := orDefault(o.Alpha, 0.99), orDefault(o.Epsilon, 1e-8)
	c.inRange("Alpha", alpha, 0, 1)
	c.inRange("Epsilon", epsilon, 0, math.MaxFloat64)
	c.inRange("Momentum", o.Momentum, 0, 1)
	if !c.ready() {
		return c.finish()
	}
	c.each(c.lrNode, func(k one) {
		s := c.mean("square", k.p, alpha, ops.Square(k.g))
		if o.Centered {
			s = ops.Sub(s, ops.Square(c.mean("mean", k.p, alpha, k.g)))
		}
		step := ops.Div(k.g, ops.AddScalar(ops.Sqrt(s), epsilon))
		if o.Momentum != 0 {
			b := c.memory("momentum", k.p)
			step = ops.Add(ops.Scale(b, o.Momentum), step)
			c.update(b, step)
		}
		c.descend(k, ops.Mul(k.rate, step))
	})
	return c.finish()
}

// Adagrad divides by the root of the sum of all squares (Duchi, Hazan and Singer 2011):
//
//	g := g + λ·p     s := s + g²
//	p := p − LR/(1 + (t−1)·η) · g/(√s + ε)
type Adagrad struct {
	LR          float64     // learning rate; 0 means 0.01
	LRDecay     float64     // η
	Initial     float64     // s before the first step
	Epsilon     float64     // 0 means 1e-10
	WeightDecay float64     // λ
	Groups      []Group     // what is different for some parameters; the first that matches counts
	Rate        *graph.Node // if set, a float64 scalar used in place of LR
	Name        string      // prefix of its variables; "" means "adagrad"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o Adagrad) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "adagrad", lr: o.LR, standardLR: 0.01, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	epsilon := orDefault(o.Epsilon, 1e-10)
	c.inRange("LRDecay", o.LRDecay, 0, math.MaxFloat64)
	c.inRange("Initial", o.Initial, 0, math.MaxFloat64)
	c.inRange("Epsilon", epsilon, 0, math.MaxFloat64)
	if !c.ready() {
		return c.finish()
	}
	rate := c.lrNode
	if o.LRDecay != 0 {
		rate = ops.Div(rate, ops.AddScalar(ops.Scale(ops.AddScalar(c.counter(), -1), o.LRDecay), 1))
	}
	c.each(rate, func(k one) {
		s := c.variable("sum."+k.p.Name(), k.p.DType(), graph.Full(o.Initial), k.p.Shape()...)
		next := ops.Add(s, ops.Square(k.g))
		c.update(s, next)
		c.descend(k, ops.Mul(k.rate, ops.Div(k.g, ops.AddScalar(ops.Sqrt(next), epsilon))))
	})
	return c.finish()
}

// Adadelta scales by the ratio of two moving means of squares (Zeiler 2012), of the steps and of the gradients:
//
//	g := g + λ·p     s := ρ·s + (1−ρ)·g²
//	d = √(a + ε)/√(s + ε) · g     a := ρ·a + (1−ρ)·d²
//	p := p − LR·d
type Adadelta struct {
	LR          float64     // learning rate; 0 means 1
	Rho         float64     // ρ; 0 means 0.9
	Epsilon     float64     // 0 means 1e-6
	WeightDecay float64     // λ
	Groups      []Group     // what is different for some parameters; the first that matches counts
	Rate        *graph.Node // if set, a float64 scalar used in place of LR
	Name        string      // prefix of its variables; "" means "adadelta"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o Adadelta) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "adadelta", lr: o.LR, standardLR: 1, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	rho, epsilon := orDefault(o.Rho, 0.9), orDefault(o.Epsilon, 1e-6)
	c.inRange("Rho", rho, 0, 1)
	c.inRange("Epsilon", epsilon, 0, math.MaxFloat64)
	if !c.ready() {
		return c.finish()
	}
	c.each(c.lrNode, func(k one) {
		s := c.mean("square", k.p, rho, ops.Square(k.g))
		a := c.memory("step", k.p)
		d := ops.Mul(ops.Div(ops.Sqrt(ops.AddScalar(a, epsilon)), ops.Sqrt(ops.AddScalar(s, epsilon))), k.g)
		c.update(a, ops.Add(ops.Scale(a, rho), ops.Scale(ops.Square(d), 1-rho)))
		c.descend(k, ops.Mul(k.rate, d))
	})
	return c.finish()
}
