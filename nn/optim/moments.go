package optim

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// NAdam is Adam with Nesterov's momentum (Dozat 2016), whose momentum μₜ = β₁(1 − ½·0.96^(t·ψ)) warms up; Mₜ is the product of
// μ₁ … μₜ:
//
//	g := g + λ·p     m, v as in Adam
//	p := p − LR·( (1−μₜ)/(1−Mₜ)·g + μₜ₊₁/(1−Mₜμₜ₊₁)·m ) / (√(v/(1−β₂ᵗ)) + ε)
type NAdam struct {
	LR            float64     // learning rate; 0 means 0.002
	Beta1, Beta2  float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon       float64     // 0 means 1e-8
	WeightDecay   float64     // λ
	MomentumDecay float64     // ψ; 0 means 0.004
	Groups        []Group     // what is different for some parameters; the first that matches counts
	Rate          *graph.Node // if set, a float64 scalar used in place of LR
	Name          string      // prefix of its variables; "" means "nadam"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o NAdam) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "nadam", lr: o.LR, standardLR: 0.002, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	beta1, beta2, epsilon := c.betas(o.Beta1, o.Beta2, o.Epsilon)
	psi := orDefault(o.MomentumDecay, 0.004)
	c.inRange("MomentumDecay", psi, 0, math.MaxFloat64)
	if !c.ready() {
		return c.finish()
	}
	t, one64 := c.counter(), c.scalar(1)
	momentum := func(t *graph.Node) *graph.Node {
		return ops.Scale(ops.Sub(one64, ops.Scale(ops.Pow(c.scalar(0.96), ops.Scale(t, psi)), 0.5)), beta1)
	}
	now, next := momentum(t), momentum(ops.AddScalar(t, 1))
	before := c.variable("product", graph.Float64, graph.Full(1))
	product := ops.Mul(before, now)
	c.update(before, product)
	byGradient := ops.Div(ops.Sub(one64, now), ops.Sub(one64, product))
	byMoment := ops.Div(next, ops.Sub(one64, ops.Mul(product, next)))
	correction := c.correction(beta2, t)
	cast := c.casts(byGradient, byMoment, correction)
	c.each(c.lrNode, func(k one) {
		s := cast(k.p)
		m, v := c.mean("m", k.p, beta1, k.g), c.mean("v", k.p, beta2, ops.Square(k.g))
		direction := ops.Add(ops.Mul(s[0], k.g), ops.Mul(s[1], m))
		c.descend(k, ops.Mul(k.rate, ops.Div(direction, ops.AddScalar(ops.Sqrt(ops.Div(v, s[2])), epsilon))))
	})
	return c.finish()
}

// RAdam is Adam with a rectified adaptive rate (Liu et al. 2020): while too few gradients have been seen for their second moment
// to mean anything (ρₜ ≤ 5) it descends by the first moment alone.
//
//	g := g + λ·p     m, v as in Adam     ρ∞ = 2/(1−β₂) − 1     ρₜ = ρ∞ − 2t·β₂ᵗ/(1−β₂ᵗ)
//	p := p − LR · m/(1−β₁ᵗ) · r·√(1−β₂ᵗ)/(√v + ε)     r² = (ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ)
type RAdam struct {
	LR           float64     // learning rate; 0 means 0.001
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-8
	WeightDecay  float64     // λ
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "radam"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o RAdam) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "radam", lr: o.LR, standardLR: 0.001, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	beta1, beta2, epsilon := c.betas(o.Beta1, o.Beta2, o.Epsilon)
	if !c.ready() {
		return c.finish()
	}
	t := c.counter()
	most := 2/(1-beta2) - 1
	correction := c.correction(beta2, t)
	length := ops.Sub(c.scalar(most), ops.Div(ops.Scale(ops.Mul(t, ops.Pow(c.scalar(beta2), t)), 2), correction))
	enough := ops.Less(c.scalar(5), length)
	safe := ops.Select(enough, length, c.scalar(5))
	square := ops.Div(ops.Scale(ops.Mul(ops.AddScalar(safe, -4), ops.AddScalar(safe, -2)), most/((most-4)*(most-2))), safe)
	// Of the step, a share is divided by √v + ε, or else all of it by 1.
	adaptive := ops.Select(enough, ops.Sqrt(ops.Mul(square, correction)), c.scalar(0))
	plain := ops.Select(enough, c.scalar(0), c.scalar(1))
	cast := c.casts(adaptive, plain)
	c.each(ops.Div(c.lrNode, c.correction(beta1, t)), func(k one) {
		s := cast(k.p)
		m, v := c.mean("m", k.p, beta1, k.g), c.mean("v", k.p, beta2, ops.Square(k.g))
		factor := ops.Add(ops.Div(s[0], ops.AddScalar(ops.Sqrt(v), epsilon)), s[1])
		c.descend(k, ops.Mul(k.rate, ops.Mul(m, factor)))
	})
	return c.finish()
}

// Adamax is Adam with the infinity norm (Kingma and Ba 2015, section 7.1):
//
//	g := g + λ·p     m as in Adam     u := max(β₂·u, |g| + ε)
//	p := p − LR/(1−β₁ᵗ) · m/u
type Adamax struct {
	LR           float64     // learning rate; 0 means 0.002
	Beta1, Beta2 float64     // decay of the moments; 0 means 0.9 and 0.999
	Epsilon      float64     // 0 means 1e-8
	WeightDecay  float64     // λ
	Groups       []Group     // what is different for some parameters; the first that matches counts
	Rate         *graph.Node // if set, a float64 scalar used in place of LR
	Name         string      // prefix of its variables; "" means "adamax"
}

// Updates returns the updates of params by their gradients; see Optimizer.
func (o Adamax) Updates(params, grads []*graph.Node) []graph.Update {
	c := begin(settings{name: o.Name, standard: "adamax", lr: o.LR, standardLR: 0.002, rate: o.Rate, decay: o.WeightDecay, groups: o.Groups, params: params, grads: grads})
	beta1, beta2, epsilon := c.betas(o.Beta1, o.Beta2, o.Epsilon)
	if !c.ready() {
		return c.finish()
	}
	c.each(ops.Div(c.lrNode, c.correction(beta1, c.counter())), func(k one) {
		m, u := c.mean("m", k.p, beta1, k.g), c.memory("u", k.p)
		next := ops.Maximum(ops.Scale(u, beta2), ops.AddScalar(ops.Abs(k.g), epsilon))
		c.update(u, next)
		c.descend(k, ops.Mul(k.rate, ops.Div(m, next)))
	})
	return c.finish()
}

// casts gives float64 scalars each parameter's element type, all of them before the parameters' chains.
func (c *collector) casts(scalars ...*graph.Node) func(p *graph.Node) []*graph.Node {
	of := func(p *graph.Node) []*graph.Node {
		list := make([]*graph.Node, len(scalars))
		for i, s := range scalars {
			list[i] = ops.Cast(s, p.DType())
		}
		return list
	}
	for _, p := range c.params {
		of(p)
	}
	return of
}
