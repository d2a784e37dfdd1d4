package race

import (
	"math"
	"testing"
)

func TestMedianAndMinimum(t *testing.T) {
	for _, c := range []struct {
		x        []float64
		med, low float64
	}{
		{nil, 0, 0},
		{[]float64{3}, 3, 3},
		{[]float64{4, 1}, 2.5, 1},
		{[]float64{9, 1, 5}, 5, 1},
		{[]float64{4, 3, 2, 1}, 2.5, 1},
	} {
		before := append([]float64(nil), c.x...)
		if got := median(c.x); got != c.med {
			t.Errorf("median(%v) = %v, want %v", c.x, got, c.med)
		}
		if got := minimum(c.x); got != c.low {
			t.Errorf("minimum(%v) = %v, want %v", c.x, got, c.low)
		}
		for i := range before {
			if before[i] != c.x[i] {
				t.Errorf("%v became %v", before, c.x)
				break
			}
		}
	}
}

// A machine that is twice as slow for a while slows both sides of a pair: the median ratio does not see it.
func TestRatiosSurviveASlowSpell(t *testing.T) {
	var tr track
	for i := range 9 {
		slow := 1.0
		if i > 3 {
			slow = 2
		}
		tr.peer, tr.tapir = append(tr.peer, 12*slow), append(tr.tapir, 10*slow)
	}
	tr.tapir[8] = 15 // stolen from by nobody
	byMin, byMedian := tr.ratios()
	if math.Abs(byMin-1.2) > 1e-12 || math.Abs(byMedian-1.2) > 1e-12 {
		t.Errorf("ratios %v and %v, want 1.2", byMin, byMedian)
	}
	if a, b := new(track).ratios(); a != 0 || b != 0 {
		t.Errorf("ratios of nothing: %v and %v", a, b)
	}
}

func TestQuietPairs(t *testing.T) {
	tr := track{peer: []float64{12, 30, 11, 40}, tapir: []float64{10, 30, 10, 10}, ceiling: []float64{100, 60, 96, 94}}
	if r, n := tr.quiet(100); math.Abs(r-1.15) > 1e-12 || n != 2 {
		t.Errorf("%v of %d pairs, want 1.15 of 2", r, n)
	}
}
