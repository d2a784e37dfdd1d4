package ops

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
)

// Dot is NumPy's dot: the product of two vectors, (k)·(k), a scalar; otherwise the sum of products over the last dimension of a and the
// last but one of b (the only one of a vector), without broadcasting: (…, k)·(…′, k, n) is (…, …′, n). A scalar multiplies.
func Dot(a, b *graph.Node) *graph.Node { return sumProducts(a, b, -1, -2) }

// Inner is the sum of products over the last dimension of both: (…, k) and (…′, k) give (…, …′). A scalar multiplies.
func Inner(a, b *graph.Node) *graph.Node { return sumProducts(a, b, -1, -1) }

// VDot is the sum of the products of all elements of a and b, which have one size, whatever their shapes: a scalar.
func VDot(a, b *graph.Node) *graph.Node { return MatMul(Reshape(a, -1), Reshape(b, -1)) }

// Outer returns the products of every element of a with every element of b, (m, n) for m and n elements.
func Outer(a, b *graph.Node) *graph.Node {
	return Mul(Reshape(a, -1, 1), Reshape(b, 1, -1))
}

// Kron returns the Kronecker product of matrices (m, n) and (p, q): (m·p, n·q), in which each element of a is replaced by its product with b.
func Kron(a, b *graph.Node) *graph.Node {
	y := Einsum("ij,kl->ikjl", a, b)
	if y.Err() != nil {
		return y
	}
	s := y.Shape()
	return Reshape(y, s[0].Mul(s[1]), s[2].Mul(s[3]))
}

// TensorDot sums the products of a's and b's elements over pairs of axes, axesA[i] of a with axesB[i] of b; the result has the other
// dimensions of a, then those of b. Without axes it is the outer product of tensors.
func TensorDot(a, b *graph.Node, axesA, axesB []int) *graph.Node {
	fail := func(err error) *graph.Node {
		return graph.Invalid(err, "tensordot("+a.Name()+", "+b.Name()+")", a, b)
	}
	for _, x := range []*graph.Node{a, b} {
		if x.Err() != nil {
			return fail(x.Err())
		}
	}
	if len(axesA) != len(axesB) {
		return fail(graph.Errorf(graph.ErrShape, "%d axes of the first operand, %d of the second; they come in pairs", len(axesA), len(axesB)))
	}
	la, lb := countFrom(1, len(a.Shape())), countFrom(1+graph.MaxRank, len(b.Shape()))
	for i := range axesA {
		p, err := normalAxis(axesA[i], a.Type())
		if err != nil {
			return fail(err)
		}
		q, err := normalAxis(axesB[i], b.Type())
		if err != nil {
			return fail(err)
		}
		if int(lb[q]) <= graph.MaxRank || slices.Contains(lb, la[p]) {
			return fail(graph.Errorf(graph.ErrShape, "an axis is named twice in %v and %v", axesA, axesB))
		}
		if err := sameDim(a.Shape()[p], b.Shape()[q], func() string { return "shapes " + a.Shape().String() + " and " + b.Shape().String() }); err != nil {
			return fail(err)
		}
		lb[q] = la[p]
	}
	var out []rune
	for _, l := range la {
		if !slices.Contains(lb, l) {
			out = append(out, l)
		}
	}
	for _, l := range lb {
		if !slices.Contains(la, l) {
			out = append(out, l)
		}
	}
	y, err := contract(a, b, la, lb, out)
	if err != nil {
		return fail(err)
	}
	return y
}

// sumProducts contracts one axis of each operand; of a vector it is the only one.
func sumProducts(a, b *graph.Node, axisA, axisB int) *graph.Node {
	if a.Err() != nil || b.Err() != nil || len(a.Shape()) == 0 || len(b.Shape()) == 0 {
		return Mul(a, b)
	}
	return TensorDot(a, b, []int{axisA}, []int{max(axisB, -len(b.Shape()))})
}

func countFrom(first, n int) []rune {
	labels := make([]rune, n)
	for i := range labels {
		labels[i] = rune(first + i)
	}
	return labels
}
