package losses

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// regression is a loss of the difference between a prediction and a target of one type.
func regression(b *builder, f func(d *graph.Node) *graph.Node) *graph.Node {
	return b.alike("prediction", "target").each(func(x []*graph.Node) *graph.Node { return f(ops.Sub(x[0], x[1])) })
}

// MAE is the mean absolute error, L1: |x − t|. Both have the same type. The gradient where they are equal is 0.
func MAE(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression(begin("mae", o, 0, prediction, target), ops.Abs)
}

// MSE is the mean squared error: (x − t)². Both have the same type.
func MSE(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression(begin("mse", o, 0, prediction, target), ops.Square)
}

// RMSE is the root of the mean squared error, a scalar: there are no other reductions. The gradient where the error is 0 is 0.
func RMSE(prediction, target *graph.Node, o ...Options) *graph.Node {
	b := begin("rmse", o, 0, prediction, target)
	if b.Reduction != Mean {
		b.fail(graph.Errorf(graph.ErrValue, "the root of a mean; it has no other Reduction"))
	}
	mean := regression(b, ops.Square)
	if mean.Err() != nil {
		return mean
	}
	// The root's derivative at 0 is infinite; there the root of 1 stands in, and 0 is chosen of it.
	isZero := ops.Equal(mean, ops.Scalar(mean, 0))
	return ops.Select(isZero, ops.Scalar(mean, 0), ops.Sqrt(ops.Select(isZero, ops.Scalar(mean, 1), mean)))
}

// Huber is quadratic for small errors and linear for large ones: d²/2 for |d| ≤ delta, else delta·(|d| − delta/2). delta > 0.
func Huber(prediction, target *graph.Node, delta float64, o ...Options) *graph.Node {
	b := begin("huber", o, 0, prediction, target).positive("delta", delta)
	return regression(b, func(d *graph.Node) *graph.Node { return huber(d, delta) })
}

// SmoothL1 is Huber(beta)/beta, and MAE for a beta of 0.
func SmoothL1(prediction, target *graph.Node, beta float64, o ...Options) *graph.Node {
	if beta == 0 {
		return MAE(prediction, target, o...)
	}
	b := begin("smoothl1", o, 0, prediction, target).positive("beta", beta)
	return regression(b, func(d *graph.Node) *graph.Node { return ops.DivScalar(huber(d, beta), beta) })
}

// huber is c·(d − c/2) with c = d cut to −δ … δ: both pieces in one formula, without the square of a large d, and with a second
// derivative at 0.
func huber(d *graph.Node, delta float64) *graph.Node {
	c := ops.Clamp(d, -delta, delta)
	return ops.Mul(c, ops.Sub(d, ops.Scale(c, 0.5)))
}

// LogCosh is ln cosh d: d²/2 for small errors, |d| − ln 2 for large ones, smooth in between. It does not overflow.
func LogCosh(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression(begin("logcosh", o, 0, prediction, target), func(d *graph.Node) *graph.Node {
		// ln(1 + 2·sinh²(d/2)) keeps the digits of a small d, and does not overflow up to 20, from where on |d| − ln 2 is exact.
		c := ops.Clamp(d, -20, 20)
		inside := ops.Log1p(ops.Scale(ops.Square(ops.Sinh(ops.Scale(c, 0.5))), 2))
		return ops.Add(inside, ops.Abs(ops.Sub(d, c)))
	})
}

// Quantile is the pinball loss, of which the q-quantile of the targets is the minimum: q·(t − x) where the prediction is too low,
// (1 − q)·(x − t) where it is too high. 0 < q < 1. The slope where they are equal is 1/2 − q, in the middle of the two.
func Quantile(prediction, target *graph.Node, q float64, o ...Options) *graph.Node {
	b := begin("quantile", o, 0, prediction, target)
	if !(q > 0 && q < 1) {
		b.fail(graph.Errorf(graph.ErrValue, "q is %v; want a number between 0 and 1", q))
	}
	return regression(b, func(d *graph.Node) *graph.Node { return ops.Maximum(ops.Scale(d, -q), ops.Scale(d, 1-q)) })
}

// positive asks for a finite number above 0.
func (b *builder) positive(name string, v float64) *builder {
	if !(v > 0) || math.IsInf(v, 0) {
		b.fail(graph.Errorf(graph.ErrValue, "%s is %v; want a number above 0", name, v))
	}
	return b
}

// PoissonNLL is the negative logarithm of a Poisson distribution's probability of a count t, up to what depends on t alone: eˣ − t·x
// for x the logarithm of the rate. With Options.Full, Stirling's approximation of ln t! is added for t > 1.
func PoissonNLL(logRate, target *graph.Node, o ...Options) *graph.Node {
	b := begin("poissonnll", o, full, logRate, target).alike("logarithm of the rate", "target")
	return b.each(func(x []*graph.Node) *graph.Node {
		return b.withFactorial(ops.Sub(ops.Exp(x[0]), ops.Mul(x[1], x[0])), x[1])
	})
}

// PoissonNLLOf is PoissonNLL of the rate itself: r − t·ln(r + ε), where Options.Epsilon has ε.
func PoissonNLLOf(rate, target *graph.Node, o ...Options) *graph.Node {
	b := begin("poissonnllof", o, full|epsilon, rate, target).alike("rate", "target")
	return b.each(func(x []*graph.Node) *graph.Node {
		log := ops.Log(ops.AddScalar(x[0], b.epsilon(1e-8)))
		return b.withFactorial(ops.Sub(x[0], ops.Mul(x[1], log)), x[1])
	})
}

// withFactorial adds ln t! ≈ t·ln t − t + ½·ln 2πt for t > 1.
func (b *builder) withFactorial(l, t *graph.Node) *graph.Node {
	if !b.Full {
		return l
	}
	one := ops.Scalar(t, 1)
	many := ops.Greater(t, one)
	n := ops.Select(many, t, one)
	stirling := ops.AddScalar(ops.Sub(ops.Mul(ops.AddScalar(n, 0.5), ops.Log(n)), n), math.Log(2*math.Pi)/2)
	return ops.Add(l, ops.Select(many, stirling, ops.Scalar(t, 0)))
}

// epsilon is Options.Epsilon, or what a loss has for 0.
func (b *builder) epsilon(usual float64) float64 {
	if b.Epsilon == 0 {
		return usual
	}
	return b.Epsilon
}

// GaussianNLL is the negative logarithm of a Gaussian's density at t, without its constant ½·ln 2π unless Options.Full is set:
// (ln v + (x − t)²/v)/2, for a model that predicts mean x and variance v. The variance has the mean's type, or dimensions of 1 that
// are broadcast. One below Options.Epsilon counts as that and gets the gradient there; a negative one is an error at run time.
func GaussianNLL(mean, variance, target *graph.Node, o ...Options) *graph.Node {
	b := begin("gaussiannll", o, full|epsilon, mean, variance, target)
	if b.err == nil && variance.DType() == mean.DType() {
		if s, err := ops.BroadcastShapes(mean.Shape(), variance.Shape()); err == nil && s.Identical(mean.Shape()) {
			b.operands[1] = ops.BroadcastTo(variance, s...)
		}
	}
	return b.alike("mean", "variance", "target").each(func(x []*graph.Node) *graph.Node {
		v := ops.Assert(ops.Not(ops.Less(x[1], ops.Scalar(x[1], 0))), x[1], "a variance is negative")
		least := ops.Maximum(v, ops.Scalar(v, b.epsilon(1e-6)))
		v = ops.Add(v, ops.StopGradient(ops.Sub(least, v)))
		l := ops.Scale(ops.Add(ops.Log(v), ops.Div(ops.Square(ops.Sub(x[0], x[2])), v)), 0.5)
		if b.Full {
			l = ops.AddScalar(l, math.Log(2*math.Pi)/2)
		}
		return l
	})
}
