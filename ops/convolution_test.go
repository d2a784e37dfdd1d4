package ops_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// geometry is a drawn convolution: shapes and options that fit.
type geometry struct {
	x, w [4]int
	o    ops.Convolution
}

func drawGeometry(t *rapid.T) geometry {
	draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	groups := draw("groups", 1, 3)
	c := geometry{o: ops.Convolution{Stride: []int{draw("sh", 1, 3), draw("sw", 1, 3)}, Padding: []int{draw("ph", 0, 2), draw("pw", 0, 2)},
		Dilation: []int{draw("dh", 1, 2), draw("dw", 1, 2)}, Groups: groups}}
	c.w = [4]int{groups * draw("filters", 1, 3), draw("channels", 1, 3), draw("kh", 1, 3), draw("kw", 1, 3)}
	c.x = [4]int{draw("n", 0, 3), c.w[1] * groups, 0, 0}
	for i := range 2 {
		least := max((c.w[2+i]-1)*c.o.Dilation[i]+1-2*c.o.Padding[i], 1)
		c.x[2+i] = draw("size", least, least+5)
	}
	return c
}

// naive is the definition: seven loops.
func (c geometry) naive(x, w graph.Array) graph.Array {
	size := func(i int) int {
		return (c.x[2+i]+2*c.o.Padding[i]-c.o.Dilation[i]*(c.w[2+i]-1)-1)/c.o.Stride[i] + 1
	}
	y := graph.NewArray(graph.Float64, c.x[0], c.w[0], size(0), size(1))
	perGroup := c.w[0] / c.o.Groups
	each(y.Shape, func(p int, at []int) {
		sum := 0.0
		for k := range c.w[1] {
			for kh := range c.w[2] {
				for kw := range c.w[3] {
					ih, iw := at[2]*c.o.Stride[0]-c.o.Padding[0]+kh*c.o.Dilation[0], at[3]*c.o.Stride[1]-c.o.Padding[1]+kw*c.o.Dilation[1]
					if ih >= 0 && ih < c.x[2] && iw >= 0 && iw < c.x[3] {
						sum += x.At(position(x.Shape, []int{at[0], at[1]/perGroup*c.w[1] + k, ih, iw})) * w.At(position(w.Shape, []int{at[1], k, kh, kw}))
					}
				}
			}
		}
		y.SetAt(p, sum)
	})
	return y
}

var integers = rapid.SampledFrom([]float64{-3, -2, -1, 0, 1, 2})

// The convolution is what its definition says, exactly on integers, over strides, paddings, dilations, groups and sizes.
func TestConvolutionByItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawGeometry(t)
		dtype := rapid.SampledFrom(floatTypes).Draw(t, "dtype")
		x, w, b := drawArray(t, "x", dtype, c.x[:], integers), drawArray(t, "w", dtype, c.w[:], integers), drawArray(t, "b", dtype, c.w[:1], integers)
		want := c.naive(x, w)
		got := compute(t, func(in []*graph.Node) *graph.Node { return ops.Conv2D(in[0], in[1], in[2], c.o) }, x, w, b)
		same(t, "conv", got, dtype, want.Shape, 1, func(i []int) float64 { return want.At(position(want.Shape, i)) + b.At(i[1]) })
	})
}

// Large enough for several lanes and chunks, the result is right too, and has the same bits on one processor as on two.
func TestConvolutionInLanes(t *testing.T) {
	for _, c := range []geometry{
		{[4]int{2, 3, 70, 61}, [4]int{20, 3, 3, 3}, ops.Convolution{Stride: []int{1, 1}, Padding: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}},
		{[4]int{3, 64, 9, 12}, [4]int{66, 32, 3, 2}, ops.Convolution{Stride: []int{1, 2}, Padding: []int{0, 1}, Dilation: []int{2, 1}, Groups: 2}},
		{[4]int{2, 40, 33, 34}, [4]int{70, 40, 1, 1}, ops.Convolution{Stride: []int{1, 1}, Padding: []int{0, 0}, Dilation: []int{1, 1}, Groups: 1}},
	} {
		x, w := graph.NewArray(graph.Float32, c.x[:]...), graph.NewArray(graph.Float32, c.w[:]...)
		for i := range x.Len() {
			x.SetAt(i, float64(i*7919%11-5))
		}
		for i := range w.Len() {
			w.SetAt(i, float64(i*7907%7-3))
		}
		e := express(func(in []*graph.Node) []*graph.Node {
			y := ops.Conv2D(in[0], in[1], nil, c.o)
			return append([]*graph.Node{y}, autodiff.VJP(y, y, in...)...)
		}, x, w)
		out, err := e.run()
		if err != nil {
			t.Fatal(err)
		}
		want := c.naive(x, w)
		for i := range want.Len() {
			if out[0].At(i) != want.At(i) {
				t.Fatalf("%v * %v: element %d is %v, want %v", c.x, c.w, i, out[0].At(i), want.At(i))
			}
		}
		if l, r := dotOf(out[0], out[0]), dotOf(x, out[1]); math.Abs(l-r) > 1e-5*l { // ⟨Ax, Ax⟩ = ⟨x, AᵀAx⟩
			t.Errorf("by the input: %v, want %v", r, l)
		}
		if l, r := dotOf(out[0], out[0]), dotOf(w, out[2]); math.Abs(l-r) > 1e-5*l {
			t.Errorf("by the filters: %v, want %v", r, l)
		}
		before := runtime.GOMAXPROCS(1)
		single, err := e.run()
		runtime.GOMAXPROCS(before)
		for i := range out {
			if err != nil || !slices.Equal(single[i].F32(), out[i].F32()) {
				t.Errorf("result %d has other bits on one processor (%v)", i, err)
			}
		}
	}
}

// One program serves every batch and image size, and allocates nothing when they change within what it has seen.
func TestConvolutionOfSymbolicSizes(t *testing.T) {
	g, n, h := graph.New(), graph.Symbol("n"), graph.Symbol("h")
	x, w := g.Input("x", graph.Float64, n, 2, h, h), g.Input("w", graph.Float64, 3, 2, 3, 3)
	y := ops.Conv2D(x, w, nil, ops.Convolution{Stride: []int{2}, Padding: []int{1}})
	pooled := ops.MaxPool2D(y, []int{2}, ops.Window{})
	if got := y.Shape().String(); !strings.HasPrefix(got, "(n, 3, floor(") {
		t.Errorf("shape %v", got)
	}
	outs := append([]*graph.Node{y, pooled}, autodiff.Grad(ops.Sum(ops.Square(pooled)), x, w)...)
	p, err := vm.Compile(vm.Spec{Outputs: outs})
	if err != nil {
		t.Fatal(err)
	}
	m, err := vm.NewMachine(p, mustState(t, g))
	if err != nil {
		t.Fatal(err)
	}
	weights := graph.NewArray(graph.Float64, 3, 2, 3, 3)
	for i := range weights.Len() {
		weights.SetAt(i, float64(i%5-2))
	}
	feed := func(n, h int) graph.Array {
		a := graph.NewArray(graph.Float64, n, 2, h, h)
		for i := range a.Len() {
			a.SetAt(i, float64(i*31%13-6))
		}
		return a
	}
	sizes := [][2]int{{4, 9}, {1, 9}, {2, 5}, {4, 8}, {3, 4}}
	run := func(fed graph.Array) {
		if err := m.Feed(x, fed); err != nil {
			t.Fatal(err)
		}
		if err := m.Feed(w, weights); err != nil {
			t.Fatal(err)
		}
		if err := m.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range sizes {
		fed := feed(s[0], s[1])
		run(fed)
		c := geometry{[4]int{s[0], 2, s[1], s[1]}, [4]int{3, 2, 3, 3}, ops.Convolution{Stride: []int{2, 2}, Padding: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}}
		want := c.naive(fed, weights)
		v, _ := m.Value(y)
		got, _ := graph.ArrayOf(v)
		same(t, "conv", got, graph.Float64, want.Shape, 1, func(i []int) float64 { return want.At(position(want.Shape, i)) })
	}
	fed := []graph.Array{feed(4, 9), feed(2, 5), feed(4, 8)}
	tensors := []any{fed[0].Dense(), fed[1].Dense(), fed[2].Dense()}
	i := 0
	if allocs := testing.AllocsPerRun(6, func() {
		_ = m.Feed(x, tensors[i%3])
		_ = m.Run(context.Background())
		i++
	}); allocs != 0 {
		t.Errorf("%v allocations a run", allocs)
	}
}

// Same keeps the size, with the odd element of padding after; the transposed convolution has the size that its doc comment gives.
func TestSizesOfConvolutions(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x, l := g.Input("x", graph.Float32, n, 4, 10, 7), g.Input("l", graph.Float32, n, 4, 10)
	w, wl := g.Input("w", graph.Float32, 6, 4, 4, 3), g.Input("wl", graph.Float32, 6, 4, 4)
	tw, twl := g.Input("tw", graph.Float32, 4, 3, 4, 3), g.Input("twl", graph.Float32, 4, 3, 4)
	b := g.Input("b", graph.Float32, 6)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Conv2D(x, w, b, ops.Convolution{}), "(n, 6, 7, 5)"},
		{ops.Conv2D(x, w, b, ops.Convolution{Same: true}), "(n, 6, 10, 7)"},
		{ops.Conv2D(x, w, nil, ops.Convolution{Same: true, Dilation: []int{2, 3}}), "(n, 6, 10, 7)"},
		{ops.Conv2D(x, w, nil, ops.Convolution{Stride: []int{3}, Padding: []int{2, 0}}), "(n, 6, 4, 2)"},
		{ops.Conv1D(l, wl, b, ops.Convolution{Stride: []int{2}, Padding: []int{1}}), "(n, 6, 5)"},
		{ops.ConvTranspose2D(x, tw, nil, ops.Convolution{Stride: []int{2}, Padding: []int{1}, OutputPadding: []int{1}}), "(n, 3, 21, 14)"},
		{ops.ConvTranspose1D(l, twl, nil, ops.Convolution{Stride: []int{2}, Groups: 2}), "(n, 6, 22)"},
		{ops.MaxPool2D(x, []int{2}, ops.Window{}), "(n, 4, 5, 3)"},
		{ops.MaxPool2D(x, []int{3, 2}, ops.Window{Stride: []int{1}, Padding: []int{1}}), "(n, 4, 10, 8)"},
		{ops.MaxPool1D(l, 3, ops.Window{Dilation: []int{2}, Stride: []int{1}}), "(n, 4, 6)"},
		{ops.AvgPool2D(x, []int{2, 3}, ops.Window{}), "(n, 4, 5, 2)"},
		{ops.AvgPool1D(l, 4, ops.Window{Padding: []int{2}, ExcludePadding: true}), "(n, 4, 3)"},
		{ops.Unfold(x, []int{2, 3}, ops.Window{}), "(n, 24, 45)"},
		{ops.Fold(ops.Unfold(x, []int{2, 3}, ops.Window{Padding: []int{1}}), 10, 7, []int{2, 3}, ops.Window{Padding: []int{1}}), "(n, 4, 10, 7)"},
		{ops.UpsampleNearest(x, 2), "(n, 4, 20, 14)"},
	} {
		if c.node.Err() != nil || c.node.Shape().String() != c.want {
			t.Errorf("%v, want %v (%v)", c.node.Shape(), c.want, c.node.Err())
		}
	}
}

// A convolution of an even window keeps the size by one more element of padding after than before.
func TestSamePutsTheOddElementAfter(t *testing.T) {
	x, w := array(graph.Float64, []int{1, 1, 4}, 1, 2, 3, 4), array(graph.Float64, []int{1, 1, 2}, 1, 10)
	got := compute(t, func(in []*graph.Node) *graph.Node { return ops.Conv1D(in[0], in[1], nil, ops.Convolution{Same: true}) }, x, w)
	same(t, "conv", got, graph.Float64, []int{1, 1, 4}, 0, func(i []int) float64 { return []float64{21, 32, 43, 4}[i[2]] })
}

// Pools against loops over their windows; a NaN in a window is its maximum.
func TestPoolsByTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		k := []int{draw("kh", 1, 3), draw("kw", 1, 3)}
		o := ops.Window{Stride: []int{draw("sh", 1, 3), draw("sw", 1, 3)}, Padding: []int{draw("ph", 0, k[0]/2), draw("pw", 0, k[1]/2)}}
		shape := []int{draw("n", 0, 2), draw("c", 1, 2), draw("h", k[0], 7), draw("w", k[1], 7)}
		out := slices.Clone(shape)
		for i := range 2 {
			out[2+i] = (shape[2+i]+2*o.Padding[i]-k[i])/o.Stride[i] + 1
		}
		dtype := rapid.SampledFrom(floatTypes).Draw(t, "dtype")
		x := drawArray(t, "x", dtype, shape, rapid.OneOf(integers, rapid.SampledFrom([]float64{nan, -inf, inf})))
		window := func(i []int, visit func(v float64, at int)) {
			for kh := range k[0] {
				for kw := range k[1] {
					h, w := i[2]*o.Stride[0]-o.Padding[0]+kh, i[3]*o.Stride[1]-o.Padding[1]+kw
					if h >= 0 && h < shape[2] && w >= 0 && w < shape[3] {
						visit(x.At(position(shape, []int{i[0], i[1], h, w})), h*shape[3]+w)
					}
				}
			}
		}
		largest := func(i []int) (float64, int) {
			best, where := 0.0, -1
			window(i, func(v float64, at int) {
				if where < 0 || v > best || v != v && best == best {
					best, where = v, at
				}
			})
			return best, where
		}
		both, err := express(func(in []*graph.Node) []*graph.Node {
			v, i := ops.MaxPoolArg2D(in[0], k, o)
			return []*graph.Node{v, i}
		}, x).run()
		if err != nil {
			t.Fatalf("%v", err)
		}
		same(t, "max", both[0], dtype, out, 0, func(i []int) float64 { v, _ := largest(i); return v })
		same(t, "argmax", both[1], graph.Int64, out, 0, func(i []int) float64 { _, at := largest(i); return float64(at) })
		finite := drawArray(t, "finite", dtype, shape, integers)
		copy(x.Bytes(), finite.Bytes())
		for _, exclude := range []bool{false, true} {
			o.ExcludePadding = exclude
			got := compute(t, func(in []*graph.Node) *graph.Node { return ops.AvgPool2D(in[0], k, o) }, x)
			same(t, "mean", got, dtype, out, 4, func(i []int) float64 {
				sum, n := 0.0, 0
				window(i, func(v float64, _ int) { sum, n = sum+v, n+1 })
				if !exclude {
					n = k[0] * k[1]
				}
				return sum / float64(n)
			})
		}
	})
}

// Where several elements of a window tie, the first gets the cotangent.
func TestTiesInPools(t *testing.T) {
	x := array(graph.Float64, []int{1, 1, 3, 3}, 0, 2, 2, 0, 2, 0, 0, 0, 0)
	got := gradients(t, func(n []*graph.Node) *graph.Node { return ops.MaxPool2D(n[0], []int{2}, ops.Window{Stride: []int{1}}) }, x)[0]
	same(t, "by x", got, graph.Float64, x.Shape, 0, func(i []int) float64 { return []float64{0, 2, 0, 0, 2, 0, 0, 0, 0}[i[2]*3+i[3]] })
}

func TestConvolutionsThatDoNotFit(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x, w, flat := g.Input("x", graph.Float32, n, 4, 6, 6), g.Input("w", graph.Float32, 6, 4, 3, 3), g.Input("flat", graph.Float32, n, 36)
	for _, c := range []struct {
		node *graph.Node
		want string
	}{
		{ops.Conv2D(flat, w, nil, ops.Convolution{}), "takes (batch, channels, height, width) and filters (out, in, height, width), but an operand is float32(n, 36); ops.Reshape"},
		{ops.Conv2D(x, g.Input("w3", graph.Float32, 6, 3, 3, 3), nil, ops.Convolution{}), "the channels of (n, 4, 6, 6) and filters (6, 3, 3, 3) for 1 group(s) do not fit: 4 is not 3"},
		{ops.Conv2D(x, g.Input("w5", graph.Float32, 5, 2, 3, 3), nil, ops.Convolution{Groups: 2}), "5 filters cannot be shared equally by 2 groups"},
		{ops.Conv2D(x, g.Input("w7", graph.Float32, 5, 4, 7, 7), nil, ops.Convolution{}), "does not fit into 6 with padding 0 and 0; more padding or a smaller window would"},
		{ops.Conv2D(x, w, g.Input("b", graph.Float32, 5), ops.Convolution{}), "the bias is float32(5), but the result (n, 6, 4, 4) has 6 channels"},
		{ops.Conv2D(x, w, nil, ops.Convolution{Stride: []int{1, 1, 1}}), "3 strides for 2 spatial dimensions; give one for each, or one for all"},
		{ops.Conv2D(x, w, nil, ops.Convolution{Stride: []int{0}}), "strides and dilations are at least 1"},
		{ops.Conv2D(x, w, nil, ops.Convolution{Same: true, Stride: []int{2}}), "Same keeps the size with stride 1"},
		{ops.Conv2D(x, g.Input("w64", graph.Float64, 6, 4, 3, 3), nil, ops.Convolution{}), "element types differ"},
		{ops.Conv2D(ops.Cast(x, graph.Int32), ops.Cast(w, graph.Int32), nil, ops.Convolution{}), "needs float32 or float64"},
		{ops.ConvTranspose2D(x, w, nil, ops.Convolution{}), "filters (6, 4, 3, 3) and the channels of (n, 4, 6, 6) do not fit"},
		{ops.ConvTranspose2D(x, g.Input("tw", graph.Float32, 4, 4, 3, 3), nil, ops.Convolution{OutputPadding: []int{1}}), "smaller than the stride or the dilation"},
		{ops.MaxPool2D(x, nil, ops.Window{}), "no window size"},
		{ops.MaxPool2D(x, []int{2}, ops.Window{Padding: []int{2}}), "more than half of the window"},
		{ops.MaxPool2D(x, []int{9}, ops.Window{}), "does not fit into 6"},
		{ops.AvgPool2D(flat, []int{2}, ops.Window{}), "takes (batch, channels, height, width), not float32(n, 36)"},
		{ops.MaxPool1D(x, 2, ops.Window{}), "takes (batch, channels, length)"},
		{ops.Fold(flat, 6, 6, []int{2}, ops.Window{}), "takes (batch, channels·kernel, positions)"},
		{ops.Fold(g.Input("cols", graph.Float32, n, 6, 25), 6, 6, []int{2}, ops.Window{}), "is no multiple of the 4 elements of a window"},
		{ops.Conv2D(nil, w, nil, ops.Convolution{}), "nil"},
		{ops.MaxPool2D(nil, []int{2}, ops.Window{}), "nil"},
		{ops.AvgPool1D(nil, 2, ops.Window{}), "nil"},
		{ops.Unfold(nil, []int{2}, ops.Window{}), "nil"},
		{ops.Fold(nil, 1, 1, []int{2}, ops.Window{}), "nil"},
		{ops.UpsampleNearest(nil, 2), "nil"},
	} {
		if err := c.node.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "convolution_test.go:") {
			t.Errorf("%v: error %v, want this line and %q", c.node, err, c.want)
		}
	}
	g = graph.New()
	x = g.Input("x", graph.Float32, 1, 1, n, n)
	_, err := vm.Eval(mustState(t, g), ops.MaxPool2D(x, []int{2}, ops.Window{Padding: []int{1}, Dilation: []int{2}}), vm.Feeds{x: array(graph.Float32, []int{1, 1, 1, 1}, 1)})
	if err == nil || !strings.Contains(err.Error(), "a window lies beside the image of [1 1]") {
		t.Errorf("a window beside the image: %v", err)
	}
	_, err = vm.Eval(mustState(t, g), ops.MaxPool2D(x, []int{3}, ops.Window{Stride: []int{1}}), vm.Feeds{x: array(graph.Float32, []int{1, 1, 1, 1}, 1)})
	if err == nil || !strings.Contains(err.Error(), "n - 2 is -1 for n = 1; a size cannot be negative") {
		t.Errorf("a window larger than the image of the run: %v", err)
	}
}

func init() {
	linearOperators = append(linearOperators,
		linearOperator{"conv", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			c := drawGeometry(t)
			return func(x []*graph.Node) *graph.Node { return ops.Conv2D(x[0], x[1], nil, c.o) }, [][]int{c.x[:], c.w[:]}
		}},
		linearOperator{"conv by the filters", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			c := drawGeometry(t)
			return func(x []*graph.Node) *graph.Node { return ops.Conv2D(x[1], x[0], nil, c.o) }, [][]int{c.w[:], c.x[:]}
		}},
		linearOperator{"transposed conv", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			c := drawGeometry(t)
			o := c.o
			o.Padding = []int{0, 0}
			o.OutputPadding = []int{o.Stride[0] - 1, 0}
			shape := []int{c.x[0], c.w[0], c.x[2], c.x[3]}
			return func(x []*graph.Node) *graph.Node { return ops.ConvTranspose2D(x[0], x[1], nil, o) }, [][]int{shape, c.w[:]}
		}},
		linearOperator{"transposed conv by the filters", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			c := drawGeometry(t)
			o := c.o
			o.Padding = []int{0, 0}
			shape := []int{c.x[0], c.w[0], c.x[2], c.x[3]}
			return func(x []*graph.Node) *graph.Node { return ops.ConvTranspose2D(x[1], x[0], nil, o) }, [][]int{c.w[:], shape}
		}},
		linearOperator{"unfold", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			c := drawGeometry(t)
			o := ops.Window{Stride: c.o.Stride, Padding: c.o.Padding, Dilation: c.o.Dilation}
			return func(x []*graph.Node) *graph.Node { return ops.Unfold(x[0], c.w[2:], o) }, [][]int{c.x[:]}
		}},
		linearOperator{"mean pool", func(t *rapid.T) (func(x []*graph.Node) *graph.Node, [][]int) {
			shape := []int{rapid.IntRange(0, 2).Draw(t, "n"), 2, 5, 6}
			return func(x []*graph.Node) *graph.Node {
				return ops.AvgPool2D(x[0], []int{2, 4}, ops.Window{Stride: []int{1, 2}, Padding: []int{1, 0}})
			}, [][]int{shape}
		}},
	)
}

// A small network of convolutions and pools, differentiated twice as a whole.
func TestGradientsOfAConvolutionalNetwork(t *testing.T) {
	random := func(seed int, shape ...int) graph.Array {
		a := graph.NewArray(graph.Float64, shape...)
		for i := range a.Len() {
			a.SetAt(i, math.Sin(float64(i*i+seed)))
		}
		return a
	}
	report, err := gradcheck.Check(func(in []*graph.Node) *graph.Node {
		h := ops.Tanh(ops.Conv2D(in[0], in[1], in[2], ops.Convolution{Same: true}))
		h = ops.MaxPool2D(h, []int{2}, ops.Window{})
		h = ops.Softplus(ops.Conv2D(h, in[3], nil, ops.Convolution{Groups: 2, Stride: []int{2}, Padding: []int{1}}))
		h = ops.Concat(1, h, ops.AvgPool2D(in[0], []int{3}, ops.Window{Stride: []int{3}}))
		return ops.Sum(ops.Square(ops.Mean(h, 2, 3)))
	}, random(1, 2, 2, 6, 6), random(2, 4, 2, 3, 3), random(3, 4), random(4, 2, 2, 2, 2))
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Error(report)
	}
}
