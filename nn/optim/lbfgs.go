package optim

import (
	"context"
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"gonum.org/v1/gonum/floats"
)

// LBFGS is the quasi-Newton method of limited memory with a line search for the strong Wolfe conditions (Nocedal and Wright,
// "Numerical Optimization", 2nd edition, algorithms 7.4, 7.5, 3.5 and 3.6). It is for losses that are the same at every
// evaluation: the whole data set as one batch, no dropout. Because it decides by values, it runs on the host, around a program
// that computes the loss and the gradients; its vectors are float64.
type LBFGS struct {
	Steps      int     // at most; 0 means 100
	History    int     // pairs that approximate the Hessian; 0 means 10
	Gradient   float64 // stop when no element of the gradient is larger; 0 means 1e-7
	Change     float64 // stop when the loss falls by less than this share of it; 0 means 1e-12
	LineSearch int     // evaluations in one line search at most; 0 means 25
}

// Minimum is what a minimisation arrived at.
type Minimum struct {
	Loss        float64
	Steps       int
	Evaluations int
	Why         string // it ended: "gradient", "change", "steps" or "line search"
}

// Minimize moves the parameters in the machine's state to a minimum of loss. The machine's program has loss, a scalar, and the
// gradients of params among its outputs, and no updates; its feeds stay as they are. When ctx ends or a run fails, the
// parameters are those of the best point so far.
func (o LBFGS) Minimize(ctx context.Context, m *vm.Machine, state *vm.State, loss *graph.Node, params, grads []*graph.Node) (Minimum, error) {
	p := &objective{m: m, state: state, loss: loss, params: params, grads: grads}
	if len(params) == 0 || len(params) != len(grads) {
		return Minimum{}, graph.Errorf(graph.ErrGraph, "%d parameters and %d gradients", len(params), len(grads))
	}
	x, err := p.read()
	if err != nil {
		return Minimum{}, err
	}
	at, err := p.at(ctx, x)
	if err != nil {
		return Minimum{}, err
	}
	steps, history := orDefault(float64(o.Steps), 100), int(orDefault(float64(o.History), 10))
	var pairs []pair
	result := Minimum{Why: "steps"}
	for ; result.Steps < int(steps); result.Steps++ {
		if floats.Norm(at.g, math.Inf(1)) <= orDefault(o.Gradient, 1e-7) {
			result.Why = "gradient"
			break
		}
		d := direction(at.g, pairs)
		length := 1.0
		if len(pairs) == 0 {
			length = math.Min(1, 1/floats.Norm(at.g, 1))
		}
		next, ok, err := p.search(ctx, at, d, length, int(orDefault(float64(o.LineSearch), 25)))
		if err != nil {
			_ = p.write(at.x)
			return Minimum{Loss: at.f, Steps: result.Steps, Evaluations: p.evaluations}, err
		}
		if !ok && len(pairs) > 0 { // the model of the Hessian is bad: begin anew with the gradient
			pairs = nil
			continue
		}
		if !ok {
			result.Why = "line search"
			break
		}
		pairs = remember(pairs, history, at, next)
		fell := at.f - next.f
		at = next
		if fell <= orDefault(o.Change, 1e-12)*math.Max(math.Abs(at.f), 1e-300) {
			result.Why = "change"
			result.Steps++
			break
		}
	}
	result.Loss, result.Evaluations = at.f, p.evaluations
	return result, p.write(at.x)
}

// point is where the loss was evaluated.
type point struct {
	x, g []float64
	f    float64
}

// pair is a step and how the gradient changed along it.
type pair struct {
	s, y []float64
	rho  float64 // 1/(sᵀy)
}

// remember appends the step from a to b unless the curvature along it is not positive, which would spoil the model.
func remember(pairs []pair, history int, a, b point) []pair {
	s, y := make([]float64, len(a.x)), make([]float64, len(a.x))
	floats.SubTo(s, b.x, a.x)
	floats.SubTo(y, b.g, a.g)
	curvature := floats.Dot(s, y)
	if !(curvature > 1e-10*floats.Dot(y, y)) {
		return pairs
	}
	if len(pairs) == history {
		pairs = pairs[1:]
	}
	return append(pairs, pair{s, y, 1 / curvature})
}

// direction is −H·g by the two loops of algorithm 7.4.
func direction(g []float64, pairs []pair) []float64 {
	q := append([]float64(nil), g...)
	alpha := make([]float64, len(pairs))
	for i := len(pairs) - 1; i >= 0; i-- {
		alpha[i] = pairs[i].rho * floats.Dot(pairs[i].s, q)
		floats.AddScaled(q, -alpha[i], pairs[i].y)
	}
	if n := len(pairs); n > 0 {
		last := pairs[n-1]
		floats.Scale(1/(last.rho*floats.Dot(last.y, last.y)), q)
	}
	for i, p := range pairs {
		floats.AddScaled(q, alpha[i]-p.rho*floats.Dot(p.y, q), p.s)
	}
	floats.Scale(-1, q)
	return q
}

// objective evaluates the loss as a function of one vector.
type objective struct {
	m             *vm.Machine
	state         *vm.State
	loss          *graph.Node
	params, grads []*graph.Node
	evaluations   int
}

// at evaluates the loss and its gradient at x.
func (p *objective) at(ctx context.Context, x []float64) (point, error) {
	if err := p.write(x); err != nil {
		return point{}, err
	}
	p.evaluations++
	if err := p.m.Run(ctx); err != nil {
		return point{}, err
	}
	f, err := p.m.Scalar(p.loss)
	if err != nil {
		return point{}, err
	}
	var g []float64
	for _, n := range p.grads {
		v, err := p.m.Value(n)
		if err != nil {
			return point{}, err
		}
		if g, err = flatten(g, v); err != nil {
			return point{}, err
		}
	}
	return point{x: x, g: g, f: f}, nil
}

func (p *objective) read() (x []float64, err error) {
	for _, n := range p.params {
		v, err := p.state.Get(n.Name())
		if err != nil {
			return nil, err
		}
		if x, err = flatten(x, v); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func flatten(to []float64, value any) ([]float64, error) {
	a, err := graph.ArrayOf(value)
	if err != nil {
		return nil, err
	}
	for i := range a.Len() {
		to = append(to, a.At(i))
	}
	return to, nil
}

func (p *objective) write(x []float64) error {
	values := map[string]any{}
	for _, n := range p.params {
		shape := make([]int, len(n.Shape()))
		for i, d := range n.Shape() {
			shape[i] = int(d)
		}
		a := graph.NewArray(n.DType(), shape...)
		for i := range a.Len() {
			a.SetAt(i, x[i])
		}
		values[n.Name()], x = a, x[a.Len():]
	}
	return p.state.SetAll(values)
}
