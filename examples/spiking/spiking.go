// Command spiking reads handwritten digits with neurons that know only spikes. A pixel fires the more often the darker it is,
// drawn anew at every look; the longer the network looks, the surer it gets. spiking.go has the network, main.go what it does.
//
//	go run ./examples/spiking
package main

import (
	"context"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

const (
	pixels    = 64
	hidden    = 100 // neurons
	classes   = 10
	duration  = 20   // steps of time that an image is looked at
	decay     = 0.85 // of the membrane's potential, by step
	threshold = 1.0  // of the potential, above which a neuron fires
	sharpness = 5.0  // of the surrogate gradient
)

// network is the model, and the two machines that run it.
type network struct {
	image, digit *graph.Node // inputs: (batch, 64) from 0 to 1, and (batch)
	in, fired    *graph.Node // spikes of the pixels and of the neurons: (duration, batch, …)
	votes        *graph.Node // of the output after each step of time, all steps before it counted: (duration, batch, 10)
	loss         *graph.Node

	trainer, asker *vm.Machine
	state          *vm.State
}

// spike is 1 where the potential is above the threshold. Its derivative is 0 nearly everywhere, so a gradient is made up: that
// of a steep sigmoid-like curve (F. Zenke and S. Ganguli, 2018), 1/(1 + sharpness·|v − threshold|)².
func spike(v *graph.Node) *graph.Node {
	fires := ops.Cast(ops.Greater(v, ops.Scalar(v, threshold)), v.DType())
	return ops.CustomGradient(fires, []*graph.Node{v}, func(in []*graph.Node, _, dy *graph.Node) []*graph.Node {
		away := ops.AddScalar(ops.Scale(ops.Abs(ops.AddScalar(in[0], -threshold)), sharpness), 1)
		return []*graph.Node{ops.Div(dy, ops.Square(away))}
	})
}

func newNetwork(seed uint64, lr float64) (*network, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{image: g.Input("image", graph.Float32, batch, pixels), digit: g.Input("digit", graph.Int64, batch)}

	// Rate coding: at each step of time a pixel fires with the probability that is its darkness.
	chance := ops.Uniform(ops.StepKey(g, "noise"), 0, 0, 1, graph.Float32, duration, batch, pixels)
	n.in = ops.Cast(ops.Less(chance, n.image), graph.Float32)

	// The currents of all steps are one product; then potentials fade, take up their current, and fire.
	currents := ops.Unstack(nn.Build(g, &nn.Linear{Out: hidden}, n.in), 0)
	var v *graph.Node
	var spikes []*graph.Node
	for t, current := range currents {
		if v == nil {
			v = current
		} else {
			v = ops.Sub(ops.Add(ops.Scale(v, decay), current), ops.Scale(spikes[t-1], threshold))
		}
		spikes = append(spikes, spike(v))
	}
	n.fired = ops.Stack(0, spikes...)

	// Each spike of a neuron is a vote; what counts is their mean since the beginning.
	sums := ops.CumSum(nn.Build(g, nn.Sequential{&nn.Linear{Out: classes}}, n.fired), 0)
	steps := ops.Reshape(ops.AddScalar(ops.Iota(g, graph.Float32, duration), 1), duration, 1, 1)
	n.votes = ops.Div(sums, steps)
	n.loss = losses.CrossEntropy(ops.At(n.votes, 0, duration-1), n.digit)

	weights := g.Params()
	updates := optim.Adam{LR: lr}.Updates(weights, autodiff.Grad(n.loss, weights...))
	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	look, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.in, n.fired, n.votes, n.loss}})
	if err != nil {
		return nil, err
	}
	if n.state, err = vm.NewState(g, seed); err != nil {
		return nil, err
	}
	if n.trainer, err = vm.NewMachine(step, n.state); err != nil {
		return nil, err
	}
	n.asker, err = vm.NewMachine(look, n.state)
	return n, err
}

func (n *network) run(ctx context.Context, m *vm.Machine, s *data.Set) (loss float64, err error) {
	if err := m.Feed(n.image, s.X); err != nil {
		return 0, err
	}
	if err := m.Feed(n.digit, s.Y); err != nil {
		return 0, err
	}
	if err := m.Run(ctx); err != nil {
		return 0, err
	}
	return m.Scalar(n.loss)
}

// epoch shows the network every image once, with other spikes each time, and returns the mean loss meanwhile.
func (n *network) epoch(ctx context.Context, b *data.Batches, number, images int) (loss float64, err error) {
	for b.Start(number); b.Next(); {
		now, err := n.run(ctx, n.trainer, b.Batch())
		if err != nil {
			return 0, err
		}
		loss += now * float64(b.Size()) / float64(images)
	}
	return loss, nil
}

// seen is what the network made of a set of images.
type seen struct {
	loss      float64
	accuracy  []float64 // after each step of time
	in, fired []float32 // spikes: (duration, images, 64), (duration, images, hidden)
	votes     []float32 // (duration, images, 10)
}

// look shows the network images and asks it after every step of time.
func (n *network) look(ctx context.Context, s *data.Set) (*seen, error) {
	loss, err := n.run(ctx, n.asker, s)
	if err != nil {
		return nil, err
	}
	all := &seen{loss: loss, accuracy: make([]float64, duration)}
	for to, node := range map[*[]float32]*graph.Node{&all.in: n.in, &all.fired: n.fired, &all.votes: n.votes} {
		v, err := n.asker.Value(node)
		if err != nil {
			return nil, err
		}
		*to = append(*to, v.Float32s()...)
	}
	for t := range duration {
		for i, digit := range s.Y.Int64s() {
			row, best := all.votes[(t*s.Len()+i)*classes:][:classes], 0
			for k, v := range row {
				if v > row[best] {
					best = k
				}
			}
			if int64(best) == digit {
				all.accuracy[t] += 1 / float64(s.Len())
			}
		}
	}
	return all, nil
}

// images are the digits, pixels from 0 to 1, split into those to train with and the others.
func images(seed uint64) (train, test *data.Set, err error) {
	d, err := data.Digits(graph.Float32)
	if err != nil {
		return nil, nil, err
	}
	parts, err := d.Split(seed, 0.8, 0.2)
	if err != nil {
		return nil, nil, err
	}
	scale, err := data.FitMinMaxJoint(parts[0].X) // of the training split only
	if err != nil {
		return nil, nil, err
	}
	return parts[0], parts[1], scale.ApplyTo(parts...)
}
