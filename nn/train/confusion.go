package train

import (
	"context"
	"fmt"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

// Confusion counts what was taken for what. A notebook shows it as a picture.
type Confusion struct {
	Counts [][]int  // [class][answer]
	Labels []string // what the classes are called; nil: their numbers
}

// Averaging says how a measure of each class becomes one of all.
type Averaging uint8

// Macro is the mean over the classes that occur, each counting alike. Micro counts all examples alike: with one answer for each
// example, precision, recall and F1 are then all the accuracy.
const (
	Macro Averaging = iota
	Micro
)

// Confuse compares the outputs of a classifier with labels. (See Accuracy for what the output of one is.)
func Confuse(output, target *tensor.Dense) (*Confusion, error) {
	counts, err := addCounts(nil, output, target)
	if err != nil {
		return nil, err
	}
	return confusionOf(counts), nil
}

// Confusion compares the trainer's answers with the labels of a set.
func (t *Trainer) Confusion(ctx context.Context, s *data.Set) (*Confusion, error) {
	if s == nil {
		return nil, graph.Errorf(graph.ErrValue, "a nil *data.Set")
	}
	output, err := t.Predict(ctx, s.X)
	if err != nil {
		return nil, err
	}
	return Confuse(output, s.Y)
}

// addCounts adds a batch to counts, class by class in one slice.
func addCounts(counts []float64, output, target *tensor.Dense) ([]float64, error) {
	scores, labels, rows, columns, err := labelled(output, target)
	if err != nil {
		return counts, err
	}
	classes := max(columns, 2)
	if counts == nil {
		counts = make([]float64, classes*classes)
	}
	if len(counts) != classes*classes {
		return counts, graph.Errorf(graph.ErrShape, "outputs of %d classes after others", classes)
	}
	for i := range rows {
		counts[int(labels.At(i))*classes+answer(scores, i, columns)]++
	}
	return counts, nil
}

func confusionOf(counts []float64) *Confusion {
	classes := 0
	for classes*classes < len(counts) {
		classes++
	}
	c := &Confusion{Counts: make([][]int, classes)}
	for i := range c.Counts {
		c.Counts[i] = make([]int, classes)
		for j := range c.Counts[i] {
			c.Counts[i][j] = int(counts[i*classes+j])
		}
	}
	return c
}

// sums are the examples of class i, those that were taken for it, and those of both.
func (c *Confusion) sums(i int) (are, taken, both int) {
	for j := range c.Counts {
		are += c.Counts[i][j]
		taken += c.Counts[j][i]
	}
	return are, taken, c.Counts[i][i]
}

// Accuracy is the share of right answers; NaN without examples.
func (c *Confusion) Accuracy() float64 { return c.average(Micro, precision) }

// Precision is the share of the examples that were taken for a class and are of it: 0 where none was taken for it.
func (c *Confusion) Precision(class int) float64 { return precision(c.sums(class)) }

// Recall is the share of the examples of a class that were taken for it: 0 where there are none.
func (c *Confusion) Recall(class int) float64 { return recall(c.sums(class)) }

// F1 is the harmonic mean of a class's precision and recall: 0 where both are.
func (c *Confusion) F1(class int) float64 { return f1(c.sums(class)) }

func precision(_, taken, both int) float64 { return share(both, taken) }
func recall(are, _, both int) float64      { return share(both, are) }
func f1(are, taken, both int) float64      { return share(2*both, are+taken) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func (c *Confusion) average(a Averaging, of func(are, taken, both int) float64) float64 {
	var total, n float64
	var allAre, allTaken, allBoth int
	for i := range c.Counts {
		are, taken, both := c.sums(i)
		allAre, allTaken, allBoth = allAre+are, allTaken+taken, allBoth+both
		if are+taken > 0 {
			total += of(are, taken, both)
			n++
		}
	}
	switch {
	case allAre == 0:
		return nan
	case a == Micro:
		return of(allAre, allTaken, allBoth)
	}
	return total / n
}

// Precision is the precision over all classes; its name is "precision", or "precision_micro".
func Precision(a Averaging) Metric { return averaged("precision", a, precision) }

// Recall is the recall over all classes; its name is "recall", or "recall_micro".
func Recall(a Averaging) Metric { return averaged("recall", a, recall) }

// F1 is the F1 score over all classes; its name is "f1", or "f1_micro".
func F1(a Averaging) Metric { return averaged("f1", a, f1) }

func averaged(name string, a Averaging, of func(are, taken, both int) float64) Metric {
	if a == Micro {
		name += "_micro"
	}
	return Metric{Name: name, Rises: true, Add: addCounts,
		Value: func(sums []float64) float64 { return confusionOf(sums).average(a, of) }}
}

func (c *Confusion) label(i int) string {
	if i < len(c.Labels) {
		return c.Labels[i]
	}
	return fmt.Sprint(i)
}

// String is a table, a row for each class; a dot stands for 0, so that the mistakes catch the eye.
func (c *Confusion) String() string {
	width := 4
	for i := range c.Counts {
		width = max(width, len([]rune(c.label(i))))
		for _, n := range c.Counts[i] {
			width = max(width, len(fmt.Sprint(n)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%*s  taken for\n%*s", width, "", width, "is")
	for i := range c.Counts {
		fmt.Fprintf(&b, "  %*s", width, c.label(i))
	}
	b.WriteString("     right\n")
	for i, row := range c.Counts {
		fmt.Fprintf(&b, "%*s", width, c.label(i))
		for _, n := range row {
			text := "·"
			if n > 0 {
				text = fmt.Sprint(n)
			}
			fmt.Fprintf(&b, "  %*s", width, text)
		}
		if are, _, both := c.sums(i); are > 0 {
			fmt.Fprintf(&b, "%9.1f%%\n", 100*share(both, are))
		} else {
			b.WriteString("         –\n")
		}
	}
	return b.String()
}

// SVG is a picture: the darker a cell, the larger its share of the class.
func (c *Confusion) SVG() string {
	const cell, head, foot = 40, 64, 14
	size := cell * len(c.Counts)
	longest := 0
	for i := range c.Counts {
		longest = max(longest, len([]rune(c.label(i))))
	}
	left := 36 + 8*longest
	width, height := left+size+72, head+size+foot
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="tapir-chart" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="Confusion matrix">`+"\n%s", width, height, chartStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="8"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="middle title" x="%d" y="24">taken for</text><text class="middle title" transform="translate(18,%d) rotate(-90)">is</text>`+"\n", left+size/2, head+size/2)
	fmt.Fprintf(&b, `<text class="end" x="%d" y="%d">right</text>`+"\n", width-12, head-10)
	for i, row := range c.Counts {
		middle := head + cell*i + cell/2 + 4
		are, _, both := c.sums(i)
		fmt.Fprintf(&b, `<text class="middle" x="%d" y="%d">%s</text><text class="end" x="%d" y="%d">%s</text>`, left+cell*i+cell/2, head-10, escape(c.label(i)), left-8, middle, escape(c.label(i)))
		if are > 0 {
			fmt.Fprintf(&b, `<text class="end" x="%d" y="%d">%.1f %%</text>`, width-12, middle, 100*share(both, are))
		}
		for j, n := range row {
			class, text := "wrong", "middle"
			if i == j {
				class = "right"
			}
			opacity := share(n, are)
			if n > 0 {
				opacity = 0.12 + 0.88*opacity
			}
			if opacity > 0.55 {
				text = "middle light"
			}
			fmt.Fprintf(&b, `<rect class="cell" x="%d" y="%d" width="%d" height="%[3]d"/>`, left+cell*j, head+cell*i, cell)
			if n > 0 {
				fmt.Fprintf(&b, `<rect class="%s" fill-opacity="%.3f" x="%d" y="%d" width="%d" height="%[5]d"><title>%d of class %s taken for %s</title></rect><text class="%s" x="%d" y="%d">%[6]d</text>`,
					class, opacity, left+cell*j, head+cell*i, cell, n, escape(c.label(i)), escape(c.label(j)), text, left+cell*j+cell/2, middle)
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// SimpleRender is how notebooks show it.
func (c *Confusion) SimpleRender() map[string]interface{} {
	return map[string]interface{}{"image/svg+xml": c.SVG(), "text/plain": c.String()}
}
