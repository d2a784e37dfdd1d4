package nn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// A masked layer computes what the full one does with zeros in the places of missing connections, and these get no gradient.
func TestMaskedLinear(t *testing.T) {
	mask := []float64{1, 0, 0, 1, 1, 1, 0, 0} // (4, 2)
	of := func(in, out int) bool { return mask[in*2+out] != 0 }
	booleans := make([]bool, 8)
	for i, m := range mask {
		booleans[i] = m != 0
	}
	fed := []float64{0.3, -1, 2, 0.5, 0.1, 0.9, -0.4, 1.5}
	for name, l := range map[string]*nn.MaskedLinear{
		"a function":           {Out: 2, Connected: of},
		"a matrix of numbers":  {Out: 2, Mask: tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float64{-3, 0, 0, 1, 1, 1, 0, 0}))},
		"a matrix of booleans": {Out: 2, Mask: tensor.New(tensor.WithShape(4, 2), tensor.WithBacking(booleans))},
	} {
		l.Weight, l.Bias = initializers.Normal(1), initializers.Normal(1)
		g := graph.New()
		x := input(g, "x", 4)
		y := nn.Build(g, l, x)
		w, b := g.Leaf("weight"), g.Leaf("bias")
		d := autodiff.Grad(ops.Sum(ops.Square(y)), w)[0]
		values := run(t, g, vm.Infer, vm.Feeds{x: rows(fed, 4).Dense()}, y, w, b, d)
		for i, v := range values[0] {
			want := values[2][i%2]
			for k := range 4 {
				want += fed[i/2*4+k] * mask[k*2+i%2] * values[1][k*2+i%2]
			}
			if math.Abs(v-want) > 1e-14 {
				t.Errorf("%s: element %d is %v, want %v", name, i, v, want)
			}
		}
		for i, m := range mask {
			if (values[1][i] != 0) != (m != 0) || (values[3][i] != 0) != (m != 0) {
				t.Errorf("%s: connection %d is %v: it starts at %v, its gradient is %v", name, i, m, values[1][i], values[3][i])
			}
		}
	}
	gradcheck.Test(t, func(x []*graph.Node) *graph.Node {
		return nn.Build(x[0].Graph(), &nn.MaskedLinear{Out: 2, Connected: of}, x[0])
	}, gradcheck.Shaped(rows(fed, 4).Dense(), batch, 4))
}

// Outputs of few connections start as large as others: output j of 100 has j+1 of 100 inputs, and weights of variance 1/(j+1).
func TestMaskedWeightsAreEven(t *testing.T) {
	const n, draws = 100, 200
	g := graph.New()
	nn.Build(g, &nn.MaskedLinear{Out: n, Connected: func(in, out int) bool { return in <= out }}, input(g, "x", n))
	init, values, r := g.Leaf("weight").Init(), make([]float64, n*n), random()
	var squares [n]float64 // of the sum over each output
	for range draws {
		init.Fill(r, []int{n, n}, values)
		for i, v := range values {
			squares[i%n] += v * v / draws
		}
	}
	for j, s := range squares { // a sum of j+1 squares of variance 1/(j+1)
		if deviation := math.Sqrt(2 / float64(j+1) / draws); math.Abs(s-1) > 4.5*deviation {
			t.Errorf("output %d: the mean square is %v", j, s)
		}
	}
}

// A network whose units see their neighbours only.
func ExampleMaskedLinear() {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 9)
	near := func(in, out int) bool { return in >= out-1 && in <= out+1 }
	y := nn.Build(g, nn.Sequential{&nn.MaskedLinear{Out: 9, Connected: near}, nn.Tanh, &nn.MaskedLinear{Out: 9, Connected: near}}, x)
	fmt.Println(y.Type())
	// Output: float32(batch, 9)
}
