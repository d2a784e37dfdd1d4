package vm_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// served is a network whose weights are scaled by a function of the state, as batch normalisation's are.
type served struct {
	g       *graph.Graph
	x, y    *graph.Node
	program *vm.Program
	state   *vm.State
}

func newServed(t testing.TB, without ...string) *served {
	g := graph.New()
	s := &served{g: g, x: g.Input("x", graph.Float32, graph.Symbol("batch"), 32)}
	w := g.Param("w", graph.Float32, graph.Init{Name: "drawn", Fill: func(r *rand.Rand, _ []int, dst []float64) {
		for i := range dst {
			dst[i] = r.NormFloat64()
		}
	}}, 32, 40)
	scale := g.Param("scale", graph.Float32, graph.Full(0.5), 40)
	h := ops.Tanh(ops.MatMul(s.x, ops.Mul(w, ops.Exp(ops.Neg(scale)))))
	s.y = nn.Build(g, nn.Sequential{&nn.Linear{Out: 40}, nn.ReLU, &nn.Linear{Out: 3}}, h)
	s.program = compile(t, vm.Spec{Outputs: []*graph.Node{s.y}, Without: without})
	s.state = newState(t, g)
	return s
}

func (s *served) answer(t testing.TB, m *vm.Machine, rows int) []float32 {
	x := make([]float32, rows*32)
	for i := range x {
		x[i] = float32(i%13) / 8
	}
	feed(t, m, s.x, dense([]int{rows, 32}, x))
	run(t, m)
	v, err := m.Value(s.y)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), v.Data().([]float32)...)
}

func TestPrologue(t *testing.T) {
	s, plain := newServed(t), newServed(t, "prologue")
	want := []string{"elementwise(scale) neg+exp", "mul(w, s4)", "pack(s5)", "pack(0.weight)"}
	if got, want := s.program.SharedMemory(), 4*(roundUp(40)+roundUp(32*40)+32*48+40*48); got != want || plain.program.SharedMemory() != 0 {
		t.Errorf("%d bytes shared, want %d", got, want)
	}
	for i, op := range operations(s.program)[:len(want)] {
		if stripSlots(op) != stripSlots(want[i]) {
			t.Errorf("instruction %d is %q, want %q\n%v", i, op, want[i], s.program)
		}
	}
	m, other, reference := newMachine(t, s.program, s.state), newMachine(t, s.program, s.state), newMachine(t, plain.program, plain.state)
	for i, rows := range []int{3, 50, 1} {
		if diff := cmp.Diff(s.answer(t, m, rows), s.answer(t, other, rows)); diff != "" {
			t.Error(diff)
		}
		for k, v := range s.answer(t, m, rows) {
			if d := v - plain.answer(t, reference, rows)[k]; !(d < 1e-5 && d > -1e-5) {
				t.Errorf("after %d changes, element %d differs by %v from the program without a prologue", i, k, d)
			}
		}
		for _, one := range []*served{s, plain} { // a change of the state is seen by the next run
			if err := one.state.Set("scale", filledWith(float32(i)-0.5, 40)); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx := context.Background()
	if n := testing.AllocsPerRun(10, func() { _ = m.Run(ctx) }); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func roundUp(n int) int { return (n + 15) / 16 * 16 } // to a cache line of float32

func filledWith(v float32, n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// Many machines answer while the state changes: each answer is that of one version of the state. All hold one copy of the weights.
func TestMachinesShareThePrologue(t *testing.T) {
	s := newServed(t)
	answers := map[float32]bool{}
	const versions = 5
	m := newMachine(t, s.program, s.state)
	for v := range versions {
		if err := s.state.Set("scale", filledWith(float32(v), 40)); err != nil {
			t.Fatal(err)
		}
		answers[s.answer(t, m, 4)[0]] = true
	}
	if len(answers) != versions {
		t.Fatalf("%d answers of %d versions", len(answers), versions)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			m := newMachine(t, s.program, s.state)
			m.Workers = 1
			for range 50 {
				if got := s.answer(t, m, 4)[0]; !answers[got] {
					t.Errorf("%v is the answer of no version", got)
					return
				}
			}
		})
	}
	for i := range 100 {
		if err := s.state.Set("scale", filledWith(float32(i%versions), 40)); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
	if n := vm.Prologues(s.state); n != 1 {
		t.Errorf("%d prologues for one program", n)
	}
	runtime.KeepAlive(s.program)
}

// A program that is gone leaves nothing behind in the state.
func TestThePrologueGoesWithItsProgram(t *testing.T) {
	s := newServed(t)
	s.answer(t, newMachine(t, s.program, s.state), 2)
	state := s.state
	if n := vm.Prologues(state); n != 1 {
		t.Fatalf("%d prologues", n)
	}
	s = nil
	for range 50 {
		runtime.GC()
		if vm.Prologues(state) == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Error("the prologue is still there")
}
