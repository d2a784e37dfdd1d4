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
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/nn/data"
	"gonum.org/v1/gonum/mat"
)

// The neurons come to the principal components that gonum finds by another way, for seeds that were not chosen.
func TestNeuronsFindThePrincipalComponents(t *testing.T) {
	row := regexp.MustCompile(`(?m)^(\d) +(\S+) +(\S+) +(\S+) +(\S+)$`)
	for _, seed := range []string{"1", "2"} {
		out := t.TempDir()
		var stdout, stderr bytes.Buffer
		if code := newProgram().Command(context.Background(), []string{"-seed", seed, "-out", out}, &stdout, &stderr); code != program.Succeeded {
			t.Fatalf("exit %d, %s", code, stderr.String())
		}
		rows := row.FindAllStringSubmatch(stdout.String(), -1)
		if len(rows) != components {
			t.Fatalf("%d rows in\n%s", len(rows), stdout.String())
		}
		for _, r := range rows {
			var v [4]float64
			for i, s := range r[2:] {
				var err error
				if v[i], err = strconv.ParseFloat(s, 64); err != nil {
					t.Fatal(err)
				}
			}
			// The variances of the last two components differ by little, so their directions settle last.
			if math.Abs(v[0]-1) > 0.01 || v[1] < 0.99 || math.Abs(v[2]-v[3]) > 0.01*v[3] {
				t.Errorf("seed %s: neuron %s", seed, r[0])
			}
		}
		for _, name := range []string{"learning.png", "components.png"} {
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
}

// One step is what the formulas say, worked out by gonum's matrices.
func TestOneStep(t *testing.T) {
	d, _, err := centred()
	if err != nil {
		t.Fatal(err)
	}
	d, err = d.Select([]int{3, 1, 4, 1, 5, 9, 2, 6})
	if err != nil {
		t.Fatal(err)
	}
	const neurons, rate = 3, 0.1
	for name, r := range map[string]rule{"hebb": hebb, "sanger": sanger} {
		l, err := newLearner(r, neurons, 1)
		if err != nil {
			t.Fatal(err)
		}
		before, err := l.state.Get("w")
		if err != nil {
			t.Fatal(err)
		}
		b, err := data.NewBatches(d, d.Len(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.epoch(context.Background(), b, 0, rate); err != nil {
			t.Fatal(err)
		}
		after, err := l.state.Get("w")
		if err != nil {
			t.Fatal(err)
		}

		x, w := mat.NewDense(d.Len(), features, d.X.Float64s()), mat.NewDense(features, neurons, before.Float64s())
		var y, change, yy, back mat.Dense
		y.Mul(x, w)
		change.Mul(x.T(), &y)
		if name == "sanger" {
			yy.Mul(y.T(), &y)
			for i := range neurons {
				for k := range i {
					yy.Set(i, k, 0)
				}
			}
			back.Mul(w, &yy)
			change.Sub(&change, &back)
		}
		change.Scale(rate/float64(d.Len()), &change)
		w.Add(w, &change)
		if got := mat.NewDense(features, neurons, after.Float64s()); !mat.EqualApprox(got, w, 1e-14) {
			t.Errorf("%s: weights after a step differ from the formula's", name)
		}
	}
}

func TestHebbsRuleAloneGrows(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := newProgram().Command(context.Background(), []string{"-epochs", "10", "-out", t.TempDir()}, &stdout, &stderr); code != program.Succeeded {
		t.Fatalf("exit %d, %s", code, stderr.String())
	}
	found := regexp.MustCompile(`grew to a length of (\S+) in 10 epochs; by Oja's to (\d\.\d+)`).FindStringSubmatch(stdout.String())
	if found == nil || !strings.Contains(stdout.String(), "commit") {
		t.Fatal(stdout.String())
	}
	grown, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	lived, err := strconv.ParseFloat(found[2], 64)
	if err != nil {
		t.Fatal(err)
	}
	if grown < 1e5 || math.Abs(lived-1) > 0.05 {
		t.Errorf("%v by Hebb's rule, %v by Oja's", grown, lived)
	}
}
