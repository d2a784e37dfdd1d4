package graph_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// What a shape rule wraps around a graph.Error is not lost when the position is added.
func TestShapeRulesMayWrapErrors(t *testing.T) {
	_, x := newInput(t)
	own := errors.New("own kind")
	for name, c := range map[string]struct {
		err  error
		kind error
		says string
	}{
		"plain":             {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, "rule(x): unexpected EOF"},
		"kind of its own":   {graph.Errorf(own, "mine"), own, "rule(x): mine"},
		"wrapped":           {fmt.Errorf("conv: %w", graph.Errorf(graph.ErrShape, "too small")), graph.ErrShape, "rule(x): conv: too small"},
		"with a second one": {fmt.Errorf("%w: %w", own, graph.Errorf(graph.ErrShape, "too small")), own, "rule(x): own kind: too small"},
	} {
		rule := &graph.Def{Name: "rule", Infer: func(any, []graph.Type) (graph.Type, error) { return graph.Type{}, c.err }}
		line := here()
		err := graph.Apply(rule, nil, x).Err() // the line after
		if !errors.Is(err, c.kind) || err.Error() != strings.Replace(line, ":"+lineOf(line), ":"+next(line), 1)+": "+c.says {
			t.Errorf("%s: %v", name, err)
		}
		var e *graph.Error
		if !errors.As(err, &e) || !e.Pos.IsKnown() || e.Expr != "rule(x)" {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

func lineOf(pos string) string { return pos[strings.LastIndexByte(pos, ':')+1:] }

func next(pos string) string {
	var n int
	_, _ = fmt.Sscan(lineOf(pos), &n)
	return fmt.Sprint(n + 1)
}

// An error prints one line, with %+v also the full path and the stack, and has a kind.
func TestErrorsPrint(t *testing.T) {
	g, x := newInput(t)
	n, line := graph.Apply(add, nil, x, g.Full(graph.Float64, 2)), here()
	err := n.Err()
	if got, want := err.Error(), line+": add(x, 2): float64 is not float32(batch, 3)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if fmt.Sprint(err) != err.Error() || fmt.Sprintf("%s", err) != err.Error() || strings.Contains(err.Error(), "\n") {
		t.Errorf("printed as %v and %s", err, err)
	}
	long := fmt.Sprintf("%+v", err)
	for _, want := range []string{err.Error() + "\n", n.Pos().Full() + "\n", "graph_test.TestErrorsPrint\n", "graph_test.sameTypes\n"} {
		if !strings.Contains(long, want) {
			t.Errorf("%%+v does not have %q:\n%s", want, long)
		}
	}
	var e *graph.Error
	if !errors.Is(err, graph.ErrShape) || errors.Is(err, graph.ErrDType) || !errors.As(err, &e) || e.Kind != graph.ErrShape || e.Expr != "add(x, 2)" || e.Pos != n.Pos() {
		t.Errorf("%#v", err)
	}
	if wrapped := fmt.Errorf("training: %w", err); !errors.Is(wrapped, graph.ErrShape) || !errors.As(wrapped, &e) {
		t.Errorf("%v", wrapped)
	}
	if g.Err() != err {
		t.Errorf("the graph's first error is %v", g.Err())
	}
	second := graph.Apply(add, nil, n, x)
	g.Input("", graph.Float32)
	if second.Err() != err || g.Err() != err {
		t.Errorf("then %v, %v", second.Err(), g.Err())
	}
	located := graph.Locate(graph.Errorf(graph.ErrValue, "odd"), x)
	wantErr(t, located, "kit_test.go:", ": x: odd")
	if again := graph.Locate(located, second); again != located {
		t.Errorf("a second position: %v", again)
	}
}

// A shape rule that panics, or that is missing, is an error with the user's line.
func TestShapeRulesThatFail(t *testing.T) {
	_, x := newInput(t)
	for says, d := range map[string]*graph.Def{
		"the shape rule of odd panicked: oh":                             {Name: "odd", Infer: func(any, []graph.Type) (graph.Type, error) { panic("oh") }},
		"the shape rule of odd panicked: runtime error: index out of ra": {Name: "odd", Infer: func(_ any, in []graph.Type) (graph.Type, error) { return in[7], nil }},
		"operator odd offers no shape rule":                              {Name: "odd"},
	} {
		n, line := graph.Apply(d, nil, x), here()
		wantErr(t, n.Err(), line+": odd(x): "+says)
		if !errors.Is(n.Err(), graph.ErrOperator) {
			t.Errorf("%v", n.Err())
		}
	}
}
