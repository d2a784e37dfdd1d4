package gorgonia_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/interop/gorgonia"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func Example() {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float64, batch, 2)
	w := g.Param("w", graph.Float64, graph.Full(0.5), 2)
	loss := ops.Mean(ops.Square(ops.Mul(x, w)))

	state, err := vm.NewState(g, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	feeds := vm.Feeds{x: tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, 3, 4}))}
	e, err := gorgonia.ToExprGraph(gorgonia.Source{Feeds: feeds, State: state}, loss)
	if err != nil {
		fmt.Println(err)
		return
	}
	grads, err := G.Grad(e.Roots[0], e.Nodes(w)...)
	if err != nil {
		fmt.Println(err)
		return
	}
	machine := G.NewTapeMachine(e.Graph)
	defer machine.Close()
	fmt.Println(machine.RunAll())
	fmt.Println(e.Roots[0].Value(), grads[0].Value())
	// Output:
	// <nil>
	// 1.875 [2.5    5]
}

// A leaf without a value gets one there, by gorgonia.Let.
func TestLeavesWithoutValues(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	x, w := g.Input("x", graph.Float32, batch, 2), g.Param("w", graph.Float32, graph.Zeros())
	y := ops.Mul(x, w)
	e, err := gorgonia.ToExprGraph(gorgonia.Source{Binding: graph.Binding{batch: 3}}, y)
	if err != nil {
		t.Fatal(err)
	}
	if err := G.Let(e.Node(x), tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))); err != nil {
		t.Fatal(err)
	}
	if err := G.Let(e.Node(w), float32(2)); err != nil {
		t.Fatal(err)
	}
	all, err := runThere(e.Graph, e.Roots)
	if err != nil || !close(all[0], []float64{2, 4, 6, 8, 10, 12}) {
		t.Errorf("%v, %v", all, err)
	}
}

// Values are copied: what Gorgonia does to them does not reach a feed or the state.
func TestValuesAreCopied(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", graph.Float64, 2), g.Param("w", graph.Float64, graph.Full(3), 2)
	state, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	fed := []float64{1, 2}
	e, err := gorgonia.ToExprGraph(gorgonia.Source{Feeds: vm.Feeds{x: fed}, State: state}, ops.Mul(x, w))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range e.Nodes(x, w) {
		clear(n.Value().Data().([]float64))
	}
	if kept, err := state.Get("w"); err != nil || fed[0] != 1 || kept.Float64s()[0] != 3 {
		t.Errorf("the feed is %v, the state %v, %v", fed, kept, err)
	}
}

func TestModeDecides(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64)
	y := ops.ByMode(ops.Neg(x), ops.StopGradient(x)) // the other side has no counterpart, and is not looked at
	for mode, want := range map[vm.Mode]float64{vm.Train: -2} {
		e, err := gorgonia.ToExprGraph(gorgonia.Source{Feeds: vm.Feeds{x: 2.0}, Mode: mode}, y)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := runThere(e.Graph, e.Roots); err != nil || all[0][0] != want {
			t.Errorf("%v: %v, %v", mode, all, err)
		}
	}
	if _, err := gorgonia.ToExprGraph(gorgonia.Source{Feeds: vm.Feeds{x: 2.0}, Mode: vm.Infer}, y); err == nil {
		t.Error("no error for an operator without counterpart on the side that counts")
	}
}

func TestWhatHasNoCounterpart(t *testing.T) {
	g, batch, other := graph.New(), graph.Symbol("batch"), graph.Symbol("other")
	x := g.Input("x", graph.Float64, batch, 3)
	labels := g.Input("labels", graph.Int64, batch, 1)
	narrow := g.Input("narrow", graph.Float32)
	fed := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(make([]float64, 6)))
	given := vm.Feeds{x: fed, narrow: float32(1)}
	_, index := ops.MaxArg(x, 1)
	two := ops.BroadcastTo(ops.Reshape(index, batch, 1), batch, 2)
	for _, c := range []struct {
		name  string
		from  gorgonia.Source
		roots nodes
		want  string
	}{
		{"an operator", gorgonia.Source{Feeds: given}, nodes{ops.StopGradient(x)}, "operator stopgradient has no counterpart in Gorgonia"},
		{"an integer root", gorgonia.Source{Feeds: given}, nodes{index}, "a root of type int64(batch), but Gorgonia computes with floats only"},
		{"indices that are not known", gorgonia.Source{Feeds: given}, nodes{ops.TakeAlongAxis(x, labels, 1)}, "labels"},
		{"several indices", gorgonia.Source{Feeds: given}, nodes{ops.TakeAlongAxis(ops.Transpose(x), ops.Reshape(index, 1, -1), 0), ops.TakeAlongAxis(x, two, 1)}, "only if the indices have size 1 along the axis, not 2"},
		{"another float type", gorgonia.Source{Feeds: given}, nodes{ops.Cast(narrow, graph.Float64)}, "converts between floats by way of integers only"},
		{"an integer", gorgonia.Source{Feeds: given}, nodes{ops.Cast(x, graph.Int32)}, "a root of type int32(batch, 3)"},
		{"a symbol", gorgonia.Source{}, nodes{ops.Neg(x)}, "batch"},
		{"no elements", gorgonia.Source{Binding: graph.Binding{batch: 0}}, nodes{ops.Neg(x)}, "has no elements, which Gorgonia cannot hold"},
		{"five dimensions", gorgonia.Source{Feeds: given}, nodes{ops.BroadcastTo(ops.Reshape(x, 1, 1, 1, batch, 3), 2, 1, 1, batch, 3)}, "up to 4 dimensions"},
		{"a feed's shape", gorgonia.Source{Feeds: vm.Feeds{x: []float64{1}}}, nodes{x}, "fed float64[1], declared float64(batch, 3)"},
		{"a feed and the binding", gorgonia.Source{Feeds: given, Binding: graph.Binding{batch: 5}}, nodes{x}, "batch is 2 here and 5 elsewhere"},
		{"what is fed", gorgonia.Source{Feeds: vm.Feeds{ops.Neg(x): fed}}, nodes{x}, "only inputs of the roots' graph are fed"},
		{"an invalid root", gorgonia.Source{Feeds: given}, nodes{ops.Add(x, g.Input("z", graph.Float64, other))}, "add(x, z)"},
		{"roots of two graphs", gorgonia.Source{Feeds: given}, nodes{x, graph.New().Full(graph.Float64, 1)}, "several graphs"},
		{"no roots", gorgonia.Source{}, nil, "no roots"},
		{"nil", gorgonia.Source{}, nodes{nil}, "nil node"},
	} {
		_, err := gorgonia.ToExprGraph(c.from, c.roots...)
		var located *graph.Error
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &located) {
			t.Errorf("%s: %v, want one with %q", c.name, err, c.want)
		}
	}
}
