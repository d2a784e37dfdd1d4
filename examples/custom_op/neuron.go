package main

import (
	"context"
	"fmt"
	"math"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// How the neurons are built.
const (
	hidden        = 16   // neurons
	synapseDecay  = 0.7  // of the current that a spike brings, by step of time
	membraneDecay = 0.9  // of the membrane's potential
	threshold     = 1.0  // of the potential, above which a neuron fires
	slope         = 4.0  // of the surrogate gradient at the threshold
	rate          = 0.02 // learning rate
)

// integrateAndFire runs leaky integrate-and-fire neurons, unrolled in time: the potential v of each fades and takes up its current,
// (batch, neurons) for each step of time; above the threshold it fires, and the threshold is taken off its potential.
//
//	vₜ = decay·vₜ₋₁ + currentₜ − threshold·sₜ₋₁     sₜ = 1[vₜ > threshold]
//
// It returns potentials and spikes over time. Nothing here is a loop for the machine: unrolling writes the steps into one graph.
func integrateAndFire(current []*graph.Node) (potentials, spikes []*graph.Node) {
	v, s := current[0], (*graph.Node)(nil)
	for t, in := range current {
		if t > 0 {
			v = ops.Sub(ops.Add(ops.Scale(v, membraneDecay), in), ops.Scale(s, threshold))
		}
		s = spike(ops.AddScalar(v, -threshold), slope)
		potentials, spikes = append(potentials, v), append(spikes, s)
	}
	return potentials, spikes
}

// network is the model, and the two machines that run it.
type network struct {
	spikes, class    *graph.Node // inputs: (batch, duration, channels) and (batch)
	potential, fired *graph.Node // of the hidden neurons: (batch, duration, hidden)
	loss, accuracy   *graph.Node // means over the batch

	trainer *vm.Machine // runs the loss, its gradient and the optimiser's step
	asker   *vm.Machine // runs the model alone, over the same weights
}

func newNetwork(seed uint64) (*network, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{spikes: g.Input("spikes", graph.Float32, batch, duration, channels), class: g.Input("class", graph.Int64, batch)}

	// Synapses make currents of spikes, weights distribute them to the neurons, at all times with one matrix product.
	traces := ops.Reshape(leak(n.spikes, synapseDecay), -1, channels)
	scope := nn.Root(g, "")
	currents := scope.Apply("synapses", &nn.Linear{Out: hidden}, traces)
	potentials, fired := integrateAndFire(ops.Unstack(ops.Reshape(currents, batch, duration, hidden), 1))
	n.potential, n.fired = ops.Stack(1, potentials...), ops.Stack(1, fired...)

	// How often each neuron fires is all that the answer is read from.
	logits := scope.Apply("readout", &nn.Linear{Out: 2}, ops.Mean(n.fired, 1))
	n.loss = losses.CrossEntropy(logits, n.class)
	n.accuracy = ops.Mean(ops.Cast(ops.Equal(ops.ArgMax(logits, 1), n.class), graph.Float32))

	weights := g.Params()
	updates := optim.Adam{LR: rate}.Updates(weights, autodiff.Grad(n.loss, weights...))
	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.accuracy}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	answer, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.accuracy, n.potential, n.fired}})
	if err != nil {
		return nil, err
	}
	state, err := vm.NewState(g, seed)
	if err != nil {
		return nil, err
	}
	if n.trainer, err = vm.NewMachine(step, state); err != nil {
		return nil, err
	}
	n.asker, err = vm.NewMachine(answer, state)
	return n, err
}

// score is how well a set of patterns is told apart.
type score struct{ loss, accuracy float64 }

// run feeds one of the machines and runs it: the trainer makes a step, the asker only looks.
func (n *network) run(ctx context.Context, m *vm.Machine, s *data.Set) (now score, err error) {
	if err := m.Feed(n.spikes, s.X); err != nil {
		return now, err
	}
	if err := m.Feed(n.class, s.Y); err != nil {
		return now, err
	}
	if err := m.Run(ctx); err != nil {
		return now, err
	}
	if now.loss, err = m.Scalar(n.loss); err != nil {
		return now, err
	}
	now.accuracy, err = m.Scalar(n.accuracy)
	return now, err
}

// train shows each epoch as it is done, with the scores on training patterns (while the weights move) and on the others.
func (n *network) train(ctx context.Context, epochs int, seed uint64, training, others *data.Set, show func(epoch int, train, other score)) error {
	batches, err := data.NewBatches(training, 25, seed)
	if err != nil {
		return err
	}
	for epoch := 1; epoch <= epochs; epoch++ {
		var sum score
		for batches.Start(epoch); batches.Next(); {
			step, err := n.run(ctx, n.trainer, batches.Batch())
			if err != nil {
				return err
			}
			share := float64(batches.Size()) / float64(training.Len())
			sum.loss += share * step.loss
			sum.accuracy += share * step.accuracy
		}
		if math.IsNaN(sum.loss) {
			return fmt.Errorf("the loss is NaN in epoch %d", epoch)
		}
		other, err := n.run(ctx, n.asker, others)
		if err != nil {
			return err
		}
		show(epoch, sum, other)
	}
	return nil
}
