package graph

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync"
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

// An expr is an interned polynomial: Σ coef · Π atom^power, terms in falling monomial order, no zero coefficients.
// Everything reachable from an expr is immutable, so it is read without a lock.
type expr struct {
	terms []term
	text  string
}

type term struct {
	coef    int64
	factors []factor // by rising atom text
}

type factor struct {
	atom  *atom
	power int
}

// maxPower bounds powers: 2^63 is more than any size.
const maxPower = 62

type atom struct {
	kind atomKind
	text string // unique among atoms: it is their identity and their order
	a, b *expr  // operands of floorDivAtom and maxAtom
	self Dim    // the handle of the expression that is just this atom
}

type atomKind uint8

const (
	symbolAtom atomKind = iota
	floorDivAtom
	maxAtom
)

// dims interns expressions by their text, which is canonical: atoms print uniquely and terms are ordered.
var dims = struct {
	sync.RWMutex
	exprs []*expr
	index map[string]Dim
}{
	exprs: []*expr{{text: "invalid"}},
	index: map[string]Dim{},
}

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

// internAtom returns the handle of the expression that is one atom.
func internAtom(kind atomKind, text string, a, b *expr) Dim {
	dims.RLock()
	d, ok := dims.index[text]
	dims.RUnlock()
	if ok {
		return d
	}
	dims.Lock()
	defer dims.Unlock()
	if d, ok := dims.index[text]; ok {
		return d
	}
	at := &atom{kind: kind, text: text, a: a, b: b, self: handleBase + Dim(len(dims.exprs))} // whole before others see it
	return addExpr([]term{{coef: 1, factors: []factor{{at, 1}}}}, text)
}

// internExpr returns the Dim of a normalised term list: a plain number if it is constant.
func internExpr(terms []term) Dim {
	if len(terms) == 0 {
		return 0
	}
	if len(terms) == 1 && len(terms[0].factors) == 0 {
		if Dim(terms[0].coef) <= handleTop { // a number that would be taken for a handle
			return invalidDim
		}
		return Dim(terms[0].coef)
	}
	text := termsText(terms)
	dims.Lock()
	defer dims.Unlock()
	if d, ok := dims.index[text]; ok {
		return d
	}
	return addExpr(terms, text)
}

// addExpr enters an expression under its text; the caller holds the lock.
func addExpr(terms []term, text string) Dim {
	d := handleBase + Dim(len(dims.exprs))
	dims.exprs = append(dims.exprs, &expr{terms, text})
	dims.index[text] = d
	return d
}

func termsText(terms []term) string {
	var b strings.Builder
	for i, t := range terms {
		coef := t.coef
		switch {
		case i > 0 && coef < 0:
			b.WriteString(" - ")
			coef = -coef
		case i > 0:
			b.WriteString(" + ")
		}
		switch {
		case len(t.factors) == 0:
			fmt.Fprintf(&b, "%d", coef)
			continue
		case coef == -1:
			b.WriteByte('-')
		case coef != 1:
			fmt.Fprintf(&b, "%d*", coef)
		}
		for j, f := range t.factors {
			if j > 0 {
				b.WriteByte('*')
			}
			b.WriteString(f.atom.text)
			if f.power > 1 {
				fmt.Fprintf(&b, "^%d", f.power)
			}
		}
	}
	return b.String()
}

// expr returns the polynomial of d; one without terms, which prints as invalid, if d is broken.
func (d Dim) expr() *expr {
	if !d.IsSymbolic() {
		if d == 0 {
			return &expr{text: "0"}
		}
		return &expr{terms: []term{{coef: int64(d)}}, text: strconv.FormatInt(int64(d), 10)}
	}
	dims.RLock()
	defer dims.RUnlock()
	if i := d - handleBase; i >= 0 && i < Dim(len(dims.exprs)) {
		return dims.exprs[i]
	}
	return dims.exprs[0]
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

// nonNegative reports whether e is a sum of products of what is not negative; symbols are not, for they stand for sizes.
func (e *expr) nonNegative() bool {
	for _, t := range e.terms {
		if t.coef < 0 {
			return false
		}
		for _, f := range t.factors {
			if !f.atom.nonNegative() {
				return false
			}
		}
	}
	return true
}

func (a *atom) nonNegative() bool {
	switch a.kind {
	case floorDivAtom:
		return a.a.nonNegative() && a.b.isNumber()
	case maxAtom:
		return a.a.nonNegative() || a.b.nonNegative()
	}
	return true
}

func (e *expr) monotone() bool {
	for _, t := range e.terms {
		if t.coef < 0 && len(t.factors) > 0 {
			return false
		}
		for _, f := range t.factors {
			alone := len(t.factors) == 1 && f.power == 1
			if !f.atom.monotone() || !alone && !f.atom.nonNegative() {
				return false
			}
		}
	}
	return true
}

func (a *atom) monotone() bool {
	switch a.kind {
	case floorDivAtom:
		return a.a.monotone() && a.b.isNumber()
	case maxAtom:
		return a.a.monotone() && a.b.monotone()
	}
	return true
}

// isNumber reports whether e is a constant: as a divisor a positive one.
func (e *expr) isNumber() bool { return len(e.terms) == 1 && len(e.terms[0].factors) == 0 }

// Symbols appends the distinct symbols that d depends on to list, in order of first appearance.
func (d Dim) Symbols(list []Dim) []Dim {
	if !d.IsSymbolic() {
		return list
	}
	return d.expr().symbols(list)
}

func (e *expr) symbols(list []Dim) []Dim {
	for _, t := range e.terms {
	factors:
		for _, f := range t.factors {
			if f.atom.kind != symbolAtom {
				list = f.atom.b.symbols(f.atom.a.symbols(list))
				continue
			}
			for _, s := range list {
				if s == f.atom.self {
					continue factors
				}
			}
			list = append(list, f.atom.self)
		}
	}
	return list
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

func (e *expr) eval(b Binding) (int64, error) {
	sum, ok := int64(0), true
	for _, t := range e.terms {
		p := t.coef
		for _, f := range t.factors {
			v, err := f.atom.eval(b)
			if err != nil {
				return 0, err
			}
			for i := 0; i < f.power && ok; i++ {
				p, ok = mulInt(p, v)
			}
		}
		if ok {
			sum, ok = addInt(sum, p)
		}
		if !ok {
			return 0, Errorf(ErrShape, "dimension %s overflows", e.text)
		}
	}
	return sum, nil
}

func (a *atom) eval(b Binding) (int64, error) {
	if a.kind == symbolAtom {
		v, ok := b[a.self]
		if !ok {
			return 0, Errorf(ErrShape, "dimension %s has no size yet; feed an input that has it", a.text)
		}
		if v < 0 {
			return 0, Errorf(ErrShape, "dimension %s is %d; a size cannot be negative", a.text, v)
		}
		return int64(v), nil
	}
	x, err := a.a.eval(b)
	if err != nil {
		return 0, err
	}
	y, err := a.b.eval(b)
	switch {
	case err != nil:
		return 0, err
	case a.kind == maxAtom:
		return max(x, y), nil
	case y == 0:
		return 0, Errorf(ErrShape, "dimension %s divides by zero", a.text)
	}
	return floorDivInt(x, y), nil
}

// addTerms returns a + scale·b, normalised; ok is false on overflow. Both lists are in falling monomial order, and
// multiplying by one monomial keeps that order, so this is a merge.
func addTerms(a, b []term, scale term) (sum []term, ok bool) {
	i := 0
	for _, t := range b {
		t, ok := mulTerm(t, scale)
		if !ok {
			return nil, false
		}
		for i < len(a) && compareMonomials(a[i].factors, t.factors) > 0 {
			sum = append(sum, a[i])
			i++
		}
		if i < len(a) && compareMonomials(a[i].factors, t.factors) == 0 {
			if t.coef, ok = addInt(a[i].coef, t.coef); !ok {
				return nil, false
			}
			i++
		}
		if t.coef != 0 {
			sum = append(sum, t)
		}
	}
	return append(sum, a[i:]...), true
}

func mulTerm(s, t term) (term, bool) {
	coef, ok := mulInt(s.coef, t.coef)
	if len(t.factors) == 0 {
		return term{coef, s.factors}, ok
	}
	product := make([]factor, 0, len(s.factors)+len(t.factors))
	i := 0
	for _, f := range t.factors {
		for i < len(s.factors) && s.factors[i].atom.text < f.atom.text {
			product = append(product, s.factors[i])
			i++
		}
		if i < len(s.factors) && s.factors[i].atom == f.atom {
			if f.power += s.factors[i].power; f.power > maxPower {
				return term{}, false
			}
			i++
		}
		product = append(product, f)
	}
	return term{coef, append(product, s.factors[i:]...)}, ok
}

// divideTerm returns s / t if t divides s in coefficient and in every factor.
func divideTerm(s, t term) (term, bool) {
	if s.coef%t.coef != 0 || s.coef == math.MinInt64 {
		return term{}, false
	}
	quotient := term{coef: s.coef / t.coef}
	j := 0
	for _, f := range s.factors {
		if j < len(t.factors) && t.factors[j].atom == f.atom {
			if f.power -= t.factors[j].power; f.power < 0 {
				return term{}, false
			}
			j++
		}
		if f.power > 0 {
			quotient.factors = append(quotient.factors, f)
		}
	}
	return quotient, j == len(t.factors)
}

// compareMonomials is the graded lexicographic order: total degree first, then the power of the alphabetically first atom.
func compareMonomials(a, b []factor) int {
	degree := func(fs []factor) (n int) {
		for _, f := range fs {
			n += f.power
		}
		return n
	}
	if d := degree(a) - degree(b); d != 0 {
		return d
	}
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i].atom != b[i].atom {
			return strings.Compare(b[i].atom.text, a[i].atom.text)
		}
		if d := a[i].power - b[i].power; d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func addInt(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	abs := func(x int64) uint64 {
		if x < 0 {
			return -uint64(x)
		}
		return uint64(x)
	}
	hi, lo := bits.Mul64(abs(a), abs(b))
	return a * b, hi == 0 && lo <= math.MaxInt64
}

func floorDivInt(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
