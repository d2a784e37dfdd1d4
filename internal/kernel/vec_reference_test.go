package kernel

import (
	"math"
	"math/big"
)

// References in 200-bit arithmetic, from the series. They serve finite arguments whose result is finite; where a plain
// formula would cancel (tanh, expm1, … near 0) they go through expm1 and log1p, which do not.

const refPrecision = 200

func ref(v float64) *big.Float { return new(big.Float).SetPrec(refPrecision).SetFloat64(v) }
func refZero() *big.Float      { return new(big.Float).SetPrec(refPrecision) }

func refAdd(a, b *big.Float) *big.Float { return refZero().Add(a, b) }
func refMul(a, b *big.Float) *big.Float { return refZero().Mul(a, b) }
func refQuo(a, b *big.Float) *big.Float { return refZero().Quo(a, b) }

func refSmall(term, sum *big.Float) bool {
	return term.Sign() == 0 || sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-refPrecision
}

// refExpm1 is e^x − 1: the series for x/2ʰ, then h times m(m+2).
func refExpm1(x *big.Float) *big.Float {
	h := max(0, x.MantExp(nil)+8)
	r := refZero().SetMantExp(x, -h)
	sum, term := refZero(), ref(1)
	for n := 1; ; n++ {
		term = refQuo(refMul(term, r), ref(float64(n)))
		if refSmall(term, sum) {
			break
		}
		sum.Add(sum, term)
	}
	for range h {
		sum = refMul(sum, refAdd(sum, ref(2)))
	}
	return sum
}

func refExp(x *big.Float) *big.Float {
	if x.Sign() < 0 { // e^x − 1 → −1 would cancel
		return refQuo(ref(1), refExp(refZero().Neg(x)))
	}
	return refAdd(refExpm1(x), ref(1))
}

var refLn2 = func() *big.Float { return refZero().Neg(refAtanh2(ref(-0.5))) }()

// refAtanh2 is ln(1+x) = 2 atanh(x/(2+x)) by its series.
func refAtanh2(x *big.Float) *big.Float {
	s := refQuo(x, refAdd(x, ref(2)))
	z := refMul(s, s)
	sum, p := refZero(), s
	for n := 1; ; n += 2 {
		term := refQuo(p, ref(float64(n)))
		if refSmall(term, sum) {
			return refMul(sum, ref(2))
		}
		sum.Add(sum, term)
		p = refMul(p, z)
	}
}

func refLog1p(x *big.Float) *big.Float {
	if x.MantExp(nil) < -1 { // |x| < ¼
		return refAtanh2(x)
	}
	return refLog(refAdd(new(big.Float).SetPrec(1200).Set(x), ref(1)))
}

func refLog(x *big.Float) *big.Float {
	e := x.MantExp(nil)
	m := new(big.Float).SetPrec(1200).SetMantExp(x, -e)
	if m.Cmp(ref(math.Sqrt2/2)) < 0 {
		m.SetMantExp(m, 1)
		e--
	}
	m.Sub(m, ref(1))
	return refAdd(refAtanh2(m), refMul(ref(float64(e)), refLn2))
}

func refTanh(x *big.Float) *big.Float {
	m := refExpm1(refMul(x, ref(2)))
	return refQuo(m, refAdd(m, ref(2)))
}

func refSigmoid(x *big.Float) *big.Float {
	return refQuo(ref(1), refAdd(ref(1), refExp(refZero().Neg(x))))
}

func refSoftplus(x *big.Float) *big.Float {
	if x.Sign() > 0 {
		return refAdd(x, refLog1p(refExp(refZero().Neg(x))))
	}
	return refLog1p(refExp(x))
}

// refErf is 2/√π · e^(−x²) Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!.
func refErf(x *big.Float) *big.Float {
	z := refMul(x, x)
	sum, term := refZero(), x
	for n := 0; !refSmall(term, sum); n++ {
		sum = refAdd(sum, term)
		term = refQuo(refMul(refMul(term, ref(2)), z), ref(float64(2*n+3)))
	}
	return refMul(refMul(refQuo(ref(2), refZero().Sqrt(refPi)), refExp(refZero().Neg(z))), sum)
}

var refPi = func() *big.Float {
	pi, _, err := big.ParseFloat("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899", 10, 260, big.ToNearestEven)
	if err != nil {
		panic(err)
	}
	return pi
}()

// refSin takes whole turns out (|x| < 2²⁰, say) and sums the series.
func refSin(x *big.Float) *big.Float {
	turn := refMul(refPi, ref(2))
	k, _ := refQuo(x, turn).Float64()
	r := new(big.Float).SetPrec(400).Sub(x, new(big.Float).SetPrec(400).Mul(refPi, ref(2*math.RoundToEven(k))))
	z := refMul(r, r)
	sum, term := refZero(), refZero().Set(r)
	for n := 1; !refSmall(term, sum); n += 2 {
		sum = refAdd(sum, term)
		term = refQuo(refMul(term, z), ref(-float64((n+1)*(n+2))))
	}
	return sum
}

func refCos(x *big.Float) *big.Float {
	return refSin(new(big.Float).SetPrec(400).Add(x, new(big.Float).SetPrec(400).Quo(refPi, ref(2))))
}

func refExp2(x *big.Float) *big.Float { return refExp(refMul(x, refLn2)) }

func refLog2(x *big.Float) *big.Float { return refQuo(refLog(x), refLn2) }

func refRsqrt(x *big.Float) *big.Float { return refQuo(ref(1), refZero().Sqrt(x)) }

func refNeg(x *big.Float) *big.Float { return refZero().Neg(x) }

// refCDF is Φ(z) = ½(1 + erf(z/√2)); 200 bits cover what cancels for |z| ≤ 9, and from 64 on it is 0 or 1.
func refCDF(z *big.Float) *big.Float {
	if z.MantExp(nil) > 6 {
		return ref(float64(max(z.Sign(), 0)))
	}
	return refMul(ref(0.5), refAdd(ref(1), refErf(refQuo(z, refSqrt2))))
}

var refSqrt2 = refZero().Sqrt(ref(2))

// refBell is e^t/(1+e^t)² = σ(t)σ(−t).
func refBell(t *big.Float) *big.Float { return refMul(refSigmoid(t), refSigmoid(refNeg(t))) }

// refGELUArgument is √(8/π)·z(1 + 0.044715z²), refGELUSlope its derivative.
func refGELUArgument(z *big.Float) *big.Float { return refMul(z, refGELUFactor(z, 1)) }
func refGELUSlope(z *big.Float) *big.Float    { return refGELUFactor(z, 3) }

func refGELUFactor(z *big.Float, n float64) *big.Float {
	cube := refQuo(ref(44715*n), ref(1e6))
	return refMul(refZero().Sqrt(refQuo(ref(8), refPi)), refAdd(ref(1), refMul(cube, refMul(z, z))))
}
