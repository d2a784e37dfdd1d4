package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Adam is adaptive moment estimation (Kingma and Ba 2015), with weight decay λ:
//
//	g := g + λ·p
//	m := β₁·m + (1−β₁)·g     v := β₂·v + (1−β₂)·g²
//	p := p − LR/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
//
// With AMSGrad (Reddi, Kale and Kumar 2018) the largest v so far takes its place in the last line. The corrections for step t
// are computed in float64 for every type of parameter.
type Adam struct {
	LR           float64     // learning rate; 0 means 0.001
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-8
	WeightDecay  float64     // λ
	AMSGrad      bool        // remember the largest second moment
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "adam"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o Adam) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "adam", lr: o.LR, standardLR: 0.001, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	return c.adam(o.Beta1, o.Beta2, o.Epsilon, o.AMSGrad)
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019): p := p·(1 − LR·λ) first, and no λ·p in the gradient.
type AdamW struct {
	LR           float64     // learning rate; 0 means 0.001
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-8
	WeightDecay  float64     // λ; 0 means 0.01
	AMSGrad      bool        // remember the largest second moment
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "adamw"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o AdamW) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "adamw", lr: o.LR, standardLR: 0.001, rate: o.Rate, decay: orDefault(o.WeightDecay, 0.01), decayIsDecoupled: true,
		groups: o.Groups, params: params, grads: grads})
	return c.adam(o.Beta1, o.Beta2, o.Epsilon, o.AMSGrad)
}

func (c *collector) adam(beta1, beta2, epsilon float64, amsgrad bool) []graph.Update {
	beta1, beta2, epsilon = c.betas(beta1, beta2, epsilon)
	if !c.ready() {
		return c.finish()
	}
	t := c.counter()
	stepSize := ops.Div(c.lrNode, c.correction(beta1, t))
	root := ops.Sqrt(c.correction(beta2, t))
	for _, p := range c.params { // before the chains
		ops.Cast(root, p.DType())
	}
	c.each(stepSize, func(k one) {
		m := c.mean("m", k.p, beta1, k.g)
		v := c.mean("v", k.p, beta2, ops.Square(k.g))
		if amsgrad {
			most := c.memory("vmax", k.p)
			v = ops.Maximum(most, v)
			c.update(most, v)
		}
		denominator := ops.AddScalar(ops.Div(ops.Sqrt(v), ops.Cast(root, k.p.DType())), epsilon)
		c.descend(k, ops.Mul(k.rate, ops.Div(m, denominator)))
	})
	return c.finish()
}

// betas are the parameters of the moments, checked.
func (c *collector) betas(beta1, beta2, epsilon float64) (float64, float64, float64) {
	beta1, beta2, epsilon = orDefault(beta1, 0.9), orDefault(beta2, 0.999), orDefault(epsilon, 1e-8)
	c.below1("Beta1", beta1)
	c.below1("Beta2", beta2)
	c.inRange("Epsilon", epsilon, 0, 1e300)
	return beta1, beta2, epsilon
}
