package gradcheck

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
)

const (
	epsilon = 0x1p-52
	step    = 6.0554544523933429e-06 // ε^⅓
	slack   = 64 * 3.6668528625e-11  // 64·ε^⅔, by which a derivative may be off in units of S
	rounded = 1 << 20 * epsilon      // by which JVP and VJP may: both are exact but for rounding
)

// machine runs some nodes on the values, which it reads in place.
func (c *checker) machine(outputs []*graph.Node) (*vm.Machine, error) {
	p, err := vm.Compile(vm.Spec{Outputs: outputs, Mode: c.Mode})
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
	m.Stdout = io.Discard // it runs often
	for _, n := range p.Feeds() {
		if v, ok := c.values[n]; ok {
			if err := m.Feed(n, v); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func (c *checker) evaluate(nodes []*graph.Node) ([]graph.Array, error) {
	m, err := c.machine(nodes)
	if err != nil {
		return nil, err
	}
	if err := m.Run(context.Background()); err != nil {
		return nil, err
	}
	var list []graph.Array
	for _, n := range nodes {
		d, err := m.Value(n)
		if err != nil {
			return nil, err
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// forward holds ⟨JVP(v), u⟩ against ⟨v, VJP(u)⟩; u is contracted into f already, and ∇f are its cotangents.
func (c *checker) forward(f *graph.Node, scale float64, grads []*graph.Node) error {
	var v []*graph.Node
	for i, x := range c.wrt {
		v = append(v, c.draw(fmt.Sprintf("gradcheck.v%d", i), x, c.values[x].Shape))
	}
	all, err := c.evaluate(append([]*graph.Node{autodiff.Options{AllowUnused: true}.JVP(f, c.wrt, v)}, grads...))
	if err != nil {
		return err
	}
	e := Element{Order: 1, Input: -1, Index: -1, Analytic: all[0].At(0)}
	for i, g := range all[1:] {
		for k := range g.Len() {
			term := g.At(k) * c.values[v[i]].At(k)
			e.Numeric += term
			scale += math.Abs(term)
		}
	}
	e.Allowed = rounded * scale
	c.report.count(e)
	return nil
}

// compare holds the gradients of f against central differences of f, whose terms have magnitudes that add up to scale.
func (c *checker) compare(order int, f *graph.Node, scale float64, grads []*graph.Node) error {
	analytic, err := c.evaluate(grads)
	if err != nil {
		return err
	}
	m, err := c.machine([]*graph.Node{f})
	if err != nil {
		return err
	}
	l := line{machine: m, f: f, scale: scale}
	for i, x := range c.wrt {
		values, gradient := c.values[x].F64(), analytic[i]
		d := make([]float64, len(values))
		if l.x = values; len(values) > c.Elements {
			for range c.Directions {
				slope := 0.0
				for k, v := range values {
					d[k] = math.Copysign(max(math.Abs(v), 1), c.random.Float64()-0.5)
					slope += d[k] * gradient.At(k)
				}
				e, err := l.check(Element{Order: order, Input: c.at[i], Name: x.Name(), Index: -1, Analytic: slope}, d)
				if err != nil {
					return err
				}
				c.report.count(e)
			}
			continue
		}
		for k, v := range values {
			d[k] = max(math.Abs(v), 1)
			e := Element{Order: order, Input: c.at[i], Name: x.Name(), Index: k, At: indexOf(k, c.values[x].Shape), Analytic: gradient.At(k) * d[k]}
			e, err := l.check(e, d)
			if err != nil {
				return err
			}
			c.report.count(e.per(d[k]))
			d[k] = 0
		}
	}
	return nil
}

// per is the element for a step d times as long as it was checked with.
func (e Element) per(d float64) Element {
	for _, v := range []*float64{&e.Analytic, &e.Numeric, &e.Allowed, &e.Left, &e.Right} {
		*v /= d
	}
	return e
}

func indexOf(k int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = k % shape[axis]
		k /= shape[axis]
	}
	return index
}

// line is the function t ↦ f(x + t·d).
type line struct {
	machine *vm.Machine
	f       *graph.Node
	scale   float64
	x       []float64 // read in place by the machine
}

// at returns f(x + t·d), leaving x as it is.
func (l line) at(t float64, d []float64) (float64, error) {
	before := append([]float64(nil), l.x...)
	for k := range l.x {
		l.x[k] += t * d[k]
	}
	err := l.machine.Run(context.Background())
	copy(l.x, before)
	if err != nil {
		return 0, err
	}
	return l.machine.Scalar(l.f)
}

// check compares e.Analytic, the slope of the line at 0, with differences; where these disagree and x is small, it may be beside a pole or
// the edge of f's domain, and a step in proportion has its turn.
func (l line) check(e Element, d []float64) (Element, error) {
	e, err := l.difference(e, d, step)
	if err != nil || e.excess() <= 1 {
		return e, err
	}
	small := 1.0
	for k, v := range l.x {
		if d[k] != 0 && v != 0 {
			small = min(small, math.Abs(v))
		}
	}
	if small < 1 {
		near, err := l.difference(e, d, small*step)
		if near.Allowed = min(near.Allowed, near.most()); err != nil || near.excess() <= 1 {
			return near, err
		}
	}
	return e, nil
}

// most is the widest bound, whatever is said for it.
func (e Element) most() float64 { return Absolute + Relative*math.Abs(e.Numeric) }

// difference compares with differences of step t.
func (l line) difference(e Element, d []float64, t float64) (Element, error) {
	var err error
	at := func(t float64) float64 {
		v, failed := l.at(t, d)
		if err == nil {
			err = failed
		}
		return v
	}
	up, down := at(t), at(-t)
	scale := max(l.scale, math.Abs(up), math.Abs(down)) * step / t
	e.Kink = false
	e.Numeric = (up - down) / (2 * t)
	e.Allowed = slack * max(scale, math.Abs(e.Analytic), math.Abs(e.Numeric))
	if e.excess() <= 1 || err != nil {
		return e, err
	}
	// Either the difference is poor here, or the gradient wrong. The error of truncation is a third of what doubling the step changes.
	wide := (at(2*t) - at(-2*t)) / (4 * t)
	truncation := math.Abs(wide - e.Numeric)
	middle, nearUp, nearDown := at(0), at(t/8), at(-t/8)
	left, right := (middle-nearDown)/(t/8), (nearUp-middle)/(t/8)
	near := e
	near.Numeric, near.Allowed = (left+right)/2, min(8*e.Allowed, e.most())
	jump, wideJump := math.Abs(right-left), math.Abs((up-middle)/t-(middle-down)/t)
	switch {
	case near.excess() <= 1: // a kink beside x, within the step; or a third derivative that is steep
		e = near
	case jump > 0.5*wideJump && jump > 1e-4*max(math.Abs(left), math.Abs(right))+64*e.Allowed:
		e.Kink, e.Left, e.Right = true, left, right
	default:
		e.Allowed = max(e.Allowed, min(e.Allowed+truncation, e.most()))
	}
	return e, err
}
