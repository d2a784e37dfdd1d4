package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// encodeAttr returns the canonical encoding of an operator's attributes: equal attributes have equal encodings and different
// ones differ, given that their Go types are the same. Floats are compared by their bits (so NaN equals itself and −0 differs from 0),
// lists by value (so nil equals empty). What has no value semantics (pointers, maps, functions, channels, interfaces) cannot be encoded.
func encodeAttr(attr any) (string, error) {
	if attr == nil {
		return "", nil
	}
	b, err := appendValue(make([]byte, 0, 64), reflect.ValueOf(attr))
	return string(b), err
}

func appendValue(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.LittleEndian.AppendUint64(b, uint64(v.Int())), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.LittleEndian.AppendUint64(b, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float())), nil
	case reflect.String:
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Len()))
		return append(b, v.String()...), nil
	case reflect.Slice, reflect.Array:
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Len()))
		var err error
		for i := 0; i < v.Len() && err == nil; i++ {
			b, err = appendValue(b, v.Index(i))
		}
		return b, err
	case reflect.Struct:
		var err error
		for i := 0; i < v.NumField() && err == nil; i++ {
			b, err = appendValue(b, v.Field(i))
		}
		return b, err
	}
	return nil, Errorf(ErrValue, "an attribute of type %s cannot be compared by value; use numbers, strings, slices and structs of these", v.Type())
}

// formatAttr prints attributes for people: "axes=[1] keepdims", leaving out fields that are zero.
func formatAttr(attr any) string {
	if attr == nil {
		return ""
	}
	v := reflect.ValueOf(attr)
	if _, ok := attr.(fmt.Stringer); ok || v.Kind() != reflect.Struct {
		return fmt.Sprint(attr)
	}
	var parts []string
	for i := 0; i < v.NumField(); i++ {
		field := v.Type().Field(i)
		if !field.IsExported() || v.Field(i).IsZero() {
			continue
		}
		name := strings.ToLower(field.Name[:1]) + field.Name[1:]
		if v.Field(i).Kind() == reflect.Bool {
			parts = append(parts, name)
		} else {
			parts = append(parts, fmt.Sprintf("%s=%v", name, v.Field(i)))
		}
	}
	return strings.Join(parts, " ")
}

// AttrDims returns the dimensions among the operator's attributes, which Eval may look up in Call.Binding.
func (n *Node) AttrDims() []Dim {
	if n.Def() == nil || n.attr == nil {
		return nil
	}
	return appendDims(nil, reflect.ValueOf(n.attr))
}

func appendDims(list []Dim, v reflect.Value) []Dim {
	switch k := v.Kind(); {
	case v.Type() == reflect.TypeFor[Dim]():
		return append(list, Dim(v.Int()))
	case k == reflect.Slice || k == reflect.Array:
		for i := range v.Len() {
			list = appendDims(list, v.Index(i))
		}
	case k == reflect.Struct:
		for i := range v.NumField() {
			list = appendDims(list, v.Field(i))
		}
	}
	return list
}
