// Package step races whole training steps: Tapir beside PyTorch, Gorgonia and GoMLX, each in processes of their own (see package
// contest), in turns of some milliseconds.
package step

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/tapir-ml/tapir/bench/internal/contest"
	"github.com/tapir-ml/tapir/bench/internal/race"
)

// Tapir is the peer that all others are compared with.
const Tapir = "tapir"

// Options say whom to race and how long.
type Options struct {
	Entries []Entry       // the first is Tapir
	Time    time.Duration // for each entry in each case, and as much again for Tapir beside it
	Rounds  int           // of a batch each
	Note    func(string)  // what a reader of the table should know
}

// Entry is a program that serves, with an environment of its own. A peer may have several: builds, kernels.
type Entry struct {
	Peer    string
	How     string // what is particular about it
	Command []string
	Env     []string
}

const (
	leastRounds = 3                    // even of what takes longer than Options.Time
	settle      = 2 * time.Millisecond // before a batch: the workers of the peer before must have gone to sleep
	counted     = 10                   // steps whose allocations are counted
)

// runner is an entry at work.
type runner struct {
	Entry
	*contest.Contender
	batch, rounds int
	peer, own     []float64 // its batches, and Tapir's right before or right after
}

// Run races a case. An entry that does not start, or does not offer the case, is left out with a note; one that computes
// something else than Tapir is an error.
func Run(c contest.Case, opt Options) ([]Result, error) {
	var all []*runner
	defer func() {
		for _, r := range all {
			r.Close()
		}
	}()
	for i, e := range opt.Entries {
		p, err := start(c, e)
		if err != nil && (i == 0 || !errors.Is(err, contest.ErrNot)) {
			return nil, fmt.Errorf("%s: %s: %w", c, e.Peer, err)
		} else if err != nil {
			opt.Note(fmt.Sprintf("%s: %s: %v", c, e.Peer, err))
			continue
		}
		all = append(all, &runner{Entry: e, Contender: p})
		if err := agree(all[0].Ready, p.Ready); err != nil {
			return nil, fmt.Errorf("%s: %s is not what %s is: %w", c, e.Peer, Tapir, err)
		}
	}
	if err := duel(all, opt); err != nil {
		return nil, fmt.Errorf("%s: %w", c, err)
	}
	var results []Result
	for _, r := range all {
		result, err := r.result(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c, r.Peer, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// start starts a contender with so many threads: a single one keeps to one processor.
func start(c contest.Case, e Entry) (*contest.Contender, error) {
	n := fmt.Sprint(c.Threads)
	env := append([]string{"GOMAXPROCS=" + n, "OMP_NUM_THREADS=" + n, "OPENBLAS_NUM_THREADS=" + n, "MKL_NUM_THREADS=" + n}, e.Env...)
	if c.Threads == 1 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer race.Pin()()
	}
	return contest.Start(c, e.Command, env)
}

// agree says whether two contenders compute the same: the loss of the first step, which the forward pass gives, and how it
// fell since, which the gradient and the optimiser give.
func agree(want, got contest.Ready) error {
	const first, fall = 1e-4, 0.02
	noise := 4e-6 * math.Abs(want.First) // of float32 in each loss
	if d := math.Abs(got.First - want.First); !(d <= first*math.Abs(want.First)) {
		return fmt.Errorf("the first loss is %v, want %v", got.First, want.First)
	}
	w, g := want.First-want.Later, got.First-got.Later
	if d := math.Abs(g - w); !(d <= fall*math.Abs(w)+noise) {
		return fmt.Errorf("the loss falls by %v, want %v", g, w)
	}
	return nil
}

// duel times the runners in rounds. In each, every peer has its turn, in random order: a batch of its own and one of Tapir's,
// right before or right after.
func duel(all []*runner, opt Options) error {
	slot := float64(max(opt.Time/time.Duration(opt.Rounds), time.Microsecond))
	for _, r := range all {
		one, err := estimate(r.Contender)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Peer, err)
		}
		r.batch = max(1, int(slot/one))
		r.rounds = min(opt.Rounds, max(leastRounds, int(float64(opt.Time)/one)))
	}
	measure := func(r *runner) (float64, error) {
		time.Sleep(settle)
		if r.batch > 3 {
			if _, err := r.Run(1); err != nil { // the code and the branches of the one before are in the caches
				return 0, fmt.Errorf("%s: %w", r.Peer, err)
			}
		}
		ns, err := r.Run(r.batch)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", r.Peer, err)
		}
		return ns, nil
	}
	random := rand.New(rand.NewPCG(1, 1))
	for round := range opt.Rounds {
		if len(all) == 1 {
			ns, err := measure(all[0])
			if err != nil {
				return err
			}
			all[0].own = append(all[0].own, ns)
		}
		for _, q := range random.Perm(len(all) - 1) {
			r := all[q+1]
			if round >= r.rounds {
				continue
			}
			pair := []*runner{all[0], r}
			if (round+q)%2 == 1 {
				pair[0], pair[1] = r, all[0]
			}
			for _, p := range pair {
				ns, err := measure(p)
				if err != nil {
					return err
				}
				if p == r {
					r.peer = append(r.peer, ns)
				} else {
					r.own, all[0].own = append(r.own, ns), append(all[0].own, ns)
				}
			}
		}
	}
	return nil
}

// estimate is the time of a step in ns, after a little warming up.
func estimate(p *contest.Contender) (float64, error) {
	const enough = float64(2 * time.Millisecond)
	for n := 1; ; n *= 4 {
		ns, err := p.Run(n)
		if err != nil {
			return 0, err
		}
		if ns*float64(n) >= enough {
			return max(ns, 1), nil
		}
	}
}

func (r *runner) result(c contest.Case) (Result, error) {
	ns := r.peer
	if r.Peer == Tapir {
		ns = r.own
	}
	how := r.Ready.How
	if r.How != "" && how != "" {
		how += ", "
	}
	result := Result{Peer: r.Peer, Case: c, NsOpMin: race.Minimum(ns), NsOpMedian: race.Median(ns), Version: r.Ready.Version, How: how + r.How,
		SetupNs: r.Ready.SetupNs}
	if r.Peer != Tapir {
		result.RatioMin, result.RatioMedian = race.Ratios(r.peer, r.own)
	}
	steps := counted
	if r.batch == 1 {
		steps = 1
	}
	allocs, bytes, known, err := r.Count(steps)
	if err != nil {
		return result, err
	}
	if known {
		result.AllocsOp, result.BytesOp = &allocs, &bytes
	}
	result.PeakRSS, err = r.Contender.PeakRSS()
	return result, err
}
