package nn_test

import (
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// randomLayer draws a layer with options that may make no sense.
func randomLayer(t *rapid.T, depth int) nn.Layer {
	size := rapid.IntRange(-1, 5)
	list := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3)
	flag := rapid.Bool()
	number := rapid.SampledFrom([]float64{0, 0, 0, 0.5, 1.5, -1})
	several := func() (layers []nn.Layer) {
		for range rapid.IntRange(0, 3).Draw(t, "layers") {
			layers = append(layers, randomLayer(t, depth-1))
		}
		return layers
	}
	last := 31
	if depth == 0 {
		last = 26
	}
	convolution := func() nn.Convolution {
		return nn.Convolution{Out: size.Draw(t, "out"), Kernel: list.Draw(t, "kernel"), Stride: list.Draw(t, "stride"), Padding: list.Draw(t, "padding"),
			Same: flag.Draw(t, "same"), Dilation: list.Draw(t, "dilation"), Groups: size.Draw(t, "groups"), OutputPadding: list.Draw(t, "output padding"), NoBias: flag.Draw(t, "no bias")}
	}
	pool := func() nn.Pool {
		return nn.Pool{Kernel: list.Draw(t, "kernel"), Stride: list.Draw(t, "stride"), Padding: list.Draw(t, "padding"), Dilation: list.Draw(t, "dilation"), ExcludePadding: flag.Draw(t, "exclude padding")}
	}
	recurrence := func() nn.Recurrence {
		return nn.Recurrence{Hidden: size.Draw(t, "hidden"), Layers: size.Draw(t, "layers"), Bidirectional: flag.Draw(t, "bidirectional"), Last: flag.Draw(t, "last"),
			Dropout: number.Draw(t, "dropout"), NoBias: flag.Draw(t, "no bias")}
	}
	switch rapid.IntRange(0, last).Draw(t, "layer") {
	case 0, 1, 2:
		return &nn.Linear{Out: size.Draw(t, "out"), NoBias: flag.Draw(t, "no bias")}
	case 3:
		return rapid.SampledFrom([]nn.Activation{nn.ReLU, nn.Tanh, nn.Softmax, nn.GELU, nn.Sigmoid}).Draw(t, "activation")
	case 4:
		return nn.PReLU{Slope: number.Draw(t, "slope"), Axis: size.Draw(t, "axis")}
	case 5:
		return nn.ELU{Alpha: number.Draw(t, "alpha"), Learn: flag.Draw(t, "learn"), Axis: size.Draw(t, "axis")}
	case 6:
		return nn.Swish{Beta: number.Draw(t, "beta"), Learn: flag.Draw(t, "learn"), Axis: size.Draw(t, "axis")}
	case 7:
		return nn.GLU{Axis: size.Draw(t, "axis")}
	case 8:
		return nn.Flatten{From: size.Draw(t, "from")}
	case 9:
		return nn.Dropout{P: number.Draw(t, "p"), Shared: list.Draw(t, "shared")}
	case 10:
		return &nn.BatchNorm{Axis: size.Draw(t, "axis"), Momentum: number.Draw(t, "momentum"), Epsilon: number.Draw(t, "epsilon"), NoAffine: flag.Draw(t, "no affine"), NoRunning: flag.Draw(t, "no running")}
	case 11:
		return &nn.LayerNorm{Axes: size.Draw(t, "axes"), Epsilon: number.Draw(t, "epsilon"), NoAffine: flag.Draw(t, "no affine")}
	case 12:
		return &nn.RMSNorm{Axes: size.Draw(t, "axes"), Epsilon: number.Draw(t, "epsilon"), NoAffine: flag.Draw(t, "no affine")}
	case 13:
		return &nn.GroupNorm{Groups: size.Draw(t, "groups"), NoAffine: flag.Draw(t, "no affine")}
	case 14:
		return &nn.InstanceNorm{Affine: flag.Draw(t, "affine")}
	case 15:
		return &nn.Embedding{Entries: size.Draw(t, "entries"), Size: size.Draw(t, "size"), DType: rapid.SampledFrom([]graph.DType{0, graph.Float64, graph.Int32}).Draw(t, "dtype")}
	case 16:
		l := nn.Conv1D(convolution())
		return &l
	case 17:
		l := nn.Conv2D(convolution())
		return &l
	case 18:
		l := nn.ConvTranspose1D(convolution())
		return &l
	case 19:
		l := nn.ConvTranspose2D(convolution())
		return &l
	case 20:
		return rapid.SampledFrom([]nn.Layer{nn.MaxPool1D(pool()), nn.AvgPool1D(pool())}).Draw(t, "pool")
	case 21:
		return rapid.SampledFrom([]nn.Layer{nn.MaxPool2D(pool()), nn.AvgPool2D(pool())}).Draw(t, "pool")
	case 22:
		return rapid.SampledFrom([]nn.Layer{nn.GlobalAvgPool{}, nn.GlobalMaxPool{}}).Draw(t, "pool")
	case 23:
		l := nn.RNN(recurrence())
		return &l
	case 24:
		l := nn.GRU(recurrence())
		return &l
	case 25:
		l := nn.LSTM(recurrence())
		return &l
	case 26:
		return &nn.MaskedLinear{Out: size.Draw(t, "out"), Connected: func(in, out int) bool { return in != out }}
	case 27:
		return nn.Sequential(several())
	case 28:
		return &nn.Residual{Body: randomLayer(t, depth-1), Shortcut: randomLayer(t, depth-1)}
	case 29:
		return &nn.Residual{Body: nn.Sequential(several())}
	case 30:
		return &nn.Parallel{Branches: several()}
	}
	return &nn.Concat{Branches: several(), Axis: size.Draw(t, "axis")}
}

// Whatever layers are put together, building them gives a program that trains and one that does not, or an error which names the
// user's line and the layer; and the summary counts the parameters there are.
func TestRandomModels(t *testing.T) {
	fits := 0
	rapid.Check(t, func(t *rapid.T) {
		g := graph.New()
		dims := []graph.Dim{batch}
		for range rapid.IntRange(0, 3).Draw(t, "rank") {
			dims = append(dims, graph.Dim(rapid.IntRange(1, 6).Draw(t, "size")))
		}
		dtype := rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float32, graph.Float64, graph.Int64}).Draw(t, "dtype")
		x := g.Input("x", dtype, dims...)
		model := nn.Sequential{}
		for range rapid.IntRange(1, 4).Draw(t, "layers") { // the first that fits, of some
			for range 6 {
				l := randomLayer(t, 2)
				if nn.Summarize(append(model, l), x).Err() == nil {
					model = append(model, l)
					break
				}
			}
		}
		broken := nn.Summarize(append(model, randomLayer(t, 1)), x)
		if err := broken.Err(); err != nil && (!strings.Contains(err.Error(), "random_test.go:") || !strings.Contains(err.Error(), ` "`)) {
			t.Fatalf("%+v", err)
		}
		y := nn.Build(g, model, x)
		elements := 0
		for _, p := range g.Params() {
			elements += int(p.Shape().Size())
		}
		if s := nn.Summarize(model, x); s.Err() != nil || s.Parameters != elements || !s.FLOPs.Valid() {
			t.Fatalf("%d parameters\n%v", elements, s)
		}
		if !y.DType().IsFloat() {
			return
		}
		fits += len(model)
		s, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		loss := ops.Mean(ops.Square(y))
		spec := vm.Spec{Outputs: []*graph.Node{loss}, Mode: vm.Train}
		for i, d := range autodiff.Grad(loss, g.Params()...) {
			spec.Updates = append(spec.Updates, graph.Update{Target: g.Params()[i], Value: ops.Sub(g.Params()[i], ops.Scale(d, 0.01))})
		}
		for _, spec := range []vm.Spec{spec, {Outputs: []*graph.Node{y}}} {
			p, err := vm.Compile(spec)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			m, err := vm.NewMachine(p, s)
			if err != nil {
				t.Fatal(err)
			}
			shape := []int{3}
			for _, d := range dims[1:] {
				shape = append(shape, int(d))
			}
			if err := m.Feed(x, graph.NewArray(dtype, shape...).Dense()); err != nil {
				t.Fatal(err)
			}
			if err := m.Run(t.Context()); err != nil {
				t.Fatalf("%+v\n%v", err, nn.Summarize(model, x))
			}
		}
	})
	t.Logf("%d layers ran", fits)
	if fits < 20 {
		t.Errorf("only %d layers ran", fits)
	}
}
