package graph_test

import (
	"reflect"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// callAll calls every exported method of v, with zero values (so nil nodes, nil functions, …) as arguments.
func callAll(t *testing.T, name string, v any, skip ...string) {
	t.Helper()
	value := reflect.ValueOf(v)
methods:
	for i := 0; i < value.NumMethod(); i++ {
		method := value.Type().Method(i)
		for _, s := range skip {
			if s == method.Name {
				continue methods
			}
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: %s panics: %v", name, method.Name, r)
				}
			}()
			var args []reflect.Value
			for k := 1; k < method.Type.NumIn(); k++ {
				if in := method.Type.In(k); in.Kind() == reflect.Func {
					args = append(args, reflect.MakeFunc(in, func([]reflect.Value) (out []reflect.Value) {
						for o := 0; o < in.NumOut(); o++ {
							out = append(out, reflect.Zero(in.Out(o)))
						}
						return out
					}))
				} else {
					args = append(args, reflect.Zero(in))
				}
			}
			if method.Type.IsVariadic() {
				value.Method(i).CallSlice(args)
				return
			}
			value.Method(i).Call(args)
		}()
	}
}

func TestMethodsOnNilAndInvalidNodes(t *testing.T) {
	g, x := newInput(t)
	panics := &graph.Def{Name: "panics", Infer: func(any, []graph.Type) (graph.Type, error) { panic("oh") }}
	for name, n := range map[string]*graph.Node{
		"nil":             nil,
		"of a nil graph":  (*graph.Graph)(nil).Input("x", graph.Float32),
		"from nothing":    graph.Apply(add, nil),
		"a nil operator":  g.Apply(nil, nil, x),
		"a nil operand":   g.Apply(add, nil, x, nil),
		"a bad leaf":      g.Input("", graph.Float32),
		"a bad constant":  g.Constant("text"),
		"Invalid":         graph.Invalid(nil, "f(x)", nil, x),
		"a bad attribute": g.Apply(scaled, &struct{}{}, x),
		"a panic":         g.Apply(panics, nil, x),
		"on an invalid":   g.Apply(add, nil, g.Input("", graph.Float32), x),
		"from a nil node": graph.Apply(add, nil, nil, nil),
		"of another":      graph.New().Apply(add, nil, x),
	} {
		callAll(t, name, n)
		if n.Err() == nil || n.ID() != -1 || n.Def() != nil || n.Is(add) || n.Expr() == "" && name != "Invalid" {
			t.Errorf("%s: error %v, id %d, operator %v, expression %q", name, n.Err(), n.ID(), n.Def(), n.Expr())
		}
		if m := graph.Apply(neg, nil, n); m.Err() == nil {
			t.Errorf("%s: an operation on it is valid", name)
		}
		if list := graph.Reachable(n, x); len(list) != 1 {
			t.Errorf("%s: reaches %v", name, list)
		}
		if err := g.Assign(n, n); err == nil {
			t.Errorf("%s: may be assigned", name)
		}
		g.DOT(n)
	}
}

func TestMethodsOnNilAndZeroGraphs(t *testing.T) {
	callAll(t, "nil graph", (*graph.Graph)(nil))
	callAll(t, "zero graph", new(graph.Graph))
	callAll(t, "new graph", graph.New())
	var zero graph.Graph
	x := zero.Input("x", graph.Float32, 2)
	if n := zero.Apply(add, nil, x, zero.Constant([]float32{1, 2})); n.Err() != nil || zero.Apply(add, nil, x, zero.Constant([]float32{1, 2})) != n {
		t.Errorf("in the zero Graph: %v", n.Err())
	}
}

func TestMethodsOnZeroValues(t *testing.T) {
	callAll(t, "Position", graph.Position{})
	callAll(t, "Error", &graph.Error{}, "Format")
	callAll(t, "Type", graph.Type{})
	callAll(t, "Shape", graph.Shape(nil))
	callAll(t, "Dim", graph.Dim(0))
	for i := 0; i < 256; i++ {
		callAll(t, "DType", graph.DType(i))
		callAll(t, "Kind", graph.Kind(i))
	}
	callAll(t, "Match", &graph.Match{})
	callAll(t, "Rebuild", &graph.Rebuild{})
	callAll(t, "Walk", &graph.Walk{})
	if graph.Locate(nil, nil) != nil {
		t.Error("an error from nothing")
	}
}
