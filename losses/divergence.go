package losses

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// KLDivergence is the Kullback–Leibler divergence of the target from the prediction, element by element: t·(ln t − x), 0 where t is 0,
// for x the logarithm of a probability, as ops.LogSoftmax has it. With Options.LogTarget the target is a logarithm too. Both have
// the same type, (batch, …). The divergence of distributions is the sum over their elements, so the mean over a batch of them
// is Options.Reduction: BatchMean; Mean divides by the number of all elements, as in PyTorch.
func KLDivergence(logPrediction, target *graph.Node, o ...Options) *graph.Node {
	b := begin("kldivergence", o, logTarget|batchMean, logPrediction, target).alike("logarithm of the prediction", "target")
	return b.done(func() *graph.Node {
		if b.LogTarget {
			return ops.Mul(ops.Exp(target), ops.Sub(target, logPrediction))
		}
		return ops.Sub(timesLog(target), ops.Mul(target, logPrediction))
	})
}

// timesLog is p·ln p, 0 where p is 0.
func timesLog(p *graph.Node) *graph.Node {
	isZero := ops.Equal(p, ops.Scalar(p, 0))
	return ops.Mul(p, ops.Log(ops.Select(isZero, ops.Scalar(p, 1), p)))
}

// JensenShannon is the Jensen–Shannon divergence of distributions p and q along the last axis, (KL(p‖m) + KL(q‖m))/2 with
// m = (p + q)/2, in nats: from 0 to ln 2. Both have the same type, (…, classes); the losses are (…).
func JensenShannon(p, q *graph.Node, o ...Options) *graph.Node {
	b := begin("jensenshannon", o, batchMean, p, q).alike("first distribution", "second").distribution(p)
	return b.done(func() *graph.Node {
		middle := ops.Scale(ops.Add(p, q), 0.5)
		terms := ops.Sub(ops.Scale(ops.Add(timesLog(p), timesLog(q)), 0.5), timesLog(middle))
		return ops.Sum(terms, -1)
	})
}

// Entropy is −Σ p·ln p of distributions along the last axis, in nats: 0 for one that is sure, ln n for n outcomes that are equally
// likely. p: (…, classes); the result is (…) with Options.Reduction None.
func Entropy(p *graph.Node, o ...Options) *graph.Node {
	b := begin("entropy", o, batchMean, p).alike("distribution").distribution(p)
	return b.done(func() *graph.Node { return ops.Neg(ops.Sum(timesLog(p), -1)) })
}

// Information is the information content of what has the probability p, −ln p in nats: 0 for what is sure, infinite for what cannot
// be. It has p's type, and is no loss; divide by ln 2 for bits.
func Information(p *graph.Node) *graph.Node { return ops.Neg(ops.Log(p)) }

func (b *builder) distribution(p *graph.Node) *builder {
	if b.err == nil && p.Shape().Rank() == 0 {
		b.fail(graph.Errorf(graph.ErrShape, "a scalar is no distribution; want (…, classes)"))
	}
	return b
}
