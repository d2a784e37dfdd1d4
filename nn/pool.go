package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Pool has the options of the layers that pool. Lists have one entry for each spatial dimension, or one for all.
type Pool struct {
	Kernel   []int // the size of the windows
	Stride   []int // left out: Kernel, so that windows do not overlap
	Padding  []int // elements on either side, at most half of the window; left out: 0
	Dilation []int // how far the elements of a window are apart; left out: 1

	ExcludePadding bool // of means alone: over the elements inside x, not over the size of the window
}

// MaxPool1D is the largest element of each window over x: (batch, channels, length). See ops.MaxPool1D.
type MaxPool1D Pool

// MaxPool2D is the largest element of each window over x: (batch, channels, height, width). See ops.MaxPool2D.
type MaxPool2D Pool

// AvgPool1D is the mean of each window over x: (batch, channels, length). See ops.AvgPool1D.
type AvgPool1D Pool

// AvgPool2D is the mean of each window over x: (batch, channels, height, width). See ops.AvgPool2D.
type AvgPool2D Pool

// Build pools x.
func (l MaxPool1D) Build(s *Scope, x *graph.Node) *graph.Node {
	return line(s, l, x, Pool(l), ops.MaxPool1D)
}

// Build pools x.
func (l MaxPool2D) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.MaxPool2D(x, l.Kernel, Pool(l).window())
}

// Build pools x.
func (l AvgPool1D) Build(s *Scope, x *graph.Node) *graph.Node {
	return line(s, l, x, Pool(l), ops.AvgPool1D)
}

// Build pools x.
func (l AvgPool2D) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.AvgPool2D(x, l.Kernel, Pool(l).window())
}

// line pools along one axis, which has one size of window.
func line(s *Scope, l Layer, x *graph.Node, p Pool, f func(x *graph.Node, size int, o ops.Window) *graph.Node) *graph.Node {
	size, err := perAxis(p.Kernel, 1, "window sizes")
	if err != nil {
		return s.invalid(l, x, err)
	}
	return f(x, size[0], p.window())
}

func (p Pool) window() ops.Window {
	return ops.Window{Stride: p.Stride, Padding: p.Padding, Dilation: p.Dilation, ExcludePadding: p.ExcludePadding}
}

// GlobalAvgPool is the mean of each channel: (batch, channels, …) becomes (batch, channels).
type GlobalAvgPool struct{}

// Build pools x.
func (l GlobalAvgPool) Build(s *Scope, x *graph.Node) *graph.Node { return global(s, l, x, ops.Mean) }

// GlobalMaxPool is the largest element of each channel: (batch, channels, …) becomes (batch, channels).
type GlobalMaxPool struct{}

// Build pools x.
func (l GlobalMaxPool) Build(s *Scope, x *graph.Node) *graph.Node { return global(s, l, x, ops.Max) }

func global(s *Scope, l Layer, x *graph.Node, f func(x *graph.Node, axes ...int) *graph.Node) *graph.Node {
	if x.Err() == nil && x.Shape().Rank() < 3 {
		return s.invalid(l, x, graph.Errorf(graph.ErrShape, "takes (batch, channels, …) with at least one axis more, not %v", x.Shape()))
	}
	var axes []int
	for i := 2; i < x.Shape().Rank(); i++ {
		axes = append(axes, i)
	}
	return f(x, axes...)
}

func (MaxPool1D) before() graph.Init     { return graph.Init{} }
func (MaxPool2D) before() graph.Init     { return graph.Init{} }
func (AvgPool1D) before() graph.Init     { return graph.Init{} }
func (AvgPool2D) before() graph.Init     { return graph.Init{} }
func (GlobalAvgPool) before() graph.Init { return graph.Init{} }
func (GlobalMaxPool) before() graph.Init { return graph.Init{} }
