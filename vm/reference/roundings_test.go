package reference_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm/reference"
)

// Roundings moves a value by as much as its condition says: a few units where the expression is benign, a relative error of 1 where it cancels, all
// the way where it jumps, and not at all what is no float.
func TestRoundings(t *testing.T) {
	for _, unit := range []float64{0x1p-24, 0x1p-53} {
		g := graph.New()
		x := g.Input("x", graph.Float64)
		one := g.Full(graph.Float64, 1)
		benign := ops.Tanh(ops.Mul(x, x))
		cancels := ops.Sub(ops.Add(one, x), one) // x, with the error of a number near 1
		pole := ops.Reciprocal(ops.Sub(x, ops.Mul(x, one)))
		jump := ops.Floor(ops.Add(one, ops.Sub(x, x)))
		count := ops.Cast(ops.Less(x, one), graph.Int64)
		env := reference.Env{Feeds: map[*graph.Node]any{x: 64 * unit}}
		values, moved, err := reference.Roundings(env, unit, 20, benign, cancels, pole, jump, count)
		if err != nil {
			t.Fatal(err)
		}
		relative := func(i int) float64 { return moved[i][0] / math.Abs(values[i].At(0)) }
		if r := relative(0); r < unit || r > 12*unit {
			t.Errorf("benign: moved by %.3g, unit %.3g", r, unit)
		}
		if r := relative(1); r < 1./256 || r > 1./8 {
			t.Errorf("cancels: moved by %.3g of itself", r)
		}
		if r := moved[2][0]; !math.IsInf(r, 1) {
			t.Errorf("pole: %v moved by %.3g", values[2].At(0), r)
		}
		if moved[3][0] != 1 {
			t.Errorf("jump: moved by %v", moved[3][0])
		}
		if moved[4][0] != 0 {
			t.Errorf("an integer moved by %v", moved[4][0])
		}
		if again, _, err := reference.Roundings(env, unit, 3, benign); err != nil || again[0].At(0) != values[0].At(0) {
			t.Errorf("the value itself moved: %v, %v", again, err)
		}
	}
	g := graph.New()
	x := g.Input("x", graph.Float64, 40)
	same := ops.Assert(ops.Equal(x, ops.Scale(ops.Scale(x, 3), 1./3)), x, "the same")
	if _, moved, err := reference.Roundings(reference.Env{Feeds: map[*graph.Node]any{x: make([]float64, 40)}}, 0x1p-24, 3, same); err != nil || moved[0][0] != 0 {
		t.Errorf("zeros: moved by %v, %v", moved, err)
	}
	ones := slices.Repeat([]float64{4}, 40)
	if _, moved, err := reference.Roundings(reference.Env{Feeds: map[*graph.Node]any{x: ones}}, 0x1p-24, 3, same); err != nil || !math.IsInf(moved[0][0], 1) {
		t.Errorf("an assertion that hangs on a rounding: moved by %v, %v", moved, err)
	}
	if _, _, err := reference.Roundings(reference.Env{}, 0x1p-24, 1, ops.Exp(graph.New().Input("x", graph.Float32))); err == nil {
		t.Error("no feed: no error")
	}
}
