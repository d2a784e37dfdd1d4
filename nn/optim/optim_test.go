package optim_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// descent minimises f(p) = Σ aᵢ·(pᵢ − cᵢ)² + Σ pᵢ⁴/10 for a parameter of three elements and Σ q² for a scalar one.
type descent struct {
	g       *graph.Graph
	params  []*graph.Node
	loss    *graph.Node
	grads   []*graph.Node
	state   *vm.State
	machine *vm.Machine
}

var (
	weights = []float64{1, 0.1, 4}
	centres = []float64{1, -2, 0.5}
)

func newDescent(t testing.TB, dtype graph.DType, updates func(g *graph.Graph, params, grads []*graph.Node) []graph.Update) *descent {
	t.Helper()
	d := &descent{g: graph.New()}
	p, q := d.g.Param("p", dtype, graph.Full(0.7), 3), d.g.Param("q", dtype, graph.Full(-1.5))
	d.params = []*graph.Node{p, q}
	constant := func(v []float64) *graph.Node { return ops.Cast(d.g.Constant(v), dtype) }
	d.loss = ops.AddN(ops.Sum(ops.Mul(constant(weights), ops.Square(ops.Sub(p, constant(centres))))), ops.Scale(ops.Sum(ops.PowScalar(p, 4)), 0.1), ops.Square(q))
	d.grads = autodiff.Grad(d.loss, p, q)
	program, err := vm.Compile(vm.Spec{Outputs: append([]*graph.Node{d.loss}, d.grads...), Updates: updates(d.g, d.params, d.grads), Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	if d.state, err = vm.NewState(d.g, 1); err != nil {
		t.Fatal(err)
	}
	if d.machine, err = vm.NewMachine(program, d.state); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *descent) step(t testing.TB) {
	t.Helper()
	if err := d.machine.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// values are p, then q.
func (d *descent) values(t testing.TB) (list []float64) {
	t.Helper()
	for _, name := range []string{"p", "q"} {
		v, err := d.state.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := graph.ArrayOf(v)
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Len() {
			list = append(list, a.At(i))
		}
	}
	return list
}

// slope is the gradient in plain loops.
func slope(x []float64) []float64 {
	g := make([]float64, 4)
	for i := range 3 {
		g[i] = 2*weights[i]*(x[i]-centres[i]) + 0.4*x[i]*x[i]*x[i]
	}
	g[3] = 2 * x[3]
	return g
}

// PyTorch's formulas over 50 steps, written as loops.
func TestTrajectories(t *testing.T) {
	sgd := func(lr, momentum float64) func(step int, x, g, m, v []float64) {
		return func(step int, x, g, m, v []float64) {
			for i := range x {
				if step == 1 {
					m[i] = g[i]
				} else {
					m[i] = momentum*m[i] + g[i]
				}
				x[i] -= lr * m[i]
			}
		}
	}
	adam := func(lr, beta1, beta2, epsilon float64) func(step int, x, g, m, v []float64) {
		return func(step int, x, g, m, v []float64) {
			c1, c2 := 1-math.Pow(beta1, float64(step)), 1-math.Pow(beta2, float64(step))
			for i := range x {
				m[i] += (1 - beta1) * (g[i] - m[i])
				v[i] = beta2*v[i] + (1-beta2)*g[i]*g[i]
				x[i] -= lr / c1 * m[i] / (math.Sqrt(v[i])/math.Sqrt(c2) + epsilon)
			}
		}
	}
	for _, c := range []struct {
		name    string
		updates func(params, grads []*graph.Node) []graph.Update
		step    func(step int, x, g, m, v []float64)
	}{
		{"sgd", optim.SGD{LR: 0.05}.Updates, sgd(0.05, 0)},
		{"sgd by default", optim.SGD{}.Updates, sgd(0.01, 0)},
		{"momentum", optim.SGD{LR: 0.02, Momentum: 0.9}.Updates, sgd(0.02, 0.9)},
		{"undamped momentum", optim.SGD{LR: 0.001, Momentum: 1}.Updates, sgd(0.001, 1)},
		{"adam", optim.Adam{LR: 0.1}.Updates, adam(0.1, 0.9, 0.999, 1e-8)},
		{"adam by default", optim.Adam{}.Updates, adam(0.001, 0.9, 0.999, 1e-8)},
		{"adam with all set", optim.Adam{LR: 0.03, Beta1: 0.5, Beta2: 0.9, Epsilon: 1e-3}.Updates, adam(0.03, 0.5, 0.9, 1e-3)},
	} {
		for _, dtype := range []graph.DType{graph.Float64, graph.Float32} {
			d := newDescent(t, dtype, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update { return c.updates(params, grads) })
			x, m, v := []float64{0.7, 0.7, 0.7, -1.5}, make([]float64, 4), make([]float64, 4)
			bound := map[graph.DType]float64{graph.Float64: 1e-10, graph.Float32: 2e-4}[dtype]
			for step := 1; step <= 50; step++ {
				d.step(t)
				c.step(step, x, slope(x), m, v)
				for i, got := range d.values(t) {
					if !(math.Abs(got-x[i]) <= bound) {
						t.Fatalf("%s in %v, step %d, element %d: %.15g, plain loops give %.15g", c.name, dtype, step, i, got, x[i])
					}
				}
			}
		}
	}
}

// The rate is a variable, or a node of the user's: a new value takes effect with the next step, without compiling again.
func TestTheRateChangesWhileTraining(t *testing.T) {
	moved := func(d *descent) float64 {
		before := d.values(t)[3]
		d.step(t)
		return d.values(t)[3] - before
	}
	for name, updates := range map[string]func(params, grads []*graph.Node) []graph.Update{"sgd.lr": optim.SGD{LR: 0.1}.Updates, "adam.lr": optim.Adam{LR: 0.1}.Updates} {
		d := newDescent(t, graph.Float64, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update { return updates(params, grads) })
		if moved(d) == 0 {
			t.Errorf("%s: nothing moved", name)
		}
		if err := d.state.Set(name, 0.0); err != nil {
			t.Fatal(err)
		}
		if by := moved(d); by != 0 {
			t.Errorf("%s = 0, but the parameter moved by %v", name, by)
		}
		if err := d.state.Set(name, 1e-3); err != nil {
			t.Fatal(err)
		}
		if by := math.Abs(moved(d)); by == 0 || by > 0.01 {
			t.Errorf("%s = 0.001: the parameter moved by %v", name, by)
		}
	}
	// A schedule as an expression: the rate halves with each step.
	d := newDescent(t, graph.Float64, func(g *graph.Graph, params, grads []*graph.Node) []graph.Update {
		rate := g.Variable("rate", graph.Float64, graph.Full(0.2))
		return append(optim.SGD{Rate: rate}.Updates(params, grads), graph.Update{Target: rate, Value: ops.Scale(rate, 0.5)})
	})
	q, rate := -1.5, 0.2
	for range 6 {
		d.step(t)
		q -= rate * 2 * q
		rate /= 2
		if got := d.values(t)[3]; math.Abs(got-q) > 1e-12 {
			t.Fatalf("q is %v, want %v", got, q)
		}
	}
	for _, name := range d.state.Names() {
		if name == "sgd.lr" {
			t.Error("a rate was given, yet there is another")
		}
	}
}

func TestNamesOfVariables(t *testing.T) {
	names := func(updates func(params, grads []*graph.Node) []graph.Update) (list []string) {
		d := newDescent(t, graph.Float32, func(_ *graph.Graph, params, grads []*graph.Node) []graph.Update { return updates(params, grads) })
		for _, v := range d.g.Variables() {
			list = append(list, fmt.Sprint(v.Name(), " ", v.Type()))
		}
		return list
	}
	for _, c := range []struct{ got, want []string }{
		{names(optim.SGD{}.Updates), []string{"sgd.lr float64"}},
		{names(optim.SGD{Momentum: 0.5, Name: "inner"}.Updates), []string{"inner.lr float64", "inner.momentum.p float32(3)", "inner.momentum.q float32"}},
		{names(optim.Adam{}.Updates), []string{"adam.lr float64", "adam.step float64", "adam.m.p float32(3)", "adam.v.p float32(3)", "adam.m.q float32", "adam.v.q float32"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
}

// What is wrong is said when the updates are compiled, and leaves no half of an optimiser behind.
func TestErrors(t *testing.T) {
	nan := math.NaN()
	g := graph.New()
	p, q := g.Param("p", graph.Float32, graph.Zeros(), 3), g.Param("q", graph.Float32, graph.Zeros())
	gp, gq := ops.Scale(p, 2), ops.Scale(q, 2)
	both, grads := []*graph.Node{p, q}, []*graph.Node{gp, gq}
	broken := ops.Sum(p, 5)
	for _, c := range []struct {
		name    string
		updates []graph.Update
		kind    error
		want    string
	}{
		{"rate NaN", optim.SGD{LR: nan}.Updates(both, grads), graph.ErrValue, "the learning rate is NaN"},
		{"rate negative", optim.Adam{LR: -1}.Updates(both, grads), graph.ErrValue, "the learning rate is -1"},
		{"rate infinite", optim.SGD{LR: math.Inf(1)}.Updates(both, grads), graph.ErrValue, "the learning rate is +Inf"},
		{"momentum", optim.SGD{Momentum: 1.5}.Updates(both, grads), graph.ErrValue, "Momentum is 1.5"},
		{"momentum NaN", optim.SGD{Momentum: nan}.Updates(both, grads), graph.ErrValue, "Momentum is NaN"},
		{"beta1", optim.Adam{Beta1: -0.1}.Updates(both, grads), graph.ErrValue, "Beta1 is -0.1"},
		{"beta1 of 1 divides by 0", optim.Adam{Beta1: 1}.Updates(both, grads), graph.ErrValue, "Beta1 is 1"},
		{"beta2 of 1 divides by 0", optim.Adam{Beta2: 1}.Updates(both, grads), graph.ErrValue, "Beta2 is 1"},
		{"epsilon", optim.Adam{Epsilon: -1}.Updates(both, grads), graph.ErrValue, "Epsilon is -1"},
		{"dampening", optim.SGD{Momentum: 0.9, Dampening: 2}.Updates(both, grads), graph.ErrValue, "Dampening is 2; it must be from 0 to 1"},
		{"Nesterov without momentum", optim.SGD{Nesterov: true}.Updates(both, grads), graph.ErrValue, "Nesterov's momentum needs Momentum above 0 and no Dampening"},
		{"Nesterov with dampening", optim.SGD{Momentum: 0.9, Dampening: 0.1, Nesterov: true}.Updates(both, grads), graph.ErrValue, "no Dampening"},
		{"decay", optim.AdamW{WeightDecay: -1}.Updates(both, grads), graph.ErrValue, "WeightDecay is -1"},
		{"decay NaN", optim.SGD{WeightDecay: nan}.Updates(both, grads), graph.ErrValue, "WeightDecay is NaN"},
		{"momentum's decay", optim.NAdam{MomentumDecay: -1}.Updates(both, grads), graph.ErrValue, "MomentumDecay is -1"},
		{"a moment of RAdam", optim.RAdam{Beta2: 1}.Updates(both, grads), graph.ErrValue, "Beta2 is 1"},
		{"a moment of Adamax", optim.Adamax{Beta1: 2}.Updates(both, grads), graph.ErrValue, "Beta1 is 2"},
		{"a moment of LAMB", optim.LAMB{Beta2: nan}.Updates(both, grads), graph.ErrValue, "Beta2 is NaN"},
		{"a moment of Lion", optim.Lion{Beta1: -1}.Updates(both, grads), graph.ErrValue, "Beta1 is -1"},
		{"alpha", optim.RMSprop{Alpha: 1.1}.Updates(both, grads), graph.ErrValue, "Alpha is 1.1; it must be from 0 to 1"},
		{"momentum of RMSprop", optim.RMSprop{Momentum: -1}.Updates(both, grads), graph.ErrValue, "Momentum is -1"},
		{"the rate's decay", optim.Adagrad{LRDecay: -1}.Updates(both, grads), graph.ErrValue, "LRDecay is -1"},
		{"the first sum", optim.Adagrad{Initial: -1}.Updates(both, grads), graph.ErrValue, "Initial is -1"},
		{"rho", optim.Adadelta{Rho: 1.5}.Updates(both, grads), graph.ErrValue, "Rho is 1.5"},
		{"epsilon of Adadelta", optim.Adadelta{Epsilon: nan}.Updates(both, grads), graph.ErrValue, "Epsilon is NaN"},
		{"a group of nobody", optim.SGD{Groups: []optim.Group{{Match: "r*"}}}.Updates(both, grads), graph.ErrName, `no parameter matches "r*" of a group`},
		{"a pattern", optim.SGD{Groups: []optim.Group{{Match: "["}}}.Updates(both, grads), graph.ErrValue, `the pattern "[" of a group: syntax error in pattern`},
		{"a group's rate", optim.Adam{Groups: []optim.Group{{Match: "p", LRFactor: -1}}}.Updates(both, grads), graph.ErrValue, "LRFactor is -1"},
		{"a group's decay", optim.Adam{Groups: []optim.Group{{Match: "p", WeightDecay: nan}}}.Updates(both, grads), graph.ErrValue, "WeightDecay is NaN"},
		{"no gradient", optim.Adam{}.Updates(both, []*graph.Node{gp, nil}), graph.ErrGradient, "parameter q has no gradient; leave it out, or freeze it by a Group"},
		{"counts", optim.SGD{}.Updates(both, grads[:1]), graph.ErrGraph, "2 parameters but 1 gradients"},
		{"nothing", optim.Adam{}.Updates(nil, nil), graph.ErrGraph, "no parameters"},
		{"types", optim.SGD{}.Updates(both, []*graph.Node{gq, gp}), graph.ErrShape, "parameter p is float32(3), its gradient float32"},
		{"an invalid gradient", optim.Adam{}.Updates(both, []*graph.Node{gp, broken}), graph.ErrShape, "axis 5"},
		{"a nil parameter", optim.Adam{}.Updates([]*graph.Node{nil}, []*graph.Node{gp}), graph.ErrGraph, "nil"},
		{"a rate of float32", optim.SGD{Rate: q}.Updates(both, grads), graph.ErrDType, "Rate is float32"},
		{"an invalid rate", optim.Adam{Rate: broken}.Updates(both, grads), graph.ErrShape, "axis 5"},
		{"no parameter", optim.SGD{Name: "a"}.Updates([]*graph.Node{gp}, []*graph.Node{gp}), graph.ErrGraph, "must be a parameter or a variable"},
		{"twice the same", optim.SGD{Name: "b"}.Updates([]*graph.Node{p, p}, []*graph.Node{gp, gp}), graph.ErrName, "updated twice"},
	} {
		_, err := vm.Compile(vm.Spec{Updates: c.updates})
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	optim.SGD{Name: "twin"}.Updates(both, grads)
	if _, err := vm.Compile(vm.Spec{Updates: optim.SGD{Name: "twin"}.Updates(both, grads)}); !errors.Is(err, graph.ErrName) {
		t.Errorf("two optimisers of one name: %v", err)
	}
}

// A frozen parameter needs no gradient.
func TestFrozenNeedsNoGradient(t *testing.T) {
	g := graph.New()
	p, q := g.Param("p", graph.Float32, graph.Zeros(), 3), g.Param("q", graph.Float32, graph.Zeros())
	updates := optim.Adam{Groups: []optim.Group{{Match: "q", Frozen: true}}}.Updates([]*graph.Node{p, q}, []*graph.Node{ops.Scale(p, 2), nil})
	if _, err := vm.Compile(vm.Spec{Updates: updates}); err != nil {
		t.Error(err)
	}
	for _, u := range updates {
		if u.Target == q {
			t.Error("the frozen parameter is updated")
		}
	}
}

// What LBFGS cannot work with is said, and the parameters stay.
func TestErrorsOfLBFGS(t *testing.T) {
	d := newDescent(t, graph.Float64, func(*graph.Graph, []*graph.Node, []*graph.Node) []graph.Update { return nil })
	before := d.values(t)
	ended, end := context.WithCancel(context.Background())
	end()
	for name, c := range map[string]struct {
		ctx           context.Context
		loss          *graph.Node
		params, grads []*graph.Node
		want          string
	}{
		"counts":                     {context.Background(), d.loss, d.params, d.grads[:1], "2 parameters and 1 gradients"},
		"nothing":                    {context.Background(), d.loss, nil, nil, "0 parameters and 0 gradients"},
		"a gradient that is missing": {context.Background(), d.loss, d.params, []*graph.Node{d.grads[0], nil}, "nil"},
		"a loss that is no output":   {context.Background(), d.params[1], d.params, d.grads, "output"},
		"cancelled":                  {ended, d.loss, d.params, d.grads, "canceled"},
	} {
		_, err := optim.LBFGS{}.Minimize(c.ctx, d.machine, d.state, c.loss, c.params, c.grads)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if diff := cmp.Diff(before, d.values(t)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Updates are expressions: they run on the tape with the gradient, and commit with the step.
func Example() {
	g := graph.New()
	w := g.Param("w", graph.Float64, graph.Full(10))
	loss := ops.Square(w)
	grads := autodiff.Grad(loss, w)
	program, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.SGD{LR: 0.25}.Updates(g.Params(), grads)})
	if err != nil {
		fmt.Println(err)
		return
	}
	state, _ := vm.NewState(g, 1)
	machine, _ := vm.NewMachine(program, state)
	for range 3 {
		if err := machine.Run(context.Background()); err != nil {
			fmt.Println(err)
		}
		v, _ := machine.Scalar(loss)
		w, _ := state.Get("w")
		fmt.Println(v, w)
	}
	// Output:
	// 100 5
	// 25 2.5
	// 6.25 1.25
}
