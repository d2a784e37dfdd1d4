package losses

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Hinge is max(0, 1 − t·x) of scores x and targets t that are +1 or −1: the loss of a support vector machine. Both have the same
// type.
func Hinge(scores, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("hinge", o, 0, scores, targets).alike("scores", "targets")
	return b.each(func(x []*graph.Node) *graph.Node { return hinge(x[0], x[1]) })
}

// SquaredHinge is the square of Hinge.
func SquaredHinge(scores, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("squaredhinge", o, 0, scores, targets).alike("scores", "targets")
	return b.each(func(x []*graph.Node) *graph.Node { return ops.Square(hinge(x[0], x[1])) })
}

func hinge(x, t *graph.Node) *graph.Node { return ops.ReLU(ops.Sub(ops.Scalar(x, 1), ops.Mul(x, t))) }

// MultiMargin is Σ max(0, margin − x[label] + xᵢ)^power over the other classes i, divided by the number of classes. scores: (batch,
// classes, …), float; labels: (batch, …), integers. power is 1 or 2, margin is 1 in PyTorch if nothing is said. Options.ClassWeight
// weighs an example by its label; a mean divides by the number of examples all the same.
func MultiMargin(scores, labels *graph.Node, margin float64, power int, o ...Options) *graph.Node {
	b := begin("multimargin", o, classWeight|ignore|classAxis, scores, labels).finite(margin)
	axis := b.classes()
	b.wantLabels()
	if power != 1 && power != 2 {
		b.fail(graph.Errorf(graph.ErrValue, "power is %d; want 1 or 2", power))
	}
	return b.done(func(operands []*graph.Node) *graph.Node {
		x, labels := operands[0], operands[1]
		column := ops.Unsqueeze(labels, axis)
		beyond := ops.ReLU(ops.AddScalar(ops.Sub(x, ops.TakeAlongAxis(x, column, axis)), margin))
		if power == 2 {
			beyond = ops.Square(beyond)
		}
		// Classes along the axis: as many dimensions follow as follow it.
		classes := ops.Iota(x.Graph(), labels.DType(), x.Shape()[axis])
		for range x.Shape()[axis+1:] {
			classes = ops.Unsqueeze(classes, -1)
		}
		l := ops.Mean(ops.Select(ops.Equal(classes, column), ops.Scalar(x, 0), beyond), axis)
		if weights := b.labelWeights(); weights != nil {
			l = ops.Mul(l, weights)
		}
		return l
	})
}

// CosineEmbedding pulls the directions of a and b together where the target is +1, by 1 − cos, and apart where it is −1, by
// max(0, cos − margin). a, b: (batch, features), or (features) of one pair; targets: (batch), of the same element type. 10⁻¹² is added to the squares
// of lengths, so that the angle to a vector of zeros is a right one.
func CosineEmbedding(a, b, targets *graph.Node, margin float64, o ...Options) *graph.Node {
	l := begin("cosineembedding", o, batchMean, a, b, targets).finite(margin)
	if l.err == nil {
		rank := a.Shape().Rank()
		if !a.Type().Identical(b.Type()) || rank == 0 || !a.DType().IsFloat() || targets.DType() != a.DType() || !targets.Shape().Identical(a.Shape()[:rank-1]) {
			l.fail(graph.Errorf(graph.ErrShape, "takes two float(batch, features) and targets float(batch), not %v, %v and %v", a.Type(), b.Type(), targets.Type()))
		}
	}
	return l.rows(func(x []*graph.Node) *graph.Node {
		a, b, targets := x[0], x[1], x[2]
		dot := func(x, y *graph.Node) *graph.Node { return ops.Sum(ops.Mul(x, y), -1) }
		length := func(x *graph.Node) *graph.Node { return ops.Sqrt(ops.AddScalar(dot(x, x), 1e-12)) }
		cos := ops.Div(ops.Div(dot(a, b), length(a)), length(b)) // the product of the lengths might overflow
		together, apart := ops.Sub(ops.Scalar(cos, 1), cos), ops.ReLU(ops.AddScalar(cos, -margin))
		return ops.Select(ops.Greater(targets, ops.Scalar(targets, 0)), together, apart)
	})
}

// TripletMargin is max(0, ‖a − p‖ − ‖a − n‖ + margin): the anchor a is to be nearer to p than to n, by the margin at least. All have the
// same type, (batch, features), or (features) of one triplet. Distances are of the differences plus 10⁻⁶, as in PyTorch, so that equal points have
// a gradient; Options.Norm and Options.Swap change them.
func TripletMargin(anchor, positive, negative *graph.Node, margin float64, o ...Options) *graph.Node {
	b := begin("tripletmargin", o, batchMean|norm|swap, anchor, positive, negative).alike("anchor", "positive", "negative").distribution(anchor).finite(margin)
	return b.rows(func(x []*graph.Node) *graph.Node {
		power := b.Norm
		if power == 0 {
			power = 2
		}
		distance := func(x, y *graph.Node) *graph.Node { return ops.Norm(ops.AddScalar(ops.Sub(x, y), 1e-6), power, -1) }
		away := distance(x[0], x[2])
		if b.Swap {
			away = ops.Minimum(away, distance(x[1], x[2]))
		}
		return ops.ReLU(ops.AddScalar(ops.Sub(distance(x[0], x[1]), away), margin))
	})
}

func (b *builder) finite(margin float64) *builder {
	if math.IsNaN(margin) || math.IsInf(margin, 0) {
		b.fail(graph.Errorf(graph.ErrValue, "margin is %v; want a finite number", margin))
	}
	return b
}
