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
	epochs, seed, out := 150, uint64(1), "autoencoder-out"
	return program.Program{
		Name: "autoencoder", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&epochs, "epochs")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, epochs, seed, out) },
	}
}

const usage = `Trains a network to restore images of digits from two numbers that it has to squeeze them through.
No label is used; yet the plane of the two numbers has a region for each digit.

usage: go run ./examples/autoencoder [flags]

  -epochs N   how often every image is seen                         (default 150)
  -seed N     decides the split of the images, their order and the
              weights to start from                                 (default 1)
  -out DIR    folder for restored.png, plane.png and atlas.png      (default autoencoder-out)
`

const batchSize = 64

func run(ctx context.Context, w io.Writer, epochs int, seed uint64, out string) error {
	train, test, err := images(seed)
	if err != nil {
		return err
	}
	batches, err := data.NewBatches(train, batchSize, seed)
	if err != nil {
		return err
	}
	steps := (train.Len() + batchSize - 1) / batchSize * epochs
	n, err := newNetwork(seed, steps)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d images to train with, %d others; each becomes %d numbers and is restored from them\n\n", train.Len(), test.Len(), code)
	began := time.Now()
	for number := 1; number <= epochs; number++ {
		loss, err := n.epoch(ctx, batches, number, train.Len())
		if err != nil {
			return err
		}
		if every := (epochs + 9) / 10; number == 1 || number%every == 0 || number == epochs {
			fmt.Fprintf(w, "epoch %*d/%d  squared error of a pixel %.4f\n", len(fmt.Sprint(epochs)), number, epochs, loss)
		}
	}
	took := time.Since(began)
	codes, restored, loss, err := n.encode(ctx, test)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nSquared error of a pixel of images that it has never seen: %.4f, after %.1f s.\nTwo principal components, the best that is linear: %.4f.\n", loss, took.Seconds(), linear(train, test))
	fmt.Fprintf(w, "The neighbour next in the plane is the same digit for %.0f %% of them.\n", 100*neighbours(codes, test.Y.Int64s()))
	return n.pictures(ctx, w, out, test, codes, restored)
}

// neighbours is the share of images whose nearest other image in the plane shows the same digit.
func neighbours(codes []float32, digits []int64) (share float64) {
	for i, digit := range digits {
		nearest, least := -1, float32(0)
		for k := range digits {
			dx, dy := codes[2*i]-codes[2*k], codes[2*i+1]-codes[2*k+1]
			if d := dx*dx + dy*dy; k != i && (nearest < 0 || d < least) {
				nearest, least = k, d
			}
		}
		if digits[nearest] == digit {
			share += 1 / float64(len(digits))
		}
	}
	return share
}

func (n *network) pictures(ctx context.Context, w io.Writer, folder string, test *data.Set, codes, restored []float32) error {
	digits := test.Y.Int64s()
	rows := []figure.Row{{Title: "Images that it has never seen"}, {Title: "What it restores of them"}}
	for digit := range int64(10) {
		for i, d := range digits {
			if d != digit {
				continue
			}
			rows[0].Tiles = append(rows[0].Tiles, figure.Ink(8, test.X.Float32s()[i*pixels:(i+1)*pixels], 0, 1))
			rows[1].Tiles = append(rows[1].Tiles, figure.Ink(8, restored[i*pixels:(i+1)*pixels], 0, 1))
			break
		}
	}
	if err := figure.WriteSheet(filepath.Join(folder, "restored.png"), rows...); err != nil {
		return err
	}

	plane := figure.New("Where each image lies", "first number", "second number")
	for digit := range int64(10) {
		var x, y []float64
		for i, d := range digits {
			if d == digit {
				x, y = append(x, float64(codes[2*i])), append(y, float64(codes[2*i+1]))
			}
		}
		plane.Dots(fmt.Sprint(digit), figure.Palette[digit], 3, x, y)
	}
	left, right, below, above := plane.X.Min, plane.X.Max, plane.Y.Min, plane.Y.Max
	plane.X.Max += 0.1 * (right - left) // room for the legend
	plane.Legend.Top, plane.Legend.XOffs = true, 0
	if err := figure.Write(filepath.Join(folder, "plane.png"), 8, 7, []*figure.Plot{plane}); err != nil {
		return err
	}

	const across = 14
	var points []float32
	for row := range across {
		for column := range across {
			points = append(points, float32(left+(right-left)*(float64(column)+0.5)/across), float32(above-(above-below)*(float64(row)+0.5)/across))
		}
	}
	drawn, err := n.decode(ctx, points)
	if err != nil {
		return err
	}
	const width = 9*across + 1 // with a line of paper between the images
	atlas := make([]float32, width*width)
	for i, v := range drawn {
		image, at := i/pixels, i%pixels
		y, x := image/across*9+1+at/8, image%across*9+1+at%8
		atlas[y*width+x] = v
	}
	tile := figure.Ink(width, atlas, 0, 1)
	tile.Scale = 7
	if err := figure.WriteSheet(filepath.Join(folder, "atlas.png"), figure.Row{Title: "What the decoder draws, over the same plane", Tiles: []figure.Tile{tile}}); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  restored.png  images, and what is restored of them\n  plane.png     the two numbers of each image, its digit as colour\n  atlas.png     what the decoder draws, over the plane\n", folder)
	return nil
}
