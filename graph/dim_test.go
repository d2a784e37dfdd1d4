package graph_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

// Whatever number stands where a dimension should be is looked at without a panic, and none but sizes and handles are valid.
func TestDimOfAnyNumber(t *testing.T) {
	s := graph.Symbol("batch")
	for _, d := range []graph.Dim{
		-1, -2, -1000, -1 << 40, -1 << 61, -1<<61 - 1, -1<<61 + 1, -1<<62 + 1<<40, -1 << 62, -1<<62 - 1, -1 << 63, -1<<63 + 1,
	} {
		if d.Valid() || d.IsStatic() || d.IsSymbol() {
			t.Errorf("Dim(%d) is valid: %t, static: %t, a symbol: %t", int64(d), d.Valid(), d.IsStatic(), d.IsSymbol())
		}
		if d.String() == "" || d.Symbols(nil) != nil {
			t.Errorf("Dim(%d) prints as %q, has symbols %v", int64(d), d, d.Symbols(nil))
		}
		if _, err := d.Eval(graph.Binding{s: 3}); err == nil {
			t.Errorf("Dim(%d) has a size", int64(d))
		}
		if d <= -1<<61 { // no number at all: arithmetic must not make one of it
			for name, e := range map[string]graph.Dim{"+": d.Add(s), "-": s.Sub(d), "*": d.Mul(s), "*0": d.Mul(0), "/": d.FloorDiv(2), "\\": s.FloorDiv(d), "max": d.Max(s)} {
				if e.Valid() {
					t.Errorf("Dim(%d) %s … is %v", int64(d), name, e)
				}
			}
		}
		if n := graph.New().Input("x", graph.Float32, 2, d); n.Err() == nil {
			t.Errorf("an input has dimension %d", int64(d))
		}
	}
	if d := graph.Dim(math.MaxInt64); !d.Valid() || d.String() != "9223372036854775807" {
		t.Errorf("the largest size prints as %v", d)
	}
}

// Terms that cancel leave a number; if that lies where handles are, the result is an overflow and not somebody else's symbol.
func TestDimCancelledToAHandle(t *testing.T) {
	s := graph.Symbol("batch")
	for _, c := range []graph.Dim{1 << 61, 1<<62 - 1, 1<<62 - 2, 1 << 62, math.MaxInt64} {
		for name, d := range map[string]graph.Dim{
			"(s − c) − s": s.Sub(c).Sub(s),
			"s − (s + c)": s.Sub(s.Add(c)),
		} {
			if d.Valid() {
				t.Errorf("%s with c = %d is %v", name, int64(c), d)
			}
		}
		if q, ok := s.Mul(c - 1).Add(s).Mul(-1).Add(0).Div(s); ok && q.Valid() {
			t.Errorf("−%d·s / s is %v", int64(c), q)
		}
	}
	if d := s.Sub(1<<61 - 1).Sub(s); d != -(1<<61 - 1) {
		t.Errorf("the lowest number is %v", d)
	}
}

// What overflows on the way to an answer proves nothing.
func TestDimOverflowIsNoProof(t *testing.T) {
	a, b := graph.Symbol("a"), graph.Symbol("b")
	large := a.Mul(math.MaxInt64)
	less := a.Mul(-2).Add(b)
	if got := large.Equal(less); got != graph.Unknown { // both are 0 for a = b = 0
		t.Errorf("(%v).Equal(%v) = %v", large, less, got)
	}
	if got := large.Max(less); got.Valid() && (got == large || got == less) {
		t.Errorf("max(%v, %v) = %v", large, less, got)
	}
	if got := graph.Dim(-5).Max(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("max(-5, MaxInt64) = %v", got)
	}
	if got := graph.Dim(-1 << 60).Max(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("max(-1<<60, MaxInt64) = %v", got)
	}
	if got := graph.Dim(-1 << 60).Equal(math.MaxInt64); got != graph.No {
		t.Errorf("(-1<<60).Equal(MaxInt64) = %v", got)
	}
	broken := graph.Dim(math.MaxInt64).Add(1)
	if broken.Equal(broken) != graph.Unknown || broken.Equal(3) != graph.Unknown || a.Equal(broken) != graph.Unknown || broken.Monotone() {
		t.Error("something is known of a dimension that overflowed")
	}
}

// A product grows with each factor only where the others are not negative, and a maximum may be.
func TestDimMonotoneProducts(t *testing.T) {
	a, b := graph.Symbol("a"), graph.Symbol("b")
	shrinking := a.Sub(5).Max(-3) // −3 for a = 0
	if d := b.Mul(shrinking).Add(10); d.Monotone() {
		t.Errorf("%v is 10 for a = b = 0 and 7 for a = 0, b = 1", d)
	}
	if d := shrinking.Mul(shrinking); d.Monotone() {
		t.Errorf("%v is 9 for a = 0 and 4 for a = 3", d)
	}
	for _, d := range []graph.Dim{
		shrinking, shrinking.Mul(4), a.Sub(5).Max(1).Mul(b), a.Mul(b).FloorDiv(3).Mul(a), a.Max(b).Mul(b), a.Sub(3), a.Add(3).FloorDiv(2).Max(b), 7, 0,
	} {
		if !d.Monotone() {
			t.Errorf("%v is not recognised as monotone", d)
		}
	}
}

// A power that only the sizes 0 and 1 could stand is an overflow; it must neither wrap around nor be evaluated step by step.
func TestDimPowers(t *testing.T) {
	s := graph.Symbol("batch")
	d := s
	for i := 0; i < 70; i++ {
		d = d.Mul(d)
	}
	if d.Valid() {
		t.Errorf("batch^(2^70) is %v", d)
	}
	d = 1
	for i := 0; i < 62; i++ {
		d = d.Mul(s)
	}
	if n, err := d.Eval(graph.Binding{s: 2}); n != 1<<62 || err != nil {
		t.Errorf("2^62 is %d, %v", n, err)
	}
	if n, err := d.Eval(graph.Binding{s: 3}); err == nil {
		t.Errorf("3^62 is %d", n)
	}
	if n, err := s.Mul(s).Eval(graph.Binding{s: -2}); err == nil {
		t.Errorf("a size of -2, squared, is %d", n)
	}
}

// Goroutines that meet at a new expression get one handle, and see it whole.
func TestDimConcurrentUse(t *testing.T) {
	const workers = 8
	for round := 0; round < 50; round++ {
		a, b := fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)
		var handles [workers][]graph.Dim
		var start, done sync.WaitGroup
		start.Add(1)
		for w := range handles {
			done.Add(1)
			go func() {
				defer done.Done()
				start.Wait()
				x, y := graph.Symbol(a), graph.Symbol(b)
				d := x.Mul(y).Add(3).FloorDiv(2).Max(y)
				handles[w] = d.Symbols([]graph.Dim{x, y, d})
				if n, err := d.Eval(graph.Binding{x: 3, y: 5}); n != 9 || err != nil {
					t.Errorf("%v is %d, %v", d, n, err)
				}
			}()
		}
		start.Done()
		done.Wait()
		for w := range handles {
			if !slices.Equal(handles[w], handles[0]) || len(handles[w]) != 3 {
				t.Fatalf("goroutines got %v and %v", handles[0], handles[w])
			}
		}
	}
}
