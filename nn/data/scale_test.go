package data_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

type scaling interface {
	Apply(*tensor.Dense) (*tensor.Dense, error)
	Invert(*tensor.Dense) (*tensor.Dense, error)
	ApplyTo(...*data.Set) error
}

var fits = map[string]func(x *tensor.Dense) (scaling, error){
	"min-max":        func(x *tensor.Dense) (scaling, error) { return data.FitMinMax(x) },
	"min-max joint":  func(x *tensor.Dense) (scaling, error) { return data.FitMinMaxJoint(x) },
	"standard":       func(x *tensor.Dense) (scaling, error) { return data.FitStandard(x) },
	"standard joint": func(x *tensor.Dense) (scaling, error) { return data.FitStandardJoint(x) },
}

// What was scaled comes back, within rounding of the largest value, also by a scaling that was saved and loaded.
func TestScalingInverts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, width := rapid.IntRange(1, 8).Draw(t, "rows"), rapid.IntRange(1, 4).Draw(t, "features")
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), rows*width, rows*width).Draw(t, "values")
		x := tensor.New(tensor.WithShape(rows, width), tensor.WithBacking(values))
		for name, fit := range fits {
			s, err := fit(x)
			if err != nil {
				t.Fatal(err)
			}
			saved, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			loaded := reflect.New(reflect.TypeOf(s).Elem()).Interface()
			if err := json.Unmarshal(saved, loaded); err != nil || !reflect.DeepEqual(loaded, s) {
				t.Fatalf("%s: %s was loaded as %+v, %v", name, saved, loaded, err)
			}
			scaled, err := s.Apply(x)
			if err != nil {
				t.Fatal(err)
			}
			back, err := loaded.(scaling).Invert(scaled)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range back.Float64s() {
				if math.Abs(v-values[i]) > 1e-9 {
					t.Fatalf("%s: %v came back as %v", name, values[i], v)
				}
			}
			if strings.HasPrefix(name, "min-max") && (slices.Min(scaled.Float64s()) != 0 || slices.Max(scaled.Float64s()) > 1) {
				t.Fatalf("%s: %v", name, scaled)
			}
		}
	})
}

func TestStandard(t *testing.T) {
	// 2, 4, 4, 4, 5, 5, 7, 9 have mean 5 and deviation 2; the second feature is constant, and no binary fraction.
	values := []float64{2, 0.1, 4, 0.1, 4, 0.1, 4, 0.1, 5, 0.1, 5, 0.1, 7, 0.1, 9, 0.1}
	x := tensor.New(tensor.WithShape(8, 2), tensor.WithBacking(values))
	s, err := data.FitStandard(x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Mean, []float64{5, 0.1}) || !slices.Equal(s.Deviation, []float64{2, 0}) {
		t.Errorf("%+v", s)
	}
	scaled, err := s.Apply(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{9, 0.1, 1, 2.1})))
	if err != nil {
		t.Fatal(err)
	}
	if got := scaled.Float32s(); got[0] != 2 || math.Abs(float64(got[1])) > 1e-8 || got[2] != -2 || math.Abs(float64(got[3])-2) > 1e-6 {
		t.Errorf("scaled: %v", got)
	}
	joint, err := data.FitStandardJoint(tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float32{2, 4, 4, 4, 5, 5, 7, 9})))
	if err != nil || math.Abs(joint.Mean[0]-5) > 1e-15 || math.Abs(joint.Deviation[0]-2) > 1e-15 || len(joint.Mean) != 1 {
		t.Errorf("joint: %+v, %v", joint, err)
	}
	// A large mean costs no digits.
	far, err := data.FitStandard(tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float64{1e15, 1e15 + 2})))
	if err != nil || far.Mean[0] != 1e15+1 || far.Deviation[0] != 1 {
		t.Errorf("far from 0: %+v, %v", far, err)
	}
}

func TestScalingOneRowAndMore(t *testing.T) {
	for name, fit := range fits {
		one, err := fit(tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{3})))
		if err != nil {
			t.Errorf("%s: one row: %v", name, err)
			continue
		}
		if scaled, err := one.Apply(tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float64{3, 5}))); err != nil || !slices.Equal(scaled.Float64s(), []float64{0, 2}) {
			t.Errorf("%s: a constant feature scales to %v, %v", name, scaled, err)
		}
		for what, c := range map[string]struct {
			x    *tensor.Dense
			want string
		}{
			"a NaN":       {tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, math.NaN(), 3})), "feature 0 of example 1 is NaN"},
			"an infinity": {tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, 3, math.Inf(1)})), "feature 1 of example 1 is +Inf"},
			"labels":      {tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{1, 2})), "what is scaled is float32 or float64"},
			"nil":         {nil, "nil"},
		} {
			if _, err := fit(c.x); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v; want %q", name, what, err, c.want)
			}
		}
		a, b := numbered(3), &data.Set{X: tensor.New(tensor.WithShape(3), tensor.WithBacking(make([]int64, 3)))}
		before := a.X
		if err := one.ApplyTo(a, b); err == nil || a.X != before {
			t.Errorf("%s: a set that does not fit: %v, and the other was changed: %v", name, err, a.X != before)
		}
		if err := one.ApplyTo(nil); err == nil {
			t.Errorf("%s: a nil set: no error", name)
		}
	}
	for _, s := range []scaling{new(data.MinMax), new(data.Standard), &data.Standard{Mean: []float64{1}}} {
		if _, err := s.Apply(numbered(3).X); err == nil {
			t.Errorf("%+v was fitted to nothing: no error", s)
		}
	}
}

// The targets of a regression are scaled by what the training split has, and predictions, a column of them, brought back to their units.
func TestTargets(t *testing.T) {
	set := func(y ...float64) *data.Set {
		return &data.Set{X: tensor.New(tensor.WithShape(len(y), 1), tensor.WithBacking(make([]float64, len(y)))), Y: tensor.New(tensor.WithShape(len(y)), tensor.WithBacking(y))}
	}
	training, others := set(100, 300), set(200, 500)
	standard, err := data.FitStandard(training.Y)
	if err != nil {
		t.Fatal(err)
	}
	minmax, err := data.FitMinMax(training.Y)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		apply  func(...*data.Set) error
		invert func(*tensor.Dense) (*tensor.Dense, error)
		want   []float64
	}{
		"standard": {standard.ApplyToTargets, standard.Invert, []float64{0, 3}},
		"min-max":  {minmax.ApplyToTargets, minmax.Invert, []float64{0.5, 2}},
	} {
		s := &data.Set{X: others.X, Y: others.Y}
		if err := c.apply(s); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Y.Float64s(), c.want) || s.X != others.X {
			t.Errorf("%s: targets become %v, want %v", name, s.Y, c.want)
		}
		predictions := tensor.New(tensor.WithShape(2, 1), tensor.WithBacking(slices.Clone(s.Y.Float64s())))
		if back, err := c.invert(predictions); err != nil || !slices.Equal(back.Float64s(), []float64{200, 500}) {
			t.Errorf("%s: predictions come back as %v, %v", name, back, err)
		}
	}
}
