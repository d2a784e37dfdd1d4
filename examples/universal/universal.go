package main

import (
	"context"
	"math"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// What there is to approximate, on the interval from −far to far.
const far = 3

type target struct {
	name, formula string
	f             func(x float64) float64
}

var targets = []target{
	{"wave", "sin(6x) + x/2", func(x float64) float64 { return math.Sin(6*x) + x/2 }},
	{"corner", "|x| − 1", func(x float64) float64 { return math.Abs(x) - 1 }}, // continuous, but not smooth
	{"bell", "exp(−4x²)·cos(9x)", func(x float64) float64 { return math.Exp(-4*x*x) * math.Cos(9*x) }},
}

// grid is n places, evenly from one end of the interval to the other.
func grid(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = far * (2*float64(i)/float64(n-1) - 1)
	}
	return x
}

// fitted is a network with one hidden layer, and how well it approximates.
type fitted struct {
	width, parameters int
	places            []float64 // where it was looked at, between the places that it was fitted to too
	values            []float64 // the network there
	rms, largest      float64   // error there: root of the mean square, and the largest
	ended             string    // why the fit ended
}

// fit fits Σ vᵢ·tanh(wᵢ·x + bᵢ) + c, with so many terms, to the target at 200 places: from a few starts, as one alone may end in a bad
// minimum. It returns the best of them.
func fit(ctx context.Context, to target, width, starts, steps int, seed uint64) (*fitted, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x, y := g.Input("x", graph.Float64, batch, 1), g.Input("y", graph.Float64, batch, 1)
	model := nn.Sequential{
		&nn.Linear{Out: width, Weight: initializers.Normal(2), Bias: initializers.Uniform(-2*far, 2*far)}, // the terms bend all over the interval
		nn.Tanh,
		&nn.Linear{Out: 1, Weight: initializers.LeCun()},
	}
	out := nn.Build(g, model, x)
	loss := losses.MSE(out, y)
	params := g.Params()
	grads := autodiff.Grad(loss, params...)
	descent, err := vm.Compile(vm.Spec{Outputs: append([]*graph.Node{loss}, grads...)})
	if err != nil {
		return nil, err
	}
	look, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{out}})
	if err != nil {
		return nil, err
	}
	places := grid(200)
	values := make([]float64, len(places))
	for i, p := range places {
		values[i] = to.f(p)
	}
	var best *fitted
	for start := range starts {
		state, err := vm.NewState(g, seed+uint64(start))
		if err != nil {
			return nil, err
		}
		m, err := vm.NewMachine(descent, state)
		if err != nil {
			return nil, err
		}
		if err := m.FeedAll(vm.Feeds{x: column(places), y: column(values)}); err != nil {
			return nil, err
		}
		minimum, err := optim.LBFGS{Steps: steps, History: 50}.Minimize(ctx, m, state, loss, params, grads)
		if err != nil {
			return nil, err
		}
		if m, err = vm.NewMachine(look, state); err != nil {
			return nil, err
		}
		now := &fitted{width: width, parameters: 3*width + 1, places: grid(1193), ended: minimum.Why} // 6 steps between two places
		if err := m.Feed(x, column(now.places)); err != nil {
			return nil, err
		}
		if err := m.Run(ctx); err != nil {
			return nil, err
		}
		v, err := m.Value(out)
		if err != nil {
			return nil, err
		}
		now.values = append(now.values, v.Float64s()...)
		now.rms, now.largest = distance(now.values, now.places, to.f)
		if best == nil || now.rms < best.rms {
			best = now
		}
	}
	return best, nil
}

func column(v []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(v), 1), tensor.WithBacking(v))
}

// distance is how far values are from those of f at the same places.
func distance(values, places []float64, f func(float64) float64) (rms, largest float64) {
	for i, v := range values {
		e := math.Abs(v - f(places[i]))
		rms += e * e / float64(len(values))
		largest = max(largest, e)
	}
	return math.Sqrt(rms), largest
}
