package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gonum.org/v1/plot/plotter"
	"gorgonia.org/tensor"
)

func main() { newProgram().Main() }

// options are the values of the flags.
type options struct {
	folds, epochs, seeds int
	seed                 uint64
	out                  string
}

func newProgram() program.Program {
	o := &options{folds: 10, epochs: 100, seeds: 5, seed: 1, out: "iris-out"}
	return program.Program{
		Name: "iris", Usage: usage, Out: &o.out,
		Flags: func(f *program.Flags) {
			f.Count(&o.folds, "folds")
			f.Count(&o.epochs, "epochs")
			f.Count(&o.seeds, "seeds")
			f.Seed(&o.seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, *o) },
	}
}

const usage = `Tells three species of iris apart by the lengths and widths of sepal and petal, in two ways: by a 4-16-3 tanh
network, and by Gaussians that say how the measures of each species come about. Each of the 150 flowers is judged by
a model that has never seen it (cross-validation). Draws what each model says of the plane of the petals.

usage: go run ./examples/iris [flags]

  -folds N    parts the flowers are dealt out in; each is judged by
              what was learnt from the others                      (default 10)
  -epochs N   passes over the flowers                              (default 100)
  -seeds N    cross-validations, with seeds from -seed on          (default 5)
  -seed N     decides the parts, the order of the flowers and the
              weights to start from                                (default 1)
  -out DIR    folder for regions.png                               (default iris-out)
`

func run(ctx context.Context, w io.Writer, o options) error {
	iris, err := data.Iris(graph.Float32)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d flowers: %s\n\n%d-fold cross-validation\n", iris.Len(), strings.Join(iris.Labels, ", "), o.folds)
	accuracies, answers := make([][]float64, len(models)), make([][]int64, len(models))
	for i := range o.seeds {
		fmt.Fprintf(w, "  seed %-4d", o.seed+uint64(i))
		for k, m := range models {
			of, err := m.crossValidate(ctx, iris, o.folds, o.epochs, o.seed+uint64(i))
			if err != nil {
				return err
			}
			if answers[k] == nil {
				answers[k] = of
			}
			accuracies[k] = append(accuracies[k], accuracy(iris, of))
			fmt.Fprintf(w, "  %s %.4f", m.name, accuracy(iris, of))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "  mean     ")
	for k, m := range models {
		fmt.Fprintf(w, "  %s %.4f", m.name, mean(accuracies[k]))
	}
	fmt.Fprintln(w)
	for k, m := range models {
		fmt.Fprintf(w, "\nMistakes of the %s, with seed %d\n%s", m.name, o.seed, mistakes(iris, answers[k]))
	}
	if err := regions(ctx, filepath.Join(o.out, "regions.png"), iris, o); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPicture in %s\n  regions.png  what each model takes a flower for, by its petal alone; paler where it is less sure\n", o.out)
	return nil
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}

// mistakes lists the flowers that were taken for another species.
func mistakes(s *data.Set, answers []int64) string {
	var b strings.Builder
	width := len(s.Features)
	for i, y := range s.Y.Int64s() {
		if answers[i] != y {
			fmt.Fprintf(&b, "  flower %3d  sepal %v × %v cm, petal %v × %v cm  is %-10s  taken for %s\n", i+1,
				s.X.Float32s()[i*width], s.X.Float32s()[i*width+1], s.X.Float32s()[i*width+2], s.X.Float32s()[i*width+3], s.Labels[y], s.Labels[answers[i]])
		}
	}
	if b.Len() == 0 {
		return "  none\n"
	}
	return b.String()
}

// regions draws what each model says of the plane of petal length and width, when it has learnt from these alone.
func regions(ctx context.Context, path string, iris *data.Set, o options) error {
	const across, up = 281, 121
	const left, right, below, above = 0.5, 7.5, 0, 3
	petals, err := iris.Only(2, 3)
	if err != nil {
		return err
	}
	plane := make([]float32, 0, 2*across*up)
	for y := range up {
		for x := range across {
			plane = append(plane, left+(right-left)*float32(x)/(across-1), above-(above-below)*float32(y)/(up-1))
		}
	}
	var plots []*figure.Plot
	for _, m := range models {
		l, err := m.learn(ctx, petals, o.epochs, o.seed)
		if err != nil {
			return err
		}
		x, err := l.scale.Apply(tensor.New(tensor.WithShape(len(plane)/2, 2), tensor.WithBacking(plane)))
		if err != nil {
			return err
		}
		logits, err := l.Predict(ctx, x)
		if err != nil {
			return err
		}
		picture := image.NewRGBA(image.Rect(0, 0, across, up))
		for i := range across * up {
			picture.Set(i%across, i/across, shade(logits.Float32s()[i*iris.Classes:(i+1)*iris.Classes]))
		}
		p := figure.New(fmt.Sprintf("%s, by the petal alone", m.name), "petal length (cm)", "petal width (cm)")
		p.Add(plotter.NewImage(picture, left, below, right, above))
		for label, name := range iris.Labels {
			var x, y []float64
			for i, of := range petals.Y.Int64s() {
				if of == int64(label) {
					x, y = append(x, float64(petals.X.Float32s()[2*i])), append(y, float64(petals.X.Float32s()[2*i+1]))
				}
			}
			p.Dots("", color.White, 3.4, x, y).Dots(name, figure.Palette[label], 2.4, x, y)
		}
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = left, right, below, above
		p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 0, -6
		plots = append(plots, p)
	}
	return figure.Write(path, 12, 4.6, plots)
}

// shade is the colour of the likeliest class, the paler the less likely it is.
func shade(logits []float32) color.Color {
	best, sum := 0, 0.0
	for k, v := range logits {
		if v > logits[best] {
			best = k
		}
	}
	for _, v := range logits {
		sum += math.Exp(float64(v - logits[best]))
	}
	share := 0.6 * (1/sum - 1/float64(len(logits))) / (1 - 1/float64(len(logits)))
	r, g, b, _ := figure.Palette[best].RGBA()
	mix := func(c uint32) uint8 { return uint8(math.Round(255 + share*(float64(c>>8)-255))) }
	return color.RGBA{mix(r), mix(g), mix(b), 255}
}
