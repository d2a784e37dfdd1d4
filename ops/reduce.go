package ops

import (
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the reductions. A reduction drops the axes it reduces; the Keep forms put them back with size 1.
var (
	SumDef       = new(graph.Def)
	MeanDef      = new(graph.Def)
	ProdDef      = new(graph.Def)
	MaxDef       = new(graph.Def)
	MinDef       = new(graph.Def)
	LogSumExpDef = new(graph.Def)
	AnyDef       = new(graph.Def)
	AllDef       = new(graph.Def)
)

type axesAttr struct{ Axes []int }

// Sum returns the sum over the given axes, or over all if none is given. The sum of no elements is 0. Integers wrap around; of
// booleans, Cast makes numbers to add.
func Sum(x *graph.Node, axes ...int) *graph.Node { return reduce(SumDef, x, axes) }

// SumKeep is Sum with the reduced axes kept at size 1.
func SumKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Sum(x, axes...), x, axes) }

// Mean returns the mean over the given axes, or over all if none is given. The mean of no elements is an error at run time.
func Mean(x *graph.Node, axes ...int) *graph.Node { return reduce(MeanDef, x, axes) }

// MeanKeep is Mean with the reduced axes kept at size 1.
func MeanKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Mean(x, axes...), x, axes) }

// Prod returns the product over the given axes, or over all if none is given. The product of no elements is 1. The gradient, of
// any order, is right where elements are 0: it is made of products of the other elements, not of a division. Integers wrap around.
func Prod(x *graph.Node, axes ...int) *graph.Node { return reduce(ProdDef, x, axes) }

// ProdKeep is Prod with the reduced axes kept at size 1.
func ProdKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Prod(x, axes...), x, axes) }

// Max returns the largest element over the given axes, or over all if none is given, NaN if one is NaN. The maximum of no
// elements is an error at run time. Elements that tie for the maximum share the cotangent equally.
func Max(x *graph.Node, axes ...int) *graph.Node { return reduce(MaxDef, x, axes) }

// MaxKeep is Max with the reduced axes kept at size 1.
func MaxKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Max(x, axes...), x, axes) }

// Min returns the smallest element over the given axes, or over all if none is given, NaN if one is NaN. The minimum of no
// elements is an error at run time. Elements that tie for the minimum share the cotangent equally.
func Min(x *graph.Node, axes ...int) *graph.Node { return reduce(MinDef, x, axes) }

// MinKeep is Min with the reduced axes kept at size 1.
func MinKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Min(x, axes...), x, axes) }

// LogSumExp returns ln Σ e^xᵢ over the given axes, or over all if none is given, without overflow: the largest element is subtracted
// first. Of no elements, or of −Inf alone, it is −Inf, and no cotangent flows; if +Inf is among them it is +Inf, and the gradient NaN.
func LogSumExp(x *graph.Node, axes ...int) *graph.Node { return reduce(LogSumExpDef, x, axes) }

// LogSumExpKeep is LogSumExp with the reduced axes kept at size 1.
func LogSumExpKeep(x *graph.Node, axes ...int) *graph.Node {
	return keep(LogSumExp(x, axes...), x, axes)
}

// Any reports whether an element of a boolean x is true, over the given axes, or over all if none is given. Of no elements, none is.
func Any(x *graph.Node, axes ...int) *graph.Node { return reduce(AnyDef, x, axes) }

// AnyKeep is Any with the reduced axes kept at size 1.
func AnyKeep(x *graph.Node, axes ...int) *graph.Node { return keep(Any(x, axes...), x, axes) }

// All reports whether every element of a boolean x is true, over the given axes, or over all if none is given. Of no elements, all are.
func All(x *graph.Node, axes ...int) *graph.Node { return reduce(AllDef, x, axes) }

// AllKeep is All with the reduced axes kept at size 1.
func AllKeep(x *graph.Node, axes ...int) *graph.Node { return keep(All(x, axes...), x, axes) }

// CountNonzero returns how many elements differ from 0 over the given axes, or over all if none is given, as int64. NaN does.
func CountNonzero(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() == nil && !x.Type().IsTuple() && x.DType() != graph.Bool {
		x = NotEqual(x, like(x, 0))
	}
	return Sum(Cast(x, graph.Int64), axes...)
}

// Axes returns the axes that a node of a reduction reduces, from the first, or the one that a softmax or the like works along; nil
// for other nodes.
func Axes(n *graph.Node) []int {
	switch attr := n.Attr().(type) {
	case axesAttr:
		return attr.Axes
	case axisAttr:
		return []int{attr.Axis}
	case scatterAttr:
		return []int{attr.Axis}
	}
	return nil
}

func reduce(d *graph.Def, x *graph.Node, axes []int) *graph.Node {
	if x.Err() != nil {
		return graph.Apply(d, nil, x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return graph.Invalid(err, d.Name+"("+x.Name()+")", x)
	}
	return graph.Apply(d, axesAttr{normal}, x)
}

// normalAxes returns the axes counted from the first dimension, in rising order; none means all.
func normalAxes(axes []int, t graph.Type) ([]int, error) {
	normal := make([]int, 0, len(t.Shape))
	if len(axes) == 0 {
		for i := range t.Shape {
			normal = append(normal, i)
		}
	}
	for _, axis := range axes {
		a, err := normalAxis(axis, t)
		if err != nil {
			return nil, err
		}
		if slices.Contains(normal, a) {
			return nil, graph.Errorf(graph.ErrShape, "axis %d is named twice in %v", axis, axes)
		}
		normal = append(normal, a)
	}
	slices.Sort(normal)
	return normal, nil
}

// keep gives a reduction of x its reduced axes back, with size 1.
func keep(reduced, x *graph.Node, axes []int) *graph.Node {
	if reduced.Err() != nil {
		return reduced
	}
	normal, _ := normalAxes(axes, x.Type())
	return Reshape(reduced, keptShape(x.Shape(), normal)...)
}

func keptShape(s graph.Shape, axes []int) graph.Shape {
	kept := append(graph.Shape(nil), s...)
	for _, a := range axes {
		kept[a] = 1
	}
	return kept
}

// spread gives y, which belongs to a reduction over axes, x's shape again by repeating it.
func spread(y, x *graph.Node, axes []int) *graph.Node {
	return BroadcastTo(Reshape(y, keptShape(x.Shape(), axes)...), x.Shape()...)
}

// countOf returns the number of elements of x that a reduction over axes takes together, as a scalar of x's type.
func countOf(x *graph.Node, axes []int) *graph.Node {
	count := graph.Dim(1)
	for _, a := range axes {
		count = count.Mul(x.Shape()[a])
	}
	return DimSize(x.Graph(), count, x.DType())
}

func inferReduce(operand func(any, []graph.Type) (graph.Type, error)) func(any, []graph.Type) (graph.Type, error) {
	return func(attr any, in []graph.Type) (graph.Type, error) {
		t, err := operand(nil, in)
		if err != nil {
			return t, err
		}
		axes := attr.(axesAttr).Axes
		out := graph.TypeOf(t.DType)
		for i, d := range t.Shape {
			if !slices.Contains(axes, i) {
				out.Shape = append(out.Shape, d)
			}
		}
		return out, nil
	}
}

// shareAmongTies sends dy, the cotangent of an extremum y, to the elements of x that equal it, in equal parts.
func shareAmongTies(x, y, dy *graph.Node, axes []int) *graph.Node {
	kept := keptShape(x.Shape(), axes)
	ties := Cast(Equal(x, Reshape(y, kept...)), x.DType())
	return Mul(ties, Div(Reshape(dy, kept...), SumKeep(ties, axes...)))
}

func extremumVJP(n, dy *graph.Node) []*graph.Node {
	return []*graph.Node{shareAmongTies(n.In(0), n, dy, Axes(n))}
}

// mergeAxes returns x with the given axes as one, the last, and how to undo that.
func mergeAxes(x *graph.Node, axes []int) (merged *graph.Node, undo func(*graph.Node) *graph.Node) {
	var perm []int
	var rest graph.Shape
	size := graph.Dim(1)
	for i, d := range x.Shape() {
		if slices.Contains(axes, i) {
			size = size.Mul(d)
		} else {
			perm, rest = append(perm, i), append(rest, d)
		}
	}
	perm = append(perm, axes...)
	turned := x
	if !slices.IsSorted(perm) {
		turned = Transpose(x, perm...)
	}
	return Reshape(turned, append(rest, size)...), func(y *graph.Node) *graph.Node {
		y = Reshape(y, turned.Shape()...)
		if turned == x {
			return y
		}
		return Transpose(y, inverse(perm)...)
	}
}

func reduceSamples(values ...float64) func() []graph.Sample {
	return func() []graph.Sample {
		var list []graph.Sample
		for _, s := range []struct {
			axes []int
			dims []graph.Dim
		}{{nil, nil}, {[]int{0, 1}, []graph.Dim{2, 3}}, {[]int{0}, []graph.Dim{2, 3}}, {[]int{1}, []graph.Dim{2, 3}}, {[]int{0, 2}, []graph.Dim{2, 3, 2}},
			{[]int{1}, []graph.Dim{2, 1, 3}}, {[]int{1}, []graph.Dim{0, 3}}} {
			x := floats(s.dims...)
			if n := int(x.Type.Shape.Size()); n > 0 && len(values) >= n {
				x.Values = values[:n]
			}
			list = append(list, graph.Sample{Attr: axesAttr{s.axes}, In: []graph.Operand{x}})
		}
		return list
	}
}

func maskSamples() []graph.Sample {
	list := reduceSamples()()
	for i := range list {
		x := &list[i].In[0]
		x.Type.DType, x.Values = graph.Bool, []float64{1, 0, 0, 1, 1}
	}
	return append(list, graph.Sample{Attr: axesAttr{[]int{0}}, In: []graph.Operand{{Type: graph.TypeOf(graph.Bool, 0, 2)}}})
}

// Values far enough apart that no finite difference changes which is largest or smallest.
var distinct = []float64{0.3, -0.7, 1.1, 0.9, -0.2, 0.5, 0.1, -1.3, 0.7, -0.4, 1.5, -0.9}

func init() {
	numbers, floatsOnly := inferNumeric(1), inferElementwise(1)
	booleans := inferPointwise(1, func(d graph.DType) bool { return d == graph.Bool }, "needs booleans, not %v; make them with a comparison such as ops.NotEqual")
	for _, d := range []struct {
		def     *graph.Def
		name    string
		operand func(any, []graph.Type) (graph.Type, error)
		loops   reducers
		vjp     func(n, dy *graph.Node) []*graph.Node // nil: it is discrete
		samples func() []graph.Sample
	}{
		{SumDef, "sum", numbers,
			reducers{f32: summing[float32](), f64: summing[float64](), i32: addingIntegers[int32](), i64: addingIntegers[int64]()},
			func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{spread(dy, n.In(0), Axes(n))} }, reduceSamples()},
		{MeanDef, "mean", floatsOnly,
			reducers{f32: averaging[float32](), f64: averaging[float64](), needsElements: "mean"},
			func(n, dy *graph.Node) []*graph.Node {
				return []*graph.Node{spread(Div(dy, countOf(n.In(0), Axes(n))), n.In(0), Axes(n))}
			}, reduceSamples()},
		{ProdDef, "prod", numbers,
			reducers{f32: multiplying(kernel.Mul[float32]), f64: multiplying(kernel.Mul[float64]), i32: multiplying(multiplyIntegers[int32]), i64: multiplying(multiplyIntegers[int64])},
			func(n, dy *graph.Node) []*graph.Node { // ∂/∂xᵢ = the product of those before it times that of those after it
				x, undo := mergeAxes(n.In(0), Axes(n))
				last := len(x.Shape()) - 1
				others := Mul(productBefore(x, last, false), productBefore(x, last, true))
				return []*graph.Node{Mul(spread(dy, n.In(0), Axes(n)), undo(others))}
			}, func() []graph.Sample {
				zeros := floats(2, 4) // a row with one zero, and a row with two
				zeros.Values = []float64{0.5, 0, 2, -1.5, 0, 3, 0, 0.7}
				return append(reduceSamples()(), graph.Sample{Attr: axesAttr{[]int{1}}, In: []graph.Operand{zeros}}, graph.Sample{Attr: axesAttr{[]int{0}}, In: []graph.Operand{zeros}})
			}},
		{MaxDef, "max", numbers,
			reducers{f32: folding(0, kernel.RowMax[float32], kernel.Max[float32]), f64: folding(0, kernel.RowMax[float64], kernel.Max[float64]),
				i32: largestInteger[int32](), i64: largestInteger[int64](), needsElements: "maximum"},
			extremumVJP, reduceSamples(distinct...)},
		{MinDef, "min", numbers,
			reducers{f32: folding(0, kernel.RowMin[float32], kernel.Min[float32]), f64: folding(0, kernel.RowMin[float64], kernel.Min[float64]),
				i32: smallestInteger[int32](), i64: smallestInteger[int64](), needsElements: "minimum"},
			extremumVJP, reduceSamples(distinct...)},
		{LogSumExpDef, "logsumexp", floatsOnly,
			reducers{f32: reducer[float32]{none: float32(math.Inf(-1)), short: shortRow, across: kernel.RowLogSumExp[float32], down: logSumExpRows[float32]}, f64: reducer[float64]{none: math.Inf(-1), short: shortRow, across: kernel.RowLogSumExp[float64], down: logSumExpRows[float64]}},
			func(n, dy *graph.Node) []*graph.Node { // softmax, 0 where all are −Inf
				x := n.In(0)
				finite := Select(Equal(n, like(n, math.Inf(-1))), like(n, 0), n)
				return []*graph.Node{Mul(spread(dy, x, Axes(n)), Exp(Sub(x, Reshape(finite, keptShape(x.Shape(), Axes(n))...))))}
			}, reduceSamples()},
		{AnyDef, "any", booleans,
			reducers{bool: folding(false, eachRow(func(x []bool) bool { return slices.Contains(x, true) }), func(dst, a, b []bool) {
				for i, v := range b {
					dst[i] = a[i] || v
				}
			})}, nil, maskSamples},
		{AllDef, "all", booleans,
			reducers{bool: folding(true, eachRow(func(x []bool) bool { return !slices.Contains(x, false) }), func(dst, a, b []bool) {
				for i, v := range b {
					dst[i] = a[i] && v
				}
			})}, nil, maskSamples},
	} {
		def := graph.Def{Name: d.name, Infer: inferReduce(d.operand), Eval: d.loops.eval, Scratch: scratchReduce, VJP: d.vjp, Samples: d.samples}
		if d.vjp == nil {
			def.Traits = graph.Discrete
		}
		define(d.def, def)
	}

	rewrite(graph.Rule{
		Name: "log-sum-exp", Why: "ln Σ eˣ overflows where the largest element, subtracted first, does not let it", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			sum := m.Op(n.In(0), SumDef)
			if sum == nil {
				return nil
			}
			if e := m.Op(sum.In(0), ExpDef); e != nil {
				return graph.Apply(LogSumExpDef, sum.Attr(), e.In(0))
			}
			return nil
		},
	})
	rewrite(graph.Rule{
		Name: "log-mean-exp", Why: "the logarithm of a mean of exponentials is one of their sum, less that of their number", Root: LogDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			mean := m.Op(n.In(0), MeanDef)
			if mean == nil {
				return nil
			}
			e := m.Op(mean.In(0), ExpDef)
			if e == nil {
				return nil
			}
			count := countOf(e, Axes(mean))
			if count.Kind() != graph.Constant || isScalar(count, 0) { // the mean of none has to stay an error
				return nil
			}
			return Sub(graph.Apply(LogSumExpDef, mean.Attr(), e.In(0)), Log(count))
		},
	})
	rewrite(graph.Rule{
		Name: "sum-of-one", Why: "a sum of one element is the element", Root: SumDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if n.In(0).Is(ExpDef) { // rules for ln Σ eˣ and eˣ/Σeˣ want to see the sum
				return nil
			}
			for _, a := range Axes(n) {
				if n.In(0).Shape()[a] != 1 {
					return nil
				}
			}
			return Reshape(n.In(0), n.Shape()...)
		},
	})
}
