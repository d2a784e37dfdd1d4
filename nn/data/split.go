package data

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// The second word of a generator's seed keeps what is drawn for different ends apart; epochs count from 0 up.
const (
	streamOfSplits = math.MaxUint64 - iota
	streamOfStratified
	streamOfFolds
)

// Split shuffles the rows and deals them out: one set for each fraction, together at most 1. The same seed splits a set of
// the same length in the same way. If the fractions add up to 1, every example is in exactly one part.
//
//	parts, err := set.Split(42, 0.7, 0.15, 0.15) // training, validation, test
//
// It fails if a fraction is not above 0, if together they are above 1, or if a part would be empty.
func (s *Set) Split(seed uint64, fractions ...float64) ([]*Set, error) {
	if err := checkFractions(fractions); err != nil {
		return nil, err
	}
	order := rand.New(rand.NewPCG(seed, streamOfSplits)).Perm(s.Len())
	parts := make([][]int, len(fractions))
	var upTo float64
	begin := 0
	for i, f := range fractions {
		upTo += f
		end := min(int(math.Round(upTo*float64(len(order)))), len(order)) // rounding the bounds leaves no row over
		if end == begin {
			return nil, graph.Errorf(graph.ErrValue, "a fraction of %v of %d examples is less than one; take a larger one, or more examples", f, len(order))
		}
		parts[i], begin = order[begin:end], end
	}
	return s.selectAll(parts)
}

// SplitStratified is Split with the labels dealt out one by one, so that each part has every label in the proportion of the
// whole: a part's number of examples of a label is its fraction of them, rounded up or down. The rows of a part are shuffled.
//
// It fails as Split does, if Y holds no labels, and if a part would have no example of a label that the set has: of a label
// that occurs once, only one part can have one.
func (s *Set) SplitStratified(seed uint64, fractions ...float64) ([]*Set, error) {
	if err := checkFractions(fractions); err != nil {
		return nil, err
	}
	labels, err := s.byLabel()
	if err != nil {
		return nil, err
	}
	var total float64
	for _, f := range fractions {
		total += f
	}
	shares := fractions
	if rest := 1 - total; rest > 1e-9 {
		shares = append(slices.Clip(fractions), rest) // what goes to nobody
	}
	random := rand.New(rand.NewPCG(seed, streamOfStratified))
	rows, behind := make([][]int, len(shares)), make([]float64, len(shares))
	for label, of := range labels {
		if len(of) == 0 {
			continue
		}
		random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		occurs := len(of)
		for part, n := range apportion(occurs, shares, behind) {
			if n == 0 && part < len(fractions) {
				return nil, graph.Errorf(graph.ErrValue, "label %s occurs %s: the part of %v would have none; collect more of it, leave it out, take other fractions, or use Split",
					s.labelName(label), times(occurs), fractions[part])
			}
			rows[part], of = append(rows[part], of[:n]...), of[n:]
		}
	}
	for part, r := range rows[:len(fractions)] {
		if len(r) == 0 {
			return nil, graph.Errorf(graph.ErrValue, "a fraction of %v of %d examples is less than one; take a larger one, or more examples", fractions[part], s.Len())
		}
		random.Shuffle(len(r), func(i, j int) { r[i], r[j] = r[j], r[i] })
	}
	return s.selectAll(rows[:len(fractions)])
}

// apportion divides n rows by shares, which add up to 1, into whole numbers: each share's part rounded down or up. Up go first
// those that would have none, then those that are furthest behind over all labels so far.
func apportion(n int, shares, behind []float64) []int {
	const whole = 1e-9 // as close to a whole number counts as one
	counts, left := make([]int, len(shares)), n
	var up []int // candidates; their remainders add up to what is left, and each is below 1: so there are enough
	for part, share := range shares {
		exact := share * float64(n)
		counts[part] = int(math.Floor(exact + whole))
		left -= counts[part]
		behind[part] += exact - float64(counts[part])
		if exact-float64(counts[part]) > whole {
			up = append(up, part)
		}
	}
	slices.SortStableFunc(up, func(a, b int) int {
		if none := cmp.Compare(min(counts[a], 1), min(counts[b], 1)); none != 0 {
			return none
		}
		return cmp.Compare(behind[b], behind[a])
	})
	for _, part := range up[:left] {
		counts[part]++
		behind[part]--
	}
	return counts
}

// Fold is one round of a cross-validation, as rows of the set.
type Fold struct{ Train, Test []int }

// Sets returns copies of the rows of s that the fold trains with and tests with.
func (f Fold) Sets(s *Set) (train, test *Set, err error) {
	if train, err = s.Select(f.Train); err != nil {
		return nil, nil, err
	}
	test, err = s.Select(f.Test)
	return train, test, err
}

// KFold shuffles the rows and deals them out in k folds, whose sizes differ by at most one. Round i of the cross-validation
// tests with fold i and trains with all others, so that each example is tested with once.
//
//	folds, err := set.KFold(42, 5)
//	for _, fold := range folds {
//		train, test, err := fold.Sets(set)
//	}
//
// It fails if k is below 2 or if there are more folds than examples.
func (s *Set) KFold(seed uint64, k int) ([]Fold, error) {
	c, err := s.columns()
	if err != nil {
		return nil, err
	}
	if err := checkFolds(k, c.len()); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, streamOfFolds))
	return deal(random, random.Perm(c.len()), k), nil
}

// KFoldStratified is KFold with the labels dealt out one after another, so that also the numbers of examples of each label
// differ by at most one between folds.
//
// It fails as KFold does, if Y holds no labels, and if a label that the set has occurs less than k times: some fold would
// have none of it.
func (s *Set) KFoldStratified(seed uint64, k int) ([]Fold, error) {
	labels, err := s.byLabel()
	if err != nil {
		return nil, err
	}
	if err := checkFolds(k, s.Len()); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, streamOfFolds))
	var order []int
	for label, of := range labels {
		if len(of) > 0 && len(of) < k {
			return nil, graph.Errorf(graph.ErrValue, "label %s occurs %s: of %d folds some would have none; take at most %d folds, collect more of it, leave it out, or use KFold",
				s.labelName(label), times(len(of)), k, max(len(of), 2))
		}
		random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		order = append(order, of...)
	}
	return deal(random, order, k), nil
}

// deal gives the rows to k folds in turn, and shuffles what each fold trains and tests with.
func deal(random *rand.Rand, order []int, k int) []Fold {
	folds := make([]Fold, k)
	for i, row := range order {
		for f := range folds {
			if f == i%k {
				folds[f].Test = append(folds[f].Test, row)
			} else {
				folds[f].Train = append(folds[f].Train, row)
			}
		}
	}
	for _, f := range folds {
		random.Shuffle(len(f.Train), func(i, j int) { f.Train[i], f.Train[j] = f.Train[j], f.Train[i] })
		random.Shuffle(len(f.Test), func(i, j int) { f.Test[i], f.Test[j] = f.Test[j], f.Test[i] })
	}
	return folds
}

func checkFractions(fractions []float64) error {
	var sum float64
	for _, f := range fractions {
		if !(f > 0 && f <= 1) {
			return graph.Errorf(graph.ErrValue, "a fraction of %v; each must be above 0 and at most 1", f)
		}
		sum += f
	}
	if len(fractions) == 0 || sum > 1+1e-9 {
		return graph.Errorf(graph.ErrValue, "%d fractions that add up to %v; name at least one, and at most 1 in all", len(fractions), sum)
	}
	return nil
}

func checkFolds(k, examples int) error {
	switch {
	case k < 2:
		return graph.Errorf(graph.ErrValue, "%d folds; a cross-validation takes at least 2", k)
	case k > examples:
		return graph.Errorf(graph.ErrValue, "%d folds of %d examples: some would be empty; take at most %d", k, examples, examples)
	}
	return nil
}

func (s *Set) selectAll(parts [][]int) ([]*Set, error) {
	sets := make([]*Set, len(parts))
	for i, rows := range parts {
		var err error
		if sets[i], err = s.Select(rows); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// labelName names a label for errors.
func (s *Set) labelName(label int) string {
	if label < len(s.Labels) {
		return fmt.Sprintf("%d (%s)", label, s.Labels[label])
	}
	return fmt.Sprint(label)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
