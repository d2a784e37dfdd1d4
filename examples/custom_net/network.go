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

// network is the architecture with its two losses, and the machines that run it.
type network struct {
	image, label   *graph.Node // inputs: (batch, 64) and (batch)
	digit          *graph.Node // logits: (batch, 10)
	middle, truth  *graph.Node // what the second head says, and what is so: (batch, 2)
	loss, distance *graph.Node // cross-entropy in nats, mean squared error in square pixels
	accuracy       *graph.Node

	trainer, asker *vm.Machine
}

func newNetwork(dtype graph.DType, seed uint64) (*network, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{image: g.Input("image", dtype, batch, 64), label: g.Input("label", graph.Int64, batch)}
	n.digit, n.middle = architecture(nn.Root(g, ""), n.image)
	n.truth = middleOfInk(n.image)
	n.loss, n.distance = losses.CrossEntropy(n.digit, n.label), losses.MSE(n.middle, n.truth)
	n.accuracy = ops.Mean(ops.Cast(ops.Equal(ops.ArgMax(n.digit, 1), n.label), graph.Float64))

	both := ops.Add(n.loss, n.distance) // one loss for both heads: the gradients of what they share add up
	updates := optim.Adam{LR: 2e-3}.Updates(g.Params(), autodiff.Grad(both, g.Params()...))
	step, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.distance}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	answer, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.distance, n.accuracy, n.middle, n.truth}})
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

// misses are what the two heads are wrong by.
type misses struct{ loss, distance float64 }

func (n *network) run(ctx context.Context, m *vm.Machine, s *data.Set) (e misses, err error) {
	if err := m.FeedAll(vm.Feeds{n.image: s.X, n.label: s.Y}); err != nil {
		return e, err
	}
	if err := m.Run(ctx); err != nil {
		return e, err
	}
	if e.loss, err = m.Scalar(n.loss); err != nil {
		return e, err
	}
	e.distance, err = m.Scalar(n.distance)
	return e, err
}

// train shows the network every image once and returns the mean errors meanwhile.
func (n *network) train(ctx context.Context, b *data.Batches, epoch, images int) (mean misses, err error) {
	for b.Start(epoch); b.Next(); {
		e, err := n.run(ctx, n.trainer, b.Batch())
		if err != nil {
			return mean, err
		}
		share := float64(b.Size()) / float64(images)
		mean.loss += share * e.loss
		mean.distance += share * e.distance
	}
	return mean, nil
}

// exam is what the heads say of images, and how good that is.
type exam struct {
	misses
	accuracy      float64
	middle, truth [2][]float64 // by coordinate, in pixels
	explained     [2]float64   // the share of the coordinate's variance that the head accounts for (R²)
}

func (n *network) examine(ctx context.Context, s *data.Set) (x exam, err error) {
	if x.misses, err = n.run(ctx, n.asker, s); err != nil {
		return x, err
	}
	if x.accuracy, err = n.asker.Scalar(n.accuracy); err != nil {
		return x, err
	}
	for _, of := range []struct {
		node *graph.Node
		to   *[2][]float64
	}{{n.middle, &x.middle}, {n.truth, &x.truth}} {
		v, err := n.asker.Value(of.node)
		if err != nil {
			return x, err
		}
		for i, c := range v.Float32s() {
			of.to[i%2] = append(of.to[i%2], float64(c))
		}
	}
	for c := range x.explained {
		x.explained[c] = explained(x.middle[c], x.truth[c])
	}
	return x, nil
}

func explained(said, truth []float64) float64 {
	mean, wrong, all := 0.0, 0.0, 0.0
	for _, t := range truth {
		mean += t / float64(len(truth))
	}
	for i, t := range truth {
		wrong += (said[i] - t) * (said[i] - t)
		all += (t - mean) * (t - mean)
	}
	return 1 - wrong/all
}
