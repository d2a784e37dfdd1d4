package nn_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Weights start as suits the activation that follows, where that is known.
func TestWeightsSuitWhatFollows(t *testing.T) {
	linear := func() *nn.Linear { return &nn.Linear{Out: 4} }
	for _, c := range []struct {
		name  string
		model nn.Layer
		want  []string // of the weights
	}{
		{"the end of a model", linear(), []string{"lecun"}},
		{"activations", nn.Sequential{linear(), nn.ReLU, linear(), nn.Tanh, linear(), nn.SELU, linear(), nn.GELU, linear(), nn.LeakyReLU{Slope: 0.5}, linear()},
			[]string{"he", "xavier", "lecun", "scaled_normal(1.534, fan_in)", "scaled_normal(1.265, fan_in)", "lecun"}},
		{"what is looked through", nn.Sequential{linear(), nn.Dropout{P: 0.5}, nn.Sequential{&nn.LayerNorm{}, nn.Flatten{}}, nn.Sigmoid}, []string{"xavier"}},
		{"chains in chains", nn.Sequential{nn.Sequential{linear()}, nn.Sequential{nn.Sequential{nn.Tanh, linear()}}, nn.ReLU}, []string{"xavier", "he"}},
		{"chains with names", nn.Chain{{Name: "a", Layer: linear()}, {Name: "b", Layer: nn.Chain{{Name: "c", Layer: nn.Tanh}, {Name: "d", Layer: linear()}}}}, []string{"xavier", "lecun"}},
		{"weights after weights", nn.Sequential{linear(), linear(), nn.Softmax}, []string{"lecun", "lecun"}},
		{"a function, of which nothing is known", nn.Sequential{linear(), nn.Func(ops.Tanh)}, []string{"he"}},
		{"within a layer of the user's", &gate{inner: nn.Linear{Out: 3}}, []string{"he"}},
		{"a residual's body", &nn.Residual{Body: nn.Sequential{linear(), nn.Tanh, &nn.Linear{Out: 3}}}, []string{"xavier", "he"}},
		{"one that is given", nn.Sequential{&nn.Linear{Out: 4, Weight: initializers.Orthogonal(1)}, nn.ReLU}, []string{"orthogonal(1)"}},
		{"an activation of the user's", nn.Sequential{linear(), nn.Activation{Of: ops.Sin, Weight: initializers.Uniform(-1, 1)}, linear(), nn.Activation{Of: ops.Sin}},
			[]string{"uniform(-1, 1)", "he"}},
	} {
		g := graph.New()
		if y := nn.Build(g, c.model, input(g, "x", 3)); y.Err() != nil {
			t.Errorf("%s: %v", c.name, y.Err())
		}
		var got []string
		for _, p := range g.Params() {
			if p.Shape().Rank() == 2 {
				got = append(got, p.Init().Name)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	g := graph.New()
	nn.Sequential{linear(), nn.Tanh, linear()}.Build(nn.Root(g, ""), input(g, "x", 3))
	if name := g.Leaf("2.weight").Init().Name; name != "he" {
		t.Errorf("at the end of a part of a model, of which nothing is known: %s", name)
	}
}

// The gains of the activations are those that keep the mean square of a signal.
func TestGains(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		name  string
		layer nn.Layer
		f     func(x float64) float64
	}{
		{"silu", nn.SiLU, func(x float64) float64 { return x * sigmoid(x) }},
		{"gelu", nn.GELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }},
		{"mish", nn.Mish, func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) }},
		{"hardswish", nn.HardSwish, func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 }},
		{"elu", nn.ELU{Alpha: 0.7}, func(x float64) float64 { return max(x, 0) + 0.7*math.Expm1(min(x, 0)) }},
		{"celu", nn.CELU{Alpha: 2}, func(x float64) float64 { return max(x, 0) + 2*math.Expm1(min(x/2, 0)) }},
		{"swish", nn.Swish{Beta: 2}, func(x float64) float64 { return x * sigmoid(2*x) }},
	} {
		g := graph.New()
		nn.Build(g, nn.Sequential{&nn.Linear{Out: 3}, c.layer}, input(g, "x", 3))
		want := initializers.ScaledNormal(initializers.GainOf(c.f), initializers.FanIn).Name
		if got := g.Leaf("0.weight").Init().Name; got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

// The weights of a transposed convolution are spread over the result: an element sees in·window/stride of them.
func TestTransposedConvolutionsKeepTheSignal(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 8, 5, 5)
	nn.Build(g, nn.Sequential{&nn.ConvTranspose2D{Out: 6, Kernel: []int{4}, Stride: []int{2}, Groups: 2}, nn.ReLU}, x)
	w := g.Leaf("0.weight")
	if !w.Shape().Identical(graph.Shape{8, 3, 4, 4}) {
		t.Fatal(w.Shape())
	}
	values := make([]float64, 8*3*4*4)
	w.Init().Fill(random(), []int{8, 3, 4, 4}, values)
	sum := 0.0
	for _, v := range values {
		sum += v * v
	}
	const want = 2.0 / (4 * 16 / 4) // He, of 4 channels in a group
	if got := sum / float64(len(values)); math.Abs(got-want) > 4*want*math.Sqrt(2/float64(len(values))) {
		t.Errorf("variance %v, want %v", got, want)
	}
}
