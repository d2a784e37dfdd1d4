package ops

import (
	"fmt"

	"github.com/tapir-ml/tapir/graph"
)

// Dropout returns, in training, x with each element replaced by 0 with probability p and the others multiplied by 1/(1−p), so
// that the expectation is x; in evaluation it returns x. Which elements are dropped is drawn with key, from a stream of this
// call's own: two dropouts drop different elements, and with a StepKey each step does. p is from 0 to 1, right to within 2⁻²⁴;
// at 0 the result is x, at 1 it is 0. A dropped element becomes x·0, so one that is not finite becomes NaN.
//
// Elements along the axes named in shared stay or go together: Dropout(x, p, key, 2, 3) drops whole channels of (batch,
// channels, height, width).
func Dropout(x *graph.Node, p float64, key *graph.Node, shared ...int) *graph.Node {
	fail := func(err error) *graph.Node {
		return graph.Invalid(err, fmt.Sprintf("dropout(%s, %v, %s)", x.Name(), p, key.Name()), x, key)
	}
	for _, n := range []*graph.Node{x, key} {
		if err := n.Err(); err != nil {
			return fail(err)
		}
	}
	if err := wantProbability(p); err != nil {
		return fail(err)
	}
	shape := append(graph.Shape(nil), x.Shape()...)
	for _, axis := range shared {
		a, err := normalAxis(axis, x.Type())
		if err != nil {
			return fail(err)
		}
		shape[a] = 1
	}
	if _, err := inferDraw(drawAttr{0, x.DType(), shape}, []graph.Type{key.Type()}); err != nil {
		return fail(err)
	}
	switch zero := like(x, 0); p {
	case 0:
		return x
	case 1:
		return ByMode(Select(x.Graph().Constant(false), x, zero), x)
	default:
		u := draw(UniformDef, key, FreshStream(x.Graph()), x.DType(), shape)
		// The mask is of factors, not booleans: so that a product multiplies by it in passing, forward and backward.
		mask := Select(Less(u, like(x, 1-p)), like(x, 1/(1-p)), zero)
		return ByMode(Mul(x, mask), x)
	}
}
