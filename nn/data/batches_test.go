package data_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/nn/data"
)

// dealer is what Batches and Prefetch have in common.
type dealer interface {
	Start(epoch int)
	Skip(n int)
	Next() bool
	Batch() *data.Set
	Size() int
	Len() int
	Each(epoch int, f func(*data.Set) error) error
}

func newDealers(t *testing.T, n, size int, ready func(*data.Batches)) map[string]dealer {
	t.Helper()
	make := func() *data.Batches {
		b, err := data.NewBatches(numbered(n), size, 7)
		if err != nil {
			t.Fatal(err)
		}
		ready(b)
		return b
	}
	p, err := data.NewPrefetch(context.Background(), make(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]dealer{"Batches": make(), "Prefetch": p}
}

func TestBatchesInOtherWays(t *testing.T) {
	for _, c := range []struct {
		name  string
		ready func(*data.Batches)
		sizes []int
	}{
		{"the rest kept", func(*data.Batches) {}, []int{4, 4, 2}},
		{"the rest dropped", func(b *data.Batches) { b.DropRest = true }, []int{4, 4}},
		{"in order", func(b *data.Batches) { b.InOrder = true }, []int{4, 4, 2}},
	} {
		for kind, d := range newDealers(t, 10, 4, c.ready) {
			var sizes, rows, called []int
			for d.Start(3); d.Next(); {
				sizes, rows = append(sizes, d.Size()), append(rows, rowsOf(t, d.Batch().X, d.Batch().Y)...)
			}
			if d.Next() {
				t.Errorf("%s, %s: a batch after the end of the epoch", kind, c.name)
			}
			if !slices.Equal(sizes, c.sizes) || d.Len() != len(c.sizes) {
				t.Errorf("%s, %s: batches of %v, Len %d; want %v", kind, c.name, sizes, d.Len(), c.sizes)
			}
			if ordered := slices.Equal(rows, upTo(10)); ordered != (c.name == "in order") {
				t.Errorf("%s, %s: %v", kind, c.name, rows)
			}
			if err := d.Each(3, func(b *data.Set) error { called = append(called, rowsOf(t, b.X, b.Y)...); return nil }); err != nil || !slices.Equal(called, rows) {
				t.Errorf("%s, %s: Each saw %v, %v; want %v", kind, c.name, called, err, rows)
			}
			for n := range 5 {
				var late []int
				d.Start(3)
				for d.Skip(n); d.Next(); {
					late = append(late, rowsOf(t, d.Batch().X, d.Batch().Y)...)
				}
				if want := rows[min(4*n, len(rows)):]; !slices.Equal(late, want) {
					t.Errorf("%s, %s: after skipping %d: %v, want %v", kind, c.name, n, late, want)
				}
			}
			d.Start(3)
			if !d.Next() {
				t.Fatal("no batch")
			}
			d.Skip(1)
			if got := d.Next(); got != (len(c.sizes) > 2) || got && !slices.Equal(rowsOf(t, d.Batch().X, d.Batch().Y), rows[8:]) {
				t.Errorf("%s, %s: skipped amid an epoch: %v", kind, c.name, got)
			}
			full := errors.New("enough")
			if err := d.Each(1, func(*data.Set) error { return full }); !errors.Is(err, full) {
				t.Errorf("%s, %s: Each returned %v", kind, c.name, err)
			}
		}
	}
}

func TestEpochRanges(t *testing.T) {
	b, err := data.NewBatches(numbered(10), 4, 7)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := data.NewBatches(numbered(10), 4, 7)
	p, err := data.NewPrefetch(context.Background(), other, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows, ahead []int
	for i, batch := range b.Epoch(2) {
		if i != len(rows)/4 {
			t.Errorf("batch %d comes as %d", len(rows)/4, i)
		}
		rows = append(rows, rowsOf(t, batch.X, batch.Y)...)
	}
	for _, batch := range p.Epoch(2) {
		ahead = append(ahead, rowsOf(t, batch.X, batch.Y)...)
	}
	if len(rows) != 10 || !slices.Equal(rows, ahead) {
		t.Errorf("%v by Batches, %v by Prefetch", rows, ahead)
	}
	for i := range p.Epoch(3) {
		if i == 1 {
			break
		}
	}
	noneLeft(t)
}

// noneLeft waits for the goroutines of package data to end.
func noneLeft(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "data.(*epochRun).work") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a goroutine is left:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestPrefetchEnds(t *testing.T) {
	b, err := data.NewBatches(numbered(100), 4, 7)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken image")
	calls := 0
	for _, c := range []struct {
		name   string
		change func(*data.Set) error
		want   string
	}{
		{"error", func(*data.Set) error {
			if calls++; calls == 3 {
				return broken
			}
			return nil
		}, "broken image"},
		{"panic", func(*data.Set) error {
			if calls++; calls == 3 {
				panic("index out of reach")
			}
			return nil
		}, "the function that changes a batch panicked: index out of reach"},
	} {
		calls = 0
		p, err := data.NewPrefetch(context.Background(), b, 3, c.change)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for p.Start(1); p.Next(); n++ {
		}
		if n != 2 || p.Err() == nil || !strings.Contains(p.Err().Error(), c.want) || p.Next() || p.Batch() != nil {
			t.Errorf("%s: %d batches, %v", c.name, n, p.Err())
		}
		n = 0
		for p.Start(2); p.Next(); n++ { // the third call is behind it
		}
		if n != 25 || p.Err() != nil {
			t.Errorf("%s: then %d batches, %v", c.name, n, p.Err())
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	p, err := data.NewPrefetch(ctx, b, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for p.Start(1); p.Next(); n++ {
		if n == 4 {
			cancel()
		}
	}
	if n != 5 || !errors.Is(p.Err(), context.Canceled) {
		t.Errorf("cancelled: %d batches, %v", n, p.Err())
	}
	if p.Start(2); p.Next() || !errors.Is(p.Err(), context.Canceled) {
		t.Errorf("a batch after the end: %v", p.Err())
	}
	noneLeft(t)

	ctx, cancel = context.WithCancel(context.Background())
	if p, err = data.NewPrefetch(ctx, b, 3, nil); err != nil {
		t.Fatal(err)
	}
	p.Start(1)
	p.Next()
	cancel() // and nobody asks any more
	noneLeft(t)
	p.Stop() // gives b back

	if p, err = data.NewPrefetch(context.Background(), b, 3, nil); err != nil {
		t.Fatal(err)
	}
	p.Start(1)
	p.Next()
	p.Stop()
	p.Stop()
	if p.Next() || p.Err() != nil {
		t.Errorf("a batch after Stop: %v", p.Err())
	}
	noneLeft(t)

	for name, err := range map[string]error{
		"none ahead": func() error { _, err := data.NewPrefetch(context.Background(), b, 0, nil); return err }(),
		"nil":        func() error { _, err := data.NewPrefetch(context.Background(), nil, 1, nil); return err }(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A change works on a batch of its own: neither the set nor another batch sees it.
func TestPrefetchChanges(t *testing.T) {
	set := numbered(10)
	b, err := data.NewBatches(set, 4, 7)
	if err != nil {
		t.Fatal(err)
	}
	p, err := data.NewPrefetch(context.Background(), b, 2, func(batch *data.Set) error {
		for i := range batch.X.Float32s() {
			batch.X.Float32s()[i]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range 3 {
		if err := p.Each(epoch, func(batch *data.Set) error {
			x := batch.X.Float32s()
			for i := range batch.Len() {
				if x[2*i+1] != 10*(x[2*i]-1)+1 {
					t.Errorf("epoch %d: %v", epoch, x[2*i:2*i+2])
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if got := rowsOf(t, set.X, set.Y); !slices.Equal(got, upTo(10)) {
		t.Errorf("the set is now %v", got)
	}
}

func TestDealingAllocatesNothing(t *testing.T) {
	for kind, d := range newDealers(t, 10000, 4, func(*data.Batches) {}) {
		d.Start(1)
		d.Next()
		if n := testing.AllocsPerRun(2000, func() { d.Next() }); n != 0 {
			t.Errorf("%s: %v allocations a batch", kind, n)
		}
		if kind == "Batches" {
			if n := testing.AllocsPerRun(10, func() { d.Start(2) }); n != 0 {
				t.Errorf("%v allocations an epoch", n)
			}
		}
		for d.Next() {
		}
	}
}
