package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// SGD is gradient descent, with weight decay λ, momentum μ and dampening τ:
//
//	g := g + λ·p
//	v := μ·v + (1−τ)·g      v := g at the first step
//	p := p − LR·v           p := p − LR·(g + μ·v) with Nesterov
//
// Without momentum v is g.
type SGD struct {
	LR          float64     // learning rate; 0 means 0.01
	Momentum    float64     // μ, from 0 to 1
	Dampening   float64     // τ, from 0 to 1
	Nesterov    bool        // needs a momentum, and no dampening
	WeightDecay float64     // λ
	Groups      []Group     // what is different for some parameters; the first that matches counts
	Rate        *graph.Node // if set, a float64 scalar used in place of LR
	Name        string      // prefix of its variables; "" means "sgd"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o SGD) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "sgd", lr: o.LR, standardLR: 0.01, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	c.inRange("Momentum", o.Momentum, 0, 1)
	c.inRange("Dampening", o.Dampening, 0, 1)
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		c.fail(graph.Errorf(graph.ErrValue, "Nesterov's momentum needs Momentum above 0 and no Dampening"))
	}
	if !c.ready() {
		return c.finish()
	}
	var share *graph.Node // of the gradient in the velocity
	if o.Momentum != 0 && o.Dampening != 0 {
		first := ops.LessEqual(c.counter(), c.scalar(1))
		share = ops.Select(first, c.scalar(1), c.scalar(1-o.Dampening))
	}
	c.each(c.lrNode, func(k one) {
		step := k.g
		if o.Momentum != 0 {
			if share != nil {
				step = ops.Mul(k.g, ops.Cast(share, k.p.DType()))
			}
			v := c.memory("momentum", k.p)
			step = ops.Add(ops.Scale(v, o.Momentum), step)
			c.update(v, step)
			if o.Nesterov {
				step = ops.Add(k.g, ops.Scale(step, o.Momentum))
			}
		}
		c.descend(k, ops.Mul(k.rate, step))
	})
	return c.finish()
}
