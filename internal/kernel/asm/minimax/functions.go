package main

import "math/big"

// The functions to approximate, by their series in 320-bit arithmetic. Speed does not matter here.

const precision = 320

func num(v float64) *big.Float       { return new(big.Float).SetPrec(precision).SetFloat64(v) }
func zero() *big.Float               { return new(big.Float).SetPrec(precision) }
func add(a, b *big.Float) *big.Float { return zero().Add(a, b) }
func sub(a, b *big.Float) *big.Float { return zero().Sub(a, b) }
func mul(a, b *big.Float) *big.Float { return zero().Mul(a, b) }
func quo(a, b *big.Float) *big.Float { return zero().Quo(a, b) }
func neg(a *big.Float) *big.Float    { return zero().Neg(a) }

func power(x *big.Float, n int) *big.Float {
	p := num(1)
	for range n {
		p.Mul(p, x)
	}
	return p
}

// negligible reports whether adding term to sum no longer matters.
func negligible(term, sum *big.Float) bool {
	return term.Sign() == 0 || sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-precision-8
}

// expm1 sums x + x²/2! + … after halving x until it is small: e²ˣ − 1 = m(m + 2) with m = eˣ − 1.
func expm1(x *big.Float) *big.Float {
	halvings := max(0, x.MantExp(nil)+4)
	r := zero().SetMantExp(x, -halvings)
	sum, term := zero(), num(1)
	for n := 1; ; n++ {
		term = quo(mul(term, r), num(float64(n)))
		if negligible(term, sum) {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum = mul(sum, add(sum, num(2)))
	}
	return sum
}

func exp(x *big.Float) *big.Float { return add(expm1(x), num(1)) }

// log1p is 2·atanh(x/(2+x)) = 2 Σ s²ⁿ⁺¹/(2n+1), for x not far from 0.
func log1p(x *big.Float) *big.Float {
	s := quo(x, add(x, num(2)))
	z := mul(s, s)
	sum, p := zero(), s
	for n := 1; ; n += 2 {
		term := quo(p, num(float64(n)))
		if negligible(term, sum) {
			return mul(sum, num(2))
		}
		sum.Add(sum, term)
		p = mul(p, z)
	}
}

// log takes out powers of two until log1p converges fast.
func log(x *big.Float) *big.Float {
	e := x.MantExp(nil)
	m := zero().SetMantExp(x, -e) // in [½, 1)
	return add(log1p(sub(m, num(1))), mul(num(float64(e)), ln2()))
}

func ln2() *big.Float { return neg(log1p(num(-0.5))) }

func tanh(x *big.Float) *big.Float {
	m := expm1(mul(x, num(2)))
	return quo(m, add(m, num(2)))
}

// pi by Machin's formula 16·atan(1/5) − 4·atan(1/239).
func pi() *big.Float {
	return sub(mul(num(16), atanInverse(5)), mul(num(4), atanInverse(239)))
}

func atanInverse(n float64) *big.Float {
	sum, p, square := zero(), quo(num(1), num(n)), num(n*n)
	for k := 1; ; k += 2 {
		term := quo(p, num(float64(k)))
		if negligible(term, sum) {
			return sum
		}
		if k%4 == 1 {
			sum.Add(sum, term)
		} else {
			sum.Sub(sum, term)
		}
		p = quo(p, square)
	}
}

// erf is 2/√π · e^(−x²) · Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, whose terms are all of one sign.
func erf(x *big.Float) *big.Float {
	z := mul(x, x)
	sum, term := zero(), x
	for n := 0; ; n++ {
		if negligible(term, sum) {
			break
		}
		sum = add(sum, term)
		term = quo(mul(mul(term, num(2)), z), num(float64(2*n+3)))
	}
	scale := quo(num(2), zero().Sqrt(pi()))
	return mul(mul(scale, exp(neg(z))), sum)
}

// mills is e^(s²/2)·Φ(−s) = ½·e^(t²)·erfc t with t = s/√2: from the error function while the difference loses little, beyond
// that by the continued fraction 1/(√π·(t + ½/(t + 1/(t + 3/2/(t + …))))) of e^(t²)·erfc t.
func mills(s *big.Float) *big.Float {
	t := quo(s, zero().Sqrt(num(2)))
	if t.Cmp(num(4)) < 0 {
		return mul(num(0.5), mul(exp(mul(t, t)), sub(num(1), erf(t))))
	}
	f := zero()
	for n := 400; n > 0; n-- {
		f = quo(num(float64(n)/2), add(t, f))
	}
	return quo(num(0.5), mul(zero().Sqrt(pi()), add(t, f)))
}

func sin(x *big.Float) *big.Float { return alternating(x, x, 2) }
func cos(x *big.Float) *big.Float { return alternating(x, num(1), 1) }

// alternating sums term·(1 − x²/(k(k+1)) + …), the series of sine (term x, k = 2) and cosine (term 1, k = 1).
func alternating(x, term *big.Float, k int) *big.Float {
	z := mul(x, x)
	sum := zero()
	for ; !negligible(term, sum); k += 2 {
		sum = add(sum, term)
		term = neg(quo(mul(term, z), num(float64(k*(k+1)))))
	}
	return sum
}
