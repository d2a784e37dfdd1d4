package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/nn/data"
	"gonum.org/v1/gonum/floats"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	epochs, seed, out := 120, uint64(1), "hebb-out"
	return program.Program{
		Name: "hebb", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&epochs, "epochs")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, epochs, seed, out) },
	}
}

const usage = `Neurons that learn by Hebb's rule, without a gradient, find the principal components of the
handwritten digits: with nothing to limit them their weights grow without bound; with Oja's and
Sanger's rule they settle on what a singular value decomposition gives.

usage: go run ./examples/hebb [flags]

  -epochs N   how often every image is seen                         (default 120)
  -seed N     decides the order of the images and the first weights (default 1)
  -out DIR    folder for learning.png and components.png            (default hebb-out)
`

// history is what is known after each epoch.
type history struct {
	grown  []float64             // the length of one neuron's weights by Hebb's rule alone
	lived  []float64             // and by Oja's
	cosine [components][]float64 // of each neuron's weights to its component, by Sanger's rule
}

func run(ctx context.Context, w io.Writer, epochs int, seed uint64, out string) error {
	digits, mean, err := centred()
	if err != nil {
		return err
	}
	directions, variances := principal(digits)
	if directions == nil {
		return errors.New("the singular value decomposition failed")
	}
	free, err := newLearner(hebb, 1, seed)
	if err != nil {
		return err
	}
	oja, err := newLearner(sanger, 1, seed)
	if err != nil {
		return err
	}
	layer, err := newLearner(sanger, components, seed)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d images of %d pixels; %d neurons. The rule on the tape:\n\n%s\n", digits.Len(), features, components, layer.machine.Program())

	batches, err := data.NewBatches(digits, batchSize, seed)
	if err != nil {
		return err
	}
	var h history
	for number := range epochs {
		rate := 0.15 / (1 + float64(number)/20)
		if number < 10 { // soon it would overflow
			if err := free.epoch(ctx, batches, number, 0.05); err != nil {
				return err
			}
			if err := oja.epoch(ctx, batches, number, 0.05); err != nil {
				return err
			}
			for _, c := range []struct {
				to *[]float64
				of *learner
			}{{&h.grown, free}, {&h.lived, oja}} {
				weights, err := c.of.weights()
				if err != nil {
					return err
				}
				*c.to = append(*c.to, floats.Norm(weights[0], 2))
			}
		}
		if err := layer.epoch(ctx, batches, number, rate); err != nil {
			return err
		}
		weights, err := layer.weights()
		if err != nil {
			return err
		}
		for i := range components {
			h.cosine[i] = append(h.cosine[i], math.Abs(floats.Dot(weights[i], directions[i]))/floats.Norm(weights[i], 2))
		}
	}
	weights, err := layer.weights()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "By Hebb's rule alone a neuron's weights grew to a length of %.3g in %d epochs; by Oja's to %.4f.\n\n", h.grown[len(h.grown)-1], len(h.grown), h.lived[len(h.lived)-1])
	fmt.Fprintf(w, "neuron  length  cosine to the component  variance along it  the component's\n")
	for i, v := range weights {
		fmt.Fprintf(w, "%-6d  %.4f  %-23.5f  %-17.5f  %.5f\n", i+1, floats.Norm(v, 2), h.cosine[i][epochs-1], variance(digits, v), variances[i])
	}
	return pictures(w, out, &h, mean, weights, directions)
}

// variance is that of the examples along a direction.
func variance(d *data.Set, v []float64) (sum float64) {
	x := d.X.Float64s()
	for i := range d.Len() {
		along := floats.Dot(x[i*features:(i+1)*features], v) / floats.Norm(v, 2)
		sum += along * along / float64(d.Len()-1)
	}
	return sum
}

func pictures(w io.Writer, folder string, h *history, mean []float64, weights, directions [][]float64) error {
	length := figure.New("Length of a neuron's weights", "epoch", "").WholeTicks()
	var logs [2][]float64
	for i, of := range [][]float64{h.grown, h.lived} {
		for _, v := range of {
			logs[i] = append(logs[i], math.Log10(v))
		}
	}
	length.Y.Label.Text = "power of ten"
	length.Line("Hebb's rule alone", figure.Orange, nil, logs[0]).Line("Oja's rule", figure.Blue, nil, logs[1])
	length.Legend.Top, length.Legend.Left, length.Legend.XOffs = true, true, 6
	cosine := figure.New("Cosine to the principal component", "epoch", "").WholeTicks()
	for i, c := range h.cosine {
		cosine.Line(fmt.Sprintf("neuron %d", i+1), figure.Palette[i], nil, c)
	}
	cosine.Y.Min, cosine.Y.Max = 0, 1.02
	if err := figure.Write(filepath.Join(folder, "learning.png"), 10, 4, []*figure.Plot{length, cosine}); err != nil {
		return err
	}
	rows := []figure.Row{{Title: "The weights that the neurons learned, and the mean image"}, {Title: "The principal components by a singular value decomposition"}}
	middle := figure.Ink(8, mean, 0, 1)
	middle.Caption = "mean"
	rows[0].Tiles, rows[1].Tiles = []figure.Tile{middle}, []figure.Tile{middle}
	for i := range components {
		learned := append([]float64(nil), weights[i]...)
		if floats.Dot(learned, directions[i]) < 0 { // a component has no sign of its own
			floats.Scale(-1, learned)
		}
		for k, v := range [][]float64{learned, directions[i]} {
			t := figure.Signed(8, v, 0.35)
			t.Caption = fmt.Sprint(i + 1)
			rows[k].Tiles = append(rows[k].Tiles, t)
		}
	}
	if err := figure.WriteSheet(filepath.Join(folder, "components.png"), rows...); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  learning.png    how long the weights get, and how near the neurons come to the components\n"+
		"  components.png  the weights beside the components (blue is positive, orange negative)\n", folder)
	return nil
}
