package train

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Metric measures outputs against targets. It is a fold over float64 numbers, so that it can be stopped in the middle of an epoch,
// saved, and gone on with. One of your own is a literal; this one is the share of outputs that are within 1 of their targets:
//
//	train.Metric{
//		Name:  "within1",
//		Rises: true,
//		Add: func(sums []float64, output, target *tensor.Dense) ([]float64, error) {
//			if sums == nil {
//				sums = make([]float64, 2)
//			}
//			for i, y := range target.Data().([]float64) {
//				if math.Abs(output.Data().([]float64)[i]-y) <= 1 {
//					sums[0]++
//				}
//				sums[1]++
//			}
//			return sums, nil
//		},
//		Value: func(sums []float64) float64 { return sums[0] / sums[1] },
//	}
type Metric struct {
	Name  string
	Rises bool // a larger value is a better one

	// Add adds a batch to the sums and returns them; they are nil at first, and may grow. It must not keep the tensors.
	Add func(sums []float64, output, target *tensor.Dense) ([]float64, error)

	// Value is what the sums come to; NaN where that means nothing.
	Value func(sums []float64) float64
}

// arrays views output and target as rows.
func arrays(output, target *tensor.Dense) (o, y graph.Array, rows int, err error) {
	if target == nil {
		return o, y, 0, graph.Errorf(graph.ErrValue, "no targets to compare with")
	}
	if o, err = graph.ArrayOf(output); err != nil {
		return o, y, 0, err
	}
	if y, err = graph.ArrayOf(target); err != nil {
		return o, y, 0, err
	}
	if len(o.Shape) == 0 || len(y.Shape) == 0 || o.Shape[0] != y.Shape[0] {
		return o, y, 0, graph.Errorf(graph.ErrShape, "outputs %v and targets %v; both have the batch as their first axis", tensor.Shape(o.Shape), tensor.Shape(y.Shape))
	}
	return o, y, o.Shape[0], nil
}

// errorMetric is a mean of a function of the differences between outputs and targets, and what becomes of it.
func errorMetric(name string, of, finish func(float64) float64) Metric {
	return Metric{
		Name: name,
		Add: func(sums []float64, output, target *tensor.Dense) ([]float64, error) {
			o, y, _, err := numbers(output, target)
			if err != nil {
				return sums, err
			}
			if sums == nil {
				sums = make([]float64, 2)
			}
			for i := range o.Len() {
				sums[0] += of(o.At(i) - y.At(i))
			}
			sums[1] += float64(o.Len())
			return sums, nil
		},
		Value: func(sums []float64) float64 {
			if len(sums) == 0 || sums[1] == 0 {
				return nan
			}
			return finish(sums[0] / sums[1])
		},
	}
}

// numbers are outputs and targets of which there are as many.
func numbers(output, target *tensor.Dense) (o, y graph.Array, rows int, err error) {
	if o, y, rows, err = arrays(output, target); err == nil && o.Len() != y.Len() {
		err = graph.Errorf(graph.ErrShape, "outputs %v and targets %v; there is one target for each output", tensor.Shape(o.Shape), tensor.Shape(y.Shape))
	}
	return o, y, rows, err
}

// MAE is the mean absolute error, over all elements of the outputs.
func MAE() Metric {
	return errorMetric("mae", math.Abs, func(mean float64) float64 { return mean })
}

// RMSE is the root of the mean squared error, over all elements of the outputs.
func RMSE() Metric {
	return errorMetric("rmse", func(d float64) float64 { return d * d }, math.Sqrt)
}

// R2 is the coefficient of determination, 1 − Σ(y−ŷ)²/Σ(y−ȳ)²: 1 for outputs that hit, 0 for the mean of the targets, and below 0
// for worse. With several outputs for each example it is the mean over them. A constant target gives 1 if it is hit and 0
// otherwise; no examples give NaN.
func R2() Metric {
	return Metric{
		Name:  "r2",
		Rises: true,
		Add: func(sums []float64, output, target *tensor.Dense) ([]float64, error) {
			o, y, rows, err := numbers(output, target)
			if err != nil || rows == 0 {
				return sums, err
			}
			width := o.Len() / rows
			if sums == nil {
				sums = make([]float64, 1+3*width) // the number of rows, then for each output: mean, Σ(y−mean)², Σ(y−ŷ)²
			}
			if len(sums) != 1+3*width {
				return sums, graph.Errorf(graph.ErrShape, "%d outputs for each example, after %d", width, len(sums)/3)
			}
			for row := range rows {
				sums[0]++
				for j := range width {
					at := sums[1+3*j : 4+3*j]
					v := y.At(row*width + j)
					d := v - at[0] // Welford's update: no difference of large sums
					at[0] += d / sums[0]
					at[1] += d * (v - at[0])
					e := v - o.At(row*width+j)
					at[2] += e * e
				}
			}
			return sums, nil
		},
		Value: func(sums []float64) float64 {
			if len(sums) < 4 {
				return nan
			}
			var total float64
			outputs := sums[1:]
			for j := 0; j < len(outputs); j += 3 {
				switch around, off := outputs[j+1], outputs[j+2]; {
				case around != 0:
					total += 1 - off/around
				case off == 0:
					total++
				}
			}
			return total / float64(len(outputs)/3)
		},
	}
}
