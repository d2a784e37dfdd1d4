package vm_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
	"pgregory.net/rapid"
)

// TestMain fixes the seed of random graphs, so that the suite says the same each time; -rapid.seed and -rapid.checks try others.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": fmt.Sprint(randomGraphs)} {
		if !given[name] {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// The error of rounding is bounded by what roundings do (reference.Roundings): so the bound follows the condition of each element of each
// graph. Kernels may be off by a few units each, sums by one for each term in the worst case, and a few trials see less than the
// worst case; the factor covers these.
const (
	trials    = 6
	roundings = 64
)

// bounds are the reference values of nodes and how far a computation in the graph's float type may be from them: any distance, if a value on the
// way is beyond its range.
func (r *randomGraph) bounds(env reference.Env, nodes []*graph.Node) (want []graph.Array, bound [][]float64, err error) {
	unit, smallest := 0x1p-53, 0x1p-1022
	if r.dtype == graph.Float32 {
		unit, smallest = 0x1p-24, 0x1p-126
	}
	beyond := false
	env.Visit = func(_ *graph.Node, _, out []graph.Array) error {
		for _, a := range out {
			for i := 0; r.dtype == graph.Float32 && a.DType == graph.Float64 && i < a.Len(); i++ {
				beyond = beyond || math.Abs(a.At(i)) > math.MaxFloat32
			}
		}
		return nil
	}
	n := trials
	if r.character == wild { // where much cancels, and what is left is cut off on one side
		n *= 4
	}
	want, bound, err = reference.Roundings(env, unit, n, nodes...)
	for i, b := range bound {
		for k := range b {
			if b[k] = roundings * (b[k] + unit*math.Abs(want[i].At(k)) + smallest); beyond {
				b[k] = math.Inf(1)
			}
		}
	}
	return want, bound, err
}

func (r *randomGraph) env() reference.Env {
	env := reference.Env{Feeds: map[*graph.Node]any{}, State: map[string]any{}, Train: r.mode == vm.Train}
	for n, v := range r.values {
		if n.Kind() == graph.Input {
			env.Feeds[n] = v
		} else {
			env.State[n.Name()] = v
		}
	}
	return env
}

// machine compiles nodes as a user would, and sets the parameters.
func (r *randomGraph) machine(nodes []*graph.Node, without []string) (*vm.Machine, error) {
	m, _, err := r.step(vm.Spec{Outputs: nodes, Mode: r.mode, Without: without})
	return m, err
}

func (r *randomGraph) step(spec vm.Spec) (*vm.Machine, *vm.State, error) {
	p, err := vm.Compile(spec)
	if err != nil {
		return nil, nil, err
	}
	s, err := vm.NewState(r.g, 1)
	if err != nil {
		return nil, nil, err
	}
	for n, v := range r.values {
		if n.Kind() == graph.Param {
			if err := s.Set(n.Name(), v.Dense()); err != nil {
				return nil, nil, err
			}
		}
	}
	m, err := vm.NewMachine(p, s)
	if err == nil {
		m.PoisonDead = true
	}
	return m, s, err
}

// run feeds what the machine needs and returns the values of its outputs.
func (r *randomGraph) run(m *vm.Machine) (list []graph.Array, err error) {
	for _, n := range m.Program().Feeds() {
		if err := m.Feed(n, r.values[n]); err != nil {
			return nil, err
		}
	}
	if err := m.Run(context.Background()); err != nil {
		return nil, err
	}
	for _, n := range m.Program().Outputs() {
		d, err := m.Value(n)
		if err != nil {
			return nil, err
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// optional are the passes that a program is right without.
func optional() (names []string) {
	for _, p := range vm.Passes() {
		if p.Optional {
			names = append(names, p.Name)
		}
	}
	return names
}

// Over the whole catalogue: programs with all passes and with none of the optional ones agree with the float64 reference within the bound
// that roundings give, in values, gradients, forward and second derivatives, at sizes that change from run to run; results have the inferred
// types; nothing panics, and everything prints.
func TestRandomGraphsAgreeWithTheReference(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		t.Run(dtype.String(), func(t *testing.T) {
			ran, refused := 0, 0
			defer func() {
				if refused > ran {
					t.Errorf("%d graphs ran, %d were refused: too many to mean anything", ran, refused)
				}
				t.Logf("%d graphs ran, %d were refused", ran, refused)
			}()
			rapid.Check(t, func(t *rapid.T) {
				r := drawGraph(t, dtype, plain, 1, 20)
				loss := r.loss()
				nodes := []*graph.Node{loss, r.pool[len(r.pool)-1].n, rapid.SampledFrom(r.pool).Draw(t, "output").n}
				zeros := autodiff.Options{AllowUnused: true}
				if len(r.leaves) > 0 {
					nodes = append(nodes, zeros.Grad(loss, r.leaves...)...)
					nodes = append(nodes, zeros.JVP(loss, r.leaves[:1], r.leaves[:1]))
					nodes = append(nodes, zeros.HVP(loss, r.leaves[:1], r.leaves[:1])...)
				}
				for _, n := range nodes {
					if err := n.Err(); err != nil {
						t.Fatal(err)
					}
				}
				var machines []*vm.Machine
				for _, without := range [][]string{nil, optional()} {
					m, err := r.machine(nodes, without)
					if err != nil {
						t.Fatalf("without %v: %v\n%v", without, err, r.g)
					}
					machines = append(machines, m)
				}
				if p := machines[0].Program(); p.String() == "" || p.Format(r.size) == "" || r.g.String() == "" || r.g.DOT() == "" || draw.Graph(loss).SVG() == "" {
					t.Fatal("an empty listing")
				}
				for range 2 {
					want, bound, no := r.bounds(r.env(), nodes)
					if ran++; no != nil {
						ran, refused = ran-1, refused+1
					}
					for i, m := range machines {
						without := [][]string{nil, optional()}[i]
						got, err := r.run(m)
						if (err != nil) != (no != nil) {
							t.Fatalf("without %v: %v; the reference: %v\n%v", without, err, no, r.g)
						}
						for i, n := range nodes[:len(got)] {
							r.compare(t, n, got[i], want[i], bound[i], func() string {
								return fmt.Sprintf("without %v, sizes %v\n%v\n%v%v", without, r.size, r.blame(n, without), r.g, m.Program())
							})
						}
					}
					r.again() // the same machines at other sizes
				}
			})
		})
	}
}

func (r *randomGraph) compare(t *rapid.T, n *graph.Node, got, want graph.Array, bound []float64, where func() string) {
	shape := make([]int, len(n.Shape()))
	for i, d := range n.Shape() {
		size, err := d.Eval(r.size)
		if err != nil {
			t.Fatalf("%v: %v", n, err)
		}
		shape[i] = size
	}
	if got.DType != n.DType() || !slices.Equal(got.Shape, shape) || !slices.Equal(want.Shape, shape) {
		t.Fatalf("%v is %v%v, the reference %v, inferred was %v", n, got.DType, got.Shape, want.Shape, n.Type())
	}
	if k := r.outside(got, want, bound); k >= 0 {
		t.Fatalf("%v, element %d: %v, reference %v: off by %.3g, allowed %.3g, %s", n, k, got.At(k), want.At(k), math.Abs(got.At(k)-want.At(k)), bound[k], where())
	}
}

// outside is the first element that is outside its bound, −1 if none is. Where the reference is no finite number there is nothing to compare with.
func (r *randomGraph) outside(got, want graph.Array, bound []float64) int {
	for k := range want.Len() {
		w := want.At(k)
		if math.IsNaN(w) || math.IsInf(w, 0) || math.IsInf(bound[k], 0) {
			continue
		}
		if d := math.Abs(got.At(k) - w); !(d <= bound[k]) {
			return k
		}
	}
	return -1
}

// blame says at which node a computation of n leaves its bounds first, if every value on the way is an output.
func (r *randomGraph) blame(n *graph.Node, without []string) string {
	nodes := slices.DeleteFunc(graph.Reachable(n), func(n *graph.Node) bool { return n.Kind() != graph.Op || n.Type().IsTuple() })
	want, bound, err := r.bounds(r.env(), nodes)
	if err != nil {
		return err.Error()
	}
	m, err := r.machine(nodes, without)
	if err != nil {
		return err.Error()
	}
	got, err := r.run(m)
	if err != nil {
		return err.Error()
	}
	for i, n := range nodes {
		if k := r.outside(got[i], want[i], bound[i]); k >= 0 {
			text := fmt.Sprintf("the first to leave its bounds is %%%d = %v {%+v} %v at element %d, %v, reference %v, allowed %.3g; its operands:\n", n.ID(), n, n.Attr(), n.Type(), k, got[i].At(k), want[i].At(k), bound[i][k])
			for _, x := range n.Inputs() {
				if at := slices.Index(nodes, x); at >= 0 {
					text += fmt.Sprintf("  %v %v %v\n", x, x.Type(), got[at].Dense())
				} else {
					text += fmt.Sprintf("  %v %v %v\n", x, x.Type(), r.values[x])
				}
			}
			return text
		}
	}
	return "no value leaves its bounds if all are outputs: a fusion does"
}

// With values that are huge, tiny, infinite or NaN: where the program without the optional passes is within its bounds, the one with all of them is
// too. It never has a NaN, an infinity or an error where the plain program has a right number.
func TestRandomGraphsOfWildValues(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64}).Draw(t, "dtype"), wild, 1, 15)
		loss := r.loss()
		nodes := append([]*graph.Node{loss, r.pool[len(r.pool)-1].n}, autodiff.Options{AllowUnused: true}.Grad(loss, r.leaves...)...)
		for range 4 {
			nodes = append(nodes, sampled(r, r.pool).n)
		}
		want, bound, err := r.bounds(r.env(), nodes)
		if err != nil {
			return
		}
		var got [2][]graph.Array
		for i, without := range [][]string{nil, optional()} {
			m, err := r.machine(nodes, without)
			if err != nil {
				t.Fatal(err)
			}
			if got[i], err = r.run(m); err != nil {
				t.Fatalf("without %v: %v\n%v", without, err, r.g)
			}
		}
		for i, n := range nodes {
			for k := range want[i].Len() {
				w, plainly := want[i].At(k), got[1][i].At(k)
				if !(math.Abs(plainly-w) <= bound[i][k]) || math.IsInf(bound[i][k], 0) {
					continue
				}
				if compared++; !(math.Abs(got[0][i].At(k)-w) <= bound[i][k]) {
					t.Fatalf("%v, element %d: %v, without optional passes %v, reference %v, allowed %.3g\n%v\n%v", n, k, got[0][i].At(k), plainly, w, bound[i][k], r.blame(n, nil), r.g)
				}
			}
		}
	})
	t.Logf("%d elements compared", compared)
}

// A step of random updates, which often write the state in place, leaves it as the reference says, and what the step reads is the state from before.
func TestRandomUpdates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64}).Draw(t, "dtype"), plain, 1, 10)
		loss := r.loss()
		var updates []graph.Update
		var values []*graph.Node
		params := slices.DeleteFunc(slices.Clone(r.leaves), func(n *graph.Node) bool { return n.Kind() != graph.Param })
		for i, d := range (autodiff.Options{AllowUnused: true}).Grad(loss, params...) {
			p := params[i]
			v := ops.Sub(p, ops.Scale(d, 0.1))
			if other := sampled(r, params); r.random.IntN(3) == 0 && other.Type().Identical(p.Type()) {
				v = ops.Add(v, other) // perhaps itself
			}
			updates, values = append(updates, graph.Update{Target: p, Value: v}), append(values, v)
		}
		want, bound, no := r.bounds(r.env(), append(values, loss))
		m, s, err := r.step(vm.Spec{Outputs: []*graph.Node{loss}, Updates: updates, Mode: r.mode})
		if err != nil {
			t.Fatalf("%v\n%v", err, r.g)
		}
		got, err := r.run(m)
		if (err != nil) != (no != nil) {
			t.Fatalf("%v; the reference: %v\n%v", err, no, r.g)
		}
		for i, p := range params {
			v, failed := s.Get(p.Name())
			if failed != nil {
				t.Fatal(failed)
			}
			a, failed := graph.ArrayOf(v)
			if failed != nil {
				t.Fatal(failed)
			}
			if err != nil { // nothing is committed
				if !bytes.Equal(a.Bytes(), r.values[p].Bytes()) {
					t.Fatalf("%v changed in a step that failed: %v", p, err)
				}
				continue
			}
			r.compare(t, values[i], a, want[i], bound[i], func() string { return fmt.Sprintf("sizes %v\n%v\n%v", r.size, r.g, m.Program()) })
		}
		if err == nil {
			last := len(values)
			r.compare(t, loss, got[0], want[last], bound[last], func() string { return fmt.Sprintf("sizes %v\n%v\n%v", r.size, r.g, m.Program()) })
		}
	})
}

// Gradients of random graphs, of order 1 and 2, forward and reverse, agree with differences along random directions.
func TestRandomGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float64, smooth, 1, 12)
		loss := r.loss()
		if err := loss.Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := reference.Eval(r.env(), loss); err != nil {
			return // a size that an operator has no use for
		}
		values := map[*graph.Node]any{}
		for n, v := range r.values {
			values[n] = v
		}
		report, err := gradcheck.Options{Elements: 1, Directions: 1, Mode: r.mode, Order: rapid.IntRange(1, 2).Draw(t, "order")}.Node(loss, values)
		if err != nil {
			t.Fatalf("%v\n%v", err, r.g)
		}
		if !report.OK() {
			t.Fatalf("%v\n%v", report, r.g)
		}
	})
}

// The bounds mean something: for three of four float32 elements they are below a hundredth of the value, so that a kernel that is wrong in its third digit
// is found. A bound that is wide says that the graph is ill-conditioned there.
func TestRandomGraphBoundsAreTight(t *testing.T) {
	if testing.Short() {
		t.Skip("a share among so few graphs is that of the largest one")
	}
	tight, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float32, plain, 1, 20)
		loss := r.loss()
		nodes := append([]*graph.Node{loss}, autodiff.Options{AllowUnused: true}.Grad(loss, r.leaves...)...)
		want, bound, err := r.bounds(r.env(), nodes)
		if err != nil {
			return
		}
		for i, b := range bound {
			for k := range b {
				if all++; b[k] <= 1e-2*max(math.Abs(want[i].At(k)), 1e-3) {
					tight++
				}
			}
		}
	})
	t.Logf("%d of %d bounds are tight", tight, all)
	if tight < all*3/4 {
		t.Errorf("only %d of %d bounds are tight", tight, all)
	}
}
