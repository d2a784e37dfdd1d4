package main

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// A perceptron ends at ln 2, its convex loss's minimum, and on the way there has never answered all four cases right; the network with a hidden
// layer answers them, whatever the seed.
func TestXor(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(10) {
		l, err := newLearner(perceptron(), seed)
		if err != nil {
			t.Fatal(err)
		}
		var losses []float64
		for range 50 {
			more, err := l.learn(ctx, 10)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, more...)
			if yes, err := l.ask(ctx, cases); err != nil || right(yes) > 3 {
				t.Errorf("seed %d: a perceptron says %v after %d steps, %v", seed, yes, len(losses), err)
			}
		}
		if last := losses[len(losses)-1]; math.Abs(last-math.Ln2) > 1e-6 {
			t.Errorf("seed %d: the perceptron's loss is %v, want ln 2", seed, last)
		}

		if l, err = newLearner(withHidden(8), seed); err != nil {
			t.Fatal(err)
		}
		if losses, err = l.learn(ctx, 500); err != nil {
			t.Fatal(err)
		}
		yes, err := l.ask(ctx, cases)
		if err != nil || right(yes) != 4 || losses[499] > 0.02 {
			t.Errorf("seed %d: the network says %v, loss %v, %v", seed, yes, losses[499], err)
		}
	}
}

// The reported loss is that of the probabilities.
func TestLoss(t *testing.T) {
	ctx := context.Background()
	l, err := newLearner(withHidden(3), 5)
	if err != nil {
		t.Fatal(err)
	}
	yes, err := l.ask(ctx, cases)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i, p := range yes {
		want -= (answers[i]*math.Log(p) + (1-answers[i])*math.Log(1-p)) / 4
	}
	if got, err := l.learn(ctx, 1); err != nil || math.Abs(got[0]-want) > 1e-12 {
		t.Errorf("loss %v, want %v, %v", got, want, err)
	}
}

func TestRight(t *testing.T) {
	for want, yes := range map[int][]float64{
		0: {0.5, 0.5, 0.5, 0.5}, 1: {0.1, 0.1, 0.1, 0.9}, 3: {0.2, 0.8, 0.8, 0.8}, 4: {0.48, 0.52, 1, 0},
	} {
		if got := right(yes); got != want {
			t.Errorf("%v: %d right, want %d", yes, got, want)
		}
	}
}

// What is printed, and the picture: the cases are there, and the network's plane is coloured.
func TestProgram(t *testing.T) {
	folder := t.TempDir()
	code, stdout, stderr := command("-out", folder)
	if code != program.Succeeded || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, want := range []string{"perceptron: loss 0.693147, 0 of 4", "8 hidden units: loss 0.0", "4 of 4 cases right", "ln 2 = 0.693147"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("want %q in\n%s", want, stdout)
		}
	}
	for name, width := range map[string]int{"borders.png": 1800, "loss.png": 1000} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		f.Close()
		if err != nil || picture.Bounds().Dx() < width {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "borders.png" {
			continue
		}
		count := map[color.RGBA]int{}
		for y := range picture.Bounds().Dy() {
			for x := picture.Bounds().Dx() * 2 / 3; x < picture.Bounds().Dx(); x++ {
				r, g, b, _ := picture.At(x, y).RGBA()
				count[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}]++
			}
		}
		if count[figure.Blue] < 2*300 || count[figure.Orange] < 2*300 { // two dots each, of a radius of 12 pixels
			t.Errorf("dots of %d and %d points", count[figure.Blue], count[figure.Orange])
		}
		if area := picture.Bounds().Dx() / 3 * picture.Bounds().Dy(); len(count) < 50 || count[color.RGBA{255, 255, 255, 255}] > area/2 {
			t.Errorf("the network's plane has %d colours, %d of %d points are white", len(count), count[color.RGBA{255, 255, 255, 255}], area)
		}
	}
}

func TestPlane(t *testing.T) {
	if got, want := fmt.Sprint(plane(-1, 1, 3)), "[-1 -1 0 -1 1 -1 -1 0 0 0 1 0 -1 1 0 1 1 1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFlags(t *testing.T) {
	if code, _, stderr := command("-hidden", "none"); code != program.WrongUsage || !strings.Contains(stderr, "-hidden") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, stdout, _ := command("-h"); code != program.Succeeded || !strings.Contains(stdout, "-hidden N") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
