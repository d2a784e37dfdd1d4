package vm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

func compile(t testing.TB, spec vm.Spec) *vm.Program {
	t.Helper()
	p, err := vm.Compile(spec)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return p
}

func newState(t testing.TB, g *graph.Graph) *vm.State {
	t.Helper()
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newMachine(t testing.TB, p *vm.Program, s *vm.State) *vm.Machine {
	t.Helper()
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func values(t testing.TB, m *vm.Machine, n *graph.Node) []float64 {
	t.Helper()
	d, err := m.Value(n)
	if err != nil {
		t.Fatal(err)
	}
	return floatsOf(t, d)
}

func floatsOf(t testing.TB, v any) (list []float64) {
	t.Helper()
	a, err := graph.ArrayOf(v)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Len() {
		list = append(list, a.At(i))
	}
	return list
}

func stateOf(t testing.TB, s *vm.State, name string) []float64 {
	t.Helper()
	d, err := s.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return floatsOf(t, d)
}

// A training step allocates nothing, at one batch size, at alternating ones, and with new tensors fed each time.
func TestStepsAllocateNothing(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		n := newNetwork(dtype, nn.ReLU, 64, 64, 32, 10)
		m, _ := n.machine(t, 1, optim.Adam{}.Updates(n.params, autodiff.Grad(n.loss, n.params...)))
		type fed struct{ x, y any }
		var feeds []fed
		for _, rows := range []int{32, 7, 1, 20} {
			x, y := sampleData(1, rows, 64, 10)
			labels := dense([]int{rows}, y)
			if dtype == graph.Float64 {
				feeds = append(feeds, fed{dense([]int{rows, 64}, x), labels})
				continue
			}
			narrow := make([]float32, len(x))
			feeds = append(feeds, fed{dense([]int{rows, 64}, narrow), labels})
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		step := 0
		once := func() {
			f := feeds[step%len(feeds)]
			step++
			if m.Feed(n.x, f.x) != nil || m.Feed(n.y, f.y) != nil || m.Run(ctx) != nil {
				t.Error("the step failed")
			}
			if _, err := m.Scalar(n.loss); err != nil {
				t.Error(err)
			}
		}
		once()
		if allocs := testing.AllocsPerRun(40, once); allocs != 0 {
			t.Errorf("%v: %v allocations a step", dtype, allocs)
		}
	}
}

// One compile serves every batch, and a row's result does not depend on how the arena was laid out before.
func TestOneProgramAnyBatch(t *testing.T) {
	n := newNetwork(graph.Float64, nn.Tanh, 5, 8, 3)
	p := compile(t, vm.Spec{Outputs: []*graph.Node{n.logits}})
	s := newState(t, n.g)
	m := newMachine(t, p, s)
	x, _ := sampleData(3, 64, 5, 3)
	for _, rows := range []int{1, 64, 3, 17, 64, 2} {
		if err := m.Feed(n.x, dense([]int{rows, 5}, x[:rows*5])); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		got := values(t, m, n.logits)
		fresh := newMachine(t, p, s)
		if err := fresh.Feed(n.x, dense([]int{rows, 5}, x[:rows*5])); err != nil {
			t.Fatal(err)
		}
		run(t, fresh)
		if diff := cmp.Diff(values(t, fresh, n.logits), got); diff != "" || len(got) != rows*3 {
			t.Errorf("batch %d after others differs from batch %d alone:\n%s", rows, rows, diff)
		}
	}
}

// A size that shrinks while a symbol grows has no plan for all smaller sizes; it gets one for each binding.
func TestSizesThatShrink(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x := g.Input("x", graph.Float64, n)
	rest := graph.Dim(10).Sub(n)
	y := ops.BroadcastTo(ops.Reshape(ops.Sum(x), 1), rest)
	z := ops.Add(ops.Exp(y), ops.Exp(y))
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{z}}), newState(t, g))
	for _, size := range []int{8, 2, 9, 1, 10} {
		if err := m.Feed(x, make([]float64, size)); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		got := values(t, m, z)
		if len(got) != 10-size {
			t.Errorf("n = %d: %d elements", size, len(got))
		}
		for _, v := range got {
			if v != 2 {
				t.Errorf("n = %d: %v", size, got)
			}
		}
	}
	if err := m.Feed(x, make([]float64, 11)); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(context.Background()); !errors.Is(err, graph.ErrShape) {
		t.Errorf("n = 11 makes a negative size, but the error is %v", err)
	}
}

func TestByModeAndAssign(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"))
	mean := g.Variable("running", graph.Float64, graph.Full(10))
	batchMean := ops.Mean(x)
	if err := g.Assign(mean, ops.Add(ops.Scale(mean, 0.5), ops.Scale(batchMean, 0.5))); err != nil {
		t.Fatal(err)
	}
	y := ops.Sub(x, ops.ByMode(batchMean, mean))
	s := newState(t, g)
	feeds := vm.Feeds{x: []float64{1, 3}}

	train := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}, Mode: vm.Train}), s)
	if err := train.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	run(t, train)
	if got := values(t, train, y); !cmp.Equal(got, []float64{-1, 1}) {
		t.Errorf("training uses the batch's mean: got %v", got)
	}
	if got := stateOf(t, s, "running")[0]; got != 6 {
		t.Errorf("the running mean is %v after one step, want 6", got)
	}
	infer := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), s)
	if err := infer.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	run(t, infer)
	if got := values(t, infer, y); !cmp.Equal(got, []float64{-5, -3}) {
		t.Errorf("inference uses the running mean: got %v", got)
	}
	if got := stateOf(t, s, "running")[0]; got != 6 {
		t.Errorf("inference changed the running mean to %v", got)
	}
	// A training program that has nothing to do with the variable leaves it alone.
	other := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{ops.Exp(x)}, Mode: vm.Train}), s)
	if err := other.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	run(t, other)
	if got := stateOf(t, s, "running")[0]; got != 6 {
		t.Errorf("a program without the variable changed it to %v", got)
	}
	// The gradient follows the mode too.
	grad := autodiff.Grad(ops.Sum(ops.Square(y)), x)[0]
	for mode, want := range map[vm.Mode][]float64{vm.Train: {-2, 2}, vm.Infer: {-10, -6}} {
		m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{grad}, Mode: mode}), newStateWith(t, g, "running", 6))
		if err := m.FeedAll(feeds); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		if got := values(t, m, grad); !cmp.Equal(got, want) {
			t.Errorf("gradient for %v: %v, want %v", mode, got, want)
		}
	}
}

func newStateWith(t testing.TB, g *graph.Graph, name string, v float64) *vm.State {
	s := newState(t, g)
	if err := s.Set(name, v); err != nil {
		t.Fatal(err)
	}
	return s
}

// All right-hand sides see the state from before the step, even where states become each other.
func TestUpdatesReadTheStateBeforeTheStep(t *testing.T) {
	g := graph.New()
	a, b := g.Variable("a", graph.Float64, graph.Full(1)), g.Variable("b", graph.Float64, graph.Full(2))
	c := g.Variable("c", graph.Float64, graph.Full(0))
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{a}, Updates: []graph.Update{
		{Target: a, Value: b}, {Target: b, Value: a}, {Target: c, Value: ops.Add(a, b)},
	}}), newState(t, g))
	s := newState(t, g)
	m = newMachine(t, m.Program(), s)
	for step, want := range [][3]float64{{2, 1, 3}, {1, 2, 3}, {2, 1, 3}} {
		before := stateOf(t, s, "a")[0]
		run(t, m)
		got := [3]float64{stateOf(t, s, "a")[0], stateOf(t, s, "b")[0], stateOf(t, s, "c")[0]}
		if got != want {
			t.Errorf("step %d: a, b, c = %v, want %v", step, got, want)
		}
		if out := scalar(t, m, a); out != before {
			t.Errorf("step %d: the output a is %v, but was %v when the step began", step, out, before)
		}
	}
	if s.Version() != 3 {
		t.Errorf("version %d after 3 steps", s.Version())
	}
}

// A step that fails or is cancelled commits nothing, and the machine works again afterwards.
func TestAllOrNothing(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	w := g.Param("w", graph.Float64, graph.Full(1))
	fragile := &graph.Def{
		Name:  "fragile",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(c *graph.Call) error {
			switch v := c.In[0].F64()[0]; {
			case v < 0:
				return graph.Errorf(graph.ErrValue, "%v is negative", v)
			case v > 100:
				panic("too large")
			}
			c.Out[0].CopyFrom(c.In[0])
			return nil
		},
	}
	checked := graph.Apply(fragile, nil, x)
	s := newState(t, g)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{checked}, Updates: []graph.Update{{Target: w, Value: ops.Add(w, x)}}}), s)
	step := func(ctx context.Context, v float64) error {
		if err := m.Feed(x, v); err != nil {
			t.Fatal(err)
		}
		return m.Run(ctx)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	why := errors.New("the user lost interest")
	abandoned, abandon := context.WithCancelCause(context.Background())
	abandon(why)
	want := 1.0
	for i, c := range []struct {
		ctx  context.Context
		v    float64
		kind error
	}{{context.Background(), 2, nil}, {context.Background(), -1, graph.ErrValue}, {context.Background(), 3, nil}, {cancelled, 1, context.Canceled},
		{abandoned, 1, context.Canceled}, {abandoned, 1, why},
		{context.Background(), 101, graph.ErrOperator}, {context.Background(), 4, nil}} {
		err := step(c.ctx, c.v)
		if !errors.Is(err, c.kind) {
			t.Errorf("case %d: error %v, want %v", i, err, c.kind)
		}
		if c.kind == nil {
			want += c.v
		} else if _, err := m.Value(checked); !errors.Is(err, graph.ErrValue) {
			t.Errorf("case %d: a value after a failed run: %v", i, err)
		}
		if got := stateOf(t, s, "w")[0]; got != want {
			t.Errorf("case %d: w is %v, want %v", i, got, want)
		}
	}
}

// Many machines train and predict over one state at the same time; no step is lost and readers never see half a step.
func TestManyMachinesOneState(t *testing.T) {
	g := graph.New()
	a, b := g.Variable("a", graph.Float64, graph.Zeros(), 1000), g.Variable("b", graph.Float64, graph.Zeros(), 1000)
	train := compile(t, vm.Spec{Updates: []graph.Update{{Target: a, Value: ops.AddScalar(a, 1)}, {Target: b, Value: ops.AddScalar(b, 1)}}})
	difference := ops.Max(ops.Square(ops.Sub(a, b)))
	read := compile(t, vm.Spec{Outputs: []*graph.Node{difference}})
	s := newState(t, g)
	var wg sync.WaitGroup
	for range 4 {
		writer, reader := newMachine(t, train, s), newMachine(t, read, s)
		wg.Go(func() {
			for range 50 {
				if err := writer.Run(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				if err := reader.Run(context.Background()); err != nil {
					t.Error(err)
				}
				if v, err := reader.Scalar(difference); err != nil || v != 0 {
					t.Errorf("a reader saw half a step: %v, %v", v, err)
				}
			}
		})
	}
	wg.Wait()
	if got := stateOf(t, s, "a")[0]; got != 200 {
		t.Errorf("200 steps came to %v", got)
	}
}

func TestState(t *testing.T) {
	g := graph.New()
	g.Param("w", graph.Float32, graph.Full(3), 2, 2)
	g.Variable("n", graph.Int64, graph.Zeros())
	s := newState(t, g)
	if err := s.Set("w", dense([]int{2, 2}, []float64{1, 2, 3, 4})); err != nil {
		t.Error(err) // element types are converted
	}
	for name, err := range map[string]error{
		"unknown name": s.Set("v", 1.0),
		"wrong shape":  s.Set("w", []float64{1, 2}),
		"no value":     s.Set("w", nil),
		"one bad":      s.SetAll(map[string]any{"n": 7, "w": 1.0}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := stateOf(t, s, "w"); !cmp.Equal(got, []float64{1, 2, 3, 4}) {
		t.Errorf("w = %v", got)
	}
	if got := stateOf(t, s, "n"); got[0] != 0 {
		t.Errorf("n = %v after a SetAll that failed", got)
	}
	if got := s.Names(); !cmp.Equal(got, []string{"w", "n"}) {
		t.Errorf("names %v", got)
	}
	if err := s.Set("w", dense([]int{2, 2}, []float64{9, 9, 9, 9})); err != nil {
		t.Error(err)
	}
	if err := s.Restore(map[string]*tensor.Dense{"w": dense([]int{2, 2}, []float64{1, 2, 3, 4})}); err != nil {
		t.Error(err)
	}
	snapshot := s.Snapshot()
	snapshot["w"].Float32s()[0] = 99
	if got := stateOf(t, s, "w")[0]; got != 1 {
		t.Error("a snapshot shares memory with the state")
	}
}

// The seed of each parameter comes from its name: another parameter changes nothing, and a late one is initialised on demand.
func TestInitialValuesDependOnSeedAndNameOnly(t *testing.T) {
	build := func(extra bool) *graph.Graph {
		g := graph.New()
		x := g.Input("x", graph.Float32, 1, 4)
		if extra {
			g.Param("another", graph.Float32, graph.Zeros(), 3)
		}
		nn.Build(g, nn.Sequential{&nn.Linear{Out: 5}}, x)
		return g
	}
	one, two := newState(t, build(false)), newState(t, build(true))
	if diff := cmp.Diff(stateOf(t, one, "0.weight"), stateOf(t, two, "0.weight")); diff != "" {
		t.Error(diff)
	}
	other, err := vm.NewState(build(false), 2)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(stateOf(t, one, "0.weight"), stateOf(t, other, "0.weight")) {
		t.Error("another seed gives the same weights")
	}
	g := build(false)
	s := newState(t, g)
	late := g.Param("late", graph.Float64, graph.Full(4))
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{ops.Neg(late)}}), s)
	run(t, m)
	if got := scalar(t, m, m.Program().Outputs()[0]); got != -4 {
		t.Errorf("a late parameter is %v", -got)
	}
}

func TestEvalLooksAtAnyNode(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"))
	w := g.Param("w", graph.Float64, graph.Full(2))
	y := ops.Mul(x, w)
	got, err := vm.Eval(newState(t, g), y, vm.Feeds{x: []float64{1, 2}})
	if err != nil || !cmp.Equal(floatsOf(t, got), []float64{2, 4}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := vm.Eval(nil, y, vm.Feeds{x: []float64{1}}); !errors.Is(err, graph.ErrValue) {
		t.Errorf("without a state: %v", err)
	}
	if got, err := vm.Eval(nil, ops.Exp(g.Constant(0.0))); err != nil || floatsOf(t, got)[0] != 1 {
		t.Errorf("a constant: %v, %v", got, err)
	}
}

// Views, slices and transposes of tensors are fed correctly, and what is fed in place is read anew at each run.
func TestFeedsAreReadInPlace(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("r"), graph.Symbol("c"))
	y := ops.Add(x, ops.Reshape(ops.Neg(x), x.Shape()...))
	z := ops.Scale(ops.Reshape(x, -1), 2)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y, z, x}}), newState(t, g))
	data := []float64{1, 2, 3, 4, 5, 6}
	fed := dense([]int{2, 3}, data)
	if err := m.Feed(x, fed); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	data[5] = 60
	run(t, m)
	if got := values(t, m, z); got[5] != 120 {
		t.Errorf("after the tensor changed: %v", got)
	}
	if got := values(t, m, x); got[5] != 60 {
		t.Errorf("an input as output: %v", got)
	}
	if err := fed.T(); err != nil {
		t.Fatal(err)
	}
	if err := m.Feed(x, fed); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	if got := values(t, m, z); !cmp.Equal(got, []float64{2, 8, 4, 10, 6, 120}) {
		t.Errorf("a transposed tensor: %v", got)
	}
	for _, v := range values(t, m, y) {
		if v != 0 {
			t.Errorf("x − x = %v", v)
		}
	}
	// An output can be copied out, and outlives the next run.
	to := dense([]int{6}, make([]float64, 6))
	if err := m.CopyTo(z, to); err != nil || to.Float64s()[1] != 8 {
		t.Errorf("%v %v", to, err)
	}
	if err := m.CopyTo(z, dense([]int{5}, make([]float64, 5))); !errors.Is(err, graph.ErrShape) {
		t.Errorf("a destination of another shape: %v", err)
	}
	if _, err := m.Value(ops.Exp(x)); !errors.Is(err, graph.ErrName) {
		t.Errorf("a node that is no output: %v", err)
	}
}

func TestTuplesOnTheTape(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 3)
	values3, indices := ops.MaxArg(x, -1)
	grad := autodiff.Grad(ops.Sum(ops.Square(values3)), x)[0]
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{values3, indices, grad}}), newState(t, g))
	if err := m.Feed(x, dense([]int{2, 3}, []float64{1, 5, 2, 7, 7, 0})); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	got := [][]float64{values(t, m, values3), values(t, m, indices), values(t, m, grad)}
	want := [][]float64{{5, 7}, {1, 0}, {0, 10, 0, 7, 7, 0}} // ties share the cotangent
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Numbers that go through the whole road at extreme logits stay finite, and the gradient is softmax − one-hot.
func TestCrossEntropyAtExtremeLogits(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 3)
	y := g.Input("y", graph.Int64, graph.Symbol("batch"))
	loss := ops.Neg(ops.Mean(ops.TakeAlongAxis(ops.Log(ops.Softmax(x, 1)), ops.Reshape(y, -1, 1), 1))) // the unstable way to write it
	grad := autodiff.Grad(loss, x)[0]
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{loss, grad}}), newState(t, g))
	if err := m.FeedAll(vm.Feeds{x: dense([]int{2, 3}, []float32{1e4, -1e4, 0, -1e4, 1e4, 0}), y: []int64{1, 1}}); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	if got := scalar(t, m, loss); got != 1e4 {
		t.Errorf("loss %v, want 10000", got)
	}
	if diff := cmp.Diff([]float64{0.5, -0.5, 0, 0, 0, 0}, values(t, m, grad)); diff != "" {
		t.Error(diff)
	}
}

func ExampleEval() {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("n"))
	y := ops.Sum(ops.Square(x))
	dx := autodiff.Grad(y, x)[0]
	value, err := vm.Eval(nil, dx, vm.Feeds{x: []float64{1, 2, 3}})
	fmt.Println(value, err)
	// Output: [2  4  6] <nil>
}

// An operator may split its work; every part runs once, whatever the limit of workers.
func TestOperatorsRunInParallel(t *testing.T) {
	counting := &graph.Def{
		Name:  "counting",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(c *graph.Call) error {
			x, y := c.In[0].F64(), c.Out[0].F64()
			clear(y)
			c.Parallel(len(x), func(part int) { y[part] += x[part] + 1 })
			return nil
		},
	}
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("n"))
	y := graph.Apply(counting, nil, x)
	for _, workers := range []int{0, 1, 2, 9} {
		m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), newState(t, g))
		m.Workers = workers
		if err := m.Feed(x, make([]float64, 1000)); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		for i, v := range values(t, m, y) {
			if v != 1 {
				t.Fatalf("with %d workers, part %d ran %v times", workers, i, v)
			}
		}
	}
}

// Large reductions are cut into parts, of rows or of the one row, and give the same bits with any number of workers, without allocation.
func TestReductionsRunInParallel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	g := graph.New()
	long, rows := g.Input("long", graph.Float32, graph.Symbol("n")), g.Input("rows", graph.Float32, graph.Symbol("m"), 2000)
	outputs := []*graph.Node{ops.Sum(long), ops.Mean(long), ops.Max(long), ops.Sum(rows, 1), ops.Max(rows, 1)}
	random := rand.New(rand.NewPCG(1, 48))
	for _, size := range []int{131_072, 131_073, 400_017} {
		x, y := graph.NewArray(graph.Float32, size), graph.NewArray(graph.Float32, size/2000, 2000)
		for i := range size {
			x.F32()[i] = float32(random.NormFloat64())
		}
		for i := range y.F32() {
			y.F32()[i] = float32(random.NormFloat64())
		}
		sum := kernel.Sum(x.F32())
		want := [][]float64{{float64(sum)}, {float64(sum / float32(size))}, {float64(kernel.MaxValue(x.F32()))}, nil, nil}
		for i := range size / 2000 {
			row := y.F32()[i*2000 : (i+1)*2000]
			want[3], want[4] = append(want[3], float64(kernel.Sum(row))), append(want[4], float64(kernel.MaxValue(row)))
		}
		for _, workers := range []int{0, 1, 2} {
			m := newMachine(t, compile(t, vm.Spec{Outputs: outputs}), newState(t, g))
			m.Workers = workers
			if err := m.FeedAll(vm.Feeds{long: x.Dense(), rows: y.Dense()}); err != nil {
				t.Fatal(err)
			}
			run(t, m)
			for i, n := range outputs {
				if diff := cmp.Diff(want[i], values(t, m, n)); diff != "" {
					t.Errorf("output %d of %d elements with %d workers: %s", i, size, workers, diff)
				}
			}
			if n := testing.AllocsPerRun(5, func() { run(t, m) }); n != 0 {
				t.Errorf("%v allocations in a run", n)
			}
		}
	}
}

// A program of many parts makes the machine work in more places at once than those before it did: these then use the new places too.
func TestWorkspacesFitAllPrograms(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	g := graph.New()
	small := g.Input("small", graph.Float64, 3)
	feeds := vm.Feeds{small: []float64{1, 2, 3}}
	product := ops.Tanh(small)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		x := g.Input(name, graph.Float64, 3)
		feeds[x] = []float64{1, 2, 3}
		product = ops.Mul(ops.Add(product, x), small)
	}
	large := g.Input("large", graph.Float64, 300, 1000)
	feeds[large] = graph.NewArray(graph.Float64, 300, 1000).Dense()
	p := compile(t, vm.Spec{Outputs: []*graph.Node{product, ops.Exp(ops.Tanh(large))}})
	m := newMachine(t, p, newState(t, g))
	if err := m.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() {
		if err := m.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations in a run", n)
	}
	runtime.GOMAXPROCS(16) // more than places were made for
	for range 3 {
		if err := m.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
