package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
)

// Norm returns the p-norm (Σ|x|ᵖ)^(1/p) of the elements over the given axes, or over all if none is given; of a matrix, p = 2 is the
// Frobenius norm. p = +Inf is the largest absolute value, −Inf the smallest, 0 the number of elements that are not 0. It is
// elementwise, not the norm of a linear map.
//
// The derivative at 0 is taken to be 0, which is a subgradient for p ≥ 1, and so is that by an element that is 0. For ±Inf, elements that
// tie share the cotangent equally. The norm of no elements is 0 for p > 0, +Inf for other finite p but 0, and an error at run time for ±Inf.
func Norm(x *graph.Node, p float64, axes ...int) *graph.Node {
	switch {
	case x.Err() != nil || x.Type().IsTuple():
		return Abs(x)
	case math.IsNaN(p):
		return graph.Invalid(graph.Errorf(graph.ErrValue, "there is no NaN-norm"), "norm("+x.Name()+")", x)
	case p == 0:
		return Cast(CountNonzero(x, axes...), x.DType())
	case p == 1:
		return L1Norm(x, axes...)
	case p == 2:
		return L2Norm(x, axes...)
	case math.IsInf(p, 1):
		return Max(Abs(x), axes...)
	case math.IsInf(p, -1):
		return Min(Abs(x), axes...)
	}
	zero := Equal(x, like(x, 0))
	powers := PowScalar(Select(zero, like(x, 1), Abs(x)), p)
	if p > 0 {
		sum := Sum(Select(zero, like(x, 0), powers), axes...)
		positive := Greater(sum, like(sum, 0))
		return Select(positive, PowScalar(Select(positive, sum, like(sum, 1)), 1/p), Mul(sum, like(sum, 0)))
	}
	return PowScalar(Sum(Select(zero, like(x, math.Inf(1)), powers), axes...), 1/p) // one zero makes the norm 0
}

// NormKeep is Norm with the reduced axes kept at size 1.
func NormKeep(x *graph.Node, p float64, axes ...int) *graph.Node {
	return keep(Norm(x, p, axes...), x, axes)
}

// L1Norm returns Σ|x| over the given axes, or over all if none is given. The derivative by an element that is 0 is taken to be 0.
func L1Norm(x *graph.Node, axes ...int) *graph.Node { return Sum(Abs(x), axes...) }

// L2Norm returns √Σx² over the given axes, or over all if none is given. The derivative where all elements are 0 is taken to be 0.
func L2Norm(x *graph.Node, axes ...int) *graph.Node { return rootOrZero(Sum(Square(x), axes...)) }
