package nn_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// unroller is what the recurrent layers have in common.
type unroller interface {
	nn.Layer
	Unroll(s *nn.Scope, x *graph.Node, state []*graph.Node) (y *graph.Node, last []*graph.Node)
}

// A sequence taken piece by piece, the state handed on, gives what it gives at once, with the same parameters.
func TestSequencesPieceByPiece(t *testing.T) {
	for _, l := range []unroller{&nn.RNN{Hidden: 3}, &nn.GRU{Hidden: 3, Layers: 2}, &nn.LSTM{Hidden: 3, Layers: 2}, &nn.LSTM{Hidden: 2}} {
		g := graph.New()
		x := g.Input("x", graph.Float64, batch, 5, 2)
		s := nn.Root(g, "m")
		whole, end := l.Unroll(s, x, nil)
		count := len(g.Params())
		var pieces, state []*graph.Node
		for _, piece := range [][2]graph.Dim{{0, 1}, {1, 2}, {2, 5}} {
			var y *graph.Node
			y, state = l.Unroll(s, ops.Slice(x, 1, piece[0], piece[1]), state)
			pieces = append(pieces, y)
		}
		if len(g.Params()) != count {
			t.Fatalf("%T: pieces have parameters of their own", l)
		}
		fed := vm.Feeds{x: rows([]float64{0.3, -1, 2, 0.5, 0.1, 0.9, -0.4, 1.5, 0.7, -0.2, 1, 2, 3, -1, -2, -3, 0, 0.1, 0.2, 0.3}, 2).As([]int{2, 5, 2}).Dense()}
		outputs := append([]*graph.Node{whole, ops.Concat(1, pieces...)}, append(end, state...)...)
		values := run(t, g, vm.Infer, fed, outputs...)
		same := func(what string, a, b []float64) {
			for i := range a {
				if math.Abs(a[i]-b[i]) > 1e-14 {
					t.Errorf("%T, %s, element %d: %v at once, %v in pieces", l, what, i, a[i], b[i])
				}
			}
		}
		same("steps", values[0], values[1])
		for i := range end {
			same("state", values[2+i], values[2+len(end)+i])
		}
	}
}

func TestRecurrentWeightsStartWithinBounds(t *testing.T) {
	g := graph.New()
	nn.Build(g, &nn.GRU{Hidden: 16}, g.Input("x", graph.Float32, batch, 2, 100))
	for _, p := range g.Params() {
		values := make([]float64, 1000)
		p.Init().Fill(random(), []int{1000}, values)
		largest := 0.0
		for _, v := range values {
			largest = max(largest, math.Abs(v))
		}
		if largest > 0.25 || largest < 0.24 { // 1/√16
			t.Errorf("%s: up to %v", p.Name(), largest)
		}
	}
}

func TestStatesThatDoNotFit(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, batch, 3, 2)
	h := g.Input("h", graph.Float32, batch, 4)
	for _, c := range []struct {
		state []*graph.Node
		want  string
	}{
		{[]*graph.Node{h}, `LSTM "m": a state of 1 parts; it has 2`},
		{[]*graph.Node{h, g.Input("c", graph.Float32, batch, 5)}, `LSTM "m": part 1 of the state is float32(batch, 5); it must be float32(batch, 4)`},
		{[]*graph.Node{h, ops.Sum(h, 7)}, `axis 7`},
	} {
		y, last := (&nn.LSTM{Hidden: 4}).Unroll(nn.Root(g, "m"), x, c.state)
		if err := y.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "recurrent_test.go") {
			t.Errorf("%v, want %s", err, c.want)
		}
		if len(last) != 2 || last[0].Err() == nil {
			t.Errorf("the state at the end is %v", last)
		}
	}
}

// An error in the first of several layers is the result, not a panic.
func TestRecurrentNamesThatAreTaken(t *testing.T) {
	for _, l := range []unroller{&nn.RNN{Hidden: 3, Layers: 2}, &nn.GRU{Hidden: 3, Layers: 2, Bidirectional: true}, &nn.LSTM{Hidden: 3, Layers: 3, Last: true}} {
		g := graph.New()
		g.Param("m.weight_ih_l0", graph.Float32, graph.Zeros(), 2)
		y, last := l.Unroll(nn.Root(g, "m"), g.Input("x", graph.Float32, batch, 3, 2), nil)
		if err := y.Err(); err == nil || !strings.Contains(err.Error(), `the name "m.weight_ih_l0" is taken`) || last[0].Err() == nil {
			t.Errorf("%T: %v", l, err)
		}
	}
}

// A model that reads text: ids, vectors, an LSTM, a verdict.
func ExampleLSTM() {
	g := graph.New()
	words := g.Input("words", graph.Int64, graph.Symbol("batch"), 12)
	model := nn.Sequential{&nn.Embedding{Entries: 1000, Size: 16}, &nn.LSTM{Hidden: 32, Last: true}, &nn.Linear{Out: 1}}
	fmt.Println(nn.Build(g, model, words).Type(), len(g.Params()))
	// Output:
	// float32(batch, 1) 7
}
