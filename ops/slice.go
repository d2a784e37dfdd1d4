package ops

import (
	"fmt"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// The definitions of the operators that cut a block out of a tensor and put it into one: each is the other's transpose.
var (
	SliceDef = new(graph.Def)
	PadDef   = new(graph.Def)
)

// sliceAttr is a lattice within a larger tensor: along each axis Shape points, |Step| apart, of which the first in memory is Low. A
// negative step counts them from the last. SliceDef reads the lattice, PadDef writes it and Fill everywhere else.
type sliceAttr struct {
	Low   []graph.Dim
	Step  []int
	Shape graph.Shape // of the slice for SliceDef, of the padded tensor for PadDef
	Fill  float64
}

// Open is a bound of a slice that is left out, as in Python's x[2:] and x[::-1].
const Open graph.Dim = -1 << 60

// Slice returns the elements from start to before stop along an axis. As in NumPy a negative axis or bound counts from the end, Open leaves
// a bound out, and bounds outside an axis of known size are drawn in. Bounds of a symbolic axis, whose size only a run knows, are taken at
// their word: Slice(x, 0, 0, 5) of (batch) has 5 elements, and a batch of 3 is an error of the run.
func Slice(x *graph.Node, axis int, start, stop graph.Dim) *graph.Node {
	return SliceStep(x, axis, start, stop, 1)
}

// SliceStep is Slice with a step, which must not be 0: Python's x[start:stop:step] along an axis. With a negative step it runs backwards, and
// Open bounds are the last element and the first.
func SliceStep(x *graph.Node, axis int, start, stop graph.Dim, step int) *graph.Node {
	if x.Err() != nil {
		return failed("slice", x.Err(), x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("slice", err, x)
	}
	if step == 0 {
		return failed("slice", graph.Errorf(graph.ErrValue, "a step of 0; 1 takes every element, -1 every one from the last"), x)
	}
	attr := wholeSlice(x)
	attr.Step[a] = step
	attr.Low[a], attr.Shape[a] = bounds(x.Shape()[a], start, stop, step)
	return slice(x, attr)
}

// At returns the elements at index i along an axis, which the result no longer has: Python's x[:, i]. A negative index counts from the end.
func At(x *graph.Node, axis int, i graph.Dim) *graph.Node {
	if x.Err() != nil {
		return failed("at", x.Err(), x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("at", err, x)
	}
	n := x.Shape()[a]
	at := i
	if !at.IsSymbolic() && at < 0 {
		at = n.Add(i)
	}
	if n.IsStatic() && !at.IsSymbolic() && (at < 0 || at >= n) {
		return failed("at", graph.Errorf(graph.ErrValue, "index %d is outside axis %d of %v, which has %v elements", int64(i), axis, x.Shape(), n), x)
	}
	return Squeeze(Slice(x, a, at, at.Add(1)), a)
}

// Flip reverses the order along the given axes, or along all if none is given.
func Flip(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("flip", x.Err(), x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return failed("flip", err, x)
	}
	attr := wholeSlice(x)
	for _, a := range normal {
		attr.Step[a] = -1
	}
	return slice(x, attr)
}

// Roll moves every element by shift places along an axis; those that leave it come in at the other end. Along a symbolic axis, whose size only
// a run knows, it is an error of the run if shift is larger than that.
func Roll(x *graph.Node, shift, axis int) *graph.Node {
	if x.Err() != nil {
		return failed("roll", x.Err(), x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("roll", err, x)
	}
	if n := x.Shape()[a]; n.IsStatic() && n > 0 {
		shift = (shift%int(n) + int(n)) % int(n)
	}
	cut := graph.Dim(-shift) // from the end, or for a shift to the left from the start
	if shift == 0 || x.Shape()[a] == 0 {
		return x
	}
	return Concat(a, Slice(x, a, cut, Open), Slice(x, a, 0, cut))
}

// failed is the node of an expression that cannot be built. An operand's own error goes first.
func failed(name string, err error, x ...*graph.Node) *graph.Node {
	names := make([]string, len(x))
	for i := len(x) - 1; i >= 0; i-- {
		if names[i] = x[i].Name(); x[i].Err() != nil {
			err = x[i].Err()
		}
	}
	return graph.Invalid(err, name+"("+strings.Join(names, ", ")+")", x...)
}

// wholeSlice is the lattice of all elements of x.
func wholeSlice(x *graph.Node) sliceAttr {
	attr := sliceAttr{Low: make([]graph.Dim, len(x.Shape())), Step: make([]int, len(x.Shape())), Shape: append(graph.Shape{}, x.Shape()...)}
	for i := range attr.Step {
		attr.Step[i] = 1
	}
	return attr
}

func slice(x *graph.Node, attr sliceAttr) *graph.Node {
	for i, s := range attr.Step {
		if s < 0 && attr.Shape[i].IsStatic() && attr.Shape[i] <= 1 {
			attr.Step[i] = 1
		}
	}
	if attr.isWhole(x.Shape()) {
		return x
	}
	return graph.Apply(SliceDef, attr, x)
}

func (a sliceAttr) isWhole(of graph.Shape) bool {
	for i, s := range a.Step {
		if s != 1 || a.Low[i] != 0 {
			return false
		}
	}
	return a.Shape.Identical(of)
}

// bounds turns the bounds of a slice of n elements into its lowest index and its size.
func bounds(n, start, stop graph.Dim, step int) (low, size graph.Dim) {
	first, end := graph.Dim(0), n // where bounds are drawn in to, and what an open one is
	if step < 0 {
		first, end = n.Sub(1), -1
	}
	resolve := func(b, open graph.Dim) graph.Dim {
		switch {
		case b == Open:
			return open
		case !b.IsSymbolic() && b < 0:
			b = b.Add(n)
		}
		if n.IsStatic() && !b.IsSymbolic() {
			b = max(min(b, max(first, end)), min(first, end))
		}
		return b
	}
	from, to := resolve(start, first), resolve(stop, end)
	stride := graph.Dim(max(step, -step))
	span := to.Sub(from)
	if step < 0 {
		span = from.Sub(to)
	}
	if size = span.Add(stride - 1).FloorDiv(stride); !size.IsSymbolic() {
		size = max(size, 0)
	}
	switch {
	case size == 0:
		return 0, 0
	case step < 0:
		return from.Sub(stride.Mul(size.Sub(1))), size
	}
	return from, size
}

// String prints the lattice for people: "at [0, 1 by 2] for (3, 5)".
func (a sliceAttr) String() string {
	parts := make([]string, len(a.Low))
	for i, low := range a.Low {
		if parts[i] = low.String(); a.Step[i] != 1 {
			parts[i] += fmt.Sprintf(" by %d", a.Step[i])
		}
	}
	s := "at [" + strings.Join(parts, ", ") + "] for " + a.Shape.String()
	if a.Fill != 0 {
		s += fmt.Sprintf(" fill=%v", a.Fill)
	}
	return s
}

// move walks the lattice of the given shape within a tensor. It fails if the lattice leaves the tensor, which only symbolic bounds can.
func (a sliceAttr) move(shape, within []int, b graph.Binding, visit func(axis, size, base, step int)) error {
	stride := strides(within)
	for i, n := range shape {
		low, err := a.Low[i].Eval(b)
		width := max(a.Step[i], -a.Step[i])
		if err != nil || n > 0 && low+width*(n-1) >= within[i] {
			return graph.Errorf(graph.ErrShape, "%d elements from %v on, %d apart, are not in axis %d of this run, which has %d", n, a.Low[i], width, i, within[i])
		}
		if n == 0 {
			low = 0
		}
		if a.Step[i] < 0 {
			low += width * (n - 1)
		}
		visit(i, n, low*stride[i], a.Step[i]*stride[i])
	}
	return nil
}

func evalSlice(c *graph.Call) error {
	x, y := c.In[0], c.Out[0]
	to := strides(y.Shape)
	var m move
	err := c.Attr.(sliceAttr).move(y.Shape, x.Shape, c.Binding, func(axis, size, base, step int) {
		m.from0 += base
		m.loop(size, to[axis], step)
	})
	if err == nil {
		m.run(y, x)
	}
	return err
}

func evalPad(c *graph.Call) error {
	x, y, a := c.In[0], c.Out[0], c.Attr.(sliceAttr)
	from := strides(x.Shape)
	var m move
	err := a.move(x.Shape, y.Shape, c.Binding, func(axis, size, base, step int) {
		m.to0 += base
		m.loop(size, step, from[axis])
	})
	if err != nil {
		return err
	}
	fillArray(y, a.Fill)
	m.run(y, x)
	return nil
}

func fillArray(a graph.Array, v float64) {
	switch a.DType {
	case graph.Float32:
		fill(a.F32(), float32(v))
	case graph.Float64:
		fill(a.F64(), v)
	case graph.Int32:
		fill(a.I32(), int32(v))
	case graph.Int64:
		fill(a.I64(), int64(v))
	default:
		fill(a.Bool(), v != 0)
	}
}

// inferSlice checks a lattice of the shape of its smaller side within the larger one.
func inferSlice(a sliceAttr, small, large graph.Shape) error {
	if len(a.Low) != len(large) || len(a.Step) != len(large) || len(small) != len(large) {
		return graph.Errorf(graph.ErrShape, "a slice of %d dimensions and a tensor of shape %v", len(a.Low), large)
	}
	for i, low := range a.Low {
		if a.Step[i] == 0 {
			return graph.Errorf(graph.ErrValue, "a step of 0")
		}
		width := graph.Dim(max(a.Step[i], -a.Step[i]))
		if last := low.Add(width.Mul(small[i].Sub(1))); small[i] != 0 && (!low.IsSymbolic() && low < 0 || last.IsStatic() && large[i].IsStatic() && last >= large[i]) {
			return graph.Errorf(graph.ErrShape, "%v elements from %v on, %d apart, are not in axis %d of %v", small[i], low, width, i, large)
		}
	}
	return nil
}

func init() {
	define(SliceDef, graph.Def{
		Name: "slice",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a := attr.(sliceAttr)
			return graph.TypeOf(in[0].DType, a.Shape...), inferSlice(a, a.Shape, in[0].Shape)
		},
		Eval: evalSlice,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(sliceAttr)
			return []*graph.Node{graph.Apply(PadDef, sliceAttr{a.Low, a.Step, n.In(0).Shape(), 0}, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: sliceAttr{Low: []graph.Dim{1}, Step: []int{1}, Shape: graph.Shape{3}}, In: []graph.Operand{floats(5)}},
				{Attr: sliceAttr{Low: []graph.Dim{0, 1}, Step: []int{-1, 2}, Shape: graph.Shape{3, 2}}, In: []graph.Operand{floats(3, 5)}},
				{Attr: sliceAttr{Low: []graph.Dim{1, 0, 0}, Step: []int{-2, 1, -3}, Shape: graph.Shape{2, 1, 2}}, In: []graph.Operand{floats(4, 2, 4)}},
				{Attr: sliceAttr{Low: []graph.Dim{0, 2}, Step: []int{1, -1}, Shape: graph.Shape{2, 0}}, In: []graph.Operand{floats(2, 3)}},
				{Attr: sliceAttr{Low: []graph.Dim{0, 1}, Step: []int{-1, 1}, Shape: graph.Shape{0, 1}}, In: []graph.Operand{floats(0, 3)}},
			}
		},
	})
	define(PadDef, graph.Def{
		Name: "pad",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 1); err != nil {
				return graph.Type{}, err
			}
			a := attr.(sliceAttr)
			if !a.Shape.IsValid() {
				return graph.TypeOf(in[0].DType, a.Shape...), nil // the graph says what is wrong with it
			}
			return graph.TypeOf(in[0].DType, a.Shape...), inferSlice(a, in[0].Shape, a.Shape)
		},
		Eval: evalPad,
		VJP: func(n, dy *graph.Node) []*graph.Node {
			a := n.Attr().(sliceAttr)
			return []*graph.Node{graph.Apply(SliceDef, sliceAttr{a.Low, a.Step, n.In(0).Shape(), 0}, dy)}
		},
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: sliceAttr{Low: []graph.Dim{1}, Step: []int{1}, Shape: graph.Shape{5}, Fill: -2}, In: []graph.Operand{floats(3)}},
				{Attr: sliceAttr{Low: []graph.Dim{0, 1}, Step: []int{-1, 2}, Shape: graph.Shape{3, 5}}, In: []graph.Operand{floats(3, 2)}},
				{Attr: sliceAttr{Low: []graph.Dim{1, 0, 0}, Step: []int{-2, 1, 1}, Shape: graph.Shape{4, 2, 2}}, In: []graph.Operand{floats(2, 1, 2)}},
				{Attr: sliceAttr{Low: []graph.Dim{0, 1}, Step: []int{1, 1}, Shape: graph.Shape{2, 3}, Fill: 1}, In: []graph.Operand{floats(2, 0)}},
			}
		},
	})

	rewrite(graph.Rule{
		Name: "slice-slice", Why: "a part of a part is a part: one copy, not two", Root: SliceDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			inner := m.Op(n.In(0), SliceDef)
			if inner == nil {
				return nil
			}
			outer, first := n.Attr().(sliceAttr), inner.Attr().(sliceAttr)
			both := wholeSlice(n)
			for i := range both.Low {
				s, t := outer.Step[i], first.Step[i]
				low := outer.Low[i]
				if t < 0 { // counted from the other end
					low = inner.Shape()[i].Sub(1).Sub(low).Sub(graph.Dim(max(s, -s)).Mul(outer.Shape[i].Sub(1)))
				}
				both.Low[i], both.Step[i] = first.Low[i].Add(graph.Dim(max(t, -t)).Mul(low)), s*t
				if outer.Shape[i] == 0 {
					both.Low[i] = 0
				}
			}
			return slice(inner.In(0), both)
		},
	})
}
