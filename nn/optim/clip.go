package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// ClipByValue cuts every element of the gradients to −limit … limit. NaN stays NaN.
func ClipByValue(grads []*graph.Node, limit float64) []*graph.Node {
	return clip(grads, "ClipByValue", limit, func(g *graph.Node) *graph.Node { return ops.Clamp(g, -limit, limit) })
}

// ClipByNorm scales each gradient whose Euclidean norm is above limit down to it.
func ClipByNorm(grads []*graph.Node, limit float64) []*graph.Node {
	return clip(grads, "ClipByNorm", limit, func(g *graph.Node) *graph.Node { return ops.Mul(g, factor(norm(g), limit)) })
}

// ClipByGlobalNorm scales all gradients by one factor, so that the Euclidean norm of all of them together is at most limit
// (PyTorch's clip_grad_norm_). The norm, a float64 scalar, is worth watching: add it to the program's outputs.
func ClipByGlobalNorm(grads []*graph.Node, limit float64) (clipped []*graph.Node, length *graph.Node) {
	var squares []*graph.Node
	for _, g := range grads {
		if g != nil && g.Err() == nil {
			squares = append(squares, ops.Cast(ops.Sum(ops.Square(g)), graph.Float64))
		}
	}
	length = ops.Sqrt(ops.AddN(squares...))
	by := factor(length, limit)
	return clip(grads, "ClipByGlobalNorm", limit, func(g *graph.Node) *graph.Node { return ops.Mul(g, ops.Cast(by, g.DType())) }), length
}

// factor is limit/(length + 10⁻⁶), but at most 1.
func factor(length *graph.Node, limit float64) *graph.Node {
	unit := length.Graph().Full(length.DType(), 1)
	return ops.Minimum(unit, ops.Div(length.Graph().Full(length.DType(), limit), ops.AddScalar(length, 1e-6)))
}

// clip applies f to the gradients that there are.
func clip(grads []*graph.Node, what string, limit float64, f func(g *graph.Node) *graph.Node) []*graph.Node {
	clipped := make([]*graph.Node, len(grads))
	for i, g := range grads {
		switch {
		case g == nil || g.Err() != nil:
			clipped[i] = g
		case !(limit > 0):
			clipped[i] = graph.Invalid(graph.Errorf(graph.ErrValue, "the limit of %s is %v; it must be above 0", what, limit), what, g)
		default:
			clipped[i] = f(g)
		}
	}
	return clipped
}
