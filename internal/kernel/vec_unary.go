package kernel

// Functions of one operand: dst[i] = f(x[i]) for i < len(dst). x is at least as long as dst; dst may be x itself but not
// otherwise overlap it. Special values are those of IEEE 754 and of package math unless a comment says more. None allocates.
//
// Largest errors over all arguments, promised, and seen with assembly (float32 over every fifth bit pattern, exp, expm1
// and tanh over all, float64 over some 200,000 points), in units of the last place. go test -run Accuracy -v prints them
// for every set of kernels from a sample, with -tags long from a full sweep.
//
//	          exp       expm1     exp2      log       log2      log1p     tanh      sigmoid   softplus  erf       sin       cos       rsqrt
//	float32   1 (0.98)  2 (1.44)  2 (0.99)  1 (0.89)  2 (1.01)  2 (1.48)  3 (2.42)  2 (1.97)  2 (1.72)  3 (1.09)  2 (1.48)  2 (1.49)  2 (1.49)
//	float64   2 (0.97)  2 (1.81)  2 (1.02)  2 (0.73)  2 (0.90)  2 (0.79)  4 (2.23)  4 (2.21)  4 (1.41)  4 (0.93)  3 (1.38)  3 (1.41)  2 (1.46)
//
// The portable forms stay within the same promises. Square roots, reciprocals and what merely moves bits are exact or
// correctly rounded. The functions from Tan on are those of package math in every set.

// maxSpan is the number of elements given to a kernel at once: assembly cannot be preempted, and the collector waits for it.
const maxSpan = 1 << 15

func unary[T Float](op Op, dst, x []T) {
	f := vec[T]().unary[op]
	x = x[:len(dst)]
	for len(dst) > maxSpan {
		f(dst[:maxSpan], x[:maxSpan])
		dst, x = dst[maxSpan:], x[maxSpan:]
	}
	f(dst, x)
}

// Exp sets dst = eˣ.
func Exp[T Float](dst, x []T) { unary(OpExp, dst, x) }

// Expm1 sets dst = eˣ − 1, accurate near 0.
func Expm1[T Float](dst, x []T) { unary(OpExpm1, dst, x) }

// Exp2 sets dst = 2ˣ, exact at integers.
func Exp2[T Float](dst, x []T) { unary(OpExp2, dst, x) }

// Log2 sets dst = log₂ x, exact at powers of two: −Inf at ±0, NaN below.
func Log2[T Float](dst, x []T) { unary(OpLog2, dst, x) }

// Log sets dst = ln x: −Inf at ±0, NaN below.
func Log[T Float](dst, x []T) { unary(OpLog, dst, x) }

// Log1p sets dst = ln(1 + x), accurate near 0.
func Log1p[T Float](dst, x []T) { unary(OpLog1p, dst, x) }

// Tanh sets dst = tanh x.
func Tanh[T Float](dst, x []T) { unary(OpTanh, dst, x) }

// Sigmoid sets dst = 1/(1 + e⁻ˣ), with full relative accuracy down to where it underflows.
func Sigmoid[T Float](dst, x []T) { unary(OpSigmoid, dst, x) }

// Softplus sets dst = ln(1 + eˣ) = max(x, 0) + log1p(e^−|x|), which overflows nowhere.
func Softplus[T Float](dst, x []T) { unary(OpSoftplus, dst, x) }

// ReLU sets dst to 0 where x < 0 and to x elsewhere, so NaN stays NaN.
func ReLU[T Float](dst, x []T) { unary(OpReLU, dst, x) }

// Erf sets dst to the error function of x.
func Erf[T Float](dst, x []T) { unary(OpErf, dst, x) }

// Sqrt sets dst = √x, correctly rounded.
func Sqrt[T Float](dst, x []T) { unary(OpSqrt, dst, x) }

// Rsqrt sets dst = 1/√x: Inf with the sign of x at ±0, NaN below.
func Rsqrt[T Float](dst, x []T) { unary(OpRsqrt, dst, x) }

// Neg sets dst = −x.
func Neg[T Float](dst, x []T) { unary(OpNeg, dst, x) }

// Abs sets dst = |x|.
func Abs[T Float](dst, x []T) { unary(OpAbs, dst, x) }

// Square sets dst = x².
func Square[T Float](dst, x []T) { unary(OpSquare, dst, x) }

// Reciprocal sets dst = 1/x, correctly rounded.
func Reciprocal[T Float](dst, x []T) { unary(OpReciprocal, dst, x) }

// Sign sets dst to −1, 1, or x itself where x is ±0 or NaN.
func Sign[T Float](dst, x []T) { unary(OpSign, dst, x) }

// Floor sets dst = ⌊x⌋.
func Floor[T Float](dst, x []T) { unary(OpFloor, dst, x) }

// Ceil sets dst = ⌈x⌉.
func Ceil[T Float](dst, x []T) { unary(OpCeil, dst, x) }

// Trunc sets dst to x without its fraction.
func Trunc[T Float](dst, x []T) { unary(OpTrunc, dst, x) }

// Round sets dst to the nearest integer, ties to even.
func Round[T Float](dst, x []T) { unary(OpRound, dst, x) }

// Sin sets dst = sin x, for x of any size.
func Sin[T Float](dst, x []T) { unary(OpSin, dst, x) }

// Cos sets dst = cos x, for x of any size.
func Cos[T Float](dst, x []T) { unary(OpCos, dst, x) }

// Tan sets dst = tan x.
func Tan[T Float](dst, x []T) { unary(OpTan, dst, x) }

// Asin sets dst = arcsin x, NaN beyond ±1.
func Asin[T Float](dst, x []T) { unary(OpAsin, dst, x) }

// Acos sets dst = arccos x, NaN beyond ±1.
func Acos[T Float](dst, x []T) { unary(OpAcos, dst, x) }

// Atan sets dst = arctan x.
func Atan[T Float](dst, x []T) { unary(OpAtan, dst, x) }

// Sinh sets dst = sinh x.
func Sinh[T Float](dst, x []T) { unary(OpSinh, dst, x) }

// Cosh sets dst = cosh x.
func Cosh[T Float](dst, x []T) { unary(OpCosh, dst, x) }

// Asinh sets dst = arsinh x.
func Asinh[T Float](dst, x []T) { unary(OpAsinh, dst, x) }

// Acosh sets dst = arcosh x, NaN below 1.
func Acosh[T Float](dst, x []T) { unary(OpAcosh, dst, x) }

// Atanh sets dst = artanh x, NaN beyond ±1.
func Atanh[T Float](dst, x []T) { unary(OpAtanh, dst, x) }
