package ops

import (
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that change gradients. Their values are operand 0; autodiff reads them, Compile erases them.
var (
	StopGradientDef     = new(graph.Def)
	ScaleGradientDef    = new(graph.Def)
	ClipGradientDef     = new(graph.Def)
	ClipGradientNormDef = new(graph.Def)
	CheckpointDef       = new(graph.Def)
)

type factorAttr struct{ Factor float64 }

type rangeAttr struct{ Lo, Hi float64 }

type normAttr struct{ Norm float64 }

// StopGradient returns x, through which no cotangent flows.
func StopGradient(x *graph.Node) *graph.Node { return graph.Apply(StopGradientDef, nil, x) }

// ScaleGradient returns x; the cotangent that flows through it is multiplied by s. 0 still lets a zero flow: StopGradient does not.
func ScaleGradient(x *graph.Node, s float64) *graph.Node {
	return graph.Apply(ScaleGradientDef, factorAttr{s}, x)
}

// ReverseGradient returns x; the cotangent that flows through it changes its sign, as adversarial training wants.
func ReverseGradient(x *graph.Node) *graph.Node { return ScaleGradient(x, -1) }

// ClipGradient returns x; each element of the cotangent that flows through it is cut to lo … hi, where lo ≤ hi. NaN stays NaN.
// Forward mode passes tangents on as they are: clipping is not linear.
func ClipGradient(x *graph.Node, lo, hi float64) *graph.Node {
	return graph.Apply(ClipGradientDef, rangeAttr{lo, hi}, x)
}

// ClipGradientNorm returns x; a cotangent whose Euclidean norm, over all its elements, is above norm is scaled down to it.
// Forward mode passes tangents on as they are.
func ClipGradientNorm(x *graph.Node, norm float64) *graph.Node {
	return graph.Apply(ClipGradientNormDef, normAttr{norm}, x)
}

// CustomGradient returns y with another gradient: the cotangents of inputs are what vjp builds from y and its cotangent dy, and
// nothing flows to what y was computed from otherwise. vjp returns a node for each input, of its type, or nil where none flows.
// It builds ordinary nodes, so what it returns can be differentiated again. The inputs it is given are those of the expression
// that is differentiated: it must use them, not what it has seen from outside, where rewriting may have changed them.
//
// A straight-through estimator:
//
//	q := ops.CustomGradient(hard, []*graph.Node{x}, func(_ []*graph.Node, _, dy *graph.Node) []*graph.Node {
//		return []*graph.Node{dy}
//	})
func CustomGradient(y *graph.Node, inputs []*graph.Node, vjp func(inputs []*graph.Node, y, dy *graph.Node) []*graph.Node) *graph.Node {
	// Functions cannot be compared, so each call is an operator of its own.
	d := &graph.Def{
		Name: "customgradient",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if vjp == nil {
				return graph.Type{}, graph.Errorf(graph.ErrGradient, "vjp is nil; StopGradient is for no gradient at all")
			}
			return in[0], wantOperands(in, len(in))
		},
		Eval:   copyAny,
		Traits: graph.Identity,
	}
	d.VJP = func(n, dy *graph.Node) []*graph.Node {
		in := n.Inputs()[1:]
		dx := vjp(in, n, dy)
		if len(dx) != len(in) {
			wrong := graph.Invalid(graph.Errorf(graph.ErrGradient, "vjp returned %d cotangents for %d inputs", len(dx), len(in)), n.Expr(), n)
			dx = slices.Repeat([]*graph.Node{wrong}, len(in))
		}
		return append([]*graph.Node{nil}, dx...)
	}
	return graph.Apply(d, nil, append([]*graph.Node{y}, inputs...)...)
}

// Checkpoint returns x and marks it as a value to keep. Of what a program computes before its last mark, only marked values stay in
// memory; what is needed of the rest later, as a gradient needs it, is computed again just before. Marking every √n-th of n layers
// takes memory for about 2√n of them, and one more forward computation. Results keep their bits.
func Checkpoint(x *graph.Node) *graph.Node { return graph.Apply(CheckpointDef, nil, x) }

// clip cuts dy to lo … hi; a comparison with NaN is false, so NaN stays.
func clip(dy *graph.Node, lo, hi float64) *graph.Node {
	low, high := like(dy, lo), like(dy, hi)
	return Select(Less(dy, low), low, Select(Less(high, dy), high, dy))
}

// clipNorm selects before the root, whose derivative at 0 is infinite.
func clipNorm(dy *graph.Node, norm float64) *graph.Node {
	square, limit := Sum(Square(dy)), like(dy, norm*norm)
	above := Less(limit, square)
	factor := Div(like(dy, norm), Sqrt(Select(above, square, limit)))
	return Select(above, Mul(dy, factor), dy)
}

// inferSame is the rule of operators with one operand, whose type the result has.
func inferSame(attr any, in []graph.Type) (graph.Type, error) {
	if err := wantOperands(in, 1); err != nil {
		return graph.Type{}, err
	}
	return in[0], nil
}

func init() {
	for _, op := range []struct {
		def     *graph.Def
		name    string
		neutral any // attributes with which the cotangent passes unchanged, for the gradient check
		wrong   func(attr any) (bool, string)
		change  func(attr any, dy *graph.Node) *graph.Node
		traits  graph.Trait
		jvp     func(n *graph.Node, dx []*graph.Node) *graph.Node // where change is not linear
	}{
		{def: StopGradientDef, name: "stopgradient", traits: graph.Identity | graph.Discrete,
			change: func(any, *graph.Node) *graph.Node { return nil }},
		{def: ScaleGradientDef, name: "scalegradient", traits: graph.Identity, neutral: factorAttr{1},
			wrong: func(attr any) (bool, string) {
				s := attr.(factorAttr).Factor
				return math.IsNaN(s) || math.IsInf(s, 0), "the factor must be finite"
			},
			change: func(attr any, dy *graph.Node) *graph.Node { return Scale(dy, attr.(factorAttr).Factor) }},
		{def: ClipGradientDef, name: "clipgradient", traits: graph.Identity, neutral: rangeAttr{-1e9, 1e9}, jvp: unchanged,
			wrong: func(attr any) (bool, string) {
				a := attr.(rangeAttr)
				return !(a.Lo <= a.Hi), "lo must not be above hi"
			},
			change: func(attr any, dy *graph.Node) *graph.Node {
				return clip(dy, attr.(rangeAttr).Lo, attr.(rangeAttr).Hi)
			}},
		{def: ClipGradientNormDef, name: "clipgradientnorm", traits: graph.Identity, neutral: normAttr{1e9}, jvp: unchanged,
			wrong: func(attr any) (bool, string) {
				n := attr.(normAttr).Norm
				return !(n > 0 && n < math.Inf(1)), "the norm must be above 0 and finite"
			},
			change: func(attr any, dy *graph.Node) *graph.Node { return clipNorm(dy, attr.(normAttr).Norm) }},
		// A View and no Identity, which would be erased: the tape must know the mark.
		{def: CheckpointDef, name: "checkpoint", traits: graph.View,
			change: func(_ any, dy *graph.Node) *graph.Node { return dy }},
	} {
		define(op.def, graph.Def{
			Name: op.name,
			Infer: func(attr any, in []graph.Type) (graph.Type, error) {
				if op.wrong != nil {
					if is, why := op.wrong(attr); is {
						return graph.Type{}, graph.Errorf(graph.ErrValue, "%s, which it is not in %+v", why, attr)
					}
				}
				return inferSame(attr, in)
			},
			Eval:   copyAny,
			VJP:    func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{op.change(n.Attr(), dy)} },
			JVP:    op.jvp,
			Traits: op.traits,
			Samples: func() []graph.Sample {
				return []graph.Sample{{Attr: op.neutral, In: []graph.Operand{floats(2, 3)}}, {Attr: op.neutral, In: []graph.Operand{floats()}}}
			},
		})
	}
}

func unchanged(_ *graph.Node, dx []*graph.Node) *graph.Node { return dx[0] }
