package graph_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// A package that is hidden later does not take away the lines that are known.
func TestHidePackage(t *testing.T) {
	g, x := newInput(t)
	build := func() *graph.Node {
		out := reflect.ValueOf(g.Apply).Call([]reflect.Value{reflect.ValueOf(neg), reflect.ValueOf(nextAttr()), reflect.ValueOf(x)})
		return out[0].Interface().(*graph.Node)
	}
	before := build()
	if file, _ := before.Pos().FileLine(); !strings.Contains(filepath.ToSlash(file), "reflect/") {
		t.Errorf("called by package reflect, a node is from %v", before.Pos().Full())
	}
	text := before.Pos().String()
	graph.HidePackage("reflect")
	if after := build(); !strings.HasPrefix(after.Pos().String(), "position_test.go:") {
		t.Errorf("after hiding package reflect, a node is from %v", after.Pos().Full())
	}
	if before.Pos().String() != text {
		t.Errorf("the position %s became %v", text, before.Pos())
	}
}

var attrs int

// nextAttr makes equal expressions differ.
func nextAttr() int { attrs++; return attrs }

// here returns the caller's line as positions print it.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// inlined is inlined into its callers: the user's line is still the one in it.
func inlined(x *graph.Node) *graph.Node { return graph.Apply(neg, nextAttr(), x) } // in inlined

//go:noinline
func apart(x *graph.Node) *graph.Node {
	return graph.Apply(neg, nextAttr(), x) // in apart
}

func sourceLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// A node's position is the line that called the package, whatever kind of function that line is in.
func TestPositions(t *testing.T) {
	g, x := newInput(t)
	var n *graph.Node
	at := func(name, want string) {
		t.Helper()
		if got := n.Pos().String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if full := n.Pos().Full(); !filepath.IsAbs(full) || !strings.HasSuffix(full, want) {
			t.Errorf("%s: full path %s", name, full)
		}
	}
	n, want := g.Apply(neg, nextAttr(), x), here()
	at("Graph.Apply", want)
	n, want = graph.Apply(neg, nextAttr(), x), here()
	at("Apply", want)
	n, want = g.Input("in", graph.Float32), here()
	at("Input", want)
	n, want = g.Param("param", graph.Float32, graph.Zeros()), here()
	at("Param", want)
	n, want = g.Constant(3), here()
	at("Constant", want)
	n, want = g.Full(graph.Float32, 7), here()
	at("Full", want)
	n, want = g.Full(graph.DType(9), 7), here()
	at("an invalid scalar", want)
	n, want = graph.Invalid(nil, "f()", x), here()
	at("Invalid", want)
	func() {
		n, want = graph.Apply(neg, nextAttr(), x), here()
	}()
	at("in a closure", want)
	func() {
		defer func() { n, want = graph.Apply(neg, nextAttr(), x), here() }()
	}()
	at("deferred", want)
	done := make(chan bool)
	go func() {
		n, want = graph.Apply(neg, nextAttr(), x), here()
		done <- true
	}()
	<-done
	at("in a goroutine", want)
	apply := graph.Apply
	n, want = apply(neg, nextAttr(), x), here()
	at("through a function value", want)
	method := g.Apply
	n, want = method(neg, nextAttr(), x), here()
	at("through a method value", want)
	lines := sourceLines(t, "position_test.go")
	for marker, n := range map[string]*graph.Node{"// in inlined": inlined(x), "// in apart": apart(x)} {
		_, line, _ := strings.Cut(n.Pos().String(), ":")
		if i, _ := strconv.Atoi(line); i < 1 || i > len(lines) || !strings.HasSuffix(lines[i-1], marker) {
			t.Errorf("%s: %v", marker, n.Pos())
		}
	}
	n, want = graph.Apply(&graph.Def{Name: "nested", Infer: func(_ any, in []graph.Type) (graph.Type, error) {
		inlined(x)
		return in[0], nil
	}}, nil, x), here()
	if got := n.Pos().String(); !strings.HasPrefix(got, "position_test.go:") {
		t.Errorf("nested: %s, want near %s", got, want)
	}
	if p := (graph.Position{}); p.IsKnown() || p.String() != "?" {
		t.Errorf("an unknown position prints as %v", p)
	}
}

// Nodes of a gradient say whose it is; so do errors in it. Afterwards all is as before.
func TestGradientPositions(t *testing.T) {
	g, x := newInput(t)
	forward, forwardLine := graph.Apply(neg, nextAttr(), x), here()
	var dx, bad *graph.Node
	var line, badLine string
	derive := func() {
		g.Derive(func(rule func(*graph.Node)) {
			rule(forward)
			dx = graph.Apply(neg, nextAttr(), forward)
			bad = graph.Apply(add, nil, dx, g.Constant(1))
		})
	}
	lines := sourceLines(t, "position_test.go")
	derive()
	for i, text := range lines {
		if strings.Contains(text, "g.Derive(func(rule") && line == "" {
			line = fmt.Sprintf("position_test.go:%d", i+1) // where the gradient was asked for, not where its rules are
			badLine = line
		}
	}
	if got, want := dx.Pos().String(), line+" (gradient of "+forwardLine+")"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	wantErr(t, bad.Err(), badLine+" (gradient of "+forwardLine+"): add(neg(…), 1): ")
	func() {
		defer func() { _ = recover() }()
		g.Derive(func(rule func(*graph.Node)) { rule(forward); panic("a rule") })
	}()
	if n := graph.Apply(neg, nextAttr(), x); strings.Contains(n.Pos().String(), "gradient") {
		t.Errorf("after a rule that panicked: %v", n.Pos())
	}
}
