package vm_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// shapesOfNetworks are graphs of the shapes that networks have: each makes a value of x, batch rows of 32.
var shapesOfNetworks = []struct {
	name string
	of   func(g *graph.Graph, x *graph.Node) *graph.Node
}{
	{"mlp 2", func(g *graph.Graph, x *graph.Node) *graph.Node { return perceptron(g, x, 64, 10) }},
	{"mlp 3", func(g *graph.Graph, x *graph.Node) *graph.Node { return perceptron(g, x, 256, 128, 10) }},
	{"mlp 6", func(g *graph.Graph, x *graph.Node) *graph.Node { return perceptron(g, x, 64, 96, 48, 24, 12, 6) }},
	{"mlp 12", func(g *graph.Graph, x *graph.Node) *graph.Node {
		return perceptron(g, x, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 4)
	}},
	{"residual", func(g *graph.Graph, x *graph.Node) *graph.Node {
		for i := range 6 {
			x = ops.Add(x, linear(g, ops.Tanh(linear(g, x, fmt.Sprint(i, "a"), 64)), fmt.Sprint(i, "b"), 32))
		}
		return x
	}},
	{"u-net", func(g *graph.Graph, x *graph.Node) *graph.Node {
		var skips []*graph.Node
		for i, width := range []int{128, 64, 32, 16} {
			x = ops.ReLU(linear(g, x, fmt.Sprint("down", i), width))
			skips = append(skips, x)
		}
		for i := range skips {
			skip := skips[len(skips)-1-i]
			x = ops.ReLU(linear(g, ops.Concat(1, x, skip), fmt.Sprint("up", i), int(skip.Shape()[1])))
		}
		return linear(g, x, "out", 4)
	}},
	{"branches, depth first", func(g *graph.Graph, x *graph.Node) *graph.Node { return inception(g, x, true) }},
	{"branches, side by side", func(g *graph.Graph, x *graph.Node) *graph.Node { return inception(g, x, false) }},
	{"heads", func(g *graph.Graph, x *graph.Node) *graph.Node { // attention of the rows to each other
		var q, k, v, out []*graph.Node
		for h := range 4 {
			q = append(q, linear(g, x, fmt.Sprint("q", h), 8))
			k = append(k, linear(g, x, fmt.Sprint("k", h), 8))
			v = append(v, linear(g, x, fmt.Sprint("v", h), 8))
		}
		var scores []*graph.Node
		for h := range q {
			scores = append(scores, ops.Softmax(ops.MatMul(q[h], ops.Transpose(k[h])), -1))
		}
		for h := range q {
			out = append(out, ops.MatMul(scores[h], v[h]))
		}
		return linear(g, ops.Concat(1, out...), "out", 32)
	}},
	{"fan-out, reduced", func(g *graph.Graph, x *graph.Node) *graph.Node {
		var wide, parts []*graph.Node
		for i := range 8 {
			wide = append(wide, linear(g, x, fmt.Sprint("wide", i), 256))
		}
		for i, w := range wide {
			parts = append(parts, linear(g, ops.Tanh(w), fmt.Sprint("part", i), 2))
		}
		return ops.Concat(1, parts...)
	}},
}

func linear(g *graph.Graph, x *graph.Node, name string, out int) *graph.Node {
	in := int(x.Shape()[1])
	w := g.Param(name+".weight", graph.Float32, initializers.Normal(1/math.Sqrt(float64(in))), graph.Dim(in), graph.Dim(out))
	return ops.Affine(x, w, g.Param(name+".bias", graph.Float32, graph.Full(0.1), graph.Dim(out)))
}

func perceptron(g *graph.Graph, x *graph.Node, widths ...int) *graph.Node {
	for i, width := range widths {
		if x = linear(g, x, fmt.Sprint(i), width); i < len(widths)-1 {
			x = ops.ReLU(x)
		}
	}
	return x
}

// inception has branches of three layers each, written one after the other or layer by layer.
func inception(g *graph.Graph, x *graph.Node, depthFirst bool) *graph.Node {
	const branches = 6
	ends := make([]*graph.Node, branches)
	grow := func(i, depth int) {
		if depth == 0 {
			ends[i] = x
		}
		ends[i] = ops.ReLU(linear(g, ends[i], fmt.Sprint(i, ".", depth), []int{128, 64, 8}[depth]))
	}
	for a := range branches {
		for b := range 3 {
			if depthFirst {
				grow(a, b)
			}
		}
	}
	for b := range 3 {
		for a := range branches {
			if !depthFirst {
				grow(a, b)
			}
		}
	}
	return ops.Concat(1, ends...)
}

// In no network, for inference or training, does the schedule raise what must be alive at once where it compares orders; at
// batch 1, where it does not, copies and rounding to cache lines may cost a hundredth.
func TestMemoryOfNetworks(t *testing.T) {
	for _, c := range shapesOfNetworks {
		for _, use := range []string{"inference", "sgd", "adam"} {
			g, batch := graph.New(), graph.Symbol("batch")
			y := c.of(g, g.Input("x", graph.Float32, batch, 32))
			spec := vm.Spec{Outputs: []*graph.Node{y}}
			if use != "inference" {
				loss := ops.Mean(ops.Square(y))
				grads := autodiff.Grad(loss, g.Params()...)
				spec = vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.SGD{}.Updates(g.Params(), grads), Mode: vm.Train}
				if use == "adam" {
					spec.Updates = optim.Adam{}.Updates(g.Params(), grads)
				}
			}
			scheduled := compile(t, spec)
			spec.Without = []string{"schedule"}
			written := compile(t, spec)
			for _, rows := range []int{1, 16, 128, 1024} {
				b := graph.Binding{batch: rows}
				least, bytes := boundAndMemory(t, scheduled, b)
				before, bytesBefore := boundAndMemory(t, written, b)
				t.Logf("%-22s %-9s batch %3d: at least %8d bytes, %8d as written: %.2f; planned %.3f, %.3f as written", c.name, use, rows, least, before,
					float64(least)/float64(before), float64(bytes)/float64(least), float64(bytesBefore)/float64(before))
				if least > before && (rows > 1 || 100*least > 101*before) {
					t.Errorf("%s, %s, batch %d: the schedule needs at least %d bytes, the written order %d", c.name, use, rows, least, before)
				}
			}
		}
	}
}

// Nor does it in random graphs.
func TestScheduleNeverRaisesThePeakOfRandomGraphs(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float32, plain, 5, 30)
		spec := vm.Spec{Outputs: []*graph.Node{r.loss()}, Mode: r.mode}
		scheduled, err := vm.Compile(spec)
		if err != nil {
			t.Skip(err)
		}
		spec.Without = []string{"schedule"}
		written, err := vm.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{16, 128, 1024} {
			b := graph.Binding{}
			for d := range r.size {
				b[d] = size
			}
			least, err := scheduled.LowerBound(b)
			if err != nil { // sizes that make no sense here
				continue
			}
			before, err := written.LowerBound(b)
			if err != nil {
				t.Fatal(err)
			}
			if least > before {
				t.Errorf("at %d the schedule needs at least %d bytes, the written order %d:\n%v\n%v", size, least, before, scheduled, written)
			}
			if least < before {
				changed++
			}
		}
	})
	if changed == 0 {
		t.Error("no graph needs less memory: nothing was tested")
	}
	t.Logf("%d peaks are lower", changed)
}

func boundAndMemory(t *testing.T, p *vm.Program, b graph.Binding) (least, bytes int) {
	t.Helper()
	least, err := p.LowerBound(b)
	if err != nil {
		t.Fatal(err)
	}
	if bytes, err = p.Memory(b); err != nil {
		t.Fatal(err)
	}
	return least, bytes
}

// A perceptron of any depth, batch and float type needs at most a tenth more than what is alive at once.
func TestMemoryOfPerceptrons(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for layers := 2; layers <= 12; layers += 2 {
			for name, width := range map[string]func(i int) int{
				"even":    func(int) int { return 64 },
				"narrows": func(i int) int { return 400 / (i + 1) },
				"waist":   func(i int) int { return 16 + 24*max(i-layers/2, layers/2-i) },
			} {
				var widths []int
				for i := range layers + 1 {
					widths = append(widths, width(i))
				}
				n := newNetwork(dtype, nn.ReLU, widths...)
				grads := autodiff.Grad(n.loss, n.params...)
				for use, spec := range map[string]vm.Spec{
					"inference": {Outputs: []*graph.Node{n.logits}},
					"sgd":       {Outputs: []*graph.Node{n.loss}, Updates: optim.SGD{}.Updates(n.params, grads), Mode: vm.Train},
					"adam":      {Outputs: []*graph.Node{n.loss}, Updates: optim.Adam{}.Updates(n.params, grads), Mode: vm.Train},
				} {
					p := compile(t, spec)
					for _, rows := range []int{1, 7, 64, 1000} {
						least, bytes := boundAndMemory(t, p, graph.Binding{n.batch: rows})
						if bytes < least || 10*bytes > 11*least {
							t.Errorf("%v, %d layers, %s, %s, batch %d: %d bytes, %.3f of the lower bound", dtype, layers, name, use, rows, bytes, float64(bytes)/float64(least))
						}
					}
				}
			}
		}
	}
}

// BenchmarkPlan places random lives, most of them short: one for each instruction.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		place := vm.RandomLives(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				place()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instruction")
		})
	}
}
