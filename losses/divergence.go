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
	return b.each(func(operands []*graph.Node) *graph.Node {
		x, t := operands[0], operands[1]
		if b.LogTarget {
			return ops.Mul(ops.Exp(t), ops.Sub(t, x))
		}
		return ops.Mul(t, ops.Sub(ops.Log(orOne(t)), x))
	})
}

// orOne is p, and 1 where p is 0 and multiplies what is made of it.
func orOne(p *graph.Node) *graph.Node {
	return ops.Select(ops.Equal(p, ops.Scalar(p, 0)), ops.Scalar(p, 1), p)
}

// JensenShannon is the Jensen–Shannon divergence of distributions p and q along the last axis, (KL(p‖m) + KL(q‖m))/2 with
// m = (p + q)/2, in nats: from 0 to ln 2. Both have the same type, (…, classes); the losses are (…).
func JensenShannon(p, q *graph.Node, o ...Options) *graph.Node {
	b := begin("jensenshannon", o, batchMean, p, q).alike("first distribution", "second").distribution(p)
	return b.rows(func(x []*graph.Node) *graph.Node {
		p, q := x[0], x[1]
		// With r = (p − q)/(p + q), p·ln(p/m) + q·ln(q/m) = m·(ln(1 − r²) + 2r·artanh r): where p and q are close, their logarithms would
		// cancel. Where one of them is much smaller r is next to ±1, and the logarithms are right.
		sum := orOne(ops.Add(p, q))
		r := ops.Div(ops.Sub(p, q), sum)
		c := ops.Clamp(r, -0.5, 0.5)
		close := ops.Mul(ops.Scale(sum, 0.5), ops.Add(ops.Log1p(ops.Neg(ops.Square(c))), ops.Scale(ops.Mul(c, ops.Atanh(c)), 2)))
		apart := ops.Add(ops.Mul(p, ofMiddle(p, sum)), ops.Mul(q, ofMiddle(q, sum)))
		return ops.Scale(ops.Sum(ops.Select(ops.Equal(r, c), close, apart), -1), 0.5)
	})
}

// ofMiddle is ln(p/m), m half the sum.
func ofMiddle(p, sum *graph.Node) *graph.Node { return ops.Log(orOne(ops.Scale(ops.Div(p, sum), 2))) }

// Entropy is −Σ p·ln p of distributions along the last axis, in nats: 0 for one that is sure, ln n for n outcomes that are equally
// likely. p: (…, classes); the result is (…) with Options.Reduction None.
func Entropy(p *graph.Node, o ...Options) *graph.Node {
	b := begin("entropy", o, batchMean, p).alike("distribution").distribution(p)
	return b.rows(func(x []*graph.Node) *graph.Node { return ops.Neg(ops.Sum(ops.Mul(x[0], ops.Log(orOne(x[0]))), -1)) })
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
