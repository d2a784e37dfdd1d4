package optim_test

import (
	"context"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// L-BFGS finds the minimum of Rosenbrock's function, at 1 in every element, from its usual start.
func TestLBFGSOnRosenbrock(t *testing.T) {
	g := graph.New()
	x := g.Param("x", graph.Float64, graph.Full(-1.2), 10)
	head, tail := ops.Slice(x, 0, 0, 9), ops.Slice(x, 0, 1, 10)
	loss := ops.Sum(ops.Add(ops.Scale(ops.Square(ops.Sub(tail, ops.Square(head))), 100), ops.Square(ops.Sub(g.Full(graph.Float64, 1), head))))
	grads := autodiff.Grad(loss, x)
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss, grads[0]}})
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
	got, err := optim.LBFGS{Steps: 500}.Minimize(context.Background(), m, s, loss, []*graph.Node{x}, grads)
	if err != nil || got.Why != "gradient" && got.Why != "change" || got.Loss > 1e-12 || got.Evaluations > 300 {
		t.Errorf("%+v, %v", got, err)
	}
	v, _ := s.Get("x")
	for i, e := range v.Data().([]float64) {
		if math.Abs(e-1) > 1e-5 {
			t.Errorf("element %d is %v", i, e)
		}
	}
}

// Averages start with the parameters of the first step and follow them; a swap can be taken back.
func TestAverage(t *testing.T) {
	average := optim.Average{Decay: 0.5}
	d := newDescent(t, graph.Float64, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update {
		return average.Updates(optim.SGD{LR: 0.05}.Updates(params, grads))
	})
	var want []float64
	for step := range 5 {
		d.step(t)
		for i, v := range d.values(t) {
			if step == 0 {
				want = append(want, v)
			} else {
				want[i] = 0.5*want[i] + 0.5*v
			}
		}
	}
	trained := d.values(t)
	before, err := average.Swap(d.state, d.params)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range d.values(t) {
		if math.Abs(v-want[i]) > 1e-14 {
			t.Errorf("average %d is %v, want %v", i, v, want[i])
		}
	}
	if err := d.state.Restore(before); err != nil {
		t.Fatal(err)
	}
	for i, v := range d.values(t) {
		if v != trained[i] {
			t.Errorf("element %d is %v after the swap was taken back, was %v", i, v, trained[i])
		}
	}
}

// Two batches accumulated move the parameters as both together do.
func TestAccumulate(t *testing.T) {
	train := func(accumulate bool) float64 {
		g := graph.New()
		w := g.Param("w", graph.Float64, graph.Full(2))
		x := g.Input("x", graph.Float64, graph.Symbol("batch"))
		loss := ops.Mean(ops.Square(ops.Sub(ops.Mul(x, w), x)))
		grads := autodiff.Grad(loss, w)
		s, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		run := func(updates []graph.Update, feed []float64) {
			p, err := vm.Compile(vm.Spec{Updates: updates, Mode: vm.Train})
			if err != nil {
				t.Fatal(err)
			}
			m, err := vm.NewMachine(p, s)
			if err != nil {
				t.Fatal(err)
			}
			if feed != nil {
				if err := m.Feed(x, feed); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if accumulate {
			a := optim.Accumulate([]*graph.Node{w}, grads, "sum")
			for _, batch := range [][]float64{{1, 2}, {3, 4}} {
				run(a.Add, batch)
			}
			run(a.Step(optim.SGD{LR: 0.1}), nil)
			if sum, _ := s.Get("sum.w"); sum.Data().(float64) != 0 {
				t.Errorf("the sum is %v after the step", sum)
			}
		} else {
			run(optim.SGD{LR: 0.1}.Updates([]*graph.Node{w}, grads), []float64{1, 2, 3, 4})
		}
		v, _ := s.Get("w")
		return v.Data().(float64)
	}
	if a, b := train(true), train(false); math.Abs(a-b) > 1e-14 {
		t.Errorf("accumulated %v, at once %v", a, b)
	}
}

// A group changes rate and decay of what it matches, or freezes it.
func TestGroups(t *testing.T) {
	moved := func(groups ...optim.Group) (p, q float64) {
		d := newDescent(t, graph.Float64, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update {
			return optim.SGD{LR: 0.01, WeightDecay: 0.5, Groups: groups}.Updates(params, grads)
		})
		before := d.values(t)
		d.step(t)
		after := d.values(t)
		return after[0] - before[0], after[3] - before[3]
	}
	p, q := moved()
	for name, c := range map[string]struct {
		group optim.Group
		want  float64 // of q
	}{
		"half the rate": {optim.Group{Match: "q", LRFactor: 0.5}, q / 2},
		"no decay":      {optim.Group{Match: "q", WeightDecay: optim.Zero}, q - 0.01*0.5*1.5},
		"frozen":        {optim.Group{Match: "q*", Frozen: true}, 0},
	} {
		gotP, gotQ := moved(c.group)
		if gotP != p || math.Abs(gotQ-c.want) > 1e-15 {
			t.Errorf("%s: p moved by %v, want %v; q by %v, want %v", name, gotP, p, gotQ, c.want)
		}
	}
}
