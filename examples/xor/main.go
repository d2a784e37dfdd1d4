// Command xor shows why networks have hidden layers: "one or the other, but not both" has no straight border, so a perceptron cannot
// learn it (Minsky and Papert 1969), and a network with one hidden layer can. xor.go has both, main.go what can be seen.
//
//	go run ./examples/xor
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
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	hidden, steps, seed, out := 8, 500, uint64(1), "xor-out"
	return program.Program{
		Name: "xor", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&hidden, "hidden")
			f.Count(&steps, "steps")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return run(ctx, w, hidden, steps, seed, out) },
	}
}

const usage = `A perceptron and a network with one hidden layer learn "one or the other, but not both". The perceptron
fails, as no straight line parts the cases; the network's border bends.

usage: go run ./examples/xor [flags]

  -hidden N   units of the hidden layer; with fewer than 8 it
              depends on the seed whether they suffice         (default 8)
  -steps N    steps of training, each on all four cases        (default 500)
  -seed N     decides the weights to start from                (default 1)
  -out DIR    folder for borders.png and loss.png              (default xor-out)
`

func run(ctx context.Context, w io.Writer, hidden, steps int, seed uint64, out string) error {
	loss := figure.New("Loss, step by step", "step", "cross-entropy (nats)").WholeTicks()
	var borders []*figure.Plot
	for i, c := range []struct {
		name  string
		model nn.Layer
		looks []int // the steps after which its border is drawn
	}{
		{"perceptron", perceptron(), []int{min(20, steps), steps}}, // early, when it still has an opinion
		{fmt.Sprintf("%d hidden units", hidden), withHidden(hidden), []int{steps}},
	} {
		l, err := newLearner(c.model, seed)
		if err != nil {
			return err
		}
		var losses []float64
		for _, look := range c.looks {
			more, err := l.learn(ctx, look-len(losses))
			if err != nil {
				return err
			}
			losses = append(losses, more...)
			p, err := border(ctx, l, fmt.Sprintf("%s, after %d steps", c.name, look))
			if err != nil {
				return err
			}
			borders = append(borders, p)
		}
		loss.Line(c.name, figure.Palette[i], nil, losses)
		yes, err := l.ask(ctx, cases)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: loss %.6f, %d of 4 cases right\n", c.name, losses[steps-1], right(yes))
		for k, p := range yes {
			fmt.Fprintf(w, "  %v xor %v = %v   says yes with %.4f\n", cases[2*k], cases[2*k+1], answers[k], p)
		}
	}
	fmt.Fprintf(w, "The perceptron's best is to say 0.5 to all, with a loss of ln 2 = %.6f.\n", math.Ln2)
	if err := figure.Write(filepath.Join(out, "borders.png"), 13, 4.6, borders); err != nil {
		return err
	}
	loss.X.Min, loss.Y.Min = 0, 0
	loss.Legend.Top = true
	if err := figure.Write(filepath.Join(out, "loss.png"), 7, 4, []*figure.Plot{loss}); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nPictures in %s\n  borders.png  what each says of the plane: blue is yes, orange no, the line is the border\n  loss.png     how they learned\n", out)
	return nil
}

// border draws what a learner says of the plane.
func border(ctx context.Context, l *learner, title string) (*figure.Plot, error) {
	const lo, hi, n = -0.5, 1.5, 201
	field, err := l.ask(ctx, plane(lo, hi, n))
	if err != nil {
		return nil, err
	}
	p := figure.New(title, "", "").Field(field, lo, hi, 0, 1)
	for k, answer := range answers {
		x, y, ink := cases[2*k:2*k+1], cases[2*k+1:2*k+2], figure.Orange
		if answer == 1 {
			ink = figure.Blue
		}
		p.Dots("", color.White, 8, x, y).Dots("", ink, 6, x, y)
	}
	return p, nil
}
