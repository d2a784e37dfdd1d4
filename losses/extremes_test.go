package losses_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// At logits of ±10⁴ in float32 losses and gradients are what they are at infinity, to rounding: no NaN, no 0 for a slope of 1.
func TestExtremeLogits(t *testing.T) {
	for _, c := range []struct {
		name       string
		loss       func(x, y *graph.Node) *graph.Node
		x          []float64
		y          []float64
		want, grad []float64
	}{
		{"binary cross-entropy", func(x, y *graph.Node) *graph.Node {
			return losses.BinaryCrossEntropy(x, y, losses.Options{Reduction: losses.None})
		},
			[]float64{1e4, 1e4, -1e4, -1e4, 20, -20}, []float64{1, 0, 1, 0, 1, 0}, []float64{0, 1e4, 1e4, 0, 2.0611536e-9, 2.0611536e-9}, []float64{0, 1, -1, 0, -2.0611536e-9, 2.0611536e-9}},
		{"focal", func(x, y *graph.Node) *graph.Node {
			return losses.Focal(x, y, -1, 2, losses.Options{Reduction: losses.None})
		},
			[]float64{1e4, 1e4, -1e4, -1e4}, []float64{1, 0, 1, 0}, []float64{0, 1e4, 1e4, 0}, []float64{0, 1, -1, 0}},
		{"log-cosh", func(x, y *graph.Node) *graph.Node {
			return losses.LogCosh(x, y, losses.Options{Reduction: losses.None})
		},
			[]float64{1e4, -1e30, 1e-6, 0, 1}, []float64{0, 0, 0, 0, 0}, []float64{1e4 - math.Ln2, 1e30, 5e-13, 0, math.Log(math.Cosh(1))}, []float64{1, -1, 1e-6, 0, math.Tanh(1)}},
		{"huber", func(x, y *graph.Node) *graph.Node {
			return losses.Huber(x, y, 2, losses.Options{Reduction: losses.None})
		},
			[]float64{1e30, -1e30, 2, 0}, []float64{0, 0, 0, 0}, []float64{2e30, 2e30, 2, 0}, []float64{2, -2, 2, 0}},
		{"squared error that is 0, and its root", func(x, y *graph.Node) *graph.Node { return ops.BroadcastTo(losses.RMSE(x, y), 2) },
			[]float64{3, 4}, []float64{3, 4}, []float64{0, 0}, []float64{0, 0}},
		{"probabilities of 0 and 1", func(x, y *graph.Node) *graph.Node {
			return losses.BinaryCrossEntropyOf(x, y, losses.Options{Reduction: losses.None})
		},
			[]float64{0, 1, 0, 1}, []float64{0, 1, 1, 0}, []float64{0, 0, 100, 100}, nil},
		{"and their slopes, where there is one", func(x, y *graph.Node) *graph.Node {
			return losses.BinaryCrossEntropyOf(x, y, losses.Options{Reduction: losses.None})
		},
			[]float64{0, 1, 0, 1, 0.5}, []float64{0, 1, 1, 0, 1}, []float64{0, 0, 100, 100, math.Ln2}, []float64{1, -1, 0, 0, -2}},
		{"binary cross-entropy of a sigmoid", func(x, y *graph.Node) *graph.Node {
			return losses.BinaryCrossEntropyOf(ops.Sigmoid(x), y, losses.Options{Reduction: losses.None})
		},
			[]float64{1e4, 1e4, -1e4, -1e4}, []float64{1, 0, 1, 0}, []float64{0, 1e4, 1e4, 0}, []float64{0, 1, -1, 0}},
		{"focal with a root", func(x, y *graph.Node) *graph.Node {
			return losses.Focal(x, y, -1, 0.5, losses.Options{Reduction: losses.None})
		},
			[]float64{1e4, 1e4, -1e4, -1e4}, []float64{1, 0, 1, 0}, []float64{0, 1e4, 1e4, 0}, []float64{0, 1, -1, 0}},
		{"cross-entropy of probabilities of 0 and 1", func(x, y *graph.Node) *graph.Node {
			return losses.CrossEntropyOf(x, y)
		},
			[]float64{0, 1, 0.25}, []float64{1, 1, 2}, []float64{100 + 4*math.Ln2}, []float64{0, -1, -8}},
		{"cross-entropy of a softmax", func(x, y *graph.Node) *graph.Node {
			return losses.CrossEntropyOf(ops.Softmax(x, 0), y)
		},
			[]float64{-1e4, 1e4, 0}, []float64{1, 0, 0}, []float64{2e4}, []float64{-1, 1, 0}},
		{"multi-class focal with a root", func(x, y *graph.Node) *graph.Node {
			return losses.FocalCrossEntropy(x, ops.Cast(ops.At(y, 0, 0), graph.Int64), 0.5)
		},
			[]float64{1e4, -1e4, 0}, []float64{0, 0, 0}, []float64{0}, []float64{0, 0, 0}},
		{"the angle of long vectors", func(x, y *graph.Node) *graph.Node {
			return losses.CosineEmbedding(x, y, ops.OnesLike(ops.Sum(x)), 0)
		},
			[]float64{1e12, 0}, []float64{1e12, 1e12}, []float64{1 - math.Sqrt2/2}, nil},
		{"close distributions", func(x, y *graph.Node) *graph.Node { return losses.JensenShannon(x, y) },
			[]float64{0.5, 0.5}, []float64{0.5 + 0x1p-13, 0.5 - 0x1p-13}, []float64{0x1p-27},
			[]float64{math.Log1p(-0x1p-13/(1+0x1p-13)) / 2, math.Log1p(0x1p-13/(1-0x1p-13)) / 2}},
		{"distributions that exclude each other", func(x, y *graph.Node) *graph.Node { return losses.JensenShannon(x, y) },
			[]float64{1e-30, 1}, []float64{1, 1e-30}, []float64{math.Ln2}, nil},
	} {
		g := graph.New()
		n := graph.Dim(len(c.x))
		x, y := g.Input("x", graph.Float32, n), g.Input("y", graph.Float32, n)
		l := c.loss(x, y)
		nodes := []*graph.Node{l, autodiff.Grad(ops.Sum(l), x)[0]}
		got := evaluate(t, vm.Feeds{x: array(graph.Float32, []int{len(c.x)}, c.x), y: array(graph.Float32, []int{len(c.x)}, c.y)}, nodes...)
		for k, want := range [][]float64{c.want, c.grad} {
			for i, w := range want {
				if v := got[k].At(i); !(math.Abs(v-w) <= 1e-5*math.Abs(w)) {
					t.Errorf("%s: result %d at %v, %v is %v, want %v", c.name, k, c.x[i], c.y[i], v, w)
				}
			}
		}
	}
}

// Soft and hard targets of ±10⁴ in float32: −Σ t·ln softmax, gradient softmax − t.
func TestExtremeCrossEntropy(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Float32, 3, 3), g.Input("y", graph.Float32, 3, 3)
	l := losses.CrossEntropy(x, y, losses.Options{Reduction: losses.None})
	got := evaluate(t, vm.Feeds{x: array(graph.Float32, []int{3, 3}, []float64{1e4, -1e4, 0, 1e4, -1e4, 0, 1e4, 1e4, -1e4}), y: array(graph.Float32, []int{3, 3}, []float64{1, 0, 0, 0, 1, 0, 0.5, 0.25, 0.25})},
		l, autodiff.Grad(ops.Sum(l), x)[0])
	for k, want := range [][]float64{{0, 2e4, 0.75*math.Ln2 + 0.25*(2e4+math.Ln2)}, {0, 0, 0, 1, -1, 0, 0, 0.25, -0.25}} {
		for i, w := range want {
			if v := got[k].At(i); math.Abs(v-w) > 1e-5*math.Max(1, math.Abs(w)) {
				t.Errorf("result %d, element %d: %v, want %v", k, i, v, w)
			}
		}
	}
}

// First and second derivatives agree with finite differences.
func TestGradients(t *testing.T) {
	g := graph.New()
	x, y, z := g.Input("x", graph.Float64, 4, 3), g.Input("y", graph.Float64, 4, 3), g.Input("z", graph.Float64, 4, 3)
	labels, sign := g.Input("labels", graph.Int64, 4), g.Input("sign", graph.Float64, 4)
	p := ops.Softmax(y, 1)
	at := vm.Feeds{
		x: array(graph.Float64, []int{4, 3}, []float64{0.3, -1.2, 0.8, 1.9, -0.4, 0.1, -2.2, 0.7, 1.3, 0.05, -0.6, 2.4}),
		y: array(graph.Float64, []int{4, 3}, []float64{-0.9, 0.2, 1.7, 0.6, -1.4, 0.9, 0.25, -0.15, 0.4, 1.1, 2.1, -0.8}),
		z: array(graph.Float64, []int{4, 3}, []float64{0.45, 1.3, -0.7, 0.2, 0.95, -1.6, 1.05, -0.35, 0.15, -1.9, 0.85, 0.5}), labels: []int64{2, 0, 1, 1}, sign: []float64{1, -1, 1, -1}}
	for name, loss := range map[string]*graph.Node{
		"mse": losses.MSE(x, y), "rmse": losses.RMSE(x, y), "huber": losses.Huber(x, y, 1.05), "logcosh": losses.LogCosh(x, y),
		"crossentropy": losses.CrossEntropy(x, labels, losses.Options{Smoothing: 0.1}), "soft": losses.CrossEntropy(x, p),
		"binary": losses.BinaryCrossEntropy(x, ops.Sigmoid(y)), "focal": losses.Focal(x, ops.Sigmoid(y), 0.3, 2),
		"kl": losses.KLDivergence(ops.LogSoftmax(x, 1), p), "jensenshannon": losses.JensenShannon(ops.Softmax(x, 1), p), "entropy": losses.Entropy(p),
		"squaredhinge": losses.SquaredHinge(x, y), "cosine": losses.CosineEmbedding(x, y, sign, -0.9), "triplet": losses.TripletMargin(x, y, z, 3),
		"poisson": losses.PoissonNLL(x, y), "gaussian": losses.GaussianNLL(x, ops.Exp(y), z), "multimargin": losses.MultiMargin(x, labels, 1.02, 2),
		"mae": losses.MAE(x, y), "smoothl1": losses.SmoothL1(x, y, 0.7), "quantile": losses.Quantile(x, y, 0.3), "hinge": losses.Hinge(x, y), "nll": losses.NLL(x, labels),
		"crossentropyof": losses.CrossEntropyOf(p, labels), "binaryof": losses.BinaryCrossEntropyOf(p, ops.Sigmoid(x)), "information": ops.Sum(losses.Information(p)),
		"focalcrossentropy": losses.FocalCrossEntropy(x, labels, 0.5), "kllog": losses.KLDivergence(x, y, losses.Options{LogTarget: true}),
		"poissonof": losses.PoissonNLLOf(ops.Exp(x), ops.Exp(y), losses.Options{Full: true}), "gaussian of one variance": losses.GaussianNLL(x, ops.Exp(ops.Slice(y, 1, 0, 1)), z),
		"triplet of another norm": losses.TripletMargin(x, y, z, 3, losses.Options{Norm: 3, Swap: true}),
		"masked":                  losses.Huber(x, y, 1.05, losses.Options{Mask: ops.Less(z, ops.Scalar(z, 0.3)), Weight: p}),
		"masked labels":           losses.CrossEntropy(x, labels, losses.Options{Mask: ops.Less(sign, ops.Scalar(sign, 0)), ClassWeight: ops.Exp(ops.At(z, 0, 0))}),
		"a penalty":               losses.L2(0.3, x, y),
	} {
		if r, err := gradcheck.Node(loss, at); err != nil {
			t.Errorf("%s: %v, %v", name, err, r)
		}
	}
}

// Properties of information: divergences are not negative, and 0 for equal distributions; Jensen–Shannon is symmetric and at most
// ln 2; cross-entropy is entropy and divergence together; entropy is at most ln n.
func TestInformation(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", graph.Float64, 1, 5), g.Input("b", graph.Float64, 1, 5)
	p, q, o := ops.Softmax(a, 1), ops.Softmax(b, 1), losses.Options{Reduction: losses.Sum}
	logits := ops.LogSoftmax(b, 1)
	nodes := []*graph.Node{losses.KLDivergence(logits, p, o), losses.JensenShannon(p, q, o), losses.JensenShannon(q, p, o), losses.Entropy(p, o),
		losses.CrossEntropy(b, p, o), losses.KLDivergence(ops.LogSoftmax(a, 1), p, o)}
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) graph.Array {
			return array(graph.Float64, []int{1, 5}, rapid.SliceOfN(rapid.Float64Range(-30, 30), 5, 5).Draw(r, name))
		}
		v := evaluate(t, vm.Feeds{a: draw("a"), b: draw("b")}, nodes...)
		kl, js, sj, h, ce, none := v[0].At(0), v[1].At(0), v[2].At(0), v[3].At(0), v[4].At(0), v[5].At(0)
		if kl < -1e-12 || js < -1e-12 || js > math.Ln2+1e-12 || math.Abs(js-sj) > 1e-12 || h < -1e-12 || h > math.Log(5)+1e-12 ||
			math.Abs(ce-h-kl) > 1e-9*math.Max(1, ce) || math.Abs(none) > 1e-12 {
			r.Errorf("KL %v, JS %v and %v, entropy %v, cross-entropy %v, KL of equals %v", kl, js, sj, h, ce, none)
		}
	})
}

func TestPenalties(t *testing.T) {
	g := graph.New()
	w, b := g.Param("0.weight", graph.Float64, graph.Full(-2), 2, 3), g.Param("0.bias", graph.Float64, graph.Full(5), 3)
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		n    *graph.Node
		want float64
	}{
		"l1 of weights":  {losses.L1(0.1, losses.Parameters(g, "*.weight")...), 1.2},
		"l2 of weights":  {losses.L2(0.1, losses.Parameters(g, "*.weight")...), 2.4},
		"l2 of all":      {losses.L2(1, losses.Parameters(g)...), 24 + 75},
		"l1 of two":      {losses.L1(1, w, b), 12 + 15},
		"by two names":   {losses.L1(1, losses.Parameters(g, "0.bias", "0.weight")...), 27},
		"a name matches": {losses.L1(1, losses.Parameters(g, "0.b*")...), 15},
	} {
		v, err := vm.Eval(s, c.n)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Data().(float64); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// What is wrong is said with the call, and with what would mend it.
func TestMistakes(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	x, y := g.Input("x", graph.Float32, batch, 3), g.Input("y", graph.Float32, batch, 3)
	labels, v := g.Input("labels", graph.Int64, batch), g.Input("v", graph.Float32, 4)
	yes := g.Input("yes", graph.Bool, batch, 3)
	o := func(o losses.Options) losses.Options { return o }
	for _, c := range []struct {
		loss *graph.Node
		kind error
		want string
	}{
		{losses.MAE(x, v), graph.ErrShape, "mae(x, v): the prediction is float32(batch, 3), the target float32(4); they must be alike (ops.Reshape drops or adds dimensions of 1)"},
		{losses.MSE(labels, labels), graph.ErrDType, "mse(labels, labels): the prediction is int64(batch); it must be float32 or float64 (ops.Cast converts)"},
		{losses.MSE(x, y, o(losses.Options{}), o(losses.Options{})), graph.ErrValue, "2 Options; give one"},
		{losses.MSE(x, y, o(losses.Options{Smoothing: 0.1})), graph.ErrValue, "this loss has no use for Smoothing"},
		{losses.MSE(x, y, o(losses.Options{ClassWeight: v})), graph.ErrValue, "this loss has no use for ClassWeight"},
		{losses.MSE(x, y, o(losses.Options{Reduction: losses.BatchMean})), graph.ErrValue, "this loss has no use for the reduction BatchMean"},
		{losses.MSE(x, y, o(losses.Options{Reduction: 9})), graph.ErrValue, "unknown Reduction 9"},
		{losses.MSE(x, y, o(losses.Options{Mask: x})), graph.ErrDType, "Mask is float32(batch, 3); it has booleans"},
		{losses.MSE(x, y, o(losses.Options{Weight: yes})), graph.ErrDType, "Weight is bool(batch, 3); it has floats"},
		{losses.MSE(x, y, o(losses.Options{Weight: v})), graph.ErrShape, "the losses are float32(batch, 3), which float32(4) does not broadcast to"},
		{losses.RMSE(x, y, o(losses.Options{Reduction: losses.Sum})), graph.ErrValue, "the root of a mean; it has no other Reduction"},
		{losses.Huber(x, y, 0), graph.ErrValue, "delta is 0; want a number above 0"},
		{losses.SmoothL1(x, y, -1), graph.ErrValue, "beta is -1; want a number above 0"},
		{losses.Quantile(x, y, 1), graph.ErrValue, "q is 1; want a number between 0 and 1"},
		{losses.CrossEntropy(x, v), graph.ErrShape, "with float32(batch, 3) the targets must be float32(batch, 3), not float32(4)"},
		{losses.CrossEntropy(x, g.Input("hot", graph.Int64, batch, 3)), graph.ErrShape, "with float32(batch, 3) the labels must be int64(batch), not int64(batch, 3)"},
		{losses.CrossEntropy(v, labels), graph.ErrShape, "crossentropy(v, labels): takes logits float(batch, classes, …) and labels int(batch, …), or targets of the logits' type; with float32(4) the labels must be int64, not int64(batch)"},
		{losses.CrossEntropy(x, labels, o(losses.Options{ClassAxis: 2})), graph.ErrShape, "with the classes along axis 2"},
		{losses.CrossEntropy(x, labels, o(losses.Options{ClassWeight: v})), graph.ErrShape, "ClassWeight is float32(4); it needs a weight for each of 3 classes"},
		{losses.CrossEntropy(x, labels, o(losses.Options{Smoothing: 1.5})), graph.ErrValue, "Smoothing is 1.5; want 0 to 1"},
		{losses.CrossEntropy(x, y, o(losses.Options{Ignore: []int64{-100}})), graph.ErrValue, "Ignore is for labels, and these are targets, float32(batch, 3); use Mask"},
		{losses.BinaryCrossEntropy(x, labels), graph.ErrDType, "the targets is int64(batch); it must be float32 or float64"},
		{losses.Focal(x, y, 2, 2), graph.ErrValue, "alpha is 2"},
		{losses.Focal(x, y, 0.5, -1), graph.ErrValue, "gamma is -1"},
		{losses.MultiMargin(x, labels, 1, 3), graph.ErrValue, "power is 3; want 1 or 2"},
		{losses.MultiMargin(x, y, 1, 1), graph.ErrDType, "multimargin(x, y): takes labels, int32 or int64, not targets float32(batch, 3)"},
		{losses.CosineEmbedding(x, y, v, 0), graph.ErrShape, "takes two float(batch, features) and targets float(batch)"},
		{losses.Entropy(g.Full(graph.Float32, 1)), graph.ErrShape, "a scalar is no distribution"},
		{losses.L2(1), graph.ErrValue, "no parameters; does the pattern match a name?"},
		{losses.L2(1, losses.Parameters(g, "nothing")...), graph.ErrName, `parameters: the pattern "nothing" matches no parameter's name`},
		{losses.L2(1, losses.Parameters(g, "[")...), graph.ErrValue, `parameters: the pattern "[": syntax error in pattern`},
		{losses.CrossEntropy(g.Full(graph.Float32, 1), labels), graph.ErrShape, "takes float(batch, classes, …) with the classes along axis 0, not float32"},
		{losses.CrossEntropyOf(x, v), graph.ErrShape, "crossentropyof(x, v): takes logits float(batch, classes, …)"},
		{losses.FocalCrossEntropy(x, y, 2), graph.ErrDType, "focalcrossentropy(x, y): takes labels, int32 or int64, not targets float32(batch, 3)"},
		{losses.FocalCrossEntropy(x, labels, math.Inf(1)), graph.ErrValue, "gamma is +Inf; want a number from 0 up"},
		{losses.MultiMargin(x, labels, math.NaN(), 1), graph.ErrValue, "margin is NaN; want a finite number"},
		{losses.TripletMargin(x, y, y, math.Inf(1)), graph.ErrValue, "margin is +Inf; want a finite number"},
		{losses.TripletMargin(x, y, y, 1, losses.Options{Norm: -1}), graph.ErrValue, "Norm is -1; want a number above 0, or +Inf"},
		{losses.PoissonNLL(x, y, losses.Options{Epsilon: 1}), graph.ErrValue, "this loss has no use for Epsilon"},
		{losses.PoissonNLLOf(x, y, losses.Options{Epsilon: -1}), graph.ErrValue, "Epsilon is -1; want a number above 0"},
		{losses.MSE(x, y, losses.Options{Full: true}), graph.ErrValue, "this loss has no use for Full"},
		{losses.KLDivergence(x, y, losses.Options{Norm: 1}), graph.ErrValue, "this loss has no use for Norm"},
		{losses.Huber(x, y, 1, losses.Options{Swap: true}), graph.ErrValue, "this loss has no use for Swap"},
		{losses.GaussianNLL(x, v, y), graph.ErrShape, "gaussiannll(x, v, y): the mean is float32(batch, 3), the variance float32(4); they must be alike"},
		{losses.L1(1, labels), graph.ErrDType, "labels is int64(batch); penalties are of floats"},
		{losses.MSE(nil, y), graph.ErrGraph, ""},
		{losses.MSE(ops.Sum(x, 7), y), graph.ErrShape, ""},
	} {
		err := c.loss.Err()
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		} else if c.want != "" && !strings.Contains(fmt.Sprint(err), "extremes_test.go:") {
			t.Errorf("%v does not name the line", err)
		}
	}
}

// Labels that are ignored need not be classes; where nothing counts, a mean is NaN and a sum is 0, without a gradient.
func TestNothingCounts(t *testing.T) {
	g := graph.New()
	x, y := g.Input("x", graph.Float64, 2, 3), g.Input("y", graph.Int64, 2)
	for reduction, want := range map[losses.Reduction]float64{losses.Mean: math.NaN(), losses.Sum: 0} {
		l := losses.CrossEntropy(x, y, losses.Options{Reduction: reduction, Ignore: []int64{-100, 7}})
		got := evaluate(t, vm.Feeds{x: array(graph.Float64, []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}), y: []int64{-100, 7}}, l, autodiff.Grad(l, x)[0])
		if v := got[0].At(0); v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
			t.Errorf("reduction %d: %v, want %v", reduction, v, want)
		}
		if reduction == losses.Sum && got[1].At(0) != 0 {
			t.Errorf("a gradient of %v", got[1].At(0))
		}
	}
}

// A loss with its gradient is a few instructions: nothing is repeated in memory, and sums are taken on the way.
func TestTapes(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	x, y := g.Input("x", graph.Float32, batch, 8), g.Input("y", graph.Float32, batch, 8)
	for name, c := range map[string]struct {
		loss *graph.Node
		most int
	}{
		"mse": {losses.MSE(x, y), 4}, "mae": {losses.MAE(x, y), 4}, "huber": {losses.Huber(x, y, 1), 4}, "binary": {losses.BinaryCrossEntropy(x, y), 4},
		"log-cosh": {losses.LogCosh(x, y), 4}, "divergence": {losses.KLDivergence(x, y), 4}, "binary of probabilities": {losses.BinaryCrossEntropyOf(x, y), 5},
		"focal": {losses.Focal(x, y, 0.25, 2), 5}, "crossentropy": {losses.CrossEntropy(x, g.Input("labels", graph.Int64, batch)), 9}, "soft": {losses.CrossEntropy(x, y), 8},
	} {
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{c.loss, autodiff.Grad(c.loss, x)[0]}})
		if err != nil {
			t.Fatal(err)
		}
		if p.Len() > c.most || strings.Contains(p.String(), "= broadcast(") && name != "crossentropy" {
			t.Errorf("%s: more than %d instructions\n%v", name, c.most, p)
		}
	}
}
