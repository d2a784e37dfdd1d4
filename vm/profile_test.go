package vm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func TestProfile(t *testing.T) {
	s := newServed(t)
	m := newMachine(t, s.program, s.state)
	p := m.StartProfile()
	for range 3 {
		s.answer(t, m, 8)
	}
	m.StopProfile()
	s.answer(t, m, 8)
	if p.Runs != 3 || len(p.Instructions) != s.program.Len() {
		t.Fatalf("%d runs, %d instructions\n%v", p.Runs, len(p.Instructions), p)
	}
	for _, i := range p.Instructions {
		calls := 3
		if strings.HasPrefix(i.Operation, "pack") || strings.Contains(i.Operation, "scale") || strings.HasPrefix(i.Operation, "mul(w") {
			calls = 1 // the prologue: the state never changed
		}
		if i.Calls != calls || i.Shortest > i.Time || i.Time > p.Elapsed || i.Bytes <= 0 || !strings.Contains(i.Line, "prologue_test.go") {
			t.Errorf("%+v", i)
		}
		if isProduct := strings.HasPrefix(i.Operation, "affine"); isProduct != (i.Flops > 0) {
			t.Errorf("%s: %v operations", i.Operation, i.Flops)
		}
	}
	if got := p.Instructions[4].Flops; got != 2*8*32*40 {
		t.Errorf("(8, 32)·(32, 40) counts %v operations\n%v", got, p)
	}
	var trace struct {
		TraceEvents []struct {
			Name, Ph string
			Ts, Dur  float64
		}
	}
	var b bytes.Buffer
	if err := p.WriteTrace(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &trace); err != nil || len(trace.TraceEvents) != s.program.Len() {
		t.Errorf("%v: %d events in\n%s", err, len(trace.TraceEvents), b.String())
	}
	for _, e := range trace.TraceEvents {
		if e.Ph != "X" || e.Ts < 0 || e.Dur < 0 || e.Name == "" {
			t.Errorf("%+v", e)
		}
	}
}

// The first node that makes a NaN or an infinity of finite operands is named, with its line, though it is inside a fused
// instruction or overwritten when the run ends; nothing is committed, and the machine can be used again.
func TestCheckFinite(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(w, x *graph.Node) *graph.Node
		want []string // "" passes
	}{
		{"a logarithm of 0 in a chain", func(w, x *graph.Node) *graph.Node { return ops.Sum(ops.Square(ops.Log(ops.Mul(w, x)))) }, []string{"log(mul(w, x)): is -Inf at element 1 of [3]", "profile_test.go"}},
		{"float32 overflows where float64 would not", func(w, x *graph.Node) *graph.Node { return ops.Sum(ops.Exp(ops.Scale(ops.Add(w, x), 50))) }, []string{"exp(", "+Inf at element 0", "(100)"}},
		{"what is masked later", func(w, x *graph.Node) *graph.Node {
			zero := ops.ZerosLike(x)
			return ops.Sum(ops.Select(ops.Greater(x, zero), ops.Log(ops.Mul(w, x)), zero))
		}, []string{"log(mul(w, x))", "ops.AllowNonFinite"}},
		{"a mask that is meant", func(w, x *graph.Node) *graph.Node {
			zero := ops.ZerosLike(x)
			return ops.Sum(ops.Mul(w, ops.Softmax(ops.AllowNonFinite(ops.Select(ops.Greater(x, zero), x, ops.AddScalar(zero, math.Inf(-1)))), 0)))
		}, nil},
		{"all is well", func(w, x *graph.Node) *graph.Node { return ops.Sum(ops.Square(ops.Sub(w, x))) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			w, x := g.Param("w", graph.Float32, graph.Full(1), 3), g.Input("x", graph.Float32, 3)
			loss := c.f(w, x)
			m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.SGD{LR: 0.5}.Updates([]*graph.Node{w}, autodiff.Grad(loss, w)), Mode: vm.Train}), newState(t, g))
			m.CheckFinite = true
			feed(t, m, x, []float32{1, 0, 4})
			err := m.Run(t.Context())
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !errors.Is(err, graph.ErrValue) {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
			}
		})
	}
}

// What would be committed is looked at before it is.
// What was not finite before anything was computed is named too, and nothing is committed; and why an assertion failed.
func TestCheckFiniteLooksAtFeedsAndStates(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		weight, fed float64
		assert      bool
		want        string
	}{
		"a feed":          {1, nan, false, "x: was fed NaN at element 1 of [3]"},
		"a state":         {nan, 1, false, "the state w is NaN at element 0 of [3] already"},
		"under assertion": {1, nan, true, "x: was fed NaN at element 1 of [3]"},
		"made under one":  {1, -1, true, "log(mul(w, x)): is NaN at element 1"},
	} {
		g := graph.New()
		w, x := g.Param("w", graph.Float64, graph.Full(1), 3), g.Input("x", graph.Float64, 3)
		loss := ops.Sum(ops.Log(ops.Mul(w, x)))
		if c.assert {
			loss = ops.Assert(ops.IsFinite(loss), loss, "not finite")
		}
		s := newState(t, g)
		if err := s.Set("w", []float64{c.weight, 1, 1}); err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.SGD{LR: 0.5}.Updates([]*graph.Node{w}, autodiff.Grad(loss, w)), Mode: vm.Train}), s)
		m.CheckFinite = true
		feed(t, m, x, []float64{1, c.fed, 4})
		before := s.Version()
		if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if s.Version() != before {
			t.Errorf("%s: the step was committed", name)
		}
	}
}

func TestCheckFiniteBeforeTheCommit(t *testing.T) {
	g := graph.New()
	w := g.Param("w", graph.Float64, graph.Full(2), 3)
	x := g.Input("x", graph.Float64)
	s := newState(t, g)
	p := compile(t, vm.Spec{Updates: []graph.Update{{Target: w, Value: ops.Div(ops.Sub(w, x), ops.Sub(x, g.Full(graph.Float64, 1)))}}, Mode: vm.Train})
	if !strings.Contains(p.String(), "w   = elementwise") {
		t.Fatalf("the update is not in place\n%v", p)
	}
	m := newMachine(t, p, s)
	m.CheckFinite = true
	feed(t, m, x, 1.0)
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "div(") {
		t.Errorf("%v", err)
	}
	w0, _ := s.Get("w")
	if w0.Data().([]float64)[0] != 2 {
		t.Errorf("committed: %v", w0)
	}
	feed(t, m, x, 3.0)
	run(t, m)
	if w0, _ = s.Get("w"); w0.Data().([]float64)[0] != -0.5 {
		t.Errorf("after the next run: %v", w0)
	}
}

// Neither costs allocations when it is off, and measuring costs none when it is on.
func TestProfilingAllocatesNothing(t *testing.T) {
	n := newNetwork(graph.Float32, nn.ReLU, 8, 6, 4)
	m, _ := n.machine(t, 1, optim.SGD{}.Updates(n.params, autodiff.Grad(n.loss, n.params...)))
	feedData(t, m, n, graph.Float32, 8, 8, 4)
	m.StartProfile()
	run(t, m)
	if allocs := testing.AllocsPerRun(10, func() { _ = m.Run(t.Context()) }); allocs != 0 {
		t.Errorf("%v allocations a measured run", allocs)
	}
}

// A watched node is there after a run, whatever would have been fused.
func TestWatch(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	inner := ops.Scale(x, 2)
	y, aside := ops.Exp(ops.Neg(inner)), ops.Square(x)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}, Watch: []*graph.Node{inner, aside}}), newState(t, g))
	feed(t, m, x, []float64{1, 2, 3})
	run(t, m)
	for n, want := range map[*graph.Node]float64{inner: 6, aside: 9, y: math.Exp(-6)} {
		if got := values(t, m, n)[2]; got != want {
			t.Errorf("%v is %v, want %v", n, got, want)
		}
	}
}
