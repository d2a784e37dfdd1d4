package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Recurrence has the options of the recurrent layers, which go through x: (batch, length, in) step by step, from a state of zeros. length is
// fixed: the steps are unrolled in the graph. The result is the hidden state of every step, (batch, length, Hidden), or that of the last.
//
// The parameters have PyTorch's names and order of gates: "weight_ih_l0", (in, gates·Hidden), "weight_hh_l0", (Hidden, gates·Hidden),
// "bias_ih_l0" and "bias_hh_l0", (gates·Hidden); matrices are the transposes of PyTorch's. Further layers are "_l1", …, those that run
// backwards "_l0_reverse".
type Recurrence struct {
	Hidden        int
	Layers        int     // each of which takes the result of the one before; 0 means 1
	Bidirectional bool    // a second one, from the last step to the first, goes beside each layer: the result has 2·Hidden features, its own last
	Last          bool    // the result is what comes out at the end, (batch, Hidden): forwards at the last step, backwards at the first
	Dropout       float64 // between layers, as in the layer Dropout
	NoBias        bool
	Init          graph.Init // of all parameters; left out: uniform within ±1/√Hidden

	Activation func(x *graph.Node) *graph.Node // of RNN alone; left out: ops.Tanh
}

// RNN is the plain recurrence (Elman 1990): h′ = tanh(x·W + b + h·U + c).
type RNN Recurrence

// GRU is the gated recurrent unit (Cho et al. 2014), with the reset gate behind the product as in PyTorch. The gates are r, z, n:
//
//	r, z = sigmoid(x·W + b + h·U + c)
//	n    = tanh(x·W + b + r ⊙ (h·U + c))
//	h′   = (1 − z) ⊙ n + z ⊙ h
type GRU Recurrence

// LSTM is the long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000). The gates are i, f, g, o, and the state is h and c:
//
//	i, f, o = sigmoid(x·W + b + h·U + d)
//	g       = tanh(x·W + b + h·U + d)
//	c′      = f ⊙ c + i ⊙ g
//	h′      = o ⊙ tanh(c′)
type LSTM Recurrence

// Build adds the parameters and unrolls the steps.
func (l *RNN) Build(s *Scope, x *graph.Node) *graph.Node {
	y, _ := l.Unroll(s, x, nil)
	return y
}

// Build adds the parameters and unrolls the steps.
func (l *GRU) Build(s *Scope, x *graph.Node) *graph.Node {
	y, _ := l.Unroll(s, x, nil)
	return y
}

// Build adds the parameters and unrolls the steps.
func (l *LSTM) Build(s *Scope, x *graph.Node) *graph.Node {
	y, _ := l.Unroll(s, x, nil)
	return y
}

// Unroll is Build from a given state, (batch, Hidden) for each layer, forwards and then backwards, or zeros if state is nil. It returns
// the state at the end too, so that sequences can be taken piece by piece: of length 1 when they are generated.
func (l *RNN) Unroll(s *Scope, x *graph.Node, state []*graph.Node) (y *graph.Node, last []*graph.Node) {
	activation := l.Activation
	if activation == nil {
		activation = ops.Tanh
	}
	return (*Recurrence)(l).unroll(s, l, x, state, cell{1, 1, func(input, hidden *graph.Node, state []*graph.Node) []*graph.Node {
		return []*graph.Node{activation(ops.Add(input, hidden))}
	}})
}

// Unroll is Build from a given state; see RNN.Unroll.
func (l *GRU) Unroll(s *Scope, x *graph.Node, state []*graph.Node) (y *graph.Node, last []*graph.Node) {
	return (*Recurrence)(l).unroll(s, l, x, state, cell{3, 1, func(input, hidden *graph.Node, state []*graph.Node) []*graph.Node {
		a, b := gates(input, 3), gates(hidden, 3)
		r, z := ops.Sigmoid(ops.Add(a[0], b[0])), ops.Sigmoid(ops.Add(a[1], b[1]))
		n := ops.Tanh(ops.Add(a[2], ops.Mul(r, b[2])))
		return []*graph.Node{ops.Lerp(n, state[0], z)}
	}})
}

// Unroll is Build from a given state: h and c for each layer, forwards and then backwards; see RNN.Unroll.
func (l *LSTM) Unroll(s *Scope, x *graph.Node, state []*graph.Node) (y *graph.Node, last []*graph.Node) {
	return (*Recurrence)(l).unroll(s, l, x, state, cell{4, 2, func(input, hidden *graph.Node, state []*graph.Node) []*graph.Node {
		sum := gates(ops.Add(input, hidden), 4)
		i, f, g, o := ops.Sigmoid(sum[0]), ops.Sigmoid(sum[1]), ops.Tanh(sum[2]), ops.Sigmoid(sum[3])
		c := ops.Add(ops.Mul(f, state[1]), ops.Mul(i, g))
		return []*graph.Node{ops.Mul(o, ops.Tanh(c)), c}
	}})
}

// cell is one step of a recurrence: from the affine maps of input and hidden state, (batch, gates·Hidden), and the state, to the next
// state, of which part 0 is the hidden one.
type cell struct {
	gates, states int
	step          func(input, hidden *graph.Node, state []*graph.Node) []*graph.Node
}

// gates cuts (batch, n·Hidden) into n parts, all of them invalid if x is.
func gates(x *graph.Node, n int) []*graph.Node {
	parts := ops.Split(x, 1, n)
	for len(parts) < n {
		parts = append(parts, parts[0])
	}
	return parts
}

func (r *Recurrence) unroll(s *Scope, l Layer, x *graph.Node, state []*graph.Node, c cell) (y *graph.Node, last []*graph.Node) {
	layers, directions := max(r.Layers, 1), 1
	if r.Bidirectional {
		directions = 2
	}
	parts := layers * directions * c.states
	if err := r.check(x, state, parts); err != nil {
		x = s.invalid(l, x, err)
		return x, slices.Repeat([]*graph.Node{x}, parts)
	}
	if state == nil {
		zeros := ops.BroadcastTo(ops.Scalar(x, 0), x.Shape()[0], graph.Dim(r.Hidden))
		state = slices.Repeat([]*graph.Node{zeros}, parts)
	}
	for layer := range layers {
		if layer > 0 && r.Dropout != 0 {
			x = ops.Dropout(x, r.Dropout, s.Key())
		}
		if x.Err() != nil {
			return x, slices.Repeat([]*graph.Node{x}, parts)
		}
		var sides, ends []*graph.Node
		for direction := range directions {
			suffix := fmt.Sprintf("_l%d", layer)
			if direction == 1 {
				suffix += "_reverse"
			}
			at := (layer*directions + direction) * c.states
			steps, end := r.through(s, x, state[at:at+c.states], c, suffix, direction == 1)
			sides, ends, last = append(sides, ops.Stack(1, steps...)), append(ends, end[0]), append(last, end...)
		}
		x = ops.Concat(2, sides...)
		if r.Last && layer == layers-1 {
			x = ops.Concat(1, ends...)
		}
	}
	return x, last
}

// through runs one layer in one direction; steps are in the order of x.
func (r *Recurrence) through(s *Scope, x *graph.Node, state []*graph.Node, c cell, suffix string, backwards bool) (steps, end []*graph.Node) {
	hidden, width := graph.Dim(r.Hidden), graph.Dim(c.gates*r.Hidden)
	bound := 1 / math.Sqrt(float64(r.Hidden))
	init := or(r.Init, initializers.Uniform(-bound, bound))
	param := func(name string, dims ...graph.Dim) *graph.Node {
		return s.Param(name+suffix, x.DType(), init, dims...)
	}
	input, recurrent := param("weight_ih", x.Shape()[2], width), param("weight_hh", hidden, width)
	var inputBias, recurrentBias *graph.Node
	if !r.NoBias {
		inputBias, recurrentBias = param("bias_ih", width), param("bias_hh", width)
	}
	length := int(x.Shape()[1])
	mapped := ops.Affine(x, input, inputBias) // one product for all steps
	steps = make([]*graph.Node, length)
	for i := range length {
		if backwards {
			i = length - 1 - i
		}
		state = c.step(ops.At(mapped, 1, graph.Dim(i)), ops.Affine(state[0], recurrent, recurrentBias), state)
		steps[i] = state[0]
	}
	return steps, state
}

func (r *Recurrence) check(x *graph.Node, state []*graph.Node, states int) error {
	if err := wantFloats(x); err != nil {
		return err
	}
	switch s := x.Shape(); {
	case r.Hidden < 1:
		return graph.Errorf(graph.ErrValue, "Hidden = %d features; Hidden is 1 or more", r.Hidden)
	case s.Rank() != 3 || !s[1].IsStatic() || !s[2].IsStatic() || s[1] < 1:
		return graph.Errorf(graph.ErrShape, "takes (batch, length, in) with a fixed length from 1 up, which is unrolled, and a fixed size of in, not %v", s)
	case state != nil && len(state) != states:
		return graph.Errorf(graph.ErrValue, "a state of %d parts; it has %d", len(state), states)
	}
	want := graph.TypeOf(x.DType(), x.Shape()[0], graph.Dim(r.Hidden))
	for i, part := range state {
		if err := part.Err(); err != nil {
			return err
		}
		if !part.Type().Identical(want) {
			return graph.Errorf(graph.ErrShape, "part %d of the state is %v; it must be %v", i, part.Type(), want)
		}
	}
	return nil
}

func (*RNN) before() graph.Init  { return initializers.LeCun() }
func (*GRU) before() graph.Init  { return initializers.LeCun() }
func (*LSTM) before() graph.Init { return initializers.LeCun() }
