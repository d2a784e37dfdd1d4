package plot_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/tapir-ml/tapir/nn/train/plot"
	"pgregory.net/rapid"
)

// Every label is the number at which it stands, no two are alike, and there are a few of them, whatever the range.
func TestRoundTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e3, 1e3).Draw(t, "low") * math.Pow(10, float64(rapid.IntRange(-9, 12).Draw(t, "power")))
		width := math.Pow(10, rapid.Float64Range(-5, 3).Draw(t, "width")) * math.Max(math.Abs(low), 1e-9)
		ticks := plot.RoundTicks{}.Ticks(low, low+width)
		if len(ticks) < 3 || len(ticks) > 10 {
			t.Fatalf("%d marks from %v to %v", len(ticks), low, low+width)
		}
		for i, k := range ticks {
			v, err := strconv.ParseFloat(k.Label, 64)
			if err != nil || math.Abs(v-k.Value) > 1e-6*width {
				t.Errorf("the label %q stands at %v", k.Label, k.Value)
			}
			if v == 0 && k.Label[0] == '-' {
				t.Errorf("zero is called %q", k.Label)
			}
			if i > 0 && k.Label == ticks[i-1].Label {
				t.Errorf("two labels %q", k.Label)
			}
		}
	})
}
