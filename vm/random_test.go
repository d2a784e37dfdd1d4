package vm_test

import (
	"context"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
	"pgregory.net/rapid"
)

// randomGraph draws a shape-correct expression over an input of a symbolic batch and some parameters. Operators keep values of
// moderate size, so that a bound on rounding errors means something.
type randomGraph struct {
	g      *graph.Graph
	x      *graph.Node
	params []*graph.Node
	pool   []*graph.Node
	loss   *graph.Node
}

func drawGraph(t *rapid.T, dtype graph.DType) *randomGraph {
	r := &randomGraph{g: graph.New()}
	batch := graph.Symbol("batch")
	r.x = r.g.Input("x", dtype, batch, 3)
	r.pool = []*graph.Node{r.x}
	pick := func() *graph.Node { return rapid.SampledFrom(r.pool).Draw(t, "operand") }
	for range rapid.IntRange(1, 25).Draw(t, "operators") {
		a := pick()
		rank := a.Shape().Rank()
		var y *graph.Node
		switch rapid.IntRange(0, 15).Draw(t, "operator") {
		case 0:
			y = ops.Tanh(a)
		case 1:
			y = ops.Sigmoid(a)
		case 2:
			y = ops.ReLU(a)
		case 3:
			y = ops.Softplus(a)
		case 4:
			y = ops.Add(a, pick())
		case 5:
			y = ops.Mul(ops.Tanh(a), ops.Tanh(pick()))
		case 6:
			y = ops.Sub(a, ops.Scale(pick(), 0.5))
		case 7:
			y = ops.Div(ops.Tanh(a), ops.AddScalar(ops.Square(pick()), 1))
		case 8, 9, 10:
			if rank != 2 || !a.Shape()[1].IsStatic() {
				continue
			}
			out := graph.Dim(rapid.IntRange(1, 5).Draw(t, "out"))
			w := r.param(dtype, a.Shape()[1], out)
			y = ops.Affine(a, w, r.param(dtype, out))
			switch rapid.IntRange(0, 9).Draw(t, "activation") {
			case 0, 1:
				y = ops.Tanh(y)
			case 2:
				y = ops.LeakyReLU(y, 0.1)
			case 3:
				y = ops.ELU(y, 0.5)
			case 4:
				y = ops.SiLU(y)
			case 5:
				y = ops.GELU(y)
			case 6:
				y = ops.Mish(y)
			case 7:
				y = ops.Maximum(ops.Atan(y), ops.Softsign(y))
			}
		case 11:
			if rank == 0 {
				continue
			}
			y = ops.Softmax(a, rapid.IntRange(0, rank-1).Draw(t, "axis"))
		case 12:
			if rank == 0 {
				continue
			}
			y = ops.Log(ops.Softmax(ops.Tanh(a), -1))
		case 13:
			if rank == 0 {
				continue
			}
			y = ops.MeanKeep(a, rapid.IntRange(0, rank-1).Draw(t, "axis"))
		case 14:
			y = ops.Transpose(a)
		case 15:
			y = ops.Select(ops.Greater(a, ops.Scale(a, 0.5)), ops.Tanh(a), a)
		}
		if y.Err() == nil { // operands that do not broadcast give an invalid node, which is dropped
			r.pool = append(r.pool, y)
		}
	}
	loss := ops.Mean(ops.Square(ops.Tanh(r.pool[len(r.pool)-1])))
	for range 2 {
		loss = ops.Add(loss, ops.Mean(ops.Tanh(pick())))
	}
	r.loss = loss
	return r
}

func (r *randomGraph) param(dtype graph.DType, dims ...graph.Dim) *graph.Node {
	name := "p" + string(rune('a'+len(r.params)/26)) + string(rune('a'+len(r.params)%26))
	init := graph.Full(0.3 - 0.1*float64(len(r.params)%5))
	n := r.g.Param(name, dtype, init, dims...)
	r.params = append(r.params, n)
	return n
}

// Compiled programs, with all passes and with none of the optional ones, agree with the float64 reference interpreter, in values
// and gradients. Errors of rounding are bounded by 2000·ε of the largest value in play: 25 operators of condition below 4 and
// sums of at most 15 terms stay well inside.
func TestRandomGraphsAgreeWithTheReference(t *testing.T) {
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		bound := map[graph.DType]float64{graph.Float32: 2000 * 0x1p-24, graph.Float64: 2000 * 0x1p-53}[dtype]
		rapid.Check(t, func(t *rapid.T) {
			r := drawGraph(t, dtype)
			wanted := append([]*graph.Node{r.loss, r.pool[len(r.pool)-1]}, autodiff.Options{AllowUnused: true}.Grad(r.loss, append(r.params, r.x)...)...)
			rows := rapid.IntRange(1, 5).Draw(t, "batch")
			x := graph.NewArray(dtype, rows, 3)
			for i := range x.Len() {
				x.SetAt(i, math.Sin(float64(3*i+1)))
			}
			s, err := vm.NewState(r.g, 1)
			if err != nil {
				t.Fatal(err)
			}
			env := reference.Env{Feeds: map[*graph.Node]any{r.x: x}, State: map[string]any{}}
			for name, v := range s.Snapshot() {
				env.State[name] = v
			}
			want, err := reference.Eval(env, wanted...)
			if err != nil {
				t.Fatal(err)
			}
			for _, without := range [][]string{nil, optional} {
				p, err := vm.Compile(vm.Spec{Outputs: wanted, Without: without})
				if err != nil {
					t.Fatal(err)
				}
				m, err := vm.NewMachine(p, s)
				if err != nil {
					t.Fatal(err)
				}
				if len(p.Feeds()) > 0 {
					if err := m.Feed(r.x, x); err != nil {
						t.Fatal(err)
					}
				}
				if err := m.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				for i, n := range wanted {
					d, err := m.Value(n)
					if err != nil {
						t.Fatal(err)
					}
					got, err := graph.ArrayOf(d)
					if err != nil {
						t.Fatal(err)
					}
					scale := 1.0
					for k := range want[i].Len() {
						scale = math.Max(scale, math.Abs(want[i].At(k)))
					}
					for k := range want[i].Len() {
						if e := math.Abs(got.At(k) - want[i].At(k)); !(e <= bound*scale) {
							t.Fatalf("%v (without %v), element %d: %v, reference %v\n%v", n, without, k, got.At(k), want[i].At(k), p)
						}
					}
				}
				if p.String() == "" || p.Format(graph.Binding{graph.Symbol("batch"): rows}) == "" || r.g.String() == "" || r.g.DOT() == "" || draw.Graph(r.loss).SVG() == "" {
					t.Fatal("an empty listing")
				}
			}
		})
	}
}
