package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	epochs, hidden, letters, seed, begin, boldness, out := 6, 128, 400, uint64(1), "the tapir ", 0.6, "charlm-out"
	return program.Program{
		Name: "charlm", Usage: usage, Out: &out,
		Flags: func(f *program.Flags) {
			f.Count(&epochs, "epochs")
			f.Count(&hidden, "hidden")
			f.Count(&letters, "letters")
			f.Seed(&seed, "seed")
			f.Text(&begin, "begin")
			f.Positive(&boldness, "boldness")
		},
		Run: func(ctx context.Context, w io.Writer) error {
			return run(ctx, w, epochs, hidden, letters, seed, begin, boldness, out)
		},
	}
}

const usage = `Trains a small recurrent network to guess a story letter by letter, then lets it tell one.

With many more epochs it knows the story by heart, and guesses what is held out worse.

usage: go run ./examples/charlm [flags]

  -epochs N     how often the story is read                   (default 6)
  -hidden N     units of the recurrent layer                  (default 128)
  -seed N       decides the order of reading, the weights to
                start from, and the dice                      (default 1)
  -begin TEXT   how the story that it tells begins            (default "the tapir ")
  -letters N    how long that story goes on                   (default 400)
  -boldness X   below 1 it says what is likely, above 1 it
                takes chances                                 (default 0.6)
  -out DIR      folder for perplexity.png                     (default charlm-out)
`

const (
	batchSize = 64
	stride    = 3 // from window to window while it learns
)

func run(ctx context.Context, out io.Writer, epochs, hidden, letters int, seed uint64, begin string, boldness float64, folder string) error {
	a := alphabetOf(story)
	if _, err := a.encode(begin); err != nil {
		return fmt.Errorf("-begin: %w", err)
	}
	text, err := a.encode(story)
	if err != nil {
		return err
	}
	cut := int((1 - heldOut) * float64(len(text)))
	known, unknown := text[:cut], text[cut:]
	var starts []int
	for at := 0; at+window+1 <= len(known); at += stride {
		starts = append(starts, at)
	}
	perEpoch := (len(starts) + batchSize - 1) / batchSize
	w, err := newWriter(a, hidden, epochs*perEpoch, seed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A story of %d letters, %d different ones; the last %d are held out.\nBy how often each letter comes, they have a perplexity of %.2f; by the letter before each, %.2f.\n\n",
		len(text), len(a.letters), len(unknown), byFrequency(known, unknown, len(a.letters), 0), byFrequency(known, unknown, len(a.letters), 1))

	began := time.Now()
	var curve, own []float64
	for epoch := 1; epoch <= epochs; epoch++ {
		order := rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(len(starts))
		sum := 0.0
		for i := 0; i < len(order); i += batchSize {
			batch := order[i:min(i+batchSize, len(order))]
			at := make([]int, len(batch))
			for k, o := range batch {
				at[k] = starts[o]
			}
			loss, err := w.learn(ctx, windowsAt(known, at))
			if err != nil {
				return err
			}
			sum += loss * float64(len(batch)) / float64(len(order))
		}
		perplexity, err := w.perplexity(ctx, unknown)
		if err != nil {
			return err
		}
		own, curve = append(own, math.Exp(sum)), append(curve, perplexity)
		if every := (epochs + 7) / 8; epoch == 1 || epoch%every == 0 || epoch == epochs {
			fmt.Fprintf(out, "epoch %*d/%d  perplexity of what it reads %5.2f, of what is held out %5.2f\n", len(fmt.Sprint(epochs)), epoch, epochs, math.Exp(sum), perplexity)
		}
	}
	fmt.Fprintf(out, "\nHeld-out perplexity %.3f after %.1f s.\n\n", curve[epochs-1], time.Since(began).Seconds())
	told, err := w.tell(ctx, begin, letters, boldness)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s …\n", wrapped(told, 92))
	p := figure.New("Perplexity", "epoch", "letters to choose from").WholeTicks().
		Line("of what it reads", figure.Blue, nil, own).Line("of what is held out", figure.Orange, nil, curve)
	p.Y.Min, p.X.Min, p.Legend.Top = 1, 0, true
	if err := figure.Write(filepath.Join(folder, "perplexity.png"), 7, 4.5, []*figure.Plot{p}); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nPicture in %s\n  perplexity.png  how surely it guesses, epoch by epoch\n", folder)
	return nil
}

// byFrequency is the perplexity of a text by the frequencies of another one, after the given number of letters: 0 or 1. Each pair
// counts as seen once more than it was.
func byFrequency(known, text []int64, letters, after int) float64 {
	context := func(s []int64, i int) int64 {
		if after == 0 || i == 0 {
			return 0
		}
		return s[i-1]
	}
	counts := make([][]float64, letters)
	sums := make([]float64, letters)
	for c := range counts {
		counts[c] = make([]float64, letters)
		for k := range counts[c] {
			counts[c][k]++
		}
		sums[c] = float64(letters)
	}
	for i, id := range known {
		counts[context(known, i)][id]++
		sums[context(known, i)]++
	}
	loss := 0.0
	for i, id := range text {
		loss -= math.Log(counts[context(text, i)][id] / sums[context(text, i)])
	}
	return math.Exp(loss / float64(len(text)))
}

// wrapped breaks a text into lines of so many letters at most, at spaces.
func wrapped(text string, width int) string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len(line)+1+len(word) > width {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimLeft(line+" "+word, " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
