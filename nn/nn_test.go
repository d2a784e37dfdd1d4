package nn_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func input(g *graph.Graph, name string, width graph.Dim) *graph.Node {
	return g.Input(name, graph.Float64, graph.Symbol("batch"), width)
}

func params(g *graph.Graph) (list []string) {
	for _, p := range g.Params() {
		list = append(list, fmt.Sprint(p.Name(), p.Shape()))
	}
	return list
}

// gate is a layer of a user's: a struct with one method, made of another layer and a parameter of its own.
type gate struct{ inner nn.Linear }

func (l *gate) Build(s *nn.Scope, x *graph.Node) *graph.Node {
	h := s.Apply("inner", &l.inner, x)
	scale := s.Param("scale", x.DType(), initializers.Constant(2), graph.Dim(l.inner.Out))
	count := s.Variable("count", graph.Float64, initializers.Zeros())
	if count.Err() != nil {
		return count
	}
	return ops.Mul(ops.Sigmoid(h), scale)
}

func TestParameterNames(t *testing.T) {
	shared := &nn.Linear{Out: 3}
	for _, c := range []struct {
		name  string
		build func(g *graph.Graph, x *graph.Node) *graph.Node
		want  []string
	}{
		{"one layer", func(g *graph.Graph, x *graph.Node) *graph.Node { return nn.Build(g, &nn.Linear{Out: 2}, x) },
			[]string{"weight(3, 2)", "bias(2)"}},
		{"a chain; places without parameters count", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, nn.Sequential{&nn.Linear{Out: 4}, nn.ReLU, &nn.Linear{Out: 2, NoBias: true}}, x)
		}, []string{"0.weight(3, 4)", "0.bias(4)", "2.weight(4, 2)"}},
		{"chains in chains", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, nn.Sequential{nn.Sequential{&nn.Linear{Out: 4}, nn.Tanh}, nn.Sequential{&nn.Linear{Out: 1}}}, x)
		}, []string{"0.0.weight(3, 4)", "0.0.bias(4)", "1.0.weight(4, 1)", "1.0.bias(1)"}},
		{"a layer of the user's", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, nn.Sequential{&gate{nn.Linear{Out: 5}}}, x)
		}, []string{"0.inner.weight(3, 5)", "0.inner.bias(5)", "0.scale(5)"}},
		{"a shared layer keeps its first name", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, nn.Sequential{shared, nn.Tanh, shared, &nn.Linear{Out: 1}}, x)
		}, []string{"0.weight(3, 3)", "0.bias(3)", "3.weight(3, 1)", "3.bias(1)"}},
		{"two models of one kind", func(g *graph.Graph, x *graph.Node) *graph.Node {
			one, two := nn.Root(g, "one"), nn.Root(g, "two")
			return ops.Add(shared.Build(one, x), shared.Build(two.Child("deep"), x))
		}, []string{"one.weight(3, 3)", "one.bias(3)", "two.deep.weight(3, 3)", "two.deep.bias(3)"}},
		{"one model on two inputs", func(g *graph.Graph, x *graph.Node) *graph.Node {
			scope := nn.Root(g, "m")
			model := nn.Sequential{&nn.Linear{Out: 3}}
			return model.Build(scope, model.Build(scope, x))
		}, []string{"m.0.weight(3, 3)", "m.0.bias(3)"}},
	} {
		g := graph.New()
		y := c.build(g, input(g, "x", 3))
		if diff := cmp.Diff(c.want, params(g)); diff != "" || y.Err() != nil {
			t.Errorf("%s: %v\n%s", c.name, y.Err(), diff)
		}
	}
}

// The gradient of a shared weight is the sum over its uses: that of two layers with equal weights, added.
func TestSharedWeightsSumTheirGradients(t *testing.T) {
	run := func(layers ...*nn.Linear) (g *graph.Graph, grads [][]float64) {
		g = graph.New()
		x := input(g, "x", 2)
		y := ops.Mean(ops.Square(nn.Build(g, nn.Sequential{layers[0], nn.Tanh, layers[1]}, x)))
		s, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range autodiff.Grad(y, g.Params()...) {
			v, err := vm.Eval(s, d, vm.Feeds{x: rows([]float64{0.3, -1, 2, 0.5}, 2)})
			if err != nil {
				t.Fatal(err)
			}
			grads = append(grads, v.Float64s())
		}
		return g, grads
	}
	layer := func() *nn.Linear {
		return &nn.Linear{Out: 2, Weight: initializers.Constant(0.4), Bias: initializers.Constant(-0.1)}
	}
	shared := layer()
	_, once := run(shared, shared)
	_, twice := run(layer(), layer())
	if len(once) != 2 || len(twice) != 4 {
		t.Fatalf("%d and %d parameters", len(once), len(twice))
	}
	for p := range once {
		for i, v := range once[p] {
			if want := twice[p][i] + twice[p+2][i]; math.Abs(v-want) > 1e-14 {
				t.Errorf("parameter %d, element %d: %v, want %v", p, i, v, want)
			}
		}
	}
}

func rows(v []float64, width int) graph.Array {
	a, err := graph.ArrayOf(v)
	if err != nil {
		panic(err)
	}
	return a.As([]int{len(v) / width, width})
}

// A linear layer takes sequences of rows, and one row, as it takes rows; the weights' gradients sum over all.
func TestLinearOnSequences(t *testing.T) {
	fed := []float64{0.3, -1, 2, 0.5, 0.1, 0.9, -0.4, 1.5}
	results := func(shape ...graph.Dim) (values [][]float64) {
		g := graph.New()
		x := g.Input("x", graph.Float64, 4, 2)
		y := ops.Reshape(nn.Build(g, &nn.Linear{Out: 3, Weight: initializers.He()}, ops.Reshape(x, shape...)), -1, 3)
		s, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range append([]*graph.Node{y}, autodiff.Grad(ops.Sum(ops.Square(y)), append(g.Params(), x)...)...) {
			v, err := vm.Eval(s, n, vm.Feeds{x: rows(fed, 2)})
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, v.Float64s())
		}
		return values
	}
	want := results(4, 2)
	for _, shape := range [][]graph.Dim{{2, 2, 2}, {1, 2, 2, 2}, {4, 1, 2}} {
		for k, list := range results(shape...) {
			for i, v := range list {
				if math.Abs(v-want[k][i]) > 1e-14 {
					t.Errorf("%v: result %d, element %d is %v, of rows %v", shape, k, i, v, want[k][i])
				}
			}
		}
	}
	g := graph.New()
	if y := nn.Build(g, &nn.Linear{Out: 3}, g.Input("row", graph.Float64, 2)); y.Err() != nil || !y.Shape().Identical(graph.Shape{3}) {
		t.Errorf("of one row: %v, %v", y.Shape(), y.Err())
	}
}

// A linear layer is x·w + b, an activation the operator of its name.
func TestValues(t *testing.T) {
	g := graph.New()
	x := input(g, "x", 2)
	with := nn.Root(g, "with")
	affine := (&nn.Linear{Out: 1, Weight: initializers.Constant(2), Bias: initializers.Constant(1)}).Build(with, x)
	bare := (&nn.Linear{Out: 1, Weight: initializers.Constant(2), NoBias: true}).Build(nn.Root(g, "bare"), x)
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	fed := vm.Feeds{x: rows([]float64{1, 2, -3, 0}, 2)}
	for _, c := range []struct {
		node *graph.Node
		want []float64
	}{{affine, []float64{7, -5}}, {bare, []float64{6, -6}}, {ops.ReLU(bare), []float64{6, 0}}, {nn.Softmax.Of(ops.Sub(x, x)), []float64{0.5, 0.5, 0.5, 0.5}}} {
		v, err := vm.Eval(s, c.node, fed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, v.Float64s()); diff != "" {
			t.Errorf("%v: %s", c.node, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	shared := &nn.Linear{Out: 3}
	for _, c := range []struct {
		name  string
		build func(g *graph.Graph, x *graph.Node) *graph.Node
		kind  error
		want  string
	}{
		{"rank", func(g *graph.Graph, x *graph.Node) *graph.Node { return nn.Build(g, shared, ops.Sum(x)) }, graph.ErrShape, "takes (…, in)"},
		{"no features", func(g *graph.Graph, x *graph.Node) *graph.Node { return nn.Build(g, &nn.Linear{}, x) }, graph.ErrValue, "Out = 0"},
		{"symbolic features", func(g *graph.Graph, x *graph.Node) *graph.Node { return nn.Build(g, shared, ops.Transpose(x)) }, graph.ErrShape, "fixed size of in"},
		{"a shared layer at another width", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, nn.Sequential{shared, &nn.Linear{Out: 2}, shared}, input(g, "wide", 5))
		}, graph.ErrName, `"0.weight" is taken`},
		{"two models without paths", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return ops.Add(nn.Build(g, shared, x), nn.Build(g, &nn.Linear{Out: 3}, x))
		}, graph.ErrName, `"weight" is taken`},
		{"integers", func(g *graph.Graph, x *graph.Node) *graph.Node {
			return nn.Build(g, shared, g.Input("i", graph.Int64, 2, 3))
		}, graph.ErrDType, "float32 or float64"},
		{"an invalid input", func(g *graph.Graph, x *graph.Node) *graph.Node { return nn.Build(g, shared, ops.Sum(x, 9)) }, graph.ErrShape, "axis 9"},
	} {
		g := graph.New()
		err := c.build(g, input(g, "x", 3)).Err()
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), "nn_test.go") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A model is a layer of layers; building it adds named parameters to the graph.
func Example() {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 64)
	model := nn.Sequential{&nn.Linear{Out: 32}, nn.ReLU, &nn.Linear{Out: 10}}
	logits := nn.Build(g, model, x)
	fmt.Println(logits.Type())
	for _, p := range g.Params() {
		fmt.Println(p.Name(), p.Shape())
	}
	// Output:
	// float32(batch, 10)
	// 0.weight (64, 32)
	// 0.bias (32)
	// 2.weight (32, 10)
	// 2.bias (10)
}

// Gated multiplies what one layer says by a gate, and by a factor for each feature that is learnt.
type Gated struct{ Value, Gate nn.Linear }

func (l *Gated) Build(s *nn.Scope, x *graph.Node) *graph.Node {
	value, gate := s.Apply("value", &l.Value, x), s.Apply("gate", &l.Gate, x)
	scale := s.Param("scale", x.DType(), initializers.Ones(), graph.Dim(l.Value.Out))
	return ops.Mul(scale, ops.Mul(value, ops.Sigmoid(gate)))
}

// A layer of one's own is a struct with one method.
func ExampleLayer() {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 64)
	model := nn.Sequential{&Gated{nn.Linear{Out: 16}, nn.Linear{Out: 16}}, &nn.Linear{Out: 1}}
	fmt.Println(nn.Build(g, model, x).Type())
	for _, p := range g.Params() {
		fmt.Println(p.Name(), p.Shape())
	}
	// Output:
	// float32(batch, 1)
	// 0.value.weight (64, 16)
	// 0.value.bias (16)
	// 0.gate.weight (64, 16)
	// 0.gate.bias (16)
	// 0.scale (16)
	// 1.weight (16, 1)
	// 1.bias (1)
}

// Two layers that ask for the same name do not silently share a parameter.
func TestAnotherLayersNameIsTaken(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 3)
	s := nn.Root(g, "")
	one := s.Apply("same", &nn.Linear{Out: 3}, x)
	two := s.Apply("same", &nn.Linear{Out: 3}, x)
	if one.Err() != nil || !errors.Is(two.Err(), graph.ErrName) {
		t.Errorf("the first: %v; the second: %v", one.Err(), two.Err())
	}
	if bad := nn.Build(graph.New(), &nn.Linear{Out: 3}, graph.New().Input("y", graph.Int64, 2, 3)); !errors.Is(bad.Err(), graph.ErrDType) {
		t.Errorf("a linear layer of integers: %v", bad.Err())
	}
}

// scale is a layer without fields of its own.
type scale struct{}

func (*scale) Build(s *nn.Scope, x *graph.Node) *graph.Node {
	return ops.Mul(x, s.Param("scale", x.DType(), initializers.Constant(2)))
}

// Go may give all values of size 0 one address; they are layers of their own all the same.
func TestLayersWithoutFieldsAreNotShared(t *testing.T) {
	g := graph.New()
	y := nn.Build(g, nn.Sequential{&scale{}, &scale{}}, input(g, "x", 3))
	if y.Err() != nil {
		t.Fatal(y.Err())
	}
	if diff := cmp.Diff([]string{"0.scale()", "1.scale()"}, params(g)); diff != "" {
		t.Error(diff)
	}
}

// A layer of a user's may look at the shape of what it is given.
func TestWhatIsInvalidComesToNoLayer(t *testing.T) {
	g := graph.New()
	x := input(g, "x", 3)
	reads := nn.Func(func(x *graph.Node) *graph.Node { return ops.Scale(x, float64(x.Shape()[1])) })
	for _, c := range []struct {
		x    *graph.Node
		l    nn.Layer
		want string
	}{
		{x, nn.Sequential{&nn.Linear{}, reads}, `Linear "0": Out = 0 features`},
		{x, &nn.Residual{Body: nn.Sequential{&nn.Linear{Out: -1}, reads}}, `Linear "body.0": Out = -1 features`},
		{ops.Sum(x, 9), reads, "axis 9"},
		{nil, reads, "nil"},
	} {
		if err := nn.Build(g, c.l, c.x).Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nn_test.go") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestNilLayers(t *testing.T) {
	for _, l := range []nn.Layer{nil, nn.Func(nil), (*nn.Linear)(nil)} {
		g := graph.New()
		x := input(g, "x", 3)
		for _, y := range []*graph.Node{nn.Build(g, l, x), nn.Build(g, nn.Sequential{nn.ReLU, l}, x)} {
			if err := y.Err(); !errors.Is(err, graph.ErrValue) || !strings.Contains(err.Error(), "nn_test.go") {
				t.Errorf("%T: %v", l, err)
			}
		}
	}
}
