package gorgonia

import (
	"fmt"
	"math"
	"reflect"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// rule builds the counterpart of a node, whose operands have been built.
type rule func(t *translator, n *graph.Node) (*G.Node, error)

// rules are the operators that have a counterpart. It is filled in by init, because rules look into it.
var rules map[*graph.Def]rule

func init() {
	rules = map[*graph.Def]rule{
		ops.AddDef:     elementwise(G.Add),
		ops.SubDef:     elementwise(G.Sub),
		ops.MulDef:     elementwise(G.HadamardProd),
		ops.DivDef:     elementwise(G.HadamardDiv),
		ops.PowDef:     elementwise(G.Pow),
		ops.MinimumDef: elementwise(extremum(G.Lte)),
		ops.MaximumDef: elementwise(extremum(G.Gte)),

		ops.NegDef:        unary(G.Neg),
		ops.AbsDef:        unary(G.Abs),
		ops.SignDef:       unary(G.Sign),
		ops.FloorDef:      unary(G.Floor),
		ops.CeilDef:       unary(G.Ceil),
		ops.ReciprocalDef: unary(G.Inverse),
		ops.ExpDef:        unary(G.Exp),
		ops.Expm1Def:      unary(G.Expm1),
		ops.LogDef:        unary(G.Log),
		ops.Log2Def:       unary(log2),
		ops.Log1pDef:      unary(G.Log1p),
		ops.SqrtDef:       unary(G.Sqrt),
		ops.SinDef:        unary(G.Sin),
		ops.CosDef:        unary(G.Cos),
		ops.ReLUDef:       unary(G.Rectify),
		ops.SigmoidDef:    unary(G.Sigmoid),
		ops.TanhDef:       unary(G.Tanh),
		ops.SoftplusDef:   unary(G.Softplus),
		ops.LeakyReLUDef:  leakyReLU,
		ops.SwishDef:      swish,

		ops.LessDef:      comparison(G.Lt),
		ops.LessEqualDef: comparison(G.Lte),
		ops.EqualDef:     comparison(G.Eq),
		ops.NotEqualDef:  comparison(G.Ne),
		ops.XorDef:       comparison(G.Ne),
		ops.AndDef:       elementwise(G.HadamardProd), // of masks
		ops.OrDef:        elementwise(extremum(G.Gte)),
		ops.NotDef:       complement,
		ops.SelectDef:    selection,
		ops.CastDef:      cast,

		ops.MatMulDef:     matmul,
		ops.SoftmaxDef:    alongAxis(G.SoftMax),
		ops.LogSoftmaxDef: alongAxis(G.LogSoftMax),
		ops.SumDef:        reduction(G.Sum),
		ops.MeanDef:       reduction(G.Mean),
		ops.MaxDef:        reduction(G.Max),
		ops.GetDef:        part,

		ops.ReshapeDef:          reshape,
		ops.TransposeDef:        transpose,
		ops.BroadcastToDef:      broadcast,
		ops.ConcatDef:           concat,
		ops.SliceDef:            slice,
		ops.PadDef:              pad,
		ops.TakeAlongAxisDef:    take,
		ops.ScatterAlongAxisDef: scatter,
		ops.DimSizeDef:          dimSize,

		ops.AssertDimDef:      same,
		ops.AllowNonFiniteDef: same,
		ops.CheckpointDef:     same,
		ops.ByModeDef:         func(t *translator, n *graph.Node) (*G.Node, error) { return t.built[n.In(t.modeOperand())], nil },
	}
}

func same(t *translator, n *graph.Node) (*G.Node, error) { return t.built[n.In(0)], nil }

// attribute reads a field of a node's attributes. Those of Tapir's operators are structs whose types are private to package ops;
// their fields are not.
func attribute[T any](n *graph.Node, field string) T {
	return reflect.ValueOf(n.Attr()).FieldByName(field).Interface().(T)
}

// as returns what x has become, in the given element type. What is computed here becomes a constant when it is asked for first.
func (t *translator) as(x *graph.Node, dtype tensor.Dtype) (*G.Node, error) {
	if t.built[x] == nil {
		a, err := t.computed(x)
		if err != nil {
			return nil, err
		}
		t.built[x] = t.array(nameOf(x), dtypes[dtype], a)
	}
	if from := t.built[x].Dtype(); from != dtype {
		return nil, graph.Errorf(graph.ErrDType, "operand %v is %v there, not %v, and Gorgonia converts between floats by way of integers only", x, from, dtype)
	}
	return t.built[x], nil
}

var dtypes = map[tensor.Dtype]graph.DType{tensor.Float32: graph.Float32, tensor.Float64: graph.Float64}

// common is the element type that operands of one element type, which may be masks, have become.
func (t *translator) common(operands ...*graph.Node) tensor.Dtype {
	for _, x := range operands {
		if image := t.built[x]; image != nil {
			return image.Dtype()
		}
	}
	return tensor.Float32
}

func unary(f func(*G.Node) (*G.Node, error)) rule {
	return func(t *translator, n *graph.Node) (*G.Node, error) { return f(t.built[n.In(0)]) }
}

func elementwise(f func(a, b *G.Node) (*G.Node, error)) rule {
	return func(t *translator, n *graph.Node) (*G.Node, error) {
		dtype := t.common(n.Inputs()...)
		a, err := t.repeated(n.In(0), dtype, n)
		if err != nil {
			return nil, err
		}
		b, err := t.repeated(n.In(1), dtype, n)
		if err != nil {
			return nil, err
		}
		return f(a, b)
	}
}

// comparison gives a mask of the operands' element type.
func comparison(f func(a, b *G.Node, retSame bool) (*G.Node, error)) rule {
	return elementwise(func(a, b *G.Node) (*G.Node, error) { return f(a, b, true) })
}

func complement(t *translator, n *graph.Node) (*G.Node, error) {
	dtype := t.common(n.In(0))
	mask, err := t.as(n.In(0), dtype)
	if err != nil {
		return nil, err
	}
	return G.Sub(number(dtype, 1), mask)
}

// log2 is ln x / ln 2: the gradient of gorgonia.Log2 is wrong.
func log2(x *G.Node) (*G.Node, error) {
	ln, err := G.Log(x)
	if err != nil {
		return nil, err
	}
	return G.HadamardDiv(ln, number(x.Dtype(), math.Ln2))
}

// extremum picks a where it is in order before b, and b elsewhere; gorgonia.MinBetween and MaxBetween take no scalars.
func extremum(before func(a, b *G.Node, retSame bool) (*G.Node, error)) func(a, b *G.Node) (*G.Node, error) {
	return func(a, b *G.Node) (*G.Node, error) {
		mask, err := before(a, b, true)
		if err != nil {
			return nil, err
		}
		return pick(mask, a, b)
	}
}

// swish is x·sigmoid(βx).
func swish(t *translator, n *graph.Node) (*G.Node, error) {
	x := t.built[n.In(0)]
	scaled, err := G.HadamardProd(x, number(x.Dtype(), attribute[float64](n, "Beta")))
	if err != nil {
		return nil, err
	}
	gate, err := G.Sigmoid(scaled)
	if err != nil {
		return nil, err
	}
	return G.HadamardProd(x, gate)
}

func leakyReLU(t *translator, n *graph.Node) (*G.Node, error) {
	return G.LeakyRelu(t.built[n.In(0)], attribute[float64](n, "Alpha"))
}

func selection(t *translator, n *graph.Node) (*G.Node, error) {
	dtype := t.common(n.In(1), n.In(2), n.In(0))
	var operands [3]*G.Node
	for i, x := range n.Inputs() {
		var err error
		if operands[i], err = t.repeated(x, dtype, n); err != nil {
			return nil, err
		}
	}
	return pick(operands[0], operands[1], operands[2])
}

// pick is mask·a + (1−mask)·b, which is NaN where the operand that is not picked is infinite or NaN.
func pick(mask, a, b *G.Node) (*G.Node, error) {
	rest, err := G.Sub(number(mask.Dtype(), 1), mask)
	if err != nil {
		return nil, err
	}
	if a, err = G.HadamardProd(mask, a); err != nil {
		return nil, err
	}
	if b, err = G.HadamardProd(rest, b); err != nil {
		return nil, err
	}
	return G.Add(a, b)
}

func cast(t *translator, n *graph.Node) (*G.Node, error) {
	if !n.DType().IsFloat() {
		return nil, graph.Errorf(graph.ErrDType, "to %v; Gorgonia computes with floats only", n.DType())
	}
	return t.as(n.In(0), n.DType().Tensor())
}

// matmul is one product of matrices, or a batch of them, for which both operands get all of its dimensions.
func matmul(t *translator, n *graph.Node) (*G.Node, error) {
	a, b := t.built[n.In(0)], t.built[n.In(1)]
	if a.Dims() == 2 && b.Dims() == 2 {
		return G.Mul(a, b)
	}
	out, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	batch := out[:len(out)-2]
	flat := func(x *G.Node) (*G.Node, error) {
		s := x.Shape()
		rows, columns := s[len(s)-2], s[len(s)-1]
		x, err := t.spread(x, append(batch.Clone(), rows, columns))
		if err != nil {
			return nil, err
		}
		return t.reshaped(x, tensor.Shape{tensor.ProdInts(batch), rows, columns})
	}
	if a, err = flat(a); err != nil {
		return nil, err
	}
	if b, err = flat(b); err != nil {
		return nil, err
	}
	product, err := G.BatchedMatMul(a, b)
	if err != nil {
		return nil, err
	}
	return t.reshaped(product, out)
}

func alongAxis(f func(x *G.Node, axes ...int) (*G.Node, error)) rule {
	return func(t *translator, n *graph.Node) (*G.Node, error) {
		return f(t.built[n.In(0)], attribute[int](n, "Axis"))
	}
}

func reduction(f func(x *G.Node, along ...int) (*G.Node, error)) rule {
	return func(t *translator, n *graph.Node) (*G.Node, error) {
		axes := attribute[[]int](n, "Axes")
		if len(axes) == 0 { // of a scalar
			return t.built[n.In(0)], nil
		}
		return f(t.built[n.In(0)], axes...)
	}
}

// part translates the parts of tuples that have counterparts: the values of a MaxArg, but not its indices, and pieces of a Split.
func part(t *translator, n *graph.Node) (*G.Node, error) {
	tuple, i := n.In(0), ops.Part(n)
	switch {
	case tuple.Is(ops.TupleDef):
		return t.built[tuple.In(i)], nil
	case tuple.Is(ops.MaxArgDef) && i == 0:
		return G.Max(t.built[tuple.In(0)], attribute[int](tuple, "Axis"))
	case tuple.Is(ops.SplitDef):
		axis, start := attribute[int](tuple, "Axis"), 0
		for _, d := range attribute[[]graph.Dim](tuple, "Sizes")[:i] {
			size, err := d.Eval(t.binding)
			if err != nil {
				return nil, err
			}
			start += size
		}
		to, err := t.shape(n)
		if err != nil {
			return nil, err
		}
		slices := make([]tensor.Slice, axis+1)
		slices[axis] = G.S(start, start+to[axis])
		return t.cut(t.built[tuple.In(0)], slices, to)
	}
	return nil, graph.Errorf(graph.ErrOperator, "part %d of operator %s has no counterpart in Gorgonia", i, tuple.Def().Name)
}

// slice cuts along each axis that is not taken whole. Steps backwards have no counterpart.
func slice(t *translator, n *graph.Node) (*G.Node, error) {
	to, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	from, err := t.shape(n.In(0))
	if err != nil {
		return nil, err
	}
	low, step := attribute[[]graph.Dim](n, "Low"), attribute[[]int](n, "Step")
	slices := make([]tensor.Slice, len(to))
	for axis, size := range to {
		start, err := low[axis].Eval(t.binding)
		if err != nil {
			return nil, err
		}
		if step[axis] != 1 && size > 1 {
			return nil, graph.Errorf(graph.ErrOperator, "operator slice has a counterpart in Gorgonia only with steps of 1, not %d: the gradient of others is wrong there", step[axis])
		}
		if size != from[axis] {
			slices[axis] = G.S(start, start+size)
		}
	}
	return t.cut(t.built[n.In(0)], slices, to)
}

// pad joins x with constants on both sides of each axis that grows. Gaps between elements have no counterpart.
func pad(t *translator, n *graph.Node) (*G.Node, error) {
	to, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	x := t.built[n.In(0)]
	low, step, fill := attribute[[]graph.Dim](n, "Low"), attribute[[]int](n, "Step"), attribute[float64](n, "Fill")
	for axis, size := range to {
		now := x.Shape().Clone()
		before, err := low[axis].Eval(t.binding)
		if err != nil {
			return nil, err
		}
		if step[axis] != 1 && now[axis] > 1 {
			return nil, graph.Errorf(graph.ErrOperator, "operator pad has a counterpart in Gorgonia only with steps of 1, not %d", step[axis])
		}
		after := size - before - now[axis]
		var parts G.Nodes
		margin := func(width int) {
			if width > 0 {
				now[axis] = width
				parts = append(parts, t.filled(fmt.Sprint("fill ", fill), x.Dtype(), now.Clone(), fill))
			}
		}
		margin(before)
		parts = append(parts, x)
		margin(after)
		if len(parts) > 1 {
			if x, err = G.Concat(axis, parts...); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}

// cut slices x, and gives back the dimensions of size 1 that slicing drops there.
func (t *translator) cut(x *G.Node, slices []tensor.Slice, to tensor.Shape) (*G.Node, error) {
	part, err := G.Slice(x, slices...)
	if err != nil {
		return nil, err
	}
	return t.reshaped(part, to)
}

func concat(t *translator, n *graph.Node) (*G.Node, error) {
	var parts G.Nodes
	for _, x := range n.Inputs() {
		parts = append(parts, t.built[x])
	}
	return G.Concat(attribute[int](n, "Axis"), parts...)
}

func reshape(t *translator, n *graph.Node) (*G.Node, error) {
	to, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	return t.reshaped(t.built[n.In(0)], to)
}

// reshaped gives x another shape. Of one element it makes a scalar by adding it up, and of a scalar a tensor by multiplying one of
// ones. Otherwise what is reshaped is the product x·1: there a reshaped value shares the memory of its operand, and what comes
// after it may write there while the operand is still needed.
func (t *translator) reshaped(x *G.Node, to tensor.Shape) (*G.Node, error) {
	switch {
	case x.Shape().Eq(to) && len(x.Shape()) == len(to):
		return x, nil
	case len(to) == 0:
		return G.Sum(x)
	case x.IsScalar():
		return G.HadamardProd(t.filled("ones", x.Dtype(), to, 1), x)
	}
	own, err := G.HadamardProd(x, number(x.Dtype(), 1))
	if err != nil {
		return nil, err
	}
	return G.Reshape(own, to)
}

// filled is a constant tensor whose elements are all v.
func (t *translator) filled(name string, dtype tensor.Dtype, shape tensor.Shape, v float64) *G.Node {
	a := graph.NewArray(dtypes[dtype], shape...)
	for i := range a.Len() {
		a.SetAt(i, v)
	}
	return t.array(fmt.Sprint(name, shape), a.DType, a)
}

func transpose(t *translator, n *graph.Node) (*G.Node, error) {
	perm := ops.Permutation(n)
	if len(perm) < 2 {
		return t.built[n.In(0)], nil
	}
	return G.Transpose(t.built[n.In(0)], perm...)
}

func dimSize(t *translator, n *graph.Node) (*G.Node, error) {
	size, err := n.AttrDims()[0].Eval(t.binding)
	if err != nil {
		return nil, err
	}
	return number(n.DType().Tensor(), float64(size)), nil
}

func broadcast(t *translator, n *graph.Node) (*G.Node, error) {
	return t.repeated(n.In(0), t.common(n.In(0)), n)
}

// take picks one element along an axis as Σ x·1[position = index].
func take(t *translator, n *graph.Node) (*G.Node, error) {
	axis := attribute[int](n, "Axis")
	mask, shape, err := t.oneHot(n, axis)
	if err != nil {
		return nil, err
	}
	picked, err := G.HadamardProd(t.built[n.In(0)], mask)
	if err != nil {
		return nil, err
	}
	sum, err := G.Sum(picked, axis)
	if err != nil {
		return nil, err
	}
	return t.reshaped(sum, shape)
}

// scatter is the transpose of take: x, repeated along the axis, times 1[position = index].
func scatter(t *translator, n *graph.Node) (*G.Node, error) {
	mask, _, err := t.oneHot(n, attribute[int](n, "Axis"))
	if err != nil {
		return nil, err
	}
	x, err := t.repeated(n.In(0), t.common(n.In(0)), n)
	if err != nil {
		return nil, err
	}
	return G.HadamardProd(x, mask)
}

// oneHot is the constant 1[position = index] along an axis, for the indices of a take or scatter n, and the shape of the indices.
func (t *translator) oneHot(n *graph.Node, axis int) (*G.Node, tensor.Shape, error) {
	wide := n // of the two sides, the one with all positions along the axis
	if n.Is(ops.TakeAlongAxisDef) {
		wide = n.In(0)
	}
	full, err := t.shape(wide)
	if err != nil {
		return nil, nil, err
	}
	index, err := t.computed(n.In(1))
	switch {
	case err != nil:
		return nil, nil, err
	case index.Shape[axis] != 1:
		return nil, nil, graph.Errorf(graph.ErrOperator, "operator %s has a counterpart in Gorgonia only if the indices have size 1 along the axis, not %d", n.Def().Name, index.Shape[axis])
	}
	inner := 1
	for _, size := range full[axis+1:] {
		inner *= size
	}
	mask := graph.NewArray(n.DType(), full...)
	for i := range index.Len() {
		j := int(index.At(i))
		if j < 0 || j >= full[axis] {
			return nil, nil, graph.Errorf(graph.ErrValue, "index %d (element %d of the indices) is outside 0…%d", j, i, full[axis]-1)
		}
		mask.SetAt((i/inner*full[axis]+j)*inner+i%inner, 1)
	}
	return t.array(fmt.Sprintf("onehot.%d", n.ID()), n.DType(), mask), tensor.Shape(index.Shape), nil
}

// repeated returns what x has become, broadcast to n's shape; scalars, which every elementwise operator takes, stay as they are,
// unless broadcasting is all there is to do.
func (t *translator) repeated(x *graph.Node, dtype tensor.Dtype, n *graph.Node) (*G.Node, error) {
	image, err := t.as(x, dtype)
	if err != nil || image.IsScalar() && !n.Is(ops.BroadcastToDef) {
		return image, err
	}
	to, err := t.shape(n)
	if err != nil {
		return nil, err
	}
	return t.spread(image, to)
}

// spread broadcasts x to a shape.
func (t *translator) spread(x *G.Node, to tensor.Shape) (*G.Node, error) {
	from := x.Shape()
	if len(from) == len(to) && from.Eq(to) {
		return x, nil
	}
	var along []byte
	full := make(tensor.Shape, len(to))
	for axis, size := range to {
		full[axis] = 1
		if i := axis - len(to) + len(from); i >= 0 {
			full[axis] = from[i]
		}
		if full[axis] != size {
			along = append(along, byte(axis))
		}
	}
	x, err := t.reshaped(x, full)
	if err != nil || len(along) == 0 {
		return x, err
	}
	if len(to) > 4 {
		return nil, graph.Errorf(graph.ErrShape, "Gorgonia broadcasts up to 4 dimensions, not to %v", to)
	}
	// Of the other operand only the shape is read.
	x, _, err = G.Broadcast(x, t.filled("ones", x.Dtype(), to, 1), G.NewBroadcastPattern(along, nil))
	return x, err
}
