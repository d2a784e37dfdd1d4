package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/nn/data"
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

// report says how the test went: the accuracy, and what was taken for what.
func report(w io.Writer, test *data.Set, read []int64, accuracy float64, took time.Duration) {
	counts := confusion(test, read)
	right := 0
	for digit := range counts {
		right += counts[digit][digit]
	}
	fmt.Fprintf(w, "Test accuracy %.4f: %d of %d images read right, after %.1f s of training.\n\n", accuracy, right, test.Len(), took.Seconds())
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
