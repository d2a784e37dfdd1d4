package ops_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm/reference"
	"pgregory.net/rapid"
)

// tensorText is a tensor of testdata/linear.json.
type tensorText struct {
	Shape []int
	Data  string
}

func (v tensorText) array(t *testing.T, dtype graph.DType) graph.Array {
	a := graph.NewArray(dtype, v.Shape...)
	for i, word := range strings.Fields(v.Data) {
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			t.Fatal(err)
		}
		a.SetAt(i, f)
	}
	return a
}

// linearCase is one line of testdata/linear.json.
type linearCase struct {
	Op         string
	Formula    string
	Axes       [][]int
	Offset     int
	DDOF       int
	P          string
	K          int
	Descending bool
	In         []tensorText
	Y, DY      tensorText
	Grads      []tensorText
	W          []tensorText
	Seconds    []tensorText
}

func (c linearCase) axes() []int {
	if len(c.Axes) == 0 {
		return nil
	}
	return c.Axes[0]
}

func (c linearCase) axis() int { return c.axes()[0] }

// goldenLinear say how each operator of the file is written here.
var goldenLinear = map[string]func(c linearCase, x []*graph.Node) *graph.Node{
	"matmul": func(_ linearCase, x []*graph.Node) *graph.Node { return ops.MatMul(x[0], x[1]) },
	"einsum": func(c linearCase, x []*graph.Node) *graph.Node { return ops.Einsum(c.Formula, x...) },
	"tensordot": func(c linearCase, x []*graph.Node) *graph.Node {
		return ops.TensorDot(x[0], x[1], c.Axes[0], c.Axes[1])
	},
	"dot":   func(_ linearCase, x []*graph.Node) *graph.Node { return ops.Dot(x[0], x[1]) },
	"inner": func(_ linearCase, x []*graph.Node) *graph.Node { return ops.Inner(x[0], x[1]) },
	"vdot":  func(_ linearCase, x []*graph.Node) *graph.Node { return ops.VDot(x[0], x[1]) },
	"outer": func(_ linearCase, x []*graph.Node) *graph.Node { return ops.Outer(x[0], x[1]) },
	"kron":  func(_ linearCase, x []*graph.Node) *graph.Node { return ops.Kron(x[0], x[1]) },
	"trace": func(_ linearCase, x []*graph.Node) *graph.Node { return ops.Trace(x[0]) },
	"diagonal": func(c linearCase, x []*graph.Node) *graph.Node {
		return ops.Diagonal(x[0], c.Offset, c.axes()[0], c.axes()[1])
	},
	"diagembed": func(c linearCase, x []*graph.Node) *graph.Node {
		if len(x[0].Shape()) == 1 {
			return ops.Diag(x[0], c.Offset)
		}
		return ops.DiagEmbed(x[0], c.Offset)
	},
	"sum":          func(c linearCase, x []*graph.Node) *graph.Node { return ops.Sum(x[0], c.axes()...) },
	"mean":         func(c linearCase, x []*graph.Node) *graph.Node { return ops.Mean(x[0], c.axes()...) },
	"max":          func(c linearCase, x []*graph.Node) *graph.Node { return ops.Max(x[0], c.axes()...) },
	"min":          func(c linearCase, x []*graph.Node) *graph.Node { return ops.Min(x[0], c.axes()...) },
	"prod":         func(c linearCase, x []*graph.Node) *graph.Node { return ops.Prod(x[0], c.axes()...) },
	"logsumexp":    func(c linearCase, x []*graph.Node) *graph.Node { return ops.LogSumExp(x[0], c.axes()...) },
	"countnonzero": func(c linearCase, x []*graph.Node) *graph.Node { return ops.CountNonzero(x[0], c.axes()...) },
	"any": func(c linearCase, x []*graph.Node) *graph.Node {
		return ops.Any(ops.Greater(x[0], ops.Scalar(x[0], 1.5)), c.axes()...)
	},
	"all": func(c linearCase, x []*graph.Node) *graph.Node {
		return ops.All(ops.Greater(x[0], ops.Scalar(x[0], -1.5)), c.axes()...)
	},
	"var": func(c linearCase, x []*graph.Node) *graph.Node { return ops.Var(x[0], c.DDOF, c.axes()...) },
	"std": func(c linearCase, x []*graph.Node) *graph.Node { return ops.Std(x[0], c.DDOF, c.axes()...) },
	"norm": func(c linearCase, x []*graph.Node) *graph.Node {
		p, err := strconv.ParseFloat(c.P, 64)
		if err != nil {
			return nil
		}
		return ops.Norm(x[0], p, c.axes()...)
	},
	"cumsum":  func(c linearCase, x []*graph.Node) *graph.Node { return ops.CumSum(x[0], c.axis()) },
	"cumprod": func(c linearCase, x []*graph.Node) *graph.Node { return ops.CumProd(x[0], c.axis()) },
	"argmax":  func(c linearCase, x []*graph.Node) *graph.Node { return ops.ArgMax(x[0], c.axis()) },
	"argmin":  func(c linearCase, x []*graph.Node) *graph.Node { return ops.ArgMin(x[0], c.axis()) },
	"argsort": func(c linearCase, x []*graph.Node) *graph.Node { return ops.ArgSort(x[0], c.axis(), c.Descending) },
	"sort": func(c linearCase, x []*graph.Node) *graph.Node {
		values, _ := ops.Sort(x[0], c.axis(), c.Descending)
		return values
	},
	"topk": func(c linearCase, x []*graph.Node) *graph.Node {
		values, _ := ops.TopK(x[0], c.K, c.axis())
		return values
	},
}

// Values, gradients and second derivatives are those of PyTorch 1.13 and NumPy 1.24: float64 within 10⁻¹³ of the largest number of
// the case, float32 within 10⁻⁵. The file and the script that writes it are in testdata.
func TestLinearOperatorsAgreeWithPyTorchAndNumPy(t *testing.T) {
	text, err := os.ReadFile("testdata/linear.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []linearCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, c := range cases {
		seen[c.Op] = true
		for _, dtype := range floatTypes {
			t.Run(fmt.Sprintf("%d %s %s %v %v", i, c.Op, c.Formula+c.P, c.axes(), dtype), func(t *testing.T) {
				var inputs []graph.Array
				for _, x := range c.In {
					inputs = append(inputs, x.array(t, dtype))
				}
				e := express(func(x []*graph.Node) []*graph.Node {
					y := goldenLinear[c.Op](c, x)
					nodes := []*graph.Node{y}
					if c.Grads == nil {
						return nodes
					}
					zeros := autodiff.Options{AllowUnused: true}
					grads := zeros.Grad(ops.Sum(ops.Mul(y, y.Graph().Constant(c.DY.array(t, dtype)))), x...)
					nodes = append(nodes, grads...)
					if c.Seconds == nil {
						return nodes
					}
					var parts []*graph.Node
					for k, g := range grads {
						parts = append(parts, ops.Sum(ops.Mul(g, y.Graph().Constant(c.W[k].array(t, dtype)))))
					}
					return append(nodes, zeros.Grad(ops.AddN(parts...), x...)...)
				}, inputs...)
				got, err := e.run()
				if err != nil {
					t.Fatal(err)
				}
				results := slices.Concat([]tensorText{c.Y}, c.Grads, c.Seconds)
				scale := 1.0
				for _, v := range slices.Concat(c.In, results) {
					a := v.array(t, graph.Float64)
					for i := range a.Len() {
						if u := math.Abs(a.At(i)); !math.IsInf(u, 0) && u == u {
							scale = math.Max(scale, u)
						}
					}
				}
				for k, want := range results {
					agree(t, []string{"value", "gradients", "second derivatives"}[(k+len(c.In)-1)/len(c.In)], got[k], want.array(t, graph.Float64), scale*map[graph.DType]float64{graph.Float32: 1e-5, graph.Float64: 1e-13}[dtype])
				}
			})
		}
	}
	for op := range goldenLinear {
		if !seen[op] {
			t.Errorf("the file has no case of %s", op)
		}
	}
}

func agree(t *testing.T, what string, got, want graph.Array, bound float64) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Fatalf("%s have shape %v, want %v", what, got.Shape, want.Shape)
	}
	for i := range want.Len() {
		if d := math.Abs(got.At(i) - want.At(i)); !(d <= bound) && !alike(got.At(i), want.At(i)) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got.At(i), want.At(i))
		}
	}
}

// Sorting orders by value, then by place; NaN is the largest; in every direction and along any axis.
func TestSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom(numberTypes).Draw(t, "dtype")
		x := drawArray(t, "x", dtype, drawShape(t, "shape", 1), rapid.SampledFrom([]float64{1, 2, 2, inf, -inf, nan, 0, -3, 7}))
		axis := rapid.IntRange(0, len(x.Shape)-1).Draw(t, "axis")
		descending := rapid.Bool().Draw(t, "descending")
		k := rapid.IntRange(0, x.Shape[axis]).Draw(t, "k")
		out, err := express(func(n []*graph.Node) []*graph.Node {
			values, places := ops.Sort(n[0], axis-len(x.Shape), descending)
			top, at := ops.TopK(n[0], k, axis)
			return []*graph.Node{values, places, top, at, ops.ArgSort(n[0], axis, true)}
		}, x).run()
		if err != nil {
			t.Fatal(err)
		}
		kept := slices.Clone(x.Shape)
		kept[axis] = 1
		_, _, groups := fold(x, []int{axis})
		order := func(group []float64, descending bool) []int {
			places := make([]int, len(group))
			for i := range places {
				places[i] = i
			}
			slices.SortStableFunc(places, func(i, j int) int {
				a, b := group[i], group[j]
				if descending {
					a, b = b, a
				}
				if (a != a) != (b != b) {
					return map[bool]int{true: 1, false: -1}[a != a]
				}
				return cmp.Compare(a, b)
			})
			return places
		}
		top := slices.Clone(x.Shape)
		top[axis] = k
		for i, descends := range []bool{descending, true} {
			shape := [][]int{x.Shape, top}[i]
			place := func(index []int) (group []float64, at int) {
				j := slices.Clone(index)
				j[axis] = 0
				group = groups[position(kept, j)]
				return group, order(group, descends)[index[axis]]
			}
			same(t, "values", out[2*i], dtype, shape, 1, func(index []int) float64 { group, at := place(index); return group[at] })
			same(t, "places", out[2*i+1], graph.Int64, shape, 0, func(index []int) float64 { _, at := place(index); return float64(at) })
		}
	})
	g := graph.New()
	n := graph.Symbol("n")
	x, y := g.Input("x", graph.Float64, n), g.Input("y", graph.Float64, 2)
	values, _ := ops.TopK(x, 2, 0)
	atSizes(t, append([]*graph.Node{values}, autodiff.Grad(ops.Sum(values), x)...), []*graph.Node{x}, []graph.Binding{{n: 2}, {n: 9}})
	for _, c := range []struct {
		k    int
		want string
	}{{3, "the 3 largest of 2"}, {-1, "the -1 largest"}} {
		if v, _ := ops.TopK(y, c.k, 0); v.Err() == nil || !strings.Contains(v.Err().Error(), c.want) {
			t.Errorf("error %v, want %q", v.Err(), c.want)
		}
	}
	one := array(graph.Float64, []int{1}, 1)
	if _, err := reference.Eval(reference.Env{Feeds: map[*graph.Node]any{x: one}}, values); err == nil || !strings.Contains(err.Error(), "the 2 largest of 1") {
		t.Errorf("too few at run time: %v", err)
	}
}
