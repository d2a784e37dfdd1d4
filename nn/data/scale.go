package data

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// MinMax maps features linearly so that the range of values it was fitted to becomes 0 to 1. Fit it to the training split and
// apply it to all splits, so that nothing of the others leaks into training; their values may then lie outside of 0 to 1.
//
// It is plain data: encoding/json saves it beside a model and brings it back, bit for bit.
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
	m := &MinMax{}
	return m, fit(x, joint, func(n int, at func(i int) float64) {
		low, high := math.Inf(1), math.Inf(-1)
		for i := range n {
			low, high = math.Min(low, at(i)), math.Max(high, at(i))
		}
		m.Low, m.High = append(m.Low, low), append(m.High, high)
	})
}

// Apply returns a scaled copy of x: (examples, features…), in x's element type: (v − Low)/(High − Low). A feature that had only
// one value becomes 0 where it has that value, and else its distance from it.
func (m *MinMax) Apply(x *tensor.Dense) (*tensor.Dense, error) {
	return m.affine().apply(x)
}

// Invert returns a copy of x in the units from before Apply: v·(High − Low) + Low.
func (m *MinMax) Invert(x *tensor.Dense) (*tensor.Dense, error) {
	return m.affine().invert(x)
}

// ApplyTo scales the examples of sets: each gets an X of its own, as Apply makes it. Where it fails, no set is changed.
func (m *MinMax) ApplyTo(sets ...*Set) error {
	return m.affine().applyTo(sets, func(s *Set) **tensor.Dense { return &s.X })
}

// ApplyToTargets scales the targets of a regression: each set gets a Y of its own. Fit m to the targets of the training split, and
// bring predictions back to their units by Invert.
func (m *MinMax) ApplyToTargets(sets ...*Set) error {
	return m.affine().applyTo(sets, func(s *Set) **tensor.Dense { return &s.Y })
}

func (m *MinMax) affine() affine {
	extent := make([]float64, min(len(m.High), len(m.Low)))
	for i := range extent {
		extent[i] = m.High[i] - m.Low[i]
	}
	return affine{m.Low, extent}
}

// Standard maps features linearly so that what it was fitted to has the mean 0 and the standard deviation 1. Fit it to the
// training split and apply it to all.
//
// It is plain data: encoding/json saves it beside a model and brings it back, bit for bit.
type Standard struct {
	Mean      []float64 // of each feature, or of length 1: one for all
	Deviation []float64 // the root of the mean squared distance from the mean
}

// FitStandard takes mean and deviation of each feature of x: (examples, features…), float, by itself. It fails if x is empty or
// has a NaN or an infinity.
func FitStandard(x *tensor.Dense) (*Standard, error) { return fitStandard(x, false) }

// FitStandardJoint takes mean and deviation over all features together, as is usual for pixels. It fails as FitStandard does.
func FitStandardJoint(x *tensor.Dense) (*Standard, error) { return fitStandard(x, true) }

func fitStandard(x *tensor.Dense, joint bool) (*Standard, error) {
	s := &Standard{}
	return s, fit(x, joint, func(n int, at func(i int) float64) {
		// Around the first value, so that a constant has exactly no deviation, and a large mean costs no digits.
		first, mean, squares := at(0), 0.0, 0.0
		for i := range n {
			mean += (at(i) - first) / float64(n)
		}
		mean += first
		for i := range n {
			d := at(i) - mean
			squares += d * d / float64(n)
		}
		s.Mean, s.Deviation = append(s.Mean, mean), append(s.Deviation, math.Sqrt(squares))
	})
}

// Apply returns a scaled copy of x: (examples, features…), in x's element type: (v − Mean)/Deviation. A feature that had only
// one value becomes 0 where it has that value, and else its distance from it.
func (s *Standard) Apply(x *tensor.Dense) (*tensor.Dense, error) {
	return affine{s.Mean, s.Deviation}.apply(x)
}

// Invert returns a copy of x in the units from before Apply: v·Deviation + Mean.
func (s *Standard) Invert(x *tensor.Dense) (*tensor.Dense, error) {
	return affine{s.Mean, s.Deviation}.invert(x)
}

// ApplyTo scales the examples of sets: each gets an X of its own, as Apply makes it. Where it fails, no set is changed.
func (s *Standard) ApplyTo(sets ...*Set) error {
	return affine{s.Mean, s.Deviation}.applyTo(sets, func(s *Set) **tensor.Dense { return &s.X })
}

// ApplyToTargets scales the targets of a regression: each set gets a Y of its own. Fit s to the targets of the training split, and
// bring predictions back to their units by Invert.
func (s *Standard) ApplyToTargets(sets ...*Set) error {
	return affine{s.Mean, s.Deviation}.applyTo(sets, func(s *Set) **tensor.Dense { return &s.Y })
}

// affine is what both scalings do: (v − origin)/extent, for each feature or for all alike.
type affine struct{ origin, extent []float64 }

func (f affine) apply(x *tensor.Dense) (*tensor.Dense, error) {
	return f.each(x, func(v, origin, extent float64) float64 { return (v - origin) / extent })
}

func (f affine) invert(x *tensor.Dense) (*tensor.Dense, error) {
	return f.each(x, func(v, origin, extent float64) float64 { return v*extent + origin })
}

// applyTo scales one of the tensors of each set.
func (f affine) applyTo(sets []*Set, of func(s *Set) **tensor.Dense) error {
	scaled := make([]*tensor.Dense, len(sets))
	for i, s := range sets {
		if s == nil {
			return graph.Errorf(graph.ErrValue, "set %d is nil", i)
		}
		var err error
		if scaled[i], err = f.apply(*of(s)); err != nil {
			return err
		}
	}
	for i, s := range sets {
		*of(s) = scaled[i]
	}
	return nil
}

func (f affine) each(x *tensor.Dense, g func(v, origin, extent float64) float64) (*tensor.Dense, error) {
	a, width, err := featuresOf(x)
	if err != nil {
		return nil, err
	}
	n := len(f.origin)
	if len(f.extent) != n || n == 0 || n != 1 && n != width {
		return nil, graph.Errorf(graph.ErrShape, "a scaling of %d features does not fit examples of %d", n, width)
	}
	scaled := graph.NewArray(a.DType, append([]int(nil), a.Shape...)...)
	for i := range a.Len() {
		extent := f.extent[i%n]
		if extent == 0 {
			extent = 1
		}
		scaled.SetAt(i, g(a.At(i), f.origin[i%n], extent))
	}
	return scaled.Dense(), nil
}

// fit calls f with the n values of each feature in turn, or once with all of them.
func fit(x *tensor.Dense, joint bool, f func(n int, at func(i int) float64)) error {
	a, width, err := featuresOf(x)
	if err != nil {
		return err
	}
	if a.Len() == 0 {
		return graph.Errorf(graph.ErrValue, "a tensor of shape %v has no values to fit a scaling to", tensor.Shape(a.Shape))
	}
	if err := finite(a, "feature"); err != nil {
		return err
	}
	if joint {
		width = 1
	}
	for feature := range width {
		f(a.Len()/width, func(i int) float64 { return a.At(i*width + feature) })
	}
	return nil
}

// featuresOf returns x as flat memory, and how many features an example has.
func featuresOf(x *tensor.Dense) (graph.Array, int, error) {
	a, err := graph.ArrayOf(x)
	if err != nil {
		return a, 0, err
	}
	if !a.DType.IsFloat() || len(a.Shape) < 1 {
		return a, 0, graph.Errorf(graph.ErrShape, "%v of shape %v; what is scaled is float32 or float64, (examples, features…) or, as targets are, (examples)", a.DType, tensor.Shape(a.Shape))
	}
	return a, a.Len() / max(a.Shape[0], 1), nil
}

// finite fails for the first value that is NaN or infinite.
func finite(a graph.Array, what string) error {
	width := a.Len() / max(a.Shape[0], 1)
	for i := range a.Len() {
		if v := a.At(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return graph.Errorf(graph.ErrValue, "%s %d of example %d is %v; leave the example out (Select), or fill it in", what, i%width, i/width, v)
		}
	}
	return nil
}
