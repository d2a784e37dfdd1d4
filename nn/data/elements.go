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

// elementOf returns what the elements of t are in files, and t itself, dense and row-major.
func elementOf(t *tensor.Dense) (element, *tensor.Dense, error) {
	if t == nil {
		return element{}, nil, graph.Errorf(graph.ErrValue, "no value: a nil *tensor.Dense")
	}
	if t.Dtype() == tensor.Int {
		var err error
		if t, err = AsType(t, graph.Int64); err != nil {
			return element{}, nil, err
		}
	}
	e, known := elementWhere(func(e element) bool { return e.dtype == t.Dtype() })
	if !known {
		return element{}, nil, graph.Errorf(graph.ErrDType, "elements of %v have no place in the file; take bool, an integer, float32 or float64", t.Dtype())
	}
	return e, materialised(t), nil
}

// read reads a whole tensor: its elements, and nothing after them. What a header claims is not believed before the bytes are
// there, so a damaged one costs no memory.
func (e element) read(r io.Reader, order binary.ByteOrder, shape []int, columnMajor bool) (*tensor.Dense, error) {
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
	elements := raw.Bytes()
	if columnMajor {
		elements = rowMajor(elements, shape, int(size))
	}
	if e.dtype == tensor.Bool { // any byte but 0 is true
		for i, v := range elements {
			elements[i] = min(v, 1)
		}
	}
	slice := e.make(int(n))
	if _, err := binary.Decode(elements, order, slice); err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		return tensor.New(tensor.WithShape(), tensor.WithBacking(slice)), nil
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slice)), nil
}

// rowMajor puts elements of size bytes, which lie with the first index running fastest, in the order with the last one so.
func rowMajor(elements []byte, shape []int, size int) []byte {
	rows, index := make([]byte, len(elements)), make([]int, len(shape))
	for i := 0; i < len(elements); i += size {
		at, stride := 0, size
		for axis, x := range index {
			at += x * stride
			stride *= shape[axis]
		}
		copy(rows[i:i+size], elements[at:at+size])
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return rows
}

// backing returns the elements of t, which is no view: a slice, or the one element of a scalar.
func backing(t *tensor.Dense) any {
	if t.Shape().TotalSize() == 0 { // Data would read the first
		return []byte{}
	}
	return t.Data()
}

func isView(t *tensor.Dense) bool {
	return t.Shape().TotalSize() > 0 && (t.RequiresIterator() || t.DataOrder().IsColMajor())
}

func materialised(t *tensor.Dense) *tensor.Dense {
	if isView(t) {
		return t.Materialize().(*tensor.Dense)
	}
	return t
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
	if t = materialised(t); t.Dtype() == dtype.Tensor() {
		return t, nil
	}
	to := graph.NewArray(dtype, append([]int(nil), t.Shape()...)...)
	switch v := backing(t).(type) {
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
