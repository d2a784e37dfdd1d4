package vm_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// regularised is a classifier with batch norm and dropout between its two layers.
type regularised struct {
	g                          *graph.Graph
	x, y, hidden, logits, loss *graph.Node
	train, infer               *vm.Program
}

func newRegularised(t *testing.T) *regularised {
	t.Helper()
	const in, width, classes = 6, 32, 4
	r := &regularised{g: graph.New()}
	batch := graph.Symbol("batch")
	r.x, r.y = r.g.Input("x", graph.Float32, batch, in), r.g.Input("y", graph.Int64, batch)
	variable := func(name string, v float64) *graph.Node {
		return r.g.Variable(name, graph.Float32, graph.Full(v), width)
	}
	h := ops.Affine(r.x, r.g.Param("w1", graph.Float32, initializers.He(), in, width), nil)
	h = ops.BatchNorm(h, 1, r.g.Param("scale", graph.Float32, graph.Full(1), width), r.g.Param("shift", graph.Float32, graph.Zeros(), width),
		ops.Running{Mean: variable("mean", 0), Variance: variable("variance", 1)}, 1e-5)
	r.hidden = ops.Dropout(ops.ReLU(h), 0.3, ops.StepKey(r.g, "key"))
	r.logits = ops.Affine(r.hidden, r.g.Param("w2", graph.Float32, initializers.He(), width, classes), r.g.Param("b2", graph.Float32, graph.Zeros(), classes))
	r.loss = losses.CrossEntropy(r.logits, r.y)
	updates := optim.Adam{LR: 0.01}.Updates(r.g.Params(), autodiff.Grad(r.loss, r.g.Params()...))
	var err error
	if r.train, err = vm.Compile(vm.Spec{Outputs: []*graph.Node{r.loss, r.hidden}, Updates: updates, Mode: vm.Train}); err != nil {
		t.Fatal(err)
	}
	if r.infer, err = vm.Compile(vm.Spec{Outputs: []*graph.Node{r.loss, r.logits, r.hidden}}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *regularised) machine(t *testing.T, p *vm.Program, s *vm.State, rows int) *vm.Machine {
	t.Helper()
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	x, y := sampleData(9, rows, 6, 4) // fewer rows are the first ones of more
	narrow := make([]float32, len(x))
	for i, v := range x {
		narrow[i] = float32(3*v + 5) // far from normal, which batch norm is for
	}
	if err := m.FeedAll(vm.Feeds{r.x: dense([]int{rows, 6}, narrow), r.y: y}); err != nil {
		t.Fatal(err)
	}
	return m
}

// dropped marks the elements of the hidden layer that are 0.
func (r *regularised) dropped(t *testing.T, m *vm.Machine) string {
	v, err := m.Value(r.hidden)
	if err != nil {
		t.Fatal(err)
	}
	mask := make([]byte, 0, 1024)
	for _, h := range v.Float32s() {
		if h == 0 {
			mask = append(mask, '.')
		} else {
			mask = append(mask, '#')
		}
	}
	return string(mask)
}

// A network with batch norm and dropout learns; evaluation is deterministic, close to training, and changes no state; training
// drops other elements at each step, and the same ones when it runs again from the same state.
func TestTrainingWithBatchNormAndDropout(t *testing.T) {
	r := newRegularised(t)
	s, err := vm.NewState(r.g, 3)
	if err != nil {
		t.Fatal(err)
	}
	m := r.machine(t, r.train, s, 256)
	start := s.Snapshot()
	record := func(steps int) (list []string) {
		for range steps {
			run(t, m)
			list = append(list, fmt.Sprintf("%x", math.Float64bits(scalar(t, m, r.loss)))+r.dropped(t, m))
		}
		return list
	}
	first := record(3)
	if first[0][16:] == first[1][16:] || first[1][16:] == first[2][16:] {
		t.Error("two steps drop the same elements")
	}
	if err := s.Restore(start); err != nil {
		t.Fatal(err)
	}
	for i, again := range record(3) {
		if again != first[i] {
			t.Errorf("step %d from the same state gives another loss, or drops other elements", i)
		}
	}
	record(147)
	key, err := s.Get("key")
	if err != nil || key.Int64s()[1] != 150 {
		t.Errorf("the key after 150 steps is %v, %v", key, err)
	}
	version := s.Version()
	e := r.machine(t, r.infer, s, 256)
	run(t, e)
	loss, mask := scalar(t, e, r.loss), r.dropped(t, e)
	logits, err := e.Value(r.logits)
	if err != nil {
		t.Fatal(err)
	}
	_, labels := sampleData(9, 256, 6, 4)
	right := 0
	for i, label := range labels {
		row := logits.Float32s()[4*i : 4*i+4]
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		if int64(best) == label {
			right++
		}
	}
	if right < 240 || !(loss < 0.3) {
		t.Errorf("after 150 steps the loss is %v, %d of 256 are right", loss, right)
	}
	logits = logits.Clone().(*tensor.Dense)
	run(t, e)
	if scalar(t, e, r.loss) != loss || r.dropped(t, e) != mask {
		t.Error("evaluation differs from run to run")
	}
	one := r.machine(t, r.infer, s, 1) // evaluation looks at no batch
	run(t, one)
	alone, err := one.Value(r.logits)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range alone.Float32s() {
		if d := math.Abs(float64(v - logits.Float32s()[k])); d > 1e-4 {
			t.Errorf("logit %d of the first row is %v alone, %v among others", k, v, logits.Float32s()[k])
		}
	}
	if s.Version() != version {
		t.Error("evaluation changed the state")
	}
	mean, _ := s.Get("mean")
	moved := 0
	for _, v := range mean.Float32s() {
		if math.Abs(float64(v)) > 1 {
			moved++
		}
	}
	if moved < 16 {
		t.Errorf("only %d running means have left 0: %v", moved, mean)
	}
}

// A step that fails or is cancelled moves neither the parameters, nor the running statistics, nor the key.
func TestAFailedStepMovesNothing(t *testing.T) {
	r := newRegularised(t)
	s, err := vm.NewState(r.g, 3)
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(s.Snapshot())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.machine(t, r.train, s, 16).Run(ctx); err == nil {
		t.Error("a cancelled run succeeded")
	}
	if err := r.machine(t, r.train, s, 1).Run(context.Background()); err == nil {
		t.Error("batch norm trained on one row")
	}
	if after := fmt.Sprint(s.Snapshot()); after != before {
		t.Error("the state changed")
	}
}
