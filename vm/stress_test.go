package vm_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
)

// Views, transposes, tuples, modes, in-place results, updates and random passes left out, at batches and widths from 0 to 6 in
// random order on one machine: everything agrees with the reference interpreter, failures included.
func TestRandomTapesAtRandomSizes(t *testing.T) {
	iters, ran := 400, 0
	for it := range uint64(iters) {
		r := rand.New(rand.NewPCG(it, 5))
		dt := graph.Float64
		g := graph.New()
		n, k := graph.Symbol("n"), graph.Symbol("k")
		x := g.Input("x", dt, n, 3)
		z := g.Input("z", dt, n, k)
		lab := g.Input("lab", graph.Int64, n, 1)
		w := g.Param("w", dt, graph.Init{Name: "r", Fill: func(r *rand.Rand, _ []int, d []float64) {
			for i := range d {
				d[i] = r.NormFloat64() * .5
			}
		}}, 3, 3)
		b := g.Param("b", dt, graph.Full(.2), 3)
		v := g.Variable("v", dt, graph.Full(.1), 3)
		pool := []*graph.Node{x, z, w, b, v, g.Constant([]float64{.1, .2, .3}), g.Full(dt, 2)}
		pick := func() *graph.Node {
			if r.IntN(3) > 0 && len(pool) > 4 {
				return pool[len(pool)-1-r.IntN(4)]
			}
			return pool[r.IntN(len(pool))]
		}
		for range 3 + r.IntN(30) {
			a := pick()
			rank := a.Shape().Rank()
			var y *graph.Node
			switch r.IntN(24) {
			case 0:
				y = ops.Tanh(a)
			case 1:
				y = ops.Sigmoid(a)
			case 2:
				y = ops.ReLU(a)
			case 3:
				y = ops.Add(a, pick())
			case 4:
				y = ops.Mul(ops.Tanh(a), pick())
			case 5:
				y = ops.Sub(pick(), ops.Scale(a, .5))
			case 6, 7, 8:
				y = ops.MatMul(a, pick())
			case 9:
				y = ops.Transpose(a)
			case 10:
				y = ops.Reshape(a, -1)
			case 11:
				y = ops.Reshape(a, append(append(graph.Shape{}, a.Shape()...), 1)...)
			case 12:
				if rank > 0 {
					y = ops.Reshape(a, append(graph.Shape{1}, a.Shape()...)...)
				} else {
					continue
				}
			case 13:
				if rank > 0 {
					y = ops.Reshape(a, append(graph.Shape{a.Shape().Size().FloorDiv(3)}, 3)...)
				} else {
					continue
				}
			case 14:
				if rank == 0 {
					continue
				}
				y = ops.Softmax(a, r.IntN(rank))
			case 15:
				if rank == 0 {
					continue
				}
				y = ops.Sum(a, r.IntN(rank))
			case 16:
				if rank == 0 {
					continue
				}
				y = ops.SumKeep(a, r.IntN(rank))
			case 17:
				if rank == 0 {
					continue
				}
				vals, idx := ops.MaxArg(a, r.IntN(rank))
				if r.IntN(2) == 0 {
					y = vals
				} else {
					y = ops.Cast(idx, dt)
				}
			case 18:
				tup := ops.Tuple(a, pick(), pick())
				y = ops.Get(tup, r.IntN(3))
			case 19:
				c := pick()
				y = ops.Select(ops.Less(a, c), c, a)
			case 20:
				if rank != 2 || a.Shape()[0] != n || a.Shape()[1] != 3 {
					continue
				}
				y = ops.TakeAlongAxis(a, lab, 1)
			case 21:
				if rank != 2 {
					continue
				}
				y = ops.Add(ops.MatMul(a, pick()), pick())
				if r.IntN(2) == 0 {
					y = ops.ReLU(y)
				}
			case 22:
				y = ops.ByMode(a, ops.Neg(a))
			case 23:
				y = ops.StopGradient(a)
			}
			if y.Err() == nil {
				pool = append(pool, y)
			}
		}
		var outs []*graph.Node
		for range 1 + r.IntN(5) {
			outs = append(outs, pick())
		}
		outs = append(outs, outs[0])
		if r.IntN(2) == 0 {
			l := ops.Sum(ops.Tanh(pick()))
			outs = append(outs, autodiff.Options{AllowUnused: true}.Grad(l, w, b, x, z)...)
		}
		var updates []graph.Update
		for _, p := range pool {
			if len(updates) == 0 && p.Type().Identical(b.Type()) && r.IntN(2) == 0 {
				updates = append(updates, graph.Update{Target: b, Value: p})
			} else if len(updates) == 1 && p.Type().Identical(v.Type()) && r.IntN(2) == 0 {
				updates = append(updates, graph.Update{Target: v, Value: p})
			}
		}
		mode := vm.Mode(r.IntN(2))
		var without []string
		for _, p := range vm.Passes() {
			if p.Optional && r.IntN(5) == 0 {
				without = append(without, p.Name)
			}
		}
		bad := false
		for _, o := range outs {
			if o.Err() != nil {
				bad = true
				t.Log(o.Err())
			}
		}
		if bad {
			continue
		}
		p, err := vm.Compile(vm.Spec{Outputs: outs, Updates: updates, Mode: mode, Without: without})
		if err != nil {
			continue // a size that no input of the program gives, for one
		}
		s, err := vm.NewState(g, 1)
		if err != nil {
			t.Fatal(err)
		}
		m, err := vm.NewMachine(p, s)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 8 {
			m.PoisonDead = round%2 == 0
			nn, kk := r.IntN(7), r.IntN(7)
			if round%3 == 2 {
				nn, kk = 3, 3
			}
			xa, za, la := graph.NewArray(dt, nn, 3), graph.NewArray(dt, nn, kk), graph.NewArray(graph.Int64, nn, 1)
			for i := range xa.Len() {
				xa.SetAt(i, r.NormFloat64())
			}
			for i := range za.Len() {
				za.SetAt(i, r.NormFloat64())
			}
			for i := range la.Len() {
				la.SetAt(i, float64(r.IntN(3)))
			}
			env := reference.Env{Feeds: map[*graph.Node]any{x: xa, z: za, lab: la}, State: map[string]any{}, Train: mode == vm.Train}
			for name, v := range s.Snapshot() {
				env.State[name] = v
			}
			all := append([]*graph.Node{}, outs...)
			for _, u := range updates {
				all = append(all, u.Value)
			}
			want, rerr := reference.Eval(env, all...)
			for _, f := range p.Feeds() {
				var e error
				switch f {
				case x:
					e = m.Feed(x, xa)
				case z:
					e = m.Feed(z, za)
				case lab:
					e = m.Feed(lab, la)
				}
				if e != nil {
					t.Fatal(e)
				}
			}
			err := m.Run(context.Background())
			if (err != nil) != (rerr != nil) {
				t.Errorf("seed %d round %d (n=%d k=%d): vm err %v; ref err %v\n", it, round, nn, kk, err, rerr)
				break
			}
			if err != nil {
				continue
			}
			ran++
			check := func(what string, got graph.Array, want graph.Array) bool {
				if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) && !(len(got.Shape) == 0 && len(want.Shape) == 0) {
					t.Errorf("seed %d shape %v %v", it, got.Shape, want.Shape)
					return false
				}
				for i := range want.Len() {
					gv, wv := got.At(i), want.At(i)
					if math.IsNaN(gv) && math.IsNaN(wv) || gv == wv {
						continue
					}
					if !(math.Abs(gv-wv) <= 1e-9*(1+math.Abs(wv))) {
						t.Errorf("seed %d round %d n=%d k=%d %s elem %d: %v want %v without %v\n%v", it, round, nn, kk, what, i, gv, wv, without, p)
						return false
					}
				}
				return true
			}
			ok := true
			for i, o := range outs {
				d, err := m.Value(o)
				if err != nil {
					t.Fatal(err)
				}
				a, err := graph.ArrayOf(d)
				if err != nil {
					t.Error("ArrayOf", err)
					ok = false
					break
				}
				if !check(o.String(), a, want[i]) {
					ok = false
					break
				}
			}
			for i, u := range updates {
				d, _ := s.Get(u.Target.Name())
				a, _ := graph.ArrayOf(d)
				if ok && !check("update "+u.Target.Name(), a, want[len(outs)+i]) {
					ok = false
				}
			}
			if !ok {
				break
			}
		}
		if t.Failed() {
			break
		}
	}
	if ran < 4*iters {
		t.Errorf("only %d of %d runs succeeded: too few to mean anything", ran, 8*iters)
	}
}
