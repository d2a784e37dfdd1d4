package initializers_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/vm"
)

func fill(init graph.Init, n int, shape ...int) []float64 {
	x := make([]float64, n)
	init.Fill(rand.New(rand.NewPCG(1, 2)), shape, x)
	return x
}

// The variance of a standard normal between −2 and 2: 1 − 4φ(2)/(2Φ(2)−1).
var truncated = 1 - 4*math.Exp(-2)/math.Sqrt(2*math.Pi)/math.Erf(math.Sqrt2)

// Mean, variance and bounds over 100,000 draws. The sampling error of a mean is √(V/n), that of a variance V·√((κ−1)/n) with the
// kurtosis κ: 3 for a Gaussian, 9/5 for a uniform distribution, less than 3 for a truncated Gaussian. 4 of these are allowed.
func TestMoments(t *testing.T) {
	const n = 100_000
	for _, c := range []struct {
		name     string
		init     graph.Init
		shape    []int
		mean     float64
		variance float64
		lo, hi   float64 // bounds that are nearly reached; both 0: none
	}{
		{"normal(0.3)", initializers.Normal(0.3), []int{5}, 0, 0.09, 0, 0},
		{"truncated_normal(0.5, -1, 1)", initializers.TruncatedNormal(0.5, -1, 1), []int{5}, 0, truncated / 4, -1, 1},
		{"uniform(-1, 3)", initializers.Uniform(-1, 3), []int{5}, 1, 16.0 / 12, -1, 3},
		{"he", initializers.He(), []int{50, 7}, 0, 2.0 / 50, 0, 0},
		{"he", initializers.He(), []int{8}, 0, 2.0 / 8, 0, 0},
		{"he", initializers.He(), []int{9, 4, 3, 5}, 0, 2.0 / 60, 0, 0},
		{"he", initializers.He(), nil, 0, 2, 0, 0},
		{"he", initializers.He(), []int{0, 3}, 0, 2, 0, 0},
		{"he_uniform", initializers.HeUniform(), []int{24, 3}, 0, 2.0 / 24, -0.5, 0.5},
		{"xavier", initializers.Xavier(), []int{30, 10}, 0, 2.0 / 40, 0, 0},
		{"xavier", initializers.Xavier(), []int{8, 2, 3, 3}, 0, 2.0 / 90, 0, 0},
		{"xavier", initializers.Xavier(), []int{10}, 0, 0.1, 0, 0},
		{"xavier_uniform", initializers.XavierUniform(), []int{10, 14}, 0, 2.0 / 24, -0.5, 0.5},
		{"lecun", initializers.LeCun(), []int{50, 7}, 0, 1.0 / 50, 0, 0},
		{"lecun_uniform", initializers.LeCunUniform(), []int{12, 3}, 0, 1.0 / 12, -0.5, 0.5},
		{"scaled_normal(1.667, fan_in)", initializers.ScaledNormal(initializers.GainTanh, initializers.FanIn), []int{50, 7}, 0, 25.0 / 9 / 50, 0, 0},
		{"scaled_normal(2, fan_out)", initializers.ScaledNormal(2, initializers.FanOut), []int{9, 4, 3, 5}, 0, 4.0 / 135, 0, 0},
		{"scaled_uniform(2, fan_out)", initializers.ScaledUniform(2, initializers.FanOut), []int{3, 12}, 0, 4.0 / 12, -1, 1},
		{"scaled_uniform(0.5, fan_average)", initializers.ScaledUniform(0.5, initializers.FanAverage), []int{4, 2}, 0, 0.25 / 3, -0.5, 0.5},
		{"he", initializers.Shaped(initializers.He(), 10, 4), []int{4, 5, 2}, 0, 2.0 / 10, 0, 0},
		{"sparse(0.75, 2)", initializers.Sparse(0.75, 2), []int{1000, 100}, 0, 1, 0, 0},
	} {
		x := fill(c.init, n, c.shape...)
		mean, variance := 0.0, 0.0
		for _, v := range x {
			mean += v / n
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / n
		}
		kurtosis := 3.0
		switch {
		case strings.Contains(c.name, "uniform"):
			kurtosis = 1.8
		case strings.Contains(c.name, "sparse"):
			kurtosis = 3 / 0.25
		}
		if c.lo != c.hi {
			if lo, hi := slices.Min(x), slices.Max(x); lo < c.lo || hi > c.hi || hi-lo < 0.999*(c.hi-c.lo) {
				t.Errorf("%s lies in [%v, %v], want nearly all of [%v, %v]", c.name, lo, hi, c.lo, c.hi)
			}
		}
		if math.Abs(mean-c.mean) > 4*math.Sqrt(c.variance/n) {
			t.Errorf("%s of %v: mean %v, want %v", c.name, c.shape, mean, c.mean)
		}
		if math.Abs(variance-c.variance) > 4*c.variance*math.Sqrt((kurtosis-1)/n) {
			t.Errorf("%s of %v: variance %v, want %v", c.name, c.shape, variance, c.variance)
		}
		if c.init.Name != c.name {
			t.Errorf("listings say %q, want %q", c.init.Name, c.name)
		}
	}
}

// The whole distribution of a truncated Gaussian, by the largest distance of the distribution functions (Kolmogorov and Smirnov):
// beyond 1.95/√n once in a thousand samples.
func TestTruncatedNormal(t *testing.T) {
	const n = 100_000
	cdf := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, c := range []struct{ std, lo, hi float64 }{
		{1, -2, 2},
		{2, -1, 5},
		{0.5, 0, math.Inf(1)},
		{1, math.Inf(-1), math.Inf(1)},
		{3, -1e-3, 2e-3}, // nearly uniform
	} {
		x := fill(initializers.TruncatedNormal(c.std, c.lo, c.hi), n)
		slices.Sort(x)
		if x[0] < c.lo || x[n-1] > c.hi || math.IsInf(x[0], 0) || math.IsInf(x[n-1], 0) {
			t.Errorf("%+v: from %v to %v", c, x[0], x[n-1])
		}
		below, above := cdf(c.lo/c.std), cdf(c.hi/c.std)
		furthest := 0.0
		for i, v := range x {
			furthest = max(furthest, math.Abs((cdf(v/c.std)-below)/(above-below)-(float64(i)+0.5)/n))
		}
		if furthest > 1.95/math.Sqrt(n) {
			t.Errorf("%+v: distribution functions are %v apart", c, furthest)
		}
	}
}

func TestConstants(t *testing.T) {
	for want, init := range map[float64]graph.Init{0: initializers.Zeros(), 1: initializers.Ones(), 2.5: initializers.Constant(2.5)} {
		x := []float64{9, 9}
		if init.Fill(nil, []int{2}, x); x[0] != want || x[1] != want {
			t.Errorf("%v, want %v", x, want)
		}
	}
}

// Gains of any activation, where the expectation is known.
func TestGainOf(t *testing.T) {
	const kink = 0.70711                                                                       // not one of the places that GainOf looks at
	const lambda, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717 // Klambauer et al. 2017
	for _, c := range []struct {
		name            string
		f               func(float64) float64
		want, tolerance float64
	}{
		{"identity", func(x float64) float64 { return x }, 1, 1e-12},
		{"relu", func(x float64) float64 { return max(x, 0) }, math.Sqrt2, 1e-9},
		{"leaky relu", func(x float64) float64 { return max(x, 0.2*x) }, initializers.GainLeakyReLU(0.2), 1e-9},
		{"selu keeps the size of what it is given", func(x float64) float64 {
			if x > 0 {
				return lambda * x
			}
			return lambda * alpha * math.Expm1(x)
		}, 1, 1e-9},
		{"sine: E sin² = (1 − e⁻²)/2", math.Sin, math.Sqrt(2 / (1 - math.Exp(-2))), 1e-12},
		{"square: E z⁴ = 3", func(x float64) float64 { return x * x }, 1 / math.Sqrt(3), 1e-12},
		{"a kink: E max(z−a, 0)² = (1+a²)·P(z > a) − a·φ(a)", func(x float64) float64 { return max(x-kink, 0) },
			1 / math.Sqrt((1+kink*kink)*math.Erfc(kink/math.Sqrt2)/2-kink*math.Exp(-kink*kink/2)/math.Sqrt(2*math.Pi)), 1e-6},
		{"a step: P(z > 0.3)", func(x float64) float64 { return math.Ceil(min(max(x-0.3, 0), 1)) }, 1 / math.Sqrt(math.Erfc(0.3/math.Sqrt2)/2), 1e-3},
	} {
		if got := initializers.GainOf(c.f); !(math.Abs(got-c.want) <= c.tolerance*c.want) {
			t.Errorf("%s: gain %v, want %v", c.name, got, c.want)
		}
	}
}

// A parameter's numbers hang on the seed and its name alone: not on what else is in the model, nor on the order.
func TestSeedsAreTheParametersOwn(t *testing.T) {
	values := func(seed uint64, names ...string) map[string]string {
		g := graph.New()
		for _, name := range names {
			g.Param(name, graph.Float64, initializers.Orthogonal(1), 4, 3)
		}
		state, err := vm.NewState(g, seed)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, name := range names {
			v, err := state.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = fmt.Sprint(v.Float64s())
		}
		return all
	}
	small, large, other := values(1, "0.weight", "1.weight"), values(1, "1.weight", "new.weight", "0.weight"), values(2, "0.weight")
	if small["0.weight"] != large["0.weight"] || small["1.weight"] != large["1.weight"] {
		t.Error("a new layer changes the others")
	}
	if small["0.weight"] == small["1.weight"] || small["0.weight"] == other["0.weight"] {
		t.Error("two names or two seeds give the same numbers")
	}
}

// What makes no sense is an error of the parameter, and the layer's.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		init  graph.Init
		shape []graph.Dim
		kind  error
		want  string
	}{
		{initializers.Normal(-1), []graph.Dim{2}, graph.ErrValue, "a standard deviation of -1; want a finite number from 0 up"},
		{initializers.Normal(math.NaN()), []graph.Dim{2}, graph.ErrValue, "a standard deviation of NaN"},
		{initializers.TruncatedNormal(0, -1, 1), nil, graph.ErrValue, "a standard deviation of 0; want a finite number above 0"},
		{initializers.TruncatedNormal(1, 1, 2), nil, graph.ErrValue, "a Gaussian of mean 0 between 1 and 2; want lo ≤ 0 ≤ hi and lo < hi"},
		{initializers.TruncatedNormal(1, 0, 0), nil, graph.ErrValue, "a Gaussian of mean 0 between 0 and 0"},
		{initializers.Uniform(1, -1), nil, graph.ErrValue, "uniform between 1 and -1; want finite numbers, the lower first"},
		{initializers.Uniform(0, math.Inf(1)), nil, graph.ErrValue, "uniform between 0 and +Inf"},
		{initializers.ScaledNormal(math.Inf(1), initializers.FanIn), nil, graph.ErrValue, "a gain of +Inf; want a finite number, such as initializers.GainReLU"},
		{initializers.ScaledUniform(1, 7), nil, graph.ErrValue, "there is no Fan 7; want FanIn, FanOut or FanAverage"},
		{initializers.Orthogonal(1), []graph.Dim{8}, graph.ErrShape, "an orthogonal matrix of shape [8]; want two or more dimensions"},
		{initializers.Orthogonal(math.NaN()), []graph.Dim{2, 2}, graph.ErrValue, "a gain of NaN"},
		{initializers.Identity(1), []graph.Dim{2, 2, 3}, graph.ErrShape, "an identity of shape [2 2 3]; want a matrix, or Dirac for the weights of a convolution"},
		{initializers.Identity(math.NaN()), []graph.Dim{2, 2}, graph.ErrValue, "a gain of NaN"},
		{initializers.Dirac(1), []graph.Dim{2, 2}, graph.ErrShape, "the identity of a convolution of shape [2 2]; want (out, in/groups, window…), or Identity for a matrix"},
		{initializers.Dirac(3), []graph.Dim{4, 2, 3}, graph.ErrValue, "4 outputs in 3 groups; the groups must be 1 or more, and divide them evenly"},
		{initializers.Dirac(0), []graph.Dim{4, 2, 3}, graph.ErrValue, "4 outputs in 0 groups"},
		{initializers.Sparse(0.5, 1), []graph.Dim{4}, graph.ErrShape, "a sparse matrix of shape [4]; want two dimensions"},
		{initializers.Sparse(1.5, 1), []graph.Dim{4, 4}, graph.ErrValue, "a sparsity of 1.5; want the share of zeros, from 0 to 1"},
		{initializers.Sparse(0.5, -1), []graph.Dim{4, 4}, graph.ErrValue, "a standard deviation of -1"},
		{initializers.Shaped(initializers.He(), 2, 3), []graph.Dim{3, 3}, graph.ErrShape, "6 elements drawn for shape [2 3], but 9 of shape [3 3]; these must be equal"},
		{initializers.Shaped(initializers.Orthogonal(1), 6), []graph.Dim{2, 3}, graph.ErrShape, "an orthogonal matrix of shape [6]"},
	} {
		p := graph.New().Param("w", graph.Float32, c.init, c.shape...)
		if err := p.Err(); err == nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "initializers_test.go:") || !strings.Contains(err.Error(), "param w: "+c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	g := graph.New()
	y := nn.Build(g, nn.Sequential{&nn.Linear{Out: 4, Weight: initializers.Dirac(1)}}, g.Input("x", graph.Float32, graph.Symbol("batch"), 3))
	if err := y.Err(); err == nil || !strings.Contains(err.Error(), "param 0.weight: the identity of a convolution of shape [3 4]") {
		t.Error(err)
	}
}

// The zero Init means zeros, also through Shaped.
func TestShapedZeros(t *testing.T) {
	g := graph.New()
	g.Param("w", graph.Float64, initializers.Shaped(graph.Init{}, 4), 2, 2)
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := state.Get("w"); err != nil || fmt.Sprint(v.Float64s()) != "[0 0 0 0]" {
		t.Error(v, err)
	}
}

func ExampleScaledNormal() {
	silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	layer := nn.Linear{Out: 64, Weight: initializers.ScaledNormal(initializers.GainOf(silu), initializers.FanIn)}
	fmt.Println(layer.Weight.Name)
	// Output: scaled_normal(1.677, fan_in)
}
