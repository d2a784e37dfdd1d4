package vm_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// scheduleCases are programs and the share of memory that the schedule must leave of them at least; 1: none of it can be saved.
var scheduleCases = []struct {
	name  string
	most  float64
	build func(g *graph.Graph, x *graph.Node) vm.Spec // x: (n, 64)
}{
	{"a deep network, training", 1, func(g *graph.Graph, x *graph.Node) vm.Spec { return training(g, x, layers(12)) }},
	{"a deep network, inference", 1, func(g *graph.Graph, x *graph.Node) vm.Spec {
		return vm.Spec{Outputs: []*graph.Node{nn.Build(g, layers(12), x)}}
	}},
	{"residuals, training", 1, func(g *graph.Graph, x *graph.Node) vm.Spec {
		var model nn.Sequential
		for range 6 {
			model = append(model, &nn.Residual{Body: nn.Sequential{&nn.Linear{Out: 64}, nn.Tanh, &nn.Linear{Out: 64}}})
		}
		return training(g, x, model)
	}},
	{"branches, written side by side", 0.3, func(g *graph.Graph, x *graph.Node) vm.Spec {
		var wide, sums []*graph.Node
		for i := range 8 {
			wide = append(wide, ops.MatMul(x, g.Param(fmt.Sprint("w", i), graph.Float32, graph.Full(0.1), 64, 1024)))
		}
		for _, h := range wide {
			sums = append(sums, ops.Max(h, 1))
		}
		return vm.Spec{Outputs: []*graph.Node{ops.AddN(sums...)}}
	}},
	{"branches of branches", 0.6, func(g *graph.Graph, x *graph.Node) vm.Spec {
		level := []*graph.Node{x}
		for depth := range 3 {
			var next []*graph.Node
			for k, h := range level {
				for side := range 2 {
					next = append(next, ops.MatMul(h, g.Param(fmt.Sprint("w", depth, k, side), graph.Float32, graph.Full(0.1), h.Shape()[1], 256)))
				}
			}
			level = next
		}
		var sums []*graph.Node
		for _, h := range level {
			sums = append(sums, ops.Max(h, 1))
		}
		return vm.Spec{Outputs: []*graph.Node{ops.AddN(sums...)}}
	}},
	{"heads of one trunk, training", 0.95, func(g *graph.Graph, x *graph.Node) vm.Spec {
		scope := nn.Root(g, "")
		trunk := scope.Apply("trunk", nn.Sequential{&nn.Linear{Out: 128}, nn.ReLU}, x)
		var heads []*graph.Node
		for i := range 6 {
			heads = append(heads, ops.Mean(ops.Square(scope.Apply(fmt.Sprint("head", i), nn.Sequential{&nn.Linear{Out: 512}, nn.Tanh, &nn.Linear{Out: 1}}, trunk))))
		}
		loss := ops.AddN(heads...)
		return vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.SGD{}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...)), Mode: vm.Train}
	}},
}

func layers(n int) (model nn.Sequential) {
	for range n {
		model = append(model, &nn.Linear{Out: 64}, nn.ReLU)
	}
	return model
}

func training(g *graph.Graph, x *graph.Node, model nn.Layer) vm.Spec {
	loss := losses.MSE(nn.Build(g, model, x), x)
	return vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.Adam{}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...)), Mode: vm.Train}
}

// The schedule lowers the peak of programs that branch, leaves alone what it cannot help, and never changes a bit.
func TestSchedule(t *testing.T) {
	for _, c := range scheduleCases {
		g, n := graph.New(), graph.Symbol("n")
		x := g.Input("x", graph.Float32, n, 64)
		spec := c.build(g, x)
		with := compile(t, spec)
		spec.Without = []string{"schedule"}
		without := compile(t, spec)
		for _, batch := range []int{1, 32, 500} {
			a, err := with.Memory(graph.Binding{n: batch})
			if err != nil {
				t.Fatal(err)
			}
			b, err := without.Memory(graph.Binding{n: batch})
			if err != nil {
				t.Fatal(err)
			}
			bound, err := with.LowerBound(graph.Binding{n: batch})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%-32s batch %3d: %8d bytes, %8d as written: %.2f; at least %d", c.name, batch, a, b, float64(a)/float64(b), bound)
			if share := float64(a) / float64(b); batch > 1 && share > c.most {
				t.Errorf("%s, batch %d: %d bytes, %d as written", c.name, batch, a, b)
			}
		}
		feed := graph.NewArray(graph.Float32, 5, 64)
		for i := range feed.Len() {
			feed.SetAt(i, float64(i%17)/8-1)
		}
		var results [2]graph.Array
		for i, p := range []*vm.Program{with, without} {
			m := newMachine(t, p, newState(t, g))
			for range 2 {
				if err := m.Feed(x, feed); err != nil {
					t.Fatal(err)
				}
				run(t, m)
			}
			results[i] = arrayOf(t, m, spec.Outputs[0])
		}
		if !bytes.Equal(results[0].Bytes(), results[1].Bytes()) {
			t.Errorf("%s: another order gives other bits", c.name)
		}
	}
}

// Effects keep the order they were written in.
func TestScheduleKeepsEffectsInOrder(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("n"), 64)
	big := ops.Print(ops.MatMul(x, g.Param("w", graph.Float32, graph.Full(1), 64, 512)), "first")
	small := ops.Print(ops.Sum(x), "second")
	p := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Max(big), small}})
	m := newMachine(t, p, newState(t, g))
	var out bytes.Buffer
	m.Stdout = &out
	if err := m.Feed(x, graph.NewArray(graph.Float32, 2, 64)); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	if first, second := bytes.Index(out.Bytes(), []byte("first")), bytes.Index(out.Bytes(), []byte("second")); first < 0 || second < first {
		t.Errorf("printed %q", out.String())
	}
}
