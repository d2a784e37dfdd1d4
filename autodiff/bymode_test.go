package autodiff_test

import (
	"context"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// What only the other mode needs is neither computed nor spoils a gradient: here ln x, whose derivative at 0 is infinite.
func TestGradientsOfTheOtherModeStayAway(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	y := ops.ByMode(ops.Square(x), ops.Log(x))
	first := autodiff.Grad(y, x)[0]
	second := autodiff.Grad(first, x)[0]
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{first, second}, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Feed(x, 0.0); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 2} {
		if got, err := m.Scalar(p.Outputs()[i]); err != nil || got != want {
			t.Errorf("derivative %d at 0: %v, %v; want %v\n%v", i+1, got, err, want, p)
		}
	}
}
