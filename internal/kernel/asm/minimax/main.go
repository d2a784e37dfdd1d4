// Command minimax derives the coefficients of the vector functions and writes them as Go source to standard output:
//
//	go run ./minimax > vec/emit/coefficients.go
//
// Each fit is a weighted minimax problem solved by the Remez exchange in 320-bit arithmetic, with the functions from their
// series. The largest weighted error of the rounded coefficients stands beside each table.
package main

//go:generate sh -c "go run . >../vec/emit/coefficients.go && gofmt -w ../vec/emit/coefficients.go"

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
)

type bigFunc = func(x *big.Float) *big.Float

// monomials returns x^first, x^(first+step), … (count of them).
func monomials(first, step, count int) []bigFunc {
	b := make([]bigFunc, count)
	for k := range b {
		b[k] = func(x *big.Float) *big.Float { return power(x, first+step*k) }
	}
	return b
}

func one(*big.Float) *big.Float { return num(1) }

type table struct {
	name, formula string
	bits          int
	fit           fit
}

// tiny stands for 0 at the end of an interval where target and scale are both 0/0.
const tiny = 0x1p-30

func tables() []table {
	half := math.Ln2 / 2 * 1.001
	expm1Fit := func(degree int) fit {
		// (e^r − 1 − r)/r = r·(c₂ + c₃r + …), weighted by (e^r − 1)/r: relative error of e^r − 1.
		return fit{lo: -half, hi: half + tiny, basis: monomials(1, 1, degree-1),
			target: func(r *big.Float) *big.Float { return sub(quo(expm1(r), r), num(1)) },
			scale:  func(r *big.Float) *big.Float { return quo(expm1(r), r) }}
	}
	expFit := func(degree int) fit {
		// e^r = 1 + r + r²·(c₂ + …), weighted by e^r.
		return fit{lo: -half, hi: half, basis: monomials(2, 1, degree-1),
			target: func(r *big.Float) *big.Float { return sub(expm1(r), r) }, scale: exp}
	}
	logLo, logHi := math.Sqrt2/2-1-1e-4, math.Sqrt2-1+1e-4
	sMax := logHi / (2 + logHi)
	sin1 := math.Pi / 4 * 1.001
	erfScale := func(t *big.Float) *big.Float { // relative error of erf, carried to −ln erfc: d(erf) = erfc·dq
		return quo(erf(t), sub(num(1), erf(t)))
	}
	erfcLog := func(t *big.Float) *big.Float { return neg(log(sub(num(1), erf(t)))) }
	// (s + k)·mills(s) is nearly a polynomial in u = s/(s + k): s + k = k/(1 − u).
	millsFit := func(k, largest float64, count int) fit {
		f := func(u *big.Float) *big.Float {
			sum := quo(num(k), sub(num(1), u))
			return mul(sum, mills(sub(sum, num(k))))
		}
		return fit{lo: 0, hi: largest / (largest + k), basis: monomials(0, 1, count), target: f, scale: f}
	}
	return []table{
		{"expm132", "e^r − 1 ≈ r + r²·P(r), |r| ≤ ½ln2, error relative to e^r − 1", 32, expm1Fit(7)},
		{"exp64", "e^r ≈ 1 + r + r²·P(r), |r| ≤ ½ln2, error relative to e^r", 64, expFit(11)},
		{"expm164", "e^r − 1 ≈ r + r²·P(r), |r| ≤ ½ln2, error relative to e^r − 1", 64, expm1Fit(12)},
		{"log32", "ln(1+f) ≈ f − f²/2 + f³·P(f), √½ ≤ 1+f ≤ √2, relative error", 32, fit{lo: logLo, hi: logHi + tiny,
			basis: monomials(2, 1, 9),
			target: func(f *big.Float) *big.Float {
				return add(sub(quo(log1p(f), f), num(1)), mul(num(0.5), f))
			},
			scale: func(f *big.Float) *big.Float { return quo(log1p(f), f) }}},
		{"log64", "2·atanh(s) ≈ 2s + s·z·P(z), z = s², |s| ≤ (√2−1)/(√2+1), relative error", 64, fit{lo: tiny, hi: sMax,
			basis: monomials(2, 2, 7),
			target: func(s *big.Float) *big.Float {
				return sub(quo(log1p(quo(mul(num(2), s), sub(num(1), s))), s), num(2))
			},
			scale: func(s *big.Float) *big.Float { return num(2) }}},
		{"erf32", "erf x ≈ x + x·P(x²), |x| ≤ 1, relative error", 32, fit{lo: tiny, hi: 1.001, basis: monomials(0, 2, 7),
			target: func(x *big.Float) *big.Float { return sub(quo(erf(x), x), num(1)) },
			scale:  func(x *big.Float) *big.Float { return quo(erf(x), x) }}},
		{"erf64", "erf x ≈ x + x·P(x²), |x| ≤ 1, relative error", 64, fit{lo: tiny, hi: 1.001, basis: monomials(0, 2, 13),
			target: func(x *big.Float) *big.Float { return sub(quo(erf(x), x), num(1)) },
			scale:  func(x *big.Float) *big.Float { return quo(erf(x), x) }}},
		{"erfc32", "−ln erfc(t) ≈ P(t), 1 ≤ t ≤ 4, error of erf relative to erf", 32, fit{lo: 0.999, hi: 4, basis: monomials(0, 1, 8),
			target: erfcLog, scale: erfScale}},
		{"erfc64", "−ln erfc(t) ≈ P(t), 1 ≤ t ≤ 6, error of erf relative to erf", 64, fit{lo: 0.999, hi: 6, basis: monomials(0, 1, 18),
			target: erfcLog, scale: erfScale}},
		{"mills32", "(s + 2.75)·e^(s²/2)·Φ(−s) ≈ P(u), u = s/(s + 2.75), 0 ≤ s ≤ 16, relative error", 32, millsFit(2.75, 16, 13)},
		{"mills64", "(s + 3.5)·e^(s²/2)·Φ(−s) ≈ P(u), u = s/(s + 3.5), 0 ≤ s ≤ 40, relative error", 64, millsFit(3.5, 40, 25)},
		{"sin32", "sin x ≈ x + x·z·P(z), z = x², |x| ≤ π/4, relative error", 32, fit{lo: tiny, hi: sin1, basis: monomials(2, 2, 4),
			target: func(x *big.Float) *big.Float { return sub(quo(sin(x), x), num(1)) }, scale: one}},
		{"cos32", "cos x ≈ 1 − z/2 + z²·P(z), z = x², |x| ≤ π/4", 32, fit{lo: tiny, hi: sin1, basis: monomials(4, 2, 3),
			target: func(x *big.Float) *big.Float { return add(sub(cos(x), num(1)), mul(num(0.5), mul(x, x))) }, scale: one}},
		{"sin64", "sin x ≈ x + x·z·P(z), z = x², |x| ≤ π/4, relative error", 64, fit{lo: tiny, hi: sin1, basis: monomials(2, 2, 7),
			target: func(x *big.Float) *big.Float { return sub(quo(sin(x), x), num(1)) }, scale: one}},
		{"cos64", "cos x ≈ 1 − z/2 + z²·P(z), z = x², |x| ≤ π/4", 64, fit{lo: tiny, hi: sin1, basis: monomials(4, 2, 6),
			target: func(x *big.Float) *big.Float { return add(sub(cos(x), num(1)), mul(num(0.5), mul(x, x))) }, scale: one}},
	}
}

func main() {
	var b strings.Builder
	b.WriteString("// Code generated by go run ./minimax; DO NOT EDIT.\n\npackage emit\n\n")
	b.WriteString("// Minimax coefficients in ascending order, rounded to the element type; see ../../minimax for how they are found.\nvar (\n")
	emit := func(name, formula string, bits int, c []float64, worst float64) {
		fmt.Fprintf(&b, "\t// %s: 2^%.1f.\n\t%s = []float64{", formula, math.Log2(worst), name)
		for _, v := range c {
			fmt.Fprintf(&b, "\n\t\t%x, // %.17g", v, v)
		}
		b.WriteString("\n\t}\n")
		fmt.Fprintf(os.Stderr, "%-8s 2^%.2f\n", name, math.Log2(worst))
	}
	for _, t := range tables() {
		c, worst := t.fit.rounded(t.bits)
		emit(t.name, t.formula, t.bits, c, worst)
	}
	b.WriteString(")\n")
	os.Stdout.WriteString(b.String())
}
