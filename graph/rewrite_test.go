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

// What does not change keeps its node; what does is built again above it, with its name and line.
func TestRebuildInPlace(t *testing.T) {
	g, x := newInput(t)
	y := g.Input("y", graph.Float32, graph.Symbol("batch"), 3)
	a := graph.Apply(neg, nil, x)
	b := graph.Apply(add, nil, a, y).Named("total")
	side := graph.Apply(neg, nil, y)
	before := len(g.Nodes())
	var same graph.Rebuild
	if roots := same.Run(b, side, x); roots[0] != b || roots[1] != side || roots[2] != x || len(g.Nodes()) != before {
		t.Errorf("without a change: %v, %d nodes more", roots, len(g.Nodes())-before)
	}
	swap := graph.Rebuild{Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if n == x {
			return y
		}
		return nil
	}}
	roots := swap.Run(b, side)
	if text := nested(roots[0]); text != "add(neg(y), y)" || roots[0].Name() != "total" || roots[0].Pos() != b.Pos() || roots[1] != side {
		t.Errorf("%s, called %q, from %v", text, roots[0].Name(), roots[0].Pos())
	}
	if roots[0].In(0) != side || swap.Image(a) != side || swap.Image(x) != y {
		t.Error("neg(y) is there twice")
	}
	if (&graph.Rebuild{}).Run() != nil {
		t.Error("nothing became something")
	}
}

// A copy has the names, lines, initial values and constants of the original, and nothing that was not asked for.
func TestRebuildCopies(t *testing.T) {
	g, x := newInput(t)
	g.Input("unused", graph.Float32)
	p := g.Param("p", graph.Float32, graph.Full(3), 3)
	v := g.Variable("v", graph.Float32, graph.Zeros(), 3)
	c := g.Constant([]float32{1, 2, 3})
	n := graph.Apply(scaled, settings{Factor: 2}, graph.Apply(add, nil, graph.Apply(add, nil, p, v), c)).Named("n")
	text := g.String()
	r := graph.Rebuild{Into: graph.New()}
	roots := r.Run(n, x)
	if g.String() != text {
		t.Error("the original changed")
	}
	for _, from := range []*graph.Node{x, p, v, c, n, n.In(0)} {
		to := r.Image(from)
		if to == from || to.Graph() != r.Into || to.Kind() != from.Kind() || to.Name() != from.Name() || to.Pos() != from.Pos() || !to.Type().Identical(from.Type()) ||
			to.Def() != from.Def() || to.Init().Name != from.Init().Name || to.AttrString() != from.AttrString() || to.Expr() != from.Expr() || len(to.Inputs()) != len(from.Inputs()) {
			t.Errorf("%v from %v became %v from %v", from, from.Pos(), to, to.Pos())
		}
	}
	if len(r.Into.Nodes()) != len(g.Nodes())-1 || r.Into.Leaf("unused") != nil || r.Into.Leaf("p") != r.Image(p) || roots[1] != r.Into.Leaf("x") {
		t.Errorf("copied:\n%v", r.Into)
	}
	if d := r.Image(c); d.Value().At(2) != 3 || r.Into.Constant([]float32{1, 2, 3}) != d {
		t.Errorf("the constant became %v", d)
	}
	for i, m := range r.Into.Nodes() {
		for _, in := range m.Inputs() {
			if m.ID() != i || in.ID() >= i || in.Graph() != r.Into {
				t.Errorf("node %d reads %d", i, in.ID())
			}
		}
	}
}

// Rules are applied until none fits, but two that undo each other come to an end.
func TestRebuildRules(t *testing.T) {
	g, x := newInput(t)
	y := x
	for i := 0; i < 9; i++ {
		y = graph.Apply(neg, nil, y)
	}
	r := graph.Rebuild{Rules: []graph.Rule{negNeg}}
	if got := nested(r.Run(y)[0]); got != "neg(x)" || len(r.Fired) != 4 || r.Fired[0].Rule.Name != "neg-neg" {
		t.Errorf("%s after %v", got, r.Fired)
	}
	other := &graph.Def{Name: "other", Infer: sameTypes}
	to := func(d *graph.Def) func(*graph.Match, *graph.Node) *graph.Node {
		return func(_ *graph.Match, n *graph.Node) *graph.Node { return graph.Apply(d, nil, n.In(0)) }
	}
	endless := graph.Rebuild{Rules: []graph.Rule{{Name: "there", Root: neg, Rewrite: to(other)}, {Name: "back", Root: other, Rewrite: to(neg)}}}
	if got := endless.Run(graph.Apply(neg, nil, x))[0]; got.Err() != nil || len(endless.Fired) > 100 {
		t.Errorf("%v after %d steps", got, len(endless.Fired))
	}
	growing := graph.Rebuild{Rules: []graph.Rule{{Name: "grow", Root: neg, Rewrite: func(_ *graph.Match, n *graph.Node) *graph.Node {
		return graph.Apply(neg, nil, n)
	}}}}
	before := len(g.Nodes())
	if growing.Run(graph.Apply(neg, nil, x)); len(g.Nodes())-before > 100 {
		t.Errorf("%d nodes grew", len(g.Nodes())-before)
	}
}
