package race

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/tapir-ml/tapir/bench/internal/peak"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// Options say how long a race takes.
type Options struct {
	Peers  []string
	Time   time.Duration // for each peer in each case, and as much again for Tapir beside it
	Rounds int           // of a batch each
	// WorkingSet is the bytes that the sets of buffers come to, WorkingSet as a rule; 0: a single set.
	WorkingSet int
	Note       func(string) // what a reader of the table should know; may be nil
}

const (
	leastRounds = 3                    // even of what takes longer than Options.Time
	settle      = 2 * time.Millisecond // before a batch of several threads: the workers of the peer before must have gone to sleep
)

// Run measures a case. It stops at a wrong result.
func Run(c Case, opt Options) ([]Result, error) {
	if c.DType == "float64" {
		return run[float64](c, opt)
	}
	return run[float32](c, opt)
}

func run[T kernel.Float](c Case, opt Options) (results []Result, err error) {
	defer steady(c.Threads)()
	sets := newOperands[T](c, opt.WorkingSet)
	var all []*contender
	defer func() {
		for _, p := range all {
			if p.close != nil {
				p.close()
			}
		}
	}()
	names := append([]string{Tapir}, slices.DeleteFunc(slices.Clone(opt.Peers), func(p string) bool { return p == Tapir })...)
	for _, name := range names {
		p, err := prepare(name, c, sets)
		if errors.Is(err, errNot) {
			if opt.Note != nil {
				opt.Note(fmt.Sprintf("%s: %s: %v", c, name, err))
			}
			continue
		} else if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c, name, err)
		}
		all = append(all, p)
	}
	if err := compare(c, sets, all); err != nil {
		return nil, err
	}
	ceiling := peak.New[T](c.Threads)
	tracks, own := duel(c, all, ceiling, opt)
	top := newResult(Ceiling, c, nil, 0)
	top.Case, top.GFLOPS, top.FractionOfPeak = fmt.Sprintf("%s:%d", c.DType, c.Threads), ceiling.GFLOPS(), 1
	results = append(results, top)
	for i, p := range all {
		ns := own
		if i > 0 {
			ns = tracks[i].peer
		}
		r := newResult(p.name, c, ns, ceiling.GFLOPS())
		r.How = p.how
		if i == 0 {
			r.Aim = c.Aim
		} else {
			r.RatioMin, r.RatioMedian = tracks[i].ratios()
			r.RatioQuiet, r.QuietPairs = tracks[i].quiet(ceiling.GFLOPS())
		}
		results = append(results, r)
	}
	return results, nil
}

// steady keeps the machine as even as a program can, and returns what undoes it.
func steady(threads int) (undo func()) {
	runtime.GC()
	percent := debug.SetGCPercent(-1)
	procs := runtime.GOMAXPROCS(threads)
	runtime.LockOSThread() // OpenMP counts threads per thread
	unpin := func() {}
	if threads == 1 {
		unpin = pin()
	}
	return func() {
		unpin()
		runtime.UnlockOSThread()
		runtime.GOMAXPROCS(procs)
		debug.SetGCPercent(percent)
	}
}

// compare has every contender compute every set once and looks at the first and the last.
func compare[T kernel.Float](c Case, sets []*operands[T], all []*contender) error {
	nan := T(math.NaN())
	looked := []*operands[T]{sets[0], sets[len(sets)-1]}
	var first [2][]T
	for _, p := range all {
		for _, o := range sets {
			for i := range o.c {
				o.c[i] = nan
			}
		}
		p.run(len(sets))
		for i, o := range looked {
			err := check(c, o, o.c)
			if p == all[0] {
				first[i] = slices.Clone(o.c)
			} else if err == nil {
				err = agree(c, o, first[i], o.c)
			}
			if err != nil {
				return fmt.Errorf("%s: %s is wrong: %w", c, p.name, err)
			}
		}
	}
	return nil
}

// duel times the contenders in rounds. In each, every peer has its turn, in random order: a batch of its own and one of
// Tapir's, the first all[0], right before or right after.
func duel(c Case, all []*contender, ceiling *peak.Meter, opt Options) (tracks []track, own []float64) {
	slot := max(opt.Time/time.Duration(opt.Rounds), time.Microsecond)
	batch, rounds := make([]int, len(all)), make([]int, len(all))
	again := make([]int, len(all)) // pairs that may be taken once more, because another program has had the core meanwhile
	for i, p := range all {
		one := estimate(p)
		batch[i] = max(1, int(slot/one))
		rounds[i] = min(opt.Rounds, max(leastRounds, int(opt.Time/one)))
		if one < slot {
			again[i] = 2 * rounds[i]
		}
	}
	tracks = make([]track, len(all))
	measure := func(i int) float64 {
		if c.Threads > 1 {
			time.Sleep(settle)
		}
		if batch[i] > 3 || c.Threads > 1 {
			all[i].run(1) // the code and the branches of the one before are in the caches
		}
		now := wallTime
		if c.Threads == 1 && !all[i].roams {
			now = threadTime
		}
		start := now()
		all[i].run(batch[i])
		return float64(now()-start) / float64(batch[i])
	}
	r := rand.New(rand.NewPCG(1, 1))
	for round := range opt.Rounds {
		if len(all) == 1 {
			ceiling.Sample()
			own = append(own, measure(0))
		}
		for _, q := range r.Perm(len(all) - 1) {
			i := q + 1
			if round >= rounds[i] {
				continue
			}
			t := &tracks[i]
			var mine, other, calm float64
			for {
				before := switches()
				calm = ceiling.Sample()
				if (round+i)%2 == 0 {
					mine = measure(0)
					other = measure(i)
				} else {
					other = measure(i)
					mine = measure(0)
				}
				calm = min(calm, ceiling.Sample())
				if again[i] == 0 || c.Threads > 1 || switches() == before {
					break
				}
				again[i]--
			}
			t.peer, t.tapir, own = append(t.peer, other), append(t.tapir, mine), append(own, mine)
			t.ceiling = append(t.ceiling, calm)
		}
	}
	return tracks, own
}

// wallTime is the time since some moment. For what runs on the calling thread alone, threadTime is better: it stands still while
// other programs have the processor.
func wallTime() time.Duration { return time.Since(began) }

var began = time.Now()

// estimate is the time of one operation, after a little warming up.
func estimate(p *contender) time.Duration {
	const enough = time.Millisecond
	for n := 1; ; n *= 4 {
		start := time.Now()
		p.run(n)
		if d := time.Since(start); d > enough {
			return max(d/time.Duration(n), 1)
		}
	}
}
