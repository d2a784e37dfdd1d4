package nn_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// golden is a tensor of testdata/layers.json, which testdata/layers.py writes.
type golden struct {
	Shape []int
	Data  []float64
}

func (v *golden) as(dtype graph.DType) graph.Array {
	a := graph.NewArray(dtype, v.Shape...)
	for i, x := range v.Data {
		a.SetAt(i, x)
	}
	return a
}

// layerCase is what PyTorch's module makes of x, and the gradients of Σ y·dy.
type layerCase struct {
	Name            string
	Train, Integer  bool
	X, Y, DY, DX    *golden
	Params, DParams map[string]*golden
	Before, After   map[string]*golden // running statistics
}

func layerCases(t testing.TB) []*layerCase {
	text, err := os.ReadFile("testdata/layers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []*layerCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// mode is how the case was made.
func (c *layerCase) mode() vm.Mode {
	if c.Train {
		return vm.Train
	}
	return vm.Infer
}

// input is x with a symbolic batch, unless the layer mixes the batch.
func (c *layerCase) input(g *graph.Graph) *graph.Node {
	dtype := graph.Float64
	if c.Integer {
		dtype = graph.Int64
	}
	dims := make([]graph.Dim, len(c.X.Shape))
	for i, s := range c.X.Shape {
		dims[i] = graph.Dim(s)
	}
	if c.Name != "glu along 0" {
		dims[0] = graph.Symbol("batch")
	}
	return g.Input("x", dtype, dims...)
}

// state has the module's parameters and running statistics.
func (c *layerCase) state(t testing.TB, g *graph.Graph) *vm.State {
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	names := s.Names()
	for _, of := range []map[string]*golden{c.Params, c.Before} {
		for name, v := range of {
			if err := s.Set(name, v.as(graph.Float64).Dense()); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			names = slices.DeleteFunc(names, func(n string) bool { return n == name })
		}
	}
	if len(names) > 0 {
		t.Fatalf("%s: PyTorch has no %v", c.Name, names)
	}
	return s
}

// goldenLayers are the layers of the cases. Names of parameters are PyTorch's.
var goldenLayers = map[string]nn.Layer{
	"linear":              &nn.Linear{Out: 3},
	"linear on sequences": &nn.Linear{Out: 3},
	"linear without bias": &nn.Linear{Out: 3, NoBias: true},

	"prelu":            nn.PReLU{},
	"prelu by channel": nn.PReLU{Axis: 1},
	"relu":             nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU, "gelu": nn.GELU, "gelutanh": nn.GELUTanh, "mish": nn.Mish,
	"hardswish": nn.HardSwish, "softplus": nn.Softplus, "selu": nn.SELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
	"hardsigmoid": nn.HardSigmoid, "logsigmoid": nn.LogSigmoid, "softsign": nn.Softsign, "tanhshrink": nn.Tanhshrink,
	"softmax": nn.Softmax, "logsoftmax": nn.LogSoftmax, "softmin": nn.Softmin,
	"leakyrelu": nn.LeakyReLU{}, "leakyrelu 0.2": nn.LeakyReLU{Slope: 0.2},
	"elu": nn.ELU{}, "elu 1.3": nn.ELU{Alpha: 1.3}, "celu": nn.CELU{}, "celu 0.5": nn.CELU{Alpha: 0.5},
	"glu": nn.GLU{}, "glu along 0": nn.Func(func(x *graph.Node) *graph.Node { return ops.GLU(x, 0) }),
	"hardtanh": nn.HardTanh{}, "hardtanh -0.5 2": nn.HardTanh{Lo: -0.5, Hi: 2}, "softplus 2": nn.SoftplusBeta{Beta: 2},
	"threshold": nn.Threshold{Theta: 0.3, Value: -7}, "softshrink": nn.Softshrink{}, "softshrink 0.2": nn.Softshrink{Lambda: 0.2},
	"hardshrink": nn.Hardshrink{}, "hardshrink 0.2": nn.Hardshrink{Lambda: 0.2},

	"layernorm":                   &nn.LayerNorm{},
	"layernorm of two axes":       &nn.LayerNorm{Axes: 2, Epsilon: 1e-2},
	"layernorm without affine":    &nn.LayerNorm{NoAffine: true},
	"groupnorm":                   &nn.GroupNorm{Groups: 3},
	"groupnorm without affine":    &nn.GroupNorm{Groups: 2, NoAffine: true, Epsilon: 1e-3},
	"instancenorm":                &nn.InstanceNorm{Affine: true},
	"instancenorm without affine": &nn.InstanceNorm{},
	"batchnorm":                   &nn.BatchNorm{},
	"batchnorm of sequences":      &nn.BatchNorm{Epsilon: 1e-2, Momentum: 0.3},
	"batchnorm of images":         &nn.BatchNorm{},
	"batchnorm in evaluation":     &nn.BatchNorm{},
	"batchnorm without affine":    &nn.BatchNorm{NoAffine: true},
	"batchnorm without running":   &nn.BatchNorm{NoRunning: true},

	"embedding": &nn.Embedding{Entries: 7, Size: 3, DType: graph.Float64},
	"flatten":   nn.Flatten{},

	"conv1d":              &nn.Conv1D{Out: 4, Kernel: []int{3}},
	"conv1d with options": &nn.Conv1D{Out: 6, Kernel: []int{3}, Stride: []int{2}, Padding: []int{2}, Dilation: []int{2}, Groups: 2, NoBias: true},
	"conv1d same":         &nn.Conv1D{Out: 2, Kernel: []int{4}, Same: true},
	"conv2d":              &nn.Conv2D{Out: 3, Kernel: []int{3}},
	"conv2d with options": &nn.Conv2D{Out: 6, Kernel: []int{3, 2}, Stride: []int{2, 1}, Padding: []int{1, 2}, Dilation: []int{1, 2}, Groups: 2},
	"convtranspose1d":     &nn.ConvTranspose1D{Out: 2, Kernel: []int{4}, Stride: []int{2}, Padding: []int{1}},
	"convtranspose2d":     &nn.ConvTranspose2D{Out: 3, Kernel: []int{3}},
	"convtranspose2d with options": &nn.ConvTranspose2D{Out: 6, Kernel: []int{3, 2}, Stride: []int{2, 3}, Padding: []int{1}, OutputPadding: []int{1, 2},
		Groups: 2, NoBias: true},

	"maxpool1d":              nn.MaxPool1D{Kernel: []int{2}},
	"maxpool2d":              nn.MaxPool2D{Kernel: []int{2}},
	"maxpool2d with options": nn.MaxPool2D{Kernel: []int{3, 2}, Stride: []int{1, 2}, Padding: []int{1, 0}, Dilation: []int{1, 2}},
	"avgpool1d":              nn.AvgPool1D{Kernel: []int{3}, Stride: []int{2}, Padding: []int{1}},
	"avgpool2d":              nn.AvgPool2D{Kernel: []int{2}},
	"avgpool2d with options": nn.AvgPool2D{Kernel: []int{3, 2}, Stride: []int{2, 1}, Padding: []int{1}, ExcludePadding: true},
	"globalavgpool":          nn.GlobalAvgPool{},
	"globalmaxpool":          nn.GlobalMaxPool{},

	"rnn":                                &nn.RNN{Hidden: 4},
	"rnn with relu without bias":         &nn.RNN{Hidden: 4, Activation: ops.ReLU, NoBias: true},
	"gru":                                &nn.GRU{Hidden: 4},
	"gru of two layers both ways":        &nn.GRU{Hidden: 4, Layers: 2, Bidirectional: true},
	"gru without bias":                   &nn.GRU{Hidden: 4, NoBias: true},
	"lstm":                               &nn.LSTM{Hidden: 4},
	"lstm both ways":                     &nn.LSTM{Hidden: 4, Bidirectional: true},
	"lstm of two layers both ways, last": &nn.LSTM{Hidden: 2, Layers: 2, Bidirectional: true, Last: true},
	"lstm, last":                         &nn.LSTM{Hidden: 4, Last: true},
}

// Values, gradients and running statistics are PyTorch's, to what rounding makes of numbers near 1.
func TestLayersAreThoseOfPyTorch(t *testing.T) {
	for _, c := range layerCases(t) {
		layer, ok := goldenLayers[c.Name]
		if !ok {
			t.Errorf("no layer for %q", c.Name)
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			g := graph.New()
			x := c.input(g)
			y := nn.Build(g, layer, x)
			dy := g.Input("dy", graph.Float64, y.Shape()...)
			want := map[*graph.Node]*golden{y: c.Y}
			wrt, expected := g.Params(), []*golden{}
			for _, p := range wrt {
				expected = append(expected, c.DParams[p.Name()])
			}
			if c.DX != nil {
				wrt, expected = append(wrt, x), append(expected, c.DX)
			}
			outputs := []*graph.Node{y}
			if len(wrt) > 0 {
				for i, d := range autodiff.Grad(ops.Sum(ops.Mul(y, dy)), wrt...) {
					want[d], outputs = expected[i], append(outputs, d)
				}
			}
			p, err := vm.Compile(vm.Spec{Outputs: outputs, Mode: c.mode()})
			if err != nil {
				t.Fatal(err)
			}
			s := c.state(t, g)
			m, err := vm.NewMachine(p, s)
			if err != nil {
				t.Fatal(err)
			}
			feeds := vm.Feeds{x: c.X.as(x.DType()).Dense()}
			if slices.Contains(p.Feeds(), dy) {
				feeds[dy] = c.DY.as(graph.Float64).Dense()
			}
			if err := m.FeedAll(feeds); err != nil {
				t.Fatal(err)
			}
			if err := m.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, n := range outputs {
				v, err := m.Value(n)
				if err != nil {
					t.Fatal(err)
				}
				near(t, []string{"y", "gradient"}[min(i, 1)]+" "+n.Expr(), v.Data(), v.Shape(), want[n])
			}
			for name, w := range c.After {
				v, err := s.Get(name)
				if err != nil {
					t.Fatal(err)
				}
				near(t, name, v.Data(), v.Shape(), w)
			}
		})
	}
}

func near(t *testing.T, what string, got any, shape []int, want *golden) {
	t.Helper()
	a, err := graph.ArrayOf(got)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(shape, want.Shape) {
		t.Errorf("%s: shape %v, PyTorch has %v", what, shape, want.Shape)
		return
	}
	for i, w := range want.Data {
		if v := a.At(i); !(math.Abs(v-w) <= 1e-11*max(1, math.Abs(w))) {
			t.Errorf("%s, element %d: %.15g, PyTorch has %.15g", what, i, v, w)
			return
		}
	}
}
