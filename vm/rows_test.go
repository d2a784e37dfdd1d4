package vm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// rowsCase is an expression of which the instructions work on each row by itself.
type rowsCase struct {
	name string
	of   func(x, scale, shift *graph.Node) *graph.Node
	want string // the tape's only instruction
}

var rowsCases = []rowsCase{
	{"layer normalisation", func(x, scale, shift *graph.Node) *graph.Node { return ops.LayerNorm(x, 1, scale, shift, 1e-5) },
		"rows(x, 1e-05, scale, shift) mean; sub+mul+mean; add+sqrt; div+mul+add"},
	{"root mean square normalisation", func(x, scale, _ *graph.Node) *graph.Node { return ops.RMSNorm(x, 1, scale, 1e-5) },
		"rows(x, 1e-05, scale) mul+mean; add+sqrt; div+mul"},
	{"softmax of a temperature", func(x, scale, _ *graph.Node) *graph.Node { return ops.Mul(ops.Softmax(ops.Scale(x, 3), -1), scale) },
		"rows(x, 3, scale) mul; softmax; mul"},
	{"largest", func(x, _, _ *graph.Node) *graph.Node { return ops.Sub(x, ops.MaxKeep(x, -1)) },
		"rows(x) max; sub"},
}

// One instruction for all, the same bits as several, in either type, for any number of rows, of matrices and of sequences, and for
// their gradients.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range rowsCases {
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
			for _, lead := range [][]graph.Dim{{graph.Symbol("batch")}, {graph.Symbol("batch"), graph.Symbol("time")}, {graph.Symbol("batch"), 3}} {
				const width = 70
				g := graph.New()
				x := g.Input("x", dtype, append(slices.Clone(lead), width)...)
				scale, shift := g.Input("scale", dtype, width), g.Input("shift", dtype, width)
				y := c.of(x, scale, shift)
				p := compile(t, vm.Spec{Outputs: []*graph.Node{y}})
				if got := operations(p); len(got) != 1 || got[0] != c.want {
					t.Fatalf("%s: %q, want %q\n%v", c.name, got, c.want, p)
				}
				weights := g.Input("weights", dtype, append(slices.Clone(lead), width)...)
				all := []*graph.Node{y, autodiff.Grad(ops.Sum(ops.Mul(y, weights)), x)[0]}
				one := compile(t, vm.Spec{Outputs: all})
				several := compile(t, vm.Spec{Outputs: all, Without: []string{"rows"}})
				if one.Len() >= several.Len() {
					t.Errorf("%s: %d instructions, %d without the pass\n%v", c.name, one.Len(), several.Len(), one)
				}
				m, plain := newMachine(t, one, newState(t, g)), newMachine(t, several, newState(t, g))
				m.PoisonDead = true
				for _, rows := range [][]int{{7, 5}, {1, 1}, {0, 4}, {700, 2}, {3, 9}} {
					shape := append(slices.Clone(rows[:len(lead)]), width)
					if lead[len(lead)-1] == 3 {
						shape[1] = 3
					}
					draw := func(shape ...int) graph.Array {
						a := graph.NewArray(dtype, shape...)
						for i := range a.Len() {
							a.SetAt(i, rng.NormFloat64())
						}
						return a
					}
					feeds := vm.Feeds{x: draw(shape...), scale: draw(width), shift: draw(width), weights: draw(shape...)}
					for _, m := range []*vm.Machine{m, plain} {
						for _, n := range m.Program().Feeds() {
							if err := m.Feed(n, feeds[n]); err != nil {
								t.Fatal(err)
							}
						}
						run(t, m)
					}
					for _, n := range all {
						a, b := arrayOf(t, m, n), arrayOf(t, plain, n)
						if !bytes.Equal(a.Bytes(), b.Bytes()) {
							t.Errorf("%s, %v%v: %v differs from what instructions by themselves compute", c.name, dtype, shape, n)
						}
					}
				}
			}
		}
	}
}

func arrayOf(t *testing.T, m *vm.Machine, n *graph.Node) graph.Array {
	t.Helper()
	v, err := m.Value(n)
	if err != nil {
		t.Fatal(err)
	}
	a, err := graph.ArrayOf(v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What only members read needs no place for all rows, and a result may take an operand's.
func TestRowsNeedLittleMemory(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 256)
	scale := g.Param("scale", graph.Float32, graph.Full(1), 256)
	h := ops.Tanh(ops.MatMul(x, g.Param("w", graph.Float32, graph.Full(0.01), 256, 256)))
	y := ops.LayerNorm(h, 1, scale, scale, 1e-5)
	spec := vm.Spec{Outputs: []*graph.Node{y}}
	batch := graph.Binding{graph.Symbol("batch"): 1000}
	with, err := compile(t, spec).Memory(batch)
	if err != nil {
		t.Fatal(err)
	}
	if one := 1000 * 256 * 4; with > one+1000*4 {
		t.Errorf("%d bytes for a value of %d that could be normalised in place\n%s", with, one, compile(t, spec).Format(batch))
	}
}

// Rows that are too long for a block, or of a length that is not known, and values that are read in another way stay by themselves.
func TestWhatIsNoRow(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	for name, x := range map[string]*graph.Node{"unknown": g.Input("unknown", graph.Float32, n, graph.Symbol("m")), "long": g.Input("long", graph.Float32, n, 1<<14)} {
		if p := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Softmax(ops.Scale(x, 3), 1)}}); p.Len() != 2 {
			t.Errorf("%s:\n%v", name, p)
		}
	}
	x := g.Input("x", graph.Float32, n, 8)
	turned := ops.Softmax(ops.Reshape(ops.Exp(x), 8, n), 1)
	columns := ops.Softmax(ops.Exp(x), 0)
	if p := compile(t, vm.Spec{Outputs: []*graph.Node{turned, columns}}); strings.Contains(p.String(), "rows(") {
		t.Errorf("\n%v", p)
	}
}

func BenchmarkRows(b *testing.B) {
	for _, size := range [][2]int{{64, 64}, {512, 1024}, {4096, 1024}} {
		g := graph.New()
		x := g.Input("x", graph.Float32, graph.Symbol("batch"), graph.Dim(size[1]))
		scale, shift := g.Param("scale", graph.Float32, graph.Full(1), graph.Dim(size[1])), g.Param("shift", graph.Float32, graph.Zeros(), graph.Dim(size[1]))
		y := ops.LayerNorm(x, 1, scale, shift, 1e-5)
		dx := autodiff.Grad(ops.Sum(ops.Mul(y, x)), x)[0]
		for _, c := range []struct {
			name    string
			without []string
		}{{"rows", nil}, {"by themselves", []string{"rows"}}} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], c.name), func(b *testing.B) {
				m := newMachine(b, compile(b, vm.Spec{Outputs: []*graph.Node{y, dx}, Without: c.without}), newState(b, g))
				m.Workers = 1
				a := graph.NewArray(graph.Float32, size[0], size[1])
				for i := range a.Len() {
					a.SetAt(i, float64(i%29)/16-1)
				}
				if err := m.Feed(x, a); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					run(b, m)
				}
			})
		}
	}
}
