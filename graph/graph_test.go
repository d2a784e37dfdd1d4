package graph_test

import (
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// What a caller does later with the slices it passed does not reach the graph, nor does a shape rule that appends to an operand's shape.
func TestNodesOwnTheirSlices(t *testing.T) {
	g := graph.New()
	dims := []graph.Dim{2, 3}
	x, p := g.Input("x", graph.Float32, dims...), g.Param("p", graph.Float32, graph.Zeros(), dims...)
	dims[0] = 99
	if got := x.Type().String() + p.Type().String(); got != "float32(2, 3)float32(2, 3)" {
		t.Errorf("the types became %s", got)
	}
	operands := []*graph.Node{x, p}
	sum := g.Apply(add, nil, operands...)
	operands[1] = x
	if sum.In(1) != p || g.Apply(add, nil, x, p) != sum || g.Apply(add, nil, x, x) == sum {
		t.Error("the operands of a node changed")
	}
	grow := &graph.Def{Name: "grow", Infer: func(attr any, in []graph.Type) (graph.Type, error) {
		shape := append(in[0].Shape, attr.(graph.Dim))
		return graph.TypeOf(in[0].DType, append(shape, 1, 1, 1)[:len(shape)]...), nil
	}}
	y := g.Apply(grow, graph.Dim(4), x)
	a, b := g.Apply(grow, graph.Dim(5), y), g.Apply(grow, graph.Dim(6), y)
	if got := a.Shape().String() + b.Shape().String(); got != "(2, 3, 4, 5)(2, 3, 4, 6)" {
		t.Errorf("shapes %s share memory", got)
	}
}

// Attributes of two types are two, also if the types print alike.
func TestAttributeTypesOfOneName(t *testing.T) {
	_, x := newInput(t)
	first := func() any {
		type attr struct{ N int }
		return attr{1}
	}()
	second := func() any {
		type attr struct{ N int64 }
		return attr{1}
	}()
	if a, b := graph.Apply(scaled, first, x), graph.Apply(scaled, second, x); a == b {
		t.Errorf("%T and %T are one attribute", a.Attr(), second)
	}
}

// The error that came first wins, and a node without a graph.Error is never taken for a valid one.
func TestInvalidKeepsTheFirstError(t *testing.T) {
	g, x := newInput(t)
	first, second := g.Input("", graph.Float32), g.Input("bad", graph.Float32, -1)
	for name, n := range map[string]*graph.Node{
		"Apply":   g.Apply(add, nil, x, first, second),
		"Invalid": graph.Invalid(graph.Errorf(graph.ErrValue, "own"), "split(x)", x, first, second),
	} {
		if n.Err() != first.Err() {
			t.Errorf("%s: %v, want %v", name, n.Err(), first.Err())
		}
	}
	if n := graph.Invalid(nil, "split(x)", x); n.Err() == nil || n.ID() != -1 {
		t.Errorf("an invalid node without an error has id %d", n.ID())
	}
}

// A node remembers at most three further lines, each once.
func TestMergedPositions(t *testing.T) {
	_, x := newInput(t)
	first := graph.Apply(neg, nil, x)
	for i := 0; i < 5; i++ {
		graph.Apply(neg, nil, x)
	}
	if got := len(first.MergedPos()); got != 1 {
		t.Errorf("a line that ran five times is kept %d times: %v", got, first.MergedPos())
	}
	graph.Apply(neg, nil, x)
	graph.Apply(neg, nil, x)
	graph.Apply(neg, nil, x)
	if got := len(first.MergedPos()); got != 3 {
		t.Errorf("%d lines kept: %v", got, first.MergedPos())
	}
}
