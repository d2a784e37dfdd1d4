package ops

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
)

// Normalisations are compositions: the variance is the mean of squared distances from the mean (two passes, no cancellation), and
// gradients of any order, through the statistics too, are those of the parts. All of them divide by √(variance + ε), so elements
// that are all equal give 0; with ε = 0 they give NaN. Scale and shift may be nil, for none.

// LayerNorm returns (x − mean)/√(variance + ε) ⊙ scale + shift, with mean and (biased) variance over the last axes of each
// element of the others. scale and shift have the shape of those axes: PyTorch's normalized_shape.
func LayerNorm(x *graph.Node, last int, scale, shift *graph.Node, epsilon float64) *graph.Node {
	n := norm{"layernorm", x, scale, shift}
	axes, err := n.lastAxes(last, epsilon)
	if err != nil {
		return n.invalid(err)
	}
	y, _, _ := standardize(x, epsilon, axes)
	return n.affine(y, x.Shape()[axes[0]:], x.Shape()[axes[0]:])
}

// RMSNorm returns x/√(mean(x²) + ε) ⊙ scale, with the mean over the last axes of each element of the others. scale has the shape
// of those axes.
func RMSNorm(x *graph.Node, last int, scale *graph.Node, epsilon float64) *graph.Node {
	n := norm{"rmsnorm", x, scale, nil}
	axes, err := n.lastAxes(last, epsilon)
	if err != nil {
		return n.invalid(err)
	}
	return n.affine(Div(x, deviation(MeanKeep(Square(x), axes...), epsilon)), x.Shape()[axes[0]:], x.Shape()[axes[0]:])
}

// GroupNorm is LayerNorm over groups of channels. x: (batch, channels, …); groups divides the fixed number of channels. Mean and
// variance are over the channels of a group and all axes after them; scale and shift are (channels).
func GroupNorm(x *graph.Node, groups int, scale, shift *graph.Node, epsilon float64) *graph.Node {
	n := norm{"groupnorm", x, scale, shift}
	if err := n.check(2, epsilon); err != nil {
		return n.invalid(err)
	}
	channels := x.Shape()[1]
	if groups < 1 || !channels.IsStatic() || int(channels)%groups != 0 {
		return n.invalid(graph.Errorf(graph.ErrShape, "%d groups do not divide the %v channels of %v", groups, channels, x.Type()))
	}
	split := append(graph.Shape{x.Shape()[0], graph.Dim(groups), channels / graph.Dim(groups)}, x.Shape()[2:]...)
	y, _, _ := standardize(Reshape(x, split...), epsilon, axesFrom(2, len(split)))
	return n.affine(Reshape(y, x.Shape()...), x.Shape()[1:2], channelShape(x, 1))
}

// InstanceNorm is LayerNorm over each channel of each element of the batch. x: (batch, channels, …) with at least one axis more;
// scale and shift are (channels).
func InstanceNorm(x *graph.Node, scale, shift *graph.Node, epsilon float64) *graph.Node {
	n := norm{"instancenorm", x, scale, shift}
	if err := n.check(3, epsilon); err != nil {
		return n.invalid(err)
	}
	y, _, _ := standardize(x, epsilon, axesFrom(2, len(x.Shape())))
	return n.affine(y, x.Shape()[1:2], channelShape(x, 1))
}

// Running are the running statistics of a batch norm: two variables of shape (channels) and x's element type that belong to it
// alone, mean starting at 0 and variance at 1. The zero Running keeps none.
type Running struct {
	Mean, Variance *graph.Node
	Momentum       float64 // the share of the new batch, up to 1; 0 means 0.1
}

// BatchNorm normalises each channel of x, of which axis is the channel axis, with the statistics of the batch in training and the
// running ones in evaluation:
//
//	train   (x − mean)/√(variance + ε) ⊙ scale + shift    mean and biased variance over all axes but the channels'
//	eval    x ⊙ a + (shift − running.Mean ⊙ a)            a = scale/√(running.Variance + ε)
//
// A training program moves the running statistics by PyTorch's rule, running := (1 − momentum)·running + momentum·batch, with the
// unbiased variance, and for that needs more than one value a channel, which the run checks. Without running statistics
// both modes use those of the batch. scale and shift are (channels). The evaluation form multiplies and adds what depends on the
// state alone, so it can join a product before it.
func BatchNorm(x *graph.Node, axis int, scale, shift *graph.Node, running Running, epsilon float64) *graph.Node {
	n := norm{"batchnorm", x, scale, shift}
	if err := n.check(1, epsilon); err != nil {
		return n.invalid(err)
	}
	axis, err := normalAxis(axis, x.Type())
	if err != nil {
		return n.invalid(err)
	}
	channels, along := x.Shape()[axis:axis+1], channelShape(x, axis)
	var axes []int
	count := graph.Dim(1)
	for i, d := range x.Shape() {
		if i != axis {
			axes, count = append(axes, i), count.Mul(d)
		}
	}
	if len(axes) == 0 {
		return n.invalid(graph.Errorf(graph.ErrShape, "%v has channels alone; reshape it to (batch, channels)", x.Type()))
	}
	normal, mean, variance := standardize(x, epsilon, axes)
	train := n.affine(normal, channels, along)
	if running.Mean == nil && running.Variance == nil || train.Err() != nil {
		return train
	}
	for _, r := range []*graph.Node{running.Mean, running.Variance} {
		if err := r.Err(); err != nil {
			return n.invalid(err)
		}
		if want := graph.TypeOf(x.DType(), channels...); !r.Type().Identical(want) {
			return n.invalid(graph.Errorf(graph.ErrShape, "running statistics are %v; they must be %v", r.Type(), want))
		}
	}
	momentum := running.Momentum
	if momentum == 0 {
		momentum = 0.1
	}
	if !(momentum > 0 && momentum <= 1) {
		return n.invalid(graph.Errorf(graph.ErrValue, "the momentum is %v; it must be above 0 and at most 1", momentum))
	}
	values := DimSize(x.Graph(), count, x.DType())
	several := Assert(Less(like(x, 1), values), values, "batch norm in training needs more than one value for each channel")
	unbiased := Mul(variance, Div(several, AddScalar(values, -1)))
	for _, r := range []struct{ state, batch *graph.Node }{{running.Mean, mean}, {running.Variance, unbiased}} {
		update := Add(Scale(r.state, 1-momentum), Scale(Reshape(r.batch, r.state.Shape()...), momentum))
		if err := x.Graph().Assign(r.state, update); err != nil {
			return n.invalid(err)
		}
	}
	a := Div(like(x, 1), deviation(running.Variance, epsilon))
	if scale != nil {
		a = Mul(scale, a)
	}
	b := Neg(Mul(running.Mean, a))
	if shift != nil {
		b = Add(shift, b)
	}
	return ByMode(train, Add(Mul(x, Reshape(a, along...)), Reshape(b, along...)))
}

// standardize returns (x − mean)/√(variance + ε), and mean and variance over the axes, which keep size 1.
func standardize(x *graph.Node, epsilon float64, axes []int) (y, mean, variance *graph.Node) {
	mean = MeanKeep(x, axes...)
	distance := Sub(x, mean)
	variance = MeanKeep(Square(distance), axes...)
	return Div(distance, deviation(variance, epsilon)), mean, variance
}

func deviation(variance *graph.Node, epsilon float64) *graph.Node {
	return Sqrt(AddScalar(variance, epsilon))
}

// norm is what the normalisations share: their operands, to check and to name in errors.
type norm struct {
	name            string
	x, scale, shift *graph.Node
}

func (n norm) invalid(err error) *graph.Node {
	operands := []*graph.Node{n.x}
	for _, p := range []*graph.Node{n.scale, n.shift} {
		if p != nil {
			operands = append(operands, p)
		}
	}
	return graph.Invalid(err, fmt.Sprintf("%s(%s)", n.name, n.x.Expr()), operands...)
}

func (n norm) check(rank int, epsilon float64) error {
	switch {
	case n.x.Err() != nil:
		return n.x.Err()
	case !n.x.DType().IsFloat() || len(n.x.Shape()) < rank:
		return graph.Errorf(graph.ErrShape, "takes float32 or float64 with %d dimensions or more, not %v", rank, n.x.Type())
	case !(epsilon >= 0):
		return graph.Errorf(graph.ErrValue, "ε is %v; it must not be below 0, and is 1e-5 most often", epsilon)
	}
	return nil
}

func (n norm) lastAxes(last int, epsilon float64) ([]int, error) {
	if err := n.check(1, epsilon); err != nil {
		return nil, err
	}
	rank := len(n.x.Shape())
	if last < 1 || last > rank {
		return nil, graph.Errorf(graph.ErrShape, "the last %d axes of %v; it has 1 to %d", last, n.x.Type(), rank)
	}
	return axesFrom(rank-last, rank), nil
}

// affine returns y ⊙ scale + shift. These have the shape own, and repeat over y as the shape along.
func (n norm) affine(y *graph.Node, own, along graph.Shape) *graph.Node {
	want := graph.TypeOf(n.x.DType(), own...)
	for i, p := range []*graph.Node{n.scale, n.shift} {
		if p == nil {
			continue
		}
		if p.Err() == nil && !p.Type().Identical(want) {
			return n.invalid(graph.Errorf(graph.ErrShape, "%s is %v; it must be %v", []string{"scale", "shift"}[i], p.Type(), want))
		}
		y = []func(a, b *graph.Node) *graph.Node{Mul, Add}[i](y, Reshape(p, along...))
	}
	return y
}

func axesFrom(from, to int) []int {
	var axes []int
	for i := from; i < to; i++ {
		axes = append(axes, i)
	}
	return axes
}

// channelShape is the shape in which what there is one of for each channel broadcasts against x.
func channelShape(x *graph.Node, axis int) graph.Shape {
	shape := graph.Shape{x.Shape()[axis]}
	for range len(x.Shape()) - axis - 1 {
		shape = append(shape, 1)
	}
	return shape
}
