package ops

import (
	"github.com/tapir-ml/tapir/graph"
)

// The definitions of conversion, tuples and modes.
var (
	CastDef   = new(graph.Def)
	TupleDef  = new(graph.Def)
	GetDef    = new(graph.Def)
	ByModeDef = new(graph.Def)
)

type castAttr struct{ To graph.DType }

type partAttr struct{ Part int }

// Cast converts x to another element type, as Go converts; a boolean becomes 1 or 0, a number becomes true unless it is 0. The
// cotangent flows between float types only.
func Cast(x *graph.Node, to graph.DType) *graph.Node {
	if x.Err() == nil && x.DType() == to {
		return x
	}
	return graph.Apply(CastDef, castAttr{to}, x)
}

// Get returns part i of a tuple, the result of an operator with several results.
func Get(tuple *graph.Node, i int) *graph.Node {
	if tuple.Is(TupleDef) && i >= 0 && i < len(tuple.Inputs()) {
		return tuple.In(i)
	}
	return graph.Apply(GetDef, partAttr{i}, tuple)
}

// Part returns which part of its tuple a Get node is.
func Part(get *graph.Node) int {
	if attr, ok := get.Attr().(partAttr); ok {
		return attr.Part
	}
	return -1
}

// Tuple makes one value of several. Gradient rules of operators with several results receive their cotangents as one.
func Tuple(parts ...*graph.Node) *graph.Node { return graph.Apply(TupleDef, nil, parts...) }

// ByMode is train in a program compiled for training and eval in one compiled for evaluation. What only the other mode needs
// is never computed. Both have the same type.
func ByMode(train, eval *graph.Node) *graph.Node { return graph.Apply(ByModeDef, nil, train, eval) }

func init() {
	define(CastDef, graph.Def{
		Name: "cast",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			return graph.TypeOf(attr.(castAttr).To, in[0].Shape...), nil
		},
		Eval: copyAny,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			if from := n.In(0).DType(); from.IsFloat() && n.DType().IsFloat() {
				return []*graph.Node{Cast(dy, from)}
			}
			return []*graph.Node{nil}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: castAttr{graph.Float64}, In: []graph.Operand{floats(2, 3)}}}
		},
	})
	define(TupleDef, graph.Def{
		Name: "tuple",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if len(in) == 0 {
				return graph.Type{}, graph.Errorf(graph.ErrOperator, "a tuple has at least one part")
			}
			return graph.TupleOf(append([]graph.Type(nil), in...)...), wantOperands(in, len(in))
		},
		Eval: func(c *graph.Call) error {
			for i := range c.In {
				c.Out[i].CopyFrom(c.In[i])
			}
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			dx := make([]*graph.Node, len(n.Inputs()))
			for i, x := range n.Inputs() {
				if x.DType().IsFloat() {
					dx[i] = Get(dy, i)
				}
			}
			return dx
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{{In: []graph.Operand{floats(2), floats(3, 1)}}}
		},
	})
	define(GetDef, graph.Def{
		Name: "get",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			i := attr.(partAttr).Part
			if len(in) != 1 || !in[0].IsTuple() {
				return graph.Type{}, graph.Errorf(graph.ErrOperator, "takes one tuple, not %v", in)
			}
			if i < 0 || i >= len(in[0].Tuple) {
				return graph.Type{}, graph.Errorf(graph.ErrOperator, "part %d of a tuple of %d", i, len(in[0].Tuple))
			}
			return in[0].Tuple[i], nil
		},
		// On a tape a part of a tuple is a place, so nothing is computed; autodiff collects the cotangents of the parts.
		Eval: func(c *graph.Call) error {
			c.Out[0].CopyFrom(c.In[c.Attr.(partAttr).Part])
			return nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{nil} },
		Samples: func() []graph.Sample {
			return []graph.Sample{{Attr: partAttr{1}, In: []graph.Operand{{Type: graph.TupleOf(graph.TypeOf(graph.Float64, 2), graph.TypeOf(graph.Float64, 3))}}}}
		},
	})
	define(ByModeDef, graph.Def{
		Name: "bymode",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 2); err != nil {
				return graph.Type{}, err
			}
			if !in[0].Identical(in[1]) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "the training value is %v, the evaluation value %v; they must be alike", in[0], in[1])
			}
			return in[0], nil
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			zero := ZerosLike(dy)
			return []*graph.Node{ByMode(dy, zero), ByMode(zero, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{{In: []graph.Operand{floats(2, 3), floats(2, 3)}}}
		},
	})
}
