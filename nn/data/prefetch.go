package data

import (
	"context"
	"iter"
	"runtime/debug"

	"github.com/tapir-ml/tapir/graph"
)

// Prefetch deals out the same batches as the Batches it was made of, in the same order, but a goroutine makes the coming ones
// while the caller works on one. It is worth its second core where a batch is not just copied but changed: noise, shifted
// images, what is read from elsewhere. One goroutine at a time calls its methods; per batch it allocates nothing.
//
//	p, err := data.NewPrefetch(ctx, batches, 2, nil)
//	defer p.Stop()
//	for epoch := 1; epoch <= epochs; epoch++ {
//		for p.Start(epoch); p.Next(); {
//			b := p.Batch()
//		}
//		if err := p.Err(); err != nil {
//			return err
//		}
//	}
//
// The goroutine ends with its epoch, with Stop, or with the context.
type Prefetch struct {
	ctx    context.Context
	from   *Batches
	change func(batch *Set) error
	rooms  []room

	run  *epochRun // nil before the first Next of an epoch, and when it is over
	held made      // what the caller works on
	err  error
}

// made is a batch, where its memory came from, or why there is none.
type made struct {
	batch *batch
	room  *room
	err   error
}

// epochRun is the goroutine of one epoch, and how one speaks with it. Both channels hold as many as there are rooms: nobody
// ever waits to send.
type epochRun struct {
	ctx    context.Context
	cancel context.CancelFunc
	free   chan *room
	made   chan made // closed when the goroutine ends
}

// NewPrefetch keeps up to ahead batches of b ready. Each goes through change first, if that is not nil: it may write to the
// batch's tensors, but not keep them. It runs on the goroutine; an error or a panic of it comes back by Err. The Batches belong
// to the Prefetch from then on.
//
// It fails if ahead is not positive or b is nil.
func NewPrefetch(ctx context.Context, b *Batches, ahead int, change func(batch *Set) error) (*Prefetch, error) {
	if b == nil || ahead <= 0 {
		return nil, graph.Errorf(graph.ErrValue, "%d batches ahead; take at least 1, of Batches that are not nil", ahead)
	}
	p := &Prefetch{ctx: ctx, from: b, change: change, rooms: make([]room, ahead+1)} // and the one that the caller works on
	for i := range p.rooms {
		p.rooms[i] = b.newRoom()
	}
	return p, nil
}

// Start begins the given epoch; what is left of the one before is dropped.
func (p *Prefetch) Start(epoch int) {
	p.Stop()
	p.err = nil
	p.from.Start(epoch)
}

// Skip passes over the coming n batches. Before the first Next of an epoch they are not even made.
func (p *Prefetch) Skip(n int) {
	if p.run == nil {
		p.from.Skip(n)
		return
	}
	for range n {
		if !p.Next() {
			return
		}
	}
}

// Next waits for the next batch. It reports false at the end of the epoch, and when change failed or the context is done; Err
// tells which.
func (p *Prefetch) Next() bool {
	if p.err != nil {
		return false
	}
	if p.run == nil {
		p.begin()
	}
	if p.held.room != nil {
		p.run.free <- p.held.room
		p.held = made{}
	}
	var now made
	var more bool
	select {
	case now, more = <-p.run.made:
	case <-p.run.ctx.Done():
	}
	switch {
	case p.run.ctx.Err() != nil: // also where a batch was ready: nothing is dealt after the end
		p.err = p.ctx.Err()
	case !more:
	case now.err != nil:
		p.err = now.err
	default:
		p.held = now
		return true
	}
	p.Stop()
	return false
}

// Batch returns the batch that Next waited for, nil before the first. The next Next gives its tensors away.
func (p *Prefetch) Batch() *Set {
	if p.held.batch == nil {
		return nil
	}
	return p.held.batch.set
}

// Size returns the number of examples in the batch that Next waited for, 0 before the first.
func (p *Prefetch) Size() int { return p.Batch().Len() }

// Len returns the number of batches in an epoch.
func (p *Prefetch) Len() int { return p.from.Len() }

// Err returns why the epoch ended early: the error of change, or that of the context. It is nil after a whole epoch.
func (p *Prefetch) Err() error { return p.err }

// Stop ends the goroutine and waits for it, so for the change that it may be in. Who leaves an epoch early calls it; else it
// does nothing. Start goes on from it.
func (p *Prefetch) Stop() {
	p.held = made{}
	if p.run == nil {
		return
	}
	p.run.cancel()
	for range p.run.made { // closed at the goroutine's end
	}
	p.run = nil
	p.from.next = len(p.from.order) // Next after the end begins nothing anew
}

// Each calls f with each batch of an epoch. It ends early with the first error: of f, of change, or of the context.
func (p *Prefetch) Each(epoch int, f func(batch *Set) error) error {
	defer p.Stop()
	for p.Start(epoch); p.Next(); {
		if err := f(p.Batch()); err != nil {
			return err
		}
	}
	return p.err
}

// Epoch ranges over the batches of an epoch and their numbers from 0 up. Err says afterwards whether they were all.
func (p *Prefetch) Epoch(epoch int) iter.Seq2[int, *Set] {
	return func(yield func(int, *Set) bool) {
		defer p.Stop()
		p.Start(epoch)
		for i := 0; p.Next() && yield(i, p.Batch()); i++ {
		}
	}
}

func (p *Prefetch) begin() {
	ctx, cancel := context.WithCancel(p.ctx)
	p.run = &epochRun{ctx: ctx, cancel: cancel, free: make(chan *room, len(p.rooms)), made: make(chan made, len(p.rooms))}
	for i := range p.rooms {
		p.run.free <- &p.rooms[i]
	}
	go p.run.work(p.from, p.change)
}

func (r *epochRun) work(from *Batches, change func(*Set) error) {
	defer close(r.made)
	for {
		var room *room
		select {
		case room = <-r.free:
		case <-r.ctx.Done():
		}
		if r.ctx.Err() != nil {
			return
		}
		now := from.fill(room)
		if now == nil {
			return
		}
		if change != nil {
			if err := changed(now.set, change); err != nil {
				r.made <- made{err: err}
				return
			}
		}
		r.made <- made{batch: now, room: room}
	}
}

// changed runs change; a panic on this goroutine would end the program, whatever the caller recovers.
func changed(s *Set, change func(*Set) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = graph.Errorf(graph.ErrValue, "the function that changes a batch panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return change(s)
}
