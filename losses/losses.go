// Package losses holds loss functions, as compositions of operators: each builds a node and executes nothing.
//
//	loss := losses.CrossEntropy(logits, labels)                                    // the mean over the batch
//	loss := losses.MSE(prediction, target, losses.Options{Reduction: losses.Sum})
//
// The definitions are PyTorch's; x is the prediction, t the target, d = x − t. Shapes are those of the operands and of the losses before
// they are reduced: = is any shape, the same for all; B is a batch, C are classes or features, … any further dimensions.
//
//	MAE                  |d|                                            =                    nn.L1Loss
//	MSE                  d²                                             =                    nn.MSELoss
//	RMSE                 √(mean d²)                                     = → ()
//	Huber                d²/2 for |d| ≤ δ, else δ·(|d| − δ/2)           =                    nn.HuberLoss
//	SmoothL1             Huber(β)/β                                     =                    nn.SmoothL1Loss
//	LogCosh              ln cosh d                                      =
//	Quantile             max(q·(t − x), (q − 1)·(t − x))                =
//	CrossEntropy         −ln softmax(x)[t], or −Σ t·ln softmax(x)       (B,C,…) (B,…) → (B,…)  nn.CrossEntropyLoss
//	CrossEntropyOf       the same of probabilities                      (B,C,…) (B,…) → (B,…)
//	NLL                  −x[t]                                          (B,C,…) (B,…) → (B,…)  nn.NLLLoss
//	FocalCrossEntropy    CrossEntropy, weighted by (1 − p[t])^γ         (B,C,…) (B,…) → (B,…)
//	BinaryCrossEntropy   −t·ln σ(x) − (1 − t)·ln(1 − σ(x))              =                    nn.BCEWithLogitsLoss
//	BinaryCrossEntropyOf the same of probabilities                      =                    nn.BCELoss
//	Focal                BinaryCrossEntropy, weighted by (1 − pₜ)^γ     =                    torchvision.ops.sigmoid_focal_loss
//	KLDivergence         t·(ln t − x), x = ln of a probability          =                    nn.KLDivLoss
//	JensenShannon        (KL(p‖m) + KL(q‖m))/2, m = (p + q)/2           (…,C) (…,C) → (…)
//	Entropy              −Σ p·ln p                                      (…,C) → (…)
//	Information          −ln p                                          =, no reduction
//	Hinge                max(0, 1 − t·x), t = ±1                        =
//	SquaredHinge         its square                                     =
//	MultiMargin          Σ max(0, margin − x[t] + xᵢ)ᵖ/C, i ≠ t         (B,C,…) (B,…) → (B,…)  nn.MultiMarginLoss
//	CosineEmbedding      1 − cos, or max(0, cos − margin)               (…,C) (…,C) (…) → (…)  nn.CosineEmbeddingLoss
//	TripletMargin        max(0, ‖a − p‖ − ‖a − n‖ + margin)             3 of (…,C) → (…)     nn.TripletMarginLoss
//	PoissonNLL           eˣ − t·x                                       =                    nn.PoissonNLLLoss
//	PoissonNLLOf         x − t·ln x                                     =                    nn.PoissonNLLLoss(log_input=False)
//	GaussianNLL          (ln v + d²/v)/2                                =                    nn.GaussianNLLLoss
//	L1, L2               Σ|w|, Σw² of parameters                        any → ()
//
// For an example without a batch, leave out B. Instead of labels (B,…), CrossEntropy and its like take targets of the scores' type.
//
// Logits are scores before a softmax or a sigmoid. Losses of logits stay finite, and their gradients right, at ±10⁴ in float32, where
// a probability would be 0 or 1: a model that is trained ends without its softmax.
package losses

import (
	"math"
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
	// count; it is NaN if none does. What does not count has no part in value and gradient, whatever the operands hold there: NaN, or
	// labels that are no classes.
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

	// ClassAxis is the axis of the classes. 0 means 1, PyTorch's, and of a vector its only one; −1 is the last, where sequences have
	// theirs.
	ClassAxis int

	// LogTarget says that the target of KLDivergence is the logarithm of a probability too.
	LogTarget bool

	// Full adds to the logarithm of a likelihood what depends on the target alone.
	Full bool

	// Epsilon keeps a likelihood from its pole: the least variance of GaussianNLL, 0 meaning 10⁻⁶; what PoissonNLLOf adds to the rate,
	// 0 meaning 10⁻⁸.
	Epsilon float64

	// Norm is the p of the distances of TripletMargin; 0 means 2.
	Norm float64

	// Swap takes for TripletMargin's distance to the negative example that from the positive one, where it is less than the anchor's.
	Swap bool
}

// field is an option that only some losses know.
type field uint16

const (
	classWeight field = 1 << iota
	posWeight
	smoothing
	ignore
	classAxis
	logTarget
	batchMean
	full
	epsilon
	norm
	swap
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
		{batchMean, "the reduction BatchMean", b.Reduction == BatchMean}, {full, "Full", b.Full}, {epsilon, "Epsilon", b.Epsilon != 0},
		{norm, "Norm", b.Norm != 0}, {swap, "Swap", b.Swap},
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
	case !(b.Epsilon >= 0) || math.IsInf(b.Epsilon, 1):
		b.fail(graph.Errorf(graph.ErrValue, "Epsilon is %v; want a number above 0", b.Epsilon))
	case !(b.Norm >= 0):
		b.fail(graph.Errorf(graph.ErrValue, "Norm is %v; want a number above 0, or +Inf", b.Norm))
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

// each makes a loss of every element of operands that are alike.
func (b *builder) each(losses func(x []*graph.Node) *graph.Node) *graph.Node {
	if b.err == nil {
		b.fit(b.operands[0].Shape(), 0)
	}
	return b.done(losses)
}

// rows makes a loss of every vector along the last axis of the first operand.
func (b *builder) rows(losses func(x []*graph.Node) *graph.Node) *graph.Node {
	if b.err == nil {
		rank := b.operands[0].Shape().Rank()
		b.fit(b.operands[0].Shape()[:rank-1], rank-1)
	}
	return b.done(losses)
}

func (b *builder) done(losses func(x []*graph.Node) *graph.Node) *graph.Node {
	if b.err != nil {
		return b.invalid()
	}
	return b.reduce(losses(b.operands), nil)
}

// fit asks for a Weight and a Mask that broadcast to losses of the given shape, and replaces what is masked of the operands: by 1, where
// every loss has derivatives, labels by 0, which is a class. Operands that have an axis more than the losses have it at axis.
func (b *builder) fit(losses graph.Shape, axis int) {
	for _, w := range []*graph.Node{b.Weight, b.Mask} {
		if w == nil {
			continue
		}
		if s, err := ops.BroadcastShapes(w.Shape(), losses); err != nil || !s.Identical(losses) {
			b.fail(graph.Errorf(graph.ErrShape, "the losses are %v, which %v does not broadcast to", graph.TypeOf(b.operands[0].DType(), losses...), w.Type()))
			return
		}
	}
	if b.Mask == nil {
		return
	}
	b.Mask = ops.BroadcastTo(b.Mask, losses...)
	operands := make([]*graph.Node, len(b.operands))
	for i, x := range b.operands {
		mask, safe := b.Mask, 1.0
		if x.DType().IsInt() {
			safe = 0
		}
		if x.Shape().Rank() > len(losses) {
			mask = ops.Unsqueeze(mask, axis)
		}
		operands[i] = ops.Select(mask, x, ops.Scalar(x, safe))
	}
	b.operands = operands
}

// reduce weighs, masks and reduces losses. weights, where they are not nil, are what a mean divides by the sum of, in place of the
// number of losses.
func (b *builder) reduce(l, weights *graph.Node) *graph.Node {
	if l.Err() != nil {
		return l
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
		var rest []int
		for axis := 1; axis < l.Shape().Rank(); axis++ {
			rest = append(rest, axis)
		}
		if rest != nil {
			l = ops.Sum(l, rest...)
		}
		return ops.Mean(l)
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
