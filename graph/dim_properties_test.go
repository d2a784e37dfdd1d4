package graph_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"pgregory.net/rapid"
)

// formula is a dimension beside what it means: the same expression evaluated in integers of any size.
type formula struct {
	dim   graph.Dim
	value func(b graph.Binding) *big.Int // nil where it divides by zero
}

var symbols = []graph.Dim{graph.Symbol("p"), graph.Symbol("q"), graph.Symbol("r")}

func number(n int64) formula {
	return formula{graph.Dim(n), func(graph.Binding) *big.Int { return big.NewInt(n) }}
}

func symbol(s graph.Dim) formula {
	return formula{s, func(b graph.Binding) *big.Int { return big.NewInt(int64(b[s])) }}
}

func combine(f, g formula, dim func(d, e graph.Dim) graph.Dim, value func(z, x, y *big.Int) *big.Int) formula {
	return formula{dim(f.dim, g.dim), func(b graph.Binding) *big.Int {
		x, y := f.value(b), g.value(b)
		if x == nil || y == nil {
			return nil
		}
		return value(new(big.Int), x, y)
	}}
}

func floorDiv(z, x, y *big.Int) *big.Int {
	if y.Sign() == 0 {
		return nil
	}
	z.DivMod(x, y, new(big.Int)) // Euclid's: it rounds the other way for a negative divisor that does not divide
	if y.Sign() < 0 && new(big.Int).Mul(z, y).Cmp(x) != 0 {
		z.Sub(z, big.NewInt(1))
	}
	return z
}

func larger(z, x, y *big.Int) *big.Int {
	if x.Cmp(y) > 0 {
		return z.Set(x)
	}
	return z.Set(y)
}

var operations = []struct {
	name  string
	dim   func(d, e graph.Dim) graph.Dim
	value func(z, x, y *big.Int) *big.Int
}{
	{"add", graph.Dim.Add, (*big.Int).Add},
	{"sub", graph.Dim.Sub, (*big.Int).Sub},
	{"mul", graph.Dim.Mul, (*big.Int).Mul},
	{"max", graph.Dim.Max, larger},
	{"floordiv", graph.Dim.FloorDiv, floorDiv},
}

// drawFormula draws an expression from the first of the operations, with the given numbers as leaves.
func drawFormula(t *rapid.T, label string, depth, operators int, numbers *rapid.Generator[int64]) formula {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, label) == 0 {
		if rapid.Bool().Draw(t, label+" symbol") {
			return symbol(rapid.SampledFrom(symbols).Draw(t, label))
		}
		return number(numbers.Draw(t, label))
	}
	o := operations[rapid.IntRange(0, operators-1).Draw(t, label)]
	return combine(drawFormula(t, label+"0", depth-1, operators, numbers), drawFormula(t, label+"1", depth-1, operators, numbers), o.dim, o.value)
}

func drawBinding(t *rapid.T, label string, top int) graph.Binding {
	b := graph.Binding{}
	for _, s := range symbols {
		b[s] = rapid.IntRange(0, top).Draw(t, label+s.String())
	}
	return b
}

var (
	small = rapid.Int64Range(-7, 7)
	edges = rapid.OneOf(small, rapid.Int64(), rapid.SampledFrom([]int64{
		math.MaxInt64, math.MaxInt64 - 1, 1 << 62, 1<<62 - 1, 1<<62 + 1, 1 << 61, 1<<61 - 1, 1 << 32, 1<<32 - 1, 1 << 31,
		-1<<61 + 1, -1<<61 + 2, -1 << 60, -1 << 32,
	})).Filter(func(n int64) bool { return n > -1<<61 }) // what is below is no number
)

// value evaluates d where negative results are wanted too; ok is false if it has none.
func value(d graph.Dim, b graph.Binding) (v int64, ok bool) {
	const lift = 1 << 60
	n, err := d.Add(lift).Eval(b)
	return int64(n) - lift, err == nil
}

// A dimension means what its construction says, under every binding.
func TestDimMeansItsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFormula(t, "f", 4, len(operations), small)
		for i := 0; i < 8; i++ {
			b := drawBinding(t, "b", 12)
			want := f.value(b)
			if want == nil {
				continue // a zero divisor, which may have been cancelled
			}
			got, ok := value(f.dim, b)
			if f.dim.IsSymbolic() && !f.dim.Valid() {
				return // divided by a negative number
			}
			if !ok || want.Cmp(big.NewInt(got)) != 0 {
				t.Fatalf("%v is %d (%t) under %v, want %v", f.dim, got, ok, b, want)
			}
			n, err := f.dim.Eval(b)
			if want.Sign() < 0 && !errors.Is(err, graph.ErrShape) || want.Sign() >= 0 && (err != nil || int64(n) != got) {
				t.Fatalf("%v is %d, %v under %v, want %v", f.dim, n, err, b, want)
			}
		}
	})
}

// With coefficients at the edges of int64 a dimension is invalid or says so when evaluated, or it is right.
func TestDimOverflowIsNeverAWrongNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFormula(t, "f", 4, len(operations), edges)
		for i := 0; i < 4; i++ {
			b := drawBinding(t, "b", rapid.SampledFrom([]int{1, 12, math.MaxInt32, math.MaxInt64}).Draw(t, "top"))
			want := f.value(b)
			if want == nil {
				continue
			}
			if n, err := f.dim.Eval(b); err == nil && want.Cmp(big.NewInt(int64(n))) != 0 {
				t.Fatalf("%v is %d under %v, want %v", f.dim, n, b, want)
			}
		}
	})
}

// Numbers are added and multiplied exactly, and only what leaves the range of numbers is invalid.
func TestDimOfNumbers(t *testing.T) {
	lowest, highest := big.NewInt(-1<<61), big.NewInt(math.MaxInt64)
	rapid.Check(t, func(t *rapid.T) {
		x, y := number(edges.Draw(t, "x")), number(edges.Draw(t, "y"))
		for _, o := range operations {
			f := combine(x, y, o.dim, o.value)
			want := f.value(nil)
			if o.name == "floordiv" && y.dim <= 0 {
				if f.dim.Valid() {
					t.Fatalf("%d / %d is %v", x.dim, y.dim, f.dim)
				}
				continue
			}
			inRange := want.Cmp(lowest) > 0 && want.Cmp(highest) <= 0
			if inRange != !f.dim.IsSymbolic() || inRange && want.Cmp(big.NewInt(int64(f.dim))) != 0 {
				t.Fatalf("%s(%d, %d) is %d, want %v", o.name, x.dim, y.dim, f.dim, want)
			}
		}
		if x.dim.Equal(y.dim) == graph.Yes != (x.dim == y.dim) {
			t.Fatalf("(%d).Equal(%d) is %v", x.dim, y.dim, x.dim.Equal(y.dim))
		}
	})
}

func TestDimRingLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) graph.Dim { return drawFormula(t, label, 3, len(operations), small).dim }
		a, b, c := draw("a"), draw("b"), draw("c")
		for _, d := range []graph.Dim{a, b, c} {
			if d.IsSymbolic() && !d.Valid() {
				t.Skip()
			}
		}
		for name, sides := range map[string][2]graph.Dim{
			"a + b = b + a":             {a.Add(b), b.Add(a)},
			"(a + b) + c = a + (b + c)": {a.Add(b).Add(c), a.Add(b.Add(c))},
			"a + 0 = a":                 {a.Add(0), a},
			"a − a = 0":                 {a.Sub(a), 0},
			"a − b = a + (−1)·b":        {a.Sub(b), a.Add(b.Mul(-1))},
			"(a − b) + b = a":           {a.Sub(b).Add(b), a},
			"a·b = b·a":                 {a.Mul(b), b.Mul(a)},
			"(a·b)·c = a·(b·c)":         {a.Mul(b).Mul(c), a.Mul(b.Mul(c))},
			"a·1 = a":                   {a.Mul(1), a},
			"a·0 = 0":                   {a.Mul(0), 0},
			"a·(b + c) = a·b + a·c":     {a.Mul(b.Add(c)), a.Mul(b).Add(a.Mul(c))},
			"max(a, b) = max(b, a)":     {a.Max(b), b.Max(a)},
			"max(a, a) = a":             {a.Max(a), a},
		} {
			if sides[0] != sides[1] {
				t.Fatalf("%s fails for a = %v, b = %v, c = %v: %v and %v", name, a, b, c, sides[0], sides[1])
			}
		}
	})
}

// Polynomials that agree on enough points are one handle, one text; and others are not.
func TestDimIsCanonical(t *testing.T) {
	type monomial struct {
		coef   int64
		powers [3]int
	}
	const top = 2 // highest power of a symbol: three points a symbol tell polynomials apart
	draw := rapid.Custom(func(t *rapid.T) monomial {
		m := monomial{coef: rapid.Int64Range(-2, 2).Draw(t, "coef")}
		for i := range m.powers {
			m.powers[i] = rapid.IntRange(0, top).Draw(t, "power")
		}
		return m
	})
	build := func(list []monomial) (sum graph.Dim) {
		for _, m := range list {
			d := graph.Dim(m.coef)
			for i, p := range m.powers {
				for ; p > 0; p-- {
					d = d.Mul(symbols[i])
				}
			}
			sum = sum.Add(d)
		}
		return sum
	}
	texts, handles := map[graph.Dim]string{}, map[string]graph.Dim{}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(draw, 0, 6).Draw(t, "terms")
		d, shuffled := build(list), build(rapid.Permutation(list).Draw(t, "shuffled"))
		other := build(rapid.SliceOfN(draw, 0, 2).Draw(t, "other"))
		if d != shuffled || d.String() != shuffled.String() {
			t.Fatalf("%v and %v are the same terms in another order", d, shuffled)
		}
		for _, e := range []graph.Dim{d, other, d.Add(other)} {
			text := e.String()
			if known, ok := texts[e]; ok && known != text {
				t.Fatalf("%d printed as %q, then as %q", e, known, text)
			}
			if known, ok := handles[text]; ok && known != e {
				t.Fatalf("%q is both %d and %d", text, known, e)
			}
			texts[e], handles[text] = text, e
		}
		same := true
		for point := 0; point < 27; point++ {
			b := graph.Binding{symbols[0]: point % 3, symbols[1]: point / 3 % 3, symbols[2]: point / 9}
			x, _ := value(d, b)
			y, _ := value(other, b)
			same = same && x == y
		}
		if same != (d == other) {
			t.Fatalf("%v and %v: the same values: %t, the same handle: %t", d, other, same, d == other)
		}
	})
}

func TestDimDivIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawFormula(t, "p", 3, len(operations), small).dim
		q := drawFormula(t, "q", 3, len(operations), small).dim
		product := p.Mul(q)
		if !p.Valid() || !q.Valid() || q == 0 {
			if back, ok := p.Div(q); ok || back.Valid() {
				t.Fatalf("%v / %v is %v", p, q, back)
			}
			return
		}
		if product.Valid() {
			if back, ok := product.Div(q); !ok || back != p {
				t.Fatalf("(%v) / (%v) is %v (%t), want %v", product, q, back, ok, p)
			}
			if back := product.FloorDiv(q); back != p {
				t.Fatalf("floor((%v) / (%v)) is %v, want %v", product, q, back, p)
			}
		}
		if quotient, ok := p.Div(q); ok && quotient.Mul(q) != p {
			t.Fatalf("(%v) / (%v) is %v", p, q, quotient)
		}
	})
}

// What is said without knowing the sizes holds for all of them.
func TestDimAnswersHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFormula(t, "f", 3, len(operations), small)
		g := drawFormula(t, "g", 3, len(operations), small)
		if rapid.Bool().Draw(t, "near") {
			g = combine(f, drawFormula(t, "h", 2, len(operations), small), graph.Dim.Add, (*big.Int).Add)
		}
		equal, back := f.dim.Equal(g.dim), g.dim.Equal(f.dim)
		if equal != back {
			t.Fatalf("(%v).Equal(%v) is %v, the other way %v", f.dim, g.dim, equal, back)
		}
		for i := 0; i < 8; i++ {
			b := drawBinding(t, "b", 9)
			x, okX := value(f.dim, b)
			y, okY := value(g.dim, b)
			if okX && okY && (equal == graph.Yes && x != y || equal == graph.No && x == y) {
				t.Fatalf("(%v).Equal(%v) is %v, but under %v they are %d and %d", f.dim, g.dim, equal, b, x, y)
			}
			more := graph.Binding{}
			for s, n := range b {
				more[s] = n + rapid.IntRange(0, 3).Draw(t, "more")
			}
			if z, ok := value(f.dim, more); okX && ok && f.dim.Monotone() && z < x {
				t.Fatalf("%v is said to be monotone, but is %d under %v and %d under %v", f.dim, x, b, z, more)
			}
		}
	})
}

// The forms that shapes take are recognised, not only not misjudged.
func TestDimAnswers(t *testing.T) {
	a, b := symbols[0], symbols[1]
	for _, c := range []struct {
		d, e graph.Dim
		want graph.Truth
	}{
		{a, a, graph.Yes},
		{a.Mul(b).Add(b), b.Mul(a.Add(1)), graph.Yes},
		{a, b, graph.Unknown},
		{a, 1, graph.Unknown},
		{a, 0, graph.Unknown},
		{a, -1, graph.No},
		{a, a.Add(1), graph.No},
		{a.Mul(2), a.Mul(2).Add(3), graph.No},
		{a.Add(b), a, graph.Unknown},
		{a.Add(b).Add(1), a, graph.No},
		{a.FloorDiv(2).Add(1), 0, graph.No},
		{a.FloorDiv(2), a, graph.Unknown},
		{3, 4, graph.No},
		{3, 3, graph.Yes},
	} {
		if got := c.d.Equal(c.e); got != c.want {
			t.Errorf("(%v).Equal(%v) = %v, want %v", c.d, c.e, got, c.want)
		}
	}
	for _, c := range []struct {
		d    graph.Dim
		want string
	}{
		{graph.Symbol("batch"), "batch"},
		{graph.Symbol("two words"), `"two words"`},
		{graph.Symbol("invalid"), `"invalid"`},
		{graph.Symbol(""), `""`},
		{graph.Symbol("2x"), `"2x"`},
		{graph.Symbol("enc.len"), "enc.len"},
		{b.Add(a), "p + q"},
		{a.Mul(2).Add(1), "2*p + 1"},
		{graph.Dim(1).Sub(a), "-p + 1"},
		{a.Mul(a).Mul(b).Mul(3).Sub(a.Mul(2)), "3*p^2*q - 2*p"},
		{a.Add(5).FloorDiv(2), "floor((p + 1)/2) + 2"},
		{a.Sub(3).FloorDiv(2), "floor((p + 1)/2) - 2"},
		{a.Mul(4).FloorDiv(2), "2*p"},
		{a.FloorDiv(b), "floor((p)/(q))"},
		{a.Mul(b).FloorDiv(b), "p"},
		{b.Max(a), "max(p, q)"},
		{a.Max(a.Add(2)), "p + 2"},
		{a.Max(0), "p"},
		{graph.Dim(math.MaxInt64).Add(1), "invalid"},
		{a.Mul(math.MaxInt64).Mul(2), "invalid"},
		{-3, "-3"},
		{0, "0"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if a.Add(b).IsSymbol() || a.Mul(2).IsSymbol() || a.Max(b).IsSymbol() || graph.Dim(3).IsSymbol() || !a.IsSymbol() {
		t.Error("IsSymbol is for single symbols")
	}
	if _, err := a.Add(b).Eval(graph.Binding{a: 1}); !errors.Is(err, graph.ErrShape) {
		t.Errorf("a symbol without a size: %v", err)
	}
	if _, err := a.FloorDiv(b).Eval(graph.Binding{a: 1, b: 0}); !errors.Is(err, graph.ErrShape) {
		t.Errorf("a division by zero: %v", err)
	}
}
