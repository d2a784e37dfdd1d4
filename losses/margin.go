package losses

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Hinge is max(0, 1 − t·x) of scores x and targets t that are +1 or −1: the loss of a support vector machine. Both have the same
// type.
func Hinge(scores, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("hinge", o, 0, scores, targets).alike("scores", "targets")
	return b.done(func() *graph.Node { return hinge(scores, targets) })
}

// SquaredHinge is the square of Hinge.
func SquaredHinge(scores, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("squaredhinge", o, 0, scores, targets).alike("scores", "targets")
	return b.done(func() *graph.Node { return ops.Square(hinge(scores, targets)) })
}

func hinge(x, t *graph.Node) *graph.Node { return ops.ReLU(ops.Sub(ops.Scalar(x, 1), ops.Mul(x, t))) }

// MultiMargin is Σ max(0, margin − x[label] + xᵢ)^power over the other classes i, divided by the number of classes. scores: (batch,
// classes), float; labels: (batch), integers. power is 1 or 2, margin is 1 in PyTorch if nothing is said. Options.ClassWeight
// weighs an example by its label; a mean divides by the number of examples all the same.
func MultiMargin(scores, labels *graph.Node, margin float64, power int, o ...Options) *graph.Node {
	b := begin("multimargin", o, classWeight|ignore, scores, labels)
	b.classes(scores, labels)
	switch {
	case b.err != nil:
	case power != 1 && power != 2:
		b.fail(graph.Errorf(graph.ErrValue, "power is %d; want 1 or 2", power))
	case scores.Shape().Rank() != 2 || !labels.DType().IsInt():
		b.fail(graph.Errorf(graph.ErrShape, "takes scores float(batch, classes) and labels int(batch), not %v and %v", scores.Type(), labels.Type()))
	}
	return b.done(func() *graph.Node {
		labels := b.ignored(labels)
		column := ops.Unsqueeze(labels, 1)
		classes := scores.Shape()[1]
		right := ops.TakeAlongAxis(scores, column, 1)
		beyond := ops.ReLU(ops.AddScalar(ops.Sub(scores, right), margin))
		if power == 2 {
			beyond = ops.Square(beyond)
		}
		isLabel := ops.Equal(ops.Iota(scores.Graph(), labels.DType(), classes), column)
		l := ops.Div(ops.Sum(ops.Select(isLabel, ops.Scalar(beyond, 0), beyond), 1), ops.DimSize(scores.Graph(), classes, scores.DType()))
		if b.ClassWeight != nil {
			l = ops.Mul(l, ops.Take(ops.Cast(b.ClassWeight, l.DType()), labels, 0))
		}
		return l
	})
}

// CosineEmbedding pulls the directions of a and b together where the target is +1, by 1 − cos, and apart where it is −1, by
// max(0, cos − margin). a, b: (batch, features); targets: (batch), of the same type.
func CosineEmbedding(a, b, targets *graph.Node, margin float64, o ...Options) *graph.Node {
	l := begin("cosineembedding", o, batchMean, a, b, targets)
	if l.err == nil && (!a.Type().Identical(b.Type()) || a.Shape().Rank() != 2 || !a.DType().IsFloat() || targets.DType() != a.DType() || !targets.Shape().Identical(a.Shape()[:1])) {
		l.fail(graph.Errorf(graph.ErrShape, "takes two float(batch, features) and targets float(batch), not %v, %v and %v", a.Type(), b.Type(), targets.Type()))
	}
	return l.done(func() *graph.Node {
		const nothing = 1e-12 // what keeps the angle to a vector of zeros from being 0/0
		square := func(x, y *graph.Node) *graph.Node { return ops.Sum(ops.Mul(x, y), 1) }
		cos := ops.Div(square(a, b), ops.Sqrt(ops.Mul(ops.AddScalar(square(a, a), nothing), ops.AddScalar(square(b, b), nothing))))
		together, apart := ops.Sub(ops.Scalar(cos, 1), cos), ops.ReLU(ops.AddScalar(cos, -margin))
		return ops.Select(ops.Greater(targets, ops.Scalar(targets, 0)), together, apart)
	})
}

// TripletMargin is max(0, ‖a − p‖ − ‖a − n‖ + margin): the anchor a is to be nearer to p than to n, by the margin at least. All have the
// same type, (batch, features). Distances are of the differences plus 10⁻⁶, as in PyTorch, so that equal points have a gradient.
func TripletMargin(anchor, positive, negative *graph.Node, margin float64, o ...Options) *graph.Node {
	b := begin("tripletmargin", o, batchMean, anchor, positive, negative).alike("anchor", "positive", "negative").distribution(anchor)
	return b.done(func() *graph.Node {
		distance := func(x *graph.Node) *graph.Node { return ops.L2Norm(ops.AddScalar(ops.Sub(anchor, x), 1e-6), -1) }
		return ops.ReLU(ops.AddScalar(ops.Sub(distance(positive), distance(negative)), margin))
	})
}
