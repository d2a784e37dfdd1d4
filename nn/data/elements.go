package data

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// element is a type of elements in array files: what it is called there, and what holds it here.
type element struct {
	npy   string // numpy's kind and size, as in <f4
	idx   byte   // IDX's code; 0: it has none
	dtype tensor.Dtype
	make  func(n int) any // a slice of n
}

var elements = []element{
	{"f4", 0x0D, tensor.Float32, func(n int) any { return make([]float32, n) }},
	{"f8", 0x0E, tensor.Float64, func(n int) any { return make([]float64, n) }},
	{"i1", 0x09, tensor.Int8, func(n int) any { return make([]int8, n) }},
	{"i2", 0x0B, tensor.Int16, func(n int) any { return make([]int16, n) }},
	{"i4", 0x0C, tensor.Int32, func(n int) any { return make([]int32, n) }},
	{"i8", 0, tensor.Int64, func(n int) any { return make([]int64, n) }},
	{"u1", 0x08, tensor.Uint8, func(n int) any { return make([]uint8, n) }},
	{"u2", 0, tensor.Uint16, func(n int) any { return make([]uint16, n) }},
	{"u4", 0, tensor.Uint32, func(n int) any { return make([]uint32, n) }},
	{"u8", 0, tensor.Uint64, func(n int) any { return make([]uint64, n) }},
	{"b1", 0, tensor.Bool, func(n int) any { return make([]bool, n) }},
}

func elementWhere(is func(element) bool) (element, bool) {
	for _, e := range elements {
		if is(e) {
			return e, true
		}
	}
	return element{}, false
}

// read reads a whole tensor: its elements, and nothing after them. What a header claims is not believed before the bytes are
// there, so a damaged one costs no memory.
func (e element) read(r io.Reader, order binary.ByteOrder, shape []int) (*tensor.Dense, error) {
	size := int64(e.dtype.Size())
	n := int64(1)
	for _, s := range shape {
		if s < 0 || s > 0 && n > math.MaxInt64/size/int64(s) {
			return nil, graph.Errorf(graph.ErrValue, "its header claims shape %v, which is none", shape)
		}
		n *= int64(s)
	}
	var raw bytes.Buffer
	got, err := io.Copy(&raw, io.LimitReader(r, n*size))
	if err != nil {
		return nil, err
	}
	if got < n*size {
		return nil, graph.Errorf(graph.ErrValue, "it ends after %d of the %d bytes that shape %v of %v takes; it may not have come whole", got, n*size, shape, e.dtype)
	}
	var one [1]byte
	if more, err := io.ReadFull(r, one[:]); more > 0 || err != io.EOF {
		if more > 0 {
			err = graph.Errorf(graph.ErrValue, "it goes on after the %d bytes that shape %v of %v takes", n*size, shape, e.dtype)
		}
		return nil, err
	}
	slice := e.make(int(n))
	if _, err := binary.Decode(raw.Bytes(), order, slice); err != nil {
		return nil, err
	}
	return denseOver(slice, shape), nil
}

// write writes the elements of t, densely and row by row, in the given order of bytes.
func (e element) write(w io.Writer, order binary.ByteOrder, t *tensor.Dense) error {
	return binary.Write(w, order, t.Data())
}

// denseOver makes a tensor over a slice.
func denseOver(slice any, shape []int) *tensor.Dense {
	if len(shape) == 0 {
		return tensor.New(tensor.WithShape(), tensor.WithBacking(slice))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slice))
}

// AsType returns t with elements of dtype: t itself if it has them and is no view, else a converted copy. Numbers are converted
// as Go converts them; true is 1, and for Bool everything but 0 is true. t may have elements of any Go number or bool.
func AsType(t *tensor.Dense, dtype graph.DType) (*tensor.Dense, error) {
	if t == nil {
		return nil, graph.Errorf(graph.ErrValue, "no value: a nil *tensor.Dense")
	}
	if !dtype.Valid() {
		return nil, graph.Errorf(graph.ErrDType, "elements of %v; take graph.Float32, Float64, Int32, Int64 or Bool", dtype)
	}
	view := t.Shape().TotalSize() > 0 && (t.RequiresIterator() || t.DataOrder().IsColMajor())
	if !view && t.Dtype() == dtype.Tensor() {
		return t, nil
	}
	if view {
		t = t.Materialize().(*tensor.Dense)
	}
	to := graph.NewArray(dtype, append([]int(nil), t.Shape()...)...)
	switch v := t.Data().(type) {
	case []int8:
		convert(to, v)
	case []uint8:
		convert(to, v)
	case []int16:
		convert(to, v)
	case []uint16:
		convert(to, v)
	case []uint32:
		convert(to, v)
	case []uint64:
		convert(to, v)
	default:
		from, err := graph.ArrayOf(t)
		if err != nil {
			return nil, err
		}
		to.CopyFrom(from)
	}
	return to.Dense(), nil
}

func convert[T int8 | uint8 | int16 | uint16 | uint32 | uint64](to graph.Array, from []T) {
	switch to.DType {
	case graph.Int64:
		for i, v := range from {
			to.I64()[i] = int64(v)
		}
	case graph.Float32:
		for i, v := range from {
			to.F32()[i] = float32(v)
		}
	default:
		for i, v := range from {
			to.SetAt(i, float64(v))
		}
	}
}
