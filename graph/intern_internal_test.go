package graph

import (
	"testing"

	"pgregory.net/rapid"
)

// Expressions whose hashes collide stay apart, and are still found: here all of them have the same hash.
func TestHashesThatCollide(t *testing.T) {
	f32, f64 := TypeOf(Float32, 2), TypeOf(Float64, 2)
	defs := []*Def{{Name: "f"}, {Name: "f"}}
	rapid.Check(t, func(t *rapid.T) {
		g := New()
		x, y := g.Input("x", Float32, 2), g.Input("y", Float32, 2)
		type expression struct {
			def   int
			attr  int32
			wide  bool // the attribute's Go type, and the node's type
			a, b  int
			arity int
		}
		known := map[expression]*Node{}
		operands := []*Node{x, y}
		g.prepare()
		for i := 0; i < 60; i++ {
			e := expression{
				def: rapid.IntRange(0, 1).Draw(t, "def"), attr: rapid.Int32Range(0, 1).Draw(t, "attr"), wide: rapid.Bool().Draw(t, "wide"),
				a: rapid.IntRange(0, 1).Draw(t, "a"), b: rapid.IntRange(0, 1).Draw(t, "b"), arity: rapid.IntRange(0, 2).Draw(t, "arity"),
			}
			n := &Node{graph: g, def: defs[e.def], attr: e.attr, typ: f32, in: []*Node{operands[e.a], operands[e.b]}[:e.arity]}
			if e.wide {
				n.attr, n.typ = int64(e.attr), f64
			}
			if e.arity < 2 {
				e.b = 0
			}
			if e.arity < 1 {
				e.a = 0
			}
			n.key, _ = encodeAttr(n.attr)
			m := g.internAt(7, n)
			if before := known[e]; before != nil && before != m || before == nil && m != n {
				t.Fatalf("%+v became node %d", e, m.id)
			}
			known[e] = m
		}
		if len(g.nodes) != 2+len(known) {
			t.Fatalf("%d expressions, %d nodes", len(known), len(g.nodes)-2)
		}
	})
}
