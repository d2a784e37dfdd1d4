package vm_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func feed(t testing.TB, m *vm.Machine, n *graph.Node, value any) {
	t.Helper()
	if err := m.Feed(n, value); err != nil {
		t.Fatalf("%+v", err)
	}
}

// What no machine can hold is an error with the user's line, and does not keep a machine from running what it can.
func TestMemoryThatCannotBeHad(t *testing.T) {
	wantError := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, graph.ErrShape) || !strings.Contains(err.Error(), "limits_test.go") {
			t.Errorf("%s: %v", what, err)
		}
	}
	g := graph.New()
	g.Param("w", graph.Float32, graph.Zeros(), 1<<25, 1<<25)
	_, err := vm.NewState(g, 1)
	wantError("a parameter of 2⁵² bytes", err)

	for _, c := range []struct {
		what string
		side graph.Dim
		rows int
	}{{"a value of 2⁵² bytes", 1 << 20, 1 << 10}, {"two values of 7·2⁶⁰ bytes", 1 << 29, 7}} {
		g, batch := graph.New(), graph.Symbol("batch")
		x := g.Input("x", graph.Float32, batch)
		big := ops.BroadcastTo(ops.Reshape(x, batch, 1, 1), batch, c.side, c.side)
		y := ops.Add(ops.Sum(ops.Exp(big)), ops.Sum(ops.Tanh(big)))
		m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), newState(t, g))
		feed(t, m, x, []float32{})
		run(t, m)
		feed(t, m, x, make([]float32, c.rows))
		wantError(c.what, m.Run(context.Background()))
		feed(t, m, x, []float32{})
		run(t, m)
	}
}

// The largest sizes of two symbols need not fit together, if they are never fed together.
func TestLargeSizesInTurn(t *testing.T) {
	g := graph.New()
	a, b := graph.Symbol("a"), graph.Symbol("b")
	x, y := g.Input("x", graph.Float32, a, 1), g.Input("y", graph.Float32, 1, b)
	p := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Sum(ops.Mul(x, y))}})
	m := newMachine(t, p, newState(t, g))
	const long = 1 << 23 // squared and of four bytes, more than any address has
	for _, size := range [][2]int{{long, 1}, {1, long}, {long, 1}} {
		feed(t, m, x, dense([]int{size[0], 1}, make([]float32, size[0])))
		feed(t, m, y, dense([]int{1, size[1]}, make([]float32, size[1])))
		run(t, m)
		if got := scalar(t, m, p.Outputs()[0]); got != 0 {
			t.Errorf("%v: %v", size, got)
		}
	}
}

// A part of a parallel operator may have parts itself; a part that panics does not spoil the next run.
func TestPartsOfParts(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, 64)
	nested := &graph.Def{Name: "nested", Infer: ops.ExpDef.Infer, Eval: func(c *graph.Call) error {
		c.Parallel(8, func(i int) {
			c.Parallel(8, func(j int) {
				at := 8*i + j
				c.Out[0].F32()[at] = 1 / float32(at/int(c.In[0].F32()[at])) // panics for 0
			})
		})
		return nil
	}}
	y := graph.Apply(nested, nil, x)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), newState(t, g))
	ones := make([]float32, 64)
	for i := range ones {
		ones[i] = 1
	}
	for range 20 {
		feed(t, m, x, make([]float32, 64))
		if err := m.Run(context.Background()); !errors.Is(err, graph.ErrOperator) || !strings.Contains(err.Error(), "divide by zero") {
			t.Fatal(err)
		}
		feed(t, m, x, ones)
		run(t, m)
		v, err := m.Value(y)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range v.Float32s() {
			if want := 1 / float32(i); got != want {
				t.Fatalf("element %d: %v, want %v", i, got, want)
			}
		}
	}
}

// What a run gave can be fed to the next one: the machine does not read what it is overwriting.
func TestFeedOfTheMachinesOwnValue(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	e := ops.Exp(x)
	y := ops.Sub(ops.Add(ops.Sub(e, x), ops.Neg(e)), x) // −2x
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{y}}), newState(t, g))
	feed(t, m, x, []float64{1, 2, 3})
	want := 1.0
	for range 4 {
		run(t, m)
		want *= -2
		v, err := m.Value(y)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Float64s()[0]; math.Abs(got-want) > 1e-9 {
			t.Fatalf("%v, want %v", got, want)
		}
		feed(t, m, x, v)
	}
}

// A feed that was refused fails the next run, but not if it was fed well before that.
func TestARefusedFeed(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	m := newMachine(t, compile(t, vm.Spec{Outputs: []*graph.Node{ops.Exp(x)}}), newState(t, g))
	feed(t, m, x, []float64{1, 2, 3})
	if m.Feed(x, []float64{1, 2}) == nil {
		t.Fatal("two elements were fed for three")
	}
	if err := m.Run(context.Background()); !errors.Is(err, graph.ErrShape) {
		t.Error(err)
	}
	if m.Feed(x, []float64{1, 2}) == nil {
		t.Fatal("two elements were fed for three")
	}
	feed(t, m, x, []float64{1, 2, 3})
	run(t, m)
}

// Whatever is wrong with an operator's definition, nothing panics, and the error names the user's line.
func TestHostileDefinitions(t *testing.T) {
	pair := func(dtype graph.DType) func(any, []graph.Type) (graph.Type, error) {
		return func(any, []graph.Type) (graph.Type, error) { return graph.TypeOf(dtype, 2), nil }
	}
	nothing := func(*graph.Call) error { return nil }
	for name, build := range map[string]func(g *graph.Graph, x *graph.Node) *graph.Node{
		"scratch that panics": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Float64), Eval: nothing, Scratch: func(any, []graph.Type) graph.Dim { panic("no") }}, nil, x)
		},
		"scratch that panics when folded": func(g *graph.Graph, _ *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Float64), Eval: nothing, Scratch: func(any, []graph.Type) graph.Dim { panic("no") }}, nil, g.Constant([]float64{1, 2}))
		},
		"a view of nothing": func(g *graph.Graph, _ *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Float64), Traits: graph.View}, nil)
		},
		"a view of another element type": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Int64), Traits: graph.View}, nil, x)
		},
		"an identity of nothing": func(g *graph.Graph, _ *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Float64), Eval: nothing, Traits: graph.Identity}, nil)
		},
		"an identity of another type": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Apply(&graph.Def{Name: "bad", Infer: pair(graph.Float32), Eval: nothing, Traits: graph.Identity}, nil, x)
		},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, 2)
		_, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{build(g, x)}})
		if !errors.Is(err, graph.ErrOperator) || !strings.Contains(err.Error(), "limits_test.go") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The gradient of a sum has the size of an input whose values it does not need.
func TestSizesOfInputsThatAreNotRead(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 2)
	for _, c := range []struct {
		y    *graph.Node
		want float64
	}{{ops.Sum(x), 1}, {ops.Mean(x), 1.0 / 6}} {
		got, err := vm.Eval(nil, autodiff.Grad(c.y, x)[0], vm.Feeds{x: dense([]int{3, 2}, make([]float64, 6))})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range got.Float64s() {
			if v != c.want || got.Size() != 6 {
				t.Fatalf("d %v: %v", c.y, got)
			}
		}
	}
}
