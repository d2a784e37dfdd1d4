package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// accuracy is the table of promises: the largest error of each function in units of the last place, over every argument.
var accuracy = []struct {
	op        Op
	f32, f64  float64
	reference func(float64) float64       // for float32: accurate to well under a float32 ULP
	exact     func(*big.Float) *big.Float // for float64
	lo, hi    float64                     // where the float64 result is finite and not yet constant
}{
	{OpExp, 1, 2, math.Exp, refExp, -745.2, 709.78},
	{OpExpm1, 2, 2, math.Expm1, refExpm1, -40, 709.78},
	{OpExp2, 2, 2, math.Exp2, refExp2, -1074, 1023.9},
	{OpLog, 1, 2, math.Log, refLog, 0, math.MaxFloat64},
	{OpLog2, 2, 2, logarithm2, refLog2, 0, math.MaxFloat64},
	{OpLog1p, 2, 2, math.Log1p, refLog1p, -1 + 0x1p-53, math.MaxFloat64},
	{OpTanh, 3, 4, math.Tanh, refTanh, -20, 20},
	{OpSigmoid, 2, 4, sigmoid, refSigmoid, -745, 40},
	{OpSoftplus, 2, 4, softplus, refSoftplus, -745, 60},
	{OpErf, 3, 4, math.Erf, refErf, -6, 6},
	{OpSin, 2, 3, math.Sin, refSin, -32767, 32767},
	{OpCos, 2, 3, math.Cos, refCos, -32767, 32767},
	{OpRsqrt, 2, 2, func(x float64) float64 { return 1 / math.Sqrt(x) }, refRsqrt, 0, math.MaxFloat64},
}

// measured collects the largest errors by function and set, and prints them beside the promises.
type measured struct {
	names  []string
	sets   []string
	worst  map[[2]string]float64
	bounds map[string]float64
}

// add enters an error; a larger one than promised fails the test.
func (m *measured) add(t *testing.T, name, set string, bound, worst float64, at any) {
	t.Helper()
	if m.worst == nil {
		m.worst, m.bounds = map[[2]string]float64{}, map[string]float64{}
	}
	if _, ok := m.bounds[name]; !ok {
		m.names = append(m.names, name)
		m.bounds[name] = bound
	}
	if !slices.Contains(m.sets, set) {
		m.sets = append(m.sets, set)
	}
	m.worst[[2]string{name, set}] = worst
	if !(worst <= bound) {
		t.Errorf("%s, %s: %.3f ULP at %v, promised %v", name, set, worst, at, bound)
	}
}

func (m *measured) log(t *testing.T, title string) {
	var b strings.Builder
	fmt.Fprintf(&b, "largest errors in ULP, %s\n%-18s%9s", title, "", "promised")
	for _, s := range m.sets {
		fmt.Fprintf(&b, "%10s", s)
	}
	for _, name := range m.names {
		fmt.Fprintf(&b, "\n%-18s%9.0f", name, m.bounds[name])
		for _, s := range m.sets {
			fmt.Fprintf(&b, "%10.2f", m.worst[[2]string{name, s}])
		}
	}
	t.Log(b.String())
}

// ulps32 is the distance of got from want in units of the last place of float32 at want; 0 for equal special values.
func ulps32(got float32, want float64) float64 {
	w := float32(want)
	switch {
	case math.IsNaN(want) || math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0) || got != got:
		if got == w || got != got && w != w {
			return 0
		}
		return math.Inf(1)
	case want == 0:
		if got == 0 && math.Signbit(float64(got)) == math.Signbit(want) {
			return 0
		}
		return math.Inf(1)
	}
	return math.Abs(float64(got)-want) / ulp32(want)
}

// ulp32 is the distance of float32 numbers at v.
func ulp32(v float64) float64 {
	_, e := math.Frexp(v)
	return math.Ldexp(1, max(e-24, -149))
}

// ulps64 is the same for float64; a result smaller than floor counts as that large.
func ulps64(got float64, want *big.Float, floor float64) float64 {
	e := max(want.MantExp(nil)-53, -1074)
	if floor != 0 {
		e = max(e, math.Ilogb(floor)-52)
	}
	d := new(big.Float).Sub(want, ref(got))
	d.SetMantExp(d, -e)
	v, _ := d.Float64()
	return math.Abs(v)
}

// stride32 is the step through the float32 bit patterns, actStride32 that for the activations; the build tag long takes every one.
var stride32, actStride32 = uint32(16381), uint32(16381)

func TestAccuracyFloat32(t *testing.T) {
	var table measured
	for _, a := range accuracy {
		t.Run(a.op.String(), func(t *testing.T) {
			sweep32(t, &table, a.op.String(), a.f32, stride32, func(y, x []float32) { unary(a.op, y, x) }, a.reference, nil)
		})
	}
	table.log(t, "float32")
}

// sweep32 enters the largest error of f with each set of kernels over the float32 bit patterns in steps of stride. Results
// smaller than floor(x) count as that large; nil: as they are.
func sweep32(t *testing.T, table *measured, name string, bound float64, stride uint32, f func(y, x []float32), reference, floor func(x float64) float64) {
	const block = 1 << 15
	x, y := make([]float32, block), make([]float32, block)
	want, unit := make([]float64, block), make([]float64, block)
	worst, at := map[string]float64{}, map[string]float32{}
	var sets []string
	for b := uint64(0); b < 1<<32; {
		for i := range x {
			x[i] = math.Float32frombits(uint32(b))
			b += uint64(stride)
			want[i] = reference(float64(x[i]))
			if unit[i] = 0; floor != nil { // 0: that of the result
				if c := floor(float64(x[i])); math.Abs(want[i]) < c {
					unit[i] = ulp32(c)
				}
			}
		}
		sets = sets[:0]
		withEachSet(func() {
			f(y, x)
			largest, where := worst[Set()], at[Set()]
			for i, got := range y {
				var u float64
				if unit[i] != 0 {
					u = math.Abs(float64(got)-want[i]) / unit[i]
				} else {
					u = ulps32(got, want[i])
				}
				if !(u <= largest) {
					largest, where = u, x[i]
				}
			}
			worst[Set()], at[Set()] = largest, where
			sets = append(sets, Set())
		})
	}
	for _, s := range sets {
		table.add(t, name, s, bound, worst[s], at[s])
	}
}

// points64 are arguments for the float64 functions: spread over all magnitudes, over the interval where the function
// varies, and around the seams of the formulas.
func points64(lo, hi float64, n int, rng *rand.Rand) []float64 {
	var x []float64
	keep := func(v float64) {
		if v >= lo && v <= hi && v != 0 {
			x = append(x, v)
		}
	}
	for range n {
		keep(math.Ldexp(rng.Float64()*2-1, rng.IntN(2100)-1060))
		keep(math.Ldexp(rng.Float64()*2-1, rng.IntN(20)-10))
		if math.IsInf(hi-lo, 0) || hi > 1e6 {
			keep(rng.Float64() * 4)
		} else {
			keep(lo + (hi-lo)*rng.Float64())
		}
	}
	for _, seam := range []float64{1, -1, math.Ln2 / 2, -math.Ln2 / 2, math.Sqrt2, math.Sqrt2 / 2, math.Sqrt2 - 1, math.Log(math.Sqrt2 - 1), 1e-8, -1e-8, 22, 0x1p-1022, 709.6} {
		for _, d := range []float64{-1e-3, -1e-9, -0x1p-52, 0, 0x1p-52, 1e-9, 1e-3} {
			keep(seam * (1 + d))
		}
	}
	return x
}

var count64 = 700

func TestAccuracyFloat64(t *testing.T) {
	var table measured
	for _, a := range accuracy {
		t.Run(a.op.String(), func(t *testing.T) {
			x := points64(a.lo, a.hi, count64, rand.New(rand.NewPCG(1, uint64(a.op))))
			want := references64(a.exact, x)
			withEachSet(func() {
				worst, at := worst64(func(y, x []float64) { unary(a.op, y, x) }, x, want, nil)
				table.add(t, a.op.String(), Set(), a.f64, worst, at)
			})
		})
	}
	table.log(t, "float64")
}

// references64 is exact at the points x.
func references64(exact func(*big.Float) *big.Float, x []float64) []*big.Float {
	want := make([]*big.Float, len(x))
	for i, v := range x {
		want[i] = exact(ref(v))
	}
	return want
}

// worst64 is the largest error of f at the points x, and where it is.
func worst64(f func(y, x []float64), x []float64, want []*big.Float, floor func(x float64) float64) (worst, at float64) {
	y := make([]float64, len(x))
	f(y, x)
	for i, v := range x {
		c := 0.0
		if floor != nil {
			c = floor(v)
		}
		if u := ulps64(y[i], want[i], c); u > worst || math.IsNaN(y[i]) {
			worst, at = u, v
		}
	}
	return worst, at
}

// Special values of every function of one operand agree with package math, sign of zero included.
func TestSpecialValues(t *testing.T) {
	eachSet(t, func(t *testing.T) { specialValues[float32](t); specialValues[float64](t) })
}

func specialValues[T Float](t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := []T{0, T(math.Copysign(0, -1)), T(inf), T(-inf), T(nan), -1, 1, -2, 1e4, -1e4, T(math.Copysign(nan, -1))}
	y := make([]T, len(x))
	p := portableVec[T]()
	for op := OpCopy; op < OpAdd; op++ {
		unary(op, y, x)
		want := make([]T, len(x))
		p.unary[op](want, x)
		for i := range x {
			g, w := float64(y[i]), float64(want[i])
			same := g == w && math.Signbit(g) == math.Signbit(w) || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) < 1e-6*math.Abs(w)
			if !same {
				t.Errorf("%s %s(%v) = %v, want %v", fmt.Sprintf("%T", x[i]), op, x[i], g, w)
			}
		}
	}
}
