package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
)

// sequel is what comes after a layer: layers, and what comes after these.
type sequel struct {
	layers []Layer
	then   *sequel
	open   bool // after them it is not known what comes
}

// follower is a layer that says what suits the weights whose result it is given: an initialiser, or a zero one if it is to be looked at
// what comes after the layer.
type follower interface{ before() graph.Init }

// WeightInit returns the initialiser that suits weights in this place of the model, for layers that are given none. Within a
// Sequential or a Chain, what follows is known:
//
//	an activation             its own (Activation.Weight): He for relu, Xavier for tanh and sigmoid, LeCun for selu
//	dropout, a norm, a pool   looked through
//	weights, or the end of the model given to Build
//	                          LeCun: there is no activation
//
// and anywhere else it is He.
func (s *Scope) WeightInit() graph.Init {
	for at := s.next; at != nil; {
		if len(at.layers) == 0 {
			if at.then == nil && !at.open {
				return initializers.LeCun()
			}
			at = at.then
			continue
		}
		rest := &sequel{at.layers[1:], at.then, at.open}
		switch l := at.layers[0].(type) {
		case Sequential:
			at = &sequel{l, rest, false}
		case Chain:
			at = &sequel{l.layers(), rest, false}
		case follower:
			if init := l.before(); init.Fill != nil {
				return init
			}
			at = rest
		default:
			at = nil
		}
	}
	return initializers.He()
}

// weights returns the parameter called "weight", in x's element type: as init says, or as suits its place.
func (s *Scope) weights(x *graph.Node, init graph.Init, dims ...graph.Dim) *graph.Node {
	if init.Fill == nil {
		init = s.WeightInit()
	}
	return s.Param("weight", x.DType(), init, dims...)
}

// bias returns the parameter called "bias", in x's element type, or nil if there shall be none.
func (s *Scope) bias(x *graph.Node, none bool, init graph.Init, dims ...graph.Dim) *graph.Node {
	if none {
		return nil
	}
	return s.Param("bias", x.DType(), init, dims...)
}

// wantFloats refuses what weights cannot be multiplied with.
func wantFloats(x *graph.Node) error {
	switch {
	case x.Err() != nil:
		return x.Err()
	case !x.DType().IsFloat():
		return graph.Errorf(graph.ErrDType, "takes float32 or float64, not %v; convert with ops.Cast", x.Type())
	}
	return nil
}

// fixedAxis returns the size of an axis that parameters have a value for each index of.
func fixedAxis(x *graph.Node, axis int) (graph.Dim, error) {
	if err := wantFloats(x); err != nil {
		return 0, err
	}
	at, rank := axis, x.Shape().Rank()
	if at < 0 {
		at += rank
	}
	if at < 0 || at >= rank {
		return 0, graph.Errorf(graph.ErrShape, "takes channels along axis %d, which %v does not have", axis, x.Shape())
	}
	if !x.Shape()[at].IsStatic() {
		return 0, graph.Errorf(graph.ErrShape, "takes channels along axis %d with a fixed size, not %v", axis, x.Shape())
	}
	return x.Shape()[at], nil
}

// Layers that pass on what they are given, or something of its size, are looked through; those that multiply by weights have no activation
// before them.
func (Flatten) before() graph.Init       { return graph.Init{} }
func (Dropout) before() graph.Init       { return graph.Init{} }
func (*Linear) before() graph.Init       { return initializers.LeCun() }
func (*MaskedLinear) before() graph.Init { return initializers.LeCun() }
