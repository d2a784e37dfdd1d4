package vm_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// network is a classifier with everything a test wants to look at.
type network struct {
	g            *graph.Graph
	batch        graph.Dim
	x, y         *graph.Node
	logits, loss *graph.Node
	params       []*graph.Node
}

func newNetwork(dtype graph.DType, activation nn.Layer, widths ...int) *network {
	n := &network{g: graph.New(), batch: graph.Symbol("batch")}
	n.x = n.g.Input("x", dtype, n.batch, graph.Dim(widths[0]))
	n.y = n.g.Input("y", graph.Int64, n.batch)
	var model nn.Sequential
	for i, w := range widths[1:] {
		model = append(model, &nn.Linear{Out: w})
		if i < len(widths)-2 {
			model = append(model, activation)
		}
	}
	n.logits = nn.Build(n.g, model, n.x)
	n.loss = losses.CrossEntropy(n.logits, n.y)
	n.params = n.g.Params()
	return n
}

func (n *network) machine(t testing.TB, seed uint64, updates []graph.Update, without ...string) (*vm.Machine, *vm.State) {
	t.Helper()
	p, err := vm.Compile(vm.Spec{Outputs: []*graph.Node{n.loss, n.logits}, Updates: updates, Mode: vm.Train, Without: without})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(n.g, seed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

// sampleData draws features and labels; the features are the label's corner of a cube plus noise.
func sampleData(seed uint64, rows, features, classes int) (x []float64, y []int64) {
	r := rand.New(rand.NewPCG(seed, 99))
	for range rows {
		label := r.IntN(classes)
		for j := range features {
			x = append(x, float64((label>>(j%3))&1)+0.3*r.NormFloat64())
		}
		y = append(y, int64(label))
	}
	return x, y
}

func dense[T any](shape []int, data []T) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func run(t testing.TB, m *vm.Machine) {
	t.Helper()
	if err := m.Run(context.Background()); err != nil {
		t.Fatalf("%+v", err)
	}
}

func scalar(t testing.TB, m *vm.Machine, n *graph.Node) float64 {
	t.Helper()
	v, err := m.Scalar(n)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// plainNet is a 4-16-3 network with tanh and cross-entropy, written out as loops, together with its gradient: the independent
// calculation that training is compared with.
type plainNet struct{ w1, b1, w2, b2 []float64 }

func (p *plainNet) params() [][]float64 { return [][]float64{p.w1, p.b1, p.w2, p.b2} }

func (p *plainNet) lossAndGradient(x []float64, y []int64) (loss float64, grads [][]float64) {
	const in, hidden, out = 4, 16, 3
	n := len(y)
	g := plainNet{make([]float64, in*hidden), make([]float64, hidden), make([]float64, hidden*out), make([]float64, out)}
	for r := range n {
		var h [hidden]float64
		for j := range h {
			z := p.b1[j]
			for i := range in {
				z += x[r*in+i] * p.w1[i*hidden+j]
			}
			h[j] = math.Tanh(z)
		}
		var e [out]float64
		sum, largest := 0.0, math.Inf(-1)
		for k := range e {
			e[k] = p.b2[k]
			for j := range h {
				e[k] += h[j] * p.w2[j*out+k]
			}
			largest = math.Max(largest, e[k])
		}
		loss -= e[y[r]] - largest
		for k := range e {
			e[k] = math.Exp(e[k] - largest)
			sum += e[k]
		}
		loss += math.Log(sum)
		for k := range e {
			d := e[k] / sum
			if int64(k) == y[r] {
				d--
			}
			e[k] = d / float64(n)
		}
		for k, d := range e {
			g.b2[k] += d
		}
		for j := range h {
			back := 0.0
			for k, d := range e {
				g.w2[j*out+k] += h[j] * d
				back += d * p.w2[j*out+k]
			}
			back *= 1 - h[j]*h[j]
			g.b1[j] += back
			for i := range in {
				g.w1[i*hidden+j] += x[r*in+i] * back
			}
		}
	}
	return loss / float64(n), g.params()
}

func TestTrainingEqualsPlainLoops(t *testing.T) {
	const steps = 100
	x, y := sampleData(5, 30, 4, 3)
	cases := []struct {
		name    string
		updates func(params, grads []*graph.Node) []graph.Update
		step    func(t int, p, g, m, v []float64)
	}{
		{"sgd", optim.SGD{LR: 0.5}.Updates, func(_ int, p, g, _, _ []float64) {
			for i := range p {
				p[i] -= 0.5 * g[i]
			}
		}},
		{"sgd with momentum", optim.SGD{LR: 0.1, Momentum: 0.9}.Updates, func(_ int, p, g, m, _ []float64) {
			for i := range p {
				m[i] = 0.9*m[i] + g[i]
				p[i] -= 0.1 * m[i]
			}
		}},
		{"adam", optim.Adam{LR: 0.01}.Updates, func(t int, p, g, m, v []float64) {
			c1, c2 := 1-math.Pow(0.9, float64(t)), 1-math.Pow(0.999, float64(t))
			for i := range p {
				m[i] = 0.9*m[i] + 0.1*g[i]
				v[i] = 0.999*v[i] + 0.001*g[i]*g[i]
				p[i] -= 0.01 * (m[i] / c1) / (math.Sqrt(v[i]/c2) + 1e-8)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(graph.Float64, nn.Tanh, 4, 16, 3)
			m, s := n.machine(t, 7, c.updates(n.params, autodiff.Grad(n.loss, n.params...)))
			var plain plainNet
			for i, to := range []*[]float64{&plain.w1, &plain.b1, &plain.w2, &plain.b2} {
				v, err := s.Get(n.params[i].Name())
				if err != nil {
					t.Fatal(err)
				}
				*to = append([]float64(nil), v.Float64s()...)
			}
			var first, second [][]float64
			for _, p := range plain.params() {
				first, second = append(first, make([]float64, len(p))), append(second, make([]float64, len(p)))
			}
			if err := m.FeedAll(vm.Feeds{n.x: dense([]int{30, 4}, x), n.y: y}); err != nil {
				t.Fatal(err)
			}
			start := 0.0
			for step := 1; step <= steps; step++ {
				run(t, m)
				loss, grads := plain.lossAndGradient(x, y)
				if step == 1 {
					start = loss
				}
				for i, p := range plain.params() {
					c.step(step, p, grads[i], first[i], second[i])
				}
				if got := scalar(t, m, n.loss); math.Abs(got-loss) > 1e-10 {
					t.Fatalf("step %d: loss %.15g, plain loops give %.15g", step, got, loss)
				}
				if step == steps && !(loss < start/2) {
					t.Errorf("the loss went from %g to %g: too little happened for the comparison to mean anything", start, loss)
				}
			}
			for i, p := range plain.params() {
				v, _ := s.Get(n.params[i].Name())
				for k, got := range v.Float64s() {
					if math.Abs(got-p[k]) > 1e-10 {
						t.Errorf("%s[%d] = %.15g, plain loops give %.15g", n.params[i].Name(), k, got, p[k])
					}
				}
			}
		})
	}
}

// Leaving out every optional pass gives the same training within rounding.
func TestFusedEqualsUnfused(t *testing.T) {
	var all []string
	for _, p := range vm.Passes() {
		if p.Optional {
			all = append(all, p.Name)
		}
	}
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		for _, activation := range []nn.Layer{nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus} {
			without := append([][]string{nil, all}, eachAlone(all)...)
			var losses []float64
			for _, w := range without {
				n := newNetwork(dtype, activation, 6, 20, 9, 4)
				m, _ := n.machine(t, 3, optim.Adam{LR: 0.01}.Updates(n.params, autodiff.Grad(n.loss, n.params...)), w...)
				feedData(t, m, n, dtype, 17, 6, 4)
				for range 20 {
					run(t, m)
				}
				losses = append(losses, scalar(t, m, n.loss))
			}
			bound := map[graph.DType]float64{graph.Float32: 2e-5, graph.Float64: 1e-13}[dtype]
			for i, l := range losses {
				if math.Abs(l-losses[0]) > bound*math.Abs(losses[0]) {
					t.Errorf("%v: loss %.17g without %v, %.17g with every pass", dtype, l, without[i], losses[0])
				}
			}
		}
	}
}

func eachAlone(names []string) (lists [][]string) {
	for _, n := range names {
		lists = append(lists, []string{n})
	}
	return lists
}

func feedData(t testing.TB, m *vm.Machine, n *network, dtype graph.DType, rows, features, classes int) {
	t.Helper()
	x, y := sampleData(uint64(rows), rows, features, classes)
	var fed any = dense([]int{rows, features}, x)
	if dtype == graph.Float32 {
		narrow := make([]float32, len(x))
		for i, v := range x {
			narrow[i] = float32(v)
		}
		fed = dense([]int{rows, features}, narrow)
	}
	if err := m.FeedAll(vm.Feeds{n.x: fed, n.y: y}); err != nil {
		t.Fatal(err)
	}
}

// The same seed gives the same bits, whatever GOMAXPROCS is; the network is wide enough that products are split.
func TestBitIdenticalAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want string
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		n := newNetwork(graph.Float32, nn.ReLU, 64, 512, 256, 10)
		m, s := n.machine(t, 11, optim.Adam{}.Updates(n.params, autodiff.Grad(n.loss, n.params...)))
		var bits strings.Builder
		for step := range 6 {
			feedData(t, m, n, graph.Float32, 256-step, 64, 10)
			run(t, m)
			fmt.Fprintf(&bits, "%x ", math.Float64bits(scalar(t, m, n.loss)))
		}
		w, _ := s.Get("0.weight")
		for _, v := range w.Float32s() {
			fmt.Fprintf(&bits, "%x ", math.Float32bits(v))
		}
		if want == "" {
			want = bits.String()
		}
		if bits.String() != want {
			t.Errorf("GOMAXPROCS=%d gives other bits than GOMAXPROCS=1", procs)
		}
	}
}
