package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/nn/data"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	epochs, lr, seed, out := 30, 0.003, uint64(1), "spiking-out"
	return program.Program{
		Name: "spiking", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&epochs, "epochs")
			f.Positive(&lr, "lr")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, epochs, lr, seed, out) },
	}
}

const usage = `Trains a network of spiking neurons to read handwritten digits. Pixels fire at random, the darker the
more often; the network sees nothing but the spikes, and gets surer the longer it looks.

usage: go run ./examples/spiking [flags]

  -epochs N   how often every image is seen                         (default 30)
  -lr X       learning rate of Adam                                 (default 0.003)
  -seed N     decides the split of the images, their order, the
              spikes and the weights to start from                  (default 1)
  -out DIR    folder for raster.png and time.png                    (default spiking-out)
`

const batchSize = 64

func run(ctx context.Context, w io.Writer, epochs int, lr float64, seed uint64, out string) error {
	train, test, err := images(seed)
	if err != nil {
		return err
	}
	batches, err := data.NewBatches(train, batchSize, seed)
	if err != nil {
		return err
	}
	n, err := newNetwork(seed, lr)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d images to train with, %d others; %d neurons look at each for %d steps of time: %d instructions for a step of training\n\n",
		train.Len(), test.Len(), hidden, duration, n.trainer.Program().Len())
	began := time.Now()
	for number := 1; number <= epochs; number++ {
		loss, err := n.epoch(ctx, batches, number, train.Len())
		if err != nil {
			return err
		}
		if every := (epochs + 9) / 10; number == 1 || number%every == 0 || number == epochs {
			fmt.Fprintf(w, "epoch %*d/%d  loss %.4f\n", len(fmt.Sprint(epochs)), number, epochs, loss)
		}
	}
	took := time.Since(began)
	s, err := n.look(ctx, test)
	if err != nil {
		return err
	}
	rate := mean(s.fired)
	fmt.Fprintf(w, "\nTest accuracy %.4f after %.1f s of training.\n", s.accuracy[duration-1], took.Seconds())
	fmt.Fprintf(w, "After 1, 2, 5, 10 and %d steps of time: %.3f, %.3f, %.3f, %.3f, %.3f\n", duration,
		s.accuracy[0], s.accuracy[1], s.accuracy[4], s.accuracy[9], s.accuracy[duration-1])
	fmt.Fprintf(w, "A neuron fires in %.0f %% of the steps, a pixel in %.0f %%.\n", 100*rate, 100*mean(s.in))
	return pictures(w, out, test, s)
}

func mean(spikes []float32) (sum float64) {
	for _, v := range spikes {
		sum += float64(v)
	}
	return sum / float64(len(spikes))
}

func pictures(w io.Writer, folder string, test *data.Set, s *seen) error {
	// The first image of a 3 in the test set, or the first of all.
	example := 0
	for i, d := range test.Y.Int64s() {
		if d == 3 {
			example = i
			break
		}
	}
	spikes := func(title string, all []float32, rows int) *figure.Plot {
		var x, y []float64
		for t := range duration {
			for i, v := range all[(t*test.Len()+example)*rows:][:rows] {
				if v > 0 {
					x, y = append(x, float64(t+1)), append(y, float64(i))
				}
			}
		}
		p := figure.New(title, "step of time", "").WholeTicks().Dots("", figure.Blue, 1.6, x, y)
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, duration+1, -1, float64(rows)
		return p
	}
	votes := figure.New("Mean vote for each digit", "step of time", "").WholeTicks()
	for k := range classes {
		var y []float64
		for t := range duration {
			y = append(y, float64(s.votes[(t*test.Len()+example)*classes+k]))
		}
		votes.Line(fmt.Sprint(k), figure.Palette[k], nil, y)
	}
	votes.X.Max = 1.2 * duration // room for the legend
	votes.Legend.Top, votes.Legend.XOffs = true, 0
	title := fmt.Sprintf("Spikes of the pixels of a %d", test.Y.Int64s()[example])
	if err := figure.Write(filepath.Join(folder, "raster.png"), 14, 5,
		[]*figure.Plot{spikes(title, s.in, pixels), spikes("Spikes of the neurons", s.fired, hidden), votes}); err != nil {
		return err
	}
	var percent []float64
	for _, a := range s.accuracy {
		percent = append(percent, 100*a)
	}
	long := figure.New("Accuracy on images it has never seen (%)", "steps of time looked", "").WholeTicks().Line("", figure.Blue, nil, percent).Dots("", figure.Blue, 2.5, nil, percent)
	long.X.Min, long.Y.Max = 0, 101
	if err := figure.Write(filepath.Join(folder, "time.png"), 7, 4.5, []*figure.Plot{long}); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  raster.png  what fires when an image is shown, and how the votes settle\n  time.png    accuracy by how long the network looks\n", folder)
	return nil
}
