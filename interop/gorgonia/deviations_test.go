package gorgonia_test

import (
	"math"
	"testing"

	"github.com/tapir-ml/tapir/ops"
	G "gorgonia.org/gorgonia"
)

// Where Gorgonia v0.9.18 is wrong, or follows another convention. Of each, the truth is known from a closed form: it is what
// Tapir computes, and Gorgonia does not. An entry that begins to agree fails the test and belongs into the tables of agreement.
func TestWhereGorgoniaDeviates(t *testing.T) {
	inf := math.Inf(1)
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		name  string
		why   string
		build func(x ...node) node
		shape shape
		x     []float64
		y     []float64 // the truth, if the values deviate
		dx    []float64 // the truth, if the gradient does; dx/dy of the loss Σ wᵢ·yᵢ with w = ½, ¾, 1, …
	}{
		{
			name: "max of equal elements", why: "each of them gets the whole cotangent, so that together they get too much; the mean of the one-sided derivatives is their share",
			build: func(x ...node) node { return ops.Max(x[0]) }, shape: shape{4}, x: []float64{1, 3, 3, 2},
			dx: []float64{0, 0.25, 0.25, 0},
		},
		{
			name: "relu at 0", why: "another convention: its derivative is 1 there",
			build: func(x ...node) node { return ops.ReLU(x[0]) }, shape: shape{3}, x: []float64{0, -1, 1},
			dx: []float64{0, 0, 1},
		},
		{
			name: "relu of −Inf", why: "it is x·1[x ≥ 0], and Inf·0 is NaN",
			build: func(x ...node) node { return ops.ReLU(x[0]) }, shape: shape{2}, x: []float64{-inf, 1},
			y: []float64{0, 1},
		},
		{
			name: "tanh far out", why: "1−y² is 0 where 1/cosh² is 4·e^(−2x)",
			build: func(x ...node) node { return ops.Tanh(x[0]) }, shape: shape{2}, x: []float64{20, -25},
			dx: []float64{0.5 / math.Pow(math.Cosh(20), 2), 0.75 / math.Pow(math.Cosh(25), 2)},
		},
		{
			name: "softmax of rows far apart", why: "the largest element of all is subtracted, not of each row: e^(30−1000) underflows in the second one, and 0/0 is NaN",
			build: func(x ...node) node { return ops.Softmax(x[0], 1) }, shape: shape{2, 2}, x: []float64{1000, -1000, 30, 29},
			y: []float64{1, 0, sigmoid(1), sigmoid(-1)},
		},
		{
			name: "log-softmax of rows far apart", why: "as for softmax",
			build: func(x ...node) node { return ops.LogSoftmax(x[0], 1) }, shape: shape{2, 2}, x: []float64{1000, -1000, 30, -30},
			y: []float64{0, -2000, 0, -60},
		},
		{
			name: "softmax beside log-softmax", why: "both hash alike, so of one operand they are one node: this difference is 0 there",
			build: func(x ...node) node { return ops.Sub(ops.LogSoftmax(x[0], 0), ops.Softmax(x[0], 0)) }, shape: shape{2}, x: []float64{1, 0},
			y: []float64{math.Log(sigmoid(1)) - sigmoid(1), math.Log(sigmoid(-1)) - sigmoid(-1)},
		},
		{
			name: "sum along an axis within", why: "of four dimensions: gorgonia.org/tensor mixes up the strides; of five it panics",
			build: func(x ...node) node { return ops.Sum(x[0], 2) }, shape: shape{1, 2, 3, 2}, x: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
			y: []float64{0 + 2 + 4, 1 + 3 + 5, 6 + 8 + 10, 7 + 9 + 11},
		},
		{
			name: "max along an axis within", why: "as for the sum",
			build: func(x ...node) node { return ops.Max(x[0], 2) }, shape: shape{1, 2, 3, 2}, x: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
			y: []float64{4, 5, 10, 11},
		},
		{
			name: "broadcast along an axis within", why: "its gradient is that sum",
			build: func(x ...node) node { return ops.BroadcastTo(x[0], 1, 2, 3, 2) }, shape: shape{1, 2, 1, 2}, x: []float64{0, 0, 0, 0},
			dx: []float64{0.5 + 1 + 1.5, 0.75 + 1.25 + 1.75, 2 + 0.75 + 1.25, 0.5 + 1 + 1.5},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pose(c.build, array(c.shape, c.x...))
			here, err := p.byTapir()
			if err != nil {
				t.Fatal(err)
			}
			there, err := p.byGorgonia()
			if err != nil {
				t.Fatal(err)
			}
			for i, truth := range map[int][]float64{1: c.y, 2: c.dx} {
				if truth == nil {
					continue
				}
				if !close(here[i], truth) {
					t.Errorf("value %d: %v here, %v in truth", i, here[i], truth)
				}
				if close(there[i], truth) {
					t.Errorf("value %d: Gorgonia is right: %v. It was said: %s", i, there[i], c.why)
				}
			}
		})
	}
}

// close compares to ten digits of each element: what is far out must be right too.
func close(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] && !(math.Abs(a[i]-b[i]) <= 1e-10*math.Abs(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}

// Why no rule uses gorgonia.InverseSqrt: the derivative of x^(−½) is −½·x^(−3/2), and at 4 that is −1/16; Gorgonia says −4, which is
// −½·x^(3/2). Here it is a power, which is right there too.
func TestInverseSqrtIsWrongThere(t *testing.T) {
	g := G.NewGraph()
	x := G.NewScalar(g, G.Float64, G.WithName("x"), G.WithValue(4.0))
	y, err := G.InverseSqrt(x)
	if err != nil {
		t.Fatal(err)
	}
	grads, err := G.Grad(y, x)
	if err != nil {
		t.Fatal(err)
	}
	all, err := runThere(g, append(G.Nodes{y}, grads...))
	if err != nil {
		t.Fatal(err)
	}
	const h = 1e-5
	difference := (1/math.Sqrt(4+h) - 1/math.Sqrt(4-h)) / (2 * h)
	if all[0][0] != 0.5 || math.Abs(difference+1.0/16) > 1e-9 {
		t.Errorf("value %v, derivative by differences %v", all[0], difference)
	}
	if math.Abs(all[1][0]+1.0/16) < 1e-9 {
		t.Error("Gorgonia's derivative is right now: InverseSqrt may have a rule")
	}
	p := pose(func(x ...node) node { return ops.PowScalar(x[0], -0.5) }, array(nil, 4))
	for name, f := range map[string]func() (answers, error){"here": p.byTapir, "there": p.byGorgonia} {
		if all, err := f(); err != nil || !close(all[2], []float64{0.5 * -1.0 / 16}) {
			t.Errorf("%s the power's derivative is %v, %v", name, all, err)
		}
	}
}

// Why what is reshaped is multiplied by 1 first: a reshaped value shares its operand's memory. Here r = reshape(s) is halved where it
// lies, so that s + s, which is 2·(3, 7), comes out as (3, 7) if it is computed after that.
func TestReshapeSharesMemoryThere(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithShape(2, 2), G.WithName("x"), G.WithValue(array(shape{2, 2}, 1, 2, 3, 4).Dense()))
	s := G.Must(G.Sum(x, 1))
	half := G.Must(G.HadamardDiv(G.Must(G.Reshape(s, []int{2, 1})), G.NewConstant(2.0)))
	twice := G.Must(G.Add(s, s))
	all, err := runThere(g, G.Nodes{half, twice})
	if err != nil {
		t.Fatal(err)
	}
	if close(all[0], []float64{1.5, 3.5}) && close(all[1], []float64{6, 14}) {
		t.Error("both are right now: the product before a reshape may go")
	}
	p := pose(func(x ...node) node {
		s := ops.Sum(x[0], 1)
		return ops.Add(ops.Scale(ops.Reshape(s, 2, 1), 0.5), ops.Add(s, s))
	}, array(shape{2, 2}, 1, 2, 3, 4))
	if got, err := p.byGorgonia(); err != nil || !close(got[1], []float64{1.5 + 6, 1.5 + 14, 3.5 + 6, 3.5 + 14}) {
		t.Errorf("translated: %v, %v", got, err)
	}
}

// Why ops.Log2 becomes ln x / ln 2: the derivative of log₂ x is 1/(x·ln 2), and at 4 that is 0.3607; Gorgonia says ln 2/4, which
// is 0.1733.
func TestLog2IsWrongThere(t *testing.T) {
	g := G.NewGraph()
	x := G.NewScalar(g, G.Float64, G.WithName("x"), G.WithValue(4.0))
	y := G.Must(G.Log2(x))
	grads, err := G.Grad(y, x)
	if err != nil {
		t.Fatal(err)
	}
	all, err := runThere(g, append(G.Nodes{y}, grads...))
	if err != nil {
		t.Fatal(err)
	}
	const h = 1e-5
	truth, difference := 1/(4*math.Ln2), (math.Log2(4+h)-math.Log2(4-h))/(2*h)
	if !close(all[0], []float64{2}) || math.Abs(difference-truth) > 1e-9 {
		t.Errorf("value %v, derivative %v, by differences %v", all[0], truth, difference)
	}
	if math.Abs(all[1][0]-truth) < 1e-9 {
		t.Error("Gorgonia's derivative is right now: Log2 may have a rule")
	}
}
