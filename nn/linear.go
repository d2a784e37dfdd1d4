package nn

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Linear is x·weight + bias for x: (…, in), weight: (in, Out) and bias: (Out): a batch of rows, of sequences of rows, or one row.
// in is taken from x. Parameters have x's element type. PyTorch's weight is the transpose.
type Linear struct {
	Out    int
	NoBias bool
	Weight graph.Init // left out: Scope.WeightInit
	Bias   graph.Init // left out: zeros
}

// Build adds the parameters "weight" and "bias" and returns the affine map of x.
func (l *Linear) Build(s *Scope, x *graph.Node) *graph.Node {
	in, err := features(x, l.Out)
	if err != nil {
		return s.invalid(l, x, err)
	}
	out := graph.Dim(l.Out)
	return ops.Affine(x, s.weights(x, l.Weight, in, out), s.bias(x, l.NoBias, l.Bias, out))
}

// features returns the size of the last dimension of x, the operand of an affine map to so many features.
func features(x *graph.Node, out int) (graph.Dim, error) {
	if err := wantFloats(x); err != nil {
		return 0, err
	}
	last := x.Shape().Rank() - 1
	switch {
	case out <= 0:
		return 0, graph.Errorf(graph.ErrValue, "Out = %d features; Out is 1 or more", out)
	case last < 0 || !x.Shape()[last].IsStatic():
		return 0, graph.Errorf(graph.ErrShape, "takes (…, in) with a fixed size of in, not %v", x.Shape())
	}
	return x.Shape()[last], nil
}
