// Package losses holds loss functions, as compositions of operators: each builds a node and executes nothing.
//
//	loss := losses.CrossEntropy(logits, labels)                                    // the mean over the batch
//	loss := losses.MSE(prediction, target, losses.Options{Reduction: losses.Sum})
//
// The definitions are PyTorch's; x is the prediction, t the target, d = x − t:
//
//	MAE                  |d|                                            nn.L1Loss
//	MSE                  d²                                             nn.MSELoss
//	RMSE                 √(mean d²)
//	Huber                d²/2 for |d| ≤ δ, else δ·(|d| − δ/2)           nn.HuberLoss
//	SmoothL1             Huber(β)/β                                     nn.SmoothL1Loss
//	LogCosh              ln cosh d
//	Quantile             max(q·(t − x), (q − 1)·(t − x))
//	CrossEntropy         −ln softmax(x)[t], or −Σ t·ln softmax(x)       nn.CrossEntropyLoss
//	CrossEntropyOf       the same of probabilities
//	NLL                  −x[t]                                          nn.NLLLoss
//	BinaryCrossEntropy   −t·ln σ(x) − (1 − t)·ln(1 − σ(x))              nn.BCEWithLogitsLoss
//	BinaryCrossEntropyOf the same of probabilities                      nn.BCELoss
//	Focal                BinaryCrossEntropy, weighted by (1 − pₜ)^γ     torchvision.ops.sigmoid_focal_loss
//	KLDivergence         t·(ln t − x), x = ln of a probability          nn.KLDivLoss
//	JensenShannon        (KL(p‖m) + KL(q‖m))/2, m = (p + q)/2
//	Entropy              −Σ p·ln p
//	Information          −ln p
//	Hinge                max(0, 1 − t·x), t = ±1
//	SquaredHinge         its square
//	MultiMargin          Σ max(0, margin − x[t] + xᵢ)ᵖ/classes, i ≠ t   nn.MultiMarginLoss
//	CosineEmbedding      1 − cos, or max(0, cos − margin)               nn.CosineEmbeddingLoss
//	TripletMargin        max(0, ‖a − p‖ − ‖a − n‖ + margin)             nn.TripletMarginLoss
//	PoissonNLL           eˣ − t·x, or x − t·ln x                        nn.PoissonNLLLoss
//	GaussianNLL          (ln v + d²/v)/2                                nn.GaussianNLLLoss
//	L1, L2               Σ|w|, Σw² of parameters
//
// Logits are scores before a softmax or a sigmoid. Losses of logits stay finite, and their gradients right, at ±10⁴ in float32, where
// a probability would be 0 or 1: a model that is trained ends without its softmax.
package losses

import (
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Reduction says what becomes of the losses of the single elements or examples.
type Reduction uint8

// The reductions.
const (
	Mean      Reduction = iota // over all that count
	Sum                        // of all
	None                       // the loss is a tensor
	BatchMean                  // the sum over the number of examples: what KL divergence calls for
)

// Options change a loss. The zero value is the mean over everything. A field that a loss does not know is an error, not ignored.
type Options struct {
	Reduction Reduction

	// Weight multiplies each loss. It is broadcast against the losses: of one for each example of a matrix of losses, the shape is
	// (batch, 1). A mean divides by the number of losses, not by the sum of the weights.
	Weight *graph.Node

	// Mask, boolean and broadcast like Weight, says which losses count: those of the others are 0, and a mean is over those that
	// count; it is NaN if none does.
	Mask *graph.Node

	// ClassWeight has a weight for each class: (classes). As in PyTorch, a mean of losses of class indices divides by the sum of the
	// weights that the labels pick.
	ClassWeight *graph.Node

	// PosWeight multiplies what binary cross-entropy says of the targets' positive part, broadcast: above 1 it makes up for classes
	// with few positive examples.
	PosWeight *graph.Node

	// Smoothing takes a share of the probability from the target and spreads it evenly over all classes. From 0 to 1.
	Smoothing float64

	// Ignore lists labels that do not count, such as −100 for padding. They need not be classes.
	Ignore []int64

	// ClassAxis is the axis of the classes. 0 means 1, PyTorch's; −1 is the last, where sequences have theirs.
	ClassAxis int

	// LogTarget says that the target of KLDivergence is the logarithm of a probability too.
	LogTarget bool
}

// field is an option that only some losses know.
type field uint8

const (
	classWeight field = 1 << iota
	posWeight
	smoothing
	ignore
	classAxis
	logTarget
	batchMean
)

// builder makes a loss: it has the options, and remembers the first mistake.
type builder struct {
	Options
	name     string
	operands []*graph.Node
	err      error
}

// begin checks what all losses share. Operands with a nil or an invalid node are refused.
func begin(name string, o []Options, known field, operands ...*graph.Node) *builder {
	b := &builder{name: name, operands: operands}
	for _, x := range operands {
		if x.Err() != nil {
			b.fail(graph.Errorf(graph.ErrGraph, "an operand is invalid"))
			return b
		}
	}
	if len(o) > 1 {
		b.fail(graph.Errorf(graph.ErrValue, "%d Options; give one", len(o)))
	}
	if len(o) == 0 {
		return b
	}
	b.Options = o[0]
	for _, f := range []struct {
		bit  field
		name string
		set  bool
	}{
		{classWeight, "ClassWeight", b.ClassWeight != nil}, {posWeight, "PosWeight", b.PosWeight != nil}, {smoothing, "Smoothing", b.Smoothing != 0},
		{ignore, "Ignore", len(b.Ignore) > 0}, {classAxis, "ClassAxis", b.ClassAxis != 0}, {logTarget, "LogTarget", b.LogTarget},
		{batchMean, "the reduction BatchMean", b.Reduction == BatchMean},
	} {
		if f.set && known&f.bit == 0 {
			b.fail(graph.Errorf(graph.ErrValue, "this loss has no use for %s", f.name))
		}
	}
	switch {
	case b.Reduction > BatchMean:
		b.fail(graph.Errorf(graph.ErrValue, "unknown Reduction %d", b.Reduction))
	case !(b.Smoothing >= 0 && b.Smoothing <= 1):
		b.fail(graph.Errorf(graph.ErrValue, "Smoothing is %v; want 0 to 1", b.Smoothing))
	}
	for _, w := range []struct {
		name string
		node *graph.Node
		fits func(graph.DType) bool
		want string
	}{{"Weight", b.Weight, graph.DType.IsFloat, "floats"}, {"Mask", b.Mask, func(d graph.DType) bool { return d == graph.Bool }, "booleans"},
		{"ClassWeight", b.ClassWeight, graph.DType.IsFloat, "floats"}, {"PosWeight", b.PosWeight, graph.DType.IsFloat, "floats"}} {
		switch {
		case w.node == nil:
		case w.node.Err() != nil:
			b.fail(graph.Errorf(graph.ErrGraph, "%s is invalid", w.name))
		case !w.fits(w.node.DType()):
			b.fail(graph.Errorf(graph.ErrDType, "%s is %v; it has %s", w.name, w.node.Type(), w.want))
		}
	}
	return b
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// invalid is the node that carries the error.
func (b *builder) invalid() *graph.Node {
	texts := make([]string, len(b.operands))
	for i, x := range b.operands {
		texts[i] = x.Expr()
	}
	return graph.Invalid(b.err, b.name+"("+strings.Join(texts, ", ")+")", b.operands...)
}

// alike asks for operands of one float type.
func (b *builder) alike(names ...string) *builder {
	for i, x := range b.operands {
		first := b.operands[0]
		switch {
		case b.err != nil:
		case !x.DType().IsFloat():
			b.fail(graph.Errorf(graph.ErrDType, "the %s is %v; it must be float32 or float64 (ops.Cast converts)", names[i], x.Type()))
		case !x.Type().Identical(first.Type()):
			b.fail(graph.Errorf(graph.ErrShape, "the %s is %v, the %s %v; they must be alike (ops.Reshape drops or adds dimensions of 1)", names[0], first.Type(), names[i], x.Type()))
		}
	}
	return b
}

// done weighs, masks and reduces the losses that make builds.
func (b *builder) done(losses func() *graph.Node) *graph.Node {
	if b.err != nil {
		return b.invalid()
	}
	l := losses()
	return b.reduce(l, nil)
}

// reduce weighs, masks and reduces losses. weights, where they are not nil, are what a mean divides by the sum of, in place of the
// number of losses.
func (b *builder) reduce(l, weights *graph.Node) *graph.Node {
	if l.Err() != nil {
		return l
	}
	for _, w := range []*graph.Node{b.Weight, b.Mask} {
		if w == nil {
			continue
		}
		if s, err := ops.BroadcastShapes(w.Shape(), l.Shape()); err != nil || !s.Identical(l.Shape()) {
			b.fail(graph.Errorf(graph.ErrShape, "the losses are %v, which %v does not broadcast to", l.Type(), w.Type()))
			return b.invalid()
		}
	}
	if b.Weight != nil {
		l = ops.Mul(l, ops.Cast(b.Weight, l.DType()))
	}
	if b.Mask != nil {
		l = ops.Select(b.Mask, l, ops.Scalar(l, 0))
	}
	switch {
	case b.Reduction == None:
		return l
	case b.Reduction == Sum:
		return ops.Sum(l)
	case b.Reduction == BatchMean:
		if l.Shape().Rank() == 0 {
			return l
		}
		return ops.Div(ops.Sum(l), ops.DimSize(l.Graph(), l.Shape()[0], l.DType()))
	case weights == nil && b.Mask == nil:
		return ops.Mean(l)
	}
	if weights == nil {
		weights = ops.Scalar(l, 1)
	}
	weights = ops.BroadcastTo(weights, l.Shape()...)
	if b.Mask != nil {
		weights = ops.Select(b.Mask, weights, ops.Scalar(l, 0))
	}
	return ops.Div(ops.Sum(l), ops.Sum(weights))
}
