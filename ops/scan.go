package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the operators that run along an axis.
var (
	CumSumDef = new(graph.Def)
	ScanDef   = new(graph.Def)
	ShiftDef  = new(graph.Def)
)

// alongAttr is an axis and a direction: from its first element to the last, or the reverse.
type alongAttr struct {
	Axis    int
	Reverse bool
}

// CumSum returns the sums of the elements up to and with each one along an axis; a negative axis counts from the last. Integers
// wrap around.
func CumSum(x *graph.Node, axis int) *graph.Node { return along(CumSumDef, axis, false, x) }

// CumProd returns the products of the elements up to and with each one along an axis. The gradient, of any order, is right where
// elements are 0.
func CumProd(x *graph.Node, axis int) *graph.Node {
	before := productBefore(x, axis, false)
	if before.Err() != nil {
		return before
	}
	return Mul(before, x)
}

// LinearScan returns h with hᵢ = aᵢ·hᵢ₋₁ + xᵢ along an axis, hᵢ₋₁ being 0 for the first: discounted sums, exponential moving averages,
// the state of a linear recurrence. a and x have one shape. Its gradient is a scan in the other direction.
func LinearScan(a, x *graph.Node, axis int) *graph.Node { return along(ScanDef, axis, false, a, x) }

// Shift moves elements by one place along an axis, towards its end: the first becomes 0 and the last is lost.
func Shift(x *graph.Node, axis int) *graph.Node { return along(ShiftDef, axis, false, x) }

// productBefore returns the product of the elements before each one, or if reverse after it: a scan that starts with 1.
func productBefore(x *graph.Node, axis int, reverse bool) *graph.Node {
	factors := along(ShiftDef, axis, reverse, x)
	if factors.Err() != nil {
		return factors
	}
	ones := BroadcastTo(like(x, 1), x.Shape()...)
	start := Sub(ones, along(ShiftDef, axis, reverse, ones)) // 1 0 0 …
	return along(ScanDef, axis, reverse, factors, start)
}

func along(d *graph.Def, axis int, reverse bool, in ...*graph.Node) *graph.Node {
	for _, x := range in {
		if x.Err() != nil {
			return graph.Apply(d, nil, in...)
		}
	}
	a, err := normalAxis(axis, in[0].Type())
	if err != nil {
		return graph.Invalid(err, d.Name+"("+in[0].Name()+")", in...)
	}
	return graph.Apply(d, alongAttr{a, reverse}, in...)
}

// turned returns the same operator in the other direction.
func turned(n *graph.Node, d *graph.Def, in ...*graph.Node) *graph.Node {
	a := n.Attr().(alongAttr)
	return graph.Apply(d, alongAttr{a.Axis, !a.Reverse}, in...)
}

// march visits the rows of inner elements along the axis of an operator, in its direction: at is where a row begins, before where the
// previous one does, −1 for the first.
func (a alongAttr) march(shape []int, visit func(at, before, inner int)) {
	outer, n, inner := around(shape, a.Axis)
	for o := range outer {
		before := -1
		for k := range n {
			if a.Reverse {
				k = n - 1 - k
			}
			at := (o*n + k) * inner
			visit(at, before, inner)
			before = at
		}
	}
}

func evalCumSum[T number](c *graph.Call) error {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	a := c.Attr.(alongAttr)
	if outer, n, inner := around(c.In[0].Shape, a.Axis); inner == 1 && c.In[0].DType.IsFloat() {
		for o := range outer {
			sum := 0.0 // also of float32: a long row would lose digits
			for k := range n {
				if a.Reverse {
					k = n - 1 - k
				}
				sum += float64(x[o*n+k])
				dst[o*n+k] = T(sum)
			}
		}
		return nil
	}
	a.march(c.In[0].Shape, func(at, before, inner int) {
		if before < 0 {
			copy(dst[at:at+inner], x[at:])
			return
		}
		previous := dst[before : before+inner]
		for i, v := range x[at : at+inner] {
			dst[at+i] = previous[i] + v
		}
	})
	return nil
}

func evalScan[T kernel.Float](c *graph.Call) error {
	f, x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.In[1]), graph.Elements[T](c.Out[0])
	c.Attr.(alongAttr).march(c.In[0].Shape, func(at, before, inner int) {
		if before < 0 {
			copy(dst[at:at+inner], x[at:])
			return
		}
		previous := dst[before : before+inner]
		for i, v := range x[at : at+inner] {
			dst[at+i] = f[at+i]*previous[i] + v
		}
	})
	return nil
}

func evalShift[T number](c *graph.Call) error {
	x, dst := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0])
	c.Attr.(alongAttr).march(c.In[0].Shape, func(at, before, inner int) {
		if before < 0 {
			clear(dst[at : at+inner])
			return
		}
		copy(dst[at:at+inner], x[before:before+inner])
	})
	return nil
}

func inferAlong(operand func(any, []graph.Type) (graph.Type, error)) func(any, []graph.Type) (graph.Type, error) {
	return func(attr any, in []graph.Type) (graph.Type, error) {
		t, err := operand(nil, in)
		if err != nil {
			return t, err
		}
		for _, u := range in {
			if !u.Shape.Identical(t.Shape) {
				return t, graph.Errorf(graph.ErrShape, "takes operands of one shape, not %v and %v; ops.BroadcastTo repeats one", in[0].Shape, in[1].Shape)
			}
		}
		_, err = normalAxis(attr.(alongAttr).Axis, t)
		return t, err
	}
}

func alongSamples(operands int) func() []graph.Sample {
	return func() []graph.Sample {
		var list []graph.Sample
		for _, s := range []struct {
			attr alongAttr
			dims []graph.Dim
		}{{alongAttr{0, false}, []graph.Dim{4}}, {alongAttr{1, true}, []graph.Dim{2, 3}}, {alongAttr{0, false}, []graph.Dim{3, 2}}, {alongAttr{1, true}, []graph.Dim{2, 3, 2}},
			{alongAttr{0, true}, []graph.Dim{1, 2}}, {alongAttr{1, false}, []graph.Dim{2, 0}}} {
			one := graph.Sample{Attr: s.attr}
			for range operands {
				one.In = append(one.In, floats(s.dims...))
			}
			list = append(list, one)
		}
		return list
	}
}

func init() {
	define(CumSumDef, graph.Def{
		Name:    "cumsum",
		Infer:   inferAlong(inferNumeric(1)),
		Eval:    onNumbers(evalCumSum[float32], evalCumSum[float64], evalCumSum[int32], evalCumSum[int64]),
		VJP:     func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{turned(n, CumSumDef, dy)} },
		Samples: alongSamples(1),
	})
	define(ScanDef, graph.Def{
		Name:  "scan",
		Infer: inferAlong(inferElementwise(2)),
		Eval:  onNumbers(evalScan[float32], evalScan[float64], nil, nil),
		VJP: func(n, dy *graph.Node) []*graph.Node { // gᵢ = dyᵢ + aᵢ₊₁·gᵢ₊₁, dxᵢ = gᵢ, daᵢ = gᵢ·hᵢ₋₁
			a := n.Attr().(alongAttr)
			g := turned(n, ScanDef, turned(n, ShiftDef, n.In(0)), dy)
			return []*graph.Node{Mul(g, along(ShiftDef, a.Axis, a.Reverse, n)), g}
		},
		Samples: alongSamples(2),
	})
	define(ShiftDef, graph.Def{
		Name:    "shift",
		Infer:   inferAlong(inferNumeric(1)),
		Eval:    onNumbers(evalShift[float32], evalShift[float64], evalShift[int32], evalShift[int64]),
		VJP:     func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{turned(n, ShiftDef, dy)} },
		Samples: alongSamples(1),
	})
}
