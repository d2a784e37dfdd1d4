package autodiff_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func one(n ...*graph.Node) []*graph.Node { return n }

// What can move: leaves, inner nodes, the root, several nodes at once, constants; a nil tangent stands still.
func TestWhatMoves(t *testing.T) {
	g := graph.New()
	x, dx, dh := g.Input("x", graph.Float64, 2), g.Input("dx", graph.Float64, 2), g.Input("dh", graph.Float64, 2)
	c := g.Constant(3.0)
	h := ops.Exp(x)
	y := ops.Mul(ops.Mul(h, ops.Add(h, x)), c) // 3(h² + h·x)
	feeds := vm.Feeds{x: []float64{0.5, -1}, dx: []float64{2, -0.25}, dh: []float64{1, 4}}
	v := compute(t, feeds,
		autodiff.JVP(y, one(x), one(dx)),
		autodiff.JVP(y, one(h), one(dh)),
		autodiff.JVP(y, one(x, h), one(dx, dh)),
		autodiff.JVP(y, one(x, h), one(nil, dh)),
		autodiff.JVP(y, one(y), one(dx)),
		autodiff.JVP(y, one(c), one(g.Full(graph.Float64, 1))),
		autodiff.JVP(y, one(x, x), one(dx, dx)))
	along := func(at, d float64) (byX, byH float64) {
		e := math.Exp(at)
		return 3 * (2*e*e + e*at + e) * d, 3 * (2*e + at) * d
	}
	a0, _ := along(0.5, 2)
	a1, _ := along(-1, -0.25)
	_, b0 := along(0.5, 1)
	_, b1 := along(-1, 4)
	near(t, "a leaf", v[0], a0, a1)
	near(t, "an inner node", v[1], b0, b1)
	near(t, "a leaf and what is computed from it", v[2], a0+b0, a1+b1)
	near(t, "one of them standing still", v[3], b0, b1)
	near(t, "the root itself", v[4], 2, -0.25)
	near(t, "a constant", v[5], math.E+0.5*math.Exp(0.5), math.Exp(-2)-math.Exp(-1))
	near(t, "the same node twice", v[6], 2*a0, 2*a1)
}

// A tuple moves part by part, integer parts not at all.
func TestTuplesMove(t *testing.T) {
	g := graph.New()
	x, dx := g.Input("x", graph.Float64, 3), g.Input("dx", graph.Float64, 3)
	largest, at := ops.MaxArg(x, 0)
	pair := ops.Get(ops.Tuple(ops.Square(x), ops.Exp(largest)), 1)
	v := compute(t, vm.Feeds{x: []float64{1, 2, 0}, dx: []float64{5, 7, 9}},
		autodiff.JVP(ops.Mul(pair, ops.Cast(at, graph.Float64)), one(x), one(dx)))
	near(t, "exp(max)·argmax", v[0], 7*math.Exp(2))
}

// Each mode moves by itself, and what does not move in one of them is zero there.
func TestModesMove(t *testing.T) {
	g := graph.New()
	x, dx := g.Input("x", graph.Float64), g.Input("dx", graph.Float64)
	y := ops.ByMode(ops.Square(x), g.Full(graph.Float64, 7))
	dy := autodiff.JVP(y, one(x), one(dx))
	near(t, "evaluation", compute(t, vm.Feeds{x: 3.0, dx: 2.0}, dy)[0], 0)
	near(t, "the training side", compute(t, vm.Feeds{x: 3.0, dx: 2.0}, dy.In(0))[0], 12)
}

// doubling is 2x with a forward rule that says how often it was asked.
func doubling(jvp func(n *graph.Node, dx []*graph.Node) *graph.Node) *graph.Def {
	return &graph.Def{
		Name:  "doubling",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[0], nil },
		Eval: func(c *graph.Call) error {
			for i, v := range c.In[0].F64() {
				c.Out[0].F64()[i] = 2 * v
			}
			return nil
		},
		JVP: jvp,
	}
}

// An operator's own forward rule is used, needs no VJP, and is checked.
func TestForwardRules(t *testing.T) {
	build := func(jvp func(n *graph.Node, dx []*graph.Node) *graph.Node) (y, dy *graph.Node, feeds vm.Feeds) {
		g := graph.New()
		x, dx := g.Input("x", graph.Float64, 2), g.Input("dx", graph.Float64, 2)
		y = ops.Sum(ops.Square(graph.Apply(doubling(jvp), nil, x)))
		return y, autodiff.JVP(y, one(x), one(dx)), vm.Feeds{x: []float64{1, 2}, dx: []float64{1, -1}}
	}
	_, dy, feeds := build(func(n *graph.Node, dx []*graph.Node) *graph.Node { return ops.Scale(dx[0], 2) })
	near(t, "Σ(2x)²", compute(t, feeds, dy)[0], 8*1-8*2)
	for name, c := range map[string]struct {
		rule func(n *graph.Node, dx []*graph.Node) *graph.Node
		want string
	}{
		"type":   {func(n *graph.Node, dx []*graph.Node) *graph.Node { return ops.Sum(dx[0]) }, "returned a tangent of type float64, which must be float64(2)"},
		"panic":  {func(n *graph.Node, dx []*graph.Node) *graph.Node { panic("oh dear") }, "panicked: oh dear"},
		"error":  {func(n *graph.Node, dx []*graph.Node) *graph.Node { return ops.Reshape(dx[0], 3) }, "has 2 elements"},
		"still":  {func(n *graph.Node, dx []*graph.Node) *graph.Node { return nil }, "no tangent has an effect"},
		"no VJP": {nil, "operator doubling offers no gradient"},
	} {
		_, dy, _ := build(c.rule)
		if err := dy.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "forward_test.go") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A rule whose own gradient is missing is named, and so is what would help.
func TestTheIdentityNeedsASecondGradient(t *testing.T) {
	opaque := doubling(nil)
	opaque.Name = "opaque"
	half := doubling(nil)
	half.VJP = func(n, dy *graph.Node) []*graph.Node { return one(graph.Apply(opaque, nil, dy)) }
	g := graph.New()
	x := g.Input("x", graph.Float64, 2)
	err := autodiff.JVP(graph.Apply(half, nil, x), one(x), one(x)).Err()
	for _, want := range []string{"forward_test.go", "doubling", "Def.JVP", "operator opaque offers no gradient"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestForwardErrors(t *testing.T) {
	g, other := graph.New(), graph.New()
	x, s, k := g.Input("x", graph.Float64, 2), g.Input("s", graph.Float32, 2), g.Input("k", graph.Int64, 2)
	y := ops.Square(x)
	for _, c := range []struct {
		node *graph.Node
		kind error
		want string
	}{
		{autodiff.JVP(nil, one(x), one(x)), graph.ErrGraph, "nil"},
		{autodiff.JVP(y, one(nil), one(x)), graph.ErrGraph, "nil"},
		{autodiff.JVP(y, one(x), nil), graph.ErrGradient, "0 tangents for 1 nodes"},
		{autodiff.JVP(y, one(x), one(s)), graph.ErrGradient, "they must be alike"},
		{autodiff.JVP(y, one(x), one(ops.Sum(x))), graph.ErrGradient, "they must be alike"},
		{autodiff.JVP(y, one(x), one(other.Input("x", graph.Float64, 2))), graph.ErrGraph, "another graph"},
		{autodiff.JVP(y, one(other.Leaf("x")), one(x)), graph.ErrGraph, "another graph"},
		{autodiff.JVP(y, one(k), one(k)), graph.ErrDType, "only float32 and float64"},
		{autodiff.JVP(k, one(x), one(x)), graph.ErrDType, "only float32 and float64"},
		{autodiff.JVP(y, one(s), one(s)), graph.ErrGradient, "no tangent has an effect"},
		{autodiff.JVP(y, nil, nil), graph.ErrGradient, "no tangent has an effect"},
		{autodiff.JVP(ops.StopGradient(y), one(x), one(x)), graph.ErrGradient, "no tangent has an effect"},
		{autodiff.JVP(y, one(x), one(ops.Add(x, s))), graph.ErrDType, "element types differ"},
		{autodiff.HVP(y, one(x), one(x))[0], graph.ErrGradient, "a gradient is of a scalar"},
		{autodiff.HVP(ops.Sum(y), one(x), nil)[0], graph.ErrGradient, "0 tangents"},
		{autodiff.HVP(ops.Sum(y), one(s), one(s))[0], graph.ErrGradient, "does not depend on it"},
		{autodiff.Nth(y, x, -1), graph.ErrValue, "order -1"},
		{autodiff.Nth(y, s, 1), graph.ErrGradient, "no tangent has an effect"},
		{autodiff.Nth(y, nil, 0), graph.ErrGraph, "nil"},
	} {
		if err := c.node.Err(); !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), "forward_test.go") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	v := compute(t, vm.Feeds{x: []float64{1, 2}}, autodiff.Options{AllowUnused: true}.JVP(y, one(s), one(nil)), autodiff.Options{AllowUnused: true}.Nth(ops.Square(x), s, 2))
	near(t, "unused, allowed", v[0], 0, 0)
	near(t, "unused, allowed", v[1], 0, 0)
}

// Forward over reverse, reverse over reverse and differences of the gradient are one Hessian-vector product, over several nodes,
// of which one enters linearly.
func TestHVP(t *testing.T) {
	g := graph.New()
	x, w, b := g.Input("x", graph.Float64, 3), g.Input("w", graph.Float64, 3), g.Input("b", graph.Float64)
	vx, vw, vb := g.Input("vx", graph.Float64, 3), g.Input("vw", graph.Float64, 3), g.Input("vb", graph.Float64)
	y := ops.Add(ops.Sum(ops.Mul(ops.Softmax(ops.Mul(x, w), 0), ops.Tanh(x))), b)
	wrt, v := one(x, w, b), one(vx, vw, vb)
	zeros := autodiff.Options{AllowUnused: true}
	grads := autodiff.Grad(y, wrt...)
	inner := ops.AddN(ops.Sum(ops.Mul(grads[0], vx)), ops.Sum(ops.Mul(grads[1], vw)), ops.Mul(grads[2], vb))
	feeds := vm.Feeds{x: []float64{0.3, -0.8, 1.1}, w: []float64{0.5, 2, -1}, b: 0.1, vx: []float64{1, -2, 0.5}, vw: []float64{0.7, 0.2, 3}, vb: 5.0}
	forward, reverse := compute(t, feeds, autodiff.HVP(y, wrt, v)...), compute(t, feeds, zeros.Grad(inner, wrt...)...)
	for i := range wrt {
		near(t, fmt.Sprintf("by %v", wrt[i]), forward[i], reverse[i]...)
	}
	near(t, "what enters linearly", forward[2], 0)
	const h = 1e-5
	moved := func(sign float64) [][]float64 {
		at := vm.Feeds{b: 0.1}
		for i, n := range wrt[:2] {
			var list []float64
			for k, e := range feeds[n].([]float64) {
				list = append(list, e+sign*h*feeds[v[i]].([]float64)[k])
			}
			at[n] = list
		}
		return compute(t, at, grads[:2]...)
	}
	up, down := moved(1), moved(-1)
	for i := range up {
		for k := range up[i] {
			if want := (up[i][k] - down[i][k]) / (2 * h); math.Abs(want-forward[i][k]) > 1e-8 {
				t.Errorf("by %v, element %d: %v, differences give %v", wrt[i], k, forward[i][k], want)
			}
		}
	}
}

// Derivatives of any order: of a curve, element by element, beyond a polynomial's degree.
func TestNth(t *testing.T) {
	g := graph.New()
	x, s := g.Input("x", graph.Float64, 3), g.Input("s", graph.Float64)
	feeds := vm.Feeds{x: []float64{-1, 0, 2}, s: 0.5}
	sin := ops.Tanh(x)
	for n := range 5 {
		v := compute(t, feeds, autodiff.Nth(sin, x, n), autodiff.Nth(ops.Exp(ops.Mul(s, x)), s, n), autodiff.Options{AllowUnused: true}.Nth(ops.Mul(x, ops.Square(x)), x, n))
		var tanh, curve, cube []float64
		for i, at := range feeds[x].([]float64) {
			y := math.Tanh(at)
			d := 1 - y*y
			tanh = append(tanh, []float64{y, d, -2 * y * d, -2*d*d + 4*y*y*d, 16*y*d*d - 8*y*y*y*d}[n])
			curve = append(curve, math.Pow(at, float64(n))*math.Exp(0.5*at))
			cube = append(cube, []float64{at * at * at, 3 * at * at, 6 * at, 6, 0}[n])
			_ = i
		}
		near(t, fmt.Sprintf("tanh, order %d", n), v[0], tanh...)
		near(t, fmt.Sprintf("a curve, order %d", n), v[1], curve...)
		near(t, fmt.Sprintf("x³, order %d", n), v[2], cube...)
	}
}

// Forward mode is linear in the length of a chain, costs a few nodes an operator, and its nodes say whose derivative they are. The program
// it ends in has nothing of the cotangents that the identity goes through.
func TestForwardChain(t *testing.T) {
	const n = 20_000
	g := graph.New()
	x, dx := g.Input("x", graph.Float64, 2), g.Input("dx", graph.Float64, 2)
	y := x
	for range n {
		y = ops.Tanh(ops.Add(y, x))
	}
	before := len(g.Nodes())
	dy := autodiff.JVP(y, one(x), one(dx))
	if err := dy.Err(); err != nil {
		t.Fatal(err)
	}
	if added := len(g.Nodes()) - before; added > 25*n {
		t.Errorf("%d nodes for %d operators", added, 2*n)
	}
	if pos := dy.Pos().String(); !strings.Contains(pos, "(gradient of forward_test.go:") {
		t.Errorf("position %q", pos)
	}
	for _, m := range graph.Reachable(dy) {
		if m.Def() != nil && m.Def().Name == "cotangent" {
			t.Fatalf("the result reads a cotangent: %v", m)
		}
	}
	count := len(g.Nodes())
	if again := autodiff.JVP(y, one(x), one(dx)); again != dy || len(g.Nodes()) != count {
		t.Error("the same derivative is another node the second time")
	}
}
