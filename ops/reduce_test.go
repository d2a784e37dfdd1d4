package ops_test

import (
	"errors"
	"math"
	"slices"
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

// Reductions over any set of axes, in any order and counted from either end, with and without the axes kept.
func TestReductions(t *testing.T) {
	for _, c := range []struct {
		name   string
		plain  func(*graph.Node, ...int) *graph.Node
		keep   func(*graph.Node, ...int) *graph.Node
		want   func([]float64) float64
		values *rapid.Generator[float64]
		empty  bool // no elements have a value
	}{
		// Quarters add exactly, so every order of summation gives the same bits.
		{"sum", ops.Sum, ops.SumKeep, sum, rapid.Map(rapid.IntRange(-40, 40), func(i int) float64 { return float64(i) / 4 }), true},
		{"mean", ops.Mean, ops.MeanKeep, func(v []float64) float64 { return sum(v) / float64(len(v)) }, rapid.Map(rapid.IntRange(-40, 40), func(i int) float64 { return float64(i) / 4 }), false},
		{"max", ops.Max, ops.MaxKeep, largest, rapid.OneOf(ordinary, rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 3, 3})), false},
	} {
		for _, dtype := range floatTypes {
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
						return []*graph.Node{c.plain(n[0], given...), c.keep(n[0], given...)}
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
					same(t, c.name, out[0], dtype, shape, 1, func(i []int) float64 { return c.want(groups[position(shape, i)]) })
					same(t, c.name+" keep", out[1], dtype, kept, 1, func(i []int) float64 { return c.want(groups[position(kept, i)]) })
				})
			})
		}
	}
}

// The index of a maximum is that of its first occurrence; NaN counts as the largest.
func TestMaxArg(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawArray(t, "x", rapid.SampledFrom(floatTypes).Draw(t, "dtype"), drawShape(t, "shape", 1), rapid.SampledFrom([]float64{1, 2, 2, math.Inf(1), math.Inf(-1), math.NaN(), 0, math.Copysign(0, -1)}))
		axis := rapid.IntRange(-len(x.Shape), len(x.Shape)-1).Draw(t, "axis")
		shape, _, groups := fold(x, []int{(axis + len(x.Shape)) % len(x.Shape)})
		out, err := express(func(n []*graph.Node) []*graph.Node {
			values, indices := ops.MaxArg(n[0], axis)
			return []*graph.Node{values, indices, ops.ArgMax(n[0], axis)}
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
				if m := largest(group); v == m || v != v && m != m {
					return float64(k)
				}
			}
			return -1
		}
		same(t, "values", out[0], x.DType, shape, 1, func(i []int) float64 { return largest(groups[position(shape, i)]) })
		same(t, "indices", out[1], graph.Int64, shape, 0, first)
		same(t, "argmax", out[2], graph.Int64, shape, 0, first)
	})
}

// Softmax and its logarithm along any axis, at logits whose exponentials overflow.
func TestSoftmax(t *testing.T) {
	for _, dtype := range floatTypes {
		rapid.Check(t, func(t *rapid.T) {
			scale := rapid.SampledFrom([]float64{1, 100, 1e4}).Draw(t, "scale")
			x := drawArray(t, "x", dtype, drawShape(t, "shape", 1), rapid.Float64Range(-scale, scale))
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
