package initializers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
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

// The matrix is the Q of a Gaussian one, A = QR: so QᵀA = R is upper triangular with a positive diagonal, which leaves no other Q. Of a wide one
// the same holds for the transposes. R's diagonal has χ-distributed lengths, of which the smallest here is far above rounding.
func TestOrthogonalIsTheFactor(t *testing.T) {
	for _, c := range []struct{ rows, columns int }{{7, 4}, {4, 7}, {5, 5}, {40, 33}} {
		n := c.rows * c.columns
		a, q := fill(initializers.Normal(1), n, c.rows, c.columns), fill(initializers.Orthogonal(1), n, c.rows, c.columns)
		long, short := max(c.rows, c.columns), min(c.rows, c.columns)
		at := func(m []float64, i, j int) float64 { // of the tall form
			if c.rows < c.columns {
				i, j = j, i
			}
			return m[i*c.columns+j]
		}
		for i := range short {
			for j := range short {
				r := 0.0
				for k := range long {
					r += at(q, k, i) * at(a, k, j)
				}
				if j < i && math.Abs(r) > 1e-13 || j == i && r < 1e-3 {
					t.Errorf("%+v: R[%d,%d] = %v", c, i, j, r)
				}
			}
		}
	}
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

// A convolution with it passes its input on, in each group, whatever the number of outputs.
func TestDirac(t *testing.T) {
	for _, c := range []struct {
		in, out, groups int
		want            []int // the input that an output passes on; -1: none
	}{
		{3, 3, 1, []int{0, 1, 2}},
		{4, 4, 2, []int{0, 1, 2, 3}},
		{2, 6, 2, []int{0, -1, -1, 1, -1, -1}},
		{3, 2, 1, []int{0, 1}},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, 1, graph.Dim(c.in), 4, 5)
		w := g.Param("w", graph.Float64, initializers.Dirac(c.groups), graph.Dim(c.out), graph.Dim(c.in/c.groups), 3, 3)
		y := ops.Conv2D(x, w, nil, ops.Convolution{Same: true, Groups: c.groups})
		state, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		image := make([]float64, c.in*20)
		for i := range image {
			image[i] = float64(i + 1)
		}
		v, err := vm.Eval(state, y, vm.Feeds{x: tensor.New(tensor.WithShape(1, c.in, 4, 5), tensor.WithBacking(image))})
		if err != nil {
			t.Fatal(err)
		}
		for channel, from := range c.want {
			want := make([]float64, 20)
			if from >= 0 {
				want = image[from*20:][:20]
			}
			if got := v.Float64s()[channel*20:][:20]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%+v: output %d is %v, want %v", c, channel, got, want)
			}
		}
	}
	initializers.Dirac(1).Fill(nil, []int{2, 2, 0, 3}, nil) // an empty window
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
