package graph_test

import (
	"errors"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// negNeg takes neg(neg(x)) to x, wherever it may look.
var negNeg = graph.Rule{Name: "neg-neg", Root: neg, Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
	if inner := m.Op(n.In(0), neg); inner != nil {
		return inner.In(0)
	}
	return nil
}}

// Kept nodes are left as they are also when they are copied into another graph.
func TestRebuildKeeps(t *testing.T) {
	_, x := newInput(t)
	inner := graph.Apply(neg, nil, x)
	outer := graph.Apply(neg, nil, inner)
	root := graph.Apply(add, nil, outer, inner)
	for _, into := range []*graph.Graph{nil, graph.New()} {
		for _, c := range []struct {
			name string
			keep []*graph.Node
			want string // definitions of what the root's first operand became
		}{
			{"nothing", nil, "x"},
			{"the operand", []*graph.Node{inner}, "neg(neg(x))"},
			{"the root of the pattern", []*graph.Node{outer}, "neg(neg(x))"},
		} {
			r := graph.Rebuild{Into: into, Rules: []graph.Rule{negNeg}, Keep: c.keep}
			got := r.Run(root)[0]
			if text := nested(got.In(0)); text != c.want {
				t.Errorf("keeping %s (in the same graph: %t): %s, want %s", c.name, into == nil, text, c.want)
			}
		}
	}
}

// nested prints an expression in full.
func nested(n *graph.Node) string {
	if n.Kind() != graph.Op {
		return n.Name()
	}
	text := n.Def().Name + "("
	for i, x := range n.Inputs() {
		if i > 0 {
			text += ", "
		}
		text += nested(x)
	}
	return text + ")"
}

// A graph has one leaf of a name, also if several expressions are copied into it one after the other.
func TestRebuildIntoAGraphThatHasTheLeaf(t *testing.T) {
	_, x := newInput(t)
	into := graph.New()
	var first, second graph.Rebuild
	first.Into, second.Into = into, into
	a := first.Run(graph.Apply(neg, nil, x))[0]
	b := second.Run(graph.Apply(add, nil, graph.Apply(neg, nil, x), x))[0]
	if b.In(0) != a || b.In(1) != a.In(0) || len(into.Nodes()) != 3 {
		t.Errorf("copied twice:\n%v", into)
	}
	clash := graph.New()
	clash.Input("x", graph.Float64)
	r := graph.Rebuild{Into: clash}
	if y := r.Run(a)[0]; !errors.Is(y.Err(), graph.ErrName) {
		t.Errorf("an x of another type: %v", y.Err())
	}
}

func TestRebuildImage(t *testing.T) {
	g, x := newInput(t)
	y := g.Input("y", graph.Float32)
	bad := g.Input("", graph.Float32)
	var r graph.Rebuild
	r.Run(graph.Apply(neg, nil, x))
	_, other := newInput(t)
	for name, n := range map[string]*graph.Node{"nil": nil, "not needed": y, "invalid": bad, "of another graph": other} {
		if m := r.Image(n); m != nil {
			t.Errorf("the image of a node that is %s is %v", name, m)
		}
	}
	if r.Image(x) != x {
		t.Errorf("the image of x is %v", r.Image(x))
	}
}

// A rule that builds something wrong is not applied, and leaves no error behind in the user's graph.
func TestRebuildRefusesAWrongRule(t *testing.T) {
	g, x := newInput(t)
	y := graph.Apply(neg, nil, x)
	for name, rewrite := range map[string]func(*graph.Match, *graph.Node) *graph.Node{
		"another type": func(_ *graph.Match, n *graph.Node) *graph.Node { return n.Graph().Full(graph.Float64, 1) },
		"an error": func(_ *graph.Match, n *graph.Node) *graph.Node {
			return graph.Apply(add, nil, n, n.Graph().Full(graph.Float64, 1))
		},
	} {
		r := graph.Rebuild{Rules: []graph.Rule{{Name: name, Root: neg, Rewrite: rewrite}}}
		if m := r.Run(y)[0]; m != y || len(r.Fired) != 0 || g.Err() != nil {
			t.Errorf("%s: %v became %v, fired %v, the graph says %v", name, y, m, r.Fired, g.Err())
		}
	}
}
