package graph_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

func TestConstantsPrint(t *testing.T) {
	g := graph.New()
	for _, c := range []struct {
		value any
		want  string
	}{
		{int32(1000000), "1000000"},
		{int64(123456789012), "123456789012"},
		{7, "7"},
		{float32(0.1), "0.1"},
		{0.1, "0.1"},
		{1e21, "1e+21"},
		{true, "true"},
		{[]int32{1000000, -2}, "[1000000 -2]"},
		{[]float64{1, 2, 3, 4, 5}, "[1 2 3 4 …]"},
		{[]bool{}, "[]"},
	} {
		if got := g.Constant(c.value).Label(); got != c.want {
			t.Errorf("%T(%v) prints as %q, want %q", c.value, c.value, got, c.want)
		}
	}
}

// sample builds a graph with a node of each kind, twice the same.
func sample() (*graph.Graph, *graph.Node) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 3)
	w := g.Param("0.weight", graph.Float32, graph.Full(0.5), graph.Dim(3))
	v := g.Variable("say \"v\"", graph.Float32, graph.Zeros())
	y := graph.Apply(scaled, settings{A: axes{Axes: []int{1}}, Factor: 2, On: true}, x)
	z := graph.Apply(neg, nil, y).Named("z")
	graph.Apply(pair, nil, z, w, g.Constant([]float32{1, 2}))
	if err := g.Assign(v, graph.Apply(neg, nil, v)); err != nil {
		panic(err)
	}
	return g, z
}

var lines = regexp.MustCompile(`text_test\.go:\d+`)

func TestGraphPrints(t *testing.T) {
	g, _ := sample()
	want := `
%0 = input "x"                                : float32(batch, 3)                                 text_test.go
%1 = param "0.weight" {init=0.5}              : float32(3)                                        text_test.go
%2 = variable "say \"v\"" {init=0} : float32                                           text_test.go
%3 = scaled(%0) {a={[1] } factor=2 on}        : float32(batch, 3)                                 text_test.go
%4 = neg(%3) "z"                              : float32(batch, 3)                                 text_test.go
%5 = constant [1 2]                           : float32(2)                                        text_test.go
%6 = pair(%4, %1, %5)                         : [float32(batch, 3), float32(3), float32(2)]       text_test.go
%7 = neg(%2)                                  : float32                                           text_test.go
say "v" := %7
`
	squeeze := func(s string) string {
		return regexp.MustCompile(` +`).ReplaceAllString(lines.ReplaceAllString(s, "text_test.go"), " ")
	}
	if got := squeeze("\n" + g.String()); got != squeeze(want) {
		t.Errorf("got%s", got)
	}
	again, _ := sample()
	if again.String() != g.String() || again.DOT() != g.DOT() {
		t.Error("the same graph prints in two ways")
	}
}

// DOT is a list of nodes and edges between them, with every text quoted.
func TestDOT(t *testing.T) {
	g, z := sample()
	statement := regexp.MustCompile(`^\tn\d+ (-> n\d+( \[label="\d"\])?|\[label="([^"\\]|\\.)*"(, fillcolor="#\w{6}")?\]);$`)
	for name, c := range map[string]struct {
		dot   string
		nodes int
	}{
		"all": {g.DOT(), len(g.Nodes())}, "z": {g.DOT(z), 3}, "x": {g.DOT(z.In(0).In(0)), 1}, "none": {graph.New().DOT(), 0}, "invalid": {g.DOT(nil, g.Input("", 0)), 0},
	} {
		list := strings.Split(strings.TrimSuffix(c.dot, "\n"), "\n")
		if list[0] != "digraph tapir {" || list[len(list)-1] != "}" {
			t.Fatalf("%s: %s", name, c.dot)
		}
		nodes := 0
		for _, line := range list[3 : len(list)-1] {
			if !statement.MatchString(line) {
				t.Errorf("%s: %s", name, line)
			}
			if !strings.Contains(line, "->") {
				nodes++
			}
		}
		if nodes != c.nodes {
			t.Errorf("%s: %d nodes, want %d", name, nodes, c.nodes)
		}
	}
	if !strings.Contains(g.DOT(), "\tn3 -> n4;\n") || !strings.Contains(g.DOT(), "\tn1 -> n6 [label=\"1\"];\n") {
		t.Error(g.DOT())
	}
}

func TestReachable(t *testing.T) {
	g, z := sample()
	if got := fmt.Sprint(graph.Reachable(z)); got != "[x scaled(x) neg(scaled(x))]" {
		t.Error(got)
	}
	if got := graph.Reachable(g.Nodes()...); len(got) != len(g.Nodes()) {
		t.Error(got)
	}
	if got := graph.Reachable(); len(got) != 0 {
		t.Error(got)
	}
}

func TestExpressionsPrint(t *testing.T) {
	g, x := newInput(t)
	y := graph.Apply(neg, nil, x)
	for want, n := range map[string]*graph.Node{
		"x":                   x,
		"neg(x)":              y,
		"neg(neg(x))":         graph.Apply(neg, nil, y),
		"neg(neg(…))":         graph.Apply(neg, nil, graph.Apply(neg, nil, y)),
		"pair(x, x, x, 2)":    graph.Apply(pair, nil, x, x, x, g.Constant(2)),
		"pair(x, x, x, …)":    graph.Apply(pair, nil, x, x, x, x, x),
		"neg(constant)":       graph.Apply(neg, nil, g.Constant([]int{1, 2})),
		"neg(pair(…))":        graph.Apply(neg, nil, graph.Apply(pair, nil, x, x, x)),
		"add(logits, logits)": graph.Apply(add, nil, graph.Apply(neg, 5, x).Named("logits").Named("second"), graph.Apply(neg, 5, x)),
	} {
		if n.String() != want {
			t.Errorf("%q, want %q", n, want)
		}
	}
	if x.Named("other").Name() != "x" {
		t.Error("a leaf was renamed")
	}
}
