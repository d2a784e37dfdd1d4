package train

import (
	"fmt"
	"math"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Outputs of classifiers are logits or probabilities: (batch, classes), of which the largest is the answer, the first of equal
// ones; or, for two classes, (batch) or (batch, 1), where a logit above 0 is class 1. (A probability p is the logit p − ½ as far
// as that goes.) Targets are labels from 0 to classes − 1, (batch).

// labelled views outputs as rows of scores, one score a row for two classes, and targets as labels.
func labelled(output, target *tensor.Dense) (scores, labels graph.Array, rows, columns int, err error) {
	o, y, rows, err := arrays(output, target)
	switch {
	case err != nil:
	case len(o.Shape) > 2 || y.Len() != rows:
		err = graph.Errorf(graph.ErrShape, "outputs %v and targets %v; a classifier has (batch, classes) and (batch)", tensor.Shape(o.Shape), tensor.Shape(y.Shape))
	case len(o.Shape) == 1:
		columns = 1
	default:
		columns = o.Shape[1]
	}
	if err == nil {
		for i := range rows {
			if v := y.At(i); v != math.Trunc(v) {
				return o, y, 0, 0, graph.Errorf(graph.ErrValue, "the target %v is no label; a regression has the metrics MAE, RMSE and R2", v)
			}
			if label := int(y.At(i)); label < 0 || label >= max(columns, 2) {
				return o, y, 0, 0, graph.Errorf(graph.ErrValue, "label %d; outputs of %d classes have labels from 0 to %d", label, max(columns, 2), max(columns, 2)-1)
			}
		}
	}
	return o, y, rows, columns, err
}

// answer is the class of a row.
func answer(scores graph.Array, row, columns int) int {
	if columns == 1 {
		if scores.At(row) > 0 {
			return 1
		}
		return 0
	}
	best := 0
	for j := 1; j < columns; j++ {
		if scores.At(row*columns+j) > scores.At(row*columns+best) {
			best = j
		}
	}
	return best
}

// Accuracy is the share of examples whose answer is right. The output has a column for each class, of which the largest is the answer;
// or one column, or none, for two classes, where a logit above 0 is class 1. Targets are labels from 0 up, (batch).
func Accuracy() Metric { return rate("accuracy", answerIs) }

func answerIs(scores graph.Array, row, columns, label int) bool {
	return answer(scores, row, columns) == label
}

// TopK is the share of examples where fewer than k classes score higher than the right one.
func TopK(k int) Metric {
	return rate(fmt.Sprintf("top%d", k), func(scores graph.Array, row, columns, label int) bool {
		if columns == 1 {
			return k > 1 || answerIs(scores, row, columns, label)
		}
		higher, own := 0, scores.At(row*columns+label)
		for j := range columns {
			if scores.At(row*columns+j) > own {
				higher++
			}
		}
		return higher < k && own == own
	})
}

// rate is the share of rows for which something holds.
func rate(name string, holds func(scores graph.Array, row, columns, label int) bool) Metric {
	return Metric{
		Name:  name,
		Rises: true,
		Add: func(sums []float64, output, target *tensor.Dense) ([]float64, error) {
			scores, labels, rows, columns, err := labelled(output, target)
			if err != nil {
				return sums, err
			}
			if sums == nil {
				sums = make([]float64, 2)
			}
			for i := range rows {
				if holds(scores, i, columns, int(labels.At(i))) {
					sums[0]++
				}
			}
			sums[1] += float64(rows)
			return sums, nil
		},
		Value: func(sums []float64) float64 {
			if len(sums) == 0 {
				return nan
			}
			return sums[0] / sums[1]
		},
	}
}
