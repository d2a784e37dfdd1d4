package main

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// highway is a layer of one's own: any struct with this one method. It lets its input pass, and changes of it what the gate lets it change
// (Srivastava, Greff and Schmidhuber 2015): y = x + gate·(change − x).
type highway struct{ change, gate nn.Linear }

func (l *highway) Build(s *nn.Scope, x *graph.Node) *graph.Node {
	change := ops.Tanh(s.Apply("change", &l.change, x))
	gate := ops.Sigmoid(s.Apply("gate", &l.gate, x))
	return ops.Lerp(x, change, gate)
}

// architecture is no sequence of layers: it goes through one layer three times, skips all of them once, and ends in two heads. It is given
// images: (batch, 64) and gives logits of the digits: (batch, 10), and where the middle of the ink is: (batch, 2).
func architecture(s *nn.Scope, image *graph.Node) (digit, middle *graph.Node) {
	h := ops.Tanh(s.Apply("stem", &nn.Linear{Out: 48, Weight: initializers.Xavier()}, image))
	again := &highway{
		change: nn.Linear{Out: 48, Weight: initializers.Orthogonal(1)},
		gate:   nn.Linear{Out: 48, Weight: initializers.Xavier(), Bias: initializers.Constant(-1)}, // mostly shut at first
	}
	for range 3 {
		h = s.Apply("again", again, h) // one layer used three times has one set of weights
	}
	h = ops.Concat(1, h, image) // the skip: the heads see the image too
	digit = s.Apply("digit", &nn.Linear{Out: 10}, h)
	middle = s.Apply("middle", nn.Sequential{&nn.Linear{Out: 32}, nn.ReLU, &nn.Linear{Out: 2}}, h)
	return digit, middle
}

// middleOfInk is what the second head learns: the mean place of an image's ink, in pixels to the right of and below the image's own middle. It needs no
// labels, as it is an expression of the image: (batch, 64) to (batch, 2).
func middleOfInk(image *graph.Node) *graph.Node {
	var places []float64
	for at := range 64 {
		places = append(places, float64(at%8)-3.5, float64(at/8)-3.5)
	}
	grid := ops.Cast(ops.Reshape(image.Graph().Constant(places), 64, 2), image.DType())
	moments := ops.MatMul(image, grid)
	return ops.Div(moments, ops.SumKeep(image, 1))
}
