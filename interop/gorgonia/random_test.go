package gorgonia_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// steps keep values from growing, so that a bound relative to their size means something.
var steps = []func(a, b node) node{
	func(a, b node) node { return ops.Scale(ops.Add(a, b), 0.5) },
	func(a, b node) node { return ops.Scale(ops.Sub(a, b), 0.5) },
	func(a, b node) node { return ops.Mul(ops.Tanh(a), b) },
	func(a, b node) node { return ops.Div(a, ops.AddScalar(ops.Square(b), 1)) },
	func(a, _ node) node { return ops.Tanh(a) },
	func(a, _ node) node { return ops.Sigmoid(a) },
	func(a, _ node) node { return ops.Softplus(a) },
	func(a, _ node) node { return ops.Exp(ops.Neg(ops.Square(a))) },
	func(a, _ node) node { return ops.Log1p(ops.Square(a)) },
	func(a, _ node) node { return ops.Sqrt(ops.AddScalar(ops.Square(a), 1)) },
	func(a, b node) node { return ops.Select(ops.Less(a, b), a, ops.Tanh(b)) },
	func(a, _ node) node { return ops.Softmax(a, -1) },
	func(a, b node) node { return ops.Add(a, ops.SumKeep(ops.Softmax(b, -1), 0)) },
	func(a, b node) node { return ops.Sub(a, ops.MeanKeep(b, -1)) },
	func(a, b node) node { return ops.MatMul(a, ops.Scale(ops.MatMul(ops.Transpose(a), b), 0.1)) },
}

// Expressions of up to 12 operators, whose values are used several times: 10⁵ ε of the largest element in float64.
func TestRandomExpressionsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(2, 5).Draw(t, "rows"), rapid.IntRange(2, 5).Draw(t, "columns")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		p := pose(func(x ...node) node {
			pool := append(nodes{}, x...)
			for range rapid.IntRange(1, 12).Draw(t, "operators") {
				step := rapid.SampledFrom(steps).Draw(t, "step")
				pool = append(pool, step(rapid.SampledFrom(pool).Draw(t, "a"), rapid.SampledFrom(pool).Draw(t, "b")))
			}
			return ops.AddN(pool...)
		}, random(r, graph.Float64, -1, 1, rows, columns), random(r, graph.Float64, -1, 1, rows, columns))
		agree(t, p, 1e5*epsilon[graph.Float64])
	})
}

func agree(t *rapid.T, p problem, bound float64) {
	want, err := p.byTapir()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() (answers, error){"gorgonia": p.byGorgonia, "our gradient there": p.ourGradientThere} {
		if got, err := f(); err != nil {
			t.Fatalf("%s: %v\n%v", name, err, p.loss.Graph())
		} else if d := differ(got, want, bound); d != "" {
			t.Fatalf("%s: %s\n%v", name, d, p.loss.Graph())
		}
	}
}

// Networks of random widths, activations and losses, over a symbolic batch: the loss and the gradient of each parameter agree to
// 10⁴ ε of the gradient's largest element (at least 1), in both float types.
func TestRandomNetworksAgree(t *testing.T) {
	activations := []nn.Func{ops.ReLU, ops.Sigmoid, ops.Tanh, ops.Softplus, func(x node) node { return ops.Mul(x, ops.Sigmoid(x)) }}
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64}).Draw(t, "type")
		width := rapid.IntRange(2, 12)
		batch, in := width.Draw(t, "batch"), width.Draw(t, "in")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))

		g, n := graph.New(), graph.Symbol("batch")
		x := g.Input("x", dtype, n, graph.Dim(in))
		feeds := vm.Feeds{x: random(r, dtype, -1, 1, batch, in).Dense()}
		var model nn.Sequential
		linear := func(name string) *nn.Linear { // with biases that keep relu from 0, where the conventions differ
			return &nn.Linear{Out: width.Draw(t, name), Bias: initializers.Uniform(-0.5, 0.5)}
		}
		for range rapid.IntRange(0, 3).Draw(t, "hidden layers") {
			model = append(model, linear("width"), rapid.SampledFrom(activations).Draw(t, "activation"))
		}
		last := linear("out")
		last.NoBias = rapid.Bool().Draw(t, "no bias")
		out := last.Out
		y := nn.Build(g, append(model, last), x)
		target := func() node {
			z := g.Input("target", dtype, n, graph.Dim(out))
			feeds[z] = random(r, dtype, 0, 1, batch, out).Dense()
			return z
		}
		var loss node
		switch rapid.SampledFrom([]string{"mse", "labels", "distributions", "bits", "largest"}).Draw(t, "loss") {
		case "mse":
			loss = losses.MSE(y, target())
		case "labels":
			labels := g.Input("labels", graph.Int64, n)
			list := make([]int64, batch)
			for i := range list {
				list[i] = r.Int64N(int64(out))
			}
			feeds[labels] = list
			loss = losses.CrossEntropy(y, labels)
		case "distributions":
			loss = ops.Neg(ops.Mean(ops.Sum(ops.Mul(target(), ops.LogSoftmax(y, 1)), 1)))
		case "bits":
			loss = ops.Mean(ops.Sub(ops.Softplus(y), ops.Mul(y, target())))
		case "largest":
			loss = ops.Mean(ops.Max(ops.Square(y), 1))
		}
		state, err := vm.NewState(g, r.Uint64())
		if err != nil {
			t.Fatal(err)
		}
		agree(t, problem{x: g.Params(), y: y, loss: loss, feeds: feeds, state: state}, 1e4*epsilon[dtype])
	})
}
