package ops_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// shapeArgs are the arguments of a case of testdata/shape.json.
type shapeArgs struct {
	Axis, Step, N                                  int
	Start, Stop                                    *int
	Margins                                        [][2]int
	Value                                          float64
	Reps                                           []graph.Dim
	Size, Stride, Padding, Dilation, OutputPadding []int
	Groups                                         int
	Exclude                                        bool
}

func (a shapeArgs) convolution() ops.Convolution {
	return ops.Convolution{Stride: a.Stride, Padding: a.Padding, Dilation: a.Dilation, Groups: a.Groups, OutputPadding: a.OutputPadding}
}

func (a shapeArgs) window() ops.Window {
	return ops.Window{Stride: a.Stride, Padding: a.Padding, Dilation: a.Dilation, ExcludePadding: a.Exclude}
}

func bias(x []*graph.Node) *graph.Node {
	if len(x) > 2 {
		return x[2]
	}
	return nil
}

var shapeOperators = map[string]func(x []*graph.Node, a shapeArgs) *graph.Node{
	"slice": func(x []*graph.Node, a shapeArgs) *graph.Node {
		bounds := [2]graph.Dim{ops.Open, ops.Open}
		for i, b := range []*int{a.Start, a.Stop} {
			if b != nil {
				bounds[i] = graph.Dim(*b)
			}
		}
		return ops.SliceStep(x[0], a.Axis, bounds[0], bounds[1], a.Step)
	},
	"take":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Take(x[0], x[1], a.Axis) },
	"takealongaxis": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.TakeAlongAxis(x[0], x[1], a.Axis) },
	"scatteradd":    func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.ScatterAdd(x[0], x[1], x[2], a.Axis) },
	"indexadd":      func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.IndexAdd(x[0], x[1], x[2], a.Axis) },
	"embedding":     func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Embedding(x[0], x[1]) },
	"onehot":        func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.OneHot(x[0], graph.Dim(a.N), graph.Int64) },
	"pad":           func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Pad(x[0], a.Value, a.Margins...) },
	"padreflect":    func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.PadReflect(x[0], a.Margins...) },
	"padedge":       func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.PadEdge(x[0], a.Margins...) },
	"padcircular":   func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.PadCircular(x[0], a.Margins...) },
	"roll":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Roll(x[0], a.N, a.Axis) },
	"flip":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Flip(x[0], a.Axis) },
	"tile":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Tile(x[0], a.Reps...) },
	"repeat":        func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Repeat(x[0], graph.Dim(a.N), a.Axis) },
	"tril":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Tril(x[0], a.N) },
	"triu":          func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Triu(x[0], a.N) },
	"moveaxis":      func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.MoveAxis(x[0], a.Axis, a.N) },
	"swapaxes":      func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.SwapAxes(x[0], a.Axis, a.N) },
	"concat":        func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Concat(a.Axis, x...) },
	"stack":         func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Stack(a.Axis, x...) },
	"conv2d": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.Conv2D(x[0], x[1], bias(x), a.convolution())
	},
	"conv1d": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.Conv1D(x[0], x[1], bias(x), a.convolution())
	},
	"convtranspose2d": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.ConvTranspose2D(x[0], x[1], bias(x), a.convolution())
	},
	"convtranspose1d": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.ConvTranspose1D(x[0], x[1], bias(x), a.convolution())
	},
	"conv2dsame": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.Conv2D(x[0], x[1], nil, ops.Convolution{Same: true, Dilation: a.Dilation})
	},
	"maxpool2d": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.MaxPool2D(x[0], a.Size, a.window()) },
	"avgpool2d": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.AvgPool2D(x[0], a.Size, a.window()) },
	"maxpool1d": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.MaxPool1D(x[0], a.Size[0], a.window()) },
	"avgpool1d": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.AvgPool1D(x[0], a.Size[0], a.window()) },
	"unfold":    func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.Unfold(x[0], a.Size, a.window()) },
	"fold": func(x []*graph.Node, a shapeArgs) *graph.Node {
		return ops.Fold(x[0], a.Reps[0], a.Reps[1], a.Size, a.window())
	},
	"upsample": func(x []*graph.Node, a shapeArgs) *graph.Node { return ops.UpsampleNearest(x[0], a.N) },
}

// Values and gradients are those of NumPy and PyTorch, in both float types: exactly, but for means, whose divisor is no power of two.
func TestShapesAgainstNumPyAndPyTorch(t *testing.T) {
	type stored struct {
		DType string
		Shape []int
		Data  []float64
	}
	var file struct {
		Source string
		Cases  []struct {
			Op    string
			Args  shapeArgs
			In    []stored
			Out   stored
			Dy    []float64
			Grads [][]float64
		}
	}
	text, err := os.ReadFile("testdata/shape.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for i, c := range file.Cases {
		known[c.Op] = true
		for _, float := range floatTypes {
			t.Run(fmt.Sprintf("%d %s %v", i, c.Op, float), func(t *testing.T) {
				build := shapeOperators[c.Op]
				if build == nil {
					t.Fatalf("no operator is called so")
				}
				var inputs []graph.Array
				for _, in := range append(slices.Clone(c.In), stored{"float64", c.Out.Shape, c.Dy}) {
					if in.Data == nil {
						continue
					}
					a := graph.NewArray(map[string]graph.DType{"float64": float, "int64": graph.Int64}[in.DType], in.Shape...)
					for i, v := range in.Data {
						a.SetAt(i, v)
					}
					inputs = append(inputs, a)
				}
				out, err := express(func(x []*graph.Node) []*graph.Node {
					operands := x[:len(c.In)]
					y := build(operands, c.Args)
					list := []*graph.Node{y}
					if c.Dy == nil {
						return list
					}
					var wrt []*graph.Node
					for _, n := range operands {
						if n.DType().IsFloat() {
							wrt = append(wrt, n)
						}
					}
					return append(list, autodiff.VJP(y, x[len(c.In)], wrt...)...)
				}, inputs...).run()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(out[0].Shape, c.Out.Shape) {
					t.Fatalf("shape %v, want %v", out[0].Shape, c.Out.Shape)
				}
				want := [][]float64{c.Out.Data}
				for _, g := range c.Grads {
					if g != nil {
						want = append(want, g)
					}
				}
				bound := 0.0
				if c.Op == "avgpool2d" || c.Op == "avgpool1d" {
					bound = 8 * map[graph.DType]float64{graph.Float32: 0x1p-23, graph.Float64: 0x1p-52}[float]
				}
				for k, list := range want {
					for i, w := range list {
						if d := math.Abs(out[k].At(i) - w); !(d <= bound*math.Max(1, math.Abs(w))) {
							t.Errorf("result %d, element %d: %v, want %v", k, i, out[k].At(i), w)
						}
					}
				}
			})
		}
	}
	for name := range shapeOperators {
		if !known[name] {
			t.Errorf("%s has no case in %s", name, file.Source)
		}
	}
}
