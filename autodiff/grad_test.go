package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// compute returns the elements of several nodes.
func compute(t failer, feeds vm.Feeds, nodes ...*graph.Node) [][]float64 {
	t.Helper()
	p, err := vm.Compile(vm.Spec{Outputs: nodes})
	if err != nil {
		t.Fatalf("%v", err)
	}
	s, err := vm.NewState(nodes[0].Graph(), 1)
	if err != nil {
		t.Fatalf("%v", err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, n := range p.Feeds() {
		if err := m.Feed(n, feeds[n]); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := m.Run(context.Background()); err != nil {
		t.Fatalf("%v", err)
	}
	var list [][]float64
	for _, n := range nodes {
		d, err := m.Value(n)
		if err != nil {
			t.Fatalf("%v", err)
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			t.Fatalf("%v", err)
		}
		values := make([]float64, a.Len())
		for i := range values {
			values[i] = a.At(i)
		}
		list = append(list, values)
	}
	return list
}

func near(t *testing.T, what string, got []float64, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i, w := range want {
		if math.Abs(got[i]-w) > 1e-12*math.Max(1, math.Abs(w)) {
			t.Errorf("%s: element %d is %.17g, want %.17g", what, i, got[i], w)
		}
	}
}

// What can be asked for: leaves, inner nodes, the root, the same node twice, constants.
func TestWhatIsDifferentiatedBy(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 2)
	c := g.Constant(1.0)
	h := ops.Exp(x)
	y := ops.Mul(ops.Sum(ops.Mul(h, ops.Add(h, x))), c)
	grads := autodiff.Grad(y, x, h, y, x, c)
	if grads[0] != grads[3] {
		t.Error("the same question twice has two answers")
	}
	v := compute(t, vm.Feeds{x: []float64{0.5, -1}}, append(grads, y)...)
	byX := func(x float64) float64 { e := math.Exp(x); return 2*e*e + e*x + e }
	near(t, "by a leaf, over three paths", v[0], byX(0.5), byX(-1))
	near(t, "by an inner node", v[1], 2*math.Exp(0.5)+0.5, 2*math.Exp(-1)-1)
	near(t, "by the root", v[2], 1)
	near(t, "by a constant", v[4], v[5]...)
	cube := g.Constant(3.0)
	power := ops.Pow(g.Input("s", graph.Float64), cube)
	near(t, "by a constant exponent", compute(t, vm.Feeds{g.Leaf("s"): 2.0}, autodiff.Grad(power, cube)...)[0], 8*math.Ln2)
}

// A node asked for is not looked through by the rewrites, and what lies above it is rewritten all the same.
func TestRewritesStopAtWhatIsAskedFor(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	e := ops.Exp(x)
	y := ops.Log(ops.AddScalar(e, 1))
	v := compute(t, vm.Feeds{x: 1.0}, autodiff.Grad(y, x, e)...)
	near(t, "by x", v[0], math.E/(1+math.E))
	near(t, "by exp(x)", v[1], 1/(1+math.E))
	near(t, "by x alone, where exp(x) overflows", compute(t, vm.Feeds{x: 1000.0}, autodiff.Grad(y, x)...)[0], 1)
}

// Gradients of gradients of gradients, against closed forms.
func TestHigherDerivatives(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(x *graph.Node) *graph.Node
		want func(x float64) []float64 // f′, f″, f‴, f⁗
	}{
		{"x⁴·eˣ", func(x *graph.Node) *graph.Node { return ops.Mul(ops.PowScalar(x, 4), ops.Exp(x)) }, func(x float64) []float64 {
			p := func(c ...float64) (s float64) { // c₀x⁴ + c₁x³ + …
				for _, k := range c {
					s = s*x + k
				}
				return s * math.Exp(x)
			}
			return []float64{p(1, 4, 0, 0, 0), p(1, 8, 12, 0, 0), p(1, 12, 36, 24, 0), p(1, 16, 72, 96, 24)}
		}},
		{"tanh", ops.Tanh, func(x float64) []float64 {
			y := math.Tanh(x)
			d := 1 - y*y
			return []float64{d, -2 * y * d, -2*d*d + 4*y*y*d, 16*y*d*d - 8*y*y*y*d}
		}},
		{"1/x", func(x *graph.Node) *graph.Node { return ops.Div(x.Graph().Full(graph.Float64, 1), x) }, func(x float64) []float64 {
			return []float64{-1 / (x * x), 2 / (x * x * x), -6 / math.Pow(x, 4), 24 / math.Pow(x, 5)}
		}},
		{"√x", ops.Sqrt, func(x float64) []float64 {
			return []float64{0.5 * math.Pow(x, -0.5), -0.25 * math.Pow(x, -1.5), 0.375 * math.Pow(x, -2.5), -0.9375 * math.Pow(x, -3.5)}
		}},
		{"ln(1+eˣ)", func(x *graph.Node) *graph.Node { return ops.Log(ops.AddScalar(ops.Exp(x), 1)) }, func(x float64) []float64 {
			s := 1 / (1 + math.Exp(-x))
			d := s * (1 - s)
			return []float64{s, d, d * (1 - 2*s), d * (1 - 6*d)}
		}},
	} {
		for _, v := range []float64{0.7, 1.9} {
			g := graph.New()
			x := g.Input("x", graph.Float64)
			y := c.f(x)
			var all []*graph.Node
			for range 4 {
				y = autodiff.Grad(y, x)[0]
				all = append(all, y)
			}
			for order, got := range compute(t, vm.Feeds{x: v}, all...) {
				near(t, fmt.Sprintf("derivative %d of %s at %v", order+1, c.name, v), got, c.want(v)[order])
			}
		}
	}
}

// A Hessian-vector product is the gradient of ⟨∇f, v⟩; it agrees with differences of the gradient.
func TestHessianVectorProduct(t *testing.T) {
	g := graph.New()
	x, v := g.Input("x", graph.Float64, 4), g.Input("v", graph.Float64, 4)
	f := ops.Sum(ops.Mul(ops.Softmax(x, 0), ops.Tanh(ops.Square(x))))
	grad := autodiff.Grad(f, x)[0]
	hvp := autodiff.Grad(ops.Sum(ops.Mul(grad, v)), x)[0]
	at, along := []float64{0.3, -0.8, 1.1, 0.2}, []float64{1, -2, 0.5, 0.7}
	got := compute(t, vm.Feeds{x: at, v: along}, hvp)[0]
	const h = 1e-5
	up, down := make([]float64, 4), make([]float64, 4)
	for i := range at {
		up[i], down[i] = at[i]+h*along[i], at[i]-h*along[i]
	}
	a, b := compute(t, vm.Feeds{x: up}, grad)[0], compute(t, vm.Feeds{x: down}, grad)[0]
	for i := range got {
		if want := (a[i] - b[i]) / (2 * h); math.Abs(got[i]-want) > 1e-8 {
			t.Errorf("element %d: %v, differences give %v", i, got[i], want)
		}
	}
}

// For random functions J, ⟨J·v, w⟩ by finite differences is ⟨v, Jᵀ·w⟩ by VJP.
func TestCotangentsAreTransposes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := graph.New()
		x, w := g.Input("x", graph.Float64, 2, 3), g.Input("w", graph.Float64, 2, 3)
		pool := []*graph.Node{x}
		pick := func() *graph.Node { return rapid.SampledFrom(pool).Draw(t, "operand") }
		for range rapid.IntRange(1, 20).Draw(t, "operators") {
			a := pick()
			var y *graph.Node
			switch rapid.IntRange(0, 11).Draw(t, "operator") {
			case 0:
				y = ops.Tanh(a)
			case 1:
				y = ops.Sigmoid(a)
			case 2:
				y = ops.Mul(ops.Tanh(a), pick())
			case 3:
				y = ops.Div(a, ops.AddScalar(ops.Square(pick()), 1))
			case 4:
				y = ops.Sub(a, ops.MeanKeep(pick(), rapid.IntRange(0, 1).Draw(t, "axis")))
			case 5:
				y = ops.Softmax(a, rapid.IntRange(-2, 1).Draw(t, "axis"))
			case 6:
				y = ops.MatMul(ops.MatMul(ops.Tanh(a), ops.Transpose(ops.Tanh(pick()))), a)
			case 7:
				y = ops.Log(ops.Softmax(ops.Tanh(a), 1))
			case 8:
				y = ops.Add(ops.BroadcastTo(ops.Sum(ops.Tanh(a), 0), 2, 3), pick())
			case 9:
				y = ops.Reshape(ops.Transpose(a), 2, 3)
			case 10:
				index := g.Constant(mustArray([]int64{1, 0, 1, 0, 0, 2}, 2, 3))
				y = ops.TakeAlongAxis(a, index, 1)
			case 11:
				y = ops.Sqrt(ops.AddScalar(ops.Square(a), 0.5))
			}
			pool = append(pool, y)
		}
		y := pool[len(pool)-1]
		back := autodiff.Options{Seed: w, AllowUnused: true}.Grad(y, x)[0]
		draw := func(label string) []float64 { return rapid.SliceOfN(rapid.Float64Range(-1, 1), 6, 6).Draw(t, label) }
		at, v, seed := draw("x"), draw("v"), draw("w")
		shaped := func(values []float64) graph.Array { return mustArray(values, 2, 3) }
		const h = 1e-5
		up, down := make([]float64, 6), make([]float64, 6)
		for i := range at {
			up[i], down[i] = at[i]+h*v[i], at[i]-h*v[i]
		}
		a, b := compute(t, vm.Feeds{x: shaped(up)}, y)[0], compute(t, vm.Feeds{x: shaped(down)}, y)[0]
		jtw := compute(t, vm.Feeds{x: shaped(at), w: shaped(seed)}, back)[0]
		left, right, scale := 0.0, 0.0, 1.0
		for i := range at {
			left += (a[i] - b[i]) / (2 * h) * seed[i]
			right += v[i] * jtw[i]
			scale = math.Max(scale, math.Max(math.Abs(a[i]), math.Abs(jtw[i])))
		}
		if math.Abs(left-right) > 1e-5*scale {
			t.Errorf("⟨Jv, w⟩ = %v, ⟨v, Jᵀw⟩ = %v for %v", left, right, g)
		}
	})
}

func mustArray(v any, shape ...int) graph.Array {
	a, err := graph.ArrayOf(v)
	if err != nil {
		panic(err)
	}
	return a.As(shape)
}

func TestSeedsAndUnused(t *testing.T) {
	g := graph.New()
	x, w, unused := g.Input("x", graph.Float64, 2), g.Input("w", graph.Float64, 2), g.Param("unused", graph.Float32, graph.Zeros(), 3)
	y := ops.Square(x)
	v := compute(t, vm.Feeds{x: []float64{3, 4}, w: []float64{1, -1}}, autodiff.VJP(y, w, x)[0], autodiff.Options{Seed: w, AllowUnused: true}.Grad(y, unused)[0])
	near(t, "VJP", v[0], 6, -8)
	near(t, "unused", v[1], 0, 0, 0)
	other := graph.New()
	single := g.Input("single", graph.Float32, 2)
	for _, c := range []struct {
		node *graph.Node
		kind error
		want string
	}{
		{autodiff.Grad(ops.Sum(y), unused)[0], graph.ErrGradient, "does not depend on it"},
		{autodiff.Grad(ops.Sum(ops.StopGradient(x)), x)[0], graph.ErrGradient, "only through operators that pass no gradient"},
		{autodiff.Grad(ops.Sum(ops.Cast(ops.Less(x, w), graph.Float64)), x)[0], graph.ErrGradient, "only through operators that pass no gradient"},
		{autodiff.Grad(y, x)[0], graph.ErrGradient, "the root has shape (2)"},
		{autodiff.VJP(y, single, x)[0], graph.ErrGradient, "they must be alike"},
		{autodiff.VJP(y, other.Input("w", graph.Float64, 2), y)[0], graph.ErrGraph, "seed belongs to another graph"},
		{autodiff.Grad(ops.Sum(y), other.Input("x", graph.Float64))[0], graph.ErrGraph, "another graph"},
		{autodiff.Grad(ops.Sum(y), ops.ArgMax(x, 0))[0], graph.ErrDType, "only float32 and float64"},
		{autodiff.Grad(ops.ArgMax(x, 0), x)[0], graph.ErrDType, "only float32 and float64"},
		{autodiff.Grad(ops.Sum(y), nil)[0], graph.ErrGraph, "nil"},
		{autodiff.Grad(nil, x)[0], graph.ErrGraph, "nil"},
		{autodiff.VJP(y, ops.Add(x, single), x)[0], graph.ErrDType, "element types differ"},
	} {
		if err := c.node.Err(); !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), "grad_test.go") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if got := autodiff.Grad(ops.Sum(y)); len(got) != 0 {
		t.Errorf("gradients by nothing: %v", got)
	}
}

// Of a tuple of which one part is used, the other part's cotangent is zero; of both, they are summed.
func TestTuples(t *testing.T) {
	split := &graph.Def{
		Name: "sincos",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			return graph.TupleOf(in[0], in[0]), nil
		},
		Eval: func(c *graph.Call) error {
			for i, v := range c.In[0].F64() {
				c.Out[0].F64()[i], c.Out[1].F64()[i] = math.Sincos(v)
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			sin, cos := ops.Get(n, 0), ops.Get(n, 1)
			return []*graph.Node{ops.Sub(ops.Mul(ops.Get(dy, 0), cos), ops.Mul(ops.Get(dy, 1), sin))}
		},
	}
	g := graph.New()
	x := g.Input("x", graph.Float64)
	both := graph.Apply(split, nil, x)
	sin, cos := ops.Get(both, 0), ops.Get(both, 1)
	first := func(y *graph.Node) *graph.Node { return autodiff.Grad(y, x)[0] }
	v := compute(t, vm.Feeds{x: 0.4}, first(sin), first(cos), first(ops.Mul(sin, cos)), first(first(sin)), first(ops.Add(sin, sin)))
	s, c := math.Sincos(0.4)
	near(t, "one part", v[0], c)
	near(t, "the other part", v[1], -s)
	near(t, "both", v[2], c*c-s*s)
	near(t, "twice", v[3], -s)
	near(t, "one part used twice", v[4], 2*c)
}

// Nodes of a gradient tell the line of Grad and the line they are the gradient of; the forward nodes stay as they are.
func TestGradientNodesTellWhereTheyComeFrom(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	y := ops.Sum(ops.Tanh(ops.Mul(x, ops.Exp(x))))
	before := strings.Split(strings.TrimSpace(g.String()), "\n")
	grad := autodiff.Grad(y, x)[0]
	after := strings.Split(strings.TrimSpace(g.String()), "\n")
	for i := range before {
		if a, b := strings.Join(strings.Fields(before[i]), " "), strings.Join(strings.Fields(after[i]), " "); a != b {
			t.Errorf("line %d was %q, is %q", i, a, b)
		}
	}
	if pos := grad.Pos().String(); !strings.Contains(pos, "(gradient of grad_test.go:") {
		t.Errorf("position %q", pos)
	}
	for _, n := range g.Nodes()[len(before):] {
		if n.Kind() == graph.Op && !strings.Contains(n.Pos().String(), "gradient of") {
			t.Errorf("%v at %v", n, n.Pos())
		}
	}
	count := len(g.Nodes())
	if again := autodiff.Grad(y, x)[0]; again != grad || len(g.Nodes()) != count {
		t.Error("the same gradient is another node the second time")
	}
}

// A node that many read gets its cotangent in linear time: two nodes a reader, and no work that grows with the readers.
func TestWideFanOut(t *testing.T) {
	const width = 5_000
	g := graph.New()
	x := g.Input("x", graph.Float64)
	sum := ops.Exp(x)
	for i := range width {
		sum = ops.Add(sum, ops.Scale(x, float64(i)+0.5))
	}
	before, start := len(g.Nodes()), time.Now()
	if err := autodiff.Grad(sum, x)[0].Err(); err != nil {
		t.Fatal(err)
	}
	if added := len(g.Nodes()) - before; added > 2*width+10 {
		t.Errorf("%d nodes for %d readers", added, width)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d readers took %v", width, took)
	}
}

// A user's rule that does its work wrong gives an error which names the operator and the line, never a panic.
func TestWrongRules(t *testing.T) {
	for name, c := range map[string]struct {
		rule func(n, dy *graph.Node) []*graph.Node
		want string
	}{
		"count": {func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{dy, dy} }, "returned 2 cotangents for 1 operands"},
		"none":  {func(n, dy *graph.Node) []*graph.Node { return nil }, "returned 0 cotangents for 1 operands"},
		"type":  {func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Sum(dy)} }, "returned a cotangent for operand 0 of type float64, which must be float64(2)"},
		"dtype": {func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Cast(dy, graph.Float32)} }, "returned a cotangent for operand 0 of type float32(2)"},
		"panic": {func(n, dy *graph.Node) []*graph.Node { panic("oh dear") }, "panicked: oh dear"},
		"error": {func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{ops.Reshape(dy, 3)} }, "has 2 elements"},
		"other": {func(n, dy *graph.Node) []*graph.Node {
			return []*graph.Node{graph.New().Input("x", graph.Float64, 2)}
		}, "returned a cotangent for operand 0 that belongs to another graph"},
		"nil": {nil, "offers no gradient"},
	} {
		d := &graph.Def{Name: "mine", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil }, VJP: c.rule}
		g := graph.New()
		x := g.Input("x", graph.Float64, 2)
		err := autodiff.Grad(ops.Sum(ops.Exp(graph.Apply(d, nil, x))), x)[0].Err()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "grad_test.go") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
