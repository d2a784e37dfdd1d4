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
)

func main() { newProgram().Main() }

// options are the values of the flags.
type options struct {
	images, labels, dir, url string
	download                 bool
	epochs, batch, seeds     int
	rate                     float64
	seed                     uint64
	keep, out                string
}

func newProgram() program.Program {
	o := &options{dir: "mnist", epochs: 20, batch: 64, seeds: 1, rate: 0.001, seed: 1, out: "mnist-out"}
	return program.Program{
		Name: "mnist", Usage: usage, Out: &o.out,
		Flags: func(f *program.Flags) {
			f.Text(&o.images, "images")
			f.Text(&o.labels, "labels")
			f.Text(&o.dir, "dir")
			f.Switch(&o.download, "download")
			f.Text(&o.url, "url")
			f.Count(&o.epochs, "epochs")
			f.Count(&o.batch, "batch")
			f.Positive(&o.rate, "lr")
			f.Seed(&o.seed, "seed")
			f.Count(&o.seeds, "seeds")
			f.Text(&o.keep, "keep")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, *o) },
	}
}

const usage = `Trains a 784-128-10 relu network to read the handwritten digits of MNIST, from its files in the IDX format,
compressed or not. Other sets in these files, such as Fashion-MNIST, do as well.

usage: go run ./examples/mnist [flags]

  -dir DIR      folder of the four files: 60,000 images to train
                with, 10,000 to test with                         (default mnist)
  -download     fetch those of them first that are not there
  -url URL      from this folder instead of the usual one
  -images FILE  instead of four files, these images and labels:
  -labels FILE  85 % of them at random to train with, 15 % to test
  -epochs N     passes over the training images                   (default 20)
  -batch N      images in a step of training                      (default 64)
  -lr X         learning rate of Adam                             (default 0.001)
  -seed N       decides the split, the order of the images and
                the weights to start from                         (default 1)
  -seeds N      train so many networks, with seeds from -seed on;
                the pictures are of the first                     (default 1)
  -keep DIR     folder to keep the run in: when it was interrupted,
                the same command goes on where it stood
  -out DIR      folder for loss.png, misread.png and weights.png  (default mnist-out)
`

func run(ctx context.Context, w io.Writer, o options) error {
	switch {
	case (o.images == "") != (o.labels == ""):
		return errors.New("-images and -labels go together")
	case o.images != "" && o.download:
		return errors.New("-download fetches four files to -dir; -images and -labels name two others")
	case o.keep != "" && o.seeds > 1:
		return errors.New("-keep keeps one run; -seeds makes several")
	}
	sum := 0.0
	for i := range o.seeds {
		s, err := load(ctx, w, o)
		if err != nil {
			return err
		}
		progress := w
		if o.seeds > 1 {
			progress = nil
		} else {
			fmt.Fprintf(w, "Images    %d to train with, %d to test with\nNetwork   %d-%d-%d relu, %d epochs of Adam, learning rate %v, batches of %d, seed %d\n\n",
				s.train.Len(), s.test.Len(), s.train.X.Shape()[1], hidden, s.train.Classes, o.epochs, o.rate, o.batch, o.seed)
		}
		result, err := learn(ctx, progress, s, o)
		if err != nil {
			if ctx.Err() != nil {
				fmt.Fprintln(w, err)
			}
			return err
		}
		fmt.Fprintf(w, "seed %-4d test accuracy %.4f  (%.1f s, %.0f images/s)\n", o.seed, result.final["accuracy"], result.took.Seconds(), float64(o.epochs*s.train.Len())/result.took.Seconds())
		sum += result.final["accuracy"]
		if i == 0 {
			if v := result.history.Verdict(); v != "" && o.seeds == 1 {
				fmt.Fprintln(w, v)
			}
			if err := pictures(ctx, o.out, s.test, result); err != nil {
				return err
			}
		}
		o.seed++
	}
	if o.seeds > 1 {
		fmt.Fprintf(w, "mean      test accuracy %.4f over %d seeds\n", sum/float64(o.seeds), o.seeds)
	}
	fmt.Fprintf(w, "\nPictures in %s\n  loss.png     loss and accuracy, epoch by epoch\n  misread.png  the test images that were taken wrongly, the surest first\n  weights.png  what each hidden unit looks for: blue is ink, orange none\n", o.out)
	return nil
}

func pictures(ctx context.Context, folder string, test *data.Set, result *outcome) error {
	plots := make([]*figure.Plot, 2)
	for i, c := range []struct{ name, title string }{{"loss", "Loss (cross-entropy, nats)"}, {"accuracy", "Accuracy (%)"}} {
		plots[i] = figure.New(c.title, "epoch", "").WholeTicks()
		for k, name := range []string{"training", "test"} {
			curve := result.history.Curve(c.name, k == 1)
			for j := range curve {
				if c.name == "accuracy" {
					curve[j] *= 100
				}
			}
			plots[i].Line(name, figure.Palette[k], nil, curve)
		}
	}
	plots[0].Legend.Top, plots[0].Y.Min = true, 0
	if err := figure.Write(filepath.Join(folder, "loss.png"), 10, 4, plots); err != nil {
		return err
	}
	if err := misread(ctx, filepath.Join(folder, "misread.png"), test, result); err != nil {
		return err
	}
	return weights(filepath.Join(folder, "weights.png"), result)
}

// misread draws test images that the network takes wrongly, those first where it is surest.
func misread(ctx context.Context, path string, test *data.Set, result *outcome) error {
	const across, down = 10, 3
	logits, err := result.trainer.Predict(ctx, test.X)
	if err != nil {
		return err
	}
	answers, err := data.FromOneHot(logits)
	if err != nil {
		return err
	}
	wrong := mistakes(logits.Float32s(), answers.Int64s(), test.Y.Int64s())
	title := fmt.Sprintf("%d of %d images are taken wrongly", len(wrong), test.Len())
	if len(wrong) > across*down {
		title += fmt.Sprintf("; these are the %d of which the network is surest", across*down)
		wrong = wrong[:across*down]
	}
	rows := []figure.Row{{Title: title}}
	pixels := test.X.Shape()[1]
	for i, m := range wrong {
		if i > 0 && i%across == 0 {
			rows = append(rows, figure.Row{})
		}
		tile := figure.Ink(side(pixels), test.X.Float32s()[m.image*pixels:(m.image+1)*pixels], 0, 1)
		tile.Caption = fmt.Sprintf("%d, not %d", m.answer, m.truth)
		rows[len(rows)-1].Tiles = append(rows[len(rows)-1].Tiles, tile)
	}
	return figure.WriteSheet(path, rows...)
}

// weights draws the weights of each hidden unit as an image.
func weights(path string, result *outcome) error {
	const across = 16
	matrix, err := result.trainer.State.Get("0.weight") // (pixels, hidden)
	if err != nil {
		return err
	}
	pixels := matrix.Shape()[0]
	rows := []figure.Row{{Title: "What each hidden unit looks for"}}
	for unit := range hidden {
		of, largest := make([]float32, pixels), 0.0
		for i := range of {
			of[i] = matrix.Float32s()[i*hidden+unit]
			largest = max(largest, math.Abs(float64(of[i])))
		}
		if unit > 0 && unit%across == 0 {
			rows = append(rows, figure.Row{})
		}
		tile := figure.Signed(side(pixels), of, largest)
		tile.Scale = 4
		rows[len(rows)-1].Tiles = append(rows[len(rows)-1].Tiles, tile)
	}
	return figure.WriteSheet(path, rows...)
}

// side is the width of an image, which is square, or a line.
func side(pixels int) int {
	if s := int(math.Round(math.Sqrt(float64(pixels)))); s*s == pixels {
		return s
	}
	return pixels
}
