package initializers_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
)

// Mean, variance and bounds over 100,000 draws. The sampling error of a mean is √(V/n), that of a variance V·√((κ−1)/n) with the
// kurtosis κ: 3 for a Gaussian, 9/5 for a uniform distribution. 4 of these are allowed.
func TestMoments(t *testing.T) {
	const n = 100_000
	for _, c := range []struct {
		name     string
		init     graph.Init
		shape    []int
		mean     float64
		variance float64
		lo, hi   float64 // uniform bounds; both 0: Gaussian
	}{
		{"normal", initializers.Normal(0.3), []int{5}, 0, 0.09, 0, 0},
		{"uniform", initializers.Uniform(-1, 3), []int{5}, 1, 16.0 / 12, -1, 3},
		{"he (in, out)", initializers.He(), []int{50, 7}, 0, 2.0 / 50, 0, 0},
		{"he (n)", initializers.He(), []int{8}, 0, 2.0 / 8, 0, 0},
		{"he (h, w, in, out)", initializers.He(), []int{3, 5, 4, 9}, 0, 2.0 / 60, 0, 0},
		{"he of a scalar", initializers.He(), nil, 0, 2, 0, 0},
		{"he_uniform", initializers.HeUniform(), []int{24, 3}, 0, 2.0 / 24, -0.5, 0.5},
		{"xavier (in, out)", initializers.Xavier(), []int{30, 10}, 0, 2.0 / 40, 0, 0},
		{"xavier (h, w, in, out)", initializers.Xavier(), []int{3, 3, 2, 8}, 0, 2.0 / 90, 0, 0},
		{"xavier (n)", initializers.Xavier(), []int{10}, 0, 0.1, 0, 0},
		{"xavier_uniform", initializers.XavierUniform(), []int{10, 14}, 0, 2.0 / 24, -0.5, 0.5},
		{"no inputs", initializers.He(), []int{0, 3}, 0, 2, 0, 0},
	} {
		x := make([]float64, n)
		c.init.Fill(rand.New(rand.NewPCG(1, 2)), c.shape, x)
		mean, variance := 0.0, 0.0
		for _, v := range x {
			mean += v / n
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / n
		}
		kurtosis := 3.0
		if c.lo != c.hi {
			kurtosis = 1.8
			if lo, hi := slices.Min(x), slices.Max(x); lo < c.lo || hi > c.hi || hi-lo < 0.999*(c.hi-c.lo) {
				t.Errorf("%s lies in [%v, %v], want nearly all of [%v, %v]", c.name, lo, hi, c.lo, c.hi)
			}
		}
		if math.Abs(mean-c.mean) > 4*math.Sqrt(c.variance/n) {
			t.Errorf("%s: mean %v, want %v", c.name, mean, c.mean)
		}
		if math.Abs(variance-c.variance) > 4*c.variance*math.Sqrt((kurtosis-1)/n) {
			t.Errorf("%s: variance %v, want %v", c.name, variance, c.variance)
		}
		if c.init.Name == "" {
			t.Errorf("%s has no name for listings", c.name)
		}
	}
}

func TestConstants(t *testing.T) {
	x := []float64{9, 9}
	initializers.Constant(2.5).Fill(nil, []int{2}, x)
	if x[0] != 2.5 || x[1] != 2.5 {
		t.Errorf("%v", x)
	}
	initializers.Zeros().Fill(nil, []int{2}, x)
	if x[0] != 0 || x[1] != 0 {
		t.Errorf("%v", x)
	}
}
