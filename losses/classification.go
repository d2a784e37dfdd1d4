package losses

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// CrossEntropy is −ln softmax(logits)[label], or of soft targets −Σ target·ln softmax(logits). logits: (batch, classes, …), float, or
// (classes) of one example.
//
// labels: int32 or int64, (batch, …), the logits' shape without the classes; each from 0 to classes−1, which every run checks, or
// one that Options.Ignore names. Or targets: a probability for each class, of the logits' type; one-hot, smoothed or otherwise.
// A mean is over all examples; only with labels and ClassWeight it is divided by the weights of the labels.
//
// It is computed from the log-softmax, so logits of ±10⁴ do no harm, and its gradient is (softmax − target)/batch. The mean over an
// empty batch is an error at run time.
func CrossEntropy(logits, labels *graph.Node, o ...Options) *graph.Node {
	return crossEntropy("crossentropy", logits, labels, o, ops.LogSoftmax)
}

// CrossEntropyOf is CrossEntropy of probabilities: −ln p[label]. A logarithm below −100, that of a probability of 0, counts as −100
// and gets no gradient. Of ops.Softmax along the classes it is CrossEntropy of the logits.
func CrossEntropyOf(probabilities, labels *graph.Node, o ...Options) *graph.Node {
	if p := probabilities; p.Is(ops.SoftmaxDef) && len(o) < 2 {
		b := begin("crossentropyof", o, ^field(0), p)
		if axis, ok := b.classAxis(p); ok && axis == ops.Axes(p)[0] {
			return CrossEntropy(p.In(0), labels, o...)
		}
	}
	return crossEntropy("crossentropyof", probabilities, labels, o, func(p *graph.Node, _ int) *graph.Node { return logOf(p) })
}

// NLL is −x[label] for x the logarithm of a probability, as ops.LogSoftmax has it.
func NLL(logProbabilities, labels *graph.Node, o ...Options) *graph.Node {
	return crossEntropy("nll", logProbabilities, labels, o, func(x *graph.Node, _ int) *graph.Node { return x })
}

// logOf is ln p, −100 at least.
func logOf(p *graph.Node) *graph.Node {
	return cutLog(ops.Log(p), p, func(p *graph.Node) (*graph.Node, float64) { return p, 1 })
}

// logOfRest is ln(1 − p), −100 at least.
func logOfRest(p *graph.Node) *graph.Node {
	return cutLog(ops.Log1p(ops.Neg(p)), p, func(p *graph.Node) (*graph.Node, float64) { return ops.Sub(ops.Scalar(p, 1), p), -1 })
}

// cutLog cuts a logarithm that is made of p at −100. of returns what it is the logarithm of, and that one's slope by p. Where it is cut it
// gets no gradient; left to the rules, the gradient at its pole would be 0/0.
func cutLog(log, p *graph.Node, of func(p *graph.Node) (x *graph.Node, slope float64)) *graph.Node {
	cut := ops.Clamp(log, -100, math.Inf(1))
	return ops.CustomGradient(cut, []*graph.Node{p}, func(inputs []*graph.Node, _, dy *graph.Node) []*graph.Node {
		x, slope := of(inputs[0])
		counts := ops.Greater(x, ops.Scalar(x, math.Exp(-100)))
		dx := ops.Div(ops.Select(counts, dy, ops.Scalar(dy, 0)), ops.Select(counts, x, ops.Scalar(x, 1)))
		return []*graph.Node{ops.Scale(dx, slope)}
	})
}

func crossEntropy(name string, x, labels *graph.Node, o []Options, log func(x *graph.Node, axis int) *graph.Node) *graph.Node {
	b := begin(name, o, classWeight|smoothing|ignore|classAxis, x, labels)
	axis := b.classes()
	if b.err != nil {
		return b.invalid()
	}
	x, labels = b.operands[0], b.operands[1]
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
	l, weights := pick(logs, labels, axis), b.labelWeights()
	if weights != nil {
		l = ops.Mul(l, weights)
	}
	if b.Smoothing == 0 {
		return ops.Neg(b.reduce(l, weights))
	}
	return b.reduce(ops.Add(ops.Scale(l, b.Smoothing-1), ops.Mul(weighted(logs), spread())), weights)
}

// pick returns the element of each label along the axis of the classes.
func pick(x, labels *graph.Node, axis int) *graph.Node {
	return ops.Squeeze(ops.TakeAlongAxis(x, ops.Unsqueeze(labels, axis), axis), axis)
}

// labelWeights are the weights of the labels' classes, nil if there are none.
func (b *builder) labelWeights() *graph.Node {
	if b.ClassWeight == nil {
		return nil
	}
	return ops.Take(ops.Cast(b.ClassWeight, b.operands[0].DType()), b.operands[1], 0)
}

// classAxis is the axis of the classes of x, and whether there is one.
func (b *builder) classAxis(x *graph.Node) (axis int, ok bool) {
	rank := x.Shape().Rank()
	if axis = b.ClassAxis; axis == 0 && rank > 1 {
		axis = 1
	}
	if axis < 0 {
		axis += rank
	}
	return axis, x.DType().IsFloat() && axis >= 0 && axis < rank
}

// classes checks logits and labels, or targets, and returns the axis of the classes. Labels that do not count become 0.
func (b *builder) classes() (axis int) {
	if b.err != nil {
		return 0
	}
	x, labels := b.operands[0], b.operands[1]
	axis, ok := b.classAxis(x)
	if !ok {
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
	if b.err == nil {
		b.ignore()
		b.fit(without(x.Shape(), axis), axis)
	}
	return axis
}

func without(s graph.Shape, axis int) graph.Shape {
	return append(append(graph.Shape(nil), s[:axis]...), s[axis+1:]...)
}

// ignore masks the labels that do not count.
func (b *builder) ignore() {
	labels := b.operands[1]
	for _, v := range b.Ignore {
		counts := ops.NotEqual(labels, ops.Scalar(labels, float64(v)))
		if b.Mask == nil {
			b.Mask = counts
		} else {
			b.Mask = ops.And(b.Mask, counts)
		}
	}
}

// BinaryCrossEntropy is −t·ln σ(x) − (1 − t)·ln(1 − σ(x)) of logits x and targets t from 0 to 1, of one type. It is computed as
// t·softplus(−x) + (1 − t)·softplus(x), which neither overflows nor loses digits.
func BinaryCrossEntropy(logits, targets *graph.Node, o ...Options) *graph.Node {
	b := begin("binarycrossentropy", o, posWeight|smoothing, logits, targets).alike("logits", "targets")
	return b.each(func(x []*graph.Node) *graph.Node {
		return b.binary(x[1], ops.Neg(ops.Softplus(ops.Neg(x[0]))), ops.Neg(ops.Softplus(x[0])))
	})
}

// BinaryCrossEntropyOf is BinaryCrossEntropy of probabilities: −t·ln p − (1 − t)·ln(1 − p). A logarithm below −100 counts as −100,
// and gets no gradient. Of ops.Sigmoid it is BinaryCrossEntropy of the logits.
func BinaryCrossEntropyOf(probabilities, targets *graph.Node, o ...Options) *graph.Node {
	if probabilities.Is(ops.SigmoidDef) {
		return BinaryCrossEntropy(probabilities.In(0), targets, o...)
	}
	b := begin("binarycrossentropyof", o, posWeight|smoothing, probabilities, targets).alike("probabilities", "targets")
	return b.each(func(x []*graph.Node) *graph.Node { return b.binary(x[1], logOf(x[0]), logOfRest(x[0])) })
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
	b := begin("focal", o, 0, logits, targets).alike("logits", "targets").exponent(gamma)
	if !(alpha <= 1) {
		b.fail(graph.Errorf(graph.ErrValue, "alpha is %v; want 0 to 1, or a negative number for none", alpha))
	}
	return b.each(func(operands []*graph.Node) *graph.Node {
		x, t := operands[0], operands[1]
		rest := ops.Sub(ops.Scalar(t, 1), t)
		l := b.binary(t, ops.Neg(ops.Softplus(ops.Neg(x))), ops.Neg(ops.Softplus(x)))
		// 1 − pₜ = t·σ(−x) + (1 − t)·σ(x), which keeps its digits where pₜ is next to 1.
		l = ops.Mul(l, powerOf(ops.Add(ops.Mul(t, ops.Sigmoid(ops.Neg(x))), ops.Mul(rest, ops.Sigmoid(x))), gamma))
		if alpha >= 0 {
			l = ops.Mul(l, ops.Add(ops.Scale(t, alpha), ops.Scale(rest, 1-alpha)))
		}
		return l
	})
}

// FocalCrossEntropy is Focal for several classes: CrossEntropy of labels times (1 − p)^gamma, where p is the label's probability.
// Options.ClassWeight is alpha, and as in CrossEntropy a mean divides by the weights of the labels.
func FocalCrossEntropy(logits, labels *graph.Node, gamma float64, o ...Options) *graph.Node {
	b := begin("focalcrossentropy", o, classWeight|ignore|classAxis, logits, labels).exponent(gamma)
	axis := b.classes()
	b.wantLabels()
	if b.err != nil {
		return b.invalid()
	}
	l := ops.Neg(pick(ops.LogSoftmax(b.operands[0], axis), b.operands[1], axis))
	l = ops.Mul(powerOf(ops.Neg(ops.Expm1(ops.Neg(l))), gamma), l)
	weights := b.labelWeights()
	if weights != nil {
		l = ops.Mul(l, weights)
	}
	return b.reduce(l, weights)
}

// wantLabels refuses soft targets.
func (b *builder) wantLabels() {
	if b.err == nil && !b.operands[1].DType().IsInt() {
		b.fail(graph.Errorf(graph.ErrDType, "takes labels, int32 or int64, not targets %v", b.operands[1].Type()))
	}
}

func (b *builder) exponent(gamma float64) *builder {
	if !(gamma >= 0) || math.IsInf(gamma, 0) {
		b.fail(graph.Errorf(graph.ErrValue, "gamma is %v; want a number from 0 up", gamma))
	}
	return b
}

// powerOf is q^gamma for q ≥ 0. Where it has no first or second derivative at 0, that of a constant is taken.
func powerOf(q *graph.Node, gamma float64) *graph.Node {
	switch {
	case gamma == 0:
		return ops.OnesLike(q)
	case gamma == 1:
		return q
	case gamma >= 2:
		return ops.PowScalar(q, gamma)
	}
	isZero := ops.Equal(q, ops.Scalar(q, 0))
	return ops.Select(isZero, ops.Scalar(q, 0), ops.PowScalar(ops.Select(isZero, ops.Scalar(q, 1), q), gamma))
}
