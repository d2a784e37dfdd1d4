package losses_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// golden are PyTorch's numbers; testdata/losses.py writes them.
type golden struct {
	Source string
	Cases  []goldenCase
}

type goldenCase struct {
	Name        string
	Operands    []goldenTensor
	Loss        goldenTensor
	Grads       []*goldenTensor
	Reduction   string
	P           []float64
	Smoothing   float64
	ClassWeight *goldenTensor
	Weight      *goldenTensor
	PosWeight   *goldenTensor
	Mask        *goldenTensor
	Ignore      []int64
	LogTarget   bool
	Full, Swap  bool
	Epsilon     float64
	Norm        float64
}

type goldenTensor struct {
	Shape     []int
	Values    []float64
	Int, Bool bool
}

func (t *goldenTensor) array(dtype graph.DType) graph.Array {
	switch {
	case t.Int:
		dtype = graph.Int64
	case t.Bool:
		dtype = graph.Bool
	}
	return array(dtype, t.Shape, t.Values)
}

// built says how a case of the file is written here: operands x, options o, and numbers p.
var built = map[string]func(x []*graph.Node, p []float64, o losses.Options) *graph.Node{
	"mae":  func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.MAE(x[0], x[1], o) },
	"mse":  func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.MSE(x[0], x[1], o) },
	"rmse": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.RMSE(x[0], x[1], o) },
	"huber": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.Huber(x[0], x[1], p[0], o)
	},
	"smoothl1": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.SmoothL1(x[0], x[1], p[0], o)
	},
	"logcosh": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.LogCosh(x[0], x[1], o) },
	"quantile": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.Quantile(x[0], x[1], p[0], o)
	},
	"crossentropy": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.CrossEntropy(x[0], x[1], o)
	},
	"crossentropyof": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.CrossEntropyOf(x[0], x[1], o)
	},
	"nll": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.NLL(x[0], x[1], o) },
	"binarycrossentropy": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.BinaryCrossEntropy(x[0], x[1], o)
	},
	"binarycrossentropyof": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.BinaryCrossEntropyOf(x[0], x[1], o)
	},
	"focal": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.Focal(x[0], x[1], p[0], p[1], o)
	},
	"focalcrossentropy": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.FocalCrossEntropy(x[0], x[1], p[0], o)
	},
	"hinge": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.Hinge(x[0], x[1], o) },
	"squaredhinge": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.SquaredHinge(x[0], x[1], o)
	},
	"multimargin": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.MultiMargin(x[0], x[1], p[0], int(p[1]), o)
	},
	"cosineembedding": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.CosineEmbedding(x[0], x[1], x[2], p[0], o)
	},
	"tripletmargin": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.TripletMargin(x[0], x[1], x[2], p[0], o)
	},
	"poissonnll": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.PoissonNLL(x[0], x[1], o)
	},
	"poissonnllof": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.PoissonNLLOf(x[0], x[1], o)
	},
	"gaussiannll": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.GaussianNLL(x[0], x[1], x[2], o)
	},
	"kldivergence": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.KLDivergence(x[0], x[1], o)
	},
	"jensenshannon": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node {
		return losses.JensenShannon(x[0], x[1], o)
	},
	"entropy":     func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.Entropy(x[0], o) },
	"information": func(x []*graph.Node, p []float64, o losses.Options) *graph.Node { return losses.Information(x[0]) },
}

// build writes a case over a symbolic batch; operands are of dtype where they are floats.
func (c *goldenCase) build(t *testing.T, dtype graph.DType) (loss *graph.Node, x []*graph.Node, feeds vm.Feeds) {
	t.Helper()
	g := graph.New()
	feeds = vm.Feeds{}
	input := func(name string, v *goldenTensor, symbolic bool) *graph.Node {
		if v == nil {
			return nil
		}
		a := v.array(dtype)
		var dims []graph.Dim
		for i, n := range a.Shape {
			d := graph.Dim(n)
			if i == 0 && symbolic {
				d = graph.Symbol("batch")
			}
			dims = append(dims, d)
		}
		n := g.Input(name, a.DType, dims...)
		feeds[n] = a
		return n
	}
	for i := range c.Operands {
		x = append(x, input(fmt.Sprintf("x%d", i), &c.Operands[i], true))
	}
	o := losses.Options{Smoothing: c.Smoothing, Ignore: c.Ignore, LogTarget: c.LogTarget, Full: c.Full, Swap: c.Swap, Epsilon: c.Epsilon, Norm: c.Norm,
		Reduction:   map[string]losses.Reduction{"mean": losses.Mean, "sum": losses.Sum, "none": losses.None, "batchmean": losses.BatchMean}[c.Reduction],
		ClassWeight: input("classweight", c.ClassWeight, false), Weight: input("weight", c.Weight, true), PosWeight: input("posweight", c.PosWeight, false),
		Mask: input("mask", c.Mask, true)}
	return built[c.Name](x, c.P, o), x, feeds
}

// Values and gradients by every operand are PyTorch's, for every loss, reduction and option.
func TestPyTorchsValuesAndGradients(t *testing.T) {
	text, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, c := range g.Cases {
		seen[c.Name] = true
		for dtype, epsilon := range map[graph.DType]float64{graph.Float32: 2e-5, graph.Float64: 1e-11} {
			what := fmt.Sprintf("%s %v (case %d), %s, smoothing %v, ignore %v, %v", c.Name, c.P, i, c.Reduction, c.Smoothing, c.Ignore, dtype)
			loss, x, feeds := c.build(t, dtype)
			if loss.Err() != nil {
				t.Fatalf("%s: %v", what, loss.Err())
			}
			elements := ops.Reshape(loss, -1)
			weighted := ops.Sum(ops.Mul(elements, ops.AddScalar(ops.Iota(loss.Graph(), loss.DType(), elements.Shape()[0]), 1)))
			var wrt, all []*graph.Node
			want := []*goldenTensor{&c.Loss}
			for k, grad := range c.Grads {
				if grad != nil {
					wrt, want = append(wrt, x[k]), append(want, grad)
				}
			}
			all = append(append(all, loss), autodiff.Grad(weighted, wrt...)...)
			for k, got := range evaluate(t, feeds, all...) {
				if !slices.Equal(got.Shape, want[k].Shape) && got.Len() > 1 {
					t.Errorf("%s: result %d has shape %v, PyTorch's %v", what, k, got.Shape, want[k].Shape)
					continue
				}
				for j, w := range want[k].Values {
					if d := math.Abs(got.At(j) - w); !(d <= epsilon*math.Max(1, math.Abs(w))) {
						t.Errorf("%s: result %d, element %d: %v, PyTorch has %v", what, k, j, got.At(j), w)
						break
					}
				}
			}
		}
	}
	for name := range built {
		if !seen[name] {
			t.Errorf("no case of %s", name)
		}
	}
}

func evaluate(t *testing.T, feeds vm.Feeds, nodes ...*graph.Node) (values []graph.Array) {
	t.Helper()
	p, err := vm.Compile(vm.Spec{Outputs: nodes})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(nodes[0].Graph(), 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Feeds() {
		if err := m.Feed(n, feeds[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		v, err := m.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		a, err := graph.ArrayOf(v)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, a)
	}
	return values
}
