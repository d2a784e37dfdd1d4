// Package parallel runs the parts of one problem on a small pool of persistent workers.
//
// The one idea to know: a problem says how many parts it has and what each part is, and nothing else. Which goroutine runs
// a part, and how many there are, never changes what a part computes, so results are bit-identical at any GOMAXPROCS.
//
// The pool serves one problem at a time. Whoever finds it busy, a part that calls Run among them, runs all its parts
// itself; that cannot deadlock and costs nothing when every processor is already at work.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is a problem cut into parts. Do(part) computes one part; it is called once for each part, from several goroutines at
// a time, in no fixed order.
type Task interface{ Do(part int) }

// Run calls t.Do(0) … t.Do(parts−1) and returns when all of them have. The caller works too, together with at most limit−1
// workers; limit ≤ 0 means GOMAXPROCS, limit 1 means the caller alone. Run allocates nothing once the workers exist.
//
// A panic in a part comes back as a panic of Run with the same value, on the caller's goroutine and after all workers have
// left the task; parts not yet begun are skipped.
func Run(limit, parts int, t Task) {
	if limit == 1 || parts <= 1 {
		runAll(parts, t)
		return
	}
	procs := runtime.GOMAXPROCS(0)
	if limit <= 0 || limit > procs {
		limit = procs
	}
	limit = min(limit, parts)
	if limit <= 1 || !shared.busy.CompareAndSwap(false, true) {
		runAll(parts, t)
		return
	}
	shared.run(limit-1, parts, t)
}

func runAll(parts int, t Task) {
	for i := range parts {
		t.Do(i)
	}
}

var shared pool

// pool holds the workers and the one job they may be at. Only the goroutine that set busy touches workers and the job.
type pool struct {
	busy    atomic.Bool
	workers []*worker
	job     job
}

// job is one call of Run. next hands out the parts; active counts the workers that have been asked and have not left.
type job struct {
	task   Task
	parts  int64
	next   atomic.Int64
	active atomic.Int64

	mu       sync.Mutex
	failed   bool
	panicked any
}

// run has helpers workers help with the job, works itself and waits.
func (p *pool) run(helpers, parts int, t Task) {
	for len(p.workers) < helpers {
		w := &worker{pool: p, wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go w.loop()
	}
	j := &p.job
	j.task, j.parts = t, int64(parts)
	j.next.Store(0)
	j.active.Store(int64(helpers))
	for _, w := range p.workers[:helpers] {
		w.ask()
	}
	defer p.finish(helpers) // deferred, so that a panic of the caller's own part waits for the workers as well
	j.work()
}

// finish waits until no worker is at the job, frees the pool and re-raises what a worker's part panicked with.
func (p *pool) finish(helpers int) {
	j := &p.job
	j.next.Store(j.parts) // only matters if the caller's part panicked
	for _, w := range p.workers[:helpers] {
		if w.state.CompareAndSwap(asked, idle) { // still asleep: it need not come
			j.active.Add(-1)
		}
	}
	for spins := 0; j.active.Load() != 0; spins++ {
		if spins%spinsPerYield == spinsPerYield-1 {
			runtime.Gosched()
		}
	}
	j.task = nil
	failed, value := j.failed, j.panicked
	j.failed, j.panicked = false, nil
	p.busy.Store(false)
	if failed {
		panic(value)
	}
}

// work runs parts until none is left.
func (j *job) work() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.parts {
			return
		}
		j.task.Do(int(i))
	}
}

// A worker is a goroutine that waits for a job: it spins for a while, because the next job of a program usually follows
// within microseconds and waking a sleeping goroutine costs up to 30 µs, and then parks.
type worker struct {
	pool  *pool
	state atomic.Int32
	wake  chan struct{}
}

// The states of a worker. The pool moves idle and parked to asked, and asked back to idle when it no longer needs a worker
// that has not begun; the worker makes all other moves.
const (
	idle int32 = iota
	parked
	asked
	working
)

const (
	spinsPerYield = 64  // looks at an atomic between two calls of Gosched
	spinYields    = 200 // calls of Gosched before a worker parks: some tens of microseconds
)

// ask calls the worker to the pool's job.
func (w *worker) ask() {
	if w.state.Swap(asked) == parked {
		select {
		case w.wake <- struct{}{}:
		default: // a token from an earlier, revoked call is still there
		}
	}
}

// loop is the life of a worker. The function ends only with runtime.Goexit inside a part.
func (w *worker) loop() {
	for {
		w.await()
		w.help()
	}
}

// await returns with the state working.
func (w *worker) await() {
	for {
		for spins := 0; spins < spinsPerYield*spinYields; spins++ {
			if w.state.Load() == asked && w.state.CompareAndSwap(asked, working) {
				return
			}
			if spins%spinsPerYield == spinsPerYield-1 {
				runtime.Gosched()
			}
		}
		if w.state.CompareAndSwap(idle, parked) {
			<-w.wake
			w.state.CompareAndSwap(parked, idle) // a stale token woke it
		}
	}
}

// help works at the job and leaves it. The worker must be idle before active falls: then the pool may ask it again.
func (w *worker) help() {
	j := &w.pool.job
	returned := false
	defer func() {
		if !returned {
			value := recover()
			if value == nil { // runtime.Goexit: this goroutine ends, another takes its place
				value = "parallel: a part called runtime.Goexit"
				defer func() { go w.loop() }()
			}
			j.mu.Lock()
			if !j.failed {
				j.failed, j.panicked = true, value
			}
			j.mu.Unlock()
			j.next.Store(j.parts)
		}
		w.state.Store(idle)
		j.active.Add(-1)
	}()
	j.work()
	returned = true
}
