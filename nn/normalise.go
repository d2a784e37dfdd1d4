package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// usualEpsilon is what is added to variances where no Epsilon is given.
const usualEpsilon = 1e-5

// BatchNorm normalises each channel with the statistics of the batch in training and the running ones in evaluation, and multiplies and
// shifts it: parameters "weight" (from 1) and "bias" (from 0), variables "running_mean" and "running_var", all (channels). See ops.BatchNorm.
// Training moves the running statistics, so a batch norm has one place in a model: used twice it is an error.
type BatchNorm struct {
	Axis      int     // of the channels; 0 means 1, as in (batch, channels, …)
	Momentum  float64 // the share of the new batch in the running statistics; 0 means 0.1
	Epsilon   float64 // 0 means 1e-5
	NoAffine  bool    // no weight and no bias
	NoRunning bool    // the statistics of the batch in evaluation too
}

// Build adds parameters and variables and normalises x.
func (l *BatchNorm) Build(s *Scope, x *graph.Node) *graph.Node {
	axis := l.Axis
	if axis == 0 {
		axis = 1
	}
	channels, err := fixedAxis(x, axis)
	if _, again := s.model.leaves[s.join("running_mean")]; err == nil && again {
		err = graph.Errorf(graph.ErrGraph, "another use moves its running statistics; each use needs a batch norm of its own, or NoRunning")
	}
	if err != nil {
		return s.invalid(l, x, err)
	}
	scale, shift := s.affine(x, l.NoAffine, channels)
	var running ops.Running
	if !l.NoRunning {
		running = ops.Running{
			Mean:     s.Variable("running_mean", x.DType(), initializers.Zeros(), channels),
			Variance: s.Variable("running_var", x.DType(), initializers.Ones(), channels),
			Momentum: l.Momentum,
		}
	}
	return ops.BatchNorm(x, axis, scale, shift, running, given(l.Epsilon, usualEpsilon))
}

// LayerNorm normalises over the last axes of each element of the others, and multiplies and shifts: parameters "weight" (from 1)
// and "bias" (from 0) of the shape of these axes. See ops.LayerNorm.
type LayerNorm struct {
	Axes     int     // how many; 0 means 1, the features
	Epsilon  float64 // 0 means 1e-5
	NoAffine bool    // no weight and no bias
}

// Build adds the parameters and normalises x.
func (l *LayerNorm) Build(s *Scope, x *graph.Node) *graph.Node {
	last, dims, err := lastDims(x, l.Axes)
	if err != nil {
		return s.invalid(l, x, err)
	}
	scale, shift := s.affine(x, l.NoAffine, dims...)
	return ops.LayerNorm(x, last, scale, shift, given(l.Epsilon, usualEpsilon))
}

// RMSNorm divides by the root of the mean square over the last axes of each element of the others, and multiplies: parameter "weight"
// (from 1) of the shape of these axes. See ops.RMSNorm.
type RMSNorm struct {
	Axes     int     // how many; 0 means 1, the features
	Epsilon  float64 // 0 means 1e-5
	NoAffine bool    // no weight
}

// Build adds the parameter and normalises x.
func (l *RMSNorm) Build(s *Scope, x *graph.Node) *graph.Node {
	last, dims, err := lastDims(x, l.Axes)
	if err != nil {
		return s.invalid(l, x, err)
	}
	var scale *graph.Node
	if !l.NoAffine {
		scale = s.Param("weight", x.DType(), initializers.Ones(), dims...)
	}
	return ops.RMSNorm(x, last, scale, given(l.Epsilon, usualEpsilon))
}

// GroupNorm normalises over each group of channels of each element of the batch, and multiplies and shifts: parameters "weight" (from 1)
// and "bias" (from 0), (channels). x: (batch, channels, …). See ops.GroupNorm.
type GroupNorm struct {
	Groups   int     // divides the number of channels
	Epsilon  float64 // 0 means 1e-5
	NoAffine bool    // no weight and no bias
}

// Build adds the parameters and normalises x.
func (l *GroupNorm) Build(s *Scope, x *graph.Node) *graph.Node {
	channels, err := fixedAxis(x, 1)
	if err != nil {
		return s.invalid(l, x, err)
	}
	scale, shift := s.affine(x, l.NoAffine, channels)
	return ops.GroupNorm(x, l.Groups, scale, shift, given(l.Epsilon, usualEpsilon))
}

// InstanceNorm normalises over each channel of each element of the batch; with Affine it multiplies and shifts: parameters "weight"
// (from 1) and "bias" (from 0), (channels). x: (batch, channels, …) with at least one axis more. See ops.InstanceNorm.
type InstanceNorm struct {
	Epsilon float64 // 0 means 1e-5
	Affine  bool    // a weight and a bias, which as in PyTorch are not the rule
}

// Build adds the parameters, if there shall be some, and normalises x.
func (l *InstanceNorm) Build(s *Scope, x *graph.Node) *graph.Node {
	channels, err := fixedAxis(x, 1)
	if err != nil {
		return s.invalid(l, x, err)
	}
	scale, shift := s.affine(x, !l.Affine, channels)
	return ops.InstanceNorm(x, scale, shift, given(l.Epsilon, usualEpsilon))
}

// affine returns the parameters that multiply and shift what is normalised, nil if there shall be none.
func (s *Scope) affine(x *graph.Node, none bool, dims ...graph.Dim) (scale, shift *graph.Node) {
	if none {
		return nil, nil
	}
	return s.Param("weight", x.DType(), initializers.Ones(), dims...), s.Param("bias", x.DType(), initializers.Zeros(), dims...)
}

// lastDims returns the last dimensions of x, which parameters have the shape of; 0 means one.
func lastDims(x *graph.Node, axes int) (int, []graph.Dim, error) {
	if axes == 0 {
		axes = 1
	}
	if err := wantFloats(x); err != nil {
		return 0, nil, err
	}
	rank := x.Shape().Rank()
	if axes < 0 || axes > rank || !x.Shape()[rank-axes:].IsStatic() {
		return 0, nil, graph.Errorf(graph.ErrShape, "takes %d last axes of fixed sizes, not %v", axes, x.Shape())
	}
	return axes, x.Shape()[rank-axes:], nil
}

func (*BatchNorm) before() graph.Init    { return graph.Init{} }
func (*LayerNorm) before() graph.Init    { return graph.Init{} }
func (*RMSNorm) before() graph.Init      { return graph.Init{} }
func (*GroupNorm) before() graph.Init    { return graph.Init{} }
func (*InstanceNorm) before() graph.Init { return graph.Init{} }
