package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Dim is one dimension of a shape: a size, or a symbolic expression over sizes that are known only when a program is bound.
//
// A non-negative Dim is a size. A symbol or an expression is a handle into one table for the whole process, far below zero, so
// that two graphs agree on what "batch" means and small negative numbers stay detectable mistakes. Expressions are normalised
// polynomials with integer coefficients whose atoms are symbols, floor divisions and maxima; equal polynomials have equal
// handles, so == on Dim is structural equality. Symbols stand for sizes, hence are never negative.
//
// Dims are safe for concurrent use.
type Dim int64

// Truth is the answer to a question about dimensions whose sizes may not be known yet.
type Truth int8

// The three answers.
const (
	Unknown Truth = iota
	Yes
	No
)

const (
	handleBase Dim = -1 << 62
	handleTop  Dim = -1 << 61 // numbers lie above, handles in [handleBase, handleTop]
	invalidDim     = handleBase
)

// Symbol returns the dimension called name. The same name means the same dimension everywhere in the process.
func Symbol(name string) Dim {
	text := name
	if !isIdentifier(name) {
		text = strconv.Quote(name)
	}
	return internAtom(symbolAtom, text, nil, nil)
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '.')) {
			return false
		}
	}
	return s != "" && s != "invalid"
}

// IsSymbolic reports whether d is a symbol or an expression over symbols.
func (d Dim) IsSymbolic() bool { return d <= handleTop }

// IsStatic reports whether d is a plain size.
func (d Dim) IsStatic() bool { return d >= 0 }

// Valid reports whether d can stand in a shape: a size, or an expression whose arithmetic did not overflow.
func (d Dim) Valid() bool { return d >= 0 || d.IsSymbolic() && !d.broken() }

// broken reports whether d is no number and no expression either: the result of an overflow, or a number that nobody handed out.
// A small negative number is not broken: differences may be negative on the way to a size.
func (d Dim) broken() bool { return d.IsSymbolic() && d.expr().terms == nil }

// String returns the size, or the expression as in "2*batch + 1".
func (d Dim) String() string { return d.expr().text }

// Add returns d + e. Arithmetic that overflows int64 gives a dimension that is not Valid.
func (d Dim) Add(e Dim) Dim { return d.combine(e, 1) }

// Sub returns d − e.
func (d Dim) Sub(e Dim) Dim { return d.combine(e, -1) }

func (d Dim) combine(e Dim, sign int64) Dim {
	if d.broken() || e.broken() {
		return invalidDim
	}
	if !d.IsSymbolic() && !e.IsSymbolic() {
		s, ok := addInt(int64(d), sign*int64(e))
		if !ok || Dim(s) <= handleTop {
			return invalidDim
		}
		return Dim(s)
	}
	terms, ok := addTerms(d.expr().terms, e.expr().terms, term{coef: sign})
	if !ok {
		return invalidDim
	}
	return internExpr(terms)
}

// Mul returns d · e.
func (d Dim) Mul(e Dim) Dim {
	switch {
	case d.broken() || e.broken():
		return invalidDim
	case e == 1:
		return d
	case d == 1:
		return e
	case !d.IsSymbolic() && !e.IsSymbolic():
		p, ok := mulInt(int64(d), int64(e))
		if !ok || Dim(p) <= handleTop {
			return invalidDim
		}
		return Dim(p)
	}
	var sum []term
	ok := true
	for _, t := range d.expr().terms {
		if sum, ok = addTerms(sum, e.expr().terms, t); !ok {
			return invalidDim
		}
	}
	return internExpr(sum)
}

// content returns the largest number that divides d whatever its symbols are: the greatest common divisor of the coefficients.
func (d Dim) content() Dim {
	if !d.IsSymbolic() {
		return d
	}
	gcd := int64(0)
	for _, t := range d.expr().terms {
		a, b := gcd, t.coef
		for b != 0 {
			a, b = b, a%b
		}
		gcd = a
	}
	return Dim(max(gcd, -gcd))
}

// Div returns d / e if e divides d exactly as a polynomial, and whether it does.
func (d Dim) Div(e Dim) (Dim, bool) {
	if !d.Valid() || !e.Valid() || e == 0 {
		return invalidDim, false
	}
	// Long division by the leading term: each step cancels the remainder's leading monomial.
	divisor := e.expr().terms
	lead := divisor[0]
	var quotient []term
	for rest := d.expr().terms; len(rest) > 0; {
		step, ok := divideTerm(rest[0], lead)
		if !ok {
			return invalidDim, false
		}
		negated := step
		negated.coef = -step.coef
		if rest, ok = addTerms(rest, divisor, negated); !ok {
			return invalidDim, false
		}
		quotient = append(quotient, step)
	}
	return internExpr(quotient), true
}

// FloorDiv returns ⌊d / e⌋. What divides exactly leaves the floor; the rest becomes an opaque atom.
func (d Dim) FloorDiv(e Dim) Dim {
	if d.broken() || !e.Valid() || e == 0 {
		return invalidDim
	}
	if q, ok := d.Div(e); ok {
		return q
	}
	if !e.IsStatic() {
		return internAtom(floorDivAtom, fmt.Sprintf("floor((%s)/(%s))", d, e), d.expr(), e.expr())
	}
	// ⌊(c·q + r)/c⌋ = q + ⌊r/c⌋ for integers, so whole multiples come out term by term.
	var whole, rest []term
	for _, t := range d.expr().terms {
		q := floorDivInt(t.coef, int64(e))
		r := t.coef - q*int64(e)
		if q != 0 {
			whole = append(whole, term{q, t.factors})
		}
		if r != 0 {
			rest = append(rest, term{r, t.factors})
		}
	}
	remainder := internExpr(rest)
	if !remainder.IsSymbolic() {
		return internExpr(whole).Add(Dim(floorDivInt(int64(remainder), int64(e))))
	}
	opaque := internAtom(floorDivAtom, fmt.Sprintf("floor((%s)/%s)", remainder, e), remainder.expr(), e.expr())
	return internExpr(whole).Add(opaque)
}

// Max returns the larger of d and e.
func (d Dim) Max(e Dim) Dim {
	switch {
	case d.broken() || e.broken():
		return invalidDim
	case !d.IsSymbolic() && !e.IsSymbolic():
		return max(d, e)
	case d.Sub(e).provablyNonNegative():
		return d
	case e.Sub(d).provablyNonNegative():
		return e
	}
	if d.String() > e.String() {
		d, e = e, d
	}
	return internAtom(maxAtom, fmt.Sprintf("max(%s, %s)", d, e), d.expr(), e.expr())
}

// Equal says whether d and e are the same size under every binding of their symbols (Yes), under none (No), or whether
// that depends on the binding (Unknown). Nothing is known of a dimension that overflowed.
func (d Dim) Equal(e Dim) Truth {
	switch {
	case d.broken() || e.broken():
		return Unknown
	case d == e:
		return Yes
	case !d.IsSymbolic() && !e.IsSymbolic():
		return No
	}
	if diff := d.Sub(e); !diff.IsSymbolic() || diff.Sub(1).provablyNonNegative() || e.Sub(d).Sub(1).provablyNonNegative() {
		return No
	}
	return Unknown
}

func (d Dim) provablyNonNegative() bool {
	if !d.IsSymbolic() {
		return d >= 0
	}
	return !d.broken() && d.expr().nonNegative()
}

// Monotone reports whether no symbol's growth can make d smaller, judged by its form: sums of products, with positive
// coefficients, of things that grow and are not negative. A memory plan for the largest sizes then serves all smaller ones.
func (d Dim) Monotone() bool { return !d.IsSymbolic() || !d.broken() && d.expr().monotone() }

// Symbols appends the distinct symbols that d depends on to list, in order of first appearance.
func (d Dim) Symbols(list []Dim) []Dim {
	if !d.IsSymbolic() {
		return list
	}
	return d.expr().symbols(list)
}

// IsSymbol reports whether d is a single symbol, so that a fed tensor can bind it.
func (d Dim) IsSymbol() bool {
	if !d.IsSymbolic() {
		return false
	}
	t := d.expr().terms
	return len(t) == 1 && t[0].coef == 1 && len(t[0].factors) == 1 && t[0].factors[0].power == 1 && t[0].factors[0].atom.kind == symbolAtom
}

// Binding gives symbols their sizes.
type Binding map[Dim]int

// Eval returns the size of d under b. It fails with ErrShape if a symbol is not bound, on overflow, and if the size would be negative.
func (d Dim) Eval(b Binding) (int, error) {
	if d.IsStatic() {
		return int(d), nil
	}
	if !d.Valid() {
		return 0, Errorf(ErrShape, "%s is no dimension", d)
	}
	v, err := d.expr().eval(b)
	if err != nil {
		return 0, err
	}
	if v < 0 {
		return 0, Errorf(ErrShape, "dimension %s is %d%s; a size cannot be negative", d, v, bindingText(d, b))
	}
	return int(v), nil
}

func bindingText(d Dim, b Binding) string {
	var parts []string
	for _, s := range d.Symbols(nil) {
		parts = append(parts, fmt.Sprintf("%s = %d", s, b[s]))
	}
	return " for " + strings.Join(parts, ", ")
}
