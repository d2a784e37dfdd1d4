package initializers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/nn/initializers"
	"pgregory.net/rapid"
)

// gram returns the products of a matrix's columns, or of its rows if there are fewer, and how many there are.
func gram(rows, columns int, a []float64) (products []float64, n int) {
	at := func(vector, i int) float64 { return a[i*columns+vector] }
	n, length := columns, rows
	if rows < columns {
		at = func(vector, i int) float64 { return a[vector*columns+i] }
		n, length = rows, columns
	}
	for j := range n {
		for k := range n {
			sum := 0.0
			for i := range length {
				sum += at(j, i) * at(k, i)
			}
			products = append(products, sum)
		}
	}
	return products, n
}

func TestOrthogonal(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, seed uint64, gain float64, shape ...int) {
		rows, n := shape[0], 1
		for _, s := range shape {
			n *= s
		}
		x := make([]float64, n)
		initializers.Orthogonal(gain).Fill(rand.New(rand.NewPCG(seed, 0)), shape, x)
		if n == 0 {
			return
		}
		products, vectors := gram(rows, n/rows, x)
		for i, p := range products {
			want := 0.0
			if i%(vectors+1) == 0 {
				want = gain * gain
			}
			if math.Abs(p-want) > 1e-12*max(gain*gain, 1) {
				t.Errorf("seed %d, shape %v: product %d·%d is %v, want %v", seed, shape, i/vectors, i%vectors, p, want)
				return
			}
		}
	}
	check(t, 1, 1, 784, 128)
	check(t, 1, math.Sqrt2, 64, 256)
	check(t, 1, 0.5, 200, 200)
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 12), 2, 4).Draw(t, "shape")
		check(t, rapid.Uint64().Draw(t, "seed"), rapid.Float64Range(0, 3).Draw(t, "gain"), shape...)
	})
}

// Drawn evenly from all orthogonal matrices: each element has the mean 0 and the mean square 1/n, the trace the mean 0 and the
// variance 1. Without the correction of the signs the trace's mean is not 0.
func TestOrthogonalIsEven(t *testing.T) {
	const n, draws = 4, 20_000
	r := rand.New(rand.NewPCG(5, 6))
	q := make([]float64, n*n)
	var sum, squares [n * n]float64
	trace, trace2 := 0.0, 0.0
	for range draws {
		initializers.Orthogonal(1).Fill(r, []int{n, n}, q)
		tr := 0.0
		for i, v := range q {
			sum[i] += v / draws
			squares[i] += v * v / draws
			if i%(n+1) == 0 {
				tr += v
			}
		}
		trace += tr / draws
		trace2 += tr * tr / draws
	}
	for i := range q {
		// The mean square is 1/4, the mean fourth power 3/(n(n+2)) = 1/8.
		if math.Abs(sum[i]) > 4*math.Sqrt(0.25/draws) || math.Abs(squares[i]-0.25) > 4*math.Sqrt((1.0/8-1.0/16)/draws) {
			t.Errorf("element %d: mean %v, mean square %v", i, sum[i], squares[i])
		}
	}
	// The trace has the moments of a standard normal up to the fourth, which is 3 for n ≥ 4.
	if math.Abs(trace) > 4/math.Sqrt(draws) || math.Abs(trace2-1) > 4*math.Sqrt(2.0/draws) {
		t.Errorf("trace: mean %v, mean square %v", trace, trace2)
	}
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		gain          float64
		rows, columns int
		want          string
	}{
		{1, 2, 2, "[1 0 0 1]"},
		{0.5, 2, 3, "[0.5 0 0 0 0.5 0]"},
		{2, 3, 2, "[2 0 0 2 0 0]"},
		{1, 0, 2, "[]"},
	} {
		x := make([]float64, c.rows*c.columns)
		for i := range x {
			x[i] = math.NaN()
		}
		initializers.Identity(c.gain).Fill(nil, []int{c.rows, c.columns}, x)
		if fmt.Sprint(x) != c.want {
			t.Errorf("%v, want %v", x, c.want)
		}
	}
}

// The places of torch.nn.init.dirac_ of PyTorch 1.13.
func TestDirac(t *testing.T) {
	for _, c := range []struct {
		groups int
		shape  []int
		want   [][]int // the indices of the ones
	}{
		{1, []int{3, 5, 4}, [][]int{{0, 0, 2}, {1, 1, 2}, {2, 2, 2}}},
		{2, []int{6, 2, 3, 4}, [][]int{{0, 0, 1, 2}, {1, 1, 1, 2}, {3, 0, 1, 2}, {4, 1, 1, 2}}},
		{1, []int{1, 1, 3, 3, 3}, [][]int{{0, 0, 1, 1, 1}}},
		{1, []int{2, 2, 0, 3}, nil},
	} {
		n := 1
		for _, s := range c.shape {
			n *= s
		}
		want := make([]float64, n)
		for _, index := range c.want {
			at := 0
			for i, k := range index {
				at = at*c.shape[i] + k
			}
			want[at] = 1
		}
		x := make([]float64, n)
		initializers.Dirac(c.groups).Fill(nil, c.shape, x)
		if fmt.Sprint(x) != fmt.Sprint(want) {
			t.Errorf("%v in %d groups: %v, want %v", c.shape, c.groups, x, want)
		}
	}
}

// Each column has its share of zeros, and not always at the same places.
func TestSparse(t *testing.T) {
	for _, c := range []struct {
		sparsity      float64
		rows, columns int
		zeros         int // in a column
	}{
		{0, 7, 3, 0}, {0.1, 7, 300, 1}, {0.5, 8, 300, 4}, {0.9, 100, 30, 90}, {1, 7, 3, 7}, {0.5, 0, 3, 0},
	} {
		x := make([]float64, c.rows*c.columns)
		initializers.Sparse(c.sparsity, 2).Fill(rand.New(rand.NewPCG(3, 4)), []int{c.rows, c.columns}, x)
		perRow := make([]int, c.rows)
		for j := range c.columns {
			zeros := 0
			for i := range c.rows {
				if x[i*c.columns+j] == 0 {
					zeros++
					perRow[i]++
				}
			}
			if zeros != c.zeros {
				t.Errorf("%+v: column %d has %d zeros", c, j, zeros)
			}
		}
		if share := float64(c.zeros) / float64(max(c.rows, 1)); c.columns >= 30 { // binomial, 5 deviations
			for i, zeros := range perRow {
				if mean := share * float64(c.columns); math.Abs(float64(zeros)-mean) > 5*math.Sqrt(mean*(1-share)) {
					t.Errorf("%+v: row %d has %d zeros, want about %v", c, i, zeros, mean)
				}
			}
		}
	}
}
