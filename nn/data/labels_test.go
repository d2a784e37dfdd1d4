package data_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

func TestLabels(t *testing.T) {
	for _, c := range []struct{ names, want []string }{
		{[]string{"cow", "ape", "cow", "bee"}, []string{"ape", "bee", "cow"}},
		{[]string{"10", "9", "-1", "10"}, []string{"-1", "9", "10"}},
		{[]string{"10", "9", "x"}, []string{"10", "9", "x"}},
		{[]string{"only"}, []string{"only"}},
	} {
		l, err := data.FitLabels(c.names)
		if err != nil || !slices.Equal(l.Names, c.want) || l.Len() != len(c.want) {
			t.Errorf("%q: %+v, %v; want %q", c.names, l, err, c.want)
		}
	}
	if _, err := data.FitLabels(nil); err == nil {
		t.Error("labels of nothing: no error")
	}
	l := &data.Labels{Names: []string{"ape", "bee"}}
	if _, err := l.Encode([]string{"ape", "cow"}); err == nil || !strings.Contains(err.Error(), `row 1: "cow" is none of the 2 labels ("ape", "bee")`) {
		t.Errorf("an unknown name: %v", err)
	}
	for _, y := range []any{[]int64{0, 2}, []int64{-1, 0}, []float64{0, 1}} {
		if _, err := l.Decode(tensor.New(tensor.WithShape(2), tensor.WithBacking(y))); err == nil {
			t.Errorf("decoding %v: no error", y)
		}
	}
	if _, err := l.Decode(nil); err == nil {
		t.Error("decoding nil: no error")
	}
}

// What was encoded comes back, also by labels that were saved and loaded, and by one-hot rows.
func TestLabelsInvert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringN(0, 5, -1), 1, 30).Draw(t, "names")
		l, err := data.FitLabels(names)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var loaded data.Labels
		if err := json.Unmarshal(saved, &loaded); err != nil {
			t.Fatal(err)
		}
		y, err := loaded.Encode(names)
		if err != nil {
			t.Fatal(err)
		}
		dtype := rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool}).Draw(t, "dtype")
		hot, err := data.OneHot(y, l.Len(), dtype)
		if err != nil {
			t.Fatal(err)
		}
		a, err := graph.ArrayOf(hot)
		if err != nil || a.DType != dtype || !slices.Equal(a.Shape, []int{len(names), l.Len()}) {
			t.Fatalf("one-hot rows are %v%v, %v", a.DType, a.Shape, err)
		}
		ones := 0.0
		for i := range a.Len() {
			ones += a.At(i)
		}
		if ones != float64(len(names)) {
			t.Fatalf("%v ones in %d rows", ones, len(names))
		}
		back, err := data.FromOneHot(hot)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := l.Decode(back)
		if err != nil || !slices.Equal(decoded, names) {
			t.Fatalf("%q came back as %q, %v", names, decoded, err)
		}
	})
}

func TestOneHotErrors(t *testing.T) {
	vector := func(v any, shape ...int) *tensor.Dense {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
	}
	for name, do := range map[string]func() error{
		"a label past the classes": func() error { _, err := data.OneHot(vector([]int64{0, 3}, 2), 3, graph.Float32); return err },
		"a negative label":         func() error { _, err := data.OneHot(vector([]int64{0, -1}, 2), 3, graph.Float32); return err },
		"a matrix":                 func() error { _, err := data.OneHot(vector([]int64{0, 1}, 2, 1), 3, graph.Float32); return err },
		"fractions":                func() error { _, err := data.OneHot(vector([]float64{0, 1}, 2), 3, graph.Float32); return err },
		"no dtype":                 func() error { _, err := data.OneHot(vector([]int64{0, 1}, 2), 3, 0); return err },
		"nil":                      func() error { _, err := data.OneHot(nil, 3, graph.Float32); return err },
		"back from a vector":       func() error { _, err := data.FromOneHot(vector([]float64{0, 1}, 2)); return err },
		"back from NaN":            func() error { _, err := data.FromOneHot(vector([]float64{0, math.NaN()}, 1, 2)); return err },
		"back from nil":            func() error { _, err := data.FromOneHot(nil); return err },
	} {
		if do() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if y, err := data.FromOneHot(vector([]float32{0.2, 0.5, 0.3, 0.4, 0.4, 0.2}, 2, 3)); err != nil || !slices.Equal(y.Int64s(), []int64{1, 0}) {
		t.Errorf("the likeliest labels: %v, %v", y, err)
	}
}
