package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counts is a task that counts the calls of each part.
type counts struct {
	calls []atomic.Int32
	do    func(part int)
}

func (c *counts) Do(part int) {
	c.calls[part].Add(1)
	if c.do != nil {
		c.do(part)
	}
}

func (c *counts) check(t *testing.T) {
	t.Helper()
	for i := range c.calls {
		if n := c.calls[i].Swap(0); n != 1 {
			t.Fatalf("part %d of %d ran %d times", i, len(c.calls), n)
		}
	}
}

// withProcs runs the test with n processors.
func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestEveryPartRunsOnce(t *testing.T) {
	withProcs(t, 4)
	for _, parts := range []int{0, 1, 2, 3, 7, 64} {
		for _, limit := range []int{0, 1, 2, 3, 100} {
			c := &counts{calls: make([]atomic.Int32, parts)}
			for range 200 {
				Run(limit, parts, c)
				c.check(t)
			}
		}
	}
}

func TestRunAfterWorkersSlept(t *testing.T) {
	withProcs(t, 3)
	c := &counts{calls: make([]atomic.Int32, 8)}
	for range 20 {
		Run(0, 8, c)
		c.check(t)
		time.Sleep(2 * time.Millisecond)
	}
}

func TestNestedAndConcurrentRuns(t *testing.T) {
	withProcs(t, 4)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			inner := make([]counts, 5)
			for i := range inner {
				inner[i].calls = make([]atomic.Int32, 3)
			}
			c := &counts{calls: make([]atomic.Int32, 5)}
			c.do = func(part int) { Run(0, 3, &inner[part]) }
			for range 100 {
				Run(0, 5, c)
				c.check(t)
				for i := range inner {
					inner[i].check(t)
				}
			}
		}()
	}
	wg.Wait()
}

func TestPanicReachesTheCaller(t *testing.T) {
	withProcs(t, 4)
	for bad := range 8 {
		c := &counts{calls: make([]atomic.Int32, 8)}
		c.do = func(part int) {
			time.Sleep(100 * time.Microsecond)
			if part == bad {
				panic(part)
			}
		}
		func() {
			defer func() {
				if got := recover(); got != bad {
					t.Errorf("recovered %v, want %d", got, bad)
				}
			}()
			Run(0, 8, c)
		}()
		c = &counts{calls: make([]atomic.Int32, 8)}
		Run(0, 8, c) // the pool still works
		c.check(t)
	}
}

func TestGoexitInAPart(t *testing.T) {
	withProcs(t, 2)
	var caller atomic.Bool
	c := &counts{calls: make([]atomic.Int32, 64)}
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		c.do = func(part int) {
			time.Sleep(100 * time.Microsecond)
			if part == 3 {
				runtime.Goexit()
			}
		}
		Run(0, 64, c)
		caller.Store(true)
	}()
	<-done // either the caller itself left, or it was told of a worker that did
	c = &counts{calls: make([]atomic.Int32, 8)}
	Run(0, 8, c)
	c.check(t)
}

func TestRunAllocatesNothing(t *testing.T) {
	withProcs(t, 2)
	c := &counts{calls: make([]atomic.Int32, 16)}
	Run(0, 16, c)
	if n := testing.AllocsPerRun(100, func() { Run(0, 16, c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRun(b *testing.B) {
	c := &counts{calls: make([]atomic.Int32, 8)}
	for b.Loop() {
		Run(0, 8, c)
	}
}

// TestPartsOverlap has two parts that each wait for the other: only two goroutines at a time can finish them.
func TestPartsOverlap(t *testing.T) {
	withProcs(t, 2)
	met := 0
	for range 50 {
		var here atomic.Int32
		c := &counts{calls: make([]atomic.Int32, 2)}
		var alone atomic.Bool
		c.do = func(int) {
			here.Add(1)
			for start := time.Now(); here.Load() < 2; runtime.Gosched() {
				if time.Since(start) > 100*time.Millisecond {
					alone.Store(true)
					return
				}
			}
		}
		Run(0, 2, c)
		if !alone.Load() {
			met++
		}
	}
	if met < 40 {
		t.Errorf("the parts of %d runs of 50 ran at the same time", met)
	}
}
