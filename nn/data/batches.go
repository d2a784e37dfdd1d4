package data

import (
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
)

// Batches deals a set out in shuffled batches, epoch by epoch. What is left over at the end of an epoch comes as a last, smaller
// batch, so each epoch sees every example once. It is used by one goroutine at a time, and allocates nothing while it deals.
//
//	for epoch := 1; epoch <= epochs; epoch++ {
//		for batches.Start(epoch); batches.Next(); {
//			b := batches.Batch() // b.X and b.Y are what a step is fed
//		}
//	}
type Batches struct {
	set  columns
	seed uint64
	size int

	random *rand.PCG
	order  []int
	next   int // where in order the coming batch begins
	full   batch
	rest   batch // the smaller batch at the end; none if the size divides the set
	now    *batch
}

// batch is a batch's memory, as what it is filled through and as what it is fed by.
type batch struct {
	columns
	set Set
}

// NewBatches deals out s in batches of size examples, or of all if s has fewer, in an order that is a function of seed and
// epoch alone: a run that is resumed at an epoch sees what it would have seen. It starts at epoch 0. The tensors of s are read
// from then on and must not change.
//
// It fails if size is not positive, or if s is empty or not a proper set.
func NewBatches(s *Set, size int, seed uint64) (*Batches, error) {
	set, err := s.columns()
	switch {
	case err != nil:
		return nil, err
	case size <= 0:
		return nil, graph.Errorf(graph.ErrValue, "batches of %d examples; take at least 1", size)
	case set.len() == 0:
		return nil, graph.Errorf(graph.ErrValue, "an empty set has no batches")
	}
	b := &Batches{set: set, seed: seed, size: min(size, set.len()), random: rand.NewPCG(0, 0), order: make([]int, set.len())}
	b.full = newBatch(set, b.size, s.Classes)
	if rest := set.len() % b.size; rest > 0 {
		b.rest = newBatch(set, rest, s.Classes)
	}
	b.Start(0)
	return b, nil
}

func newBatch(set columns, rows, classes int) batch {
	c := set.like(rows)
	return batch{columns: c, set: Set{X: c.x.Dense(), Y: c.y.Dense(), Classes: classes}}
}

// Start begins the given epoch: it shuffles, and the coming Next makes its first batch.
func (b *Batches) Start(epoch int) {
	b.random.Seed(b.seed, uint64(epoch))
	for i := range b.order {
		b.order[i] = i
	}
	rand.New(b.random).Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
	b.next, b.now = 0, nil
}

// Next copies the next batch into the tensors of the set that Batch returns; it reports false at the end of the epoch.
func (b *Batches) Next() bool {
	switch left := len(b.order) - b.next; {
	case left >= b.size:
		b.now = &b.full
	case left > 0:
		b.now = &b.rest
	default:
		return false
	}
	rows := b.order[b.next : b.next+b.now.len()]
	b.next += len(rows)
	return b.now.gather(b.set, rows) == nil // the rows are the set's own
}

// Batch returns the batch that Next made, nil before the first. Its tensors are the Batches' own, and the next Next writes over
// them: Select copies.
func (b *Batches) Batch() *Set {
	if b.now == nil {
		return nil
	}
	return &b.now.set
}

// Size returns the number of examples in the batch that Next made, 0 before the first.
func (b *Batches) Size() int { return b.Batch().Len() }

// Len returns the number of batches in an epoch.
func (b *Batches) Len() int { return (len(b.order) + b.size - 1) / b.size }
