package nn_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

var batch = graph.Symbol("batch")

// Shapes of results and the names and shapes of parameters and variables, for a batch of unknown size.
func TestShapesAndNames(t *testing.T) {
	rows, sequences, images := []graph.Dim{batch, 6}, []graph.Dim{batch, 4, 6}, []graph.Dim{batch, 4, 8, graph.Symbol("w")}
	for _, c := range []struct {
		layer  nn.Layer
		in     []graph.Dim
		out    string
		leaves string
	}{
		{&nn.Linear{Out: 5}, sequences, "(batch, 4, 5)", "[weight(6, 5) bias(5)]"},
		{&nn.MaskedLinear{Out: 5, Connected: func(in, out int) bool { return in == out }}, sequences, "(batch, 4, 5)", "[weight(6, 5) bias(5)]"},
		{nn.GELU, rows, "(batch, 6)", "[]"},
		{nn.PReLU{}, images, "(batch, 4, 8, w)", "[weight(1)]"},
		{nn.PReLU{Axis: 1}, images, "(batch, 4, 8, w)", "[weight(4)]"},
		{nn.ELU{Learn: true, Axis: -1}, rows, "(batch, 6)", "[alpha(6)]"},
		{nn.Swish{Learn: true}, rows, "(batch, 6)", "[beta(1)]"},
		{nn.GLU{}, rows, "(batch, 3)", "[]"},
		{nn.Chain{{Name: "encoder", Layer: nn.Sequential{&nn.Linear{Out: 2}, nn.Tanh}}, {Name: "decoder", Layer: &nn.Linear{Out: 6, NoBias: true}}}, rows, "(batch, 6)",
			"[encoder.0.weight(6, 2) encoder.0.bias(2) decoder.weight(2, 6)]"},
		{&nn.Residual{Body: &nn.Linear{Out: 6}}, rows, "(batch, 6)", "[body.weight(6, 6) body.bias(6)]"},
		{&nn.Residual{Body: &nn.Linear{Out: 2}, Shortcut: &nn.Linear{Out: 2, NoBias: true}}, rows, "(batch, 2)", "[body.weight(6, 2) body.bias(2) shortcut.weight(6, 2)]"},
		{&nn.Parallel{Branches: []nn.Layer{&nn.Linear{Out: 2}, &nn.Linear{Out: 2, NoBias: true}}}, rows, "(batch, 2)", "[0.weight(6, 2) 0.bias(2) 1.weight(6, 2)]"},
		{&nn.Concat{Branches: []nn.Layer{&nn.Linear{Out: 2, NoBias: true}, nn.Sequential{}, nn.Tanh}}, rows, "(batch, 14)", "[0.weight(6, 2)]"},
		{&nn.Concat{Branches: []nn.Layer{nn.Tanh, nn.ReLU}, Axis: -1}, sequences, "(batch, 4, 12)", "[]"},
		{nn.Flatten{}, sequences, "(batch, 24)", "[]"},
		{nn.Flatten{From: 2}, images, "(batch, 4, 8*w)", "[]"},
		{nn.Dropout{P: 0.5}, images, "(batch, 4, 8, w)", "[random.key(2)]"},
		{&nn.BatchNorm{}, images, "(batch, 4, 8, w)", "[weight(4) bias(4) running_mean(4) running_var(4)]"},
		{&nn.BatchNorm{Axis: -1, NoAffine: true}, sequences, "(batch, 4, 6)", "[running_mean(6) running_var(6)]"},
		{&nn.LayerNorm{}, sequences, "(batch, 4, 6)", "[weight(6) bias(6)]"},
		{&nn.LayerNorm{Axes: 2}, sequences, "(batch, 4, 6)", "[weight(4, 6) bias(4, 6)]"},
		{&nn.RMSNorm{}, sequences, "(batch, 4, 6)", "[weight(6)]"},
		{&nn.RMSNorm{NoAffine: true}, sequences, "(batch, 4, 6)", "[]"},
		{&nn.GroupNorm{Groups: 2}, images, "(batch, 4, 8, w)", "[weight(4) bias(4)]"},
		{&nn.InstanceNorm{}, images, "(batch, 4, 8, w)", "[]"},
		{&nn.InstanceNorm{Affine: true}, images, "(batch, 4, 8, w)", "[weight(4) bias(4)]"},
		{&nn.Conv1D{Out: 3, Kernel: []int{3}, Same: true}, sequences, "(batch, 3, 6)", "[weight(3, 4, 3) bias(3)]"},
		{&nn.Conv2D{Out: 6, Kernel: []int{3}, Padding: []int{1}, Groups: 2}, images, "(batch, 6, 8, w)", "[weight(6, 2, 3, 3) bias(6)]"},
		{&nn.Conv2D{Out: 3, Kernel: []int{2, 4}, Stride: []int{2}, NoBias: true}, images, "(batch, 3, 4, floor((w)/2) - 1)", "[weight(3, 4, 2, 4)]"},
		{&nn.ConvTranspose1D{Out: 3, Kernel: []int{4}, Stride: []int{2}}, sequences, "(batch, 3, 14)", "[weight(4, 3, 4) bias(3)]"},
		{&nn.ConvTranspose2D{Out: 6, Kernel: []int{2}, Stride: []int{2}, Groups: 2}, images, "(batch, 6, 16, 2*w)", "[weight(4, 3, 2, 2) bias(6)]"},
		{nn.MaxPool1D{Kernel: []int{2}}, sequences, "(batch, 4, 3)", "[]"},
		{nn.MaxPool2D{Kernel: []int{2}, Stride: []int{1}}, images, "(batch, 4, 7, w - 1)", "[]"},
		{nn.AvgPool1D{Kernel: []int{3}, Stride: []int{1}, Padding: []int{1}}, sequences, "(batch, 4, 6)", "[]"},
		{nn.AvgPool2D{Kernel: []int{2, 1}}, images, "(batch, 4, 4, w)", "[]"},
		{nn.GlobalAvgPool{}, images, "(batch, 4)", "[]"},
		{nn.GlobalMaxPool{}, sequences, "(batch, 4)", "[]"},
		{&nn.RNN{Hidden: 5}, sequences, "(batch, 4, 5)", "[weight_ih_l0(6, 5) weight_hh_l0(5, 5) bias_ih_l0(5) bias_hh_l0(5)]"},
		{&nn.GRU{Hidden: 5, Layers: 2, NoBias: true}, sequences, "(batch, 4, 5)", "[weight_ih_l0(6, 15) weight_hh_l0(5, 15) weight_ih_l1(5, 15) weight_hh_l1(5, 15)]"},
		{&nn.LSTM{Hidden: 5, Bidirectional: true, Last: true, NoBias: true}, sequences, "(batch, 10)",
			"[weight_ih_l0(6, 20) weight_hh_l0(5, 20) weight_ih_l0_reverse(6, 20) weight_hh_l0_reverse(5, 20)]"},
	} {
		g := graph.New()
		y := nn.Build(g, c.layer, g.Input("x", graph.Float32, c.in...))
		if y.Err() != nil {
			t.Errorf("%T: %v", c.layer, y.Err())
			continue
		}
		var leaves []string
		for _, n := range append(g.Params(), g.Variables()...) {
			leaves = append(leaves, fmt.Sprint(n.Name(), n.Shape()))
			if n.DType() != graph.Float32 && n.Name() != "random.key" {
				t.Errorf("%T: %s is %v", c.layer, n.Name(), n.DType())
			}
		}
		if got := fmt.Sprint(leaves); y.Shape().String() != c.out || got != c.leaves {
			t.Errorf("%T of %v: %v with %s, want %s with %s", c.layer, c.in, y.Shape(), got, c.out, c.leaves)
		}
	}
	g := graph.New()
	y := nn.Build(g, &nn.Embedding{Entries: 9, Size: 5}, g.Input("ids", graph.Int32, batch, 7))
	if y.Type().String() != "float32(batch, 7, 5)" || fmt.Sprint(params(g)) != "[weight(9, 5)]" {
		t.Errorf("embedding: %v with %v", y.Type(), params(g))
	}
}

// Each layer's derivatives of first and second order agree with finite differences, in both modes.
func TestGradients(t *testing.T) {
	for _, c := range layerCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			g := graph.New()
			x := c.input(g)
			y := nn.Build(g, goldenLayers[c.Name], x)
			if c.Integer {
				y = ops.Mul(y, y) // linear in its only parameter
			}
			at := map[*graph.Node]any{x: c.X.as(x.DType()).Dense()}
			for _, of := range []map[string]*golden{c.Params, c.Before} {
				for name, v := range of {
					at[g.Leaf(name)] = v.as(graph.Float64).Dense()
				}
			}
			report, err := gradcheck.Options{Elements: 12, Directions: 2, Mode: c.mode()}.Node(y, at)
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() || report.Checked == 0 {
				t.Error(report)
			}
		})
	}
}

// Learnt parameters that PyTorch does not have.
func TestLearntActivations(t *testing.T) {
	for _, layer := range []nn.Layer{nn.ELU{Learn: true, Alpha: 0.8}, nn.ELU{Learn: true, Axis: 1}, nn.Swish{Learn: true}, nn.Swish{Learn: true, Axis: -1, Beta: 1.4}} {
		gradcheck.Test(t, func(x []*graph.Node) *graph.Node { return nn.Build(x[0].Graph(), layer, x[0]) }, gradcheck.Shaped(rows([]float64{0.3, -1.2, 0.7, -0.4, 1.5, -2}, 3).Dense(), batch, 3))
		g := graph.New()
		x := input(g, "x", 3)
		fixed := layer
		switch l := layer.(type) {
		case nn.ELU:
			fixed = nn.ELU{Alpha: l.Alpha}
		case nn.Swish:
			fixed = nn.Swish{Beta: l.Beta}
		}
		same := ops.Sub(nn.Build(g, layer, x), nn.Build(g, fixed, x))
		if v := run(t, g, vm.Infer, vm.Feeds{x: rows([]float64{0.3, -1.2, 0.7, -0.4, 1.5, -2}, 3).Dense()}, same)[0]; !slices.Equal(v, make([]float64, 6)) {
			t.Errorf("%+v starts elsewhere than %+v: %v", layer, fixed, v)
		}
	}
}

// run computes nodes.
func run(t *testing.T, g *graph.Graph, mode vm.Mode, feeds vm.Feeds, outputs ...*graph.Node) (values [][]float64) {
	t.Helper()
	p, err := vm.Compile(vm.Spec{Outputs: outputs, Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range outputs {
		v, err := m.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		a, err := graph.ArrayOf(v)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, slices.Clone(a.F64()))
	}
	return values
}

func TestContainersCompute(t *testing.T) {
	double, negate := nn.Func(func(x *graph.Node) *graph.Node { return ops.Scale(x, 2) }), nn.Func(ops.Neg)
	for _, c := range []struct {
		layer nn.Layer
		want  []float64
	}{
		{nn.Sequential{}, []float64{1, -2, 3, 4}},
		{nn.Sequential{double, negate}, []float64{-2, 4, -6, -8}},
		{&nn.Residual{Body: double}, []float64{3, -6, 9, 12}},
		{&nn.Residual{Body: double, Shortcut: negate}, []float64{1, -2, 3, 4}},
		{&nn.Parallel{Branches: []nn.Layer{double, negate, double}}, []float64{3, -6, 9, 12}},
		{&nn.Parallel{Branches: []nn.Layer{double, negate}, Join: func(parts []*graph.Node) *graph.Node { return ops.Mul(parts[0], parts[1]) }}, []float64{-2, -8, -18, -32}},
		{&nn.Concat{Branches: []nn.Layer{double, negate}}, []float64{2, -4, -1, 2, 6, 8, -3, -4}},
	} {
		g := graph.New()
		x := input(g, "x", 2)
		got := run(t, g, vm.Infer, vm.Feeds{x: rows([]float64{1, -2, 3, 4}, 2).Dense()}, nn.Build(g, c.layer, x))[0]
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%T: %s", c.layer, diff)
		}
	}
}

// In training two dropouts drop different elements, and others at each step; in evaluation they are not there.
func TestDropoutLayers(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, batch, 50)
	a, b := nn.Build(g, nn.Dropout{P: 0.5}, x), nn.Build(g, nn.Dropout{P: 0.5}, x) // one key serves all of a graph
	same := nn.Build(g, nn.Dropout{P: 0.5, Key: ops.Key(g, 7), Shared: []int{1}}, x)
	ones := graph.NewArray(graph.Float64, 4, 50)
	for i := range ones.F64() {
		ones.F64()[i] = 1
	}
	feeds := vm.Feeds{x: ones.Dense()}
	for _, v := range run(t, g, vm.Infer, feeds, a, b, same) {
		if !slices.Equal(v, ones.F64()) {
			t.Errorf("in evaluation: %v", v)
		}
	}
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{a, b, same}, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.FeedAll(feeds); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		if err := m.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, n := range []*graph.Node{a, b} {
			v, err := m.Value(n)
			if err != nil {
				t.Fatal(err)
			}
			seen[fmt.Sprint(v.Data())] = true
			for _, e := range v.Data().([]float64) {
				if e != 0 && e != 2 {
					t.Fatalf("an element is %v", e)
				}
			}
		}
		v, err := m.Value(same)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range v.Data().([]float64) {
			if e != v.Data().([]float64)[i/50*50] {
				t.Fatal("a row is dropped in parts")
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d masks in 3 steps of 2 dropouts", len(seen))
	}
}

// everything is a model of all families: what it costs is a matter of the operators, not of the layers.
func everything() nn.Layer {
	return nn.Sequential{
		nn.Flatten{},
		&nn.Linear{Out: 48}, &nn.LayerNorm{}, nn.GELU, nn.Dropout{P: 0.1},
		&nn.Residual{Body: nn.Sequential{&nn.Linear{Out: 48}, nn.ELU{Learn: true}, &nn.Linear{Out: 48}}},
		nn.Func(func(x *graph.Node) *graph.Node { return ops.Reshape(x, batch, 3, 4, 4) }),
		&nn.Conv2D{Out: 4, Kernel: []int{3}, Same: true}, &nn.BatchNorm{}, nn.ReLU, nn.MaxPool2D{Kernel: []int{2}},
		&nn.ConvTranspose2D{Out: 2, Kernel: []int{2}, Stride: []int{2}}, nn.PReLU{Axis: 1}, &nn.GroupNorm{Groups: 2}, nn.AvgPool2D{Kernel: []int{2}},
		&nn.Concat{Branches: []nn.Layer{nn.GlobalAvgPool{}, nn.GlobalMaxPool{}}}, &nn.RMSNorm{},
		nn.Func(func(x *graph.Node) *graph.Node { return ops.Reshape(x, batch, 2, 2) }),
		&nn.GRU{Hidden: 4, Bidirectional: true}, &nn.RNN{Hidden: 3}, &nn.LSTM{Hidden: 5, Layers: 2, Dropout: 0.2, Last: true},
		&nn.Parallel{Branches: []nn.Layer{&nn.Linear{Out: 3}, &nn.MaskedLinear{Out: 3, Connected: func(in, out int) bool { return in >= out }}}},
	}
}

// Layers are gone when a program runs: a step allocates nothing, for training or not, and at any batch it has seen.
func TestStepsAllocateNothing(t *testing.T) {
	g := graph.New()
	ids := g.Input("ids", graph.Int64, batch, 6)
	y := nn.Build(g, nn.Sequential{&nn.Embedding{Entries: 10, Size: 8, DType: graph.Float32}, everything()}, ids)
	loss := ops.Mean(ops.Square(y))
	if y.Err() != nil {
		t.Fatal(y.Err())
	}
	var updates []graph.Update
	for i, d := range autodiff.Grad(loss, g.Params()...) {
		p := g.Params()[i]
		updates = append(updates, graph.Update{Target: p, Value: ops.Sub(p, ops.Scale(d, 0.01))})
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []vm.Spec{{Outputs: []*graph.Node{loss}, Updates: updates, Mode: vm.Train}, {Outputs: []*graph.Node{y}}} {
		p, err := vm.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		m.Workers = 1
		large, small := graph.NewArray(graph.Int64, 5, 6).Dense(), graph.NewArray(graph.Int64, 2, 6).Dense()
		step := func() {
			for _, v := range []any{large, small} {
				if err := m.Feed(ids, v); err != nil {
					t.Fatal(err)
				}
				if err := m.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		step()
		if n := testing.AllocsPerRun(10, step); n != 0 {
			t.Errorf("%v: %v allocations in two steps", spec.Mode, n)
		}
	}
}

// The errors name the user's line, the layer and its place, and what would fix it.
func TestWholeErrors(t *testing.T) {
	rows, sequences, images := []graph.Dim{batch, 6}, []graph.Dim{batch, 4, 6}, []graph.Dim{batch, 4, 8, 8}
	for _, c := range []struct {
		layer nn.Layer
		in    []graph.Dim
		want  string
	}{
		{&nn.Linear{}, rows, `Linear "1": Out = 0 features; Out is 1 or more`},
		{&nn.Linear{Out: 2}, []graph.Dim{6, batch}, `Linear "1": takes (…, in) with a fixed size of in, not (6, batch)`},
		{&nn.MaskedLinear{Out: 2}, rows, `MaskedLinear "1": takes Connected or Mask, either of them`},
		{&nn.MaskedLinear{Out: 2, Mask: tensor.New(tensor.WithShape(2, 6), tensor.WithBacking(make([]bool, 12)))}, rows,
			`MaskedLinear "1": the Mask has the shape (2, 6), not (in, Out) = (6, 2)`},
		{nn.PReLU{Axis: 2}, rows, `PReLU "1": takes channels along axis 2, which (batch, 6) does not have`},
		{nn.Swish{Learn: true, Axis: 1}, []graph.Dim{6, batch}, `Swish "1": takes channels along axis 1 with a fixed size, not (6, batch)`},
		{nn.GLU{}, []graph.Dim{batch, 5}, `GLU "1": split(x): dimension 1 of (batch, 5), 5, has no 2 equal parts for every size; ops.SplitSizes makes unequal ones`},
		{nn.Activation{Name: "sine"}, rows, `sine "1": the activation has no function; set Of`},
		{&nn.Residual{Body: &nn.Linear{Out: 5}}, rows, `Residual "1": the shortcut is float64(batch, 6), the body float64(batch, 5); a Shortcut such as &nn.Linear{Out: n, NoBias: true} makes x fit`},
		{&nn.Residual{}, rows, `layer "1.body": the layer is nil`},
		{nn.Chain{{Name: "a", Layer: &nn.Linear{Out: 2}}, {Name: "a", Layer: &nn.Linear{Out: 2}}}, rows, `Linear "1.a": param 1.a.weight: the name "1.a.weight" is taken by the param of …`},
		{nn.Chain{{}}, rows, `layer "1": the layer is nil`},
		{&nn.Parallel{}, rows, `Parallel "1": it has no branches; give it one or more`},
		{&nn.Parallel{Branches: []nn.Layer{nn.Tanh, &nn.Linear{Out: 2}}}, rows, `Parallel "1": add(tanh(x), add(…, 1.1.bias)): shapes (batch, 6) and (batch, 2) do not fit: 6 is not 2`},
		{&nn.Concat{Branches: []nn.Layer{nn.Tanh, nn.Flatten{}}}, images, `Concat "1": concat(tanh(x), reshape(x)): operand 0 has shape (batch, 4, 8, 8), operand 1 has (batch, 256); they need the same number of dimensions (ops.Unsqueeze adds one, ops.Stack joins along a new one)`},
		{nn.Flatten{From: 3}, rows, `Flatten "1": flatten(x): …`},
		{nn.Dropout{P: 1.5}, rows, `Dropout "1": dropout(x, 1.5, random.key): …`},
		{&nn.BatchNorm{Axis: 2}, rows, `BatchNorm "1": takes channels along axis 2, which (batch, 6) does not have`},
		{&nn.LayerNorm{Axes: 2}, rows, `LayerNorm "1": takes 2 last axes of fixed sizes, not (batch, 6)`},
		{&nn.RMSNorm{Epsilon: -1}, rows, `RMSNorm "1": rmsnorm(x): ε is -1; it must not be below 0, and is 1e-5 most often`},
		{&nn.GroupNorm{}, images, `GroupNorm "1": groupnorm(x): 0 groups do not divide the 4 channels of float64(batch, 4, 8, 8)`},
		{&nn.InstanceNorm{}, rows, `InstanceNorm "1": instancenorm(x): takes float32 or float64 with 3 dimensions or more, not float64(batch, 6)`},
		{&nn.Embedding{Entries: 3, Size: 2}, rows, `Embedding "1": takes ids, int32 or int64, not float64(batch, 6); convert with ops.Cast`},
		{&nn.Embedding{Size: 2}, rows, `Embedding "1": 0 entries of size 2; both are 1 or more`},
		{&nn.Conv2D{Out: 2, Kernel: []int{3}}, rows, `Conv2D "1": takes (batch, channels, height, width) with a fixed number of channels, not (batch, 6)`},
		{&nn.Conv2D{Kernel: []int{3}}, images, `Conv2D "1": Out = 0 channels; Out is 1 or more`},
		{&nn.Conv2D{Out: 2}, images, `Conv2D "1": 0 kernel sizes for 2 spatial dimensions; give one for each, or one for all`},
		{&nn.Conv2D{Out: 2, Kernel: []int{3, 0}}, images, `Conv2D "1": kernel sizes [3 0]; all are 1 or more`},
		{&nn.Conv2D{Out: 4, Kernel: []int{3}, Groups: 3}, images, `Conv2D "1": Groups = 3 do not divide the channels, 4 of x and Out = 4`},
		{&nn.Conv2D{Out: 4, Kernel: []int{9}}, images, `Conv2D "1": conv(x, 1.weight): a window of 9 elements with dilation 1 does not fit into 8 with padding 0 and 0; more padding or a smaller window would`},
		{&nn.ConvTranspose1D{Out: 4, Kernel: []int{2}}, images, `ConvTranspose1D "1": takes (batch, channels, length) with a fixed number of channels, not (batch, 4, 8, 8)`},
		{&nn.ConvTranspose2D{Out: 4, Kernel: []int{2}, OutputPadding: []int{1}}, images, `ConvTranspose2D "1": convtranspose(x, 1.weight): an output padding of 1; it is smaller than the stride or the dilation`},
		{nn.MaxPool2D{}, images, `MaxPool2D "1": maxpool(x): no window size; give one for each spatial dimension, or one for all`},
		{nn.MaxPool1D{}, images, `MaxPool1D "1": 0 window sizes for 1 spatial dimensions; give one for each, or one for all`},
		{nn.AvgPool2D{Kernel: []int{2}, Padding: []int{2}}, images, `AvgPool2D "1": avgpool(x): a padding of 2 is more than half of the window, 2; a window could lie beside the image`},
		{nn.GlobalAvgPool{}, rows, `GlobalAvgPool "1": takes (batch, channels, …) with at least one axis more, not (batch, 6)`},
		{&nn.RNN{}, sequences, `RNN "1": Hidden = 0 features; Hidden is 1 or more`},
		{&nn.LSTM{Hidden: 3}, rows, `LSTM "1": takes (batch, length, in) with a fixed length from 1 up, which is unrolled, and a fixed size of in, not (batch, 6)`},
		{&nn.GRU{Hidden: 3, Layers: 2, Dropout: 2}, sequences, `GRU "1": dropout(, 2, random.key): the probability is 2; it must be from 0 to 1`},
		{nn.Func(func(x *graph.Node) *graph.Node { return nil }), rows, `Func "1": its Build returned nil; a layer returns a node, if need be x`},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, c.in...)
		err := nn.Build(g, nn.Sequential{nn.Sequential{}, c.layer, nn.ReLU}, x).Err()
		pattern := regexp.MustCompile(`^layers_test\.go:\d+: ` + regexp.MustCompile(`…$`).ReplaceAllString(regexp.QuoteMeta(c.want), ".+") + `$`)
		if err == nil || !pattern.MatchString(err.Error()) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	g := graph.New()
	shared := &nn.BatchNorm{}
	err := nn.Build(g, nn.Sequential{shared, nn.ReLU, shared}, input(g, "x", 3)).Err()
	if want := `BatchNorm "0": another use moves its running statistics; each use needs a batch norm of its own, or NoRunning`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	err = nn.Build(graph.New(), &nn.Linear{Out: 2}, ops.Cast(input(graph.New(), "x", 3), graph.Int32)).Err()
	if want := "Linear: takes float32 or float64, not int32(batch, 3); convert with ops.Cast"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
