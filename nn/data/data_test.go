package data_test

import (
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

// numbered is a set whose example i is [i, 10·i] with the label i mod 3.
func numbered(n int) *data.Set {
	x, y := make([]float32, 2*n), make([]int64, n)
	for i := range n {
		x[2*i], x[2*i+1], y[i] = float32(i), float32(10*i), int64(i%3)
	}
	return &data.Set{X: tensor.New(tensor.WithShape(n, 2), tensor.WithBacking(x)), Y: tensor.New(tensor.WithShape(n), tensor.WithBacking(y)), Classes: 3}
}

// rowsOf reads back which rows of numbered a tensor holds, checking that rows and labels stayed together.
func rowsOf(t *testing.T, x, y *tensor.Dense) (rows []int) {
	t.Helper()
	values, labels := x.Float32s(), y.Int64s()
	if !slices.Equal([]int(x.Shape()), []int{len(labels), 2}) {
		t.Fatalf("shape %v with %d labels", x.Shape(), len(labels))
	}
	for i, label := range labels {
		row := int(values[2*i])
		if values[2*i+1] != float32(10*row) || label != int64(row%3) {
			t.Fatalf("row %d came as %v with label %d", row, values[2*i:2*i+2], label)
		}
		rows = append(rows, row)
	}
	return rows
}

func upTo(n int) (rows []int) {
	for i := range n {
		rows = append(rows, i)
	}
	return rows
}

// The counts of each class are those that the source's description (optdigits.names) gives for its test part.
func TestDigits(t *testing.T) {
	for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
		set, err := data.Digits(dtype)
		if err != nil {
			t.Fatal(err)
		}
		x, err := graph.ArrayOf(set.X)
		if err != nil {
			t.Fatal(err)
		}
		if x.DType != dtype || !slices.Equal(x.Shape, []int{1797, 64}) || !slices.Equal([]int(set.Y.Shape()), []int{1797}) || set.Len() != 1797 || set.Classes != 10 {
			t.Errorf("X: %v%v, Y: %v, Len %d, %d classes", x.DType, x.Shape, set.Y.Shape(), set.Len(), set.Classes)
		}
		counts := make([]int, 10)
		for _, label := range set.Y.Int64s() {
			counts[label]++
		}
		if want := []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; !slices.Equal(counts, want) {
			t.Errorf("images of each digit: %v, want %v", counts, want)
		}
		pixels := make([]byte, x.Len())
		for i := range pixels {
			v := x.At(i)
			if v != math.Trunc(v) || v < 0 || v > 16 {
				t.Fatalf("pixel %d is %v", i, v)
			}
			pixels[i] = byte(v)
		}
		// The CRC-32 of the pixels, a byte each, as Python's csv and zlib modules find it.
		if got := crc32.ChecksumIEEE(pixels); got != 0xf3a2533c {
			t.Errorf("%v: checksum of the pixels %#x", dtype, got)
		}
	}
	if _, err := data.Digits(graph.Int32); err == nil {
		t.Error("digits as int32: no error")
	}
}

func TestDigitsAreOnesOwn(t *testing.T) {
	a, _ := data.Digits(graph.Float32)
	a.X.Float32s()[0], a.Y.Int64s()[0] = -1, -1
	b, _ := data.Digits(graph.Float32)
	if b.X.Float32s()[0] == -1 || b.Y.Int64s()[0] == -1 {
		t.Error("what one caller writes another one reads")
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		n         int
		fractions []float64
		want      []int
	}{
		{1797, []float64{0.7, 0.15, 0.15}, []int{1258, 269, 270}},
		{10, []float64{1}, []int{10}},
		{10, []float64{0.5, 0.25}, []int{5, 3}},
		{3, []float64{1. / 3, 1. / 3, 1. / 3}, []int{1, 1, 1}},
		{10, []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		split := func(seed uint64) (sizes, rows []int) {
			parts, err := numbered(c.n).Split(seed, c.fractions...)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				if p.Classes != 3 {
					t.Errorf("%d classes", p.Classes)
				}
				sizes, rows = append(sizes, p.Len()), append(rows, rowsOf(t, p.X, p.Y)...)
			}
			return sizes, rows
		}
		sizes, rows := split(1)
		if !slices.Equal(sizes, c.want) {
			t.Errorf("%d by %v: %v, want %v", c.n, c.fractions, sizes, c.want)
		}
		_, again := split(1)
		_, other := split(2)
		if !slices.Equal(rows, again) || c.n > 3 && slices.Equal(rows, other) {
			t.Errorf("%d by %v: the seed does not decide how it is split", c.n, c.fractions)
		}
		slices.Sort(rows)
		if len(slices.Compact(rows)) != sum(c.want) {
			t.Errorf("%d by %v: parts overlap", c.n, c.fractions)
		}
	}
	for _, fractions := range [][]float64{nil, {0.5, 0.6}, {0}, {-0.1, 0.5}, {math.NaN()}, {1.5}, {0.5, 0.001}} {
		if _, err := numbered(10).Split(1, fractions...); err == nil {
			t.Errorf("10 by %v: no error", fractions)
		}
	}
}

func sum(list []int) (total int) {
	for _, v := range list {
		total += v
	}
	return total
}

func TestSelectAndGather(t *testing.T) {
	set := numbered(5)
	some, err := set.Select([]int{4, 0, 4})
	if err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, some.X, some.Y); !slices.Equal(got, []int{4, 0, 4}) {
		t.Errorf("selected %v", got)
	}
	if none, err := set.Select(nil); err != nil || none.Len() != 0 {
		t.Errorf("no rows: %v, %v", none.Len(), err)
	}

	x, y := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 2)), tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(2))
	if err := set.Gather([]int{3, 1}, x, y); err != nil || !slices.Equal(rowsOf(t, x, y), []int{3, 1}) {
		t.Errorf("gathered %v, %v", x, err)
	}
	rows := []int{2, 0}
	if n := testing.AllocsPerRun(100, func() { _ = set.Gather(rows, x, y) }); n != 0 {
		t.Errorf("Gather allocates %v times", n)
	}

	transposed := tensor.New(tensor.WithShape(2, 5), tensor.WithBacking(make([]float32, 10)))
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	wide := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 3))
	double := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, 2))
	for name, err := range map[string]error{
		"a row past the end":      set.Gather([]int{0, 5}, x, y),
		"a row below 0":           set.Gather([]int{-1, 0}, x, y),
		"more rows than room":     set.Gather([]int{0, 1, 2}, x, y),
		"other features":          set.Gather(rows, wide, y),
		"another dtype":           set.Gather(rows, double, y),
		"no tensor":               set.Gather(rows, nil, y),
		"a view to write to":      set.Gather(rows, transposed, y),
		"an empty set":            new(data.Set).Gather(rows, x, y),
		"examples without labels": (&data.Set{X: set.X, Y: y}).Gather(rows, x, y),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := rowsOf(t, x, y); !slices.Equal(got, rows) {
		t.Errorf("a Gather that failed left %v", got)
	}
}

func TestBatches(t *testing.T) {
	for _, c := range []struct {
		n, size int
		want    []int
	}{
		{10, 4, []int{4, 4, 2}},
		{8, 4, []int{4, 4}},
		{3, 100, []int{3}},
		{3, 1, []int{1, 1, 1}},
	} {
		epoch := func(b *data.Batches, number int) (sizes, rows []int) {
			for b.Start(number); b.Next(); {
				sizes, rows = append(sizes, b.Size()), append(rows, rowsOf(t, b.Batch().X, b.Batch().Y)...)
			}
			return sizes, rows
		}
		b, err := data.NewBatches(numbered(c.n), c.size, 7)
		if err != nil {
			t.Fatal(err)
		}
		if b.Batch() != nil || b.Size() != 0 {
			t.Error("a batch before the first Next")
		}
		_, first := epoch(b, 1)
		sizes, second := epoch(b, 2)
		if !slices.Equal(sizes, c.want) || b.Len() != len(c.want) {
			t.Errorf("%d in batches of %d: %v, want %v; Len %d", c.n, c.size, sizes, c.want, b.Len())
		}
		fresh, _ := data.NewBatches(numbered(c.n), c.size, 7)
		if _, again := epoch(fresh, 2); !slices.Equal(second, again) {
			t.Errorf("%d in batches of %d: epoch 2 depends on what came before", c.n, c.size)
		}
		if c.n > 3 && slices.Equal(first, second) {
			t.Error("two epochs in the same order")
		}
		slices.Sort(second)
		if !slices.Equal(second, upTo(c.n)) {
			t.Errorf("%d in batches of %d: an epoch saw %v", c.n, c.size, second)
		}
	}

	b, err := data.NewBatches(numbered(100), 32, 7)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() {
		for b.Start(1); b.Next(); {
		}
	}); n > 1 { // an epoch's generator may be one
		t.Errorf("an epoch of %d batches allocates %v times", b.Len(), n)
	}
	for _, size := range []int{0, -1} {
		if _, err := data.NewBatches(numbered(3), size, 1); err == nil {
			t.Errorf("batches of %d: no error", size)
		}
	}
	if _, err := data.NewBatches(nil, 4, 1); err == nil {
		t.Error("batches of nil: no error")
	}
}

func TestMinMax(t *testing.T) {
	x := tensor.New(tensor.WithShape(3, 3), tensor.WithBacking([]float64{0, 5, 7, 4, 5, 8, 2, 5, 9}))
	each, err := data.FitMinMax(x)
	if err != nil {
		t.Fatal(err)
	}
	joint, err := data.FitMinMaxJoint(x)
	if err != nil {
		t.Fatal(err)
	}
	test := tensor.New(tensor.WithShape(1, 3), tensor.WithBacking([]float64{8, 6, 8}))
	for name, c := range map[string]struct {
		m    *data.MinMax
		want []float64
	}{
		"each feature by itself": {each, []float64{2, 1, 0.5}}, // the second was constant: the distance
		"all features together":  {joint, []float64{8. / 9, 6. / 9, 8. / 9}},
	} {
		scaled, err := c.m.Apply(test)
		if err != nil || !slices.Equal(scaled.Float64s(), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, scaled, err, c.want)
			continue
		}
		back, err := c.m.Invert(scaled)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range back.Float64s() {
			if math.Abs(v-test.Float64s()[i]) > 1e-15 {
				t.Errorf("%s: feature %d comes back as %v", name, i, v)
			}
		}
	}
	if !slices.Equal(test.Float64s(), []float64{8, 6, 8}) {
		t.Error("Apply wrote to its argument")
	}
	for name, bad := range map[string]*tensor.Dense{
		"a NaN":    tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{1, math.NaN()})),
		"labels":   tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{1, 2})),
		"integers": tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]int64{1, 2})),
		"nil":      nil,
	} {
		if _, err := data.FitMinMax(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := each.Apply(tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float64{1, 2}))); err == nil {
		t.Error("a scaling of 3 features applied to 2: no error")
	}
	if _, err := new(data.MinMax).Apply(x); err == nil {
		t.Error("a scaling that was fitted to nothing: no error")
	}
}
