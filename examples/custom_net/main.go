// Command custom_net trains an architecture of one's own on handwritten digits: a layer that the library does not have, one set of weights used three
// times, skips, and two heads with a loss each. architecture.go has it, in thirty lines; network.go trains it; main.go shows what came of it.
//
//	go run ./examples/custom_net
package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/nn/data"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	epochs, seed, out := 20, uint64(1), "custom_net-out"
	return program.Program{
		Name: "custom_net", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&epochs, "epochs")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, epochs, seed, out) },
	}
}

const usage = `Trains an architecture of one's own on images of digits: a custom layer used three times with one set of
weights, skips, and two heads. One head reads the digit, the other finds the middle of its ink.

usage: go run ./examples/custom_net [flags]

  -epochs N   passes over the training images                       (default 20)
  -seed N     decides the split of the images, their order and the
              weights to start from                                 (default 1)
  -out DIR    folder for heads.png and graph.svg                    (default custom_net-out)
`

func run(ctx context.Context, w io.Writer, epochs int, seed uint64, out string) error {
	train, test, err := images(seed)
	if err != nil {
		return err
	}
	n, err := newNetwork(graph.Float32, seed)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Parameters, each of them once, however often its layer is used")
	for _, p := range n.loss.Graph().Params() {
		fmt.Fprintf(w, "  %-20s %v\n", p.Name(), p.Shape())
	}
	fmt.Fprintln(w)
	batches, err := data.NewBatches(train, 32, seed)
	if err != nil {
		return err
	}
	var loss, distance []float64
	for epoch := 1; epoch <= epochs; epoch++ {
		e, err := n.train(ctx, batches, epoch, train.Len())
		if err != nil {
			return err
		}
		loss, distance = append(loss, e.loss), append(distance, math.Sqrt(e.distance))
		if every := (epochs + 9) / 10; epoch == 1 || epoch%every == 0 || epoch == epochs {
			fmt.Fprintf(w, "epoch %*d/%d  digit: cross-entropy %.4f  middle: squared error %.5f\n", len(fmt.Sprint(epochs)), epoch, epochs, e.loss, e.distance)
		}
	}
	x, err := n.examine(ctx, test)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOf %d test images one head reads %.1f %% right; of the variance of the ink's middle the other accounts for %.1f %% across, %.1f %% down.\n",
		test.Len(), 100*x.accuracy, 100*x.explained[0], 100*x.explained[1])

	losses := figure.New("Errors of the two heads, in training", "epoch", "").WholeTicks().
		Line("digit: cross-entropy (nats)", figure.Blue, nil, loss).
		Line("middle: root of the mean square (pixels)", figure.Orange, nil, distance)
	losses.X.Min, losses.Y.Min, losses.Legend.Top = 0, 0, true
	found := figure.New("The middle of the ink, of the test images", "is (pixels from the middle)", "found").
		Dots("across", figure.Blue, 1.6, x.truth[0], x.middle[0]).
		Dots("down", figure.Orange, 1.6, x.truth[1], x.middle[1])
	found.Legend.Top, found.Legend.Left, found.Legend.XOffs = true, true, 6
	if err := figure.Write(filepath.Join(out, "heads.png"), 10, 4, []*figure.Plot{losses, found}); err != nil {
		return err
	}
	if err := draw.Graph(n.loss, n.distance).WriteFile(filepath.Join(out, "graph.svg")); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  heads.png  how the heads learned, and what one of them finds\n  graph.svg  the architecture, from image to losses\n", out)
	return nil
}

// images are the digits, split, and scaled to 0…1.
func images(seed uint64) (train, test *data.Set, err error) {
	digits, err := data.Digits(graph.Float32)
	if err != nil {
		return nil, nil, err
	}
	scale, err := data.FitMinMaxJoint(digits.X) // the pixels' range is known: it tells nothing of the test images
	if err != nil {
		return nil, nil, err
	}
	if digits.X, err = scale.Apply(digits.X); err != nil {
		return nil, nil, err
	}
	parts, err := digits.Split(seed, 0.8, 0.2)
	if err != nil {
		return nil, nil, err
	}
	return parts[0], parts[1], nil
}
