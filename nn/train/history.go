package train

import (
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

var nan = math.NaN()

// History is what was measured, epoch by epoch.
type History struct {
	Names  []string // of the measures: "loss", then the metrics
	Epochs []Epoch

	rises map[string]bool
}

// Epoch is one pass over the training examples.
type Epoch struct {
	Epoch      int      // from 1
	Steps      int      // of the optimiser, up to its end
	Rate       float64  // the learning rate of its last step; NaN if the optimiser has none of its own
	Train      Measures // means over the batches, while the parameters moved and dropout was active
	Validation Measures // at its end; nil without a validation set
}

func (t *Trainer) newHistory() *History {
	h := &History{Names: []string{"loss"}, rises: map[string]bool{}}
	for _, m := range t.task.Metrics {
		h.Names = append(h.Names, m.Name)
		h.rises[m.Name] = m.Rises
	}
	return h
}

// Curve returns a measure epoch by epoch, of the validation or of the training.
func (h *History) Curve(name string, validation bool) []float64 {
	values := make([]float64, len(h.Epochs))
	for i, e := range h.Epochs {
		measures := e.Train
		if validation {
			measures = e.Validation
		}
		v, ok := measures[name]
		if !ok {
			v = nan
		}
		values[i] = v
	}
	return values
}

func (h *History) validated() bool { return len(h.Epochs) > 0 && h.Epochs[0].Validation != nil }

// CSV returns the history as a table with a header: epoch, steps, rate, train.loss, …, and validation.loss, … if there was a
// validation. Numbers have all the digits that ParseHistory needs to read the same bits.
func (h *History) CSV() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	kinds := []string{"train."}
	if h.validated() {
		kinds = append(kinds, "validation.")
	}
	row := []string{"epoch", "steps", "rate"}
	for _, kind := range kinds {
		for _, name := range h.Names {
			row = append(row, kind+name)
		}
	}
	_ = w.Write(row) // a strings.Builder does not fail
	for _, e := range h.Epochs {
		row = append(row[:0], strconv.Itoa(e.Epoch), strconv.Itoa(e.Steps), exact(e.Rate))
		for i := range kinds {
			for _, name := range h.Names {
				row = append(row, exact([]Measures{e.Train, e.Validation}[i][name]))
			}
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.String()
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ParseHistory reads what CSV wrote.
func ParseHistory(text string) (*History, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, graph.Errorf(graph.ErrValue, "a history: %v", err)
	}
	if len(rows) == 0 || len(rows[0]) < 4 || !slices.Equal(rows[0][:3], []string{"epoch", "steps", "rate"}) {
		return nil, graph.Errorf(graph.ErrValue, "a history begins with the columns epoch, steps, rate, train.loss")
	}
	h := &History{}
	for _, column := range rows[0][3:] {
		if name, ok := strings.CutPrefix(column, "train."); ok {
			h.Names = append(h.Names, name)
		} else if !strings.HasPrefix(column, "validation.") {
			return nil, graph.Errorf(graph.ErrValue, "the column %q of a history is neither train.… nor validation.…", column)
		}
	}
	for i, row := range rows[1:] {
		e := Epoch{Train: Measures{}}
		bad := false
		number := func(s string) float64 {
			v, err := strconv.ParseFloat(s, 64)
			bad = bad || err != nil
			return v
		}
		e.Epoch, e.Steps, e.Rate = int(number(row[0])), int(number(row[1])), number(row[2])
		for j, column := range rows[0][3:] {
			if name, ok := strings.CutPrefix(column, "train."); ok {
				e.Train[name] = number(row[3+j])
			} else {
				if e.Validation == nil {
					e.Validation = Measures{}
				}
				e.Validation[strings.TrimPrefix(column, "validation.")] = number(row[3+j])
			}
		}
		if bad {
			return nil, graph.Errorf(graph.ErrValue, "row %d of a history has what is no number: %s", i+1, strings.Join(row, ","))
		}
		h.Epochs = append(h.Epochs, e)
	}
	return h, nil
}

// String is a table: the first epoch, the last, and about ten in all.
func (h *History) String() string {
	var b strings.Builder
	every := (len(h.Epochs) + 9) / 10
	for i, e := range h.Epochs {
		if i == 0 || (i+1)%every == 0 || i == len(h.Epochs)-1 {
			fmt.Fprintf(&b, "epoch %*d  %s\n", len(strconv.Itoa(len(h.Epochs))), e.Epoch, h.describe(e))
		}
	}
	if v := h.Verdict(); v != "" {
		b.WriteString(v + "\n")
	}
	return b.String()
}

// describe is an epoch on one line.
func (h *History) describe(e Epoch) string {
	words := make([]string, 0, 2*len(h.Names))
	for i, kind := range []Measures{e.Train, e.Validation} {
		for j, name := range h.Names {
			if kind == nil || i == 0 && j > 0 && e.Validation != nil {
				continue // the metrics of the training are of less interest
			}
			if i == 1 && j == 0 {
				name = "validation"
			}
			words = append(words, name+" "+short(kind[h.Names[j]]))
		}
	}
	return strings.Join(words, "  ")
}

// short prints a number with four decimals, or where that says nothing of it with four digits.
func short(v float64) string {
	if size := math.Abs(v); size != 0 && (size < 0.001 || size >= 1e5) {
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// Verdict says in words what the curves of the losses show: over- or underfitting, or neither. It is a rule of thumb, and ""
// for less than five epochs.
func (h *History) Verdict() string {
	const least = 5
	n := len(h.Epochs)
	if n < least {
		return ""
	}
	training := h.Curve("loss", false)
	first, last := training[0], training[n-1]
	fell := (first - last) / math.Abs(first)
	before := training[n-1-n/least] // a fifth of the epochs ago
	stillFalls := (before-last)/math.Abs(before) > 0.05
	if h.validated() {
		validation := h.Curve("loss", true)
		best := 0
		for i, v := range validation {
			if v < validation[best] || math.IsNaN(validation[best]) {
				best = i
			}
		}
		end := validation[n-1]
		switch low := validation[best]; {
		case math.IsNaN(end) || math.IsInf(end, 0):
			return fmt.Sprintf("The validation loss is %v, which says nothing about the fit.", end)
		case n-1-best >= 2 && end > low+0.1*math.Abs(low) && last < training[best]:
			return fmt.Sprintf("Overfitting: since epoch %d the validation loss rose from %.4g to %.4g while the training loss fell from %.4g to %.4g. Stop there (Options.Patience), regularise (dropout, weight decay), or find more examples.",
				best+1, low, end, training[best], last)
		case stillFalls && n-1-best >= 2 && end > low+0.02*math.Abs(low) && last < training[best]:
			return fmt.Sprintf("At the edge of overfitting: the training loss still falls, but the validation loss was least in epoch %d, %.4g, and is %.4g now. More epochs will not help (Options.Patience stops in time).",
				best+1, low, end)
		case fell >= 0.2 && !stillFalls && end > 2*last && end-last > 0.1*math.Abs(first-last):
			return fmt.Sprintf("Overfitting: the validation loss stays at %.4g, the training loss is down at %.4g. Regularise (dropout, weight decay), or find more examples.", end, last)
		}
	}
	switch {
	case !(fell >= 0.2) && !stillFalls:
		return fmt.Sprintf("Underfitting: in %d epochs the training loss went only from %.4g to %.4g. A larger model, another learning rate, or better features may help.", n, first, last)
	case stillFalls:
		return fmt.Sprintf("Still learning: over the last %d epochs the training loss fell from %.4g to %.4g. More epochs may help.", n/least, before, last)
	case h.validated():
		return fmt.Sprintf("A good fit: training loss %.4g and validation loss %.4g lie together, and have settled.", last, h.Curve("loss", true)[n-1])
	}
	return fmt.Sprintf("The training loss has settled at %.4g; a validation set would show whether the model overfits.", last)
}
