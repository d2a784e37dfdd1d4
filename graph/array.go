package graph

import (
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"
)

// Array is a dense row-major block of elements that kernels work on: element type, shape and flat memory. It does not own the
// memory. The zero Array has no elements.
type Array struct {
	DType DType
	Shape []int
	data  unsafe.Pointer
	n     int
}

// elem lists the Go types of elements.
type elem interface {
	float32 | float64 | int32 | int64 | bool
}

// NewArray allocates a zeroed array.
func NewArray(dtype DType, shape ...int) Array {
	n := 1
	for _, s := range shape {
		n *= s
	}
	// Whole 8-byte words keep every element type aligned.
	words := make([]uint64, (n*dtype.Size()+7)/8)
	return Array{DType: dtype, Shape: shape, data: unsafe.Pointer(unsafe.SliceData(words)), n: n}
}

// ArrayAt views the start of memory as an array; memory must be aligned for the element type and hold all elements.
func ArrayAt(dtype DType, shape []int, memory []byte) Array {
	n := 1
	for _, s := range shape {
		n *= s
	}
	if n*dtype.Size() > len(memory) {
		panic(fmt.Sprintf("graph: %d bytes cannot hold %v%v", len(memory), dtype, shape))
	}
	return Array{DType: dtype, Shape: shape, data: unsafe.Pointer(unsafe.SliceData(memory)), n: n}
}

func arrayOver[T elem](dtype DType, shape []int, s []T) Array {
	return Array{DType: dtype, Shape: shape, data: unsafe.Pointer(unsafe.SliceData(s)), n: len(s)}
}

// As returns the same elements under another shape of the same size.
func (a Array) As(shape []int) Array {
	a.Shape = shape
	return a
}

// check says why a is no value.
func (a Array) check() error {
	if !a.DType.Valid() {
		return Errorf(ErrDType, "an array of %v is no tensor value", a.DType)
	}
	n := 1
	for _, s := range a.Shape {
		if s < 0 {
			return Errorf(ErrValue, "an array has shape %v", a.Shape)
		}
		n *= s
	}
	if n != a.n {
		return Errorf(ErrValue, "the array has %d elements but shape %v", a.n, a.Shape)
	}
	return nil
}

// Len returns the number of elements.
func (a Array) Len() int { return a.n }

// Elements returns the elements of an array as T, which must be the Go type of its element type; otherwise it panics.
func Elements[T elem](a Array) []T {
	var zero T
	want := Bool
	switch any(zero).(type) {
	case float32:
		want = Float32
	case float64:
		want = Float64
	case int32:
		want = Int32
	case int64:
		want = Int64
	}
	if a.DType != want {
		panic(fmt.Sprintf("graph: an array of %v read as %v", a.DType, want))
	}
	return unsafe.Slice((*T)(a.data), a.n)
}

// ElementsIn views memory, such as Call.Scratch, as elements; it must be aligned for T.
func ElementsIn[T elem](memory []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(len(memory))/unsafe.Sizeof(zero))
}

// F32 returns the elements of a Float32 array; like its siblings it panics if the array has another element type.
func (a Array) F32() []float32 { return Elements[float32](a) }

// F64 returns the elements of a Float64 array.
func (a Array) F64() []float64 { return Elements[float64](a) }

// I32 returns the elements of an Int32 array.
func (a Array) I32() []int32 { return Elements[int32](a) }

// I64 returns the elements of an Int64 array.
func (a Array) I64() []int64 { return Elements[int64](a) }

// Bool returns the elements of a Bool array.
func (a Array) Bool() []bool { return Elements[bool](a) }

// Bytes returns the memory of the elements.
func (a Array) Bytes() []byte { return unsafe.Slice((*byte)(a.data), a.n*a.DType.Size()) }

// At returns element i as a float64; true is 1.
func (a Array) At(i int) float64 {
	switch a.DType {
	case Float32:
		return float64(a.F32()[i])
	case Float64:
		return a.F64()[i]
	case Int32:
		return float64(a.I32()[i])
	case Int64:
		return float64(a.I64()[i])
	default:
		if a.Bool()[i] {
			return 1
		}
		return 0
	}
}

// SetAt stores v as element i, converted as Go converts; for Bool everything but 0 is true.
func (a Array) SetAt(i int, v float64) {
	switch a.DType {
	case Float32:
		a.F32()[i] = float32(v)
	case Float64:
		a.F64()[i] = v
	case Int32:
		a.I32()[i] = int32(v)
	case Int64:
		a.I64()[i] = int64(v)
	default:
		a.Bool()[i] = v != 0
	}
}

// CopyFrom copies the elements of b, converting them if the element types differ. The lengths must agree.
func (a Array) CopyFrom(b Array) {
	if a.n != b.n {
		panic(fmt.Sprintf("graph: %d elements copied to %d", b.n, a.n))
	}
	if a.DType == b.DType {
		copy(a.Bytes(), b.Bytes())
		return
	}
	switch { // what a detour by float64 would spoil
	case a.DType == Int32 && b.DType == Int64:
		convert(a.I32(), b.I64())
	case a.DType == Float32 && b.DType == Int64:
		convert(a.F32(), b.I64())
	default:
		for i := 0; i < a.n; i++ {
			a.SetAt(i, b.At(i))
		}
	}
}

func convert[T float32 | int32](dst []T, src []int64) {
	for i, v := range src {
		dst[i] = T(v)
	}
}

func (a Array) copyElement(i int, b Array, j int) {
	size := a.DType.Size()
	copy(a.Bytes()[i*size:(i+1)*size], b.Bytes()[j*size:(j+1)*size])
}

// Dense wraps the array's memory, without copying, as a gorgonia.org/tensor value.
func (a Array) Dense() *tensor.Dense {
	var backing any
	switch a.DType {
	case Float32:
		backing = a.F32()
	case Float64:
		backing = a.F64()
	case Int32:
		backing = a.I32()
	case Int64:
		backing = a.I64()
	case Bool:
		backing = a.Bool()
	default:
		return nil
	}
	if len(a.Shape) == 0 {
		return tensor.New(tensor.WithShape(), tensor.WithBacking(backing))
	}
	return tensor.New(tensor.WithShape(a.Shape...), tensor.WithBacking(backing))
}

// ArrayOf views v as an array: a *tensor.Dense or a slice (rank 1) in place where its memory is dense and row-major, otherwise
// a copy; a Go number or bool as a scalar. Go's int counts as Int64.
func ArrayOf(v any) (Array, error) {
	switch v := v.(type) {
	case *tensor.Dense:
		return arrayOfDense(v)
	case Array:
		return v, v.check()
	case float32:
		return arrayOver(Float32, nil, []float32{v}), nil
	case float64:
		return arrayOver(Float64, nil, []float64{v}), nil
	case int32:
		return arrayOver(Int32, nil, []int32{v}), nil
	case int64:
		return arrayOver(Int64, nil, []int64{v}), nil
	case int:
		return arrayOver(Int64, nil, []int64{int64(v)}), nil
	case bool:
		return arrayOver(Bool, nil, []bool{v}), nil
	case []float32:
		return arrayOver(Float32, []int{len(v)}, v), nil
	case []float64:
		return arrayOver(Float64, []int{len(v)}, v), nil
	case []int32:
		return arrayOver(Int32, []int{len(v)}, v), nil
	case []int64:
		return arrayOver(Int64, []int{len(v)}, v), nil
	case []int:
		return intArray([]int{len(v)}, v), nil
	case []bool:
		return arrayOver(Bool, []int{len(v)}, v), nil
	case nil:
		return Array{}, Errorf(ErrValue, "no value: nil")
	}
	return Array{}, Errorf(ErrDType, "a %T is no tensor value; use *tensor.Dense, a slice or a number of float32, float64, int32, int64, int or bool", v)
}

// intArray views Go ints as Int64, in place where int has 64 bits.
func intArray(shape []int, v []int) Array {
	if unsafe.Sizeof(int(0)) == 8 {
		return Array{DType: Int64, Shape: shape, data: unsafe.Pointer(unsafe.SliceData(v)), n: len(v)}
	}
	a := NewArray(Int64, shape...)
	for i, x := range v {
		a.I64()[i] = int64(x)
	}
	return a
}

func arrayOfDense(t *tensor.Dense) (Array, error) {
	if t == nil {
		return Array{}, Errorf(ErrValue, "no value: a nil *tensor.Dense")
	}
	shape := []int(t.Shape())
	n := 1
	for _, s := range shape {
		n *= s
	}
	var a Array
	switch t.Dtype() {
	case tensor.Float32:
		a = arrayOver(Float32, shape, t.Float32s())
	case tensor.Float64:
		a = arrayOver(Float64, shape, t.Float64s())
	case tensor.Int32:
		a = arrayOver(Int32, shape, t.Int32s())
	case tensor.Int64:
		a = arrayOver(Int64, shape, t.Int64s())
	case tensor.Int:
		a = intArray(shape, t.Ints())
	case tensor.Bool:
		a = arrayOver(Bool, shape, t.Bools())
	default:
		return Array{}, Errorf(ErrDType, "a tensor of %v is not supported; use float32, float64, int32, int64, int or bool", t.Dtype())
	}
	// The strides alone are trusted: the data order of a slice of a transposed tensor says that no iterator is needed.
	strides, last, dense, wide := t.Strides(), 0, true, 0
	for axis, step := len(shape)-1, 1; axis >= 0; axis-- {
		if shape[axis] != 1 {
			wide++
			stride := step
			if len(strides) == len(shape) {
				stride = strides[axis]
			}
			dense = dense && stride == step
			last += (shape[axis] - 1) * stride
		}
		step *= shape[axis]
	}
	if len(strides) != len(shape) && (wide > 1 || len(strides) > 0 && strides[0] != 1) { // a column-major (3, 1) has the stride 1 alone
		return Array{}, Errorf(ErrValue, "the tensor is a view of shape %v with strides %v; clone or materialise it first", shape, strides)
	}
	switch {
	case n == 0:
		a.n = 0
		return a, nil
	case last < 0 || last >= a.n:
		return Array{}, Errorf(ErrValue, "the tensor has %d elements but shape %v", a.n, shape)
	case dense:
		a.n = n
		return a, nil
	}
	return gather(a, shape, strides), nil
}

// gather copies a view (a slice, a transpose, a column-major tensor) whose elements lie in memory at the given strides.
func gather(memory Array, shape, strides []int) Array {
	dense := NewArray(memory.DType, shape...)
	index := make([]int, len(shape))
	for i := 0; i < dense.n; i++ {
		at := 0
		for axis, x := range index {
			at += x * strides[axis]
		}
		dense.copyElement(i, memory, at)
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
	return dense
}
