package train

import (
	"sort"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// AUC is the area under the receiver operating characteristic: the probability that an example of class 1 scores higher than one
// of class 0, where equal scores count half (Mann and Whitney's U). With more than two classes it is the mean, over those that occur
// beside others, of each class against the rest, by the scores as they are: let the output be probabilities then. It is NaN if
// there is one class only, or a score is NaN. It keeps all scores until the epoch is over.
func AUC() Metric {
	return Metric{
		Name:  "auc",
		Rises: true,
		Add: func(sums []float64, output, target *tensor.Dense) ([]float64, error) {
			scores, labels, rows, columns, err := labelled(output, target)
			if err != nil {
				return sums, err
			}
			if columns == 0 {
				return sums, graph.Errorf(graph.ErrShape, "outputs %v of no classes", tensor.Shape(scores.Shape))
			}
			if sums == nil {
				sums = []float64{float64(columns)} // then each label with its scores
			}
			if sums[0] != float64(columns) {
				return sums, graph.Errorf(graph.ErrShape, "outputs of %d columns after others", columns)
			}
			for i := range rows {
				sums = append(sums, labels.At(i))
				for j := range columns {
					sums = append(sums, scores.At(i*columns+j))
				}
			}
			return sums, nil
		},
		Value: func(sums []float64) float64 {
			if len(sums) == 0 {
				return nan
			}
			columns, rows := int(sums[0]), sums[1:]
			scored := make([]scored, len(rows)/(columns+1))
			area := func(class int, score func(row []float64) float64) float64 {
				for i := range scored {
					row := rows[i*(columns+1) : (i+1)*(columns+1)]
					scored[i].score, scored[i].positive = score(row[1:]), int(row[0]) == class
				}
				return rankArea(scored)
			}
			switch columns {
			case 1:
				return area(1, func(row []float64) float64 { return row[0] })
			case 2: // for probabilities and logits alike
				return area(1, func(row []float64) float64 { return row[1] - row[0] })
			}
			total, n := 0.0, 0.0
			for class := range columns {
				present := 0
				for i := range scored {
					if int(rows[i*(columns+1)]) == class {
						present++
					}
				}
				if present > 0 && present < len(scored) {
					total += area(class, func(row []float64) float64 { return row[class] })
					n++
				}
			}
			return total / n // NaN without any
		},
	}
}

type scored struct {
	score    float64
	positive bool
}

// rankArea is U/(positives·negatives) by the ranks of the scores, equal ones sharing theirs. It sorts what it is given.
func rankArea(all []scored) float64 {
	sort.Slice(all, func(i, j int) bool { return all[i].score < all[j].score })
	var positives, ranks float64
	for begin := 0; begin < len(all); {
		end, here := begin, 0.0
		for ; end < len(all) && all[end].score == all[begin].score; end++ {
			if all[end].positive {
				here++
			}
		}
		if end == begin { // a NaN, which equals nothing
			return nan
		}
		positives += here
		ranks += here * float64(begin+1+end) / 2
		begin = end
	}
	return (ranks - positives*(positives+1)/2) / (positives * (float64(len(all)) - positives))
}
