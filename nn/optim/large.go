package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Lion descends by the sign of a moment (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"), with decoupled weight
// decay. Its steps are all of one size, so its rate is a third to a tenth of Adam's.
//
//	p := p·(1 − LR·λ) − LR·sign(β₁·m + (1−β₁)·g)
//	m := β₂·m + (1−β₂)·g
type Lion struct {
	LR           float64     // learning rate; 0 means 0.0001
	Beta1, Beta2 float64     // 0 means 0.9 and 0.99
	WeightDecay  float64     // λ
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "lion"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o Lion) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "lion", lr: o.LR, standardLR: 0.0001, rate: o.Rate, decay: o.WeightDecay, decayIsDecoupled: true, groups: o.Groups, params: params, grads: grads})
	beta1, beta2, _ := c.betas(o.Beta1, orDefault(o.Beta2, 0.99), 0)
	if !c.ready() {
		return c.finish()
	}
	c.each(c.lrNode, func(k one) {
		m := c.memory("m", k.p)
		direction := ops.Sign(ops.Add(ops.Scale(m, beta1), ops.Scale(k.g, 1-beta1)))
		c.update(m, ops.Add(ops.Scale(m, beta2), ops.Scale(k.g, 1-beta2)))
		c.descend(k, ops.Mul(k.rate, direction))
	})
	return c.finish()
}

// LAMB gives each parameter tensor a rate in proportion to its size (You et al. 2020, "Large Batch Optimization for Deep
// Learning"), for large batches:
//
//	m, v as in Adam     r = (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε) + λ·p
//	p := p − LR · ‖p‖/‖r‖ · r      with a ratio of 1 where either norm is 0
type LAMB struct {
	LR           float64     // learning rate; 0 means 0.001
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-6
	WeightDecay  float64     // λ
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "lamb"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o LAMB) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "lamb", lr: o.LR, standardLR: 0.001, rate: o.Rate, decay: o.WeightDecay, decayIsInStep: true, groups: o.Groups, params: params, grads: grads})
	beta1, beta2, epsilon := c.betas(o.Beta1, o.Beta2, orDefault(o.Epsilon, 1e-6))
	if !c.ready() {
		return c.finish()
	}
	t := c.counter()
	cast := c.casts(c.correction(beta1, t), c.correction(beta2, t))
	c.each(c.lrNode, func(k one) {
		s := cast(k.p)
		m, v := c.mean("m", k.p, beta1, k.g), c.mean("v", k.p, beta2, ops.Square(k.g))
		r := ops.Div(ops.Div(m, s[0]), ops.AddScalar(ops.Sqrt(ops.Div(v, s[1])), epsilon))
		if k.decay != 0 {
			r = ops.Add(r, ops.Scale(k.p, k.decay))
		}
		size, length := norm(k.p), norm(r)
		zero, unit := c.g.Full(k.p.DType(), 0), c.g.Full(k.p.DType(), 1)
		both := ops.Less(zero, ops.Mul(size, length))
		ratio := ops.Select(both, ops.Div(size, ops.Select(both, length, unit)), unit)
		c.descend(k, ops.Mul(ops.Mul(k.rate, ratio), r))
	})
	return c.finish()
}

// norm is the Euclidean norm of all elements.
func norm(x *graph.Node) *graph.Node { return ops.Sqrt(ops.Sum(ops.Square(x))) }
