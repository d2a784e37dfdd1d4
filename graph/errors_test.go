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
