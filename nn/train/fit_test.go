package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

var background = context.Background()

// digits are 300 images to train with and 100 to validate with, scaled to 0…1.
func digits(t testing.TB) (training, validation *data.Set) {
	t.Helper()
	all, err := data.Digits(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	scale, err := data.FitMinMaxJoint(all.X)
	if err != nil {
		t.Fatal(err)
	}
	if all.X, err = scale.Apply(all.X); err != nil {
		t.Fatal(err)
	}
	parts, err := all.Split(1, 300.0/1797, 100.0/1797)
	if err != nil {
		t.Fatal(err)
	}
	return parts[0], parts[1]
}

// classifier is a network with dropout, so that a step depends on a random key too.
func classifier(options ...func(*train.Task)) train.Task {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("pixels", graph.Float32, batch, 64)
	y := g.Input("digit", graph.Int64, batch)
	h := nn.Build(g, nn.Sequential{&nn.Linear{Out: 32}, nn.ReLU}, x)
	h = ops.Dropout(h, 0.2, ops.StepKey(g, "key"))
	logits := nn.Root(g, "head").Apply("0", &nn.Linear{Out: 10}, h)
	task := train.Task{X: x, Y: y, Output: logits, Loss: losses.CrossEntropy(logits, y), Optimizer: optim.Adam{LR: 0.01},
		Metrics: []train.Metric{train.Accuracy()}}
	for _, o := range options {
		o(&task)
	}
	return task
}

func newTrainer(t testing.TB, task train.Task) *train.Trainer {
	t.Helper()
	trainer, err := train.New(task, 7)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

func batchesOf(t testing.TB, s *data.Set, size int) *data.Batches {
	t.Helper()
	b, err := data.NewBatches(s, size, 3)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bits are the values of a state, to compare.
func bits(t testing.TB, values map[string]*tensor.Dense) string {
	t.Helper()
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		a, err := graph.ArrayOf(values[name])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %v %x\n", name, a.Shape, a.Bytes())
	}
	return b.String()
}

// Fit is the loop that one would write.
func TestFitIsThePlainLoop(t *testing.T) {
	training, _ := digits(t)
	const epochs, size = 3, 64 // 300 = 4·64 + 44

	task := classifier()
	g := task.Loss.Graph()
	grads := autodiff.Grad(task.Loss, g.Params()...)
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{task.Loss}, Updates: task.Optimizer.Updates(g.Params(), grads), Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	state, err := vm.NewState(g, 7)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, state)
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	batches := batchesOf(t, training, size)
	for epoch := 1; epoch <= epochs; epoch++ {
		mean := 0.0
		for batches.Start(epoch); batches.Next(); {
			b := batches.Batch()
			if err := errors.Join(m.Feed(task.X, b.X), m.Feed(task.Y, b.Y), m.Run(background)); err != nil {
				t.Fatal(err)
			}
			loss, err := m.Scalar(task.Loss)
			if err != nil {
				t.Fatal(err)
			}
			mean += loss * float64(b.Len())
		}
		want = append(want, mean/300)
	}

	trainer := newTrainer(t, classifier())
	steps := 0
	result, err := trainer.Fit(background, batchesOf(t, training, size), train.Options{Epochs: epochs, OnStep: func(s train.Step) {
		steps++
		if s.Step != steps || s.Epoch != (steps-1)/5+1 || s.Batch != (steps-1)%5+1 || s.Rate != 0.01 {
			t.Errorf("step %d: %+v", steps, s)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.History.Curve("loss", false); !slices.Equal(got, want) {
		t.Errorf("losses %v, want %v", got, want)
	}
	if result.Steps != 15 || steps != 15 || result.Why != "epochs" || result.Best != 3 {
		t.Errorf("%+v after %d steps", result, steps)
	}
	if bits(t, trainer.State.Snapshot()) != bits(t, state.Snapshot()) {
		t.Error("the states differ")
	}
}

func TestFitLearns(t *testing.T) {
	training, validation := digits(t)
	trainer := newTrainer(t, classifier())
	var out bytes.Buffer
	result, err := trainer.Fit(background, batchesOf(t, training, 32), train.Options{Epochs: 20, Validation: validation, Progress: &out})
	if err != nil {
		t.Fatal(err)
	}
	last := result.History.Epochs[19]
	if last.Validation["accuracy"] < 0.88 || last.Train["loss"] > 0.3 {
		t.Errorf("%+v", last)
	}
	before := bits(t, trainer.State.Snapshot())
	again, err := trainer.EvalOnly(background, validation)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(last.Validation) {
		t.Errorf("EvalOnly %v, %v; the last epoch had %v", again, err, last.Validation)
	}
	if bits(t, trainer.State.Snapshot()) != before {
		t.Error("EvalOnly changed the state")
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 11 || strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("%d lines of progress:\n%s", len(lines), &out)
	}
	for _, word := range []string{"epoch 20/20", "loss 0.", "validation 0.", "accuracy 0.", "examples/s", "ETA 0s"} {
		if !strings.Contains(lines[len(lines)-1], word) {
			t.Errorf("no %q in %q", word, lines[len(lines)-1])
		}
	}
}

// With so large a rate and so small a set the validation soon gets worse; the best epoch comes back, moments and keys included.
func TestEarlyStopping(t *testing.T) {
	training, validation := digits(t)
	few, err := training.Select([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19})
	if err != nil {
		t.Fatal(err)
	}
	for _, monitor := range []string{"", "accuracy"} {
		trainer := newTrainer(t, classifier())
		var states []string
		result, err := trainer.Fit(background, batchesOf(t, few, 5), train.Options{Epochs: 500, Validation: validation, Patience: 4, Monitor: monitor,
			OnEpoch: func(train.Epoch) { states = append(states, bits(t, trainer.State.Snapshot())) }})
		if err != nil {
			t.Fatal(err)
		}
		name := "loss"
		if monitor != "" {
			name = monitor
		}
		curve := result.History.Curve(name, true)
		best := 0
		for i, v := range curve {
			if monitor == "" && v < curve[best] || monitor != "" && v > curve[best] {
				best = i
			}
		}
		if result.Why != "patience" || len(curve) != best+1+4 || result.Best != best+1 {
			t.Errorf("%s: ended by %s with best %d: %v", name, result.Why, result.Best, curve)
		}
		if bits(t, trainer.State.Snapshot()) != states[best] {
			t.Errorf("%s: the state is not that of epoch %d", name, best+1)
		}
	}
}

func TestWhatEndsARun(t *testing.T) {
	training, _ := digits(t)
	for _, c := range []struct {
		o      train.Options
		why    string
		epochs int
		steps  int
	}{
		{train.Options{Epochs: 2}, "epochs", 2, 20},
		{train.Options{Steps: 13}, "steps", 2, 13},
		{train.Options{Steps: 20, Epochs: 7}, "steps", 2, 20},
		{train.Options{Steps: 21, Epochs: 2}, "epochs", 2, 20},
		{train.Options{Converged: 1}, "converged", 5, 50},
		{train.Options{Patience: 2, MinDelta: 1e6}, "patience", 3, 30},
	} {
		result, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 30), c.o)
		if err != nil || result.Why != c.why || len(result.History.Epochs) != c.epochs || result.Steps != c.steps {
			t.Errorf("%+v: %+v, %v", c.o, result, err)
		}
	}
}

func TestRates(t *testing.T) {
	training, validation := digits(t)
	trainer := newTrainer(t, classifier())
	var rates []float64
	schedule := optim.Cosine(0.01, 20, 0)
	result, err := trainer.Fit(background, batchesOf(t, training, 30), train.Options{Epochs: 2, Rate: schedule, OnStep: func(s train.Step) {
		rates = append(rates, s.Rate)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, rate := range rates {
		if rate != schedule(i) {
			t.Errorf("step %d at %v, want %v", i, rate, schedule(i))
		}
	}
	if result.History.Epochs[1].Rate != schedule(19) {
		t.Errorf("%+v", result.History.Epochs)
	}

	// A plateau of patience 1 on a measure that cannot improve falls every second epoch.
	trainer = newTrainer(t, classifier())
	plateau := &optim.Plateau{Rate: 0.5, Factor: 0.1, Patience: -1, Threshold: 1e6}
	if result, err = trainer.Fit(background, batchesOf(t, training, 300), train.Options{Epochs: 4, Plateau: plateau, Validation: validation}); err != nil {
		t.Fatal(err)
	}
	rates = nil
	for _, e := range result.History.Epochs {
		rates = append(rates, e.Rate)
	}
	fallen := 0.5 * plateau.Factor
	if want := []float64{0.5, 0.5, fallen, fallen * plateau.Factor}; !slices.Equal(rates, want) || plateau.Rate != 0.5 {
		t.Errorf("%v, want %v; the plateau that was given has %v", rates, want, plateau.Rate)
	}
}

// regression has no dropout, so that the same batch in parts is the same step.
func regression(options ...func(*train.Task)) (train.Task, *data.Set) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, 2)
	y := g.Input("y", graph.Float64, batch, 1)
	out := nn.Build(g, &nn.Linear{Out: 1}, x)
	task := train.Task{X: x, Y: y, Output: out, Loss: losses.MSE(out, y), Optimizer: optim.SGD{LR: 0.1},
		Metrics: []train.Metric{train.MAE(), train.RMSE(), train.R2()}}
	for _, o := range options {
		o(&task)
	}
	xs, ys := make([]float64, 200), make([]float64, 100)
	for i := range ys {
		xs[2*i], xs[2*i+1] = math.Sin(float64(i)), math.Cos(1.7*float64(i))
		ys[i] = 2*xs[2*i] - xs[2*i+1] + 0.5 + 0.01*math.Sin(9*float64(i))
	}
	return task, &data.Set{X: tensor.New(tensor.WithShape(100, 2), tensor.WithBacking(xs)), Y: tensor.New(tensor.WithShape(100, 1), tensor.WithBacking(ys))}
}

func TestAccumulateAndClip(t *testing.T) {
	task, set := regression()
	whole := newTrainer(t, task)
	if _, err := whole.Fit(background, batchesOf(t, set, 20), train.Options{Epochs: 3}); err != nil {
		t.Fatal(err)
	}
	inParts, set := regression(func(task *train.Task) { task.Accumulate = 4 })
	parts := newTrainer(t, inParts)
	result, err := parts.Fit(background, batchesOf(t, set, 5), train.Options{Epochs: 3})
	if err != nil || result.Steps != 15 {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, name := range []string{"weight", "bias"} {
		a, errA := whole.State.Get(name)
		b, errB := parts.State.Get(name)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for i, v := range a.Float64s() {
			if w := b.Float64s()[i]; math.Abs(v-w) > 1e-12 {
				t.Errorf("%s[%d] is %v in one batch and %v in parts", name, i, v, w)
			}
		}
	}

	calls := 0
	clipping, set := regression(func(task *train.Task) {
		task.Gradients = func(g []*graph.Node) []*graph.Node { calls++; return optim.ClipByValue(g, optim.Zero) }
	})
	still := newTrainer(t, clipping)
	before, err := still.State.Get("weight")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := still.Fit(background, batchesOf(t, set, 50), train.Options{Epochs: 3}); err != nil {
		t.Fatal(err)
	}
	after, err := still.State.Get("weight")
	if err != nil || calls != 1 || fmt.Sprint(before.Data()) != fmt.Sprint(after.Data()) {
		t.Errorf("gradients of 0 moved %v to %v; %d calls, %v", before, after, calls, err)
	}
}

// The averages are validated with and the run ends with them; the steps go on from the parameters.
func TestAverage(t *testing.T) {
	task, set := regression(func(task *train.Task) { task.Average = &optim.Average{Decay: 0.5} })
	averaged := newTrainer(t, task)
	var last map[string]*tensor.Dense
	result, err := averaged.Fit(background, batchesOf(t, set, 10), train.Options{Epochs: 2, Validation: set, OnStep: func(train.Step) { last = averaged.State.Snapshot() }})
	if err != nil {
		t.Fatal(err)
	}
	plainTask, set := regression()
	plain := newTrainer(t, plainTask)
	if _, err := plain.Fit(background, batchesOf(t, set, 10), train.Options{Epochs: 2}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"weight", "bias"} {
		got, err := averaged.State.Get(name)
		if err != nil || fmt.Sprint(got.Data()) != fmt.Sprint(last["average."+name].Data()) {
			t.Errorf("%s ended as %v, not as its average %v (%v)", name, got, last["average."+name], err)
		}
		want, err := plain.State.Get(name)
		if err != nil || fmt.Sprint(want.Data()) != fmt.Sprint(last[name].Data()) {
			t.Errorf("%s was trained to %v, without averages to %v (%v)", name, last[name], want, err)
		}
	}
	if now, err := averaged.EvalOnly(background, set); err != nil || fmt.Sprint(now) != fmt.Sprint(result.History.Epochs[1].Validation) {
		t.Errorf("%v, %v; validated as %v", now, err, result.History.Epochs[1].Validation)
	}
}

func TestPredict(t *testing.T) {
	task, set := regression()
	trainer := newTrainer(t, task)
	trainer.Rows = 7
	for _, rows := range []int{0, 1, 7, 8, 100} {
		x := graph.ArrayAt(graph.Float64, []int{rows, 2}, must(graph.ArrayOf(set.X)).Bytes()).Dense()
		got, err := trainer.Predict(background, x)
		if err != nil {
			t.Fatal(err)
		}
		want, err := vm.Eval(trainer.State, task.Output, vm.Feeds{task.X: x})
		if err != nil || !got.Shape().Eq(want.Shape()) {
			t.Fatalf("%d rows: %v, want %v, %v", rows, got.Shape(), want.Shape(), err)
		}
		a, b := must(graph.ArrayOf(got)), must(graph.ArrayOf(want))
		for i := range a.Len() {
			if math.Abs(a.At(i)-b.At(i)) > 1e-15 {
				t.Errorf("%d rows: element %d is %v, want %v", rows, i, a.At(i), b.At(i))
			}
		}
	}
	if _, err := trainer.Predict(background, nil); !errors.Is(err, graph.ErrValue) {
		t.Error(err)
	}
	if _, err := trainer.Predict(background, tensor.New(tensor.WithBacking([]float64{1, 2}))); err == nil {
		t.Error("took rows of another shape")
	}
	all, err := trainer.EvalOnly(background, set)
	if err != nil {
		t.Fatal(err)
	}
	trainer.Rows = 1000
	for name, v := range must(trainer.EvalOnly(background, set)) {
		if math.Abs(all[name]-v) > 1e-12 {
			t.Errorf("%s is %v in parts and %v at once", name, all[name], v)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWrongOptions(t *testing.T) {
	training, _ := digits(t)
	plateau := &optim.Plateau{Rate: 1}
	for _, c := range []struct {
		o    train.Options
		want string
	}{
		{train.Options{}, "nothing ends the run"},
		{train.Options{Epochs: -1}, "none may be below 0"},
		{train.Options{Converged: math.NaN()}, "none may be below 0"},
		{train.Options{Epochs: 1, Monitor: "f1"}, `Monitor names "f1"`},
		{train.Options{Epochs: 1, Rate: optim.Constant(1), Plateau: plateau}, "both Rate and Plateau"},
		{train.Options{Epochs: 1, Plateau: &optim.Plateau{}}, "Plateau.Rate is 0"},
		{train.Options{Epochs: 1, Checkpoints: train.Checkpoints{Steps: 5}}, "Checkpoints without a Dir"},
	} {
		if _, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 30), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	fixed := classifier(func(task *train.Task) {
		task.Optimizer = optim.SGD{Rate: task.Loss.Graph().Full(graph.Float64, 0.1)}
	})
	if _, err := newTrainer(t, fixed).Fit(background, batchesOf(t, training, 30), train.Options{Epochs: 1, Rate: optim.Constant(1)}); err == nil || !strings.Contains(err.Error(), "ends in .lr") {
		t.Errorf("a rate of its own: %v", err)
	}
	for _, c := range []struct {
		change func(*train.Task)
		want   string
	}{
		{func(task *train.Task) { task.Output = nil }, "needs X, Output and Loss"},
		{func(task *train.Task) { task.Metrics = append(task.Metrics, train.Accuracy()) }, `metric "accuracy"`},
		{func(task *train.Task) { task.Metrics = []train.Metric{{Name: "a,b"}} }, `metric "a,b"`},
		{func(task *train.Task) { task.Loss = task.Output }, "scalar"},
		{func(task *train.Task) { task.Optimizer = optim.Adam{LR: -1} }, "learning rate is -1"},
	} {
		if _, err := train.New(classifier(c.change), 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestDiverges(t *testing.T) {
	task, set := regression(func(task *train.Task) { task.Optimizer = optim.SGD{LR: 1e200} })
	result, err := newTrainer(t, task).Fit(background, batchesOf(t, set, 10), train.Options{Epochs: 50})
	if !errors.Is(err, train.ErrDiverged) || !strings.Contains(err.Error(), "try a smaller learning rate") || result == nil {
		t.Errorf("%+v, %v", result, err)
	}
}

// A step whose loss is not finite is not made, so the model is of use again once the data are mended.
func TestWhatDivergesIsNotCommitted(t *testing.T) {
	task, set := regression(func(*train.Task) {})
	trainer := newTrainer(t, task)
	x := set.X.Data().([]float64)
	good := x[3]
	x[3] = math.NaN()
	if _, err := trainer.Fit(background, batchesOf(t, set, set.Len()), train.Options{Epochs: 1}); !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("%v", err)
	}
	for name, v := range trainer.State.Snapshot() {
		if f, ok := v.Data().([]float64); ok && slices.ContainsFunc(f, func(v float64) bool { return math.IsNaN(v) }) {
			t.Errorf("%s is %v", name, f)
		}
	}
	trainer.Machine().CheckFinite = true
	if _, err := trainer.Fit(background, batchesOf(t, set, set.Len()), train.Options{Epochs: 1}); err == nil || !strings.Contains(err.Error(), "x: was fed NaN at element ") {
		t.Errorf("with CheckFinite: %v", err)
	}
	x[3] = good
	if _, err := trainer.Fit(background, batchesOf(t, set, 10), train.Options{Epochs: 2}); err != nil {
		t.Errorf("with mended data: %v", err)
	}
}

// What cannot work is said before anything runs, with the user's line.
func TestNoSource(t *testing.T) {
	task, set := regression(func(task *train.Task) { task.Metrics = []train.Metric{train.Accuracy()} })
	trainer := newTrainer(t, task)
	var none *data.Batches
	for _, source := range []train.Source{nil, none} {
		if _, err := trainer.Fit(background, source, train.Options{Epochs: 1}); err == nil || !strings.Contains(err.Error(), "data.NewBatches makes one") {
			t.Errorf("%v", err)
		}
	}
	if _, err := trainer.EvalOnly(background, set); err == nil || !strings.Contains(err.Error(), "is no label; a regression has the metrics MAE, RMSE and R2") {
		t.Errorf("accuracy of a regression: %v", err)
	}
	unfit := classifier(func(task *train.Task) { task.Loss = task.Output })
	if _, err := train.New(unfit, 1); err == nil || !strings.Contains(err.Error(), "fit_test.go:") {
		t.Errorf("%v does not name this file", err)
	}
}

// empty deals nothing.
type empty struct{}

func (empty) Start(int)        {}
func (empty) Next() bool       { return false }
func (empty) Batch() *data.Set { return nil }
func (empty) Len() int         { return 0 }
func (empty) Err() error       { return nil }

func TestNoBatches(t *testing.T) {
	if _, err := newTrainer(t, classifier()).Fit(background, empty{}, train.Options{Steps: 1}); err == nil || !strings.Contains(err.Error(), "no batches") {
		t.Error(err)
	}
}

// An interrupted run is gone on with to the same bits, wherever it was interrupted, with all that may be remembered.
func TestInterruptedAndResumed(t *testing.T) {
	training, validation := digits(t)
	options := func(dir string) train.Options {
		o := train.Options{Epochs: 4, Validation: validation, Best: true, MinDelta: 0.8, Plateau: &optim.Plateau{Rate: 0.02, Patience: -1, Factor: 0.5, Threshold: 0.2}}
		if dir != "" {
			o.Checkpoints = train.Checkpoints{Dir: dir, Steps: 3}
		}
		return o
	}
	task := func(accumulate int) train.Task {
		return classifier(func(task *train.Task) { task.Accumulate, task.Average = accumulate, &optim.Average{Decay: 0.9} })
	}
	for _, accumulate := range []int{1, 3} {
		whole := newTrainer(t, task(accumulate))
		result, err := whole.Fit(background, batchesOf(t, training, 64), options(""))
		if err != nil {
			t.Fatal(err)
		}
		want := bits(t, whole.State.Snapshot()) + result.History.CSV()
		for stop := 0; stop <= result.Steps; stop++ {
			dir := filepath.Join(t.TempDir(), "run")
			for _, at := range []int{stop, stop + 2, 1 << 30} { // interrupted twice
				ctx, cancel := context.WithCancel(background)
				if at == 0 {
					cancel()
				}
				o := options(dir)
				o.OnStep = func(s train.Step) {
					if s.Step == at {
						cancel()
					}
				}
				trainer := newTrainer(t, task(accumulate))
				result, err := trainer.Fit(ctx, batchesOf(t, training, 64), o)
				cancel()
				if err == nil {
					if got := bits(t, trainer.State.Snapshot()) + result.History.CSV(); got != want {
						t.Errorf("accumulating %d, interrupted after step %d: other bits\n%s", accumulate, stop, result.History.CSV())
					}
				} else if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same run started again goes on from there") {
					t.Fatal(err)
				} else if at == 1<<30 {
					t.Error("did not end")
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := newTrainer(t, classifier()).Fit(ctx, batchesOf(t, training, 64), options("")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Checkpoints") {
		t.Error(err)
	}
}

func TestResumeRefusesAnotherRun(t *testing.T) {
	training, validation := digits(t)
	dir := t.TempDir()
	o := train.Options{Epochs: 1, Checkpoints: train.Checkpoints{Dir: dir}}
	first, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	// A run that is over is over; with more epochs it goes on.
	again, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 32), o)
	if err != nil || again.History.CSV() != first.History.CSV() {
		t.Errorf("%v, %v", again, err)
	}
	o.Epochs = 2
	for what, fit := range map[string]func() (*train.Result, error){
		"another batch size": func() (*train.Result, error) {
			return newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 31), o)
		},
		"another set": func() (*train.Result, error) {
			return newTrainer(t, classifier()).Fit(background, batchesOf(t, validation, 10), o)
		},
		"another optimiser": func() (*train.Result, error) {
			return newTrainer(t, classifier(func(task *train.Task) { task.Optimizer = optim.SGD{} })).Fit(background, batchesOf(t, training, 32), o)
		},
		"other metrics": func() (*train.Result, error) {
			return newTrainer(t, classifier(func(task *train.Task) { task.Metrics = nil })).Fit(background, batchesOf(t, training, 32), o)
		},
	} {
		if _, err := fit(); !errors.Is(err, graph.ErrValue) || !strings.Contains(err.Error(), "cannot go on from") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if more, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 32), o); err != nil || len(more.History.Epochs) != 2 {
		t.Errorf("%v, %v", more, err)
	}
}

// Batches that are made in the background train as others do, to the bit; where one cannot be made, the run says why instead of
// going on with fewer.
func TestPrefetchedBatches(t *testing.T) {
	fit := func(ctx context.Context, change func(*data.Set) error) (*train.Result, error) {
		task, set := regression()
		p, err := data.NewPrefetch(ctx, batchesOf(t, set, 10), 2, change)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop()
		return newTrainer(t, task).Fit(ctx, p, train.Options{Epochs: 3})
	}
	task, set := regression()
	want, err := newTrainer(t, task).Fit(background, batchesOf(t, set, 10), train.Options{Epochs: 3})
	if err != nil {
		t.Fatal(err)
	}
	got, err := fit(background, nil)
	if err != nil || got.History.CSV() != want.History.CSV() {
		t.Errorf("%v\n%s\nwant\n%s", err, got.History.CSV(), want.History.CSV())
	}
	broken, calls := errors.New("broken image"), 0
	if got, err := fit(background, func(*data.Set) error {
		if calls++; calls == 15 {
			return broken
		}
		return nil
	}); !errors.Is(err, broken) || got.Why != "" {
		t.Errorf("%+v, %v; want %v", got, err, broken)
	}
	ctx, cancel := context.WithCancel(background)
	calls = 0
	if _, err := fit(ctx, func(*data.Set) error {
		if calls++; calls == 15 {
			cancel()
		}
		return nil
	}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted in epoch") {
		t.Errorf("cancelled: %v", err)
	}
}

// A run that failed for want of a batch goes on from its last checkpoint.
func TestResumedAfterAFailure(t *testing.T) {
	training, validation := digits(t)
	o := train.Options{Epochs: 3, Validation: validation}
	want, err := newTrainer(t, classifier()).Fit(background, batchesOf(t, training, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Checkpoints = train.Checkpoints{Dir: t.TempDir(), Steps: 4}
	gone := errors.New("the disk is gone")
	for _, at := range []int{16, 3, 0} { // the second time while it looks for its place
		dealt := 0
		p, err := data.NewPrefetch(background, batchesOf(t, training, 32), 2, func(*data.Set) error {
			if dealt++; dealt == at {
				return gone
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := newTrainer(t, classifier()).Fit(background, p, o)
		p.Stop()
		if at > 0 && !errors.Is(err, gone) || at == 0 && (err != nil || got.History.CSV() != want.History.CSV()) {
			t.Errorf("failing at %d: %v, %v", at, got, err)
		}
	}
}
