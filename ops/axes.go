package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// Compositions of Reshape, Transpose and BroadcastTo: most cost nothing, as another shape of the same elements is a view.

// Flatten makes one dimension of those from axis on: Flatten(x, 1) of (batch, 8, 8) is (batch, 64), Flatten(x, 0) a vector.
func Flatten(x *graph.Node, axis int) *graph.Node {
	if x.Err() != nil {
		return failed("flatten", x.Err(), x)
	}
	if axis == 0 && len(x.Shape()) == 0 && !x.Type().IsTuple() {
		return Reshape(x, 1)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("flatten", err, x)
	}
	return Reshape(x, append(append(graph.Shape(nil), x.Shape()[:a]...), x.Shape()[a:].Size())...)
}

// Squeeze drops the given axes, which must have the literal size 1, or all that have it if none is given.
func Squeeze(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("squeeze", x.Err(), x)
	}
	normal, err := normalAxes(axes, x.Type())
	if err != nil {
		return failed("squeeze", err, x)
	}
	var shape graph.Shape
	for i, d := range x.Shape() {
		switch {
		case !slices.Contains(normal, i) || len(axes) == 0 && d != 1:
			shape = append(shape, d)
		case d != 1:
			return failed("squeeze", graph.Errorf(graph.ErrShape, "dimension %d of %v is %v; only one of the literal size 1 can be dropped (ops.At picks an index)", i, x.Shape(), d), x)
		}
	}
	return Reshape(x, shape...)
}

// Unsqueeze adds dimensions of size 1 at the given axes of the result; negative ones count from its last. NumPy calls it expand_dims.
func Unsqueeze(x *graph.Node, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("unsqueeze", x.Err(), x)
	}
	shape := make(graph.Shape, len(x.Shape())+len(axes))
	normal, err := normalAxes(axes, graph.Type{Shape: shape, Tuple: x.Type().Tuple})
	if err != nil || len(axes) == 0 {
		if err == nil {
			return x
		}
		return failed("unsqueeze", err, x)
	}
	rest := x.Shape()
	for i := range shape {
		if slices.Contains(normal, i) {
			shape[i] = 1
		} else {
			shape[i], rest = rest[0], rest[1:]
		}
	}
	return Reshape(x, shape...)
}

// SwapAxes exchanges two axes.
func SwapAxes(x *graph.Node, a, b int) *graph.Node {
	return permuted(x, func(perm []int, axis func(int) int) []int {
		i, j := axis(a), axis(b)
		perm[i], perm[j] = perm[j], perm[i]
		return perm
	}, a, b)
}

// MoveAxis moves an axis to another place; the others keep their order.
func MoveAxis(x *graph.Node, from, to int) *graph.Node {
	return permuted(x, func(perm []int, axis func(int) int) []int {
		return slices.Insert(slices.Delete(perm, axis(from), axis(from)+1), axis(to), axis(from))
	}, from, to)
}

// permuted transposes x by what edit makes of the identity.
func permuted(x *graph.Node, edit func(perm []int, axis func(int) int) []int, axes ...int) *graph.Node {
	if x.Err() != nil {
		return failed("transpose", x.Err(), x)
	}
	for _, a := range axes {
		if _, err := normalAxis(a, x.Type()); err != nil {
			return failed("transpose", err, x)
		}
	}
	perm := make([]int, len(x.Shape()))
	for i := range perm {
		perm[i] = i
	}
	perm = edit(perm, func(a int) int { a, _ = normalAxis(a, x.Type()); return a })
	if slices.IsSorted(perm) {
		return x
	}
	return Transpose(x, perm...)
}

// Tile repeats x as a whole, reps[i] times along axis i. Missing leading reps, or missing leading dimensions of x, are 1.
func Tile(x *graph.Node, reps ...graph.Dim) *graph.Node {
	if x.Err() != nil || x.Type().IsTuple() {
		return failed("tile", graph.Errorf(graph.ErrOperator, "the operand is a tuple %v; take a part of it with ops.Get", x.Type()), x)
	}
	shape := x.Shape()
	for len(shape) < len(reps) {
		shape = append(graph.Shape{1}, shape...)
	}
	for len(reps) < len(shape) {
		reps = append([]graph.Dim{1}, reps...)
	}
	var spread, repeated, tiled graph.Shape
	for i, d := range shape {
		spread, repeated, tiled = append(spread, 1, d), append(repeated, reps[i], d), append(tiled, reps[i].Mul(d))
	}
	return Reshape(BroadcastTo(Reshape(x, spread...), repeated...), tiled...)
}

// Repeat repeats each element along an axis n times in a row, as NumPy's repeat and PyTorch's repeat_interleave do.
func Repeat(x *graph.Node, n graph.Dim, axis int) *graph.Node {
	if x.Err() != nil {
		return failed("repeat", x.Err(), x)
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return failed("repeat", err, x)
	}
	spread := slices.Insert(slices.Clone(x.Shape()), a+1, 1)
	repeated := slices.Clone(spread)
	repeated[a+1] = n
	shape := slices.Clone(x.Shape())
	shape[a] = shape[a].Mul(n)
	return Reshape(BroadcastTo(Reshape(x, spread...), repeated...), shape...)
}
