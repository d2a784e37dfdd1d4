package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/train"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

func main() { newProgram().Main() }

// options are the values of the flags.
type options struct {
	epochs, seeds    int
	seed             uint64
	out, bottlesFile string
}

func newProgram() program.Program {
	o := &options{epochs: 50, seeds: 5, seed: 1, out: "wine-out"}
	return program.Program{
		Name: "wine", Usage: usage, Out: &o.out,
		Flags: func(f *program.Flags) {
			f.Count(&o.epochs, "epochs")
			f.Count(&o.seeds, "seeds")
			f.Seed(&o.seed, "seed")
			f.Text(&o.bottlesFile, "judge")
		},
		Run: func(ctx context.Context, w io.Writer) error {
			if o.bottlesFile != "" {
				return judge(ctx, w, *o)
			}
			return run(ctx, w, *o)
		},
	}
}

const usage = `Tells three cultivars apart by 13 chemical measures of 178 wines, by a 13-16-3 tanh network, with and without
scaling the measures first; asks the network which measures it goes by; and saves it with what scales its input.

usage: go run ./examples/wine [flags]

  -epochs N    passes over the training wines                     (default 50)
  -seeds N     split the wines and train so often, with seeds from
               -seed on; the network of the first is saved        (default 5)
  -seed N      decides the split (125 wines to train with, 53 to
               test with), their order and the weights to start
               from                                               (default 1)
  -judge FILE  train nothing: judge the wines of a CSV file, whose
               header names the 13 measures, by the saved network
  -out DIR     folder for the network, loss.png and measures.png  (default wine-out)
`

func run(ctx context.Context, w io.Writer, o options) error {
	wines, err := data.Wine(graph.Float32)
	if err != nil {
		return err
	}
	var first *expert
	var histories []*train.History
	var firstTest *data.Set
	sums := make([]float64, 2)
	fmt.Fprintln(w, "Accuracy on test wines     scaled   as they are")
	for i := range o.seeds {
		seed := o.seed + uint64(i)
		parts, err := wines.SplitStratified(seed, 0.7, 0.3)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  seed %-4d              ", seed)
		for k, scale := range []bool{true, false} {
			e, result, err := learn(ctx, parts[0], parts[1], scale, o.epochs, seed)
			if err != nil {
				return err
			}
			now, err := e.test(ctx, parts[1])
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "  %.4f ", now["accuracy"])
			sums[k] += now["accuracy"]
			if i == 0 {
				histories = append(histories, result.History)
				if scale {
					first, firstTest = e, parts[1]
				}
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  mean of %-4d             %.4f   %.4f\n", o.seeds, sums[0]/float64(o.seeds), sums[1]/float64(o.seeds))

	rises, err := first.importance(ctx, firstTest, o.seed)
	if err != nil {
		return err
	}
	if err := first.save(o.out); err != nil {
		return err
	}
	if err := lossPicture(filepath.Join(o.out, "loss.png"), histories); err != nil {
		return err
	}
	if err := measuresPicture(filepath.Join(o.out, "measures.png"), first.Features, rises); err != nil {
		return err
	}
	fmt.Fprintf(w, `
In %s
  loss.png          the loss, epoch by epoch, with and without scaling
  measures.png      how much worse the network gets without each measure
  %s  the weights
  %s         the names of measures and cultivars, and the scaling; -judge FILE uses both
`, o.out, weightsFile, aroundFile)
	return nil
}

// judge says what the wines of a file are.
func judge(ctx context.Context, w io.Writer, o options) error {
	e, err := load(o.out)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no network in %s: run without -judge first (%w)", o.out, err)
	} else if err != nil {
		return err
	}
	table, err := data.CSV(o.bottlesFile, data.CSVOptions{})
	if err != nil {
		return err
	}
	if table, err = table.Only(e.Features...); err != nil {
		return err
	}
	x, err := table.Tensor(graph.Float32)
	if err != nil {
		return err
	}
	names, sure, err := e.judge(ctx, x)
	if err != nil {
		return err
	}
	for i, name := range names {
		fmt.Fprintf(w, "wine %d  %s  (%.1f %%)\n", i+1, name, 100*sure[i])
	}
	return nil
}

func lossPicture(path string, histories []*train.History) error {
	p := figure.New("Loss, epoch by epoch", "epoch", "cross-entropy (nats)").WholeTicks()
	for i, name := range []string{"scaled", "as they are"} {
		p.Line(name+", training", figure.Palette[i], nil, histories[i].Curve("loss", false))
		p.Dashed(name+", test", figure.Palette[i], nil, histories[i].Curve("loss", true))
	}
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, 1.5*p.Y.Max // room for the legend
	p.Legend.Top = true
	return figure.Write(path, 7, 4, []*figure.Plot{p})
}

// measuresPicture draws a bar for each measure, the most important one on top.
func measuresPicture(path string, names []string, rises []float64) error {
	order := make([]int, len(rises))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if rises[a] < rises[b] {
			return -1
		}
		return 1
	})
	values, labels := make(plotter.Values, len(order)), make([]string, len(order))
	for i, feature := range order {
		values[i], labels[i] = rises[feature], strings.ReplaceAll(names[feature], "_", " ")
	}
	bars, err := plotter.NewBarChart(values, vg.Points(12))
	if err != nil {
		return err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, figure.Blue, 0
	p := figure.New("What the network goes by", "rise of the loss when the measure is shuffled among the wines (nats)", "")
	p.Add(bars)
	p.NominalY(labels...)
	p.X.Max *= 1.03
	return figure.Write(path, 8, 4.6, []*figure.Plot{p})
}
