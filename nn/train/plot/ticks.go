package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// RoundTicks marks an axis at about six round numbers, 1, 2 or 5 times a power of ten apart, and labels each with all the digits that
// it has. It is a plot.Ticker of gonum.org/v1/plot, whose own labels are cut to four digits.
type RoundTicks struct{}

// Ticks returns the marks from low to high.
func (RoundTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	if !(high > low) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 6, 64)}}
	}
	power := math.Floor(math.Log10((high - low) / 6))
	step := math.Pow(10, power)
	for i := 0; (high-low)/step > 8; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, …
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		v := i*step + 0 // −0 becomes 0
		label := strconv.FormatFloat(v, 'f', decimals, 64)
		if size := math.Abs(v); size >= 1e6 || decimals > 5 && i != 0 {
			label = strconv.FormatFloat(v, 'g', max(2, int(math.Ceil(math.Log10(math.Max(size, step)/step)))+1), 64)
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}
