package ops

import "github.com/tapir-ml/tapir/graph"

// Pad surrounds x with a value: margins[i] are the elements before and after axis i. One pair alone is for every axis. Negative margins take
// elements away.
func Pad(x *graph.Node, value float64, margins ...[2]int) *graph.Node {
	all, err := marginsOf(x, margins)
	if err != nil {
		return failed("pad", err, x)
	}
	attr := wholeSlice(x)
	for i, m := range all {
		if low, high := min(m[0], 0), min(m[1], 0); low < 0 || high < 0 {
			n := x.Shape()[i]
			if n.IsStatic() && int(n)+low+high < 0 {
				return failed("pad", graph.Errorf(graph.ErrShape, "margins %v take more than the %v elements of axis %d of %v", m, n, i, x.Shape()), x)
			}
			x = Slice(x, i, graph.Dim(-low), n.Add(graph.Dim(high)))
		}
		attr.Low[i] = graph.Dim(max(m[0], 0))
		attr.Shape[i] = x.Shape()[i].Add(graph.Dim(max(m[0], 0) + max(m[1], 0)))
	}
	attr.Fill = value
	if x.Err() == nil && attr.isWhole(x.Shape()) {
		return x
	}
	return graph.Apply(PadDef, attr, x)
}

// PadEdge surrounds x with copies of its outermost elements: a b c becomes a a|a b c|c c.
func PadEdge(x *graph.Node, margins ...[2]int) *graph.Node {
	return padWith(x, margins, func(x *graph.Node, axis, before, after int) (left, right *graph.Node) {
		left, right = Slice(x, axis, 0, 1), Slice(x, axis, -1, Open)
		return Repeat(left, graph.Dim(before), axis), Repeat(right, graph.Dim(after), axis)
	}, func(n, margin int) bool { return n > 0 })
}

// PadReflect surrounds x with its mirror image about the outermost elements, which are not repeated: a b c becomes c b|a b c|b a. A margin is
// smaller than the axis.
func PadReflect(x *graph.Node, margins ...[2]int) *graph.Node {
	return padWith(x, margins, func(x *graph.Node, axis, before, after int) (left, right *graph.Node) {
		return SliceStep(x, axis, graph.Dim(before), 0, -1), SliceStep(x, axis, -2, graph.Dim(-2-after), -1)
	}, func(n, margin int) bool { return margin < n })
}

// PadCircular surrounds x with itself, as if it were repeated without end: a b c becomes b c|a b c|a b. A margin is at most as large as the axis.
func PadCircular(x *graph.Node, margins ...[2]int) *graph.Node {
	return padWith(x, margins, func(x *graph.Node, axis, before, after int) (left, right *graph.Node) {
		return Slice(x, axis, graph.Dim(-before), Open), Slice(x, axis, 0, graph.Dim(after))
	}, func(n, margin int) bool { return margin <= n })
}

// padWith joins x, axis by axis, with margins made of it.
func padWith(x *graph.Node, margins [][2]int, sides func(x *graph.Node, axis, before, after int) (left, right *graph.Node), fits func(n, margin int) bool) *graph.Node {
	all, err := marginsOf(x, margins)
	if err != nil {
		return failed("pad", err, x)
	}
	for i, m := range all {
		n := x.Shape()[i]
		for _, side := range m {
			if side < 0 {
				return failed("pad", graph.Errorf(graph.ErrValue, "a margin of %d; only ops.Pad and ops.Slice take elements away", side), x)
			}
			if side > 0 && n.IsStatic() && !fits(int(n), side) {
				return failed("pad", graph.Errorf(graph.ErrShape, "a margin of %d is more than axis %d of %v can fill", side, i, x.Shape()), x)
			}
		}
		left, right := sides(x, i, max(m[0], 1), max(m[1], 1))
		switch {
		case m[0] > 0 && m[1] > 0:
			x = Concat(i, left, x, right)
		case m[0] > 0:
			x = Concat(i, left, x)
		case m[1] > 0:
			x = Concat(i, x, right)
		}
	}
	return x
}

func marginsOf(x *graph.Node, margins [][2]int) ([][2]int, error) {
	if x.Err() != nil {
		return nil, x.Err()
	}
	if x.Type().IsTuple() {
		return nil, graph.Errorf(graph.ErrOperator, "the operand is a tuple %v; take a part of it with ops.Get", x.Type())
	}
	rank := len(x.Shape())
	if len(margins) == 1 {
		all := make([][2]int, rank)
		for i := range all {
			all[i] = margins[0]
		}
		return all, nil
	}
	if len(margins) != rank {
		return nil, graph.Errorf(graph.ErrShape, "%d margins for the %d dimensions of %v; there is one for each, or one for all", len(margins), rank, x.Shape())
	}
	return margins, nil
}
