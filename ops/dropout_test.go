package ops_test

import (
	"context"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// trained runs expressions of one fed input once, in training mode.
func trained(t *testing.T, x graph.Array, build func(x *graph.Node) []*graph.Node) []graph.Array {
	t.Helper()
	e := express(func(x []*graph.Node) []*graph.Node { return build(x[0]) }, x)
	p, err := vm.Compile(vm.Spec{Outputs: e.outs, Mode: vm.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := vm.NewState(e.g, 5)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Feed(e.x[0], x); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	var list []graph.Array
	for _, n := range e.outs {
		v, err := m.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := graph.ArrayOf(v)
		list = append(list, clone(a))
	}
	return list
}

// What stays is x/(1−p), its derivative 1/(1−p); what goes is 0 with derivative 0, even where x is not finite; the share that goes
// is p. Evaluation is x.
func TestDropout(t *testing.T) {
	const n = 20000
	for _, dtype := range floatTypes {
		for _, p := range []float64{0, 0.25, 0.5, 0.9, 1} {
			x := array(dtype, []int{n}, 1, -2, 3, 0.5)
			outs := trained(t, x, func(x *graph.Node) []*graph.Node {
				y := ops.Dropout(x, p, ops.Key(x.Graph(), 3))
				return append(autodiff.Grad(ops.Sum(y), x), y)
			})
			dx, y := outs[0], outs[1]
			dropped := 0
			for i := range n {
				scale := 1 / (1 - p)
				if y.At(i) == 0 {
					dropped++
					if dx.At(i) != 0 {
						t.Fatalf("p = %v: element %d is dropped, its derivative %v", p, i, dx.At(i))
					}
				} else if !close(dtype, y.At(i), x.At(i)*scale, 2) || !close(dtype, dx.At(i), scale, 1) {
					t.Fatalf("p = %v: element %d is %v with derivative %v", p, i, y.At(i), dx.At(i))
				}
			}
			if share := float64(dropped) / n; math.Abs(share-p) > 4*math.Sqrt(p*(1-p)/n) {
				t.Errorf("%v, p = %v: %v dropped", dtype, p, share)
			}
			same := compute(t, func(x []*graph.Node) *graph.Node { return ops.Dropout(x[0], p, ops.Key(x[0].Graph(), 3)) }, x)
			for i := range n {
				if same.At(i) != x.At(i) {
					t.Fatalf("evaluation, p = %v: element %d is %v", p, i, same.At(i))
				}
			}
		}
		all := trained(t, array(dtype, []int{3}, inf, -inf, nan), func(x *graph.Node) []*graph.Node {
			y := ops.Dropout(x, 1, ops.Key(x.Graph(), 3))
			return append(autodiff.Grad(ops.Sum(y), x), y)
		})
		for i := range 3 {
			if all[0].At(i) != 0 || all[1].At(i) != 0 {
				t.Errorf("p = 1: %v with derivative %v", all[1].At(i), all[0].At(i))
			}
		}
	}
}

// Two dropouts of one value drop different elements, and shared axes stay or go together.
func TestDropoutsDiffer(t *testing.T) {
	x := array(graph.Float32, []int{8, 16, 4, 4}, 1)
	outs := trained(t, x, func(x *graph.Node) []*graph.Node {
		key := ops.Key(x.Graph(), 3)
		return []*graph.Node{ops.Dropout(x, 0.5, key), ops.Dropout(x, 0.5, key), ops.Dropout(x, 0.5, key, 2, -1)}
	})
	agree := 0
	for i := range x.Len() {
		if outs[0].At(i) == outs[1].At(i) {
			agree++
		}
	}
	if share := float64(agree) / float64(x.Len()); math.Abs(share-0.5) > 4*0.5/math.Sqrt(float64(x.Len())) {
		t.Errorf("two dropouts agree in a share of %v", share)
	}
	kept := 0
	for channel := range 8 * 16 {
		first := outs[2].At(channel * 16)
		for i := range 16 {
			if outs[2].At(channel*16+i) != first {
				t.Fatalf("channel %d is dropped in part", channel)
			}
		}
		if first != 0 {
			kept++
		}
	}
	if kept < 40 || kept > 88 {
		t.Errorf("%d of 128 channels are kept", kept)
	}
}
