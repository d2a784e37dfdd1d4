package data

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// MinMax maps features linearly so that the range of values it was fitted to becomes 0 to 1. Fit it to the training split and
// apply it to all splits, so that nothing of the others leaks into training; their values may then lie outside of 0 to 1.
type MinMax struct {
	Low, High []float64 // the range of each feature, or of length 1: one range for all
}

// FitMinMax takes the range of each feature of x: (examples, features…), float, by itself: right where features have units of
// their own. It fails if x is empty or has a NaN or an infinity.
func FitMinMax(x *tensor.Dense) (*MinMax, error) { return fitMinMax(x, false) }

// FitMinMaxJoint takes one range over all features together: right for pixels, where a feature that varies little in the
// training split should stay small. It fails as FitMinMax does.
func FitMinMaxJoint(x *tensor.Dense) (*MinMax, error) { return fitMinMax(x, true) }

func fitMinMax(x *tensor.Dense, joint bool) (*MinMax, error) {
	a, width, err := featuresOf(x)
	if err != nil {
		return nil, err
	}
	if a.Len() == 0 {
		return nil, graph.Errorf(graph.ErrValue, "a tensor of shape %v has no range", tensor.Shape(a.Shape))
	}
	ranges := width
	if joint {
		ranges = 1
	}
	m := &MinMax{Low: make([]float64, ranges), High: make([]float64, ranges)}
	for i := range ranges {
		m.Low[i], m.High[i] = math.Inf(1), math.Inf(-1)
	}
	for i := range a.Len() {
		v, at := a.At(i), i%ranges
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, graph.Errorf(graph.ErrValue, "feature %d of example %d is %v; a range is made of finite values", i%width, i/width, v)
		}
		m.Low[at], m.High[at] = math.Min(m.Low[at], v), math.Max(m.High[at], v)
	}
	return m, nil
}

// Apply returns a scaled copy of x: (examples, features…), in x's element type: (v − Low)/(High − Low). A feature that had only
// one value becomes 0 where it has that value, and else its distance from it.
func (m *MinMax) Apply(x *tensor.Dense) (*tensor.Dense, error) {
	return m.each(x, func(v, low, width float64) float64 { return (v - low) / width })
}

// Invert returns a copy of x in the units from before Apply: v·(High − Low) + Low.
func (m *MinMax) Invert(x *tensor.Dense) (*tensor.Dense, error) {
	return m.each(x, func(v, low, width float64) float64 { return v*width + low })
}

func (m *MinMax) each(x *tensor.Dense, f func(v, low, width float64) float64) (*tensor.Dense, error) {
	a, width, err := featuresOf(x)
	if err != nil {
		return nil, err
	}
	ranges := len(m.Low)
	if len(m.High) != ranges || ranges == 0 || ranges != 1 && ranges != width {
		return nil, graph.Errorf(graph.ErrShape, "a scaling of %d features does not fit examples of %d", ranges, width)
	}
	scaled := graph.NewArray(a.DType, append([]int(nil), a.Shape...)...)
	for i := range a.Len() {
		at := i % ranges
		extent := m.High[at] - m.Low[at]
		if extent == 0 {
			extent = 1
		}
		scaled.SetAt(i, f(a.At(i), m.Low[at], extent))
	}
	return scaled.Dense(), nil
}

// featuresOf returns x as flat memory, and how many features an example has.
func featuresOf(x *tensor.Dense) (graph.Array, int, error) {
	a, err := graph.ArrayOf(x)
	if err != nil {
		return a, 0, err
	}
	if !a.DType.IsFloat() || len(a.Shape) < 2 {
		return a, 0, graph.Errorf(graph.ErrShape, "%v of shape %v; examples are float32 or float64 (examples, features…)", a.DType, tensor.Shape(a.Shape))
	}
	return a, a.Len() / max(a.Shape[0], 1), nil
}
