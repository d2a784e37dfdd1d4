package main

import (
	"context"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
)

// pool holds machines for one program over one state. A machine serves one request at a time; the weights, and what can be
// computed of them ahead, are there once for all machines.
type pool struct{ idle chan *worker }

// worker is a machine with the memory for what goes in and comes out.
type worker struct {
	model   *model
	machine *vm.Machine
	images  graph.Array // (batchLimit, pixels)
}

func newPool(m *model, machines int) (*pool, error) {
	p := &pool{make(chan *worker, machines)}
	for range machines {
		machine, err := vm.NewMachine(m.answer, m.state)
		if err != nil {
			return nil, err
		}
		machine.Workers = 1 // a server has its parallelism from the requests
		w := &worker{m, machine, graph.NewArray(graph.Float32, batchLimit, pixels)}
		// The largest batch first: from then on no request allocates memory for the network.
		if _, err := w.predict(context.Background(), batchLimit); err != nil {
			return nil, err
		}
		p.idle <- w
	}
	return p, nil
}

// take waits for a worker until ctx is done; the caller gives it back.
func (p *pool) take(ctx context.Context) (*worker, error) {
	select {
	case w := <-p.idle:
		return w, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pool) giveBack(w *worker) { p.idle <- w }

// predict reads the first n images. The probabilities, n rows of ten, are valid until the next call.
func (w *worker) predict(ctx context.Context, n int) ([]float32, error) {
	if err := w.machine.Feed(w.model.image, graph.ArrayAt(graph.Float32, []int{n, pixels}, w.images.Bytes()[:4*n*pixels])); err != nil {
		return nil, err
	}
	if err := w.machine.Run(ctx); err != nil {
		return nil, err
	}
	value, err := w.machine.Value(w.model.probabilities)
	if err != nil {
		return nil, err
	}
	return value.Float32s(), nil
}
