package reference_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm/reference"
)

// A value computed by hand: tanh(x·w + b) for x = [1 2; 3 4], w = [1; −1], b = 0.5, and its mean.
func TestByHand(t *testing.T) {
	g := graph.New()
	n := graph.Symbol("n")
	x := g.Input("x", graph.Float32, n, 2)
	w, b := g.Param("w", graph.Float32, graph.Zeros(), 2, 1), g.Variable("b", graph.Float32, graph.Zeros(), 1)
	h := ops.Tanh(ops.Affine(x, w, b))
	largest, index := ops.MaxArg(x, 1)
	env := reference.Env{
		Feeds: map[*graph.Node]any{x: matrix([]float32{1, 2, 3, 4}, 2, 2)},
		State: map[string]any{"w": matrix([]float64{1, -1}, 2, 1), "b": []float32{0.5}},
	}
	got, err := reference.Eval(env, h, ops.Mean(h), ops.DimSize(g, n, graph.Float32), largest, index, ops.ByMode(h, ops.Neg(h)))
	if err != nil {
		t.Fatal(err)
	}
	y := math.Tanh(-0.5) // in float64, although the graph is float32
	for i, want := range [][]float64{{y, y}, {y}, {2}, {2, 4}, {1, 1}, {-y, -y}} {
		var list []float64
		for k := range got[i].Len() {
			list = append(list, got[i].At(k))
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("value %d: %s", i, diff)
		}
	}
	env.Train = true
	if got, err = reference.Eval(env, ops.ByMode(h, ops.Neg(h))); err != nil || got[0].At(0) != y {
		t.Errorf("in training: %v, %v", got, err)
	}
}

func matrix(v any, shape ...int) graph.Array {
	a, err := graph.ArrayOf(v)
	if err != nil {
		panic(err)
	}
	return a.As(shape)
}

// What the other mode alone needs is not computed, so its feeds may be missing.
func TestModes(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Float64), g.Input("y", graph.Float64)
	both := ops.ByMode(ops.Neg(x), ops.Exp(y))
	for train, fed := range map[bool]*graph.Node{true: x, false: y} {
		if _, err := reference.Eval(reference.Env{Train: train, Feeds: map[*graph.Node]any{fed: 1.0}}, both); err != nil {
			t.Errorf("train %v: %v", train, err)
		}
	}
}

func TestErrors(t *testing.T) {
	g := graph.New()
	n := graph.Symbol("n")
	x, z, i := g.Input("x", graph.Float64, n, 3), g.Input("z", graph.Float64, n), g.Input("i", graph.Int64, n)
	w := g.Param("w", graph.Float64, graph.Zeros(), 3)
	broken := &graph.Def{Name: "broken", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(*graph.Call) error { panic("oh dear") }}
	rows := func(shape ...int) graph.Array { return graph.NewArray(graph.Float64, shape...) }
	for _, c := range []struct {
		name string
		node *graph.Node
		feed map[*graph.Node]any
		w    any
		kind error
		want string
	}{
		{"missing feed", ops.Exp(x), nil, nil, graph.ErrValue, "no value"},
		{"missing state", ops.Exp(w), nil, nil, graph.ErrValue, "no value"},
		{"rank", ops.Exp(x), map[*graph.Node]any{x: []float64{1}}, nil, graph.ErrShape, "for float64(n, 3)"},
		{"a fixed size", ops.Exp(x), map[*graph.Node]any{x: rows(2, 4)}, nil, graph.ErrShape, "for float64(n, 3)"},
		{"element type", ops.Cast(i, graph.Float64), map[*graph.Node]any{i: []bool{true}}, nil, graph.ErrShape, "for int64(n)"},
		{"shape of state", ops.Exp(w), nil, []float64{1, 2}, graph.ErrShape, "for float64(3)"},
		{"feeds disagree", ops.Add(ops.Sum(x, 1), z), map[*graph.Node]any{x: rows(2, 3), z: rows(4)}, nil, graph.ErrFeed, "disagree on n"},
		{"an operator's error", ops.Mean(z), map[*graph.Node]any{z: rows(0)}, nil, graph.ErrValue, "mean of no elements"},
		{"an operator's panic", graph.Apply(broken, nil, z), map[*graph.Node]any{z: rows(1)}, nil, graph.ErrOperator, "oh dear"},
		{"an invalid node", ops.Sum(x, 7), nil, nil, graph.ErrShape, "axis 7"},
	} {
		env := reference.Env{Feeds: c.feed, State: map[string]any{}}
		if c.w != nil {
			env.State["w"] = c.w
		}
		if _, err := reference.Eval(env, c.node); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "reference_test.go") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := reference.Eval(reference.Env{}, g.Constant(1.0), graph.New().Constant(2.0)); !errors.Is(err, graph.ErrGraph) {
		t.Errorf("two graphs: %v", err)
	}
	if got, err := reference.Eval(reference.Env{}); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}
