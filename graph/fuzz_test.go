package graph_test

import (
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// FuzzBuild reads bytes as a program that builds expressions, good and bad ones: nothing panics, every node is either in the
// graph with a legal type or carries an error, and the graph can be printed, searched and copied.
func FuzzBuild(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Add([]byte("\x00\x01\x00\x03\x05\x00\x00\x05\x01\x00\x06\x02\x01\x07\x03"))
	f.Add([]byte{4, 255, 5, 0, 9, 1, 1, 8, 7, 200, 3, 3, 3, 9, 9, 1, 128, 64, 2, 2, 8, 8})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 1000 {
			return
		}
		next := func() int {
			if len(program) == 0 {
				return 0
			}
			b := program[0]
			program = program[1:]
			return int(b)
		}
		g, other := graph.New(), graph.New()
		nodes := []*graph.Node{nil, other.Input("far", graph.Float32, 2)}
		dims := []graph.Dim{0, 1, 2, 3, -1, 1 << 62, -1 << 62, -1 << 63, graph.Symbol("a"), graph.Symbol("b")}
		node := func() *graph.Node { return nodes[next()%len(nodes)] }
		dim := func() graph.Dim { return dims[next()%len(dims)] }
		shape := func() (list []graph.Dim) {
			for n := next() % 4; n > 0; n-- {
				list = append(list, dim())
			}
			return list
		}
		dtype := func() graph.DType { return graph.DType(next() % 7) }
		name := func() string { return string(rune('a' + next()%5)) }
		for len(program) > 0 {
			var n *graph.Node
			switch next() % 10 {
			case 0:
				n = g.Input(name(), dtype(), shape()...)
			case 1:
				n = g.Param(name(), dtype(), graph.Zeros(), shape()...)
			case 2:
				n = g.Variable(name(), dtype(), graph.Init{}, shape()...)
			case 3:
				n = g.Constant([]any{nil, 1, 2.5, float32(1), []int32{1, 2}, "no", graph.Array{}, []bool{}}[next()%8])
			case 4:
				n = g.Full(dtype(), float64(next()))
			case 5:
				n = graph.Apply([]*graph.Def{nil, neg, scaled, typed, pair}[next()%5], []any{nil, 1, "s", &struct{}{}, graph.TypeOf(graph.Float32, dim())}[next()%5], node())
			case 6:
				n = g.Apply(add, nil, node(), node())
			case 7:
				n = g.Apply(typed, graph.TypeOf(dtype(), shape()...))
			case 8:
				d, e := dim(), dim()
				f := [...]graph.Dim{d.Add(e), d.Sub(e), d.Mul(e), d.FloorDiv(e), d.Max(e)}[next()%5]
				if len(f.String()) < 1000 {
					dims = append(dims, f)
				}
				_, _ = f.Eval(graph.Binding{graph.Symbol("a"): next(), graph.Symbol("b"): next()})
				continue
			case 9:
				_ = g.Assign(node(), node())
				n = node().Named(name())
			}
			nodes = append(nodes, n)
		}
		valid := map[*graph.Node]bool{}
		for _, n := range g.Nodes() {
			valid[n] = true
		}
		var roots []*graph.Node
		for _, n := range nodes {
			_, _, _ = n.String(), n.Label(), n.Pos().String()
			switch {
			case n.Err() != nil:
				if n.ID() != -1 {
					t.Fatalf("%v has id %d and error %v", n, n.ID(), n.Err())
				}
			case n.Graph() == g:
				if !valid[n] || g.Nodes()[n.ID()] != n {
					t.Fatalf("%v is valid but not in the graph", n)
				}
				for _, d := range n.Shape() {
					if !d.Valid() {
						t.Fatalf("%v has type %v", n, n.Type())
					}
				}
				roots = append(roots, n)
			}
		}
		if g.String() == "" && len(roots) > 0 || g.DOT(roots...) == "" || len(graph.Reachable(roots...)) > len(g.Nodes()) {
			t.Fatal("cannot be printed")
		}
		r := graph.Rebuild{Into: graph.New(), Rules: []graph.Rule{negNeg}}
		for i, m := range r.Run(roots...) {
			if m.Err() != nil || !m.Type().Identical(roots[i].Type()) {
				t.Fatalf("%v became %v: %v", roots[i], m, m.Err())
			}
		}
	})
}
