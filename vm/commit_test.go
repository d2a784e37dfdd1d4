package vm_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Which updates write the state themselves, and that all see the state before the step.
func TestCommitInPlace(t *testing.T) {
	for _, c := range []struct {
		name    string
		updates func(a, b, x *graph.Node) []graph.Update // a = 2, 3 and b = 5, 7 before; x = 1, 1
		inPlace []string
		a, b    []float64 // after two steps
	}{
		{"each its own", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: ops.Sub(a, x)}, {Target: b, Value: ops.Add(ops.Scale(b, 2), x)}}
		}, []string{"a", "b"}, []float64{0, 1}, []float64{23, 31}},
		{"one reads the other", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: ops.Sub(a, x)}, {Target: b, Value: ops.Add(ops.Scale(b, 2), a)}}
		}, nil, []float64{0, 1}, []float64{25, 36}},
		{"one reads the other's sum", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: ops.Sub(a, x)}, {Target: b, Value: ops.Add(ops.Scale(b, 2), ops.Sum(a))}}
		}, []string{"a", "b"}, []float64{0, 1}, []float64{33, 41}},
		{"each reads the other", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: ops.Add(ops.Neg(b), x)}, {Target: b, Value: ops.Add(ops.Scale(a, 2), x)}}
		}, nil, []float64{-4, -6}, []float64{-7, -11}},
		{"a swap", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: b}, {Target: b, Value: a}}
		}, nil, []float64{2, 3}, []float64{5, 7}},
		{"itself", func(a, b, x *graph.Node) []graph.Update {
			return []graph.Update{{Target: a, Value: a}}
		}, nil, []float64{2, 3}, []float64{5, 7}},
		{"a value with a reader", func(a, b, x *graph.Node) []graph.Update {
			sum := ops.Add(a, x)
			return []graph.Update{{Target: a, Value: sum}, {Target: b, Value: ops.Reshape(ops.Scale(ops.Reshape(sum, 1, 2), 10), 2)}}
		}, nil, []float64{4, 5}, []float64{40, 50}},
		{"itself turned round", func(a, b, x *graph.Node) []graph.Update {
			turned := ops.Reshape(ops.Transpose(ops.MatMul(ops.Reshape(a, 2, 1), ops.Reshape(x, 1, 2))), 2, 2)
			return []graph.Update{{Target: a, Value: ops.Add(ops.Sum(turned, 0), a)}}
		}, []string{"a"}, []float64{18, 27}, []float64{5, 7}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New()
			x := g.Input("x", graph.Float64, 2)
			of := func(v ...float64) graph.Init {
				return graph.Init{Name: "given", Fill: func(_ *rand.Rand, _ []int, dst []float64) { copy(dst, v) }}
			}
			a, b := g.Param("a", graph.Float64, of(2, 3), 2), g.Variable("b", graph.Float64, of(5, 7), 2)
			for _, without := range [][]string{nil, {"commit"}} {
				p := compile(t, vm.Spec{Updates: c.updates(a, b, x), Without: without})
				var inPlace []string
				for _, line := range strings.Split(p.String(), "\n")[1:] {
					if !strings.Contains(line, " = ") {
						continue
					}
					results, _, _ := strings.Cut(line, " = ")
					for _, name := range strings.FieldsFunc(results, func(r rune) bool { return strings.ContainsRune(" ,", r) }) {
						if name == "a" || name == "b" {
							inPlace = append(inPlace, name)
						}
					}
				}
				if without == nil && !slices.Equal(inPlace, c.inPlace) || without != nil && inPlace != nil {
					t.Errorf("in place without %v: %v, want %v\n%v", without, inPlace, c.inPlace, p)
				}
				s := newState(t, g)
				m := newMachine(t, p, s)
				if slices.Contains(p.Feeds(), x) {
					if err := m.Feed(x, []float64{1, 1}); err != nil {
						t.Fatal(err)
					}
				}
				run(t, m)
				run(t, m)
				for name, want := range map[string][]float64{"a": c.a, "b": c.b} {
					v, err := s.Get(name)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, v.Data()); diff != "" {
						t.Errorf("%s without %v: %v", name, without, diff)
					}
				}
			}
		})
	}
}
