// Command initialisers shows what the first weights of a network decide: whether its units can become different ones at all (symmetry.go), and
// whether a signal, and a gradient, arrives at the other end of fifty layers (signals.go).
//
//	go run ./examples/initialisers
package main

import (
	"context"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"gonum.org/v1/plot"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	d, steps, out := depth{layers: 50, width: 100, examples: 100}, 100, "initialisers-out"
	return program.Program{
		Name: "initialisers", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&d.layers, "layers")
			f.Count(&d.width, "width")
			f.Count(&d.examples, "examples")
			f.Count(&steps, "steps")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, d, steps, out) },
	}
}

const usage = `Shows what the first weights of a network decide. Trains a small network from weights of zero, from equal
ones and from random ones, and counts its different units. Then sends a signal through many layers of
relu and of tanh, and a gradient back, for each initialiser.

usage: go run ./examples/initialisers [flags]

  -layers N    layers that the signal goes through                     (default 50)
  -width N     units in each of them                                   (default 100)
  -examples N  rows of the signal                                      (default 100)
  -steps N     steps of training from zero, equal and random weights   (default 100)
  -out DIR     folder for symmetry.png and signals.png                 (default initialisers-out)
`

// activations are those that the signals go through.
var activations = []struct {
	name  string
	build nn.Func
}{{"relu", ops.ReLU}, {"tanh", ops.Tanh}}

func run(ctx context.Context, w io.Writer, d depth, steps int, out string) error {
	fmt.Fprintf(w, "A 64-%d-10 network on 1,797 digits, after %d steps of Adam\n\n", hidden, steps)
	fmt.Fprintf(w, "| weights | activation | different hidden units | loss | digits read right |\n|---|---|---|---|---|\n")
	falls := figure.New(fmt.Sprintf("Loss of a 64-%d-10 relu network", hidden), "step", "cross-entropy (nats)").WholeTicks()
	for i, s := range []start{{"zeros", initializers.Zeros()}, {"constant 0.1", initializers.Constant(0.1)}, {"he", initializers.He()}} {
		for _, a := range activations {
			b, err := breakSymmetry(ctx, s.init, a.build, steps)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "| %s | %s | %d | %.3f | %.1f %% |\n", s.name, a.name, b.units, b.loss[steps-1], 100*b.accuracy)
			if a.name == "relu" {
				falls.Line(fmt.Sprintf("%s: different units: %d", s.name, b.units), figure.Palette[i], nil, b.loss)
			}
		}
	}
	falls.X.Min, falls.Y.Min, falls.Y.Max, falls.Legend.Top = 0, 0, 3.2, true
	if err := figure.Write(filepath.Join(out, "symmetry.png"), 7, 4, []*figure.Plot{falls}); err != nil {
		return err
	}

	fmt.Fprintf(w, "\nMean squares after a signal went through %d layers of %d units, and a gradient back to the first of them\n\n", d.layers, d.width)
	fmt.Fprintf(w, "| weights | relu: signal | gradient | tanh: signal | gradient |\n|---|---|---|---|---|\n")
	var rows [2][]*figure.Plot
	for _, a := range activations {
		rows[0] = append(rows[0], figure.New("Signal, through layers of "+a.name, "layer", "mean square, power of ten").WholeTicks())
		rows[1] = append(rows[1], figure.New("Gradient, back through layers of "+a.name, "layer", "mean square, power of ten").WholeTicks())
	}
	for _, s := range starts(d.width) {
		line := "| " + s.name + " |"
		curve, drawn := curves[s.name]
		for i, a := range activations {
			v, err := travel(ctx, d, a.build, s.init, 3)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %s | %s |", power(v.forward[d.layers-1]), power(v.backward[0]))
			if drawn {
				curve(rows[0][i], i == 1, s.name, v.forward)
				curve(rows[1][i], false, s.name, v.backward)
			}
		}
		fmt.Fprintln(w, line)
	}
	for _, p := range append(rows[0], rows[1]...) {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max, p.Y.Tick.Marker = 0, float64(d.layers), lowest, highest, fives
	}
	if err := figure.Write(filepath.Join(out, "signals.png"), 10, 8, rows[0], rows[1]); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  symmetry.png  the loss, from zero, equal and random weights\n  signals.png   signal and gradient, layer by layer\n", out)
	return nil
}

// The picture of the signals shows these powers of ten; what goes beyond leaves it.
const lowest, highest = -16, 6

var fives = plot.ConstantTicks{{Value: -15, Label: "−15"}, {Value: -10, Label: "−10"}, {Value: -5, Label: "−5"}, {Value: 0, Label: "0"}, {Value: 5, Label: "5"}}

// curves draw what does not lie on another curve: layers have as many outputs as inputs, so xavier is lecun, and a uniform distribution goes the way
// of the normal one of its variance. The names stand in one of the plots.
var curves = map[string]func(p *figure.Plot, named bool, name string, squares []float64){
	"normal(0.01)":    curve(figure.Blue, false),
	"normal(0.2)":     curve(figure.Orange, false),
	"uniform ±√(1/n)": curve(figure.Green, false),
	"xavier":          curve(figure.Purple, false),
	"he":              curve(figure.Amber, false),
	"orthogonal(1)":   curve(figure.Sky, true),
	"orthogonal(√2)":  curve(figure.Palette[6], true),
	"identity(1)":     curve(figure.Grey, false),
}

func curve(ink color.Color, dashed bool) func(*figure.Plot, bool, string, []float64) {
	return func(p *figure.Plot, named bool, name string, squares []float64) {
		powers := make([]float64, len(squares))
		for i, s := range squares {
			powers[i] = math.Log10(s)
		}
		if !named {
			name = ""
		}
		if dashed {
			p.Dashed(name, ink, nil, powers)
		} else {
			p.Line(name, ink, nil, powers)
		}
	}
}

// power prints a mean square: near 1 by its digits, else by its power of ten.
func power(v float64) string {
	if v == 0 {
		return "0"
	}
	if v >= 1e-3 && v < 1e3 {
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("10^%.1f", math.Log10(v))
}
