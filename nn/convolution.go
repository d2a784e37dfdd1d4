package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Convolution has the options of the layers that convolve. Lists have one entry for each spatial dimension, or one for all.
type Convolution struct {
	Out      int   // channels of the result
	Kernel   []int // the size of the filters
	Stride   []int // left out: 1
	Padding  []int // zeros on either side; left out: 0
	Same     bool  // as much padding as keeps the size, the odd one after; strides are 1 then
	Dilation []int // how far the elements that a filter sees are apart; left out: 1
	Groups   int   // the channels are so many groups, each seen by its own share of the filters; 0 means 1

	OutputPadding []int // of transposed convolutions alone: what the size of the result has beyond the smallest that fits

	NoBias bool
	Weight graph.Init // left out: Scope.WeightInit
	Bias   graph.Init // left out: zeros
}

// Conv1D convolves x: (batch, channels, length) with filters: parameters "weight", (Out, channels/Groups, kernel), and "bias", (Out). The
// fixed number of channels is taken from x. See ops.Conv1D.
type Conv1D Convolution

// Conv2D convolves x: (batch, channels, height, width) with filters: parameters "weight", (Out, channels/Groups, kernel height, kernel width),
// and "bias", (Out). The fixed number of channels is taken from x. See ops.Conv2D.
type Conv2D Convolution

// ConvTranspose1D is the transposed convolution of x: (batch, channels, length) with "weight", (channels, Out/Groups, kernel), plus "bias",
// (Out). See ops.ConvTranspose1D.
type ConvTranspose1D Convolution

// ConvTranspose2D is the transposed convolution of x: (batch, channels, height, width) with "weight", (channels, Out/Groups, kernel height,
// kernel width), plus "bias", (Out). See ops.ConvTranspose2D.
type ConvTranspose2D Convolution

// Build adds the parameters and convolves x.
func (l *Conv1D) Build(s *Scope, x *graph.Node) *graph.Node {
	return (*Convolution)(l).build(s, l, x, 1, false, ops.Conv1D)
}

// Build adds the parameters and convolves x.
func (l *Conv2D) Build(s *Scope, x *graph.Node) *graph.Node {
	return (*Convolution)(l).build(s, l, x, 2, false, ops.Conv2D)
}

// Build adds the parameters and convolves x.
func (l *ConvTranspose1D) Build(s *Scope, x *graph.Node) *graph.Node {
	return (*Convolution)(l).build(s, l, x, 1, true, ops.ConvTranspose1D)
}

// Build adds the parameters and convolves x.
func (l *ConvTranspose2D) Build(s *Scope, x *graph.Node) *graph.Node {
	return (*Convolution)(l).build(s, l, x, 2, true, ops.ConvTranspose2D)
}

func (c *Convolution) build(s *Scope, l Layer, x *graph.Node, spatial int, transposed bool, f func(x, w, b *graph.Node, o ops.Convolution) *graph.Node) *graph.Node {
	in, err := planes(x, spatial)
	if err != nil {
		return s.invalid(l, x, err)
	}
	groups := max(c.Groups, 1)
	switch {
	case c.Out < 1:
		err = graph.Errorf(graph.ErrValue, "Out = %d channels; Out is 1 or more", c.Out)
	case in%groups != 0 || c.Out%groups != 0:
		err = graph.Errorf(graph.ErrValue, "Groups = %d do not divide the channels, %d of x and Out = %d", groups, in, c.Out)
	}
	kernel, kernelErr := perAxis(c.Kernel, spatial, "kernel sizes")
	if err == nil {
		err = kernelErr
	}
	if err != nil {
		return s.invalid(l, x, err)
	}
	init, shape := c.Weight, []int{c.Out, in / groups}
	if init.Fill == nil {
		init = s.WeightInit()
	}
	if transposed {
		shape = []int{in, c.Out / groups}
		if c.Weight.Fill == nil {
			init = c.spread(init, in/groups, kernel)
		}
	}
	dims := []graph.Dim{graph.Dim(shape[0]), graph.Dim(shape[1])}
	for _, k := range kernel {
		dims = append(dims, graph.Dim(k))
	}
	return f(x, s.weights(x, init, dims...), s.bias(x, c.NoBias, c.Bias, graph.Dim(c.Out)),
		ops.Convolution{Stride: c.Stride, Padding: c.Padding, Same: c.Same, Dilation: c.Dilation, Groups: c.Groups, OutputPadding: c.OutputPadding})
}

// spread is init for the weights of a transposed convolution. Each element of the result sees in·window/stride of them, in being the
// channels of a group; the shape of the weights says another number.
func (c *Convolution) spread(init graph.Init, in int, kernel []int) graph.Init {
	seen, steps := in, 1
	for i, k := range kernel {
		seen *= k
		switch len(c.Stride) {
		case 0:
		case 1:
			steps *= max(c.Stride[0], 1)
		case len(kernel):
			steps *= max(c.Stride[i], 1)
		}
	}
	if seen%steps != 0 { // nearly so
		steps = 1
	}
	return initializers.Shaped(init, seen/steps, c.Out*steps)
}

// planes returns the number of channels of x, (batch, channels, and so many spatial dimensions).
func planes(x *graph.Node, spatial int) (int, error) {
	if err := wantFloats(x); err != nil {
		return 0, err
	}
	if x.Shape().Rank() != spatial+2 || !x.Shape()[1].IsStatic() {
		return 0, graph.Errorf(graph.ErrShape, "takes (batch, channels, %s) with a fixed number of channels, not %v", []string{"length", "height, width"}[spatial-1], x.Shape())
	}
	return int(x.Shape()[1]), nil
}

// perAxis returns a size for each spatial dimension.
func perAxis(list []int, spatial int, what string) ([]int, error) {
	if len(list) == 1 && spatial == 2 {
		list = []int{list[0], list[0]}
	}
	if len(list) != spatial {
		return nil, graph.Errorf(graph.ErrValue, "%d %s for %d spatial dimensions; give one for each, or one for all", len(list), what, spatial)
	}
	for _, k := range list {
		if k < 1 {
			return nil, graph.Errorf(graph.ErrValue, "%s %v; all are 1 or more", what, list)
		}
	}
	return list, nil
}

func (*Conv1D) before() graph.Init          { return initializers.LeCun() }
func (*Conv2D) before() graph.Init          { return initializers.LeCun() }
func (*ConvTranspose1D) before() graph.Init { return initializers.LeCun() }
func (*ConvTranspose2D) before() graph.Init { return initializers.LeCun() }
