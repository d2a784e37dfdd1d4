package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/tapir-ml/tapir/nn/data"
	"golang.org/x/term"
)

// describe says what is going to be trained.
func describe(w io.Writer, o options, d *sets, n *network) {
	weights := 0
	for _, p := range n.loss.Graph().Params() {
		weights += int(p.Shape().Size())
	}
	fmt.Fprintf(w, "Images   %d to train with, %d to validate, %d to test: 8×8 pixels each\n", d.train.Len(), d.validation.Len(), d.test.Len())
	fmt.Fprintf(w, "Network  64-64-32-10 relu, %d weights, %v\n", weights, o.dtype)
	fmt.Fprintf(w, "Training %d epochs of Adam, learning rate %v, batches of %d, seed %d\n\n", o.epochs, o.lr, o.batch, o.seed)
}

// progress shows how the training goes: by a bar on a terminal, elsewhere by a line every few epochs.
type progress struct {
	w        io.Writer
	bar      *progressbar.ProgressBar // nil if w is no terminal
	epochs   int
	examples int // in an epoch
	began    time.Time
}

func newProgress(w io.Writer, epochs, examples int) *progress {
	p := &progress{w: w, epochs: epochs, examples: examples, began: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions(epochs,
			progressbar.OptionSetWriter(w),
			progressbar.OptionFullWidth(),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // the description has it, and to the second
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}))
	}
	return p
}

func (p *progress) show(e epoch) {
	took := time.Since(p.began)
	rate := thousands(float64(e.number*p.examples) / took.Seconds())
	left := time.Duration(float64(took) / float64(e.number) * float64(p.epochs-e.number)).Round(time.Second)
	number := fmt.Sprintf("%*d/%d", len(fmt.Sprint(p.epochs)), e.number, p.epochs)
	percent := 100 * e.validation.accuracy
	line := fmt.Sprintf("epoch %s  loss %.4f  validation %5.1f%%  %s examples/s  ETA %v", number, e.train.loss, percent, rate, left)
	if p.bar != nil {
		p.bar.Describe(fit(p.w,
			line,
			fmt.Sprintf("epoch %s loss %.4f val %.1f%% %s examples/s ETA %v", number, e.train.loss, percent, rate, left),
			fmt.Sprintf("%s loss %.3f val %.1f%% ETA %v", number, e.train.loss, percent, left),
			number))
		_ = p.bar.Set(e.number) // a terminal that went away is no reason to stop
		return
	}
	if every := (p.epochs + 9) / 10; e.number == 1 || e.number%every == 0 || e.number == p.epochs {
		fmt.Fprintln(p.w, line)
	}
}

// fit returns the first of several texts, the longest first, that leaves room for a bar on the terminal; else none.
func fit(w io.Writer, texts ...string) string {
	across := 80
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			across = columns
		}
	}
	const bar, around = 8, 12 // columns of a bar, and of what stands around it
	for _, text := range texts {
		if len(text)+bar+around <= across {
			return text
		}
	}
	return ""
}

// end leaves the bar as it is and goes on below it.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
	}
	fmt.Fprintln(p.w)
}

func thousands(v float64) string {
	if v < 10_000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.0fk", v/1000)
}

// report says how the test went: the accuracy, and what was taken for what.
func report(w io.Writer, test *data.Set, read []int64, result score, took time.Duration) {
	counts := confusion(test, read)
	right := 0
	for digit := range counts {
		right += counts[digit][digit]
	}
	fmt.Fprintf(w, "Test accuracy %.4f: %d of %d images read right, after %.1f s of training.\n\n", result.accuracy, right, test.Len(), took.Seconds())
	fmt.Fprint(w, table(counts))
}

// confusion counts how often each digit (first index) was read as each digit (second index).
func confusion(test *data.Set, read []int64) [][]int {
	counts := make([][]int, test.Classes)
	for i := range counts {
		counts[i] = make([]int, test.Classes)
	}
	for i, digit := range test.Y.Int64s() {
		counts[digit][read[i]]++
	}
	return counts
}

// table prints the counts as a confusion matrix; a dot stands for 0, so that the mistakes catch the eye.
func table(counts [][]int) string {
	var b strings.Builder
	b.WriteString("       read as\n  is ")
	for digit := range counts {
		fmt.Fprintf(&b, "%5d", digit)
	}
	b.WriteString("     right\n")
	for digit, row := range counts {
		fmt.Fprintf(&b, "%4d ", digit)
		total := 0
		for _, n := range row {
			total += n
			if n == 0 {
				b.WriteString("    ·")
			} else {
				fmt.Fprintf(&b, "%5d", n)
			}
		}
		if total == 0 {
			b.WriteString("         –\n")
		} else {
			fmt.Fprintf(&b, "%9.1f%%\n", 100*float64(row[digit])/float64(total))
		}
	}
	return b.String()
}
