// Package peak measures the multiply-add ceiling: the most GFLOP/s that the processor does when nothing has to be loaded.
package peak

import (
	"time"

	"github.com/tapir-ml/tapir/internal/kernel"
	"github.com/tapir-ml/tapir/internal/parallel"
)

// A Meter remembers the highest ceiling that it has seen. Time stolen by other programs can only lower a sample, so the highest counts.
type Meter struct {
	Threads int
	best    float64
	loop    parallel.Task
	flops   float64 // of one sample
}

// New returns a Meter for elements of type T. What it says of several threads is the ceiling of all of them together.
func New[T kernel.Float](threads int) *Meter {
	m := &Meter{Threads: threads}
	var zero T
	if _, single := any(zero).(float32); HasLoop() {
		m.loop, m.flops = loopTask{single}, loopFlops(single)
	} else {
		g := newProduct[T]()
		m.loop, m.flops = g, 2*float64(g.size)*float64(g.size)*float64(g.size)
	}
	m.flops *= float64(threads)
	return m
}

// Sample takes one more measurement, of about a fifth of a millisecond, and returns it.
func (m *Meter) Sample() float64 {
	parallel.Run(m.Threads, m.Threads, m.loop) // wakes the workers
	start := time.Now()
	parallel.Run(m.Threads, m.Threads, m.loop)
	s := m.flops / float64(time.Since(start))
	m.best = max(m.best, s)
	return s
}

// GFLOPS is the highest ceiling so far.
func (m *Meter) GFLOPS() float64 { return m.best }

// product stands in for the loop where there is none: a packed product that stays in the first cache levels.
type product[T kernel.Float] struct {
	size   int
	a, b   []T
	packed kernel.Packed[T]
}

func newProduct[T kernel.Float]() *product[T] {
	const size = 192
	p := &product[T]{size: size, a: make([]T, size*size), b: make([]T, size*size)}
	p.packed = kernel.Pack[T](nil, p.b, size, 1, size, size)
	return p
}

func (p *product[T]) Do(int) {
	g := kernel.Gemm[T]{M: p.size, N: p.size, K: p.size, A: p.a, ARow: p.size, ACol: 1, B: p.b, BRow: p.size, BCol: 1,
		Packed: &p.packed, C: make([]T, p.size*p.size), CRow: p.size}
	g.Run()
}
