package main

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// rows are those of the tables in a text: what stands in each cell.
func rows(text string) (all [][]string) {
	for _, line := range strings.Split(text, "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 5 {
			cells[0], cells[4] = strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[4], " |")
			all = append(all, cells)
		}
	}
	return all
}

// same compares cells: numbers may differ a little, as sums are rounded otherwise on other processors.
func same(a, b string) bool {
	power := func(s string) (v float64, ok bool) {
		if exponent, found := strings.CutPrefix(s, "10^"); found {
			v, err := strconv.ParseFloat(exponent, 64)
			return v, err == nil
		}
		v, err := strconv.ParseFloat(strings.TrimSuffix(s, " %"), 64)
		return math.Log10(v), err == nil && v > 0
	}
	x, isNumber := power(a)
	y, too := power(b)
	return a == b || isNumber && too && math.Abs(x-y) < 0.11
}

// docs/initialisers.md says what the program finds.
func TestDocsAreTrue(t *testing.T) {
	folder := t.TempDir()
	code, stdout, stderr := command("-out", folder)
	if code != program.Succeeded || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	page, err := os.ReadFile("../../docs/initialisers.md")
	if err != nil {
		t.Fatal(err)
	}
	got, want := rows(stdout), rows(string(page))
	if len(got) != 6+1+14+1 || len(want) != len(got) {
		t.Fatalf("%d rows in the docs, %d of the program", len(want), len(got))
	}
	for i := range got {
		for k := range got[i] {
			if !same(got[i][k], want[i][k]) {
				t.Errorf("the docs say %q, the program %q", want[i], got[i])
				break
			}
		}
	}
	for _, name := range []string{"symmetry.png", "signals.png"} {
		for _, at := range []string{folder, "../../docs/initialisers"} {
			f, err := os.Open(filepath.Join(at, name))
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

// What is expected of a layer of relu: it multiplies the mean square of a signal, and of a gradient, by half the sum of the squares of a unit's
// weights. A product of random matrices has its own spread: the logarithm of each layer's factor strays by about √(5/n) and is smaller by half its square.
func TestSignalsThroughRelu(t *testing.T) {
	d := depth{layers: 16, width: 96, examples: 64}
	n := float64(d.width)
	for _, c := range []struct {
		init   graph.Init
		factor float64
	}{
		{initializers.Normal(0.01), n * 1e-4 / 2},
		{initializers.Normal(0.2), n * 0.04 / 2},
		{initializers.Uniform(-1, 1), n / 3 / 2},
		{initializers.LeCun(), 0.5},
		{initializers.Xavier(), 0.5},
		{initializers.XavierUniform(), 0.5},
		{initializers.He(), 1},
		{initializers.HeUniform(), 1},
		{initializers.ScaledNormal(2, initializers.FanOut), 2},
		{initializers.Orthogonal(1), 0.5},
		{initializers.Orthogonal(math.Sqrt2), 1},
		{initializers.Sparse(0.5, 2/math.Sqrt(n)), 1},
	} {
		s, err := travel(context.Background(), d, ops.ReLU, c.init, 4)
		if err != nil {
			t.Fatal(err)
		}
		last := d.layers - 1
		for way, squares := range map[string][2]float64{"signal": {s.forward[0], s.forward[last]}, "gradient": {s.backward[last], s.backward[0]}} {
			got := math.Log(squares[1]/squares[0]) / float64(last)
			want := math.Log(c.factor)
			if spread := 4 * math.Sqrt(5/n/float64(4*last)); math.Abs(got-want) > spread+2.5/n {
				t.Errorf("%s: a layer multiplies the %s by %.3f, want %.3f", c.init.Name, way, math.Exp(got), c.factor)
			}
		}
	}
}

// Through the identity relu passes on what it is given once it is positive, and tanh shrinks it more and more slowly.
func TestSignalsThroughTheIdentity(t *testing.T) {
	d := depth{layers: 30, width: 16, examples: 64}
	relu, err := travel(context.Background(), d, ops.ReLU, initializers.Identity(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	if relu.forward[1] != relu.forward[29] || relu.backward[0] != relu.backward[29] {
		t.Errorf("%v\n%v", relu.forward, relu.backward)
	}
	tanh, err := travel(context.Background(), d, ops.Tanh, initializers.Identity(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 30; i++ {
		if i > 1 && !(tanh.forward[i]/tanh.forward[i-1] > tanh.forward[i-1]/tanh.forward[i-2]) || !(tanh.forward[i] < tanh.forward[i-1]) || !(tanh.backward[i] > tanh.backward[i-1]) {
			t.Errorf("layer %d: %v, gradient %v", i, tanh.forward[i-2:i+1], tanh.backward[i-1:i+1])
		}
	}
}

// Zero and equal weights do not break the symmetry; the smallest random ones do.
func TestSymmetry(t *testing.T) {
	for _, c := range []struct {
		init       graph.Init
		activation nn.Layer
		units      int
	}{
		{initializers.Zeros(), nn.Sigmoid, 1},
		{initializers.Constant(-0.03), nn.Tanh, 1},
		{initializers.Normal(1e-6), nn.Tanh, hidden},
		{initializers.Uniform(0.1, 0.1+1e-9), nn.ReLU, hidden},
	} {
		b, err := breakSymmetry(context.Background(), c.init, c.activation, 7)
		if err != nil {
			t.Fatal(err)
		}
		if b.units != c.units {
			t.Errorf("%s: %d different units, want %d", c.init.Name, b.units, c.units)
		}
	}
	zeros, err := breakSymmetry(context.Background(), initializers.Zeros(), nn.ReLU, 20)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(zeros.loss[0]-math.Log(10)) > 1e-12 || zeros.loss[19] < 2.302 || zeros.accuracy > 0.11 {
		t.Errorf("from zero only the last bias learns: loss from %v to %v, accuracy %v", zeros.loss[0], zeros.loss[19], zeros.accuracy)
	}
}

func TestFlags(t *testing.T) {
	if code, _, stderr := command("-layers", "0"); code != program.WrongUsage || !strings.Contains(stderr, "-layers") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, stdout, _ := command("-h"); code != program.Succeeded || !strings.Contains(stdout, "-width N") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
