package data

import (
	"iter"
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
//
// Each and Epoch say the same with a function and with range. NewPrefetch makes the coming batches while one is worked on.
type Batches struct {
	DropRest bool // leave out the smaller batch at the end of an epoch; another epoch leaves out other examples
	InOrder  bool // do not shuffle, from the next Start on: for predictions

	from   *Set
	set    columns
	seed   uint64
	size   int
	source *rand.PCG
	random *rand.Rand
	order  []int
	next   int // where in order the coming batch begins
	own    room
	now    *batch
}

// batch is a batch's memory, as what it is filled through and as what it is fed by.
type batch struct {
	columns
	set *Set
}

// room is the memory for one batch at a time.
type room struct {
	full batch
	rest batch // for the smaller batch at the end; none if the size divides the set
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
	source := rand.NewPCG(0, 0)
	b := &Batches{from: s, set: set, seed: seed, size: min(size, set.len()), source: source, random: rand.New(source), order: make([]int, set.len())}
	b.own = b.newRoom()
	b.Start(0)
	return b, nil
}

func (b *Batches) newRoom() (r room) {
	r.full.columns = b.set.like(b.size)
	r.full.set = b.from.with(r.full.columns)
	if rest := b.set.len() % b.size; rest > 0 {
		r.rest.columns = b.set.like(rest)
		r.rest.set = b.from.with(r.rest.columns)
	}
	return r
}

// Start begins the given epoch: it shuffles, and the coming Next makes its first batch.
func (b *Batches) Start(epoch int) {
	for i := range b.order {
		b.order[i] = i
	}
	b.next, b.now = 0, nil
	if b.InOrder {
		return
	}
	b.source.Seed(b.seed, uint64(epoch))
	for i := len(b.order) - 1; i > 0; i-- { // rand.Shuffle's steps, whose function would be allocated
		j := int(b.random.Uint64N(uint64(i + 1)))
		b.order[i], b.order[j] = b.order[j], b.order[i]
	}
}

// Skip passes over the coming n batches, or as many as the epoch still has, without making them: a run that is resumed amid
// an epoch goes on there.
func (b *Batches) Skip(n int) {
	if n > 0 {
		b.next, b.now = min(b.next+min(n, b.Len())*b.size, len(b.order)), nil
	}
}

// Next copies the next batch into the tensors of the set that Batch returns; it reports false at the end of the epoch.
func (b *Batches) Next() bool {
	now := b.fill(&b.own)
	if now == nil {
		return false
	}
	b.now = now
	return true
}

// fill makes the next batch in r, and returns where, or nil at the end of the epoch.
func (b *Batches) fill(r *room) *batch {
	var now *batch
	switch left := len(b.order) - b.next; {
	case left >= b.size:
		now = &r.full
	case left > 0 && !b.DropRest:
		now = &r.rest
	default:
		return nil
	}
	rows := b.order[b.next : b.next+now.len()]
	b.next += len(rows)
	gatherRows(now.x, b.set.x, rows)
	gatherRows(now.y, b.set.y, rows)
	return now
}

// Batch returns the batch that Next made, nil before the first. Its tensors are the Batches' own, and the next Next writes over
// them: Select copies.
func (b *Batches) Batch() *Set {
	if b.now == nil {
		return nil
	}
	return b.now.set
}

// Size returns the number of examples in the batch that Next made, 0 before the first.
func (b *Batches) Size() int { return b.Batch().Len() }

// Len returns the number of batches in an epoch.
func (b *Batches) Len() int {
	if b.DropRest {
		return len(b.order) / b.size
	}
	return (len(b.order) + b.size - 1) / b.size
}

// Err returns nil: nothing can go wrong with what is in memory. Prefetch has the same method, and may return more.
func (b *Batches) Err() error { return nil }

// Each calls f with each batch of an epoch, as Start and Next make them. It ends early with the first error of f.
func (b *Batches) Each(epoch int, f func(batch *Set) error) error {
	for b.Start(epoch); b.Next(); {
		if err := f(b.Batch()); err != nil {
			return err
		}
	}
	return nil
}

// Epoch ranges over the batches of an epoch and their numbers from 0 up, as Start and Next make them.
//
//	for i, batch := range batches.Epoch(1) {
func (b *Batches) Epoch(epoch int) iter.Seq2[int, *Set] {
	return func(yield func(int, *Set) bool) {
		b.Start(epoch)
		for i := 0; b.Next() && yield(i, b.Batch()); i++ {
		}
	}
}
