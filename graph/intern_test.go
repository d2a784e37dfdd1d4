package graph_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

type axes struct {
	Axes []int
	Name string
}

type settings struct {
	A, B   axes
	Factor float64
	On     bool
	Dims   graph.Shape
	Pair   [2]uint8
	hidden int32
}

// Attributes are one if they are equal by value, floats by their bits.
func TestAttributesByValue(t *testing.T) {
	g, x := newInput(t)
	batch := graph.Symbol("batch")
	classes := [][]any{ // equal within a row, different between rows
		{nil, nil},
		{0, 0},
		{1, 1},
		{int64(1), int64(1)},
		{uint8(1), uint8(1)},
		{true},
		{false},
		{"", ""},
		{"a", string([]byte{'a'})},
		{math.NaN(), math.NaN()},
		{math.Inf(1), math.Inf(1)},
		{0.0, 0.0},
		{math.Copysign(0, -1), math.Copysign(0, -1)},
		{math.Float64frombits(0x7ff8000000000002)},
		{float32(1), float32(1)},
		{[]int{}, []int{}, []int(nil)},
		{[]int{1, 2}, append([]int{1}, 2)},
		{[]int{2, 1}},
		{[]int{1}},
		{[2]int{1, 2}, [2]int{1, 2}},
		{[]string{"ab", "c"}, []string{"ab", "c"}},
		{[]string{"a", "bc"}},
		{[][]int{{1}, {2, 3}}, [][]int{{1}, {2, 3}}},
		{[][]int{{1, 2}, {3}}},
		{batch, graph.Symbol("batch")},
		{batch.Add(1), graph.Dim(1).Add(batch)},
		{graph.TypeOf(graph.Float32, batch), graph.TypeOf(graph.Float32, graph.Symbol("batch"))},
		{graph.TypeOf(graph.Float64, batch)},
		{settings{A: axes{[]int{1}, "x"}}, settings{A: axes{[]int{1}, "x"}}},
		{settings{B: axes{[]int{1}, "x"}}, settings{B: axes{[]int{1}, "x"}}},
		{settings{A: axes{nil, "x"}}},
		{settings{Factor: 1}},
		{settings{On: true}},
		{settings{Dims: graph.Shape{batch}}, settings{Dims: graph.Shape{batch}}},
		{settings{Pair: [2]uint8{0, 1}}},
		{settings{hidden: 3}, settings{hidden: 3}},
		{struct{}{}, struct{}{}},
	}
	seen := map[*graph.Node]int{}
	for i, class := range classes {
		first := graph.Apply(scaled, class[0], x)
		if first.Err() != nil {
			t.Fatalf("%#v: %v", class[0], first.Err())
		}
		if j, ok := seen[first]; ok {
			t.Errorf("%#v and %#v are one attribute", class[0], classes[j][0])
		}
		seen[first] = i
		for _, attr := range class[1:] {
			if n := graph.Apply(scaled, attr, x); n != first {
				t.Errorf("%#v and %#v are two attributes", class[0], attr)
			}
		}
	}
	if g.Err() != nil {
		t.Error(g.Err())
	}
}

func TestAttributesWithoutValue(t *testing.T) {
	_, x := newInput(t)
	number := 1
	for _, attr := range []any{
		&number, map[string]int{}, func() {}, make(chan int), 1i, []any{1}, struct{ F func() }{}, struct{ P *int }{}, struct{ E error }{}, [1]map[int]int{},
	} {
		n := graph.Apply(scaled, attr, x)
		if !errors.Is(n.Err(), graph.ErrValue) {
			t.Errorf("%T: %v", attr, n.Err())
		}
		wantErr(t, n.Err(), "intern_test.go:", "scaled(x)", "cannot be compared by value")
	}
}

// Equal expressions are one node; leaves, other operators and other operands are others.
func TestEqualExpressionsAreOneNode(t *testing.T) {
	g, x := newInput(t)
	y := g.Input("y", graph.Float32, graph.Symbol("batch"), 3)
	twin := *neg
	nodes := map[string]*graph.Node{
		"x": x, "y": y,
		"p":           g.Param("p", graph.Float32, graph.Zeros(), 3),
		"p2":          g.Param("p2", graph.Float32, graph.Zeros(), 3),
		"v":           g.Variable("v", graph.Float32, graph.Zeros(), 3),
		"neg(x)":      graph.Apply(neg, nil, x),
		"neg(y)":      graph.Apply(neg, nil, y),
		"twin(x)":     graph.Apply(&twin, nil, x),
		"neg(neg(x))": graph.Apply(neg, nil, graph.Apply(neg, nil, x)),
		"add(x, y)":   graph.Apply(add, nil, x, y),
		"add(y, x)":   graph.Apply(add, nil, y, x),
		"add(x)":      graph.Apply(add, nil, x),
		"add(x, x)":   graph.Apply(add, nil, x, x),
		"1.0":         g.Constant(1.0),
		"1":           g.Constant(1),
		"float32(1)":  g.Constant(float32(1)),
		"[1]":         g.Constant([]float64{1}),
		"[0 0]":       g.Constant([]int32{0, 0}),
		"long 0":      g.Constant(int64(0)),
		"0":           g.Constant(0.0),
		"-0":          g.Constant(math.Copysign(0, -1)),
		"NaN":         g.Constant(math.NaN()),
	}
	distinct := map[*graph.Node]string{}
	for name, n := range nodes {
		if n.Err() != nil {
			t.Fatal(name, n.Err())
		}
		if other, ok := distinct[n]; ok {
			t.Errorf("%s and %s are one node", name, other)
		}
		distinct[n] = name
	}
	before := len(g.Nodes())
	for name, again := range map[string]*graph.Node{
		"neg(x)": graph.Apply(neg, nil, x), "add(x, y)": g.Apply(add, nil, x, y), "1": g.Constant(int64(1)), "float32(1)": g.Full(graph.Float32, 1),
		"[1]": g.Constant([]float64{1}), "NaN": g.Constant(math.NaN()), "-0": g.Constant(math.Copysign(0, -1)),
		"neg(neg(x))": graph.Apply(neg, nil, nodes["neg(x)"]),
	} {
		if again != nodes[name] {
			t.Errorf("%s is a second node", name)
		}
	}
	if len(g.Nodes()) != before {
		t.Errorf("%d new nodes", len(g.Nodes())-before)
	}
	for i, n := range g.Nodes() {
		if n.ID() != i {
			t.Errorf("node %d has id %d", i, n.ID())
		}
		for _, in := range n.Inputs() {
			if in.ID() >= n.ID() {
				t.Errorf("node %d reads node %d", n.ID(), in.ID())
			}
		}
	}
	values := []float64{1, 2}
	c := g.Constant(values)
	if values[0] = 9; c.Value().At(0) != 1 || g.Constant([]float64{1, 2}) != c {
		t.Error("a constant shares the memory it was made from")
	}
}

// Leaves have one name each, static shapes where a State holds them, and the checks of Assign.
func TestLeavesAndAssign(t *testing.T) {
	g, x := newInput(t)
	p, v := g.Param("p", graph.Float32, graph.Full(2), 3), g.Variable("v", graph.Float32, graph.Zeros(), 3)
	wantErr(t, g.Input("x", graph.Float32).Err(), "intern_test.go:", "the name \"x\" is taken by the input of kit_test.go:")
	wantErr(t, g.Param("q", graph.Float32, graph.Zeros(), graph.Symbol("batch")).Err(), "shape (batch) has a symbol")
	unwilling := graph.Init{Name: "unwilling", Check: func(shape []int) error {
		if len(shape) == 1 {
			return graph.Errorf(graph.ErrValue, "not a vector of %d", shape[0])
		}
		panic("no shape will do")
	}}
	wantErr(t, g.Param("vector", graph.Float32, unwilling, 3).Err(), "intern_test.go:", "param vector: not a vector of 3")
	wantErr(t, g.Variable("matrix", graph.Float32, unwilling, 3, 3).Err(), "variable matrix: the check of initialiser unwilling panicked: no shape will do")
	other, _ := newInput(t)
	far := other.Variable("v", graph.Float32, graph.Zeros(), 3)
	for _, c := range []struct {
		target, value *graph.Node
		says          string
	}{
		{p, v, "is not a variable"},
		{v, x, "the variable is float32(3), the value float32(batch, 3)"},
		{far, v, "must belong to this graph"},
		{v, far, "must belong to this graph"},
		{nil, v, "nil"},
		{v, nil, "nil"},
	} {
		wantErr(t, g.Assign(c.target, c.value), c.says)
	}
	if err := g.Assign(v, p); err != nil || len(g.Assigned()) != 1 {
		t.Error(err)
	}
	wantErr(t, g.Assign(v, p), "intern_test.go:", "assign(v)", "assigned already, at intern_test.go:")
	if a, b := g.Serial(), g.Serial(); a != 1 || b != 2 || other.Serial() != 1 {
		t.Errorf("serial numbers %d, %d", a, b)
	}
	if fmt.Sprint(g.Feeds(), g.Params(), g.Variables()) != "[x] [p] [v]" || g.Leaf("p") != p || g.Leaf("none") != nil {
		t.Error(g.Feeds(), g.Params(), g.Variables())
	}
	if p.Init().Name != "2" || x.Init().Fill != nil {
		t.Error(p.Init(), x.Init())
	}
	init := make([]float64, 2)
	if p.Init().Fill(nil, nil, init); init[1] != 2 {
		t.Error(init)
	}
}
