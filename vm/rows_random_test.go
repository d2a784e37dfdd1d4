package vm_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// rowGraph draws expressions of values that have rows, what is reduced of them, and what is there for every row or for every column.
type rowGraph struct {
	t       *rapid.T
	random  *rand.Rand
	g       *graph.Graph
	dtype   graph.DType
	full    graph.Shape
	pool    []*graph.Node // of shape full
	reduced []*graph.Node // of one element for each row, with or without a last dimension of 1
	inputs  []*graph.Node
}

func pick[T any](r *rowGraph, list ...T) T { return list[r.random.IntN(len(list))] }

func (r *rowGraph) input(shape ...graph.Dim) *graph.Node {
	n := r.g.Input(string(rune('a'+len(r.inputs))), r.dtype, shape...)
	r.inputs = append(r.inputs, n)
	return n
}

// keep gives a reduced value the last dimension that it may lack.
func (r *rowGraph) keep(n *graph.Node) *graph.Node {
	if n.Shape().Rank() == len(r.full) {
		return n
	}
	return ops.Unsqueeze(n, -1)
}

func (r *rowGraph) other(like *graph.Node) *graph.Node {
	rank := like.Shape().Rank()
	switch r.random.IntN(6) {
	case 0:
		return ops.Scalar(like, pick(r, 0.5, 1, 3))
	case 1:
		return r.input(like.Shape()[rank-1])
	case 2:
		ones := make([]graph.Dim, rank)
		for i := range ones {
			ones[i] = 1
		}
		ones[rank-1] = like.Shape()[rank-1]
		return r.input(ones...)
	case 3:
		if rank == len(r.full) {
			return r.keep(pick(r, r.reduced...))
		}
	}
	for _, pool := range [][]*graph.Node{r.pool, r.reduced} {
		if i := slices.IndexFunc(pool, func(n *graph.Node) bool { return n.Shape().Identical(like.Shape()) }); i >= 0 && r.random.IntN(2) == 0 {
			return pool[i]
		}
	}
	return like
}

func (r *rowGraph) step() {
	x := pick(r, r.pool...)
	if len(r.reduced) > 0 && r.random.IntN(3) == 0 {
		x = pick(r, r.reduced...)
	} else if r.random.IntN(2) == 0 {
		x = r.pool[len(r.pool)-1]
	}
	var y *graph.Node
	switch r.random.IntN(9) {
	case 0:
		y = pick(r, ops.Sum, ops.Mean, ops.Max, ops.Min, ops.LogSumExp)(x, -1)
	case 1:
		y = pick(r, ops.SumKeep, ops.MeanKeep, ops.MaxKeep)(x, -1)
	case 2:
		y = pick(r, ops.Softmax, ops.LogSoftmax)(x, -1)
	case 3:
		y = ops.Softmax(x, pick(r, 0, -1))
	case 4, 5:
		y = pick(r, ops.Tanh, ops.Sigmoid, ops.ReLU, ops.Sin, ops.Neg)(x)
	default:
		y = pick(r, ops.Add, ops.Sub, ops.Mul, ops.Maximum)(x, r.other(x))
	}
	switch rank := y.Shape().Rank(); {
	case y.Err() != nil:
		r.t.Fatal(y.Err())
	case y.Shape().Identical(r.full):
		r.pool = append(r.pool, y)
	case rank > 0 && (rank == len(r.full)-1 || rank == len(r.full) && y.Shape()[rank-1] == 1):
		if y.Shape()[:len(r.full)-1].Identical(r.full[:len(r.full)-1]) {
			r.reduced = append(r.reduced, y)
		}
	}
}

// Whatever works on rows, the same bits come out as from instructions by themselves: for values and gradients, for none, one and
// many rows, with several workers, on memory that holds garbage.
func TestRandomRows(t *testing.T) {
	fused := 0
	rapid.Check(t, func(t *rapid.T) {
		n, m := graph.Symbol("n"), graph.Symbol("m")
		r := &rowGraph{t: t, g: graph.New(), random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))}
		r.dtype = pick(r, graph.Float32, graph.Float64)
		r.full = append(pick(r, graph.Shape{n}, graph.Shape{n, 3}, graph.Shape{n, 1}, graph.Shape{3, n}, graph.Shape{n, m}, graph.Shape{1}, graph.Shape{2, n, 5}),
			pick(r, graph.Dim(1), 2, 3, 9, 70, m))
		x := r.input(r.full...)
		r.pool = []*graph.Node{x}
		r.reduced = []*graph.Node{ops.Max(x, -1)}
		for range 3 + r.random.IntN(9) {
			r.step()
		}
		outputs := []*graph.Node{r.pool[len(r.pool)-1], r.reduced[len(r.reduced)-1], pick(r, r.pool...)}
		if r.random.IntN(2) == 0 {
			outputs = append(outputs, autodiff.Grad(ops.Add(ops.Sum(outputs[0]), ops.Sum(outputs[1])), x)[0])
		}
		var machines []*vm.Machine
		var programs []*vm.Program
		for _, without := range [][]string{nil, {"rows"}} {
			p, err := vm.Compile(vm.Spec{Outputs: outputs, Without: without})
			if err != nil {
				t.Fatal(err)
			}
			state, err := vm.NewState(r.g, 1)
			if err != nil {
				t.Fatal(err)
			}
			machine, err := vm.NewMachine(p, state)
			if err != nil {
				t.Fatal(err)
			}
			machine.PoisonDead = true
			programs, machines = append(programs, p), append(machines, machine)
		}
		if programs[0].Len() < programs[1].Len() {
			fused++
		}
		machines[0].Workers = pick(r, 1, 2, 5)
		for _, size := range []graph.Binding{{n: 4, m: 6}, {n: pick(r, 0, 1, 700), m: 2}, {n: 3, m: 1}} {
			feeds := vm.Feeds{}
			for _, in := range r.inputs {
				shape := make([]int, in.Shape().Rank())
				for i, d := range in.Shape() {
					shape[i], _ = d.Eval(size)
				}
				a := graph.NewArray(r.dtype, shape...)
				for i := range a.Len() {
					a.SetAt(i, float64(float32(r.random.NormFloat64())))
				}
				feeds[in] = a
			}
			var got [2][]graph.Array
			for i, machine := range machines {
				for _, in := range programs[i].Feeds() {
					if err := machine.Feed(in, feeds[in]); err != nil {
						t.Fatal(err)
					}
				}
				if err := machine.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, y := range outputs {
					v, err := machine.Value(y)
					if err != nil {
						t.Fatal(err)
					}
					a, err := graph.ArrayOf(v)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = append(got[i], a)
				}
			}
			for k, y := range outputs {
				if !bytes.Equal(got[0][k].Bytes(), got[1][k].Bytes()) {
					t.Fatalf("%v of %v under %v differs from what instructions by themselves compute\n%v\n%v", y, r.full, size, programs[0], programs[1])
				}
			}
		}
	})
	if fused == 0 {
		t.Error("nothing was fused")
	}
}
