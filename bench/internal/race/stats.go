package race

import "slices"

// median is the middle of x, or the mean of the middle two; 0 if x is empty. It sorts a copy.
func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(x))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// minimum is the smallest of x; 0 if x is empty.
func minimum(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	return slices.Min(x)
}

// A track is the times per operation of one peer's batches, and of the batches of Tapir's that ran beside them; ceiling
// is the lower of two samples of the multiply-add ceiling, from right before and right after each pair.
type track struct{ peer, tapir, ceiling []float64 }

// ratios says how many times longer the peer takes: by the fastest batch of each, and by the median over the pairs.
func (t *track) ratios() (byMin, byMedian float64) {
	if len(t.peer) == 0 {
		return 0, 0
	}
	r := make([]float64, len(t.peer))
	for i := range r {
		r[i] = t.peer[i] / t.tapir[i]
	}
	return minimum(t.peer) / minimum(t.tapir), median(r)
}

// quietFrom is the part of the highest ceiling that the samples around a pair must reach for it to count as quiet.
const quietFrom = 0.95

// quiet is the median ratio over the pairs during which the machine could do its best, and their number. On a shared machine
// something else may take half the multipliers of a core for a while, without any sign but a lower ceiling.
func (t *track) quiet(best float64) (ratio float64, pairs int) {
	var r []float64
	for i, c := range t.ceiling {
		if c >= quietFrom*best {
			r = append(r, t.peer[i]/t.tapir[i])
		}
	}
	return median(r), len(r)
}
