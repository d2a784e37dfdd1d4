package nn

import (
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"gorgonia.org/tensor"
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

// MaskedLinear is Linear without some of its connections: x·(weight ⊙ mask) + bias, for networks that are not fully connected. A weight
// that is masked starts at 0 and gets no gradient.
//
//	&nn.MaskedLinear{Out: 9, Connected: func(in, out int) bool { return in >= out-1 && in <= out+1 }} // a band
type MaskedLinear struct {
	Out       int
	Connected func(in, out int) bool // whether output out sees input in; either this
	Mask      *tensor.Dense          // or a matrix (in, Out) of numbers or booleans, connected where it is not 0
	NoBias    bool
	Weight    graph.Init // left out: Scope.WeightInit, larger by √(in/connections) for each output
	Bias      graph.Init // left out: zeros
}

// Build adds the parameters "weight" and "bias" and returns the affine map of x.
func (l *MaskedLinear) Build(s *Scope, x *graph.Node) *graph.Node {
	in, err := features(x, l.Out)
	var mask []float64
	if err == nil {
		mask, err = l.mask(int(in))
	}
	if err != nil {
		return s.invalid(l, x, err)
	}
	scale := mask
	init := l.Weight
	if init.Fill == nil {
		init, scale = s.WeightInit(), evened(mask, l.Out)
	}
	out := graph.Dim(l.Out)
	w := s.Param("weight", x.DType(), scaled(init, scale), in, out)
	constant := graph.NewArray(x.DType(), int(in), l.Out)
	for i, m := range mask {
		constant.SetAt(i, m)
	}
	return ops.Affine(x, ops.Mul(w, x.Graph().Constant(constant.Dense())), s.bias(x, l.NoBias, l.Bias, out))
}

// mask returns 1 for each connection and 0 for others, row by row.
func (l *MaskedLinear) mask(in int) ([]float64, error) {
	mask := make([]float64, in*l.Out)
	switch {
	case (l.Mask == nil) == (l.Connected == nil):
		return nil, graph.Errorf(graph.ErrValue, "takes Connected or Mask, either of them")
	case l.Connected != nil:
		for i := range mask {
			if l.Connected(i/l.Out, i%l.Out) {
				mask[i] = 1
			}
		}
		return mask, nil
	}
	a, err := graph.ArrayOf(l.Mask)
	if err != nil {
		return nil, err
	}
	if len(a.Shape) != 2 || a.Shape[0] != in || a.Shape[1] != l.Out {
		return nil, graph.Errorf(graph.ErrShape, "the Mask has the shape %v, not (in, Out) = (%d, %d)", graph.TypeOf(a.DType, dims(a.Shape)...).Shape, in, l.Out)
	}
	for i := range mask {
		if a.At(i) != 0 {
			mask[i] = 1
		}
	}
	return mask, nil
}

func dims(sizes []int) (list []graph.Dim) {
	for _, s := range sizes {
		list = append(list, graph.Dim(s))
	}
	return list
}

// evened is a mask times √(in/connections) of each output, so that outputs of few connections are as large as others.
func evened(mask []float64, out int) []float64 {
	connections := make([]float64, out)
	for i, m := range mask {
		connections[i%out] += m
	}
	even := make([]float64, len(mask))
	for i, m := range mask {
		if m != 0 {
			even[i] = math.Sqrt(float64(len(mask)/out) / connections[i%out])
		}
	}
	return even
}

// scaled is an initialiser whose numbers are multiplied by those given.
func scaled(init graph.Init, by []float64) graph.Init {
	fill := init.Fill
	init.Fill = func(r *rand.Rand, shape []int, dst []float64) {
		fill(r, shape, dst)
		for i, f := range by {
			dst[i] *= f
		}
	}
	init.Name += " masked"
	return init
}
