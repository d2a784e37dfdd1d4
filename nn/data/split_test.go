package data_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// labelled is a set whose example i is [i] and has the given label.
func labelled(classes int, labels ...int64) *data.Set {
	x := make([]float64, len(labels))
	for i := range x {
		x[i] = float64(i)
	}
	return &data.Set{X: tensor.New(tensor.WithShape(len(x), 1), tensor.WithBacking(x)), Y: tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(labels)), Classes: classes}
}

// ids reads back which rows of labelled a set holds, checking that each kept its label.
func ids(t interface{ Fatalf(string, ...any) }, of, part *data.Set) (rows []int) {
	for i, v := range part.X.Float64s() {
		rows = append(rows, int(v))
		if part.Y.Int64s()[i] != of.Y.Int64s()[int(v)] {
			t.Fatalf("row %v came with label %d", v, part.Y.Int64s()[i])
		}
	}
	return rows
}

var anyLabels = rapid.Custom(func(t *rapid.T) *data.Set {
	classes := rapid.IntRange(1, 5).Draw(t, "classes")
	labels := rapid.SliceOfN(rapid.Int64Range(0, int64(classes-1)), 1, 200).Draw(t, "labels")
	return labelled(classes, labels...)
})

var anyFractions = rapid.Custom(func(t *rapid.T) (fractions []float64) {
	shares := rapid.SliceOfN(rapid.IntRange(1, 10), 1, 4).Draw(t, "shares")
	whole := rapid.IntRange(0, 3).Draw(t, "left over")
	for _, s := range shares {
		whole += s
	}
	for _, s := range shares {
		fractions = append(fractions, float64(s)/float64(whole))
	}
	return fractions
})

// The parts of a split hold no example twice, and all of them if the fractions add up to 1. A stratified one has each label's
// share in each part, rounded up or down.
func TestSplitsPartition(t *testing.T) {
	splits, stratified := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		set, fractions, seed := anyLabels.Draw(t, "set"), anyFractions.Draw(t, "fractions"), rapid.Uint64().Draw(t, "seed")
		counts, err := set.Counts()
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, f := range fractions {
			total += f
		}
		for name, split := range map[string]func(uint64, ...float64) ([]*data.Set, error){"plain": set.Split, "stratified": set.SplitStratified} {
			parts, err := split(seed, fractions...)
			if err != nil {
				continue // too few examples for so many parts
			}
			var all []int
			for i, p := range parts {
				rows := ids(t, set, p)
				all = append(all, rows...)
				if name == "plain" {
					continue
				}
				of, err := p.Counts()
				if err != nil {
					t.Fatal(err)
				}
				for label, n := range of {
					if exact := fractions[i] * float64(counts[label]); math.Abs(float64(n)-exact) >= 1 || n == 0 && counts[label] > 0 {
						t.Fatalf("part %d has %d of label %d, whose share is %v", i, n, label, exact)
					}
				}
			}
			if name == "plain" {
				splits++
			} else {
				stratified++
			}
			n := len(all)
			slices.Sort(all)
			if len(slices.Compact(all)) != n || total > 1-1e-9 && n != set.Len() {
				t.Fatalf("%s: %d of %d examples in parts that take %v", name, n, set.Len(), total)
			}
			again, err := split(seed, fractions...)
			if err != nil || !slices.Equal(ids(t, set, again[0]), ids(t, set, parts[0])) {
				t.Fatalf("%s: the seed does not decide: %v", name, err)
			}
		}
	})
	if !testing.Short() && (splits < 20 || stratified < 20) { // short, there are few draws
		t.Errorf("only %d plain and %d stratified splits were possible", splits, stratified)
	}
}

// Each example is tested with in exactly one fold, and trained with in all others; no fold is larger than another by more
// than one, nor in any label.
func TestFoldsPartition(t *testing.T) {
	plain, stratified := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		set, k, seed := anyLabels.Draw(t, "set"), rapid.IntRange(2, 8).Draw(t, "k"), rapid.Uint64().Draw(t, "seed")
		counts, err := set.Counts()
		if err != nil {
			t.Fatal(err)
		}
		even := func(what string, sizes []int) {
			if slices.Max(sizes)-slices.Min(sizes) > 1 {
				t.Fatalf("%s in folds: %v", what, sizes)
			}
		}
		for name, fold := range map[string]func(uint64, int) ([]data.Fold, error){"plain": set.KFold, "stratified": set.KFoldStratified} {
			folds, err := fold(seed, k)
			if enough := k <= set.Len(); name == "plain" && enough != (err == nil) {
				t.Fatalf("%d folds of %d examples: %v", k, set.Len(), err)
			}
			if err != nil {
				if name == "stratified" && !slices.ContainsFunc(counts, func(n int) bool { return n > 0 && n < k }) {
					t.Fatalf("%d folds of %v: %v", k, counts, err)
				}
				continue
			}
			if name == "plain" {
				plain++
			} else {
				stratified++
			}
			var tested, sizes []int
			perLabel := make([][]int, set.Classes)
			for _, f := range folds {
				train, test, err := f.Sets(set)
				if err != nil {
					t.Fatal(err)
				}
				both := append(ids(t, set, train), ids(t, set, test)...)
				slices.Sort(both)
				if !slices.Equal(both, upTo(set.Len())) {
					t.Fatalf("%s: a fold's training and test rows are %v", name, both)
				}
				tested, sizes = append(tested, f.Test...), append(sizes, len(f.Test))
				of, err := test.Counts()
				if err != nil {
					t.Fatal(err)
				}
				for label, n := range of {
					perLabel[label] = append(perLabel[label], n)
				}
			}
			slices.Sort(tested)
			if len(folds) != k || !slices.Equal(tested, upTo(set.Len())) {
				t.Fatalf("%s: %d folds test %v", name, len(folds), tested)
			}
			even(name+": examples", sizes)
			for _, sizes := range perLabel {
				if name == "stratified" {
					even("examples of a label", sizes)
				}
			}
		}
	})
	if !testing.Short() && (plain < 20 || stratified < 10) {
		t.Errorf("only %d plain and %d stratified cross-validations were possible", plain, stratified)
	}
}

func TestStratifiedKeepsProportions(t *testing.T) {
	digits, err := data.Digits(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := digits.SplitStratified(1, 0.5, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	// 178, 182, 177, 183, 181, 182, 181, 179, 174 and 180 images of the digits: what is odd goes to the part that is behind.
	want := [][]int{{89, 91, 89, 91, 91, 91, 90, 90, 87, 90}, {89, 91, 88, 92, 90, 91, 91, 89, 87, 90}}
	for i, p := range parts {
		got, err := p.Counts()
		if err != nil || !slices.Equal(got, want[i]) {
			t.Errorf("part %d: %v, want %v; %v", i, got, want[i], err)
		}
	}
}

func TestSplitsSayWhatIsWrong(t *testing.T) {
	targets := &data.Set{X: tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float64{1, 2})), Y: tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 2}))}
	named := labelled(3, 0, 0, 0, 0, 1, 2, 2, 2, 2)
	named.Labels = []string{"ape", "bee", "cow"}
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a label that occurs once", func() error { _, err := named.SplitStratified(1, 0.5, 0.5); return err },
			"label 1 (bee) occurs once: the part of 0.5 would have none; collect more of it, leave it out, take other fractions, or use Split"},
		{"a label that is too rare for the folds", func() error { _, err := named.KFoldStratified(1, 2); return err },
			"label 1 (bee) occurs once: of 2 folds some would have none; take at most 2 folds, collect more of it, leave it out, or use KFold"},
		{"more folds than labels", func() error { _, err := labelled(1, 0, 0, 0).KFoldStratified(1, 4); return err }, "4 folds of 3 examples: some would be empty; take at most 3"},
		{"more folds than rows", func() error { _, err := labelled(1, 0, 0, 0).KFold(1, 4); return err }, "4 folds of 3 examples: some would be empty; take at most 3"},
		{"one fold", func() error { _, err := labelled(1, 0, 0, 0).KFold(1, 1); return err }, "takes at least 2"},
		{"no rows in folds", func() error { _, err := labelled(1).KFold(1, 2); return err }, "2 folds of 0 examples"},
		{"folds of nothing", func() error { _, err := (*data.Set)(nil).KFold(1, 2); return err }, "nil *data.Set"},
		{"no rows", func() error { _, err := labelled(1).SplitStratified(1, 1); return err }, "less than one; take a larger one, or more examples"},
		{"one row in two parts", func() error { _, err := labelled(1, 0).Split(1, 0.5, 0.5); return err }, "is less than one; take a larger one"},
		{"targets", func() error { _, err := targets.SplitStratified(1, 0.5, 0.5); return err }, "float64 in Y and 0 classes has no labels to go by"},
		{"a label past the classes", func() error { _, err := labelled(2, 0, 1, 2).SplitStratified(1, 1); return err }, "row 2 has label 2; with 2 classes they go from 0 to 1"},
		{"a negative label", func() error { _, err := labelled(2, 0, -1).KFoldStratified(1, 2); return err }, "row 1 has label -1"},
		{"too much", func() error { _, err := named.SplitStratified(1, 0.5, 0.6); return err }, "at most 1 in all"},
		{"a fraction of nothing", func() error { _, err := named.SplitStratified(1, 0); return err }, "each must be above 0"},
	} {
		if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	one, err := labelled(1, 0).Split(1, 1)
	if err != nil || one[0].Len() != 1 {
		t.Errorf("one row in one part: %v", err)
	}
	halves, err := targets.Split(1, 0.5, 0.5)
	if err != nil || halves[0].Y.Float64s()[0] != halves[0].X.Float64s()[0] {
		t.Errorf("a split of targets: %v", err)
	}
}

func TestNewSet(t *testing.T) {
	x := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	for _, y := range []any{[]int{0, 4, 1}, []int32{0, 4, 1}, []int64{0, 4, 1}, []uint8{0, 4, 1}} {
		s, err := data.NewSet(x, tensor.New(tensor.WithShape(3), tensor.WithBacking(y)))
		if err != nil || s.Classes != 5 || !slices.Equal(s.Y.Int64s(), []int64{0, 4, 1}) {
			t.Errorf("%T: %+v, %v", y, s, err)
		}
	}
	s, err := data.NewSet(x, tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6})))
	if err != nil || s.Classes != 0 {
		t.Fatalf("two targets: %+v, %v", s, err)
	}
	last, err := s.Select([]int{2})
	if err != nil || !slices.Equal(last.Y.Float64s(), []float64{5, 6}) {
		t.Errorf("selected %v, %v", last, err)
	}
	for name, c := range map[string]struct {
		x, y *tensor.Dense
		want string
	}{
		"a negative label": {x, tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{0, -1, 2})), "row 1 has label -1"},
		"NaN in features":  {tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, float32(math.NaN())})), tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{0, 1})), "feature 1 of example 1 is NaN; leave the example out"},
		"NaN as target":    {x, tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, math.Inf(-1), 3})), "target 0 of example 1 is -Inf"},
		"too few":          {x, tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{0, 1})), "examples of shape (3, 2) and labels of shape (2)"},
		"no labels":        {x, nil, "nil"},
		"text":             {x, tensor.New(tensor.WithShape(3), tensor.WithBacking([]string{"a", "b", "c"})), "string"},
		"labels in rows":   {x, tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(make([]int64, 6))), "a set has"},
		"whole examples":   {tensor.New(tensor.WithShape(3, 2), tensor.WithBacking(make([]int64, 6))), tensor.New(tensor.WithShape(3), tensor.WithBacking(make([]int64, 3))), "AsType converts"},
	} {
		if _, err := data.NewSet(c.x, c.y); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestOnly(t *testing.T) {
	iris, err := data.Iris(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	petals, err := iris.Only(3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(petals.Features, []string{"petal_width_cm", "petal_length_cm"}) || !slices.Equal(petals.X.Float32s()[:4], []float32{0.2, 1.4, 0.2, 1.4}) {
		t.Errorf("%q: %v", petals.Features, petals.X.Float32s()[:4])
	}
	if petals.Len() != 150 || petals.Classes != 3 || !slices.Equal(petals.Y.Int64s(), iris.Y.Int64s()) || !slices.Equal(petals.Labels, iris.Labels) {
		t.Errorf("%d examples, %d classes", petals.Len(), petals.Classes)
	}
	for _, features := range [][]int{nil, {4}, {-1}, {0, 9}} {
		if _, err := iris.Only(features...); err == nil {
			t.Errorf("features %v: no error", features)
		}
	}
	if _, err := (*data.Set)(nil).Only(0); err == nil {
		t.Error("of nil: no error")
	}
}
