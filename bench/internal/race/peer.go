package race

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tapir-ml/tapir/bench/internal/native"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// A contender is a peer that is ready for one case.
type contender struct {
	name  string
	how   string      // what it calls
	run   func(n int) // does n operations, each on the next set of operands
	close func()
	roams bool // it uses other threads than the caller's even where it is to use one
}

// errNot says that a peer does not have a case at all: it is left out of that row.
var errNot = errors.New("not offered")

// Peers are the names that the race knows, in the order of its tables.
var Peers = []string{Tapir, "onednn", "openblas", "blis", "libxsmm", "gonum", "naive"}

// Self is Tapir against itself, for whoever asks: its ratios say how much of the others' is noise.
const Self = "self"

// Missing lists those of the named peers that this build or this machine lacks, and why: what would bring them, each thing once.
func Missing(peers []string) (missing, why []string) {
	for _, p := range peers {
		if !slices.Contains(native.Names, p) {
			continue
		}
		if reason := native.Missing(p); reason != "" {
			missing = append(missing, p)
			if !slices.Contains(why, reason) {
				why = append(why, reason)
			}
		}
	}
	return missing, why
}

// prepare readies a peer for a case.
func prepare[T kernel.Float](peer string, c Case, sets []*operands[T]) (*contender, error) {
	switch peer {
	case Tapir:
		return newTapir(c, sets), nil
	case Self:
		p := newTapir(c, sets)
		p.name = Self
		return p, nil
	case "gonum":
		return newGonum(c, sets), nil
	case "naive":
		return newNaive(c, sets), nil
	}
	return newNative(peer, c, sets)
}

// inTurn makes a contender's run of a function that does one operation on one set.
func inTurn(sets int, once func(set int)) func(n int) {
	at := 0
	return func(n int) {
		for range n {
			once(at)
			if at++; at == sets {
				at = 0
			}
		}
	}
}

func newNative[T kernel.Float](peer string, c Case, sets []*operands[T]) (*contender, error) {
	layer := native.Layer{M: c.M, K: c.K, N: c.N, Op: string(c.Op), Act: c.act().String(), Alpha: alpha(c.act()), Threads: c.Threads}
	var buffers []native.Buffers[T]
	for _, o := range sets {
		buffers = append(buffers, native.Buffers[T]{A: o.a, B: o.b, C: o.c, Bias: o.bias, Saved: o.saved})
	}
	job, err := native.Prepare(peer, layer, buffers)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errNot, err)
	}
	return &contender{name: peer, how: job.How(), run: job.Run, close: job.Close}, nil
}
