package train_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/train"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// measure gives a metric rows in batches of at most three.
func measure(t interface{ Fatal(...any) }, m train.Metric, columns int, scores []float64, labels []int64) float64 {
	var sums []float64
	rows := len(labels)
	for at := 0; at < rows; at += 3 {
		n := min(3, rows-at)
		shape := []int{n, columns}
		if columns == 0 { // scores without a second axis
			shape = []int{n}
		}
		c := max(columns, 1)
		o := graph.NewArray(graph.Float64, shape...)
		copy(o.F64(), scores[at*c:(at+n)*c])
		y := graph.NewArray(graph.Int64, n)
		copy(y.I64(), labels[at:at+n])
		var err error
		if sums, err = m.Add(sums, o.Dense(), y.Dense()); err != nil {
			t.Fatal(err)
		}
	}
	return m.Value(sums)
}

func same(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12*max(1, math.Abs(b))
}

// Values by hand: labels 0 0 1 1 2, taken for 0 1 1 1 0.
func TestMetricsByHand(t *testing.T) {
	scores := []float64{
		3, 2, 1,
		1, 2, 0,
		0, 5, 4,
		1, 2, 1,
		3, 2, 1,
	}
	labels := []int64{0, 0, 1, 1, 2}
	for _, c := range []struct {
		m    train.Metric
		name string
		want float64
	}{
		{train.Accuracy(), "accuracy", 3.0 / 5},
		{train.TopK(1), "top1", 3.0 / 5},
		{train.TopK(2), "top2", 4.0 / 5},
		{train.TopK(3), "top3", 1},
		{train.Precision(train.Macro), "precision", (1.0/2 + 2.0/3 + 0) / 3},
		{train.Recall(train.Macro), "recall", (1.0/2 + 1 + 0) / 3},
		{train.F1(train.Macro), "f1", (1.0/2 + 4.0/5 + 0) / 3},
		{train.Precision(train.Micro), "precision_micro", 3.0 / 5},
		{train.Recall(train.Micro), "recall_micro", 3.0 / 5},
		{train.F1(train.Micro), "f1_micro", 3.0 / 5},
		// 0: {3, 1} against {0, 1, 3}: 1, ½, 1 · 1, ½, 0 of 6; 1: {5, 2} against {2, 2, 2}: 3 + 3·½ of 6; 2: {1} against {1, 0, 4, 1}: ½+1+0+½ of 4
		{train.AUC(), "auc", ((1+1+0.5+1+0.5+0)/6.0 + 4.5/6 + 2.0/4) / 3},
	} {
		if got := measure(t, c.m, 3, scores, labels); c.m.Name != c.name || !c.m.Rises || !same(got, c.want) {
			t.Errorf("%s is %v, want %s %v", c.m.Name, got, c.name, c.want)
		}
	}
	for _, columns := range []int{0, 1} { // scores of one column: above 0 is class 1
		for name, want := range map[string]float64{"accuracy": 3.0 / 4, "auc": 3.5 / 4} {
			m := map[string]train.Metric{"accuracy": train.Accuracy(), "auc": train.AUC()}[name]
			if got := measure(t, m, columns, []float64{-1, 2, 2, 3}, []int64{0, 1, 0, 1}); !same(got, want) {
				t.Errorf("%s of %d columns is %v, want %v", name, columns, got, want)
			}
		}
	}
	y := tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{1, 2, 3, 6}))
	o := tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{1, 4, 3, 5}))
	for _, c := range []struct {
		m     train.Metric
		want  float64
		rises bool
	}{{train.MAE(), 3.0 / 4, false}, {train.RMSE(), math.Sqrt(5.0 / 4), false}, {train.R2(), 1 - 5.0/14, true}} {
		sums, err := c.m.Add(nil, o, y)
		if got := c.m.Value(sums); err != nil || !same(got, c.want) || c.m.Rises != c.rises {
			t.Errorf("%s is %v, want %v (%v)", c.m.Name, got, c.want, err)
		}
	}
}

// The metrics are what their definitions say, whatever the batches.
func TestMetricsByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.IntRange(2, 5).Draw(t, "classes")
		rows := rapid.IntRange(0, 20).Draw(t, "rows")
		scores := make([]float64, rows*classes)
		labels, answers := make([]int64, rows), make([]int, rows)
		for i := range scores {
			scores[i] = float64(rapid.IntRange(-3, 3).Draw(t, "score")) / 2 // with ties
		}
		for i := range labels {
			labels[i] = int64(rapid.IntRange(0, classes-1).Draw(t, "label"))
			for j := range classes {
				if scores[i*classes+j] > scores[i*classes+answers[i]] {
					answers[i] = j
				}
			}
		}
		count := func(holds func(i int) bool) (n float64) {
			for i := range rows {
				if holds(i) {
					n++
				}
			}
			return n
		}
		ratio := func(a, b float64) float64 {
			if b == 0 {
				return 0
			}
			return a / b
		}
		var precision, recall, f1, present, area, areas float64
		for c := range classes {
			is := func(i int) bool { return int(labels[i]) == c }
			taken := func(i int) bool { return answers[i] == c }
			both := count(func(i int) bool { return is(i) && taken(i) })
			if count(func(i int) bool { return is(i) || taken(i) }) > 0 {
				p, r := ratio(both, count(taken)), ratio(both, count(is))
				precision, recall, f1, present = precision+p, recall+r, f1+ratio(2*p*r, p+r), present+1
			}
			if n := count(is); n > 0 && n < float64(rows) {
				score := func(i int) float64 { return scores[i*classes+c] }
				if classes == 2 {
					score = func(i int) float64 { return scores[i*2+c] - scores[i*2+1-c] }
				}
				won := 0.0
				for i := range rows {
					for j := range rows {
						if is(i) && !is(j) && score(i) > score(j) {
							won++
						} else if is(i) && !is(j) && score(i) == score(j) {
							won += 0.5
						}
					}
				}
				area, areas = area+won/(n*(float64(rows)-n)), areas+1
			}
		}
		right := count(func(i int) bool { return int(labels[i]) == answers[i] }) / float64(rows)
		for _, c := range []struct {
			m    train.Metric
			want float64
		}{
			{train.Accuracy(), right},
			{train.Precision(train.Macro), precision / present},
			{train.Recall(train.Macro), recall / present},
			{train.F1(train.Macro), f1 / present},
			{train.F1(train.Micro), right},
			{train.AUC(), area / areas},
		} {
			if got := measure(t, c.m, classes, scores, labels); !same(got, c.want) {
				t.Errorf("%s of %v, %v is %v, want %v", c.m.Name, scores, labels, got, c.want)
			}
		}

		o, y := scores, make([]float64, len(scores)) // as numbers: columns of outputs
		for i := range y {
			y[i] = float64(rapid.IntRange(-3, 3).Draw(t, "target"))
		}
		var absolute, squared, r2 float64
		for j := range classes {
			var mean, around, off float64
			for i := range rows {
				mean += y[i*classes+j] / float64(rows)
			}
			for i := range rows {
				d := o[i*classes+j] - y[i*classes+j]
				absolute, squared, off = absolute+math.Abs(d), squared+d*d, off+d*d
				around += (y[i*classes+j] - mean) * (y[i*classes+j] - mean)
			}
			switch {
			case around > 1e-20:
				r2 += 1 - off/around
			case off == 0:
				r2++
			}
		}
		n := float64(len(y))
		for _, c := range []struct {
			m    train.Metric
			want float64
		}{{train.MAE(), absolute / n}, {train.RMSE(), math.Sqrt(squared / n)}, {train.R2(), r2 / float64(classes)}} {
			var sums []float64
			for i := range rows {
				row := func(v []float64) *tensor.Dense {
					return tensor.New(tensor.WithShape(1, classes), tensor.WithBacking(v[i*classes:(i+1)*classes]))
				}
				var err error
				if sums, err = c.m.Add(sums, row(o), row(y)); err != nil {
					t.Fatal(err)
				}
			}
			if rows == 0 {
				c.want = math.NaN()
			}
			if got := c.m.Value(sums); !same(got, c.want) {
				t.Errorf("%s of %v, %v is %v, want %v", c.m.Name, o, y, got, c.want)
			}
		}
	})
}

func TestMetricsSayWhatDoesNotFit(t *testing.T) {
	three := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(make([]float32, 6)))
	labels := func(v ...int64) *tensor.Dense { return tensor.New(tensor.WithBacking(v)) }
	for _, m := range []train.Metric{train.Accuracy(), train.TopK(2), train.F1(train.Macro), train.AUC(), train.MAE(), train.R2()} {
		for _, target := range []*tensor.Dense{nil, labels(0, 1, 2), three} {
			if target == three && (m.Name == "mae" || m.Name == "r2") {
				continue
			}
			if _, err := m.Add(nil, three, target); !errors.Is(err, graph.ErrShape) && !errors.Is(err, graph.ErrValue) {
				t.Errorf("%s took targets %v: %v", m.Name, target, err)
			}
		}
	}
	if _, err := train.Accuracy().Add(nil, three, labels(0, 3)); err == nil || !strings.Contains(err.Error(), "label 3; outputs of 3 classes have labels from 0 to 2") {
		t.Error(err)
	}
	if got := train.AUC().Value(nil); !math.IsNaN(got) {
		t.Errorf("AUC of nothing is %v", got)
	}
	nan := math.NaN()
	if got := measure(t, train.AUC(), 1, []float64{1, nan, 2, nan}, []int64{0, 1, 1, 0}); !math.IsNaN(got) {
		t.Errorf("AUC with NaN is %v", got)
	}
	if got := measure(t, train.TopK(1), 2, []float64{nan, 0}, []int64{0}); got != 0 {
		t.Errorf("a NaN is among the best: %v", got)
	}
}

func TestConfusion(t *testing.T) {
	o := tensor.New(tensor.WithShape(5, 3), tensor.WithBacking([]float64{3, 2, 1, 1, 2, 0, 0, 5, 4, 1, 2, 1, 1, 2, 1}))
	c, err := train.Confuse(o, tensor.New(tensor.WithBacking([]int64{0, 0, 1, 1, 1})))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.Counts) != "[[1 1 0] [0 3 0] [0 0 0]]" || !same(c.Accuracy(), 0.8) || c.Precision(1) != 0.75 || c.Recall(0) != 0.5 || c.F1(2) != 0 || !same(c.F1(1), 6.0/7) {
		t.Errorf("%v", c)
	}
	want := `      taken for
  is     0     1     2     right
   0     1     1     ·     50.0%
   1     ·     3     ·    100.0%
   2     ·     ·     ·         –
`
	if c.String() != want {
		t.Errorf("got\n%s\nwant\n%s", c, want)
	}
	c.Labels = []string{"cat", "<dog>", "hippopotamus"}
	parseSVG(t, c.SVG(), "1 of class cat taken for &lt;dog&gt;", "hippopotamus", "50.0 %")
	if c.SimpleRender()["text/plain"] != c.String() || c.SimpleRender()["image/svg+xml"] != c.SVG() {
		t.Error("a notebook would show something else")
	}
	parseSVG(t, (&train.Confusion{}).SVG())

	training, validation := digits(t)
	trainer := newTrainer(t, classifier())
	if _, err := trainer.Fit(background, batchesOf(t, training, 30), train.Options{Epochs: 3}); err != nil {
		t.Fatal(err)
	}
	all, err := trainer.Confusion(background, validation)
	if err != nil {
		t.Fatal(err)
	}
	if measures := must(trainer.EvalOnly(background, validation)); !same(measures["accuracy"], all.Accuracy()) {
		t.Errorf("accuracy %v, by the matrix %v", measures, all.Accuracy())
	}
}
