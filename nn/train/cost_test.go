package train_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/train"
)

// A step of the loop allocates nothing, batches included.
func TestStepsAllocateNothing(t *testing.T) {
	training, _ := digits(t)
	task := classifier(func(task *train.Task) { task.Metrics = nil })
	trainer := newTrainer(t, task)
	batches := batchesOf(t, training, 1)
	allocs := func(steps int) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := trainer.Fit(background, batches, train.Options{Steps: steps}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(50), allocs(250); many-few > 10 {
		t.Errorf("%v allocations in 50 steps and %v in 250 of the same epoch", few, many)
	}
}

// A million rows need the memory of their outputs, and little besides.
func TestPredictAMillion(t *testing.T) {
	task, _ := regression()
	trainer := newTrainer(t, task)
	const rows = 1_000_000
	x, y := graph.NewArray(graph.Float64, rows, 2), graph.NewArray(graph.Float64, rows, 1)
	for i := range x.F64() {
		x.F64()[i] = float64(i % 1001)
	}
	set := &data.Set{X: x.Dense(), Y: y.Dense()}
	if _, err := trainer.EvalOnly(background, set); err != nil { // the machines have their memory now
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out, err := trainer.Predict(background, set.X)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.EvalOnly(background, set); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const small = 4 << 20
	if took := after.TotalAlloc - before.TotalAlloc; took > 8*rows+small {
		t.Errorf("allocated %d bytes for %d of outputs", took, 8*rows)
	}
	w, b := must(trainer.State.Get("weight")).Float64s(), must(trainer.State.Get("bias")).Float64s()
	for _, i := range []int{0, 1023, 1024, rows - 1} {
		want := x.F64()[2*i]*w[0] + x.F64()[2*i+1]*w[1] + b[0]
		if got := out.Float64s()[i]; !same(got, want) {
			t.Errorf("row %d: %v, want %v", i, got, want)
		}
	}
}

// Ctrl-C ends the context, and with it the run, after the step.
func TestInterruptible(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself an interrupt")
	}
	ctx, stop := train.Interruptible(background)
	defer stop()
	training, _ := digits(t)
	trainer := newTrainer(t, classifier())
	result, err := trainer.Fit(ctx, batchesOf(t, training, 30), train.Options{Epochs: 1_000_000, OnStep: func(s train.Step) {
		if s.Step == 3 {
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				t.Fatal(err)
			}
			if err := self.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
		}
	}})
	if !errors.Is(err, context.Canceled) || result.Steps != 3 {
		t.Errorf("%+v, %v", result, err)
	}
}
