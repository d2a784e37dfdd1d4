package vm_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// deep is a chain of layers of one width, each tanh(x·w + b) and dropout if p is not 0, in which every few-th result is marked.
type deep struct {
	g      *graph.Graph
	x      *graph.Node
	params []*graph.Node
	loss   *graph.Node
	grads  []*graph.Node
}

func newDeep(layers, every int, p float64) *deep {
	const width = 16
	d := &deep{g: graph.New()}
	d.x = d.g.Input("x", graph.Float32, graph.Symbol("batch"), width)
	key := ops.StepKey(d.g, "key")
	y := d.x
	for i := range layers {
		w := d.g.Param(fmt.Sprintf("%d.weight", i), graph.Float32, graph.Init{Name: "waves", Fill: func(_ *rand.Rand, _ []int, dst []float64) {
			for k := range dst {
				dst[k] = 0.4 * math.Sin(float64(k*k+i))
			}
		}}, width, width)
		b := d.g.Param(fmt.Sprintf("%d.bias", i), graph.Float32, graph.Full(0.1), width)
		d.params = append(d.params, w, b)
		y = ops.Tanh(ops.Affine(y, w, b))
		if p > 0 {
			y = ops.Dropout(y, p, key)
		}
		if every > 0 && i%every == every-1 && i < layers-1 {
			y = ops.Checkpoint(y)
		}
	}
	d.loss = ops.Mean(ops.Square(y))
	d.grads = autodiff.Grad(d.loss, d.params...)
	return d
}

// run trains three steps and returns the bits of all gradients and parameters, and the peak memory at 2048 rows.
func (d *deep) run(t *testing.T, without ...string) (bits string, peak int, p *vm.Program) {
	t.Helper()
	var updates []graph.Update
	for i, w := range d.params {
		updates = append(updates, graph.Update{Target: w, Value: ops.Sub(w, ops.Scale(d.grads[i], 0.5))})
	}
	outputs := append([]*graph.Node{d.loss}, d.grads...)
	p, err := vm.Compile(vm.Spec{Outputs: outputs, Updates: updates, Mode: vm.Train, Without: without})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(d.g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	x := graph.NewArray(graph.Float32, 33, 16)
	for i := range x.Len() {
		x.SetAt(i, math.Cos(float64(i)))
	}
	if err := m.Feed(d.x, x); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for range 3 {
		run(t, m)
		for _, n := range outputs {
			v, err := m.Value(n)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := graph.ArrayOf(v)
			b.Write(a.Bytes())
		}
	}
	fmt.Fprint(&b, s.Snapshot())
	peak, err = p.Memory(graph.Binding{graph.Symbol("batch"): 2048})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), peak, p
}

// A chain of 100 layers with every tenth marked: the peak falls to about that of 2·√100 layers, and every bit is as without the
// pass, and as without marks. With dropout the masks are drawn again, so they too need not be kept.
func TestCheckpointsTradeMemoryForTime(t *testing.T) {
	for _, dropout := range []float64{0, 0.25} {
		unmarked, before, _ := newDeep(100, 0, dropout).run(t)
		marked := newDeep(100, 10, dropout)
		kept, alsoBefore, _ := marked.run(t, "rematerialise")
		bits, after, p := marked.run(t)
		if bits != unmarked || bits != kept {
			t.Errorf("dropout %v: other bits than without marks, or than without the pass", dropout)
		}
		again := strings.Count(p.String(), "again")
		t.Logf("dropout %v: %d bytes at 2048 rows unmarked, %d marked; %d of %d instructions are repetitions", dropout, before, after, again, p.Len())
		layer := 2048 * 16 * 4
		if before < 100*layer || alsoBefore < 100*layer {
			t.Errorf("dropout %v: %d bytes without, %d with marks but not the pass: less than 100 layers", dropout, before, alsoBefore)
		}
		gradients := 100 * (16*16 + 16) * 4
		perLayer := 1
		if dropout > 0 {
			perLayer = 3 // the activation, the result of dropout, and its random numbers
		}
		if most := (10+10*perLayer+4)*layer + 2*gradients; after > most {
			t.Errorf("dropout %v: %d bytes with marks, want at most %d", dropout, after, most)
		}
		if again == 0 || again > p.Len()/2 {
			t.Errorf("dropout %v: %d of %d instructions are repetitions", dropout, again, p.Len())
		}
	}
}

// The peak grows as the square root of the depth, where it grew as the depth.
func TestMemoryGrowsAsTheRoot(t *testing.T) {
	_, small, _ := newDeep(25, 5, 0).run(t)
	_, large, _ := newDeep(100, 10, 0).run(t)
	gradients := func(layers int) int { return layers * (16*16 + 16) * 4 }
	if ratio := float64(large-gradients(100)) / float64(small-gradients(25)); ratio > 2.2 {
		t.Errorf("four times the depth takes %.2f times the memory", ratio)
	}
}

// What acts outside the tape acts once, and what the commit phase reads is kept for it; an unused mark, one of a leaf, and one under a mode that is not compiled change nothing.
func TestMarksOfOtherThings(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 4)
	y := ops.Print(ops.Exp(ops.Checkpoint(x)), "once")
	ops.Checkpoint(ops.Sin(y))
	v := g.Variable("v", graph.Float64, graph.Zeros())
	early := ops.Softmax(y, 0)
	w := g.Variable("w", graph.Float64, graph.Zeros(), 1)
	for _, u := range [][2]*graph.Node{{v, ops.Max(early)}, {w, ops.Reshape(ops.Sum(early), 1)}} { // two programs in the commit phase
		if err := g.Assign(u[0], ops.Add(ops.Scale(u[0], 0.5), u[1])); err != nil {
			t.Fatal(err)
		}
	}
	y = ops.Add(ops.Add(ops.Square(early), v), w)
	z := ops.ByMode(ops.Checkpoint(ops.Tanh(y)), ops.Tanh(y))
	z = ops.Tanh(ops.Checkpoint(ops.Sin(ops.Reshape(ops.Sin(z), 2, 2))))
	dx := autodiff.Grad(ops.Sum(z), x)[0]
	var want string
	for _, without := range [][]string{{"rematerialise"}, nil} {
		p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{dx}, Mode: vm.Train, Without: without})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := vm.NewState(g, 1)
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		m.Stdout = &printed
		if err := m.Feed(x, []float64{0.1, -0.2, 0.3, 2}); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		d, _ := m.Value(dx)
		if got := fmt.Sprint(d.Float64s(), s.Snapshot()); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%s, without the pass %s\n%v", got, want, p)
		}
		if n := strings.Count(printed.String(), "once"); n != 1 {
			t.Errorf("printed %d times\n%v", n, p)
		}
	}
}

// Random graphs with random marks: the same bits with the pass and without it.
func TestRandomMarks(t *testing.T) {
	repeated := 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float32, plain, 1, 20)
		marks := graph.Rebuild{Replace: func(n *graph.Node, in []*graph.Node) *graph.Node {
			if n.Def() == nil || !n.DType().IsFloat() || rapid.IntRange(0, 3).Draw(t, "mark") > 0 {
				return nil
			}
			return ops.Checkpoint(r.g.Apply(n.Def(), n.Attr(), in...))
		}}
		loss := marks.Run(r.loss())[0]
		wanted := append([]*graph.Node{loss}, autodiff.Options{AllowUnused: true}.Grad(loss, r.leaves...)...)
		plain, err := r.machine(wanted, []string{"rematerialise"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.machine(wanted, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, refused := r.run(plain)
		got, err := r.run(m)
		if (err != nil) != (refused != nil) {
			t.Fatalf("%v; without the pass %v", err, refused)
		}
		for i := range got {
			if !bytes.Equal(got[i].Bytes(), want[i].Bytes()) {
				t.Fatalf("%v: other bits than without the pass\n%v", wanted[i], m.Program())
			}
		}
		repeated += strings.Count(m.Program().String(), "again")
	})
	if repeated == 0 {
		t.Error("nothing was computed again in any graph")
	}
}
