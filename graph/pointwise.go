package graph

import "slices"

// MaxRank is the largest number of dimensions of a value.
const MaxRank = 16

// maxOperands is the largest number of operands of a Pointwise and of a Walk.
const maxOperands = 4

// Run computes an operator's result: by Eval, or for an operator that has none by its Pointwise, broadcasting operands over the
// result's shape (dimensions of size 1 repeat).
func (d *Def) Run(c *Call) error {
	switch {
	case d.Eval != nil:
		return d.Eval(c)
	case d.Traits.Has(View):
		c.Out[0].CopyFrom(c.In[0])
		return nil
	case len(c.In) > maxOperands:
		return Errorf(ErrOperator, "operator %s has %d operands, but a Pointwise takes at most %d", d.Name, len(c.In), maxOperands)
	}
	if err := d.CanCompute(c.Out[0].DType); err != nil {
		return err
	}
	switch p := d.Pointwise; c.Out[0].DType {
	case Float32:
		runPointwise(c, p.F32)
	case Float64:
		runPointwise(c, p.F64)
	case Int32:
		runPointwise(c, p.I32)
	case Int64:
		runPointwise(c, p.I64)
	default:
		runPointwise(c, p.Bool)
	}
	return nil
}

// CanCompute returns nil if the operator can compute results of the given element type, else an error that says what is missing.
func (d *Def) CanCompute(dtype DType) error {
	if d.Eval != nil || d.Traits.Has(View) {
		return nil
	}
	p := d.Pointwise
	if p == nil {
		return Errorf(ErrOperator, "operator %s offers no way to compute it (neither Eval nor Pointwise)", d.Name)
	}
	var offered bool
	switch dtype {
	case Float32:
		offered = p.F32 != nil
	case Float64:
		offered = p.F64 != nil
	case Int32:
		offered = p.I32 != nil
	case Int64:
		offered = p.I64 != nil
	case Bool:
		offered = p.Bool != nil
	}
	if !offered {
		return Errorf(ErrOperator, "operator %s offers no block function for %v (Def.Pointwise.%s is nil)", d.Name, dtype,
			map[DType]string{Float32: "F32", Float64: "F64", Int32: "I32", Int64: "I64", Bool: "Bool"}[dtype])
	}
	return nil
}

// runPointwise walks the result in runs along which every operand either advances by one element or stands still, and calls f
// for each run. The slices of a run are kept in the Call so that nothing is allocated.
func runPointwise[T float32 | float64 | int32 | int64 | bool](c *Call, f func(attr any, dst []T, in [][]T)) {
	out := c.Out[0]
	dst := Elements[T](out)
	if len(dst) == 0 {
		return
	}
	block, ok := c.blocks.([][]T)
	if !ok {
		block = make([][]T, len(c.In))
		c.blocks = block
	}
	var w Walk
	w.Plan(out.Shape, c.In)
	for {
		for i, x := range c.In {
			at, length := w.At[i], 1
			if w.step[0][i] != 0 {
				length = w.Run
			}
			block[i] = Elements[T](x)[at : at+length]
		}
		f(c.Attr, dst[w.Pos:w.Pos+w.Run], block)
		if !w.Next() {
			return
		}
	}
}

// Walk enumerates broadcast operands over a result in runs of contiguous elements. After Plan and after each Next that
// returned true, elements Pos … Pos+Run−1 of the result correspond to operand i's elements from At[i] on, advancing by
// Stride(i), which is 0 or 1. Over an empty result it is one run of no elements.
type Walk struct {
	Run int              // elements in each run
	Pos int              // of the run's first element in the result
	At  [maxOperands]int // of the run's first element in each operand

	rank  int                       // of the merged shape, innermost first
	size  [MaxRank]int              // merged dimensions, innermost first
	step  [MaxRank][maxOperands]int // elements an operand advances along each
	index [MaxRank]int
}

// Plan starts the walk over a result of the given shape with up to four operands.
func (w *Walk) Plan(shape []int, in []Array) {
	*w = Walk{}
	if slices.Contains(shape, 0) {
		return
	}
	var stride [maxOperands]int
	for i := range in {
		stride[i] = 1
	}
	for axis := len(shape) - 1; axis >= 0; axis-- {
		n := shape[axis]
		var step [maxOperands]int
		for i, x := range in {
			if a := axis - (len(shape) - len(x.Shape)); a >= 0 && x.Shape[a] != 1 {
				step[i] = stride[i]
				stride[i] *= x.Shape[a]
			}
		}
		if n == 1 {
			continue
		}
		if r := w.rank - 1; r >= 0 && w.mergeable(r, step, len(in)) {
			w.size[r] *= n
			continue
		}
		w.size[w.rank], w.step[w.rank] = n, step
		w.rank++
	}
	w.Run = 1
	if w.rank > 0 {
		w.Run = w.size[0]
	}
}

// mergeable reports whether every operand runs through dimension r straight on into the next one outwards.
func (w *Walk) mergeable(r int, step [4]int, operands int) bool {
	for i := range operands {
		if step[i] != w.step[r][i]*w.size[r] {
			return false
		}
	}
	return true
}

// Stride returns how far operand i advances from one element of a run to the next: 1 or 0.
func (w *Walk) Stride(i int) int { return w.step[0][i] }

// Next moves to the next run and reports whether there is one.
func (w *Walk) Next() bool {
	w.Pos += w.Run
	for r := 1; r < w.rank; r++ {
		for i := range w.At {
			w.At[i] += w.step[r][i]
		}
		if w.index[r]++; w.index[r] < w.size[r] {
			return true
		}
		for i := range w.At {
			w.At[i] -= w.step[r][i] * w.size[r]
		}
		w.index[r] = 0
	}
	return false
}
