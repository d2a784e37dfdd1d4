// Command autoencoder squeezes images of digits through two numbers. One graph holds the encoder, the decoder, and the decoder
// once more, over points of the plane that nobody encoded: three programs over the same weights. autoencoder.go has the network,
// main.go what can be seen of it.
//
//	go run ./examples/autoencoder
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
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gorgonia.org/tensor"
)

const (
	pixels = 64
	code   = 2 // numbers that are left of an image
)

// network is the autoencoder and the machines that run it, all over one state.
type network struct {
	image          *graph.Node // (batch, 64), from 0 to 1
	code, restored *graph.Node // (batch, 2), (batch, 64)
	loss           *graph.Node // the mean squared error of a pixel

	point, drawn *graph.Node // (points, 2) and what the decoder makes of them: (points, 64)

	trainer, coder, painter *vm.Machine
	state                   *vm.State
	rate                    optim.Schedule
	steps                   int
}

func newNetwork(seed uint64, steps int) (*network, error) {
	g, batch, points := graph.New(), graph.Symbol("batch"), graph.Symbol("points")
	n := &network{image: g.Input("image", graph.Float32, batch, pixels), point: g.Input("point", graph.Float32, points, code)}
	encoder := nn.Sequential{&nn.Linear{Out: 128}, nn.Tanh, &nn.Linear{Out: 64}, nn.Tanh, &nn.Linear{Out: code}}
	decoder := nn.Sequential{&nn.Linear{Out: 64}, nn.Tanh, &nn.Linear{Out: 128}, nn.Tanh, &nn.Linear{Out: pixels}, nn.Sigmoid}
	n.code = nn.Build(g, encoder, n.image)
	decoding := nn.Root(g, "decoder") // built twice with one scope, the decoder has one set of weights
	n.restored = decoder.Build(decoding, n.code)
	n.drawn = decoder.Build(decoding, n.point)
	n.loss = losses.MSE(n.restored, n.image)

	// A little of the codes' length is a loss too: it keeps them near the middle, where they can be looked at.
	target := ops.Add(n.loss, ops.Scale(ops.Mean(ops.Square(n.code)), 2e-4))
	weights := g.Params()
	updates := optim.Adam{}.Updates(weights, autodiff.Grad(target, weights...))
	train, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss}, Updates: updates, Mode: vm.Train})
	if err != nil {
		return nil, err
	}
	encode, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.code, n.restored, n.loss}})
	if err != nil {
		return nil, err
	}
	decode, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.drawn}})
	if err != nil {
		return nil, err
	}
	if n.state, err = vm.NewState(g, seed); err != nil {
		return nil, err
	}
	for machine, p := range map[**vm.Machine]*vm.Program{&n.trainer: train, &n.coder: encode, &n.painter: decode} {
		if *machine, err = vm.NewMachine(p, n.state); err != nil {
			return nil, err
		}
	}
	n.rate = optim.OneCycle(0.006, steps)
	return n, nil
}

// epoch shows the network every image once and returns the mean loss meanwhile.
func (n *network) epoch(ctx context.Context, b *data.Batches, number, images int) (loss float64, err error) {
	for b.Start(number); b.Next(); n.steps++ {
		if err := n.state.Set("adam.lr", n.rate(n.steps)); err != nil {
			return 0, err
		}
		if err := n.trainer.Feed(n.image, b.Batch().X); err != nil {
			return 0, err
		}
		if err := n.trainer.Run(ctx); err != nil {
			return 0, err
		}
		now, err := n.trainer.Scalar(n.loss)
		if err != nil {
			return 0, err
		}
		loss += now * float64(b.Size()) / float64(images)
	}
	return loss, nil
}

// encode returns the codes of images, what the decoder restores of them, and the mean squared error of a pixel.
func (n *network) encode(ctx context.Context, s *data.Set) (codes, restored []float32, loss float64, err error) {
	if err := n.coder.Feed(n.image, s.X); err != nil {
		return nil, nil, 0, err
	}
	if err := n.coder.Run(ctx); err != nil {
		return nil, nil, 0, err
	}
	c, err := n.coder.Value(n.code)
	if err != nil {
		return nil, nil, 0, err
	}
	r, err := n.coder.Value(n.restored)
	if err != nil {
		return nil, nil, 0, err
	}
	loss, err = n.coder.Scalar(n.loss)
	return append(codes, c.Float32s()...), append(restored, r.Float32s()...), loss, err
}

// decode draws the images that belong to points of the plane.
func (n *network) decode(ctx context.Context, points []float32) ([]float32, error) {
	if err := n.painter.Feed(n.point, tensor.New(tensor.WithShape(len(points)/code, code), tensor.WithBacking(points))); err != nil {
		return nil, err
	}
	if err := n.painter.Run(ctx); err != nil {
		return nil, err
	}
	v, err := n.painter.Value(n.drawn)
	if err != nil {
		return nil, err
	}
	return append([]float32(nil), v.Float32s()...), nil
}

// linear is the best that two numbers can do if encoder and decoder are linear: the principal components of the training
// images. It returns the mean squared error of a pixel of the others.
func linear(train, test *data.Set) float64 {
	var pc stat.PC
	x := dense(train)
	mean := make([]float64, pixels)
	for j := range mean {
		mean[j] = stat.Mean(mat.Col(nil, j, x), nil)
	}
	pc.PrincipalComponents(x, nil)
	var v mat.Dense
	pc.VectorsTo(&v)
	y := dense(test)
	y.Apply(func(_, j int, u float64) float64 { return u - mean[j] }, y)
	var codes, restored mat.Dense
	codes.Mul(y, v.Slice(0, pixels, 0, code))
	restored.Mul(&codes, v.Slice(0, pixels, 0, code).T())
	restored.Sub(&restored, y)
	norm := mat.Norm(&restored, 2) // Frobenius
	return norm * norm / float64(test.Len()*pixels)
}

func dense(s *data.Set) *mat.Dense {
	all := make([]float64, 0, s.Len()*pixels)
	for _, v := range s.X.Float32s() {
		all = append(all, float64(v))
	}
	return mat.NewDense(s.Len(), pixels, all)
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
