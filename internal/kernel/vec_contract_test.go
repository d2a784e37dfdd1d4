package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// walled is a slice of n elements with wall bands around it that no kernel may write.
type walled[T Float] struct{ whole, x []T }

const wall = 40

func newWalled[T Float](n int) walled[T] {
	w := make([]T, n+2*wall)
	for i := range w {
		w[i] = 12345
	}
	return walled[T]{w, w[wall : wall+n : wall+n]}
}

func (g walled[T]) intact() bool {
	for i, v := range g.whole {
		if (i < wall || i >= len(g.whole)-wall) && v != 12345 {
			return false
		}
	}
	return true
}

// closeTo allows two sets of kernels the sum of their promised errors, and different NaNs.
func closeTo[T Float](got, want T) bool {
	g, w := float64(got), float64(want)
	if g == w || g != g && w != w {
		return true
	}
	eps, tiny := 0x1p-52, 0x1p-1072
	if _, ok := any(got).(float32); ok {
		eps, tiny = 0x1p-23, 0x1p-147
	}
	return math.Abs(g-w) <= 8*eps*math.Abs(w)+tiny
}

func fillTest[T Float](x []T, rng *rand.Rand) {
	for i := range x {
		switch rng.IntN(12) {
		case 0:
			x[i] = T([]float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 1}[rng.IntN(6)])
		default:
			x[i] = T(rng.NormFloat64() * 3)
		}
	}
}

// Every kernel, at every length 0…200, in place and not, writes what the portable twin writes and nothing around it.
func TestEveryLength(t *testing.T) {
	eachSet(t, func(t *testing.T) { everyLength[float32](t); everyLength[float64](t) })
}

func everyLength[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	v, p := vec[T](), portableVec[T]()
	for n := range 201 {
		a, b, c := make([]T, n), make([]T, n), make([]T, n)
		fillTest(a, rng)
		fillTest(b, rng)
		for i := range c {
			c[i] = T(rng.IntN(2))
			if rng.IntN(4) == 0 {
				a[i] = b[i]
			}
		}
		s := []T{1}
		copy(s, b)
		// same runs native with dst apart, dst = a and dst = b, and portable with dst apart.
		same := func(name string, native, portable func(dst, a, b []T)) {
			t.Helper()
			want := make([]T, n)
			portable(want, a, b)
			for alias := range 3 {
				dst := newWalled[T](n)
				x, y := a, b
				switch alias {
				case 1:
					copy(dst.x, a)
					x = dst.x
				case 2:
					copy(dst.x, b)
					y = dst.x
				}
				native(dst.x, x, y)
				if !dst.intact() {
					t.Fatalf("%s: length %d, alias %d: wrote outside", name, n, alias)
				}
				for i, w := range want {
					if !closeTo(dst.x[i], w) {
						t.Fatalf("%T %s: length %d, alias %d, element %d: f(%v, %v) = %v, want %v", w, name, n, alias, i, a[i], b[i], dst.x[i], w)
					}
				}
			}
		}
		for op := OpCopy; op < OpAdd; op++ {
			same(op.String(), func(d, a, _ []T) { v.unary[op](d, a) }, func(d, a, _ []T) { p.unary[op](d, a) })
		}
		for op := OpAdd; op < OpLess; op++ {
			same(op.String(), v.binary[op], p.binary[op])
			same(op.String()+" scalar", func(d, a, _ []T) { v.scalar[op](d, a, s[0]) }, func(d, a, _ []T) { p.scalar[op](d, a, s[0]) })
			same("scalar "+op.String(), func(d, a, _ []T) { v.rscalar[op](d, a, s[0]) }, func(d, a, _ []T) { p.rscalar[op](d, a, s[0]) })
		}
		for op := OpLess; op < OpSelect; op++ {
			same(op.String(), v.truth[op], p.truth[op])
			same(op.String()+" scalar", func(d, a, _ []T) { v.struth[op](d, a, s[0]) }, func(d, a, _ []T) { p.struth[op](d, a, s[0]) })
			sameBools(t, n, op.String(), func(d []bool) { v.compare[op](d, a, b) }, func(d []bool) { p.compare[op](d, a, b) })
			sameBools(t, n, op.String()+" scalar", func(d []bool) { v.cscalar[op](d, a, s[0]) }, func(d []bool) { p.cscalar[op](d, a, s[0]) })
		}
		cond := make([]bool, n)
		NotEqualScalar(cond, c, 0)
		same("select", func(d, a, b []T) { v.selects(d, cond, a, b) }, func(d, a, b []T) { p.selects(d, cond, a, b) })
		same("selectValues", func(d, a, b []T) { v.selectValues(d, c, a, b) }, func(d, a, b []T) { p.selectValues(d, c, a, b) })
		same("accumulate", func(d, a, _ []T) { clear(d); v.accumulate(d, b) }, func(d, a, _ []T) { copy(d, b) })
	}
}

func sameBools(t *testing.T, n int, name string, native, portable func(dst []bool)) {
	t.Helper()
	whole, want := make([]bool, n+32), make([]bool, n)
	native(whole[16 : 16+n])
	portable(want)
	for i, g := range whole {
		w := i >= 16 && i < 16+n && want[i-16]
		if g != w {
			t.Fatalf("%s: length %d, element %d: %v, want %v", name, n, i-16, g, w)
		}
	}
}

// What is longer than a span is done in spans, to the last element.
func TestSpans(t *testing.T) {
	const n = 2*maxSpan + 3
	a, b, dst, cond := make([]float32, n), make([]float32, n), newWalled[float32](n), make([]bool, n)
	for i := range a {
		a[i], b[i] = float32(i%7), float32(i%5)
	}
	verify := func(name string, want func(i int) float32) {
		t.Helper()
		for i, got := range dst.x {
			if got != want(i) {
				t.Fatalf("%s: element %d: %v, want %v", name, i, got, want(i))
			}
		}
		if !dst.intact() {
			t.Fatalf("%s: wrote outside", name)
		}
	}
	Add(dst.x, a, b)
	verify("Add", func(i int) float32 { return a[i] + b[i] })
	SubScalar(dst.x, a, 3)
	verify("SubScalar", func(i int) float32 { return a[i] - 3 })
	Square(dst.x, a)
	verify("Square", func(i int) float32 { return a[i] * a[i] })
	Less(cond, a, b)
	Select(dst.x, cond, a, b)
	verify("Less and Select", func(i int) float32 { return min(a[i], b[i]) })
	GreaterScalar(cond, a, 2)
	Select(dst.x, cond, a, b)
	verify("GreaterScalar and Select", func(i int) float32 {
		if a[i] > 2 {
			return a[i]
		}
		return b[i]
	})
	Activate(ActLeakyReLU, dst.x, b, 2)
	verify("Activate", func(i int) float32 { return b[i] })
	MultiplySlope(ActExp, false, dst.x, a, b, 0)
	verify("MultiplySlope", func(i int) float32 { return a[i] * b[i] })
}

// Reductions at every length and around the blocks of the tree, against plain sums in float64.
func TestReductions(t *testing.T) {
	eachSet(t, func(t *testing.T) { reductionsTest[float32](t, 0x1p-23); reductionsTest[float64](t, 0x1p-52) })
}

func reductionsTest[T Float](t *testing.T, eps float64) {
	rng := rand.New(rand.NewPCG(11, 12))
	lengths := []int{1000, 1023, 1024, 1025, 2047, 2048, 2049, 5000, 40000}
	for n := range 201 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		x, y := make([]T, n), make([]T, n)
		sum, size, squares, dot, dots := 0.0, 0.0, 0.0, 0.0, 0.0
		largest, smallest, first := math.Inf(-1), math.Inf(1), -1
		for i := range x {
			x[i], y[i] = T(rng.NormFloat64()), T(rng.NormFloat64())
			v, w := float64(x[i]), float64(y[i])
			sum += v
			size += math.Abs(v)
			squares += v * v
			dot += v * w
			dots += math.Abs(v * w)
			if v > largest {
				largest, first = v, i
			}
			smallest = min(smallest, v)
		}
		exps := 0.0
		for _, v := range x {
			exps += math.Exp(float64(v) - largest)
		}
		near := func(name string, got T, want, scale float64) {
			t.Helper()
			// The reference is a running sum, with an error of its own.
			if d := math.Abs(float64(got) - want); d > (12*eps+float64(n)*0x1p-54)*scale || got != got && want == want {
				t.Errorf("%T %s of %d: %v, want %v", got, name, n, got, want)
			}
		}
		near("Sum", Sum(x), sum, size)
		near("SumSquares", SumSquares(x), squares, squares)
		near("Dot", Dot(x, y), dot, dots)
		if n > 0 {
			near("MaxValue", MaxValue(x), largest, 0)
			near("MinValue", MinValue(x), smallest, 0)
			near("LogSumExp", LogSumExp(x), largest+math.Log(exps), math.Abs(largest)+1)
		} else if !math.IsInf(float64(MaxValue(x)), -1) || !math.IsInf(float64(MinValue(x)), 1) || !math.IsInf(float64(LogSumExp(x)), -1) {
			t.Errorf("reductions of nothing: %v %v %v", MaxValue(x), MinValue(x), LogSumExp(x))
		}
		if got := ArgMax(x); got != first {
			t.Errorf("ArgMax of %d: %d, want %d", n, got, first)
		}
		if n > 0 {
			k := rng.IntN(n)
			x[k] = T(math.NaN())
			if m, l := MaxValue(x), MinValue(x); m == m || l == l || ArgMax(x) != k {
				t.Errorf("NaN at %d of %d: max %v, min %v, argmax %d", k, n, m, l, ArgMax(x))
			}
		}
	}
}

// Chunks of a power of two of blocks combine to the bits of one call.
func TestSumTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 60 {
		x := make([]float32, rng.IntN(60*ReduceBlock))
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for _, chunk := range []int{ReduceBlock, 2 * ReduceBlock, 8 * ReduceBlock} {
			var parts []float32
			for i := 0; i < len(x); i += chunk {
				parts = append(parts, Sum(x[i:min(i+chunk, len(x))]))
			}
			if got, want := CombineSums(parts), Sum(x); got != want {
				t.Fatalf("%d elements in chunks of %d: %v, want %v", len(x), chunk, got, want)
			}
		}
	}
}

// Softmax rows sum to one and agree with float64, at every width, at ±1e4 and with −∞.
func TestSoftmax(t *testing.T) {
	eachSet(t, func(t *testing.T) { softmaxTest[float32](t, 0x1p-23); softmaxTest[float64](t, 0x1p-52) })
}

func softmaxTest[T Float](t *testing.T, eps float64) {
	rng := rand.New(rand.NewPCG(15, 16))
	for _, cols := range []int{1, 2, 3, 7, 8, 9, 10, 31, 67, 1000, 1024, 3000} {
		for _, scale := range []float64{1, 30, 1e4} {
			const rows = 3
			x := make([]T, rows*cols)
			for i := range x {
				x[i] = T(rng.NormFloat64() * scale)
				if i%cols != 0 && rng.IntN(9) == 0 {
					x[i] = T(math.Inf(-1))
				}
			}
			soft, logs := newWalled[T](len(x)), newWalled[T](len(x))
			Softmax(soft.x, x, rows, cols)
			copy(logs.x, x)
			LogSoftmax(logs.x, logs.x, rows, cols)
			if !soft.intact() || !logs.intact() {
				t.Fatal("wrote outside")
			}
			var m, s float64
			for i := range x {
				if i%cols == 0 {
					row := x[i : i+cols]
					m, s = float64(MaxValue(row)), 0
					for _, v := range row {
						s += math.Exp(float64(v) - m)
					}
				}
				l := float64(x[i]) - m - math.Log(s)
				p := math.Exp(l)
				// x − m is rounded once, and the exponential makes that a relative error of |x − m|·ε/2.
				if got := float64(soft.x[i]); math.Abs(got-p) > (12+math.Abs(float64(x[i])-m))*eps*p+1e-40 {
					t.Fatalf("%T softmax %d cols scale %v: %v, want %v", x[i], cols, scale, got, p)
				}
				if got := float64(logs.x[i]); got != l && math.Abs(got-l) > 4*eps*(math.Abs(l)+1) {
					t.Fatalf("%T logsoftmax %d cols scale %v: %v, want %v", x[i], cols, scale, got, l)
				}
			}
		}
	}
}

// The reductions of rows are those of slices, at every length of a row 0…200 and around the leaf of the tree, with special
// values; the softmax family of many rows is that of one.
func TestRows(t *testing.T) {
	eachSet(t, func(t *testing.T) { rowsTest[float32](t, 0x1p-23); rowsTest[float64](t, 0x1p-52) })
}

func rowsTest[T Float](t *testing.T, eps float64) {
	rng := rand.New(rand.NewPCG(19, 20))
	lengths := []int{1000, 1023, 1024, 1025, 3000}
	for n := range 201 {
		lengths = append(lengths, n)
	}
	for _, cols := range lengths {
		rows := rng.IntN(9)
		if cols < 4 {
			rows = 20000 // more than a span
		}
		x := make([]T, rows*cols)
		for i := range x {
			x[i] = T(rng.NormFloat64())
			if row := i / max(cols, 1); row%4 == 3 && rng.IntN(3) == 0 {
				x[i] = T([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0}[rng.IntN(4)])
			}
		}
		for _, c := range []struct {
			name   string
			rows   func(dst, x []T, rows, cols int)
			single func(x []T) T
		}{
			{"RowSums", RowSums[T], Sum[T]}, {"RowMax", RowMax[T], MaxValue[T]}, {"RowMin", RowMin[T], MinValue[T]}, {"RowLogSumExp", RowLogSumExp[T], LogSumExp[T]},
		} {
			dst := newWalled[T](rows)
			c.rows(dst.x, x, rows, cols)
			if !dst.intact() {
				t.Fatalf("%s of %d columns wrote outside", c.name, cols)
			}
			for i, got := range dst.x {
				row := x[i*cols : (i+1)*cols]
				if want := c.single(row); !closeTo(got, want) && !(math.Abs(float64(got-want)) <= 4*eps*(5+float64(cols))) {
					t.Fatalf("%T %s of %v: %v, want %v", got, c.name, row, got, want)
				}
			}
		}
		for name, f := range map[string]func(dst, x []T, rows, cols int){"Softmax": Softmax[T], "LogSoftmax": LogSoftmax[T]} {
			whole := newWalled[T](len(x))
			f(whole.x, x, rows, cols)
			if !whole.intact() {
				t.Fatalf("%s of %d columns wrote outside", name, cols)
			}
			one := make([]T, cols)
			for i := range rows {
				copy(one, x[i*cols:(i+1)*cols])
				f(one, one, 1, cols)
				for j, want := range one {
					if got := whole.x[i*cols+j]; got != want && (got == got || want == want) {
						t.Fatalf("%T %s row %d of %d columns: %v, alone %v", got, name, i, cols, got, want)
					}
				}
				if undefined := anyNaN(x[i*cols : (i+1)*cols]); undefined && one[0] == one[0] {
					t.Fatalf("%s of a row with NaN: %v", name, one)
				}
			}
		}
	}
}

func anyNaN[T Float](x []T) bool {
	return slices.ContainsFunc(x, func(v T) bool { return v != v })
}

// Nothing that a training step calls allocates.
func TestVectorAllocatesNothing(t *testing.T) {
	x, y, cond := make([]float32, 5000), make([]float64, 5000), make([]bool, 5000)
	var sink float64
	for name, f := range map[string]func(){
		"unary":   func() { Exp(x, x); Exp(y, y) },
		"binary":  func() { Add(x, x, x); MulScalar(y, y, 2); RSubScalar(y, y, 2) },
		"compare": func() { Less(cond, x, x); Select(y, cond, y, y) },
		"reduce":  func() { sink += float64(Sum(x)) + Dot(y, y) + LogSumExp(y) + float64(ArgMax(x)) },
		"rows": func() {
			Softmax(x, x, 5, 1000)
			LogSoftmax(y, y, 50, 100)
			SumRows(y[:10], y, 500, 10)
			RowMax(y[:500], y, 500, 10)
		},
		"random": func() { Uniform(x, 1, 2, 3); Normal(y, 1, 2, 3) },
	} {
		if n := testing.AllocsPerRun(5, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// The kernel sets agree on whatever bits they are given.
func FuzzKernelSets(f *testing.F) {
	for op := OpCopy; op < OpAdd; op++ {
		f.Add(uint64(op), uint8(13), uint8(op))
	}
	f.Fuzz(func(t *testing.T, seed uint64, length, which uint8) {
		op := OpCopy + Op(which)%(OpAdd-OpCopy)
		eachSet(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fuzzSets(t, rng, int(length), op, func() float32 { return math.Float32frombits(rng.Uint32()) })
			fuzzSets(t, rng, int(length), op, func() float64 { return math.Float64frombits(rng.Uint64()) })
		})
	})
}

func fuzzSets[T Float](t *testing.T, rng *rand.Rand, n int, op Op, bits func() T) {
	x, got, want := make([]T, n), make([]T, n), make([]T, n)
	for i := range x {
		x[i] = bits()
		if rng.IntN(2) == 0 {
			x[i] = T(rng.NormFloat64() * 10)
		}
	}
	unary(op, got, x)
	portableVec[T]().unary[op](want, x)
	for i := range x {
		if !closeTo(got[i], want[i]) {
			t.Errorf("%T %v(%v) = %v, want %v", x[i], op, x[i], got[i], want[i])
		}
	}
}
