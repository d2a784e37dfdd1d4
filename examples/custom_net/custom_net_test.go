package main

import (
	"bytes"
	"context"
	"errors"
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
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// Both heads learn what they are for, whatever the seed.
func TestBothHeadsLearn(t *testing.T) {
	result := regexp.MustCompile(`one head reads (\S+) % right; .* accounts for (\S+) % across, (\S+) % down`)
	mean := 0.0
	for seed := range 3 {
		folder := t.TempDir()
		code, stdout, stderr := command("-seed", fmt.Sprint(seed), "-out", folder)
		if code != program.Succeeded || stderr != "" {
			t.Fatalf("exit code %d, %s", code, stderr)
		}
		found := result.FindStringSubmatch(stdout)
		if found == nil {
			t.Fatalf("no result in\n%s", stdout)
		}
		var values [3]float64
		for i := range values {
			var err error
			if values[i], err = strconv.ParseFloat(found[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		mean += values[0] / 3
		if values[0] < 94 || values[1] < 95 || values[2] < 95 {
			t.Errorf("seed %d: %s", seed, found[0])
		}
		f, err := os.Open(filepath.Join(folder, "heads.png"))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() < 1000 {
			t.Error(err)
		}
		f.Close()
		if svg, err := os.ReadFile(filepath.Join(folder, "graph.svg")); err != nil || bytes.Count(svg, []byte("again.gate.weight")) == 0 {
			t.Error(err)
		}
	}
	if mean < 96 {
		t.Errorf("%.1f %% read right in the mean of 3 seeds, want 96 %% or more", mean)
	}
}

// The layer that is used three times has its parameters once, and each use adds its part to their gradient: finite differences agree with the sum.
func TestSharedWeights(t *testing.T) {
	n, err := newNetwork(graph.Float64, 1)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range n.loss.Graph().Params() {
		names = append(names, fmt.Sprint(p.Name(), p.Shape()))
	}
	want := "stem.weight(64, 48) stem.bias(48) again.change.weight(48, 48) again.change.bias(48) again.gate.weight(48, 48) again.gate.bias(48) " +
		"digit.weight(112, 10) digit.bias(10) middle.0.weight(112, 32) middle.0.bias(32) middle.2.weight(32, 2) middle.2.bias(2)"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("parameters\n%s, want\n%s", got, want)
	}

	g, x := graph.New(), []float64{0.3, -0.2, 0.8, 0.1, 0.5, -0.9}
	again := &highway{change: nn.Linear{Out: 3}, gate: nn.Linear{Out: 3}}
	in := g.Input("x", graph.Float64, graph.Symbol("batch"), 3)
	h, s := in, nn.Root(g, "")
	for range 3 {
		h = s.Apply("again", again, h)
	}
	values := map[*graph.Node]any{in: tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(x))}
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		if values[p], err = state.Get(p.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.Params()) != 4 {
		t.Errorf("parameters %v, want those of one layer", g.Params())
	}
	if report, err := gradcheck.Node(ops.Sum(ops.Square(h)), values); err != nil {
		t.Errorf("%v\n%v", err, report)
	}
}

// Both losses pull at the weights that the heads share, and neither at the other's head.
func TestHeads(t *testing.T) {
	n, err := newNetwork(graph.Float64, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := n.loss.Graph()
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	image := make([]float64, 5*64)
	for i := range image {
		image[i] = r.Float64()
	}
	all := vm.Feeds{n.image: tensor.New(tensor.WithShape(5, 64), tensor.WithBacking(image)), n.label: []int64{3, 1, 4, 1, 5}}
	feeds := map[*graph.Node]vm.Feeds{n.loss: all, n.distance: {n.image: all[n.image]}} // the second head needs no labels
	pulls := func(loss *graph.Node, name string) bool {
		grad := autodiff.Grad(loss, g.Leaf(name))[0]
		if errors.Is(grad.Err(), graph.ErrGradient) { // the loss does not depend on it
			return false
		}
		v, err := vm.Eval(state, ops.Sum(ops.Square(grad)), feeds[loss])
		if err != nil {
			t.Fatal(err)
		}
		return v.Float64s()[0] > 0
	}
	for name, want := range map[string][2]bool{
		"stem.weight":         {true, true},
		"again.change.weight": {true, true},
		"again.gate.bias":     {true, true},
		"digit.weight":        {true, false},
		"middle.0.weight":     {false, true},
		"middle.2.bias":       {false, true},
	} {
		for i, loss := range []*graph.Node{n.loss, n.distance} {
			if got := pulls(loss, name); got != want[i] {
				t.Errorf("loss %d pulls at %s: %v, want %v", i, name, got, want[i])
			}
		}
	}
}

// A gate that is shut lets the input pass as it is; one that is open lets the change through.
func TestHighway(t *testing.T) {
	for _, c := range []struct {
		bias float64
		want func(x float64) float64
	}{
		{-100, func(x float64) float64 { return x }},
		{100, math.Tanh},
		{0, func(x float64) float64 { return (x + math.Tanh(x)) / 2 }},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, graph.Symbol("batch"), 2)
		l := &highway{
			change: nn.Linear{Out: 2, Weight: initializers.Identity(1)},
			gate:   nn.Linear{Out: 2, Weight: initializers.Zeros(), Bias: initializers.Constant(c.bias)},
		}
		y := nn.Build(g, l, x)
		state, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		in := []float64{-1.5, 0.25, 0, 2}
		v, err := vm.Eval(state, y, vm.Feeds{x: tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(in))})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range v.Float64s() {
			if want := c.want(in[i]); math.Abs(got-want) > 1e-12 {
				t.Errorf("bias %v: %v becomes %v, want %v", c.bias, in[i], got, want)
			}
		}
	}
}

func TestMiddleOfInk(t *testing.T) {
	g := graph.New()
	image := g.Input("image", graph.Float64, graph.Symbol("batch"), 64)
	dots := make([]float64, 3*64)
	dots[0] = 0.7                           // the upper left corner alone
	dots[64+7], dots[64+63] = 0.5, 0.5      // the right edge, top and bottom
	dots[128+3*8+2], dots[128+3*8+6] = 3, 1 // row 3, columns 2 and 6
	v, err := vm.Eval(nil, middleOfInk(image), vm.Feeds{image: tensor.New(tensor.WithShape(3, 64), tensor.WithBacking(dots))})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(v.Float64s()), "[-3.5 -3.5 3.5 0 -0.5 -0.5]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFlags(t *testing.T) {
	if code, _, stderr := command("-epochs", "0"); code != program.WrongUsage || !strings.Contains(stderr, "-epochs") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, stdout, _ := command("-h"); code != program.Succeeded || !strings.Contains(stdout, "-seed N") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
