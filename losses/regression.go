package losses

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// regression is a loss of the difference between a prediction and a target of one type.
func regression(name string, prediction, target *graph.Node, o []Options, f func(d *graph.Node) *graph.Node) *graph.Node {
	b := begin(name, o, 0, prediction, target).alike("prediction", "target")
	return b.done(func() *graph.Node { return f(ops.Sub(prediction, target)) })
}

// MAE is the mean absolute error, L1: |x − t|. Both have the same type. The gradient where they are equal is 0.
func MAE(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression("mae", prediction, target, o, ops.Abs)
}

// MSE is the mean squared error: (x − t)². Both have the same type.
func MSE(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression("mse", prediction, target, o, ops.Square)
}

// RMSE is the root of the mean squared error, a scalar: there are no other reductions. The gradient where the error is 0 is 0.
func RMSE(prediction, target *graph.Node, o ...Options) *graph.Node {
	b := begin("rmse", o, 0, prediction, target).alike("prediction", "target")
	if b.Reduction != Mean {
		b.fail(graph.Errorf(graph.ErrValue, "the root of a mean; it has no other Reduction"))
	}
	if b.err != nil {
		return b.invalid()
	}
	mean := b.reduce(ops.Square(ops.Sub(prediction, target)), nil)
	if mean.Err() != nil {
		return mean
	}
	// The root's derivative at 0 is infinite; there the root of 1 stands in, and 0 is chosen of it.
	isZero := ops.Equal(mean, ops.Scalar(mean, 0))
	return ops.Select(isZero, ops.Scalar(mean, 0), ops.Sqrt(ops.Select(isZero, ops.Scalar(mean, 1), mean)))
}

// Huber is quadratic for small errors and linear for large ones: d²/2 for |d| ≤ delta, else delta·(|d| − delta/2). delta > 0.
func Huber(prediction, target *graph.Node, delta float64, o ...Options) *graph.Node {
	b := begin("huber", o, 0, prediction, target).alike("prediction", "target").positive("delta", delta)
	return b.done(func() *graph.Node { return huber(ops.Sub(prediction, target), delta) })
}

// SmoothL1 is Huber(beta)/beta, and MAE for a beta of 0.
func SmoothL1(prediction, target *graph.Node, beta float64, o ...Options) *graph.Node {
	if beta == 0 {
		return MAE(prediction, target, o...)
	}
	b := begin("smoothl1", o, 0, prediction, target).alike("prediction", "target").positive("beta", beta)
	return b.done(func() *graph.Node { return ops.DivScalar(huber(ops.Sub(prediction, target), beta), beta) })
}

// huber is m·(|d| − m/2) with m = min(|d|, δ): both pieces in one formula, without the square of a large d.
func huber(d *graph.Node, delta float64) *graph.Node {
	size := ops.Abs(d)
	m := ops.Minimum(size, ops.Scalar(d, delta))
	return ops.Mul(m, ops.Sub(size, ops.Scale(m, 0.5)))
}

// LogCosh is ln cosh d: d²/2 for small errors, |d| − ln 2 for large ones, smooth in between. It does not overflow.
func LogCosh(prediction, target *graph.Node, o ...Options) *graph.Node {
	return regression("logcosh", prediction, target, o, func(d *graph.Node) *graph.Node {
		size := ops.Abs(d)
		// ln(1 + 2·sinh²(d/2)) keeps the digits of a small d, |d| + ln(1 + e^(−2|d|)) − ln 2 does not overflow for a large one.
		half := ops.Sinh(ops.Scale(ops.Minimum(size, ops.Scalar(d, 1)), 0.5))
		small := ops.Log1p(ops.Scale(ops.Square(half), 2))
		large := ops.AddScalar(ops.Add(size, ops.Softplus(ops.Scale(size, -2))), -math.Ln2)
		return ops.Select(ops.Less(size, ops.Scalar(d, 1)), small, large)
	})
}

// Quantile is the pinball loss, of which the q-quantile of the targets is the minimum: q·(t − x) where the prediction is too low,
// (1 − q)·(x − t) where it is too high. 0 < q < 1.
func Quantile(prediction, target *graph.Node, q float64, o ...Options) *graph.Node {
	b := begin("quantile", o, 0, prediction, target).alike("prediction", "target")
	if !(q > 0 && q < 1) {
		b.fail(graph.Errorf(graph.ErrValue, "q is %v; want a number between 0 and 1", q))
	}
	return b.done(func() *graph.Node {
		d := ops.Sub(target, prediction)
		return ops.Maximum(ops.Scale(d, q), ops.Scale(d, q-1))
	})
}

// positive asks for a finite number above 0.
func (b *builder) positive(name string, v float64) *builder {
	if !(v > 0) || math.IsInf(v, 0) {
		b.fail(graph.Errorf(graph.ErrValue, "%s is %v; want a number above 0", name, v))
	}
	return b
}

// PoissonNLL is the negative logarithm of a Poisson distribution's probability of a count t, up to what depends on t alone: eˣ − t·x
// for x the logarithm of the rate.
func PoissonNLL(logRate, target *graph.Node, o ...Options) *graph.Node {
	b := begin("poissonnll", o, 0, logRate, target).alike("logarithm of the rate", "target")
	return b.done(func() *graph.Node { return ops.Sub(ops.Exp(logRate), ops.Mul(target, logRate)) })
}

// PoissonNLLOf is PoissonNLL of the rate itself: r − t·ln(r + 10⁻⁸).
func PoissonNLLOf(rate, target *graph.Node, o ...Options) *graph.Node {
	b := begin("poissonnllof", o, 0, rate, target).alike("rate", "target")
	return b.done(func() *graph.Node { return ops.Sub(rate, ops.Mul(target, ops.Log(ops.AddScalar(rate, 1e-8)))) })
}

// GaussianNLL is the negative logarithm of a Gaussian's density at t, without its constant ½·ln 2π: (ln v + (x − t)²/v)/2, for a
// model that predicts mean x and variance v. A variance below 10⁻⁶ counts as that, and gets no gradient.
func GaussianNLL(mean, variance, target *graph.Node, o ...Options) *graph.Node {
	b := begin("gaussiannll", o, 0, mean, variance, target).alike("mean", "variance", "target")
	return b.done(func() *graph.Node {
		v := ops.Clamp(variance, 1e-6, math.Inf(1))
		return ops.Scale(ops.Add(ops.Log(v), ops.Div(ops.Square(ops.Sub(mean, target)), v)), 0.5)
	})
}
