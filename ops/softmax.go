package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of softmax and its logarithm.
var (
	SoftmaxDef    = new(graph.Def)
	LogSoftmaxDef = new(graph.Def)
)

type axisAttr struct{ Axis int }

// Softmax returns e^xᵢ / Σⱼ e^xⱼ along an axis; a negative axis counts from the last. It does not overflow: the largest
// element is subtracted first.
func Softmax(x *graph.Node, axis int) *graph.Node { return alongAxis(SoftmaxDef, x, axis) }

// LogSoftmax returns xᵢ − ln Σⱼ e^xⱼ along an axis, without overflow.
func LogSoftmax(x *graph.Node, axis int) *graph.Node { return alongAxis(LogSoftmaxDef, x, axis) }

func alongAxis(d *graph.Def, x *graph.Node, axis int) *graph.Node {
	if x.Err() != nil {
		return graph.Apply(d, nil, x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return graph.Invalid(err, d.Name+"("+x.Name()+")", x)
	}
	return graph.Apply(d, axisAttr{a}, x)
}

// normalAxis returns axis counted from the first dimension.
func normalAxis(axis int, t graph.Type) (int, error) {
	rank := t.Shape.Rank()
	if t.IsTuple() {
		return 0, graph.Errorf(graph.ErrOperator, "the operand is a tuple %v; take a part of it with ops.Get", t)
	}
	if axis < -rank || axis >= rank {
		return 0, graph.Errorf(graph.ErrShape, "axis %d is outside %v; it may be from %d to %d", axis, t, -rank, rank-1)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

func inferSoftmax(attr any, in []graph.Type) (graph.Type, error) {
	t, err := inferElementwise(1)(nil, in)
	if err == nil {
		_, err = normalAxis(attr.(axisAttr).Axis, t)
	}
	return t, err
}

// evalAlong applies a kernel along an axis: rows to the last one; columns to another, unless columns are so few that each is better
// gathered.
func evalAlong[T kernel.Float](c *graph.Call, rows func(dst, x []T, rows, cols int), columns func(dst, x, work []T, rows, cols int)) error {
	outer, n, inner := around(c.In[0].Shape, c.Attr.(axisAttr).Axis)
	dst, x := graph.Elements[T](c.Out[0]), graph.Elements[T](c.In[0])
	switch {
	case len(x) == 0:
		return nil
	case inner == 1:
		rows(dst, x, outer, n)
		return nil
	}
	work := graph.ElementsIn[T](c.Scratch)
	if inner >= fewColumns {
		for o := range outer {
			at, end := o*n*inner, (o+1)*n*inner
			columns(dst[at:end], x[at:end], work, n, inner)
		}
		return nil
	}
	row := work[:n]
	for o := range outer {
		for i := range inner {
			base := o*n*inner + i
			for j := range row {
				row[j] = x[base+j*inner]
			}
			rows(row, row, 1, n)
			for j, v := range row {
				dst[base+j*inner] = v
			}
		}
	}
	return nil
}

const (
	fewColumns   = 16
	softmaxStrip = 128 // columns at a time
	softmaxRows  = 64  // rows that are added up before they are added to those above
)

// scratchAlong is one row along an axis that is not the last, or what its columns need.
func scratchAlong(attr any, in []graph.Type) graph.Dim {
	axis, shape := attr.(axisAttr).Axis, in[0].Shape
	return shape[axis].Max(4 * softmaxStrip).Mul(graph.Dim(in[0].DType.Size()))
}

// expColumns finds for a strip of columns their largest elements m and Σ e^(x−m), and leaves e^(x−m) of row i where to says.
func expColumns[T kernel.Float](x []T, rows, cols, width int, m, sums, partial []T, to func(i int) []T) {
	copy(m, x[:width])
	for i := 1; i < rows; i++ {
		kernel.Max(m, m, x[i*cols:i*cols+width])
	}
	clear(sums)
	clear(partial)
	for i := range rows {
		e := to(i)
		kernel.Sub(e, x[i*cols:i*cols+width], m)
		kernel.Exp(e, e)
		kernel.Add(partial, partial, e)
		if (i+1)%softmaxRows == 0 {
			kernel.Add(sums, sums, partial)
			clear(partial)
		}
	}
	kernel.Add(sums, sums, partial)
}

func softmaxColumns[T kernel.Float](dst, x, work []T, rows, cols int) {
	for j := 0; j < cols; j += softmaxStrip {
		n := min(softmaxStrip, cols-j)
		m, sums, partial := work[:n], work[softmaxStrip:][:n], work[2*softmaxStrip:][:n]
		expColumns(x[j:], rows, cols, n, m, sums, partial, func(i int) []T { return dst[i*cols+j:][:n] })
		kernel.Reciprocal(sums, sums)
		for i := range rows {
			d := dst[i*cols+j:][:n]
			kernel.Mul(d, d, sums)
		}
	}
}

func logSoftmaxColumns[T kernel.Float](dst, x, work []T, rows, cols int) {
	for j := 0; j < cols; j += softmaxStrip {
		n := min(softmaxStrip, cols-j)
		m, sums, partial, e := work[:n], work[softmaxStrip:][:n], work[2*softmaxStrip:][:n], work[3*softmaxStrip:][:n]
		expColumns(x[j:], rows, cols, n, m, sums, partial, func(int) []T { return e })
		kernel.Log(sums, sums)
		for i := range rows { // (x − m) is exact or nearly so where the result is small
			d := dst[i*cols+j:][:n]
			kernel.Sub(d, x[i*cols+j:][:n], m)
			kernel.Sub(d, d, sums)
		}
	}
}

// around splits a shape at an axis: the elements before it, its size, the elements after it.
func around(shape []int, axis int) (outer, n, inner int) {
	outer, inner = 1, 1
	for i, s := range shape {
		switch {
		case i < axis:
			outer *= s
		case i == axis:
			n = s
		default:
			inner *= s
		}
	}
	return outer, n, inner
}

func softmaxSamples() []graph.Sample {
	return []graph.Sample{
		{Attr: axisAttr{1}, In: []graph.Operand{floats(3, 4)}},
		{Attr: axisAttr{0}, In: []graph.Operand{floats(3, 4)}},
		{Attr: axisAttr{1}, In: []graph.Operand{floats(2, 3, 2)}},
		{Attr: axisAttr{0}, In: []graph.Operand{floats(1)}},
		{Attr: axisAttr{1}, In: []graph.Operand{floats(0, 3)}},
		{Attr: axisAttr{0}, In: []graph.Operand{floats(2, 17)}},
	}
}

func init() {
	define(SoftmaxDef, graph.Def{
		Name:    "softmax",
		Infer:   inferSoftmax,
		Scratch: scratchAlong,
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				return evalAlong(c, kernel.Softmax[float32], softmaxColumns[float32])
			}
			return evalAlong(c, kernel.Softmax[float64], softmaxColumns[float64])
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { // dx = y ⊙ (dy − Σ dy⊙y)
			axis := n.Attr().(axisAttr).Axis
			return []*graph.Node{Mul(n, Sub(dy, SumKeep(Mul(dy, n), axis)))}
		},
		Traits:  graph.InPlace,
		Samples: softmaxSamples,
	})
	define(LogSoftmaxDef, graph.Def{
		Name:    "logsoftmax",
		Infer:   inferSoftmax,
		Scratch: scratchAlong,
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				return evalAlong(c, kernel.LogSoftmax[float32], logSoftmaxColumns[float32])
			}
			return evalAlong(c, kernel.LogSoftmax[float64], logSoftmaxColumns[float64])
		},
		VJP: func(n, dy *graph.Node) []*graph.Node { // dx = dy − e^y · Σ dy
			axis := n.Attr().(axisAttr).Axis
			return []*graph.Node{Sub(dy, Mul(Exp(n), SumKeep(dy, axis)))}
		},
		Traits:  graph.InPlace,
		Samples: softmaxSamples,
	})

	rewrite(graph.Rule{
		Name: "softmax", Why: "eˣ/Σeˣ overflows where the largest element, subtracted first, does not let it", Root: DivDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			e := m.Op(n.In(0), ExpDef)
			sum, axis := reducedBeside(m, n.In(1), SumDef, n.In(0))
			if e == nil || sum == nil {
				return nil
			}
			return Softmax(e.In(0), axis)
		},
	})
	rewrite(graph.Rule{
		Name: "log-softmax-parts", Why: "x − ln Σeˣ loses the logarithm where x is large: the largest element has to be subtracted from both first", Root: SubDef,
		Rewrite: func(m *graph.Match, n *graph.Node) *graph.Node {
			if lse, axis := reducedBeside(m, n.In(1), LogSumExpDef, n.In(0)); lse != nil {
				return LogSoftmax(n.In(0), axis)
			}
			return nil
		},
	})
}

// reducedBeside returns y, which stands beside x in a broadcast, if it is a reduction of x along one axis, and that axis.
func reducedBeside(m *graph.Match, y *graph.Node, d *graph.Def, x *graph.Node) (reduction *graph.Node, axis int) {
	from := y
	if kept := m.Op(y, ReshapeDef); kept != nil {
		from = kept.In(0)
	}
	reduction = m.Op(from, d)
	if reduction == nil || reduction.In(0) != x || len(Axes(reduction)) != 1 {
		return nil, 0
	}
	axis = Axes(reduction)[0]
	if !y.Shape().Identical(keptShape(x.Shape(), []int{axis})) && !(y == reduction && axis == 0) {
		return nil, 0
	}
	return reduction, axis
}
