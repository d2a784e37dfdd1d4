package ops

import (
	"fmt"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of convolution. ⟨y, conv(x, w)⟩ is linear in each of x, w and y, and the three operators are its derivatives by y, by x
// and by w: so each one's gradients are the other two, to any order.
//
//	x: (n, c, h, w)    w: (o, c/groups, kh, kw)    y: (n, o, oh, ow)
var (
	ConvDef        = new(graph.Def) // y from x, w
	ConvInputDef   = new(graph.Def) // x from y, w
	ConvWeightsDef = new(graph.Def) // w from x, y
)

// Convolution says how a window moves. Lists have one entry for each spatial dimension, or one for all; the zero value is stride 1, no
// padding, dilation 1, one group.
type Convolution struct {
	Stride   []int // how far the window moves from one position to the next
	Padding  []int // zeros on either side
	Same     bool  // as much padding as keeps the size, the odd one after; strides are 1 then
	Dilation []int // how far the elements that a window sees are apart
	Groups   int   // the channels are so many groups, each seen by its own share of the filters

	OutputPadding []int // of transposed convolutions alone: what the size of the result has beyond the smallest that fits
}

// Conv2D returns the convolution (as everywhere in this field, the correlation) of x: (n, c, h, w) with the filters w: (o, c/groups, kh, kw),
// plus a bias b: (o) if it is not nil:
//
//	y[n,o,i,j] = b[o] + Σ x[n, c, i·stride − padding + k·dilation, …] · w[o, c, k, …]
//
// y is (n, o, oh, ow) with oh = ⌊(h + 2·padding − dilation·(kh−1) − 1)/stride⌋ + 1, which may be symbolic, as may n, h and w.
func Conv2D(x, w, b *graph.Node, o Convolution) *graph.Node { return convolve(x, w, b, o, 2) }

// Conv1D is Conv2D for x: (n, c, l) and w: (o, c/groups, k).
func Conv1D(x, w, b *graph.Node, o Convolution) *graph.Node { return convolve(x, w, b, o, 1) }

// ConvTranspose2D returns the transposed convolution of x: (n, c, h, w) with w: (c, o/groups, kh, kw), plus a bias b: (o) if it is not nil: what
// the gradient of Conv2D by its input computes. The result is (n, o, oh, ow) with
// oh = (h−1)·stride − 2·padding + dilation·(kh−1) + outputPadding + 1.
func ConvTranspose2D(x, w, b *graph.Node, o Convolution) *graph.Node {
	return convolveTransposed(x, w, b, o, 2)
}

// ConvTranspose1D is ConvTranspose2D for x: (n, c, l) and w: (c, o/groups, k).
func ConvTranspose1D(x, w, b *graph.Node, o Convolution) *graph.Node {
	return convolveTransposed(x, w, b, o, 1)
}

// convAttr is the geometry of a convolution in the plane.
type convAttr struct {
	Stride, Dilation [2]int
	Before, After    [2]int // padding
	Groups           int
	Size             [2]graph.Dim // the spatial size of the result of ConvInput and ConvWeights, which the operands do not tell
}

// String prints the geometry for people, without what is usual.
func (a convAttr) String() string {
	var parts []string
	for _, p := range []struct {
		name  string
		value any
		usual bool
	}{
		{"stride", a.Stride, a.Stride == [2]int{1, 1}},
		{"padding", a.Before, a.Before == [2]int{}},
		{"after", a.After, a.After == a.Before},
		{"dilation", a.Dilation, a.Dilation == [2]int{1, 1}},
		{"groups", a.Groups, a.Groups == 1},
		{"size", a.Size, a.Size == [2]graph.Dim{}},
	} {
		if !p.usual {
			parts = append(parts, fmt.Sprintf("%s=%v", p.name, p.value))
		}
	}
	return strings.Join(parts, " ")
}

func convolve(x, w, b *graph.Node, o Convolution, spatial int) *graph.Node {
	a, err := o.attr(x, w, spatial)
	if err != nil {
		return failed("conv", err, x, w)
	}
	return flatPlane(graph.Apply(ConvDef, a, plane(x, spatial), plane(w, spatial)), b, spatial)
}

func convolveTransposed(x, w, b *graph.Node, o Convolution, spatial int) *graph.Node {
	a, err := o.attr(x, w, spatial)
	extra, extraErr := perAxis(o.OutputPadding, 0, spatial, "output paddings")
	if err == nil {
		err = extraErr
	}
	if err != nil {
		return failed("convtranspose", err, x, w)
	}
	x, w = plane(x, spatial), plane(w, spatial)
	for i := range a.Size {
		if extra[i] < 0 || extra[i] >= max(a.Stride[i], a.Dilation[i]) {
			return failed("convtranspose", graph.Errorf(graph.ErrValue, "an output padding of %d; it is smaller than the stride or the dilation", extra[i]), x, w)
		}
		a.Size[i] = x.Shape()[2+i].Sub(1).Mul(graph.Dim(a.Stride[i])).Add(reach(w.Shape()[2+i], a.Dilation[i])).Add(graph.Dim(extra[i] - a.Before[i] - a.After[i]))
	}
	return flatPlane(graph.Apply(ConvInputDef, a, x, w), b, spatial)
}

// plane gives a tensor of one spatial dimension a second one of size 1, before it.
func plane(x *graph.Node, spatial int) *graph.Node {
	if spatial == 1 {
		return Unsqueeze(x, 2)
	}
	return x
}

// flatPlane takes that dimension away again, and adds a bias to each channel.
func flatPlane(y, b *graph.Node, spatial int) *graph.Node {
	if spatial == 1 {
		y = Squeeze(y, 2)
	}
	if b == nil || y.Err() != nil {
		return y
	}
	if b.Err() == nil && (len(b.Shape()) != 1 || b.Shape()[0] != y.Shape()[1]) {
		return failed("conv", graph.Errorf(graph.ErrShape, "the bias is %v, but the result %v has %v channels; a bias is a vector of one number for each", b.Type(), y.Shape(), y.Shape()[1]), y, b)
	}
	axes := []int{1, 2}
	return Add(y, Unsqueeze(b, axes[:spatial]...))
}

// attr checks the options for operands of so many spatial dimensions.
func (o Convolution) attr(x, w *graph.Node, spatial int) (convAttr, error) {
	a := convAttr{Groups: max(o.Groups, 1)}
	for _, n := range []*graph.Node{x, w} {
		if n.Err() != nil {
			return a, n.Err()
		}
		if len(n.Shape()) != spatial+2 {
			return a, graph.Errorf(graph.ErrShape, "takes (batch, channels, %s) and filters (out, in, %s), but an operand is %v; ops.Reshape or ops.Unsqueeze add dimensions",
				[]string{"length", "height, width"}[spatial-1], []string{"length", "height, width"}[spatial-1], n.Type())
		}
	}
	stride, err := perAxis(o.Stride, 1, spatial, "strides")
	dilation, dilationErr := perAxis(o.Dilation, 1, spatial, "dilations")
	padding, paddingErr := perAxis(o.Padding, 0, spatial, "paddings")
	for _, e := range []error{dilationErr, paddingErr} {
		if err == nil {
			err = e
		}
	}
	a.Stride, a.Dilation, a.Before, a.After = stride, dilation, padding, padding
	for i := 2 - spatial; err == nil && i < 2; i++ {
		switch k := w.Shape()[i+spatial]; {
		case stride[i] < 1 || dilation[i] < 1 || padding[i] < 0:
			err = graph.Errorf(graph.ErrValue, "stride %d, dilation %d, padding %d; strides and dilations are at least 1, paddings at least 0", stride[i], dilation[i], padding[i])
		case o.Same && (stride[i] != 1 || o.Padding != nil || !k.IsStatic()):
			err = graph.Errorf(graph.ErrValue, "Same keeps the size with stride 1, filters of known size and no other padding; give Padding for anything else")
		case o.Same:
			total := int(reach(k, dilation[i])) - 1
			a.Before[i], a.After[i] = total/2, total-total/2
		}
	}
	return a, err
}

// perAxis spreads a list of options over the axes of a plane; the first axis of a line is one of size 1.
func perAxis(list []int, zero, spatial int, what string) (all [2]int, err error) {
	all = [2]int{zero, zero}
	switch len(list) {
	case 0:
	case 1:
		for i := 2 - spatial; i < 2; i++ {
			all[i] = list[0]
		}
	case spatial:
		copy(all[2-spatial:], list)
	default:
		err = graph.Errorf(graph.ErrValue, "%d %s for %d spatial dimensions; give one for each, or one for all", len(list), what, spatial)
	}
	return all, err
}

// reach is how many elements a window of k elements extends over.
func reach(k graph.Dim, dilation int) graph.Dim { return k.Sub(1).Mul(graph.Dim(dilation)).Add(1) }

// positions is the number of places that a window of k elements has along axis i of n elements.
func (a convAttr) positions(i int, n, k graph.Dim) (graph.Dim, error) {
	free := n.Add(graph.Dim(a.Before[i] + a.After[i])).Sub(reach(k, a.Dilation[i]))
	if k.IsStatic() && k < 1 || !free.IsSymbolic() && free < 0 {
		return 0, graph.Errorf(graph.ErrShape, "a window of %v elements with dilation %d does not fit into %v with padding %d and %d; more padding or a smaller window would", k, a.Dilation[i], n, a.Before[i], a.After[i])
	}
	return free.FloorDiv(graph.Dim(a.Stride[i])).Add(1), nil
}

// wantPlanes checks that the operands are of one float type and four dimensions.
func wantPlanes(in []graph.Type, operands int) error {
	if err := wantOperands(in, operands); err != nil {
		return err
	}
	for _, t := range in {
		switch {
		case !t.DType.IsFloat():
			return graph.Errorf(graph.ErrDType, "needs float32 or float64, not %v; convert with ops.Cast", t)
		case t.DType != in[0].DType:
			return graph.Errorf(graph.ErrDType, "element types differ: %v and %v; make them one with ops.Cast", in[0], t)
		case len(t.Shape) != 4:
			return graph.Errorf(graph.ErrShape, "takes four dimensions, (batch, channels, height, width), not %v", t.Shape)
		}
	}
	return nil
}

// fits checks x, w and y of one convolution against each other.
func (a convAttr) fits(x, w, y graph.Shape) error {
	groups := graph.Dim(a.Groups)
	if err := sameDim(x[1], w[1].Mul(groups), func() string {
		return "the channels of " + x.String() + " and filters " + w.String() + " for " + groups.String() + " group(s)"
	}); err != nil {
		return err
	}
	if _, ok := w[0].Div(groups); !ok {
		return graph.Errorf(graph.ErrShape, "%v filters cannot be shared equally by %d groups", w[0], a.Groups)
	}
	if err := sameDim(w[0], y[1], func() string { return "filters " + w.String() + " and the channels of " + y.String() }); err != nil {
		return err
	}
	if err := sameDim(x[0], y[0], func() string { return "the batches of " + x.String() + " and " + y.String() }); err != nil {
		return err
	}
	for i := range 2 {
		want, err := a.positions(i, x[2+i], w[2+i])
		if err == nil {
			err = sameDim(want, y[2+i], func() string {
				return "the positions of windows " + w.String() + " in " + x.String() + " and " + y.String()
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// to is the attribute for a result of the given spatial size.
func (a convAttr) to(size ...graph.Dim) convAttr {
	a.Size = [2]graph.Dim(size)
	return a
}

func convSample(a convAttr, first, second []graph.Dim) graph.Sample {
	if a.Groups == 0 {
		a.Groups = 1
	}
	for i := range 2 {
		a.Stride[i], a.Dilation[i] = max(a.Stride[i], 1), max(a.Dilation[i], 1)
	}
	return graph.Sample{Attr: a, In: []graph.Operand{floats(first...), floats(second...)}}
}

func init() {
	define(ConvDef, graph.Def{
		Name: "conv",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantPlanes(in, 2); err != nil {
				return graph.Type{}, err
			}
			a, x, w := attr.(convAttr), in[0].Shape, in[1].Shape
			y := graph.Shape{x[0], w[0], 0, 0}
			for i := range 2 {
				var err error
				if y[2+i], err = a.positions(i, x[2+i], w[2+i]); err != nil {
					return graph.Type{}, err
				}
			}
			return graph.TypeOf(in[0].DType, y...), a.fits(x, w, y)
		},
		Eval:    evalConv(convOutput),
		Scratch: scratchConv(convOutput),
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a, x, w := n.Attr().(convAttr), n.In(0), n.In(1)
			return []*graph.Node{graph.Apply(ConvInputDef, a.to(x.Shape()[2:]...), dy, w), graph.Apply(ConvWeightsDef, a.to(w.Shape()[2:]...), x, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				convSample(convAttr{}, []graph.Dim{2, 2, 3, 4}, []graph.Dim{3, 2, 2, 2}),
				convSample(convAttr{Stride: [2]int{2, 1}, Before: [2]int{1, 0}, After: [2]int{1, 2}}, []graph.Dim{1, 1, 4, 3}, []graph.Dim{2, 1, 3, 2}),
				convSample(convAttr{Dilation: [2]int{1, 2}, Groups: 2}, []graph.Dim{2, 4, 2, 4}, []graph.Dim{2, 2, 1, 2}),
				convSample(convAttr{}, []graph.Dim{1, 2, 2, 3}, []graph.Dim{2, 2, 1, 1}),
				convSample(convAttr{}, []graph.Dim{0, 2, 2, 3}, []graph.Dim{2, 2, 1, 2}),
			}
		},
	})
	define(ConvInputDef, graph.Def{
		Name: "convinput",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantPlanes(in, 2); err != nil {
				return graph.Type{}, err
			}
			a, y, w := attr.(convAttr), in[0].Shape, in[1].Shape
			x := graph.Shape{y[0], w[1].Mul(graph.Dim(a.Groups)), a.Size[0], a.Size[1]}
			if !x.IsValid() {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "the result would have shape %v; less padding would make it larger", x)
			}
			return graph.TypeOf(in[0].DType, x...), a.fits(x, w, y)
		},
		Eval:    evalConv(convInput),
		Scratch: scratchConv(convInput),
		VJP: func(n, dx *graph.Node) []*graph.Node {
			a, y, w := n.Attr().(convAttr), n.In(0), n.In(1)
			return []*graph.Node{graph.Apply(ConvDef, a.to(0, 0), dx, w), graph.Apply(ConvWeightsDef, a.to(w.Shape()[2:]...), dx, y)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				convSample(convAttr{Size: [2]graph.Dim{3, 4}}, []graph.Dim{2, 3, 2, 3}, []graph.Dim{3, 2, 2, 2}),
				convSample(convAttr{Stride: [2]int{2, 2}, Before: [2]int{1, 0}, After: [2]int{1, 0}, Size: [2]graph.Dim{4, 4}}, []graph.Dim{1, 2, 2, 2}, []graph.Dim{2, 1, 3, 2}),
				convSample(convAttr{Groups: 2, Size: [2]graph.Dim{2, 3}}, []graph.Dim{2, 2, 2, 2}, []graph.Dim{2, 1, 1, 2}),
				convSample(convAttr{Size: [2]graph.Dim{2, 3}}, []graph.Dim{0, 2, 2, 3}, []graph.Dim{2, 2, 1, 1}),
			}
		},
	})
	define(ConvWeightsDef, graph.Def{
		Name: "convweights",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantPlanes(in, 2); err != nil {
				return graph.Type{}, err
			}
			a, x, y := attr.(convAttr), in[0].Shape, in[1].Shape
			perGroup, ok := x[1].Div(graph.Dim(a.Groups))
			if !ok {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "%v channels cannot be shared equally by %d groups", x[1], a.Groups)
			}
			w := graph.Shape{y[1], perGroup, a.Size[0], a.Size[1]}
			if !w.IsValid() {
				return graph.TypeOf(in[0].DType, w...), nil // the graph says what is wrong with it
			}
			return graph.TypeOf(in[0].DType, w...), a.fits(x, w, y)
		},
		Eval:    evalConv(convWeights),
		Scratch: scratchConv(convWeights),
		VJP: func(n, dw *graph.Node) []*graph.Node {
			a, x, y := n.Attr().(convAttr), n.In(0), n.In(1)
			return []*graph.Node{graph.Apply(ConvInputDef, a.to(x.Shape()[2:]...), y, dw), graph.Apply(ConvDef, a.to(0, 0), x, dw)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				convSample(convAttr{Size: [2]graph.Dim{2, 2}}, []graph.Dim{2, 2, 3, 4}, []graph.Dim{2, 3, 2, 3}),
				convSample(convAttr{Stride: [2]int{2, 1}, Before: [2]int{1, 0}, After: [2]int{1, 0}, Size: [2]graph.Dim{3, 2}}, []graph.Dim{1, 1, 4, 3}, []graph.Dim{1, 2, 2, 2}),
				convSample(convAttr{Groups: 2, Size: [2]graph.Dim{1, 2}}, []graph.Dim{2, 2, 2, 3}, []graph.Dim{2, 2, 2, 2}),
				convSample(convAttr{Size: [2]graph.Dim{1, 1}}, []graph.Dim{0, 2, 2, 3}, []graph.Dim{0, 2, 2, 3}),
			}
		},
	})
}
