package vm_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// wave is a user's operator of three operands, a·b + c·Shift; operands of length 1 are scalars.
var wave = &graph.Def{
	Name: "wave",
	Infer: func(_ any, in []graph.Type) (graph.Type, error) {
		shape, err := ops.BroadcastShapes(in[0].Shape, in[1].Shape)
		return graph.TypeOf(in[0].DType, shape...), err
	},
	Pointwise: &graph.Pointwise{
		F32: func(attr any, dst []float32, in [][]float32) { waveBlock(attr, dst, in) },
		F64: func(attr any, dst []float64, in [][]float64) { waveBlock(attr, dst, in) },
	},
}

type waveAttr struct{ Shift float64 }

func waveBlock[T kernel.Float](attr any, dst []T, in [][]T) {
	shift := T(attr.(waveAttr).Shift)
	if shift == 13 {
		panic("an unlucky number")
	}
	at := func(k, i int) T {
		if len(in[k]) == 1 {
			return in[k][0]
		}
		return in[k][i]
	}
	for i := range dst {
		dst[i] = at(0, i)*at(1, i) + at(2, i)*shift
	}
}

// A user's Pointwise is called within a program, with its attributes, rows and scalars as they come, and allocates nothing.
func TestAUsersPointwiseJoinsAProgram(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		g := graph.New()
		x, row, factor := g.Input("x", dtype, graph.Symbol("n"), 5), g.Input("row", dtype, 5), g.Input("factor", dtype)
		y := ops.Tanh(graph.Apply(wave, waveAttr{0.5}, ops.Neg(x), row, factor))
		var got [2][]float64
		for i, without := range [][]string{nil, {"elementwise"}} {
			p := compile(t, vm.Spec{Outputs: []*graph.Node{y}, Without: without})
			if fused := slices.Contains(operations(p), "elementwise(x, row, factor) neg+wave+tanh"); fused != (i == 0) {
				t.Errorf("fused: %v\n%v", fused, p)
			}
			s, err := vm.NewState(g, 1)
			if err != nil {
				t.Fatal(err)
			}
			m, err := vm.NewMachine(p, s)
			if err != nil {
				t.Fatal(err)
			}
			values := graph.NewArray(dtype, 40000, 5) // several parts
			for k := range values.Len() {
				values.SetAt(k, float64(k%17)/8-1)
			}
			line, two := graph.NewArray(dtype, 5), graph.NewArray(dtype)
			for k := range 5 {
				line.SetAt(k, float64(k)-2)
			}
			two.SetAt(0, 2)
			for n, v := range map[*graph.Node]graph.Array{x: values, row: line, factor: two} {
				if err := m.Feed(n, v); err != nil {
					t.Fatal(err)
				}
			}
			run(t, m)
			if n := testing.AllocsPerRun(3, func() { _ = m.Run(context.Background()) }); n != 0 {
				t.Errorf("%v allocations a run", n)
			}
			d, err := m.Value(y)
			if err != nil {
				t.Fatal(err)
			}
			a, err := graph.ArrayOf(d)
			if err != nil {
				t.Fatal(err)
			}
			for k := range a.Len() {
				got[i] = append(got[i], a.At(k))
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%v: fused and not fused differ", dtype)
		}
	}
}

// A panic of a user's Pointwise within a program is an error of the run that names the program's operators.
func TestAPanicInAProgramIsAnError(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float64, 3)
	p := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Exp(graph.Apply(wave, waveAttr{13}, x, x, x))}})
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Feed(x, []float64{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "an unlucky number") || !strings.Contains(err.Error(), "wave") {
		t.Errorf("got %v", err)
	}
}
