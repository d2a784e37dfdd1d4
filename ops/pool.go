package ops

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of windows over planes: what they see, the transpose of that, and the largest element of each.
var (
	UnfoldDef  = new(graph.Def)
	FoldDef    = new(graph.Def)
	MaxPoolDef = new(graph.Def)
)

// windowAttr is a convolution's geometry with the size of the window.
type windowAttr struct {
	Kernel [2]int
	Conv   convAttr
}

// Window says how the window of a pool moves. Lists have one entry for each spatial dimension, or one for all. Without a Stride windows do
// not overlap: it is the window's size.
type Window struct {
	Stride   []int
	Padding  []int // elements on either side, at most half of the window; −Inf to a maximum, 0 to a mean
	Dilation []int

	ExcludePadding bool // a mean is over the elements that the window has inside the image, not over its size
}

// MaxPool2D returns the largest element of each window of size (kernel) over x: (n, c, h, w), NaN if one is NaN. The size of the result is that of
// a convolution. The cotangent goes to the largest element; where several tie, to the first of them in row-major order, as in PyTorch.
func MaxPool2D(x *graph.Node, size []int, o Window) *graph.Node {
	values, _ := MaxPoolArg2D(x, size, o)
	return values
}

// MaxPoolArg2D is MaxPool2D with the int64 index of each largest element within its plane, row by row.
func MaxPoolArg2D(x *graph.Node, size []int, o Window) (values, indices *graph.Node) {
	return maxPool(x, size, o, 2)
}

// MaxPool1D is MaxPool2D for x: (n, c, l).
func MaxPool1D(x *graph.Node, size int, o Window) *graph.Node {
	values, _ := maxPool(x, []int{size}, o, 1)
	return values
}

// AvgPool2D returns the mean of each window over x: (n, c, h, w). The size of the result is that of a convolution. For the mean of whole planes
// take Mean(x, 2, 3).
func AvgPool2D(x *graph.Node, size []int, o Window) *graph.Node { return avgPool(x, size, o, 2) }

// AvgPool1D is AvgPool2D for x: (n, c, l).
func AvgPool1D(x *graph.Node, size int, o Window) *graph.Node { return avgPool(x, []int{size}, o, 1) }

// Unfold returns what each position of a window sees of x: (n, c, h, w), as (n, c·kh·kw, positions): im2col, for layers of one's own. Without a
// Stride it is 1.
func Unfold(x *graph.Node, size []int, o Window) *graph.Node {
	if o.Stride == nil {
		o.Stride = []int{1}
	}
	seen := unfold(x, size, o, 2)
	if seen.Err() != nil {
		return seen
	}
	s := seen.Shape()
	return Reshape(seen, s[0], s[1].Mul(s[2]), s[3].Mul(s[4]))
}

// Fold is the transpose of Unfold: it adds what each position of a window sees, cols: (n, c·kh·kw, positions), to zeros of (n, c, h, w).
func Fold(cols *graph.Node, h, w graph.Dim, size []int, o Window) *graph.Node {
	if o.Stride == nil {
		o.Stride = []int{1}
	}
	a, err := o.attr(size, 2)
	if err == nil && (cols.Err() != nil || len(cols.Shape()) != 3) {
		err = graph.Errorf(graph.ErrShape, "takes (batch, channels·kernel, positions), not %v", cols.Type())
	}
	if err != nil {
		return failed("fold", err, cols)
	}
	s := cols.Shape()
	area := graph.Dim(a.Kernel[0] * a.Kernel[1])
	channels, ok := s[1].Div(area)
	if !ok {
		return failed("fold", graph.Errorf(graph.ErrShape, "dimension 1 of %v, %v, is no multiple of the %v elements of a window", s, s[1], area), cols)
	}
	a.Conv.Size = [2]graph.Dim{h, w}
	var at [2]graph.Dim
	for i, n := range a.Conv.Size {
		if at[i], err = a.Conv.positions(i, n, graph.Dim(a.Kernel[i])); err != nil {
			return failed("fold", err, cols)
		}
	}
	return graph.Apply(FoldDef, a, Reshape(cols, s[0], channels, area, at[0], at[1]))
}

// UpsampleNearest repeats each element of x: (n, c, h, w) factor times along height and width.
func UpsampleNearest(x *graph.Node, factor int) *graph.Node {
	return Repeat(Repeat(x, graph.Dim(factor), 2), graph.Dim(factor), 3)
}

func (o Window) attr(size []int, spatial int) (windowAttr, error) {
	a := windowAttr{Conv: convAttr{Groups: 1}}
	var err error
	if a.Kernel, err = perAxis(size, 1, spatial, "window sizes"); err == nil && len(size) == 0 {
		err = graph.Errorf(graph.ErrValue, "no window size; give one for each spatial dimension, or one for all")
	}
	if o.Stride == nil {
		o.Stride = size
	}
	for _, list := range []struct {
		to   *[2]int
		from []int
		zero int
		what string
	}{{&a.Conv.Stride, o.Stride, 1, "strides"}, {&a.Conv.Dilation, o.Dilation, 1, "dilations"}, {&a.Conv.Before, o.Padding, 0, "paddings"}} {
		if err == nil {
			*list.to, err = perAxis(list.from, list.zero, spatial, list.what)
		}
	}
	a.Conv.After = a.Conv.Before
	for i, k := range a.Kernel {
		if err == nil && (k < 1 || a.Conv.Stride[i] < 1 || a.Conv.Dilation[i] < 1 || a.Conv.Before[i] < 0) {
			err = graph.Errorf(graph.ErrValue, "a window of %d, stride %d, dilation %d, padding %d; all are at least 1, the padding at least 0", k, a.Conv.Stride[i], a.Conv.Dilation[i], a.Conv.Before[i])
		}
	}
	return a, err
}

// pool is attr for an operand of a pool, whose padding must leave every window an element.
func (o Window) pool(x *graph.Node, size []int, spatial int) (windowAttr, error) {
	a, err := o.attr(size, spatial)
	if x.Err() == nil && err == nil && len(x.Shape()) != spatial+2 {
		err = graph.Errorf(graph.ErrShape, "takes (batch, channels, %s), not %v", []string{"length", "height, width"}[spatial-1], x.Type())
	}
	for i, k := range a.Kernel {
		if err == nil && a.Conv.Before[i] > k/2 {
			err = graph.Errorf(graph.ErrValue, "a padding of %d is more than half of the window, %d; a window could lie beside the image", a.Conv.Before[i], k)
		}
	}
	return a, err
}

func maxPool(x *graph.Node, size []int, o Window, spatial int) (values, indices *graph.Node) {
	a, err := o.pool(x, size, spatial)
	if err != nil || x.Err() != nil {
		n := failed("maxpool", err, x)
		return n, n
	}
	both := graph.Apply(MaxPoolDef, a, plane(x, spatial))
	return flatPlane(Get(both, 0), nil, spatial), flatPlane(Get(both, 1), nil, spatial)
}

func avgPool(x *graph.Node, size []int, o Window, spatial int) *graph.Node {
	a, err := o.pool(x, size, spatial)
	if err != nil || x.Err() != nil {
		return failed("avgpool", err, x)
	}
	x = plane(x, spatial)
	sums := Sum(graph.Apply(UnfoldDef, a, x), 2)
	if !o.ExcludePadding || a.Conv.Before == [2]int{} {
		return flatPlane(Scale(sums, 1/float64(a.Kernel[0]*a.Kernel[1])), nil, spatial)
	}
	if sums.Err() != nil {
		return sums
	}
	ones := Full(x.Graph(), x.DType(), 1, 1, 1, x.Shape()[2], x.Shape()[3])
	return flatPlane(Div(sums, Sum(graph.Apply(UnfoldDef, a, ones), 2)), nil, spatial)
}

// unfold is Unfold with the elements of a window, and the positions in the plane, in dimensions of their own.
func unfold(x *graph.Node, size []int, o Window, spatial int) *graph.Node {
	a, err := o.attr(size, spatial)
	if err != nil || x.Err() != nil {
		return failed("unfold", err, x)
	}
	return graph.Apply(UnfoldDef, a, x)
}

// String prints the geometry for people, without what is usual.
func (a windowAttr) String() string {
	return strings.TrimSpace(fmt.Sprintf("window=%v %v", a.Kernel, a.Conv))
}

// over is the window over planes of the given shape.
func (a windowAttr) over(x []int, oh, ow int) kernel.Window {
	c := a.Conv
	return kernel.Window{H: x[2], W: x[3], KH: a.Kernel[0], KW: a.Kernel[1], StrideH: c.Stride[0], StrideW: c.Stride[1],
		DilationH: c.Dilation[0], DilationW: c.Dilation[1], Top: c.Before[0], Left: c.Before[1], OH: oh, OW: ow}
}

// positions are those of the window over x: (n, c, h, w).
func (a windowAttr) positions(x graph.Shape) (at [2]graph.Dim, err error) {
	for i, k := range a.Kernel {
		if at[i], err = a.Conv.positions(i, x[2+i], graph.Dim(k)); err != nil {
			return at, err
		}
	}
	return at, nil
}

// byPlanes is the kernel of an operator that works on each plane of (n, c, …) by itself, those from one to before another at a time. Lanes
// share them out. beside is the error of a plane that cannot be done.
func byPlanes(f32, f64 func(c *graph.Call, from, to int) bool, beside string) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		t, ok := c.Kept.(*planeTask)
		if !ok {
			t = new(planeTask)
			t.do = t.lane
			c.Kept = t
		}
		t.call, t.run, t.planes = c, f64, c.In[0].Shape[0]*c.In[0].Shape[1]
		if c.Out[0].DType == graph.Float32 {
			t.run = f32
		}
		t.lanes = max(min(1+max(c.In[0].Len(), c.Out[0].Len())/planeWork, t.planes, convLanes), 1)
		if c.Parallel != nil && t.lanes > 1 {
			c.Parallel(t.lanes, t.do)
		} else {
			for lane := range t.lanes {
				t.lane(lane)
			}
		}
		if slices.Contains(t.done[:t.lanes], false) {
			return graph.Errorf(graph.ErrValue, beside, c.In[0].Shape[2:])
		}
		return nil
	}
}

const planeWork = 1 << 14 // elements of a lane at least: some 10 µs

type planeTask struct {
	call          *graph.Call
	planes, lanes int
	run           func(c *graph.Call, from, to int) bool
	done          [convLanes]bool
	do            func(lane int) // the method lane, made once
}

func (t *planeTask) lane(lane int) {
	t.done[lane] = t.run(t.call, lane*t.planes/t.lanes, (lane+1)*t.planes/t.lanes)
}

// part returns the elements of some of an array's planes.
func part[T kernel.Float](a graph.Array, planes, from, to int) []T {
	size := 0
	if planes > 0 {
		size = a.Len() / planes
	}
	return graph.Elements[T](a)[from*size : to*size]
}

func unfoldPlanes[T kernel.Float](c *graph.Call, from, to int) bool {
	x, y := c.In[0], c.Out[0]
	w := c.Attr.(windowAttr).over(x.Shape, y.Shape[3], y.Shape[4])
	planes, positions := x.Shape[0]*x.Shape[1], w.OH*w.OW
	kernel.Unfold(part[T](y, planes, from, to), positions, part[T](x, planes, from, to), to-from, &w, 0, positions, 0)
	return true
}

func foldPlanes[T kernel.Float](c *graph.Call, from, to int) bool {
	x, y := c.Out[0], c.In[0]
	w := c.Attr.(windowAttr).over(x.Shape, y.Shape[3], y.Shape[4])
	planes, positions := x.Shape[0]*x.Shape[1], w.OH*w.OW
	dst := part[T](x, planes, from, to)
	clear(dst)
	kernel.Fold(dst, to-from, &w, 0, positions, part[T](y, planes, from, to), positions)
	return true
}

func maxPlanes[T kernel.Float](c *graph.Call, from, to int) bool {
	x, y := c.In[0], c.Out[0]
	w := c.Attr.(windowAttr).over(x.Shape, y.Shape[2], y.Shape[3])
	planes, positions := x.Shape[0]*x.Shape[1], w.OH*w.OW
	return kernel.MaxPool(part[T](y, planes, from, to), c.Out[1].I64()[from*positions:to*positions], part[T](x, planes, from, to), to-from, &w)
}

func windowSample(a windowAttr, x graph.Operand) graph.Sample {
	a.Conv.Groups = 1
	for i := range 2 {
		a.Kernel[i], a.Conv.Stride[i], a.Conv.Dilation[i] = max(a.Kernel[i], 1), max(a.Conv.Stride[i], 1), max(a.Conv.Dilation[i], 1)
	}
	a.Conv.After = a.Conv.Before
	return graph.Sample{Attr: a, In: []graph.Operand{x}}
}

func init() {
	define(UnfoldDef, graph.Def{
		Name: "unfold",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantPlanes(in, 1); err != nil {
				return graph.Type{}, err
			}
			a, x := attr.(windowAttr), in[0].Shape
			at, err := a.positions(x)
			return graph.TypeOf(in[0].DType, x[0], x[1], graph.Dim(a.Kernel[0]*a.Kernel[1]), at[0], at[1]), err
		},
		Eval: byPlanes(unfoldPlanes[float32], unfoldPlanes[float64], ""),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(windowAttr)
			a.Conv = a.Conv.to(n.In(0).Shape()[2:]...)
			return []*graph.Node{graph.Apply(FoldDef, a, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				windowSample(windowAttr{Kernel: [2]int{2, 3}}, floats(2, 1, 3, 4)),
				windowSample(windowAttr{Kernel: [2]int{2, 2}, Conv: convAttr{Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}, Before: [2]int{1, 1}}}, floats(1, 2, 3, 3)),
				windowSample(windowAttr{}, floats(1, 2, 1, 1)),
				windowSample(windowAttr{}, floats(0, 1, 2, 2)),
			}
		},
	})
	define(FoldDef, graph.Def{
		Name: "fold",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a, y := attr.(windowAttr), in[0].Shape
			if !in[0].DType.IsFloat() || len(y) != 5 || y[2] != graph.Dim(a.Kernel[0]*a.Kernel[1]) {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "takes floats (batch, channels, %d, height, width), not %v", a.Kernel[0]*a.Kernel[1], in[0])
			}
			x := graph.Shape{y[0], y[1], a.Conv.Size[0], a.Conv.Size[1]}
			if !x.IsValid() {
				return graph.TypeOf(in[0].DType, x...), nil // the graph says what is wrong with it
			}
			at, err := a.positions(x)
			for i := range at {
				if err == nil {
					err = sameDim(at[i], y[3+i], func() string { return "the positions in " + x.String() + " and " + y.String() })
				}
			}
			return graph.TypeOf(in[0].DType, x...), err
		},
		Eval: byPlanes(foldPlanes[float32], foldPlanes[float64], ""),
		VJP: func(n, dx *graph.Node) []*graph.Node {
			a := n.Attr().(windowAttr)
			a.Conv = a.Conv.to(0, 0)
			return []*graph.Node{graph.Apply(UnfoldDef, a, dx)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				windowSample(windowAttr{Kernel: [2]int{2, 3}, Conv: convAttr{Size: [2]graph.Dim{3, 4}}}, floats(2, 1, 6, 2, 2)),
				windowSample(windowAttr{Kernel: [2]int{2, 2}, Conv: convAttr{Stride: [2]int{2, 1}, Before: [2]int{1, 0}, Size: [2]graph.Dim{3, 2}}}, floats(1, 2, 4, 2, 1)),
				windowSample(windowAttr{Conv: convAttr{Size: [2]graph.Dim{1, 1}}}, floats(1, 2, 1, 1, 1)),
			}
		},
	})
	define(MaxPoolDef, graph.Def{
		Name: "maxpool",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantPlanes(in, 1); err != nil {
				return graph.Type{}, err
			}
			x := in[0].Shape
			at, err := attr.(windowAttr).positions(x)
			return graph.TupleOf(graph.TypeOf(in[0].DType, x[0], x[1], at[0], at[1]), graph.TypeOf(graph.Int64, x[0], x[1], at[0], at[1])), err
		},
		Eval: byPlanes(maxPlanes[float32], maxPlanes[float64], "a window lies beside the image of %v; less padding or dilation would mend it"),
		VJP: func(n, dy *graph.Node) []*graph.Node { // dy goes where the maximum came from
			x := n.In(0).Shape()
			values, indices := Get(dy, 0), Get(n, 1)
			y := values.Shape()
			lines := []graph.Dim{y[0], y[1], y[2].Mul(y[3])}
			return []*graph.Node{Reshape(ScatterAlongAxis(Reshape(values, lines...), Reshape(indices, lines...), 2, x[2].Mul(x[3])), x...)}
		},
		Samples: func() []graph.Sample {
			spread := func(dims ...graph.Dim) graph.Operand { // no finite difference changes which is largest
				x := floats(dims...)
				for i := range int(x.Type.Shape.Size()) {
					x.Values = append(x.Values, math.Sin(float64(7*i)))
				}
				return x
			}
			return []graph.Sample{
				windowSample(windowAttr{Kernel: [2]int{2, 2}, Conv: convAttr{Stride: [2]int{2, 2}}}, spread(2, 1, 4, 4)),
				windowSample(windowAttr{Kernel: [2]int{3, 2}, Conv: convAttr{Before: [2]int{1, 1}, Stride: [2]int{2, 1}}}, spread(1, 2, 4, 3)),
				windowSample(windowAttr{Kernel: [2]int{2, 2}, Conv: convAttr{Dilation: [2]int{2, 1}}}, spread(1, 1, 3, 3)),
				windowSample(windowAttr{Kernel: [2]int{2, 2}}, floats(0, 1, 2, 2)),
			}
		},
	})
}
