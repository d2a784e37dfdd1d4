package ops

import (
	"slices"
	"strings"
	"unicode"

	"github.com/tapir-ml/tapir/graph"
)

// Einsum sums products of elements as a formula in index notation says: "ij,jk->ik" is the matrix product, "bhqd,bhkd->bhqk" the scores
// of attention, "ii->i" a diagonal, "ij->" the sum of all.
//
// Each operand has a letter for each of its dimensions. A letter that is not in the output is summed over; one that an operand
// has twice takes its diagonal; a dimension of size 1 repeats. Without "->", the output has the letters that occur once, in alphabetical
// order. "..." stands for the dimensions without a letter, which are aligned at the last and broadcast; the output has them where
// it says "...", in front if there is no "->", and otherwise they are summed over. Spaces mean nothing.
//
// It is a composition of diagonals, sums, transposes and one matrix product for each pair of operands, taken from left to right; a pair
// that shares no letter that is summed over is multiplied elementwise.
func Einsum(formula string, operands ...*graph.Node) *graph.Node {
	for _, x := range operands {
		if err := x.Err(); err != nil {
			return graph.Invalid(err, "einsum("+formula+")", operands...)
		}
	}
	labels, out, err := parseEinsum(formula, operands)
	if err != nil {
		return graph.Invalid(err, "einsum("+formula+")", operands...)
	}
	x, own := operands[0], labels[0]
	for i := 1; i < len(operands); i++ {
		to := out
		if i < len(operands)-1 { // what is still needed
			to = nil
			later := append(slices.Concat(labels[i+1:]...), out...)
			for _, l := range append(slices.Clone(own), labels[i]...) {
				if slices.Contains(later, l) && !slices.Contains(to, l) {
					to = append(to, l)
				}
			}
		}
		if x, err = contract(x, operands[i], own, labels[i], to); err != nil {
			return graph.Invalid(err, "einsum("+formula+")", operands...)
		}
		own = to
	}
	if len(operands) == 1 {
		if x, own, err = distinctLabels(x, own); err != nil {
			return graph.Invalid(err, "einsum("+formula+")", operands...)
		}
		x, own = sumOver(x, own, func(l rune) bool { return !slices.Contains(out, l) })
		return permute(x, placesOf(own, out))
	}
	return x
}

// parseEinsum returns the labels of the operands and of the output. The dimensions of an ellipsis are −1, −2, … from the last.
func parseEinsum(formula string, operands []*graph.Node) (in [][]rune, out []rune, err error) {
	fail := func(format string, args ...any) ([][]rune, []rune, error) {
		return nil, nil, graph.Errorf(graph.ErrOperator, format, args...)
	}
	text := strings.Join(strings.Fields(formula), "")
	left, right, explicit := strings.Cut(text, "->")
	parts := strings.Split(left, ",")
	if len(parts) != len(operands) {
		return fail("%q is about %d operands, but there are %d", formula, len(parts), len(operands))
	}
	count := map[rune]int{}
	widest := 0
	read := func(part string, rank int) (labels []rune, err error) {
		before, after, dots := strings.Cut(part, "...")
		if dots && rank >= 0 {
			n := rank - len([]rune(before)) - len([]rune(after))
			if n < 0 {
				return nil, graph.Errorf(graph.ErrShape, "%q names more than the %d dimensions of its operand", part, rank)
			}
			rank, widest = n, max(widest, n)
		} else if rank >= 0 && rank != len([]rune(part)) {
			return nil, graph.Errorf(graph.ErrShape, "%q names %d dimensions, but its operand has %d", part, len([]rune(part)), rank)
		}
		for _, piece := range []string{before, after} {
			for _, l := range piece {
				if !unicode.IsLetter(l) {
					return nil, graph.Errorf(graph.ErrOperator, "%q in %q is no letter", l, part)
				}
			}
		}
		if !dots {
			return []rune(before), nil
		}
		labels = []rune(before)
		if rank < 0 {
			rank = widest
		}
		for i := rank; i > 0; i-- {
			labels = append(labels, rune(-i))
		}
		return append(labels, []rune(after)...), nil
	}
	for i, part := range parts {
		if operands[i].Type().IsTuple() {
			return fail("operand %d is a tuple %v; take a part of it with ops.Get", i, operands[i].Type())
		}
		labels, err := read(part, len(operands[i].Shape()))
		if err != nil {
			return nil, nil, err
		}
		for _, l := range labels {
			count[l]++
		}
		in = append(in, labels)
	}
	if !explicit {
		for i := widest; i > 0; i-- {
			out = append(out, rune(-i))
		}
		var once []rune
		for l, n := range count {
			if l > 0 && n == 1 {
				once = append(once, l)
			}
		}
		slices.Sort(once)
		return in, append(out, once...), nil
	}
	if out, err = read(right, -1); err != nil {
		return nil, nil, err
	}
	for i, l := range out {
		switch {
		case count[l] == 0:
			return fail("the output of %q has %q, which no operand has", formula, l)
		case slices.Contains(out[:i], l):
			return fail("the output of %q has %q twice", formula, l)
		}
	}
	return in, out, nil
}

// contract sums the products of a's and b's elements over the labels that are not in out, as one matrix product of each element of a
// batch:
//
//	labels in both and in out              the batch
//	labels in both and not in out          the inner dimension
//	labels in one and in out               rows of a, columns of b
//	labels in one and not in out           summed over first
func contract(a, b *graph.Node, la, lb, out []rune) (*graph.Node, error) {
	var err error
	if a, la, err = distinctLabels(a, la); err != nil {
		return nil, err
	}
	if b, lb, err = distinctLabels(b, lb); err != nil {
		return nil, err
	}
	if a, la, b, lb, err = matchLabels(a, la, b, lb); err != nil {
		return nil, err
	}
	a, la = sumOver(a, la, func(l rune) bool { return !slices.Contains(lb, l) && !slices.Contains(out, l) })
	b, lb = sumOver(b, lb, func(l rune) bool { return !slices.Contains(la, l) && !slices.Contains(out, l) })
	var batch, rows, cols, inner []rune
	for _, l := range out {
		inA, inB := slices.Contains(la, l), slices.Contains(lb, l)
		switch {
		case inA && inB:
			batch = append(batch, l)
		case inA:
			rows = append(rows, l)
		case inB:
			cols = append(cols, l)
		}
	}
	for _, l := range la {
		if slices.Contains(lb, l) && !slices.Contains(out, l) {
			inner = append(inner, l)
		}
	}
	if len(inner) == 0 {
		return Mul(alignLabels(a, la, out), alignLabels(b, lb, out)), nil
	}
	if len(rows) > 0 && len(cols) > 0 && slices.Index(out, cols[0]) < slices.Index(out, rows[0]) { // the transposed product lies as wanted
		a, b, la, lb, rows, cols = b, a, lb, la, cols, rows
	}
	left, right := single(batch), single(batch)
	if len(batch) == 0 && len(rows) > 0 { // rows keep their dimensions, so that what follows fuses with the product
		left = single(rows)
	} else {
		left = append(left, rows)
	}
	y := MatMul(arrange(a, la, append(left, inner)), arrange(b, lb, append(right, inner, cols)))
	order := slices.Concat(batch, rows, cols)
	var shape graph.Shape
	for _, l := range order {
		if at := slices.Index(la, l); at >= 0 {
			shape = append(shape, a.Shape()[at])
		} else {
			shape = append(shape, b.Shape()[slices.Index(lb, l)])
		}
	}
	return permute(Reshape(y, shape...), placesOf(order, out)), y.Err()
}

// distinctLabels takes the diagonal of dimensions with one label.
func distinctLabels(x *graph.Node, labels []rune) (*graph.Node, []rune, error) {
	labels = slices.Clone(labels)
	for i := 0; i < len(labels); i++ {
		k := slices.Index(labels[i+1:], labels[i])
		if k < 0 {
			continue
		}
		k += i + 1
		if err := sameDim(x.Shape()[i], x.Shape()[k], func() string { return "the dimensions " + string(labels[i]) + " of " + x.Shape().String() }); err != nil {
			return nil, nil, err
		}
		x = Diagonal(x, 0, i, k)
		l := labels[i]
		labels = append(slices.Delete(slices.Delete(labels, k, k+1), i, i+1), l)
		i = -1
	}
	return x, labels, nil
}

// matchLabels drops dimensions of size 1 where the other operand has more, and fails where sizes differ otherwise.
func matchLabels(a *graph.Node, la []rune, b *graph.Node, lb []rune) (*graph.Node, []rune, *graph.Node, []rune, error) {
	var dropA, dropB []rune
	for i, l := range la {
		k := slices.Index(lb, l)
		if k < 0 {
			continue
		}
		n, m := a.Shape()[i], b.Shape()[k]
		switch {
		case n == 1 && m != 1:
			dropA = append(dropA, l)
		case m == 1 && n != 1:
			dropB = append(dropB, l)
		default:
			what := func() string {
				name := string(l)
				if l < 0 {
					name = "..."
				}
				return "the dimensions " + name + " of " + a.Shape().String() + " and " + b.Shape().String()
			}
			if err := sameDim(n, m, what); err != nil {
				return a, la, b, lb, err
			}
		}
	}
	drop := func(x *graph.Node, labels, gone []rune) (*graph.Node, []rune) {
		var shape graph.Shape
		var left []rune
		for i, l := range labels {
			if !slices.Contains(gone, l) {
				shape, left = append(shape, x.Shape()[i]), append(left, l)
			}
		}
		return Reshape(x, shape...), left
	}
	a, la = drop(a, la, dropA)
	b, lb = drop(b, lb, dropB)
	return a, la, b, lb, nil
}

// sumOver sums over the dimensions whose labels are gone.
func sumOver(x *graph.Node, labels []rune, gone func(l rune) bool) (*graph.Node, []rune) {
	var axes []int
	var left []rune
	for i, l := range labels {
		if gone(l) {
			axes = append(axes, i)
		} else {
			left = append(left, l)
		}
	}
	if len(axes) == 0 {
		return x, labels
	}
	return Sum(x, axes...), left
}

// alignLabels returns x with its dimensions in the order of out, and size 1 for what it lacks.
func alignLabels(x *graph.Node, labels, out []rune) *graph.Node {
	var own []rune
	var shape graph.Shape
	for _, l := range out {
		if at := slices.Index(labels, l); at >= 0 {
			own, shape = append(own, l), append(shape, x.Shape()[at])
		} else if len(own) > 0 { // leading ones need not be said
			shape = append(shape, 1)
		}
	}
	return Reshape(permute(x, placesOf(labels, own)), shape...)
}

// arrange returns x with a dimension for each group of labels, their sizes multiplied. Where the labels of every group follow each
// other in x, dimensions are merged first: then what is left to move, the product can read where it is.
func arrange(x *graph.Node, labels []rune, groups [][]rune) *graph.Node {
	var merged, result graph.Shape
	adjacent := true
	sizes := map[rune]graph.Dim{} // by a group's first label
	for _, group := range groups {
		size := graph.Dim(1)
		for i, l := range group {
			at := slices.Index(labels, l)
			size = size.Mul(x.Shape()[at])
			adjacent = adjacent && (i == 0 || at == slices.Index(labels, group[i-1])+1)
		}
		if len(group) > 0 {
			sizes[group[0]] = size
		}
		result = append(result, size)
	}
	order := slices.Concat(groups...)
	if !adjacent {
		return Reshape(permute(x, placesOf(labels, order)), result...)
	}
	var heads, wanted []rune
	for _, l := range labels {
		if size, ok := sizes[l]; ok {
			heads, merged = append(heads, l), append(merged, size)
		}
	}
	for _, group := range groups {
		wanted = append(wanted, group[:min(len(group), 1)]...)
	}
	return Reshape(permute(Reshape(x, merged...), placesOf(heads, wanted)), result...)
}

// single makes a group of each label.
func single(labels []rune) (groups [][]rune) {
	for _, l := range labels {
		groups = append(groups, []rune{l})
	}
	return groups
}

// placesOf returns where each label of order is in labels.
func placesOf(labels, order []rune) []int {
	places := make([]int, len(order))
	for i, l := range order {
		places[i] = slices.Index(labels, l)
	}
	return places
}

// permute is Transpose, and x itself where nothing moves.
func permute(x *graph.Node, perm []int) *graph.Node {
	if slices.IsSorted(perm) {
		return x
	}
	return Transpose(x, perm...)
}
