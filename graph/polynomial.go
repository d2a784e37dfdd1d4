package graph

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// The arithmetic behind Dim: polynomials with integer coefficients, normalised so that equal ones have one text and one handle.

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
