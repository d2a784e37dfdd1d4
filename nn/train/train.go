// Package train is the loop that people otherwise write every time: epochs and steps, validation, early stopping, checkpoints and
// progress. It is made of the public API alone; fit.go shows how to write one's own.
//
// The one idea: all that a run knows is its State, its place (epoch and batch) and its History. What decides about it (which
// epoch was the best, whether to stop, the learning rate) is a function of these, so a run that was killed at any moment goes on
// from its last checkpoint and ends with the same bits.
//
//	t, err := train.New(train.Task{X: x, Y: y, Output: logits, Loss: loss, Metrics: []train.Metric{train.Accuracy()}}, 42)
//	batches, err := data.NewBatches(training, 32, 42)
//	result, err := t.Fit(ctx, batches, train.Options{Epochs: 60, Validation: validation, Patience: 10, Progress: os.Stdout})
//	measures, err := t.EvalOnly(ctx, test)
//	answers, err := t.Predict(ctx, images)
package train

import (
	"strings"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Task says what is to be learnt, as nodes of one graph, and how.
type Task struct {
	X      *graph.Node // input: examples, (batch, …)
	Y      *graph.Node // input: what is to be found for each, (batch, …); nil: nothing else than X, as for an autoencoder
	Output *graph.Node // what the model says, (batch, …): what Predict returns and metrics compare with Y
	Loss   *graph.Node // scalar: a mean over the batch, so that batches of different sizes can be averaged

	Metrics []Metric // further measures of the output; their names differ

	Optimizer  optim.Optimizer                             // nil means optim.Adam{}
	Params     []*graph.Node                               // what is trained; nil means all parameters of the graph
	Gradients  func(gradients []*graph.Node) []*graph.Node // what becomes of the gradients first, such as clipping; nil: nothing
	Accumulate int                                         // batches in a step, where one of the size one wants does not fit; 0 means 1
	Average    *optim.Average                              // validate with these averages of the parameters, and end with them; nil: none

	Explain *vm.Explanation // receives how the program that trains was compiled; nil: nothing
}

// Trainer is a task with the values that are learnt, and the machines that run it. One goroutine at a time uses it.
type Trainer struct {
	State *vm.State // may be read, set and shared by other machines

	Rows int // EvalOnly and Predict run at most so many rows at once; 0 means 1024

	task   Task
	params []*graph.Node
	finite *graph.Node // the loss, which lets a step fail if it is not finite
	lr     string      // the variable that holds the learning rate; "" if there are none or several

	batch     *vm.Machine // the loss of a batch and its gradient, and the optimiser's step unless gradients are summed
	step      *vm.Machine // the optimiser's step by the sums; nil unless gradients are summed
	evaluate  *vm.Machine // loss and output
	predictor *vm.Machine // output
}

// New compiles a task. The seed decides the parameters' first values.
func New(task Task, seed uint64) (*Trainer, error) {
	if task.X == nil || task.Output == nil || task.Loss == nil {
		return nil, graph.Errorf(graph.ErrGraph, "a task needs X, Output and Loss")
	}
	names := map[string]bool{"loss": true}
	for _, m := range task.Metrics {
		if m.Add == nil || m.Value == nil || m.Name == "" || names[m.Name] || strings.ContainsAny(m.Name, ",\"\n") {
			return nil, graph.Errorf(graph.ErrName, "metric %q: a metric needs Add, Value and a name of its own without commas and quotes", m.Name)
		}
		names[m.Name] = true
	}
	if task.Optimizer == nil {
		task.Optimizer = optim.Adam{}
	}
	t := &Trainer{task: task, params: task.Params}
	g := task.Loss.Graph()
	if t.params == nil && g != nil {
		t.params = g.Params()
	}

	// The gradient is an expression, and so is the optimiser's step.
	rule := stepRule(func(params, grads []*graph.Node) []graph.Update {
		if task.Gradients != nil {
			grads = task.Gradients(grads)
		}
		updates := task.Optimizer.Updates(params, grads)
		if task.Average != nil {
			updates = task.Average.Updates(updates)
		}
		return updates
	})
	grads := autodiff.Grad(task.Loss, t.params...)
	if t.finite = task.Loss; task.Loss.Err() == nil && task.Loss.Shape().Rank() == 0 && task.Loss.DType().IsFloat() {
		t.finite = ops.Assert(ops.IsFinite(task.Loss), task.Loss, notFinite)
	}
	programs := []program{
		{vm.Spec{Outputs: append([]*graph.Node{t.finite}, t.outputs(len(task.Metrics) > 0)...), Mode: vm.Train, Explain: task.Explain}, &t.batch},
		{vm.Spec{Outputs: t.outputs(true)}, &t.evaluate},
		{vm.Spec{Outputs: []*graph.Node{task.Output}}, &t.predictor},
	}
	if task.Accumulate > 1 {
		sums := optim.Accumulate(t.params, grads, "accumulate")
		programs[0].spec.Updates = sums.Add
		programs = append(programs, program{vm.Spec{Updates: sums.Step(rule), Mode: vm.Train}, &t.step})
	} else {
		programs[0].spec.Updates = rule(t.params, grads)
	}

	// Compile makes tapes of them, and a state holds the values that they share.
	tapes := make([]*vm.Program, len(programs))
	for i, p := range programs {
		var err error
		if tapes[i], err = vm.Compile(p.spec); err != nil {
			return nil, err
		}
	}
	var err error
	if t.State, err = vm.NewState(g, seed); err != nil {
		return nil, err
	}
	for i, p := range programs {
		if *p.machine, err = vm.NewMachine(tapes[i], t.State); err != nil {
			return nil, err
		}
	}
	for _, name := range t.State.Names() {
		if strings.HasSuffix(name, ".lr") {
			if t.lr != "" {
				t.lr = ""
				break
			}
			t.lr = name
		}
	}
	return t, nil
}

// notFinite is what a step says that is not made because of its loss.
const notFinite = "the loss is not finite"

// Machine returns the machine that trains: to measure it (StartProfile), to print its program, to limit its Workers, or to let
// it find the operator that first made a NaN (CheckFinite).
func (t *Trainer) Machine() *vm.Machine { return t.batch }

func (t *Trainer) outputs(output bool) []*graph.Node {
	if output && t.task.Output != t.task.Loss {
		return []*graph.Node{t.task.Loss, t.task.Output}
	}
	return []*graph.Node{t.task.Loss}
}

// program is what a machine of the trainer runs.
type program struct {
	spec    vm.Spec
	machine **vm.Machine
}

// stepRule is a function as an optimiser.
type stepRule func(params, grads []*graph.Node) []graph.Update

// Updates calls the function.
func (r stepRule) Updates(params, grads []*graph.Node) []graph.Update { return r(params, grads) }
