package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of exponentials, logarithms, roots and the error function.
var (
	ExpDef   = new(graph.Def)
	Exp2Def  = new(graph.Def)
	Expm1Def = new(graph.Def)
	LogDef   = new(graph.Def)
	Log2Def  = new(graph.Def)
	Log10Def = new(graph.Def)
	Log1pDef = new(graph.Def)
	SqrtDef  = new(graph.Def)
	RSqrtDef = new(graph.Def)
	CbrtDef  = new(graph.Def)
	ErfDef   = new(graph.Def)
	ErfcDef  = new(graph.Def)

	LogAddExpDef = new(graph.Def)
)

// Exp returns eˣ.
func Exp(x *graph.Node) *graph.Node { return graph.Apply(ExpDef, nil, x) }

// Exp2 returns 2ˣ.
func Exp2(x *graph.Node) *graph.Node { return graph.Apply(Exp2Def, nil, x) }

// Expm1 returns eˣ − 1, accurate for small x.
func Expm1(x *graph.Node) *graph.Node { return graph.Apply(Expm1Def, nil, x) }

// Log returns the natural logarithm: −Inf at 0, NaN below.
func Log(x *graph.Node) *graph.Node { return graph.Apply(LogDef, nil, x) }

// Log2 returns the binary logarithm, exactly of powers of 2: −Inf at 0, NaN below.
func Log2(x *graph.Node) *graph.Node { return graph.Apply(Log2Def, nil, x) }

// Log10 returns the decimal logarithm, exactly of powers of 10: −Inf at 0, NaN below.
func Log10(x *graph.Node) *graph.Node { return graph.Apply(Log10Def, nil, x) }

// Log1p returns ln(1+x), accurate for small x: −Inf at −1, NaN below.
func Log1p(x *graph.Node) *graph.Node { return graph.Apply(Log1pDef, nil, x) }

// LogAddExp returns ln(eᵃ + eᵇ), broadcast, without overflow. The derivatives are sigmoid(a−b) and sigmoid(b−a).
func LogAddExp(a, b *graph.Node) *graph.Node { return graph.Apply(LogAddExpDef, nil, a, b) }

// Sqrt returns the square root, NaN for negative x. Its derivative ½/√x is +Inf at 0.
func Sqrt(x *graph.Node) *graph.Node { return graph.Apply(SqrtDef, nil, x) }

// RSqrt returns 1/√x: ±Inf at ±0, NaN below. The derivative is −½·y³.
func RSqrt(x *graph.Node) *graph.Node { return graph.Apply(RSqrtDef, nil, x) }

// Cbrt returns the cube root, of negative x too. Its derivative is +Inf at 0.
func Cbrt(x *graph.Node) *graph.Node { return graph.Apply(CbrtDef, nil, x) }

// Erf returns the error function 2/√π · ∫₀ˣ e^(−t²) dt.
func Erf(x *graph.Node) *graph.Node { return graph.Apply(ErfDef, nil, x) }

// Erfc returns 1 − erf(x), with full relative accuracy for large x.
func Erfc(x *graph.Node) *graph.Node { return graph.Apply(ErfcDef, nil, x) }

// log10 is math.Log10, which loses the digits of x near 1 and is off for some powers of 10.
func log10(x float64) float64 {
	if x > 0.5 && x < 2 {
		return math.Log(x) * (1 / math.Ln10)
	}
	fraction, exponent := math.Frexp(x) // math.Log of a subnormal number is wrong on some processors
	y := math.Log(fraction)*(1/math.Ln10) + float64(exponent)*(math.Ln2/math.Ln10)
	if n := math.Round(y); math.Abs(y-n) < 1e-12 && math.Pow10(int(n)) == x {
		return n
	}
	return y
}

func logAddExp(a, b float64) float64 {
	if a == b {
		return a + math.Ln2
	}
	return max(a, b) + math.Log1p(math.Exp(-math.Abs(a-b)))
}

// gaussian is c·e^(−x²).
func gaussian(c float64, x *graph.Node) *graph.Node { return Scale(Exp(Neg(Square(x))), c) }

func init() {
	const twoOverRootPi = 2 / math.SqrtPi
	defineFunctions([]function{
		{ExpDef, "exp", unary(kernel.Exp[float32], kernel.Exp[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, y) }, -2, 2, nil},
		{Exp2Def, "exp2", unary(kernel.Exp2[float32], kernel.Exp2[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Scale(y, math.Ln2)) }, -2, 2, nil},
		{Expm1Def, "expm1", unary(kernel.Expm1[float32], kernel.Expm1[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Exp(x)) }, -2, 2, nil},
		{LogDef, "log", unary(kernel.Log[float32], kernel.Log[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, x) }, 0.3, 3, nil},
		{Log2Def, "log2", unary(kernel.Log2[float32], kernel.Log2[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Scale(Div(dy, x), 1/math.Ln2) }, 0.3, 3, nil},
		{Log10Def, "log10", mathUnary(log10),
			func(dy, x, y *graph.Node) *graph.Node { return Scale(Div(dy, x), 1/math.Ln10) }, 0.3, 3, nil},
		{Log1pDef, "log1p", unary(kernel.Log1p[float32], kernel.Log1p[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, AddScalar(x, 1)) }, -0.5, 3, nil},
		{SqrtDef, "sqrt", unary(kernel.Sqrt[float32], kernel.Sqrt[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Div(Scale(dy, 0.5), y) }, 0.3, 3, nil},
		{RSqrtDef, "rsqrt", unary(kernel.Rsqrt[float32], kernel.Rsqrt[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Scale(Mul(y, Square(y)), -0.5)) }, 0.3, 3, nil},
		{CbrtDef, "cbrt", mathUnary(math.Cbrt),
			func(dy, x, y *graph.Node) *graph.Node { return Div(dy, Scale(Square(y), 3)) }, 0.3, 3, nil},
		{ErfDef, "erf", unary(kernel.Erf[float32], kernel.Erf[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, gaussian(twoOverRootPi, x)) }, -2, 2, nil},
		{ErfcDef, "erfc", mathUnary(math.Erfc),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, gaussian(-twoOverRootPi, x)) }, -2, 2, nil},
	})
	define(LogAddExpDef, graph.Def{
		Name:      "logaddexp",
		Infer:     inferElementwise(2),
		Pointwise: mathBinary(logAddExp),
		Expand: func(_ any, in []*graph.Node) *graph.Node { // equal infinities have no difference
			a, b := in[0], in[1]
			return Select(Equal(a, b), AddScalar(Maximum(a, b), math.Ln2), Add(Maximum(a, b), Softplus(Neg(Abs(Sub(a, b))))))
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, b := n.In(0), n.In(1)
			return []*graph.Node{sumLike(Mul(dy, Sigmoid(Sub(a, b))), a), sumLike(Mul(dy, Sigmoid(Sub(b, a))), b)}
		},
		Traits:  graph.Commutative | graph.InPlace,
		Samples: binarySamples(floatsIn(-2, 2), floatsIn(-2, 2)),
	})

	rewrite(graph.Rule{
		Name: "log-softmax", Why: "ln softmax(x) underflows to −Inf where log-softmax is exact", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if s := m.Op(n.In(0), SoftmaxDef); s != nil {
				return graph.Apply(LogSoftmaxDef, s.Attr(), s.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log-sigmoid", Why: "ln sigmoid(x) = −softplus(−x) does not underflow", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if s := m.Op(n.In(0), SigmoidDef); s != nil {
				return Neg(Softplus(Neg(s.In(0))))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log-one-minus-sigmoid", Why: "ln(1 − sigmoid(x)) = −softplus(x) does not underflow", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if c := m.Op(n.In(0), SubDef); c != nil && isScalar(c.In(0), 1) {
				if s := m.Op(c.In(1), SigmoidDef); s != nil {
					return Neg(Softplus(s.In(0)))
				}
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log1p", Why: "ln(1+x) loses every digit of a small x", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if x := plusOne(m, n.In(0)); x != nil {
				return Log1p(x)
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log1p-minus", Why: "ln(1−x) loses every digit of a small x", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if c := m.Op(n.In(0), SubDef); c != nil && isScalar(c.In(0), 1) {
				return Log1p(Neg(c.In(1)))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "softplus", Why: "ln(1+eˣ) overflows for large x", Root: Log1pDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if e := m.Op(n.In(0), ExpDef); e != nil {
				return Softplus(e.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "expm1", Why: "eˣ − 1 loses every digit of a small x", Root: SubDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if e := m.Op(n.In(0), ExpDef); e != nil && isScalar(n.In(1), 1) {
				return Expm1(e.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "expm1-plus", Why: "eˣ + (−1) loses every digit of a small x", Root: AddDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			for i := range 2 {
				if e := m.Op(n.In(i), ExpDef); e != nil && isScalar(n.In(1-i), -1) {
					return Expm1(e.In(0))
				}
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "sigmoid", Why: "1/(1+e⁻ˣ) underflows early, and its gradient is NaN where e⁻ˣ overflows", Root: DivDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if isScalar(n.In(0), 1) {
				return sigmoidOf(m, n.In(1))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "sigmoid-reciprocal", Why: "as the row above, where the quotient is written as a reciprocal", Root: ReciprocalDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node { return sigmoidOf(m, n.In(0)) },
	})
	rewrite(graph.Rule{
		Name: "erfc", Why: "1 − erf(x) loses every digit for large x", Root: SubDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if e := m.Op(n.In(1), ErfDef); e != nil && isScalar(n.In(0), 1) {
				return Erfc(e.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "sqrt-square", Why: "√(x²) overflows for large x, and its gradient is NaN at 0; |x| is neither", Root: SqrtDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if s := m.Op(n.In(0), MulDef); s != nil && s.In(0) == s.In(1) {
				return Abs(s.In(0))
			}
			return nil
		},
	})

	// Popular rewrites that are not among these, because they change what IEEE 754 says: ln(eˣ) to x and e^(ln x) to x (infinities,
	// and NaN for negative x), (√x)² to x, ln(xʸ) to y·ln x, √x·√y to √(xy), a/√b to a·rsqrt(b). 1/√x stays as it is since RSqrt is no
	// more exact, √(x²+y²) since Hypot is slow, max(x, 0) since its gradient at 0 is another one than ReLU's.
}

// plusOne returns x of 1 + x, else nil.
func plusOne(m *graph.Match, n *graph.Node) *graph.Node {
	if sum := m.Op(n, AddDef); sum != nil {
		for i := range 2 {
			if isScalar(sum.In(i), 1) {
				return sum.In(1 - i)
			}
		}
	}
	return nil
}

// sigmoidOf returns sigmoid(x) for the denominator 1 + e⁻ˣ, else nil.
func sigmoidOf(m *graph.Match, denominator *graph.Node) *graph.Node {
	e := plusOne(m, denominator)
	if e == nil || m.Op(e, ExpDef) == nil {
		return nil
	}
	if x := m.Op(e.In(0), NegDef); x != nil {
		return Sigmoid(x.In(0))
	}
	return Sigmoid(Neg(e.In(0)))
}
