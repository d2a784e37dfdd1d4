package vm_test

import (
	"bytes"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// A value with one element for each row has a last dimension of its own: what works along that must not see it cut into blocks.
func TestRowsOfAnotherLength(t *testing.T) {
	for name, of := range map[string]func(x, b *graph.Node) *graph.Node{
		"softmax of sums":    func(x, _ *graph.Node) *graph.Node { return ops.Softmax(ops.Sum(x, -1), -1) },
		"softmax of largest": func(x, _ *graph.Node) *graph.Node { return ops.Softmax(ops.Max(x, -1), -1) },
		"bias of sums":       func(x, b *graph.Node) *graph.Node { return ops.Mul(ops.Sum(ops.Exp(x), -1), b) },
		"bias of largest":    func(x, b *graph.Node) *graph.Node { return ops.Mul(ops.Max(x, -1), b) },
		"columns of largest": func(x, b *graph.Node) *graph.Node { return ops.Sub(ops.Max(x, -1), ops.MaxKeep(ops.Max(x, -1), -1)) },
		"bias of two axes":   func(x, b *graph.Node) *graph.Node { return ops.Softmax(ops.Mul(ops.Exp(x), ops.Reshape(b, 3, 1)), -1) },
		"matrix bias": func(x, b *graph.Node) *graph.Node {
			return ops.Softmax(ops.Mul(ops.Exp(x), ops.BroadcastTo(ops.Reshape(b, 3, 1), 3, 8)), -1)
		},
		"matrix after": func(x, b *graph.Node) *graph.Node {
			return ops.Mul(ops.Softmax(x, -1), ops.Exp(ops.Add(ops.Reshape(b, 3, 1), ops.Reshape(ops.Arange(b.Graph(), graph.Float32, 0, 8, 1), 1, 8))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := graph.New()
			x, b := g.Input("x", graph.Float32, graph.Symbol("batch"), 3, 8), g.Input("b", graph.Float32, 3)
			y := of(x, b)
			if y.Err() != nil {
				t.Fatal(y.Err())
			}
			var got [2]graph.Array
			for i, without := range [][]string{nil, {"rows"}} {
				p := compile(t, vm.Spec{Outputs: []*graph.Node{y}, Without: without})
				m := newMachine(t, p, newState(t, g))
				for _, n := range p.Feeds() {
					a := graph.NewArray(graph.Float32, 5, 3, 8)
					if n == b {
						a = graph.NewArray(graph.Float32, 3)
					}
					for k := range a.Len() {
						a.SetAt(k, float64(k*7%29)/8-1)
					}
					if err := m.Feed(n, a); err != nil {
						t.Fatal(err)
					}
				}
				run(t, m)
				got[i] = arrayOf(t, m, y)
			}
			if !bytes.Equal(got[0].Bytes(), got[1].Bytes()) {
				t.Error("differs from what instructions by themselves compute")
			}
		})
	}
}
