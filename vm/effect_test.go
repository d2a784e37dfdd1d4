package vm_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// Print writes one line a run, in the order of the tape, of any element type, if its result is used; the value passes unchanged.
func TestPrint(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 2)
	ops.Print(x, "nobody reads this")
	y := ops.Print(ops.Exp(ops.Print(x, "x")), "exp")
	sum := ops.Print(ops.Sum(y), "sum")
	flags := ops.Print(ops.Less(x, y), "less")
	count := ops.Print(ops.ArgMax(x, 1), "which")
	dx := autodiff.Grad(sum, x)[0]
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{sum, flags, count, dx}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m.Stdout = &out
	for _, c := range []struct {
		rows int
		want string
	}{
		{1, "x: float32(1, 2) [0 0]\nexp: float32(1, 2) [1 1]\nsum: float32 2\nless: bool(1, 2) [true true]\nwhich: int64(1) [0]\n"},
		{5, "x: float32(5, 2) [0 0 0 0 0 0 0 0 …]\nexp: float32(5, 2) [1 1 1 1 1 1 1 1 …]\nsum: float32 10\nless: bool(5, 2) [true true true true true true true true …]\nwhich: int64(5) [0 0 0 0 0]\n"},
		{0, "x: float32(0, 2) []\nexp: float32(0, 2) []\nsum: float32 0\nless: bool(0, 2) []\nwhich: int64(0) []\n"},
	} {
		out.Reset()
		if err := m.Feed(x, graph.NewArray(graph.Float32, c.rows, 2)); err != nil {
			t.Fatal(err)
		}
		run(t, m)
		if out.String() != c.want {
			t.Errorf("printed\n%swant\n%s", &out, c.want)
		}
	}
}

// refusing is a writer that cannot be written to.
type refusing struct{}

var errRefused = errors.New("no space left")

func (refusing) Write([]byte) (int, error) { return 0, errRefused }

// An assertion that does not hold and a line that cannot be printed end the run with the user's line, and nothing is committed; the
// machine goes on when they hold.
func TestAssert(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, graph.Symbol("batch"), 2)
	v := g.Variable("v", graph.Float64, graph.Zeros())
	positive := ops.Assert(ops.Less(g.Full(graph.Float64, 0), x), x, "x must be positive")
	y := ops.Print(ops.Sum(ops.Log(positive)), "y")
	if err := g.Assign(v, y); err != nil {
		t.Fatal(err)
	}
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{ops.Add(y, v), autodiff.Grad(y, x)[0]}, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		x       []float64
		refuse  bool
		says    []string
		version uint64
	}{
		{[]float64{1, 2, 3, -4}, false, []string{"effect_test.go:", "assert(less(…, x), x): x must be positive (element [1 1] of [2 2])"}, 0},
		{[]float64{1, 2}, true, []string{"effect_test.go:", "no space left"}, 0},
		{[]float64{1, 2}, false, nil, 1},
		{[]float64{0, 2}, false, []string{"x must be positive (element [0 0] of [1 2])"}, 1},
		{[]float64{1, 2, 3, 4}, false, nil, 2},
	} {
		m.Stdout = &bytes.Buffer{}
		if c.refuse {
			m.Stdout = refusing{}
		}
		if err := m.Feed(x, dense([]int{len(c.x) / 2, 2}, c.x)); err != nil {
			t.Fatal(err)
		}
		err := m.Run(context.Background())
		if (err == nil) != (c.says == nil) || c.refuse && !errors.Is(err, errRefused) || c.says != nil && !c.refuse && !errors.Is(err, graph.ErrValue) {
			t.Errorf("run %d: %v", i, err)
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("run %d: %v; want %q", i, err, want)
			}
		}
		if s.Version() != c.version {
			t.Errorf("run %d: the state has version %d, want %d", i, s.Version(), c.version)
		}
	}
}

// Printing in a loop allocates nothing.
func TestPrintAllocatesNothing(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 100)
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{ops.Print(ops.Exp(x), strings.Repeat("long ", 50))}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := vm.NewState(g, 1)
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float64, 100)
	for i := range values {
		values[i] = -1.2345678901234567e-300
	}
	if err := m.Feed(x, dense([]int{100}, values)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m.Stdout = &out
	run(t, m)
	out.Grow(1 << 16)
	if n := testing.AllocsPerRun(10, func() { _ = m.Run(context.Background()) }); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}
