package ops_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
)

// atSizes compiles nodes once and runs them at each binding of their symbols: results agree with the reference, which computes the
// same graph node by node in float64.
func atSizes(t *testing.T, nodes, inputs []*graph.Node, bindings []graph.Binding) {
	t.Helper()
	for _, n := range nodes {
		if n.Err() != nil {
			t.Fatal(n.Err())
		}
	}
	program, err := vm.Compile(vm.Spec{Outputs: nodes})
	if err != nil {
		t.Fatal(err)
	}
	state, err := vm.NewState(nodes[0].Graph(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(program, state)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings {
		env := reference.Env{Feeds: map[*graph.Node]any{}}
		for k, n := range inputs {
			shape := make([]int, len(n.Shape()))
			for i, d := range n.Shape() {
				if shape[i], err = d.Eval(b); err != nil {
					t.Fatal(err)
				}
			}
			a := graph.NewArray(n.DType(), shape...)
			for i := range a.Len() {
				a.SetAt(i, math.Sin(float64(3*i+k+1)))
			}
			env.Feeds[n] = a
			if slices.Contains(program.Feeds(), n) {
				if err := m.Feed(n, a); err != nil {
					t.Fatal(err)
				}
			}
		}
		want, err := reference.Eval(env, nodes...)
		if err != nil {
			t.Fatalf("at %v: %v", b, err)
		}
		if err := m.Run(context.Background()); err != nil {
			t.Fatalf("at %v: %v", b, err)
		}
		if n := testing.AllocsPerRun(2, func() { _ = m.Run(context.Background()) }); n != 0 {
			t.Errorf("at %v: %v allocations a run", b, n)
		}
		for i, n := range nodes {
			d, err := m.Value(n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := graph.ArrayOf(d)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Shape, want[i].Shape) {
				t.Fatalf("%v at %v has shape %v, reference %v", n, b, got.Shape, want[i].Shape)
			}
			scale := 1.0
			for k := range want[i].Len() {
				if v := math.Abs(want[i].At(k)); !math.IsInf(v, 0) {
					scale = math.Max(scale, v)
				}
			}
			for k := range want[i].Len() {
				if e := math.Abs(got.At(k) - want[i].At(k)); !(e <= 1e-13*scale) && !alike(got.At(k), want[i].At(k)) {
					t.Errorf("%v at %v, element %d: %v, reference %v", n, b, k, got.At(k), want[i].At(k))
				}
			}
		}
	}
}
