// Command activations draws the gallery of the activation functions: the value of each, and its first and second derivative, as the tape
// computes them.
//
//	go run ./examples/activations
package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	out := "activations-out"
	return program.Program{
		Name: "activations", Usage: usage, Out: &out,
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, out) },
	}
}

const usage = `Draws all activation functions with their first and second derivatives, and lists a few facts of each.

usage: go run ./examples/activations [flags]

  -out DIR    folder for gallery.png    (default activations-out)
`

const columns = 6

func run(ctx context.Context, w io.Writer, out string) error {
	fmt.Fprintf(w, "%-29s %8s %9s %22s %22s\n", "", "at 0", "slope", fmt.Sprintf("values from %d to %d", -far, far), "slopes")
	var rows [][]*figure.Plot
	for i, a := range gallery {
		p := figure.New(a.title, "", "")
		p.Title.TextStyle.Font.Size = 12
		var values, slopes []float64
		for _, places := range stretches(a.kinks) {
			c, err := study(ctx, a, places)
			if err != nil {
				return fmt.Errorf("%s: %w", a.title, err)
			}
			values, slopes = append(values, c[0]...), append(slopes, c[1]...)
			p.Dashed("", figure.Green, places, c[2]).Line("", figure.Orange, places, c[1]).Line("", figure.Blue, places, c[0])
		}
		at, err := study(ctx, a, append([]float64{0}, a.kinks...))
		if err != nil {
			return err
		}
		p.Dots("", figure.Orange, 2.2, a.kinks, at[1][1:]) // the slope that the catalogue gives a place that has none
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -far, far, -2.2, 3.2
		if i%columns == 0 {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], p)
		fmt.Fprintf(w, "%-29s %8.4f %9.4f %10.4f … %9.4f %10.4f … %9.4f\n", a.title, at[0][0], at[1][0],
			slices.Min(values), slices.Max(values), slices.Min(slopes), slices.Max(slopes))
	}
	if err := figure.Write(filepath.Join(out, "gallery.png"), 18, 11.5, rows...); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPicture in %s\n  gallery.png  value (blue), first derivative (orange; a dot where a kink has none), second (green, dashed)\n", out)
	return nil
}
