package losses

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// CrossEntropy is −ln softmax(logits)[label], or of soft targets −Σ target·ln softmax(logits). logits: (batch, classes, …), float.
//
// labels: int32 or int64, (batch, …), the logits' shape without the classes; each from 0 to classes−1, which every run checks, or
// one that Options.Ignore names. Or targets: a probability for each class, of the logits' type; one-hot, smoothed or otherwise.
//
// It is computed from the log-softmax, so logits of ±10⁴ do no harm, and its gradient is (softmax − target)/batch. The mean over an
// empty batch is an error at run time.
func CrossEntropy(logits, labels *graph.Node, o ...Options) *graph.Node {
	return crossEntropy("crossentropy", logits, labels, o, ops.LogSoftmax)
}

// CrossEntropyOf is CrossEntropy of probabilities: −ln p[label]. A logarithm below −100, that of a probability of 0, counts as −100
// and gets no gradient. A model that is trained should rather end in logits.
func CrossEntropyOf(probabilities, labels *graph.Node, o ...Options) *graph.Node {
	return crossEntropy("crossentropyof", probabilities, labels, o, func(p *graph.Node, _ int) *graph.Node { return logOf(p) })
}

// NLL is −x[label] for x the logarithm of a probability, as ops.LogSoftmax has it.
func NLL(logProbabilities, labels *graph.Node, o ...Options) *graph.Node {
	return crossEntropy("nll", logProbabilities, labels, o, func(x *graph.Node, _ int) *graph.Node { return x })
}

// logOf is ln p, −100 at least.
func logOf(p *graph.Node) *graph.Node { return ops.Clamp(ops.Log(p), -100, math.Inf(1)) }

func crossEntropy(name string, x, labels *graph.Node, o []Options, log func(x *graph.Node, axis int) *graph.Node) *graph.Node {
	b := begin(name, o, classWeight|smoothing|ignore|classAxis, x, labels)
	axis := b.classes(x, labels)
	if b.err != nil {
		return b.invalid()
	}
	ofClass := make(graph.Shape, x.Shape().Rank()) // the shape in which weights of classes broadcast
	for i := range ofClass {
		ofClass[i] = 1
	}
	classes := x.Shape()[axis]
	ofClass[axis] = classes
	logs := log(x, axis)
	weighted := func(terms *graph.Node) *graph.Node {
		if b.ClassWeight != nil {
			terms = ops.Mul(terms, ops.Reshape(ops.Cast(b.ClassWeight, x.DType()), ofClass...))
		}
		return ops.Neg(ops.Sum(terms, axis))
	}
	spread := func() *graph.Node { // what smoothing gives to every class
		return ops.Div(ops.Scalar(x, b.Smoothing), ops.DimSize(x.Graph(), classes, x.DType()))
	}
	if !labels.DType().IsInt() {
		if b.Smoothing != 0 {
			labels = ops.Add(ops.Scale(labels, 1-b.Smoothing), spread())
		}
		return b.reduce(weighted(ops.Mul(labels, logs)), nil)
	}
	labels = b.ignored(labels)
	column := ops.Unsqueeze(labels, axis)
	l := ops.Squeeze(ops.TakeAlongAxis(logs, column, axis), axis)
	var weights *graph.Node
	if b.ClassWeight != nil {
		weights = ops.Take(ops.Cast(b.ClassWeight, x.DType()), labels, 0)
		l = ops.Mul(l, weights)
	}
	if b.Smoothing == 0 {
		return ops.Neg(b.reduce(l, weights))
	}
	return b.reduce(ops.Add(ops.Scale(l, b.Smoothing-1), ops.Mul(weighted(logs), spread())), weights)
}

// classes checks logits and labels, or targets, and returns the axis of the classes.
func (b *builder) classes(x, labels *graph.Node) (axis int) {
	if b.err != nil {
		return 0
	}
	rank := x.Shape().Rank()
	if axis = b.ClassAxis; axis == 0 {
		axis = 1
	}
	if axis < 0 {
		axis += rank
	}
	if !x.DType().IsFloat() || rank < 2 || axis < 0 || axis >= rank {
		b.fail(graph.Errorf(graph.ErrShape, "takes float(batch, classes, …) with the classes along axis %d, not %v", axis, x.Type()))
		return 0
	}
	want := graph.Type{DType: labels.DType(), Shape: without(x.Shape(), axis)}
	what := "labels"
	if !labels.DType().IsInt() {
		want, what = x.Type(), "targets"
		if len(b.Ignore) > 0 {
			b.fail(graph.Errorf(graph.ErrValue, "Ignore is for labels, and these are targets, %v; use Mask", labels.Type()))
		}
	}
	if !labels.Type().Identical(want) {
		b.fail(graph.Errorf(graph.ErrShape, "takes logits float(batch, classes, …) and labels int(batch, …), or targets of the logits' type; with %v the %s must be %v, not %v",
			x.Type(), what, want, labels.Type()))
	}
	if w := b.ClassWeight; w != nil && b.err == nil && (w.Shape().Rank() != 1 || w.Shape()[0] != x.Shape()[axis]) {
		b.fail(graph.Errorf(graph.ErrShape, "ClassWeight is %v; it needs a weight for each of %v classes", w.Type(), x.Shape()[axis]))
	}
	return axis
}

func without(s graph.Shape, axis int) graph.Shape {
	return append(append(graph.Shape(nil), s[:axis]...), s[axis+1:]...)
}

// ignored masks the labels that do not count, and puts 0 in their place, so that they need not be classes.
func (b *builder) ignored(labels *graph.Node) *graph.Node {
	for _, v := range b.Ignore {
		counts := ops.NotEqual(labels, ops.Scalar(labels, float64(v)))
		labels = ops.Select(counts, labels, ops.Scalar(labels, 0))
		if b.Mask == nil {
			b.Mask = counts
		} else {
			b.Mask = ops.And(b.Mask, counts)
		}
	}
	return labels
}

// BinaryCrossEntropy is −t·ln σ(x) − (1 − t)·ln(1 − σ(x)) of logits x and targets t from 0 to 1, of one type. It is computed as
// t·softplus(−x) + (1 − t)·softplus(x), which neither overflows nor loses digits.
func BinaryCrossEntropy(logits, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("binarycrossentropy", o, posWeight|smoothing, logits, targets).alike("logits", "targets")
	return b.done(func() *graph.Node {
		return b.binary(targets, ops.Neg(ops.Softplus(ops.Neg(logits))), ops.Neg(ops.Softplus(logits)))
	})
}

// BinaryCrossEntropyOf is BinaryCrossEntropy of probabilities: −t·ln p − (1 − t)·ln(1 − p). A logarithm below −100 counts as −100,
// and gets no gradient.
func BinaryCrossEntropyOf(probabilities, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("binarycrossentropyof", o, posWeight|smoothing, probabilities, targets).alike("probabilities", "targets")
	return b.done(func() *graph.Node {
		rest := ops.Clamp(ops.Log1p(ops.Neg(probabilities)), -100, math.Inf(1))
		return b.binary(targets, logOf(probabilities), rest)
	})
}

// binary joins the logarithms of a probability and of what it lacks to 1.
func (b *builder) binary(t, log, logRest *graph.Node) *graph.Node {
	if b.Smoothing != 0 {
		t = ops.AddScalar(ops.Scale(t, 1-b.Smoothing), b.Smoothing/2)
	}
	rest := ops.Mul(ops.Sub(ops.Scalar(t, 1), t), logRest)
	if b.PosWeight != nil {
		log = ops.Mul(log, ops.Cast(b.PosWeight, log.DType()))
	}
	return ops.Neg(ops.Add(ops.Mul(t, log), rest))
}

// Focal is BinaryCrossEntropy times (1 − pₜ)^gamma, where pₜ = t·σ(x) + (1 − t)·(1 − σ(x)) is the probability of what is right: what is
// well known already counts for little (T.-Y. Lin and others, 2017; gamma = 2 there). alpha from 0 to 1 weighs positive targets
// by it and the others by 1 − alpha; a negative one does not.
func Focal(logits, targets *graph.Node, alpha, gamma float64, o ...Options) *graph.Node {
	b := begin("focal", o, 0, logits, targets).alike("logits", "targets")
	switch {
	case !(gamma >= 0) || math.IsInf(gamma, 0):
		b.fail(graph.Errorf(graph.ErrValue, "gamma is %v; want a number from 0 up", gamma))
	case !(alpha <= 1):
		b.fail(graph.Errorf(graph.ErrValue, "alpha is %v; want 0 to 1, or a negative number for none", alpha))
	}
	return b.done(func() *graph.Node {
		t, one := targets, ops.Scalar(targets, 1)
		l := b.binary(t, ops.Neg(ops.Softplus(ops.Neg(logits))), ops.Neg(ops.Softplus(logits)))
		// 1 − pₜ = t·σ(−x) + (1 − t)·σ(x), which keeps its digits where pₜ is next to 1.
		unknown := ops.Add(ops.Mul(t, ops.Sigmoid(ops.Neg(logits))), ops.Mul(ops.Sub(one, t), ops.Sigmoid(logits)))
		l = ops.Mul(l, ops.PowScalar(unknown, gamma))
		if alpha >= 0 {
			l = ops.Mul(l, ops.Add(ops.Scale(t, alpha), ops.Scale(ops.Sub(one, t), 1-alpha)))
		}
		return l
	})
}
