package vm_test

import (
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
	trials    = 4
	roundings = 16
)

// bounds are the reference values of nodes and how far a computation in the graph's float type may be from them.
func (r *randomGraph) bounds(env reference.Env, nodes []*graph.Node) (want []graph.Array, bound [][]float64, err error) {
	unit, smallest := 0x1p-53, 0x1p-1022
	if r.dtype == graph.Float32 {
		unit, smallest = 0x1p-24, 0x1p-126
	}
	want, bound, err = reference.Roundings(env, unit, trials, nodes...)
	for i, b := range bound {
		for k := range b {
			b[k] = roundings * (b[k] + unit*math.Abs(want[i].At(k)) + smallest)
		}
	}
	return want, bound, err
}

func (r *randomGraph) env() reference.Env {
	env := reference.Env{Feeds: map[*graph.Node]any{}, State: map[string]any{}}
	for n, v := range r.values {
		if n.Kind() == graph.Input {
			env.Feeds[n] = v
		} else {
			env.State[n.Name()] = v
		}
	}
	return env
}

// run compiles and runs nodes as a user would.
func (r *randomGraph) run(nodes []*graph.Node, without []string) (*vm.Program, []graph.Array, error) {
	p, err := vm.Compile(vm.Spec{Outputs: nodes, Without: without})
	if err != nil {
		return nil, nil, err
	}
	s, err := vm.NewState(r.g, 1)
	if err != nil {
		return p, nil, err
	}
	for n, v := range r.values {
		if n.Kind() == graph.Param {
			if err := s.Set(n.Name(), v.Dense()); err != nil {
				return p, nil, err
			}
		}
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		return p, nil, err
	}
	for _, n := range p.Feeds() {
		if err := m.Feed(n, r.values[n]); err != nil {
			return p, nil, err
		}
	}
	if err := m.Run(context.Background()); err != nil {
		return p, nil, err
	}
	var list []graph.Array
	for _, n := range nodes {
		d, err := m.Value(n)
		if err != nil {
			return p, nil, err
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			return p, nil, err
		}
		list = append(list, a)
	}
	return p, list, nil
}

// Over the whole catalogue: programs with all passes and with none of the optional ones agree with the float64 reference within the bound
// that roundings give, in values, gradients and forward derivatives; results have the inferred types; nothing panics, and everything prints.
func TestRandomGraphsAgreeWithTheReference(t *testing.T) {
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
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
				r := drawGraph(t, dtype, false, 1, 20)
				loss := r.loss()
				nodes := []*graph.Node{loss, r.pool[len(r.pool)-1].n, rapid.SampledFrom(r.pool).Draw(t, "output").n}
				zeros := autodiff.Options{AllowUnused: true}
				if len(r.leaves) > 0 {
					nodes = append(nodes, zeros.Grad(loss, r.leaves...)...)
					nodes = append(nodes, zeros.JVP(loss, r.leaves[:1], r.leaves[:1]))
				}
				for _, n := range nodes {
					if err := n.Err(); err != nil {
						t.Fatal(err)
					}
				}
				want, bound, no := r.bounds(r.env(), nodes)
				if ran++; no != nil {
					ran, refused = ran-1, refused+1
				}
				for _, without := range [][]string{nil, optional} {
					p, got, err := r.run(nodes, without)
					if (err != nil) != (no != nil) {
						t.Fatalf("without %v: %v; the reference: %v\n%v", without, err, no, r.g)
					}
					if p != nil && (p.String() == "" || p.Format(r.size) == "") || r.g.String() == "" || r.g.DOT() == "" || draw.Graph(loss).SVG() == "" {
						t.Fatal("an empty listing")
					}
					if err != nil {
						continue
					}
					for i, n := range nodes {
						r.compare(t, n, got[i], want[i], bound[i], func() string { return fmt.Sprintf("without %v\n%v\n%v", without, r.g, p) })
					}
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
	for k := range want.Len() {
		w, g := want.At(k), got.At(k)
		if math.IsNaN(w) || math.IsInf(w, 0) || math.IsInf(float64(float32(w)), 0) && r.dtype == graph.Float32 {
			continue
		}
		if d := math.Abs(g - w); !(d <= bound[k]) {
			t.Fatalf("%v, element %d: %v, reference %v: off by %.3g, allowed %.3g, %s", n, k, g, w, d, bound[k], where())
		}
	}
}

// Gradients of random graphs, of order 1 and 2, forward and reverse, agree with differences along random directions.
func TestRandomGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float64, true, 1, 12)
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
		report, err := gradcheck.Options{Elements: 1, Directions: 1, Order: rapid.IntRange(1, 2).Draw(t, "order")}.Node(loss, values)
		if err != nil {
			t.Fatalf("%v\n%v", err, r.g)
		}
		if !report.OK() {
			t.Fatalf("%v\n%v", report, r.g)
		}
	})
}

// The bounds mean something: for nine of ten float32 elements they are below a thousandth of the value, so that a kernel that is wrong in its fourth digit
// is found. A bound that is wide says that the graph is ill-conditioned there.
func TestRandomGraphBoundsAreTight(t *testing.T) {
	tight, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawGraph(t, graph.Float32, false, 1, 20)
		loss := r.loss()
		nodes := append([]*graph.Node{loss}, autodiff.Options{AllowUnused: true}.Grad(loss, r.leaves...)...)
		want, bound, err := r.bounds(r.env(), nodes)
		if err != nil {
			return
		}
		for i, b := range bound {
			for k := range b {
				if all++; b[k] <= 1e-3*max(math.Abs(want[i].At(k)), 1e-3) {
					tight++
				}
			}
		}
	})
	t.Logf("%d of %d bounds are tight", tight, all)
	if tight < all*9/10 {
		t.Errorf("only %d of %d bounds are tight", tight, all)
	}
}
