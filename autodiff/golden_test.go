package autodiff_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The transforms agree with torch.autograd.functional in shapes and values (testdata/functional.py), and so do a gradient penalty and a step of descent
// that is differentiated through.
func TestAgainstPyTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/functional.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	golden := func(name string) (values []float64, shape []int) {
		var v struct {
			Shape []int
			Data  []float64
		}
		if err := json.Unmarshal(file[name], &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v.Data, v.Shape
	}
	g := graph.New()
	feeds := vm.Feeds{}
	input := func(name string) *graph.Node {
		values, shape := golden(name)
		var dims []graph.Dim
		for _, s := range shape {
			dims = append(dims, graph.Dim(s))
		}
		n := g.Input(name, graph.Float64, dims...)
		feeds[n] = mustArray(values, shape...)
		return n
	}
	x, w, vx, vw, u := input("x"), input("w"), input("vx"), input("vw"), input("u")
	product := func(x, w *graph.Node) *graph.Node { return ops.Reshape(ops.MatMul(ops.Reshape(x, 1, 3), w), 2) }
	layer := ops.Mul(ops.Tanh(product(x, w)), ops.Softmax(ops.Slice(x, 0, 0, 2), 0))
	scalar := func(x, w *graph.Node) *graph.Node {
		all := ops.Log(ops.Sum(ops.Exp(product(x, w))))
		return ops.Add(ops.Mul(all, ops.Exp(ops.Neg(ops.Sum(ops.Square(x))))), ops.Mean(ops.PowScalar(w, 3)))
	}
	y := scalar(x, w)
	jacobians, hessians := autodiff.Jacobian(layer, x, w), autodiff.Hessian(y, x, w)
	vjps, hvps := autodiff.VJP(layer, u, x, w), autodiff.HVP(y, one(x, w), one(vx, vw))
	slope := autodiff.Grad(y, x)[0]
	penalty := ops.Square(ops.AddScalar(ops.Sqrt(ops.Sum(ops.Square(slope))), -1))
	inner := scalar(ops.Scale(x, 0.5), ops.Sub(w, ops.Scale(autodiff.Grad(y, w)[0], 0.3)))
	for name, n := range map[string]*graph.Node{
		"jacobian x": jacobians[0], "jacobian w": jacobians[1],
		"hessian xx": hessians[0][0], "hessian xw": hessians[0][1], "hessian wx": hessians[1][0], "hessian ww": hessians[1][1],
		"jvp": autodiff.JVP(layer, one(x, w), one(vx, vw)), "vjp x": vjps[0], "vjp w": vjps[1], "hvp x": hvps[0], "hvp w": hvps[1],
		"penalty": penalty, "penalty w": autodiff.Grad(penalty, w)[0], "inner": inner, "inner w": autodiff.Grad(inner, w)[0],
	} {
		want, shape := golden(name)
		if fmt.Sprint(ints(n.Shape())) != fmt.Sprint(shape) && len(shape) > 0 {
			t.Errorf("%s has shape %v, want %v; %v", name, n.Shape(), shape, n.Err())
			continue
		}
		got := compute(t, feeds, n)[0]
		for i := range want {
			if d := math.Abs(got[i] - want[i]); !(d <= 1e-13*math.Max(1, math.Abs(want[i]))) {
				t.Errorf("%s, element %d: %v, PyTorch %v", name, i, got[i], want[i])
			}
		}
	}
}
