package kernel

// Functions of one operand: dst[i] = f(x[i]) for i < len(dst). x is at least as long as dst; dst may be x itself but not
// otherwise overlap it. Special values are those of IEEE 754 and of package math unless a comment says more. None allocates.

// Exp sets dst = eˣ.
func Exp[T Float](dst, x []T) { vec[T]().unary[OpExp](dst, x[:len(dst)]) }

// Expm1 sets dst = eˣ − 1, accurate near 0.
func Expm1[T Float](dst, x []T) { vec[T]().unary[OpExpm1](dst, x[:len(dst)]) }

// Log sets dst = ln x: −Inf at ±0, NaN below.
func Log[T Float](dst, x []T) { vec[T]().unary[OpLog](dst, x[:len(dst)]) }

// Log1p sets dst = ln(1 + x), accurate near 0.
func Log1p[T Float](dst, x []T) { vec[T]().unary[OpLog1p](dst, x[:len(dst)]) }

// Tanh sets dst = tanh x.
func Tanh[T Float](dst, x []T) { vec[T]().unary[OpTanh](dst, x[:len(dst)]) }

// Sigmoid sets dst = 1/(1 + e⁻ˣ), with full relative accuracy down to where it underflows.
func Sigmoid[T Float](dst, x []T) { vec[T]().unary[OpSigmoid](dst, x[:len(dst)]) }

// Softplus sets dst = ln(1 + eˣ) = max(x, 0) + log1p(e^−|x|), which overflows nowhere.
func Softplus[T Float](dst, x []T) { vec[T]().unary[OpSoftplus](dst, x[:len(dst)]) }

// ReLU sets dst to 0 where x < 0 and to x elsewhere, so NaN stays NaN.
func ReLU[T Float](dst, x []T) { vec[T]().unary[OpReLU](dst, x[:len(dst)]) }

// Erf sets dst to the error function of x.
func Erf[T Float](dst, x []T) { vec[T]().unary[OpErf](dst, x[:len(dst)]) }

// Sqrt sets dst = √x, correctly rounded.
func Sqrt[T Float](dst, x []T) { vec[T]().unary[OpSqrt](dst, x[:len(dst)]) }

// Neg sets dst = −x.
func Neg[T Float](dst, x []T) { vec[T]().unary[OpNeg](dst, x[:len(dst)]) }

// Abs sets dst = |x|.
func Abs[T Float](dst, x []T) { vec[T]().unary[OpAbs](dst, x[:len(dst)]) }

// Square sets dst = x².
func Square[T Float](dst, x []T) { vec[T]().unary[OpSquare](dst, x[:len(dst)]) }

// Reciprocal sets dst = 1/x, correctly rounded.
func Reciprocal[T Float](dst, x []T) { vec[T]().unary[OpReciprocal](dst, x[:len(dst)]) }

// Sign sets dst to −1, 1, or x itself where x is ±0 or NaN.
func Sign[T Float](dst, x []T) { vec[T]().unary[OpSign](dst, x[:len(dst)]) }

// Floor sets dst = ⌊x⌋.
func Floor[T Float](dst, x []T) { vec[T]().unary[OpFloor](dst, x[:len(dst)]) }

// Ceil sets dst = ⌈x⌉.
func Ceil[T Float](dst, x []T) { vec[T]().unary[OpCeil](dst, x[:len(dst)]) }

// Round sets dst to the nearest integer, ties to even.
func Round[T Float](dst, x []T) { vec[T]().unary[OpRound](dst, x[:len(dst)]) }

// Sin sets dst = sin x, for x of any size.
func Sin[T Float](dst, x []T) { vec[T]().unary[OpSin](dst, x[:len(dst)]) }

// Cos sets dst = cos x, for x of any size.
func Cos[T Float](dst, x []T) { vec[T]().unary[OpCos](dst, x[:len(dst)]) }
