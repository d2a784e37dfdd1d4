package main

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func TestReadsDigits(t *testing.T) {
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	if code := newProgram().Command(context.Background(), []string{"-epochs", "12", "-out", out}, &stdout, &stderr); code != program.Succeeded {
		t.Fatalf("exit %d, %s", code, stderr.String())
	}
	found := regexp.MustCompile(`steps of time: (\S+), (\S+), (\S+), (\S+), (\S+)\n`).FindStringSubmatch(stdout.String())
	if found == nil {
		t.Fatal(stdout.String())
	}
	var v [5]float64
	for i := range v {
		var err error
		if v[i], err = strconv.ParseFloat(found[i+1], 64); err != nil {
			t.Fatal(err)
		}
	}
	if v[4] < 0.95 || v[4] < v[0]+0.05 {
		t.Errorf("accuracies %v; want 0.95 in the end, and more than after the first step", v)
	}
	for _, name := range []string{"raster.png", "time.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

// Pixels fire as often as they are dark, and otherwise in each step of training.
func TestPixelsFireAsOftenAsTheyAreDark(t *testing.T) {
	_, test, err := images(1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(1, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	first, err := n.look(context.Background(), test)
	if err != nil {
		t.Fatal(err)
	}
	// In bins of like darkness, the share of spikes is the mean darkness.
	var dark, fired, count [10]float64
	for i, x := range test.X.Float32s() {
		bin := min(int(10*x), 9)
		for at := range duration {
			dark[bin] += float64(x)
			fired[bin] += float64(first.in[at*test.Len()*pixels+i])
			count[bin]++
		}
	}
	for bin := range dark {
		if p := dark[bin] / count[bin]; math.Abs(fired[bin]/count[bin]-p) > 4*math.Sqrt(p*(1-p)/count[bin])+1e-12 {
			t.Errorf("pixels of mean darkness %v fire in %v of the steps", p, fired[bin]/count[bin])
		}
	}
	if _, err := n.run(context.Background(), n.trainer, test); err != nil {
		t.Fatal(err)
	}
	second, err := n.look(context.Background(), test)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i, v := range first.in {
		if second.in[i] == v {
			same++
		}
	}
	if share := float64(same) / float64(len(first.in)); share > 0.95 {
		t.Errorf("%v of the spikes are those of the step before", share)
	}
}

func TestSurrogateGradient(t *testing.T) {
	g := graph.New()
	v := g.Input("v", graph.Float64, 5)
	s := spike(v)
	d := autodiff.Grad(ops.Sum(s), v)[0]
	at := []float64{-1, 0.8, 1, 1.2, 3}
	for name, c := range map[string]struct {
		n    *graph.Node
		want []float64
	}{
		"spike":      {s, []float64{0, 0, 0, 1, 1}},
		"derivative": {d, []float64{1. / 121, 1. / 4, 1, 1. / 4, 1. / 121}},
	} {
		value, err := vm.Eval(nil, c.n, vm.Feeds{v: at})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range value.Float64s() {
			if math.Abs(got-c.want[i]) > 1e-12 {
				t.Errorf("%s at %v: %v, want %v", name, at[i], got, c.want[i])
			}
		}
	}
}
