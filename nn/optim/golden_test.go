package optim_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/optim"
)

// golden are PyTorch's numbers; testdata/optim.py writes them.
type golden struct {
	Source       string
	Trajectories map[string][][]float64
	Clipped      map[string][][]float64
	Schedules    map[string][]float64
	Measures     []float64
	Plateaus     map[string][]float64
	LBFGS        [][]float64
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/optim.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

var optimizers = map[string]optim.Optimizer{
	"sgd":                optim.SGD{LR: 0.05},
	"sgd momentum":       optim.SGD{LR: 0.02, Momentum: 0.9},
	"sgd dampening":      optim.SGD{LR: 0.02, Momentum: 0.9, Dampening: 0.3},
	"sgd nesterov decay": optim.SGD{LR: 0.02, Momentum: 0.8, Nesterov: true, WeightDecay: 0.1},
	"adam":               optim.Adam{LR: 0.1},
	"adam decay":         optim.Adam{LR: 0.1, Beta1: 0.5, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.2},
	"adam amsgrad":       optim.Adam{LR: 0.3, Beta2: 0.7, AMSGrad: true},
	"adamw":              optim.AdamW{LR: 0.1},
	"adamw amsgrad":      optim.AdamW{LR: 0.1, WeightDecay: 0.3, Beta2: 0.7, AMSGrad: true},
	"nadam":              optim.NAdam{LR: 0.1},
	"nadam decay":        optim.NAdam{LR: 0.1, WeightDecay: 0.2, MomentumDecay: 0.01},
	"radam":              optim.RAdam{LR: 0.1},
	"radam decay":        optim.RAdam{LR: 0.1, Beta2: 0.99, WeightDecay: 0.2},
	"adamax":             optim.Adamax{LR: 0.1},
	"adamax decay":       optim.Adamax{LR: 0.1, WeightDecay: 0.2},
	"rmsprop":            optim.RMSprop{LR: 0.02},
	"rmsprop centered":   optim.RMSprop{LR: 0.02, Alpha: 0.9, Centered: true, Momentum: 0.5, WeightDecay: 0.1},
	"adagrad":            optim.Adagrad{LR: 0.3},
	"adagrad decay":      optim.Adagrad{LR: 0.3, LRDecay: 0.1, WeightDecay: 0.1, Initial: 0.2},
	"adadelta":           optim.Adadelta{},
	"adadelta decay":     optim.Adadelta{LR: 2, Rho: 0.8, Epsilon: 1e-4, WeightDecay: 0.1},
	"lion":               optim.Lion{LR: 0.02},
	"lion decay":         optim.Lion{LR: 0.02, Beta1: 0.8, Beta2: 0.9, WeightDecay: 0.5},
	"lamb":               optim.LAMB{LR: 0.05},
	"lamb decay":         optim.LAMB{LR: 0.05, WeightDecay: 0.3},
}

func follow(t *testing.T, name string, updates func(params, grads []*graph.Node) []graph.Update, want [][]float64) {
	t.Helper()
	d := newDescent(t, graph.Float64, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update { return updates(params, grads) })
	for step, row := range want {
		d.step(t)
		for i, got := range d.values(t) {
			if !(math.Abs(got-row[i]) <= 1e-8) {
				t.Errorf("%s, step %d, element %d: %.12g, PyTorch has %.12g", name, step+1, i, got, row[i])
				return
			}
		}
	}
}

func TestTrajectoriesAreThoseOfPyTorch(t *testing.T) {
	g := readGolden(t)
	for name, want := range g.Trajectories {
		o, ok := optimizers[name]
		if !ok {
			t.Errorf("no optimiser for %q", name)
			continue
		}
		follow(t, name, o.Updates, want)
	}
	clips := map[string]func(grads []*graph.Node) []*graph.Node{
		"value":       func(grads []*graph.Node) []*graph.Node { return optim.ClipByValue(grads, 0.7) },
		"norm":        func(grads []*graph.Node) []*graph.Node { return optim.ClipByNorm(grads, 0.9) },
		"global norm": func(grads []*graph.Node) []*graph.Node { c, _ := optim.ClipByGlobalNorm(grads, 0.9); return c },
	}
	for name, want := range g.Clipped {
		follow(t, "clipped by "+name, func(params, grads []*graph.Node) []graph.Update {
			return optim.SGD{LR: 0.1}.Updates(params, clips[name](grads))
		}, want)
	}
}

func TestSchedulesAreThoseOfPyTorch(t *testing.T) {
	g := readGolden(t)
	schedules := map[string]optim.Schedule{
		"step":        optim.StepDecay(0.5, 7, 0.3),
		"multistep":   optim.MultiStep(0.5, 0.2, 30, 5, 17),
		"exponential": optim.Exponential(0.5, 0.9),
		"polynomial":  optim.Polynomial(0.5, 0, 30, 2),
		"linear":      optim.Linear(0.5, 0.05, 20),
		"cosine":      optim.Cosine(0.5, 40, 0.01),
		"restarts":    optim.CosineRestarts(0.5, 6, 2, 0.01),
		"onecycle":    optim.OneCycle(0.5, 41),
	}
	for name, want := range g.Schedules {
		for step, w := range want {
			if got := schedules[name](step); !(math.Abs(got-w) <= 1e-12) {
				t.Errorf("%s, step %d: %v, PyTorch has %v", name, step, got, w)
				break
			}
		}
	}
	for name, p := range map[string]*optim.Plateau{
		"default":  {Rate: 0.5, Patience: 2},
		"cooldown": {Rate: 0.5, Patience: 1, Factor: 0.5, Cooldown: 2, Least: 0.1},
		"rising":   {Rate: 0.5, Patience: 2, Factor: 0.5, Rising: true},
	} {
		for i, m := range g.Measures {
			if got, want := p.Observe(m), g.Plateaus[name][i]; !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("plateau %s, observation %d: %v, PyTorch has %v", name, i, got, want)
				break
			}
		}
	}
	warm := optim.WarmUp(4, optim.Constant(1)).Then(6, optim.Exponential(1, 0.5)).Times(optim.Constant(2))
	for step, want := range []float64{0.4, 0.8, 1.2, 1.6, 2, 2, 2, 1, 0.5} {
		if got := warm(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("composed, step %d: %v, want %v", step, got, want)
		}
	}
}

// The points of L-BFGS are PyTorch's.
func TestLBFGSGoesPyTorchsWay(t *testing.T) {
	want := readGolden(t).LBFGS
	if len(want) < 10 {
		t.Fatalf("%d steps", len(want))
	}
	for steps, row := range want {
		steps++
		d := newDescent(t, graph.Float64, func(*graph.Graph, []*graph.Node, []*graph.Node) []graph.Update { return nil })
		got, err := optim.LBFGS{Steps: steps, Gradient: optim.Zero, Change: optim.Zero}.Minimize(context.Background(), d.machine, d.state, d.loss, d.params, d.grads)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range d.values(t) {
			if !(math.Abs(v-row[i]) <= 1e-8) {
				t.Errorf("step %d, element %d: %.12g, PyTorch has %.12g", steps, i, v, row[i])
			}
		}
		// PyTorch evaluates anew where a step begins.
		if evaluations := int(row[4]) - steps + 1; got.Steps != steps || got.Evaluations != evaluations {
			t.Errorf("%d steps with %d evaluations; PyTorch has %d with %d", got.Steps, got.Evaluations, steps, evaluations)
		}
	}
}
