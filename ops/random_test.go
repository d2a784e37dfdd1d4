package ops_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// drawn is what a random expression over a constant key gives.
func drawn(t *testing.T, build func(g *graph.Graph) *graph.Node) graph.Array {
	t.Helper()
	g := graph.New()
	n := build(g)
	v, err := vm.Eval(nil, n)
	if err != nil {
		t.Fatal(err)
	}
	a, err := graph.ArrayOf(v)
	if err != nil {
		t.Fatal(err)
	}
	return clone(a)
}

func values(a graph.Array) []float64 {
	list := make([]float64, a.Len())
	for i := range list {
		list[i] = a.At(i)
	}
	return list
}

const draws = 40000

// distributions are what is drawn, with the distribution function it must have.
var distributions = []struct {
	name           string
	draw           func(key *graph.Node, stream int, dtype graph.DType, n graph.Dim) *graph.Node
	cdf            func(x float64) float64
	mean, variance float64
}{
	{"uniform", func(key *graph.Node, stream int, dtype graph.DType, n graph.Dim) *graph.Node {
		return ops.Uniform(key, stream, 0, 1, dtype, n)
	}, func(x float64) float64 { return x }, 0.5, 1. / 12},
	{"uniform −2…6", func(key *graph.Node, stream int, dtype graph.DType, n graph.Dim) *graph.Node {
		return ops.Uniform(key, stream, -2, 6, dtype, n)
	}, func(x float64) float64 { return (x + 2) / 8 }, 2, 64. / 12},
	{"normal", func(key *graph.Node, stream int, dtype graph.DType, n graph.Dim) *graph.Node {
		return ops.Normal(key, stream, 0, 1, dtype, n)
	}, func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }, 0, 1},
	{"normal 3 ± ½", func(key *graph.Node, stream int, dtype graph.DType, n graph.Dim) *graph.Node {
		return ops.Normal(key, stream, 3, 0.5, dtype, n)
	}, func(x float64) float64 { return 0.5 * math.Erfc(-(x-3)/(0.5*math.Sqrt2)) }, 3, 0.25},
}

// Kolmogorov and Smirnov's largest distance of the empirical from the true distribution stays below 1.95/√n, which one honest sample
// in a thousand exceeds; mean and variance within 4 standard errors. The seeds are fixed, so this holds or fails for good.
func TestDistributions(t *testing.T) {
	for _, d := range distributions {
		for _, dtype := range floatTypes {
			for seed := range int64(3) {
				x := values(drawn(t, func(g *graph.Graph) *graph.Node { return d.draw(ops.Key(g, seed), 5, dtype, draws) }))
				mean, square := 0.0, 0.0
				for _, v := range x {
					mean += v / draws
					square += (v - d.mean) * (v - d.mean) / draws
				}
				if e := math.Abs(mean - d.mean); e > 4*math.Sqrt(d.variance/draws) {
					t.Errorf("%s %v, seed %d: the mean is %v, want %v", d.name, dtype, seed, mean, d.mean)
				}
				if e := math.Abs(square - d.variance); e > 4*d.variance*math.Sqrt(2./draws) {
					t.Errorf("%s %v, seed %d: the variance is %v, want %v", d.name, dtype, seed, square, d.variance)
				}
				slices.Sort(x)
				distance := 0.0
				for i, v := range x {
					f := d.cdf(v)
					distance = max(distance, f-float64(i)/draws, float64(i+1)/draws-f)
				}
				if distance > 1.95/math.Sqrt(draws) {
					t.Errorf("%s %v, seed %d: the distribution is off by %v", d.name, dtype, seed, distance)
				}
			}
		}
	}
}

// Different seeds, steps and streams give uncorrelated numbers; a shift of one against the other does not help either.
func TestStreamsAndStepsAreIndependent(t *testing.T) {
	draw := func(seed, step int64, stream int) []float64 {
		return values(drawn(t, func(g *graph.Graph) *graph.Node {
			return ops.Normal(g.Constant([]int64{seed, step}), stream, 0, 1, graph.Float64, draws)
		}))
	}
	sources := [][]float64{draw(1, 0, 0), draw(1, 0, 1), draw(1, 0, -1), draw(1, 1, 0), draw(1, 2, 0), draw(2, 0, 0), draw(2, 1, 0), draw(0, 0, 0), draw(-1, 0, 0)}
	for i, a := range sources {
		for j, b := range sources[:i] {
			for _, lag := range []int{0, 1, 2, 4} {
				product := 0.0
				for k := range draws - lag {
					product += a[k] * b[k+lag] / draws
				}
				if math.Abs(product) > 4.5/math.Sqrt(draws) {
					t.Errorf("sources %d and %d, shifted by %d: correlation %v", i, j, lag, product)
				}
			}
		}
	}
}

// Element i depends on key, stream and i alone: a longer result begins with a shorter one, also where it is cut into parts.
func TestLongerDrawsBeginWithShorterOnes(t *testing.T) {
	for _, d := range distributions {
		for _, dtype := range floatTypes {
			draw := func(n graph.Dim) graph.Array {
				return drawn(t, func(g *graph.Graph) *graph.Node { return d.draw(ops.Key(g, 3), 1, dtype, n) })
			}
			long := draw(draws)
			for _, n := range []int{1, 2, 7, 512, 1<<14 + 3} {
				short := draw(graph.Dim(n))
				for i := range n {
					if short.At(i) != long.At(i) {
						t.Fatalf("%s %v: element %d of %d is %v, of %d %v", d.name, dtype, i, n, short.At(i), draws, long.At(i))
					}
				}
			}
		}
	}
}

// Equal draws are one node; another stream, key, type or shape is another; each dropout is of its own.
func TestWhichDrawsAreOne(t *testing.T) {
	g := graph.New()
	key := ops.Key(g, 1)
	if ops.Key(g, 1) != key || ops.Key(g, 2) == key || ops.NextKey(key) == key {
		t.Error("keys")
	}
	a := ops.Uniform(key, 1, 0, 1, graph.Float32, 4)
	for i, b := range []*graph.Node{ops.Uniform(key, 2, 0, 1, graph.Float32, 4), ops.Uniform(ops.Key(g, 2), 1, 0, 1, graph.Float32, 4),
		ops.Uniform(key, 1, 0, 1, graph.Float64, 4), ops.Uniform(key, 1, 0, 1, graph.Float32, 5), ops.Normal(key, 1, 0, 1, graph.Float32, 4)} {
		if a == b {
			t.Errorf("draw %d is the first one", i)
		}
	}
	mask := ops.Bernoulli(key, 1, 0.25, 4)
	if ops.Uniform(key, 1, 0, 1, graph.Float32, 4) != a || ops.Bernoulli(key, 1, 0.25, 4) != mask {
		t.Error("equal draws are two nodes")
	}
	x := g.Input("x", graph.Float32, 4)
	streams := map[int]bool{}
	for range 5 {
		streams[ops.FreshStream(g)] = true
		ops.Dropout(x, 0.5, key)
	}
	if len(streams) != 5 {
		t.Errorf("five dropouts have the streams %v", streams)
	}
	for s := range streams {
		if s >= 0 {
			t.Errorf("the fresh stream %d is one of a user's", s)
		}
	}
}

// Each permutation holds every number once; over many streams each place sees each number about equally often.
func TestRandomPermutation(t *testing.T) {
	for _, n := range []int{0, 1, 2, 511, 512, 513, 5000} {
		p := drawn(t, func(g *graph.Graph) *graph.Node { return ops.RandomPermutation(ops.Key(g, 9), 0, graph.Dim(n)) })
		seen := make([]bool, n)
		fixed := 0
		for i, v := range p.I64() {
			if v < 0 || int(v) >= n || seen[v] {
				t.Fatalf("%d of them: element %d is %d", n, i, v)
			}
			seen[v] = true
			if int(v) == i {
				fixed++
			}
		}
		if n > 2 && fixed > 8 {
			t.Errorf("%d of %d stay in place; one is to be expected", fixed, n)
		}
	}
	const n, trials = 5, 4000
	var counts [n][n]int
	g := graph.New()
	var all []*graph.Node
	for stream := range trials {
		all = append(all, ops.RandomPermutation(ops.Key(g, 9), stream, n))
	}
	e := &expression{g: g, outs: all}
	outs, err := e.run()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range outs {
		for i, v := range p.I64() {
			counts[i][v]++
		}
	}
	for i := range counts {
		for v, c := range counts[i] {
			if e := math.Abs(float64(c) - trials/n); e > 4*math.Sqrt(trials*1./n*(1-1./n)) {
				t.Errorf("number %d is in place %d %d times of %d", v, i, c, trials)
			}
		}
	}
}

// Booleans and categories come with the probabilities asked for, the certain and the impossible included.
func TestDiscreteDraws(t *testing.T) {
	share := func(a graph.Array, v float64) float64 {
		n := 0
		for i := range a.Len() {
			if a.At(i) == v {
				n++
			}
		}
		return float64(n) / float64(a.Len())
	}
	within := func(what string, got, p float64) {
		if math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/draws) {
			t.Errorf("%s: a share of %v, want %v", what, got, p)
		}
	}
	for _, p := range []float64{0, 0.001, 0.3, 0.5, 0.9, 1} {
		b := drawn(t, func(g *graph.Graph) *graph.Node { return ops.Bernoulli(ops.Key(g, 4), 8, p, draws) })
		within(fmt.Sprint("bernoulli ", p), share(b, 1), p)
	}
	logits := []float64{math.Log(0.2), math.Log(0.5), -inf, math.Log(0.3)}
	for _, dtype := range floatTypes {
		c := drawn(t, func(g *graph.Graph) *graph.Node {
			l := g.Constant(array(dtype, []int{4}, logits...))
			return ops.Categorical(ops.Key(g, 4), 0, ops.BroadcastTo(l, draws, 4))
		})
		for i, p := range []float64{0.2, 0.5, 0, 0.3} {
			within(fmt.Sprint("category ", i), share(c, float64(i)), p)
		}
	}
}

// The same seed gives the same bits at any GOMAXPROCS, at any batch size.
func TestRandomIsTheSameAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	g := graph.New()
	batch := graph.Symbol("batch")
	x := g.Input("x", graph.Float32, batch, 64)
	key := ops.StepKey(g, "key")
	outs := []*graph.Node{ops.Uniform(key, 0, -1, 1, graph.Float32, batch, 64), ops.Normal(key, 1, 0, 1, graph.Float64, batch, 64),
		ops.RandomPermutation(key, 2, batch), ops.Dropout(x, 0.3, key)}
	p, err := vm.Compile(vm.Spec{Outputs: outs, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		s, err := vm.NewState(g, 7)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, rows := range []int{1000, 3, 1000} {
			if err := m.Feed(x, array(graph.Float32, []int{rows, 64}, 1, 2, 3)); err != nil {
				t.Fatal(err)
			}
			if err := m.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, n := range outs {
				v, err := m.Value(n)
				if err != nil {
					t.Fatal(err)
				}
				a, _ := graph.ArrayOf(v)
				got += string(a.Bytes())
			}
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("GOMAXPROCS=%d gives other bits than GOMAXPROCS=1", procs)
		}
	}
}

// A step key starts from the State's seed, moves with each training step, and not otherwise; setting it replays a step.
func TestStepKey(t *testing.T) {
	g := graph.New()
	key := ops.StepKey(g, "key")
	u := ops.Uniform(key, 0, 0, 1, graph.Float64, 3)
	machine := func(mode vm.Mode, seed uint64) (*vm.Machine, *vm.State) {
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{u}, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		s, err := vm.NewState(g, seed)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		return m, s
	}
	run := func(m *vm.Machine) string {
		if err := m.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		v, _ := m.Value(u)
		return fmt.Sprint(v.Float64s())
	}
	m, s := machine(vm.Train, 1)
	first, second, third := run(m), run(m), run(m)
	if first == second || second == third || first == third {
		t.Errorf("steps that draw the same: %s, %s, %s", first, second, third)
	}
	k, err := s.Get("key")
	if err != nil {
		t.Fatal(err)
	}
	seed := k.Int64s()
	if seed[1] != 3 || seed[0] == 0 {
		t.Errorf("after three steps the key is %v", seed)
	}
	if err := s.Set("key", []int64{seed[0], 1}); err != nil {
		t.Fatal(err)
	}
	if again := run(m); again != second {
		t.Errorf("step 1 again gives %s, not %s", again, second)
	}
	if m, _ := machine(vm.Train, 1); run(m) != first {
		t.Error("the same seed gives another first step")
	}
	if m, _ := machine(vm.Train, 2); run(m) == first {
		t.Error("another seed gives the same first step")
	}
	m, _ = machine(vm.Infer, 1)
	for range 2 {
		if run(m) != first {
			t.Error("an inference program advances the key")
		}
	}
}

func TestRandomErrors(t *testing.T) {
	g := graph.New()
	key := ops.Key(g, 1)
	x := g.Input("x", graph.Float32, 4)
	step := ops.StepKey(g, "key")
	fails(t, ops.StepKey(g, "key").Err(), "random_test.go:", `the name "key" is taken`)
	for _, c := range []struct {
		n    *graph.Node
		want string
	}{
		{ops.Uniform(x, 0, 0, 1, graph.Float32, 3), "the key is float32(4), but a key is int64(2)"},
		{ops.Normal(key, 0, 0, 1, graph.Int64, 3), "float32 or float64, not int64"},
		{ops.Normal(key, 0, 0, 1, graph.Float32, -3), "negative"},
		{ops.Bernoulli(key, 0, 1.5, 3), "the probability is 1.5"},
		{ops.Dropout(x, nan, key), "the probability is NaN"},
		{ops.Dropout(x, 0.5, x), "the key is float32(4)"},
		{ops.Dropout(x, 0.5, nil), "nil node"},
		{ops.Dropout(x, 0.5, key, 1), "axis 1 is outside"},
		{ops.Dropout(ops.Cast(x, graph.Int64), 0.5, key), "not int64"},
		{ops.RandomPermutation(x, 0, 3), "the key is float32(4)"},
		{ops.NextKey(x), "the key is float32(4)"},
	} {
		fails(t, c.n.Err(), "random_test.go:", c.want)
	}
	if err := g.Assign(step, ops.NextKey(step)); err == nil {
		t.Error("a step key is assigned twice")
	}
}
