package gradcheck

import (
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Def checks an operator at each of its samples. It fails for an operator without samples: an operator whose gradient nobody
// has compared with anything is not finished. Operators that have no gradient by their nature (Discrete) pass by being built.
func Def(d *graph.Def) error {
	if d.Samples == nil || len(d.Samples()) == 0 {
		return graph.Errorf(graph.ErrOperator, "operator %s has no samples for the gradient check (Def.Samples)", d.Name)
	}
	for i, s := range d.Samples() {
		if err := sample(d, s); err != nil {
			return graph.Errorf(graph.ErrOperator, "operator %s, sample %d %v: %v", d.Name, i, s.Attr, err)
		}
	}
	return nil
}

func sample(d *graph.Def, s graph.Sample) error {
	random := rand.New(rand.NewPCG(7, 11))
	var inputs []any
	var parts []int // tensors of each operand
	differentiable := false
	for _, o := range s.In {
		types := []graph.Type{o.Type}
		if o.Type.IsTuple() {
			types = o.Type.Tuple
		}
		parts = append(parts, len(types))
		for _, t := range types {
			inputs = append(inputs, Values(o, t, random))
			differentiable = differentiable || t.DType == graph.Float64
		}
	}
	build := func(g *graph.Graph, x []*graph.Node) []*graph.Node {
		var operands []*graph.Node
		for i, n := range parts {
			if s.In[i].Type.IsTuple() {
				operands = append(operands, ops.Tuple(x[:n]...))
			} else {
				operands = append(operands, x[0])
			}
			x = x[n:]
		}
		y := g.Apply(d, s.Attr, operands...)
		if !y.Type().IsTuple() {
			return []*graph.Node{y}
		}
		var outs []*graph.Node
		for i, t := range y.Type().Tuple {
			if t.DType.IsFloat() {
				outs = append(outs, ops.Get(y, i))
			}
		}
		return outs
	}
	if !differentiable || d.Traits.Has(graph.Discrete) {
		g := graph.New()
		var x []*graph.Node
		for _, v := range inputs {
			x = append(x, g.Constant(v))
		}
		for _, y := range build(g, x) {
			if y.Err() != nil {
				return y.Err()
			}
		}
		return nil
	}
	report, err := Check(func(x []*graph.Node) *graph.Node {
		var flat []*graph.Node
		for _, y := range build(x[0].Graph(), x) {
			flat = append(flat, ops.Sum(ops.Mul(y, weights(y, random))))
		}
		return ops.AddN(flat...)
	}, inputs...)
	if err != nil {
		return err
	}
	if !report.OK() {
		return graph.Errorf(graph.ErrGradient, "%v", report)
	}
	return nil
}

// weights is a constant of y's shape with random elements, so that no derivative hides behind a symmetry such as Σ softmax = 1.
func weights(y *graph.Node, random *rand.Rand) *graph.Node {
	if y.Err() != nil {
		return y
	}
	w := Values(graph.Operand{Lo: 0.5, Hi: 1.5}, y.Type(), random)
	return y.Graph().Constant(w)
}

// Values draws a tensor of type t (its shape static) as operand o describes it.
func Values(o graph.Operand, t graph.Type, random *rand.Rand) graph.Array {
	shape := make([]int, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int(d)
	}
	lo, hi := o.Lo, o.Hi
	if lo == 0 && hi == 0 {
		lo, hi = -1, 1
	}
	a := graph.NewArray(t.DType, shape...)
	for i := range a.Len() {
		v := lo + (hi-lo)*random.Float64()
		if o.Values != nil {
			v = o.Values[i%len(o.Values)]
		}
		for _, kink := range o.Avoid {
			if math.Abs(v-kink) < 0.05 {
				v = kink + math.Copysign(0.05, v-kink)
			}
		}
		a.SetAt(i, v)
	}
	return a
}
