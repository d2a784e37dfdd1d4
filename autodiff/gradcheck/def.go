package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Def checks an operator at each of its samples, and again with the sizes of the sample as symbols, if its shape rule takes them. It fails
// for an operator without samples: an operator whose gradient nobody has compared with anything is not finished. Operators that have no
// gradient by their nature (Discrete) pass by being built.
func Def(d *graph.Def) error {
	if d.Samples == nil || len(d.Samples()) == 0 {
		return graph.Errorf(graph.ErrOperator, "operator %s has no samples for the gradient check (Def.Samples)", d.Name)
	}
	for i, s := range d.Samples() {
		fail := func(err error) error {
			return graph.Errorf(graph.ErrOperator, "operator %s, sample %d %v: %v", d.Name, i, s.Attr, err)
		}
		if err := sample(d, s, s.In); err != nil {
			return fail(err)
		}
		if in := Symbolic(s.In); accepts(d, s.Attr, in) {
			if err := sample(d, s, in); err != nil {
				return fail(fmt.Errorf("with symbols for sizes: %w", err))
			}
		}
	}
	return nil
}

// Symbolic returns operands whose sizes from 2 up are symbols, equal ones the same symbol.
func Symbolic(in []graph.Operand) []graph.Operand {
	symbolic := func(t graph.Type) graph.Type {
		t.Shape = slices.Clone(t.Shape)
		for i, d := range t.Shape {
			if d > 1 {
				t.Shape[i] = graph.Symbol(fmt.Sprintf("n%d", d))
			}
		}
		return t
	}
	in = slices.Clone(in)
	for i := range in {
		t := &in[i].Type
		if !t.IsTuple() {
			*t = symbolic(*t)
			continue
		}
		t.Tuple = slices.Clone(t.Tuple)
		for k := range t.Tuple {
			t.Tuple[k] = symbolic(t.Tuple[k])
		}
	}
	return in
}

// accepts reports whether the operands have a symbol, and the operator can be applied to them.
func accepts(d *graph.Def, attr any, in []graph.Operand) bool {
	g, symbols := graph.New(), false
	var operands []*graph.Node
	for i, o := range in {
		var parts []*graph.Node
		for k, t := range partsOf(o.Type) {
			parts = append(parts, g.Input(fmt.Sprintf("x%d.%d", i, k), t.DType, t.Shape...))
			symbols = symbols || !t.Shape.IsStatic()
		}
		operands = append(operands, joined(o.Type, parts))
	}
	return symbols && g.Apply(d, attr, operands...).Err() == nil
}

func partsOf(t graph.Type) []graph.Type {
	if t.IsTuple() {
		return t.Tuple
	}
	return []graph.Type{t}
}

// joined is an operand of type t from its parts.
func joined(t graph.Type, parts []*graph.Node) *graph.Node {
	if t.IsTuple() {
		return ops.Tuple(parts...)
	}
	return parts[0]
}

// sample checks d with the values of sample s, fed to operands of the types of in.
func sample(d *graph.Def, s graph.Sample, in []graph.Operand) error {
	random := rand.New(rand.NewPCG(7, 11))
	var inputs []any
	differentiable := false
	for i, o := range s.In {
		symbolic := partsOf(in[i].Type)
		for k, t := range partsOf(o.Type) {
			inputs = append(inputs, Shaped(Values(o, t, random), symbolic[k].Shape...))
			differentiable = differentiable || t.DType == graph.Float64
		}
	}
	build := func(g *graph.Graph, x []*graph.Node) *graph.Node {
		var operands []*graph.Node
		for _, o := range s.In {
			n := len(partsOf(o.Type))
			operands = append(operands, joined(o.Type, x[:n]))
			x = x[n:]
		}
		return g.Apply(d, s.Attr, operands...)
	}
	if !differentiable || d.Traits.Has(graph.Discrete) {
		g := graph.New()
		var x []*graph.Node
		for _, v := range inputs {
			x = append(x, g.Constant(v.(Input).Value))
		}
		return build(g, x).Err()
	}
	report, err := Options{Seed: 1}.Check(func(x []*graph.Node) *graph.Node { return build(x[0].Graph(), x) }, inputs...)
	if err != nil {
		return err
	}
	if !report.OK() {
		return graph.Errorf(graph.ErrGradient, "%v", report)
	}
	return nil
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
