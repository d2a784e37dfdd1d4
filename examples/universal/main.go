// Command universal watches a network with one hidden layer approximate a function: any continuous function on an interval comes as near as one
// likes if the layer is wide enough (Cybenko 1989; Hornik, Stinchcombe and White 1989). universal.go fits, main.go shows the series of widths.
//
//	go run ./examples/universal
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	name, starts, steps, seed, out := targets[0].name, 4, 3000, uint64(1), "universal-out"
	return program.Program{
		Name: "universal", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Text(&name, "function")
			f.Count(&starts, "starts")
			f.Count(&steps, "steps")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error {
			var names []string
			for _, to := range targets {
				if to.name == name {
					return run(ctx, w, to, starts, steps, seed, out)
				}
				names = append(names, to.name)
			}
			return errors.New("-function " + name + ": want one of " + strings.Join(names, ", "))
		},
	}
}

const usage = `Fits networks with one hidden layer of 1, 2, 4, … tanh units to a function, by L-BFGS, and shows how the
error falls as the layer widens.

usage: go run ./examples/universal [flags]

  -function F  wave: sin(6x) + x/2, corner: |x| − 1,
               or bell: exp(−4x²)·cos(9x)                      (default wave)
  -starts N    fits from so many starts, the best of which
               counts                                          (default 4)
  -steps N     steps of each fit at most                       (default 3000)
  -seed N      decides the weights to start from               (default 1)
  -out DIR     folder for series.png and error.png             (default universal-out)
`

// widths are those of the series.
var widths = []int{1, 2, 4, 8, 16, 32}

func run(ctx context.Context, w io.Writer, to target, starts, steps int, seed uint64, out string) error {
	fmt.Fprintf(w, "%s from %d to %d by Σ v·tanh(w·x + b) + c\n\nunits  parameters  error (rms)  largest error\n", to.formula, -far, far)
	var panels []*figure.Plot
	var across, rms, largest []float64
	for _, width := range widths {
		f, err := fit(ctx, to, width, starts, steps, seed)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-5d  %-10d  %-11.2e  %.2e\n", width, f.parameters, f.rms, f.largest)
		across, rms, largest = append(across, math.Log2(float64(width))), append(rms, math.Log10(f.rms)), append(largest, math.Log10(f.largest))

		truth := make([]float64, len(f.places))
		for i, x := range f.places {
			truth[i] = to.f(x)
		}
		title := fmt.Sprintf("%d units: error %.1e", width, f.rms)
		if width == 1 {
			title = fmt.Sprintf("1 unit: error %.1e", f.rms)
		}
		p := figure.New(title, "", "").Line("", figure.Grey, f.places, truth).Line("", figure.Blue, f.places, f.values)
		panels = append(panels, p)
	}
	low, high := panels[0].Y.Min, panels[0].Y.Max
	for _, p := range panels {
		low, high = min(low, p.Y.Min), max(high, p.Y.Max)
	}
	for _, p := range panels {
		p.Y.Min, p.Y.Max = low, high
	}
	if err := figure.Write(filepath.Join(out, "series.png"), 11, 6, panels[:3], panels[3:]); err != nil {
		return err
	}
	e := figure.New("How the error falls: "+to.formula, "hidden units, power of two", "error, power of ten").WholeTicks().
		Line("root of the mean square", figure.Blue, across, rms).Dots("", figure.Blue, 3, across, rms).
		Line("largest", figure.Orange, across, largest).Dots("", figure.Orange, 3, across, largest)
	e.Legend.Top = true
	if err := figure.Write(filepath.Join(out, "error.png"), 6, 4, []*figure.Plot{e}); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  series.png  the function (grey) and the networks (blue)\n  error.png   the error by width\n", out)
	return nil
}
