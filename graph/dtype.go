package graph

import (
	"fmt"
	"math"
	"strings"

	"gorgonia.org/tensor"
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types. The zero value is no type.
const (
	_ DType = iota
	Float32
	Float64
	Int32
	Int64
	Bool
)

var dtypes = [...]struct {
	name   string
	size   int
	tensor tensor.Dtype
}{
	{name: "invalid"},
	Float32: {"float32", 4, tensor.Float32},
	Float64: {"float64", 8, tensor.Float64},
	Int32:   {"int32", 4, tensor.Int32},
	Int64:   {"int64", 8, tensor.Int64},
	Bool:    {"bool", 1, tensor.Bool},
}

// Valid reports whether d is one of the element types.
func (d DType) Valid() bool { return d > 0 && int(d) < len(dtypes) }

// String returns Go's name of the element type.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size returns the bytes of one element.
func (d DType) Size() int {
	if !d.Valid() {
		return 0
	}
	return dtypes[d].size
}

// IsFloat reports whether d is Float32 or Float64, the types that have gradients.
func (d DType) IsFloat() bool { return d == Float32 || d == Float64 }

// IsInt reports whether d is Int32 or Int64.
func (d DType) IsInt() bool { return d == Int32 || d == Int64 }

// Tensor returns the element type as gorgonia.org/tensor names it.
func (d DType) Tensor() tensor.Dtype {
	if !d.Valid() {
		return tensor.Dtype{}
	}
	return dtypes[d].tensor
}

// Shape lists the dimensions of a row-major tensor, outermost first. The shape of a scalar is empty.
type Shape []Dim

// Rank returns the number of dimensions.
func (s Shape) Rank() int { return len(s) }

// Size returns the number of elements, 1 for a scalar. It is not Valid if the product overflows.
func (s Shape) Size() Dim {
	n := Dim(1)
	for _, d := range s {
		n = n.Mul(d)
	}
	return n
}

// IsStatic reports whether every dimension is a plain size.
func (s Shape) IsStatic() bool {
	for _, d := range s {
		if !d.IsStatic() {
			return false
		}
	}
	return true
}

// Identical reports whether s and t have the same dimensions, symbols compared as symbols.
func (s Shape) Identical(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// String prints the shape as in "(batch, 784)".
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('(')
	for i, d := range s {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.String())
	}
	b.WriteByte(')')
	return b.String()
}

// Type is what is known of a value before it is computed: element type and shape, or the types of a tuple's parts.
type Type struct {
	DType DType
	Shape Shape
	Tuple []Type // of the result of an operator with several results: its parts, no tuples themselves; DType and Shape are then empty
}

// TypeOf builds the type of a tensor.
func TypeOf(dtype DType, shape ...Dim) Type { return Type{DType: dtype, Shape: shape} }

// TupleOf builds the type of an operator with several results.
func TupleOf(parts ...Type) Type { return Type{Tuple: parts} }

// IsTuple reports whether t is a tuple.
func (t Type) IsTuple() bool { return t.Tuple != nil }

// Identical reports whether t and u are the same type, symbols compared as symbols.
func (t Type) Identical(u Type) bool {
	if t.DType != u.DType || !t.Shape.Identical(u.Shape) || len(t.Tuple) != len(u.Tuple) {
		return false
	}
	for i := range t.Tuple {
		if !t.Tuple[i].Identical(u.Tuple[i]) {
			return false
		}
	}
	return true
}

// String prints the type as in "float32(batch, 784)"; a scalar is just its element type.
func (t Type) String() string {
	if t.IsTuple() {
		parts := make([]string, len(t.Tuple))
		for i, p := range t.Tuple {
			parts[i] = p.String()
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if len(t.Shape) == 0 {
		return t.DType.String()
	}
	return t.DType.String() + t.Shape.String()
}

// check says what keeps t from being the type of a value.
func (t Type) check() error {
	if t.IsTuple() {
		if len(t.Tuple) == 0 || t.DType != 0 || t.Shape != nil {
			return Errorf(ErrOperator, "a tuple has at least one part, and neither element type nor shape of its own")
		}
		for _, p := range t.Tuple {
			if p.IsTuple() {
				return Errorf(ErrOperator, "a part of the tuple %v is a tuple itself; list its parts instead", t)
			}
			if err := p.check(); err != nil {
				return err
			}
		}
		return nil
	}
	if !t.DType.Valid() {
		return Errorf(ErrDType, "%v is no element type; use graph.Float32, Float64, Int32, Int64 or Bool", t.DType)
	}
	if len(t.Shape) > MaxRank {
		return Errorf(ErrShape, "%d dimensions are more than the %d that Tapir handles", len(t.Shape), MaxRank)
	}
	for i, d := range t.Shape {
		switch {
		case d.IsSymbolic() && !d.Valid():
			return Errorf(ErrShape, "dimension %d overflows int64", i)
		case !d.Valid():
			return Errorf(ErrShape, "dimension %d is negative: %d; a size that is known only at run time is a graph.Symbol(name)", i, int64(d))
		}
	}
	bytes := Dim(t.DType.Size()) // the factor of the size that no symbol can change: if it overflows, every size but 0 does
	for _, d := range t.Shape {
		bytes = bytes.Mul(d.content())
	}
	if !bytes.Valid() || bytes > math.MaxInt {
		return Errorf(ErrShape, "the size of %v overflows: the product of its dimensions must stay below 2^63 bytes", t)
	}
	return nil
}

// IsValid reports whether every dimension is Valid.
func (s Shape) IsValid() bool {
	for _, d := range s {
		if !d.Valid() {
			return false
		}
	}
	return true
}
