package ops_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"pgregory.net/rapid"
)

// fold reduces naively: elements that share the index outside the axes, in row-major order.
func fold(x graph.Array, axes []int) (shape, kept []int, groups [][]float64) {
	for axis, s := range x.Shape {
		if slices.Contains(axes, axis) {
			kept = append(kept, 1)
		} else {
			shape, kept = append(shape, s), append(kept, s)
		}
	}
	n := 1
	for _, s := range shape {
		n *= s
	}
	groups = make([][]float64, n)
	each(x.Shape, func(p int, i []int) {
		to := 0
		for axis := range i {
			if !slices.Contains(axes, axis) {
				to = to*x.Shape[axis] + i[axis]
			}
		}
		groups[to] = append(groups[to], x.At(p))
	})
	return shape, kept, groups
}

func sum(list []float64) (s float64) {
	for _, v := range list {
		s += v
	}
	return s
}

func largest(list []float64) float64 {
	m := math.Inf(-1)
	for _, v := range list { // math.Max would let +Inf win over NaN
		switch {
		case v != v:
			return v
		case v > m:
			m = v
		}
	}
	return m
}

func smallest(list []float64) float64 {
	negated := slices.Clone(list)
	for i := range negated {
		negated[i] = -negated[i]
	}
	return -largest(negated)
}

func product(list []float64) float64 {
	p := 1.0
	for _, v := range list {
		p *= v
	}
	return p
}

func logSumExp(list []float64) float64 {
	m := largest(list)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	s, lost := 0.0, 0.0
	for _, v := range list { // compensated: the oracle of long sums must not be worse than they are
		e := math.Exp(v-m) - lost
		lost = (s + e) - s - e
		s += e
	}
	return m + math.Log(s)
}

func variance(ddof int) func(list []float64) float64 {
	return func(list []float64) float64 {
		m, q := sum(list)/float64(len(list)), 0.0
		for _, v := range list {
			q += (v - m) * (v - m)
		}
		return q / math.Max(float64(len(list)-ddof), 0)
	}
}

// reductionCases say what each reduction is of a list.
var reductionCases = []struct {
	name   string
	plain  func(*graph.Node, ...int) *graph.Node
	keep   func(*graph.Node, ...int) *graph.Node
	want   func([]float64) float64
	values *rapid.Generator[float64]
	empty  bool // no elements have a value
	ulps   float64
	types  []graph.DType
	gives  func(graph.DType) graph.DType // nil: its operand's type
}{
	// Quarters add exactly, so every order of summation gives the same bits.
	{"sum", ops.Sum, ops.SumKeep, sum, rapid.Map(rapid.IntRange(-40, 40), func(i int) float64 { return float64(i) / 4 }), true, 1, numberTypes, nil},
	{"mean", ops.Mean, ops.MeanKeep, func(v []float64) float64 { return sum(v) / float64(len(v)) }, rapid.Map(rapid.IntRange(-40, 40), func(i int) float64 { return float64(i) / 4 }), false, 1, floatTypes, nil},
	// Powers of two and zeros multiply exactly as long as they do not leave the range.
	{"prod", ops.Prod, ops.ProdKeep, product, rapid.SampledFrom([]float64{1, 1, 1, -1, -1, 2, 0.5}), true, 1, floatTypes, nil},
	{"prod of integers", ops.Prod, ops.ProdKeep, product, rapid.SampledFrom([]float64{1, 1, 1, -1, 2, 0}), true, 1, []graph.DType{graph.Int64}, nil},
	{"max", ops.Max, ops.MaxKeep, largest, rapid.OneOf(ordinary, rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 3, 3})), false, 1, numberTypes, nil},
	{"min", ops.Min, ops.MinKeep, smallest, rapid.OneOf(ordinary, rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 3, 3})), false, 1, numberTypes, nil},
	{"logsumexp", ops.LogSumExp, ops.LogSumExpKeep, logSumExp, rapid.OneOf(rapid.Float64Range(3, 9), rapid.SampledFrom([]float64{math.Inf(-1), math.Inf(-1), 500, 700})), true, 20, floatTypes, nil},
	{"logsumexp of anything", ops.LogSumExp, ops.LogSumExpKeep, logSumExp, rapid.SampledFrom([]float64{math.Inf(-1), math.Inf(1), math.NaN(), math.Inf(-1), math.Inf(-1)}), true, 0, floatTypes, nil},
	{"var", func(x *graph.Node, axes ...int) *graph.Node { return ops.Var(x, 1, axes...) }, func(x *graph.Node, axes ...int) *graph.Node { return ops.VarKeep(x, 1, axes...) }, variance(1), rapid.Float64Range(999, 1001), false, 1 << 16, []graph.DType{graph.Float64}, nil},
	{"std", func(x *graph.Node, axes ...int) *graph.Node { return ops.Std(x, 0, axes...) }, func(x *graph.Node, axes ...int) *graph.Node { return ops.StdKeep(x, 0, axes...) }, func(v []float64) float64 { return math.Sqrt(variance(0)(v)) }, rapid.Float64Range(-1, 1), false, 1 << 16, []graph.DType{graph.Float64}, nil},
	{"any", ops.Any, ops.AnyKeep, func(v []float64) float64 {
		return map[bool]float64{true: 1}[slices.Contains(v, 1)]
	}, rapid.SampledFrom([]float64{0, 0, 0, 1}), true, 0, []graph.DType{graph.Bool}, nil},
	{"all", ops.All, ops.AllKeep, func(v []float64) float64 {
		return map[bool]float64{true: 1}[!slices.Contains(v, 0)]
	}, rapid.SampledFrom([]float64{1, 1, 1, 0}), true, 0, []graph.DType{graph.Bool}, nil},
	{"count", ops.CountNonzero, nil, func(v []float64) (n float64) {
		for _, u := range v {
			if u != 0 {
				n++
			}
		}
		return n
	}, rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.NaN(), 0}), true, 0, allTypes, func(graph.DType) graph.DType { return graph.Int64 }},
}

var numberTypes = []graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64}

// Reductions over any set of axes, in any order and counted from either end, with and without the axes kept.
func TestReductions(t *testing.T) {
	for _, c := range reductionCases {
		for _, dtype := range c.types {
			t.Run(c.name+" "+dtype.String(), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					x := drawArray(t, "x", dtype, drawShape(t, "shape", 0), c.values)
					rank := len(x.Shape)
					var axes, given []int
					for axis := range rank {
						if rapid.Bool().Draw(t, "reduce") {
							axes, given = append(axes, axis), append(given, axis-rank*rapid.IntRange(0, 1).Draw(t, "negative"))
						}
					}
					given = rapid.Permutation(given).Draw(t, "order")
					if len(given) == 0 {
						for axis := range rank {
							axes = append(axes, axis)
						}
					}
					shape, kept, groups := fold(x, axes)
					e := express(func(n []*graph.Node) []*graph.Node {
						out := []*graph.Node{c.plain(n[0], given...)}
						if c.keep != nil {
							out = append(out, c.keep(n[0], given...))
						}
						return out
					}, x)
					out, err := e.run()
					if !c.empty && len(groups) > 0 && x.Len() == 0 {
						if !errors.Is(err, graph.ErrValue) {
							t.Fatalf("%s of no elements: %v", c.name, err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					result := dtype
					if c.gives != nil {
						result = c.gives(dtype)
					}
					same(t, c.name, out[0], result, shape, c.ulps, func(i []int) float64 { return c.want(groups[position(shape, i)]) })
					if c.keep != nil {
						same(t, c.name+" keep", out[1], result, kept, c.ulps, func(i []int) float64 { return c.want(groups[position(kept, i)]) })
					}
				})
			})
		}
	}
}

// Long and wide operands, where rows are cut into strips and narrow columns are reduced side by side.
func TestReductionsOfManyElements(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 7))
	for _, shape := range []struct {
		dims []int
		axes [][]int
	}{{[]int{700, 3}, [][]int{{0}, {1}, {0, 1}}}, {[]int{70_001, 2}, [][]int{{0}}}, {[]int{3, 9000}, [][]int{{0}, {1}}}, {[]int{2, 301, 5}, [][]int{{1}, {0, 2}, {0, 1}}}, {[]int{300, 64, 2}, [][]int{{0}, {0, 2}}}} {
		for _, c := range reductionCases {
			if strings.Contains(c.name, "anything") {
				continue
			}
			for _, dtype := range c.types {
				x := graph.NewArray(dtype, shape.dims...)
				for i := range x.Len() {
					switch {
					case strings.HasPrefix(c.name, "prod"):
						x.SetAt(i, float64(1-2*random.IntN(2)))
					case c.name == "all":
						x.SetAt(i, 1-float64(random.IntN(400)/399))
					case dtype == graph.Bool:
						x.SetAt(i, float64(random.IntN(400)/399))
					case c.name == "logsumexp":
						x.SetAt(i, 3+float64(random.IntN(33))/4)
					default:
						x.SetAt(i, float64(random.IntN(33)-16)/4)
					}
				}
				for _, axes := range shape.axes {
					to, _, groups := fold(x, axes)
					got := compute(t, func(n []*graph.Node) *graph.Node { return c.plain(n[0], axes...) }, x)
					result := dtype
					if c.gives != nil {
						result = c.gives(dtype)
					}
					same(t, fmt.Sprintf("%s of %v%v over %v", c.name, dtype, shape.dims, axes), got, result, to, max(c.ulps, 4), func(i []int) float64 { return c.want(groups[position(to, i)]) })
				}
			}
		}
	}
}

// The variance of float32 data with a large mean has the accuracy of the data: the mean's rounding does not show, in rows, columns and
// over axes that are apart.
func TestVarianceWithALargeMean(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	for _, axes := range [][]int{{0}, {1}, {2}, {0, 2}, {0, 1, 2}} {
		x := graph.NewArray(graph.Float32, 40, 30, 50)
		for i := range x.Len() {
			x.SetAt(i, 10_000+0.01*random.NormFloat64())
		}
		shape, _, groups := fold(x, axes)
		var means []float64
		for _, group := range groups {
			means = append(means, sum(group)/float64(len(group)))
		}
		for ddof := range 2 {
			got := compute(t, func(n []*graph.Node) *graph.Node { return ops.Var(n[0], ddof, axes...) }, x)
			same(t, fmt.Sprintf("var over %v", axes), got, graph.Float32, shape, 2, func(i []int) float64 { return variance(ddof)(groups[position(shape, i)]) })
			gradient := gradients(t, func(n []*graph.Node) *graph.Node { return ops.Var(n[0], ddof, axes...) }, x)[0]
			each(x.Shape, func(p int, i []int) {
				var at []int
				for axis, k := range i {
					if !slices.Contains(axes, axis) {
						at = append(at, k)
					}
				}
				k := position(shape, at)
				free := float64(len(groups[k]) - ddof)
				want := 2 * (x.At(p) - means[k]) / free
				if d := math.Abs(gradient.At(p) - want); d > 8*0x1p-23*0.05*2/free { // 8 ulps of the largest deviation
					t.Fatalf("gradient%v = %v, want %v", i, gradient.At(p), want)
				}
			})
		}
	}
	if got := compute(t, func(n []*graph.Node) *graph.Node { return ops.Var(n[0], 0) }, array(graph.Float32, []int{7}, 0.1)); got.At(0) != 0 {
		t.Errorf("the variance of equal elements is %v", got.At(0))
	}
}

// The index of an extremum is that of its first occurrence; NaN counts as the largest, and as the smallest.
func TestMaxArgAndMinArg(t *testing.T) {
	extrema := []struct {
		both    func(*graph.Node, int) (*graph.Node, *graph.Node)
		arg     func(*graph.Node, int) *graph.Node
		extreme func([]float64) float64
	}{{ops.MaxArg, ops.ArgMax, largest}, {ops.MinArg, ops.ArgMin, smallest}}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(extrema).Draw(t, "extremum")
		x := drawArray(t, "x", rapid.SampledFrom(numberTypes).Draw(t, "dtype"), drawShape(t, "shape", 1), rapid.SampledFrom([]float64{1, 2, 2, math.Inf(1), math.Inf(-1), math.NaN(), 0, math.Copysign(0, -1)}))
		axis := rapid.IntRange(-len(x.Shape), len(x.Shape)-1).Draw(t, "axis")
		shape, _, groups := fold(x, []int{(axis + len(x.Shape)) % len(x.Shape)})
		out, err := express(func(n []*graph.Node) []*graph.Node {
			values, indices := c.both(n[0], axis)
			return []*graph.Node{values, indices, c.arg(n[0], axis)}
		}, x).run()
		if len(groups) > 0 && x.Len() == 0 {
			if !errors.Is(err, graph.ErrValue) {
				t.Fatalf("the largest of none: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		first := func(i []int) float64 {
			group := groups[position(shape, i)]
			for k, v := range group {
				if m := c.extreme(group); v == m || v != v && m != m {
					return float64(k)
				}
			}
			return -1
		}
		same(t, "values", out[0], x.DType, shape, 1, func(i []int) float64 { return c.extreme(groups[position(shape, i)]) })
		same(t, "indices", out[1], graph.Int64, shape, 0, first)
		same(t, "argmax", out[2], graph.Int64, shape, 0, first)
	})
}

// Softmax and its logarithm along any axis, at logits whose exponentials overflow.
func TestSoftmax(t *testing.T) {
	for _, dtype := range floatTypes {
		rapid.Check(t, func(t *rapid.T) {
			scale := rapid.SampledFrom([]float64{1, 100, 1e4}).Draw(t, "scale")
			shape := drawShape(t, "shape", 1)
			if rapid.IntRange(0, 3).Draw(t, "wide") == 0 { // columns go in strips, and rows of them in groups
				shape = rapid.SampledFrom([][]int{{70, 16}, {3, 150}, {2, 5, 130}, {129, 2, 9}}).Draw(t, "wide shape")
			}
			x := drawArray(t, "x", dtype, shape, rapid.Float64Range(-scale, scale))
			axis := rapid.IntRange(-len(x.Shape), len(x.Shape)-1).Draw(t, "axis")
			absolute := (axis + len(x.Shape)) % len(x.Shape)
			_, kept, groups := fold(x, []int{absolute})
			out, err := express(func(n []*graph.Node) []*graph.Node {
				return []*graph.Node{ops.Softmax(n[0], axis), ops.LogSoftmax(n[0], axis)}
			}, x).run()
			if err != nil {
				t.Fatal(err)
			}
			each(x.Shape, func(p int, i []int) {
				j := slices.Clone(i)
				j[absolute] = 0
				group := groups[position(kept, j)]
				top, total := largest(group), 0.0
				for _, v := range group {
					total += math.Exp(v - top)
				}
				epsilon := map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}[dtype]
				// x − max is rounded once, so e^x has a relative error of |x − max|·ε/2 on top of the kernel's few units.
				d := x.At(p) - top
				if want := math.Exp(d) / total; math.Abs(out[0].At(p)-want) > (12+math.Abs(d))*epsilon*want+1e-37 {
					t.Errorf("softmax%v = %v, want %v", i, out[0].At(p), want)
				}
				if want := d - math.Log(total); math.Abs(out[1].At(p)-want) > 8*epsilon*math.Max(math.Abs(want), 1) {
					t.Errorf("logsoftmax%v = %v, want %v", i, out[1].At(p), want)
				}
			})
		})
	}
}
