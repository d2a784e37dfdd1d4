package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The first test to write for an operator of one's own.
func TestGradients(t *testing.T) {
	for _, d := range []*graph.Def{softStepDef, leakDef} {
		if err := gradcheck.Def(d); err != nil {
			t.Error(err)
		}
	}
}

// A surrogate is no derivative, and the check sees that. What can be checked is that it is the derivative of softStep.
func TestSpikeBorrowsItsGradient(t *testing.T) {
	honest := *spikeDef
	honest.Samples = softStepDef.Samples
	if err := gradcheck.Def(&honest); err == nil {
		t.Error("the gradient of a step passes the check")
	}

	g := graph.New()
	v := g.Input("v", graph.Float64, graph.Symbol("n"))
	borrowed, own := autodiff.Grad(ops.Sum(spike(v, 3)), v)[0], autodiff.Grad(ops.Sum(softStep(v, 3)), v)[0]
	at := vm.Feeds{v: []float64{-2, -0.1, 0, math.SmallestNonzeroFloat64, 0.5, 7}}
	for name, c := range map[string]struct {
		n    *graph.Node
		want []float64
	}{
		"values":              {spike(v, 3), []float64{0, 0, 0, 1, 1, 1}},
		"difference":          {ops.Sub(borrowed, own), []float64{0, 0, 0, 0, 0, 0}},
		"slope at 0":          {ops.Slice(borrowed, 0, 2, 3), []float64{1.5}},
		"softstep at 0":       {ops.Slice(softStep(v, 3), 0, 2, 3), []float64{0.5}},
		"softstep is bounded": {ops.Cast(ops.Less(ops.Abs(ops.AddScalar(softStep(v, 1e6), -0.5)), g.Full(graph.Float64, 0.5)), graph.Float64), []float64{1, 1, 1, 1, 1, 1}},
	} {
		got, err := vm.Eval(nil, c.n, at)
		if err != nil || fmt.Sprint(got.Float64s()) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
}

// The kernel against a plain loop, in both directions and float types, on one example and on several.
func TestLeak(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, shape := range [][3]int{{1, 1, 1}, {1, 7, 2}, {5, 3, 4}, {2, 0, 3}, {0, 3, 3}} {
			x := graph.NewArray(dtype, shape[:]...)
			for i := range x.Len() {
				x.SetAt(i, random.NormFloat64())
			}
			at := func(e, t, c int) int { return (e*shape[1]+t)*shape[2] + c }
			for _, backward := range []bool{false, true} {
				g := graph.New()
				in := g.Input("x", dtype, graph.Symbol("batch"), graph.Symbol("time"), graph.Dim(shape[2]))
				got, err := vm.Eval(nil, graph.Apply(leakDef, leakAttr{0.75, backward}, in), vm.Feeds{in: x.Dense()})
				if err != nil {
					t.Fatal(err)
				}
				y, err := graph.ArrayOf(got)
				if err != nil {
					t.Fatal(err)
				}
				for e := range shape[0] {
					for c := range shape[2] {
						want := 0.0
						for k := range shape[1] {
							now := k
							if backward {
								now = shape[1] - 1 - k
							}
							want = 0.75*want + x.At(at(e, now, c))
							if d := math.Abs(y.At(at(e, now, c)) - want); d > 1e-6 {
								t.Fatalf("%v %v backward=%v: element (%d, %d, %d) is %v, want %v", dtype, shape, backward, e, now, c, y.At(at(e, now, c)), want)
							}
						}
					}
				}
			}
		}
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, 2, 3, 4)
	for want, n := range map[string]*graph.Node{
		"operators.go": leak(ops.Reshape(x, 6, 4), 0.5), // where this program applies the operator
		"takes one operand of shape (batch, time, channels), not [float32(6, 4)]": leak(ops.Reshape(x, 6, 4), 0.5),
		"a decay of 1.5; it is from 0 to 1":                                       leak(x, 1.5),
		"takes one operand of float32 or float64":                                 spike(ops.Cast(x, graph.Int32), 1),
	} {
		if err := n.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The neurons against a plain loop.
func TestIntegrateAndFire(t *testing.T) {
	g := graph.New()
	current := g.Input("current", graph.Float64, 20)
	potentials, fired := integrateAndFire(ops.Unstack(current, 0))
	random := rand.New(rand.NewPCG(2, 2))
	feed := make([]float64, 20)
	for i := range feed {
		feed[i] = random.Float64()
	}
	v, s, spikes := 0.0, 0.0, 0
	for i := range feed {
		v = membraneDecay*v + feed[i] - threshold*s
		s = 0
		if v > threshold {
			s = 1
			spikes++
		}
		for n, want := range map[*graph.Node]float64{potentials[i]: v, fired[i]: s} {
			got, err := vm.Eval(nil, n, vm.Feeds{current: feed})
			if err != nil || math.Abs(got.ScalarValue().(float64)-want) > 1e-12 {
				t.Fatalf("step %d: %v, %v, want %v", i, got, err, want)
			}
		}
	}
	if spikes < 3 || spikes > 17 {
		t.Errorf("%d spikes show little", spikes)
	}
}

func TestPlaceOnTheTape(t *testing.T) {
	tape, err := twoSteps()
	if err != nil {
		t.Fatal(err)
	}
	if fused := regexp.MustCompile(`elementwise\(.*\) add\+spike\+mul\+add\+sub\+add\+spike`); !fused.MatchString(tape) || strings.Count(tape, "= leak(x) {decay=0.7}") != 1 {
		t.Errorf("the operators are not where they were said to be:\n%s", tape)
	}
}

// start runs the program and returns what it printed.
func start(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestWavesAreToldApart(t *testing.T) {
	for seed := range 3 {
		folder := t.TempDir()
		code, stdout, stderr := start("-seed", fmt.Sprint(seed), "-out", folder)
		if code != program.Succeeded || stderr != "" {
			t.Fatalf("exit code %d, %s", code, stderr)
		}
		found := regexp.MustCompile(`Test accuracy (\d\.\d{4})`).FindStringSubmatch(stdout)
		if found == nil {
			t.Fatalf("no accuracy in\n%s", stdout)
		}
		if accuracy, err := strconv.ParseFloat(found[1], 64); err != nil || accuracy < 0.96 {
			t.Errorf("seed %d: test accuracy %v, want 0.96 or more", seed, found[1])
		}
		if lines := strings.Count(stdout, "\nepoch "); lines < 5 {
			t.Errorf("%d lines of progress", lines)
		}
		for _, name := range []string{"neuron.png", "loss.png"} {
			f, err := os.Open(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() < 1000 {
				t.Errorf("%s: %v", name, err)
			}
			f.Close()
		}
	}
}

// The task is about order: what is read from the numbers of spikes alone is a guess. So is what neurons say that have not learnt.
func TestNumbersOfSpikesTellNothing(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	n := &network{spikes: g.Input("spikes", graph.Float32, batch, duration, channels), class: g.Input("class", graph.Int64, batch)}
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: hidden}, nn.Tanh, &nn.Linear{Out: 2}}, ops.Sum(n.spikes, 1))
	n.loss = losses.CrossEntropy(logits, n.class)
	n.accuracy = ops.Mean(ops.Cast(ops.Equal(ops.ArgMax(logits, 1), n.class), graph.Float32))
	program, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.accuracy}, Updates: optim.Adam{LR: rate}.Updates(g.Params(), autodiff.Grad(n.loss, g.Params()...))})
	if err != nil {
		t.Fatal(err)
	}
	asker, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.accuracy}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n.trainer, err = vm.NewMachine(program, state); err != nil {
		t.Fatal(err)
	}
	if n.asker, err = vm.NewMachine(asker, state); err != nil {
		t.Fatal(err)
	}
	test := patterns(500, 4)
	if err := n.train(context.Background(), 10, 1, patterns(1000, 3), test, func(int, score, score) {}); err != nil {
		t.Fatal(err)
	}
	fresh, err := newNetwork(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*network{"by numbers of spikes": n, "before learning": fresh} {
		if result, err := n.run(context.Background(), n.asker, test); err != nil || result.accuracy > 0.65 {
			t.Errorf("%s: accuracy %v, %v", name, result.accuracy, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	same := func(a, b *data.Set) bool {
		return fmt.Sprint(a.X.Data(), a.Y.Data()) == fmt.Sprint(b.X.Data(), b.Y.Data())
	}
	if !same(patterns(20, 1), patterns(20, 1)) || same(patterns(20, 1), patterns(20, 2)) {
		t.Error("patterns are no function of the seed")
	}
}

func TestWrongFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"-epochs":               {"-epochs", "0"},
		"-seed":                 {"-seed", "x"},
		`"fast" is no flag`:     {"fast"},
		"-out names no folder":  {"-out", ""},
		file:                    {"-out", file},
		"not defined: -dropout": {"-dropout"},
	} {
		code, stdout, stderr := start(args...)
		if code != program.WrongUsage || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, printed %q, %q", args, code, stdout, stderr)
		}
	}
	if code, stdout, _ := start("-h"); code != program.Succeeded || !strings.Contains(stdout, "-epochs N") {
		t.Errorf("-h: exit code %d, %s", code, stdout)
	}
}
