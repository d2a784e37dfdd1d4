package vm_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
	"pgregory.net/rapid"
)

// randomGraph is a shape-correct expression drawn over the whole catalogue: an operator enters with the attributes and operand types
// of one of its samples, and its operands are made of what is there already, brought to the sample's type and range. So a new operator takes part
// by having samples.
type randomGraph struct {
	t     *rapid.T
	g     *graph.Graph
	dtype graph.DType

	// Symbolic graphs have a symbol for each size from 2 up, where an operator's shape rule takes them; size gives it at least the
	// size it stands for, which indices among a sample's values rely on.
	symbolic bool
	size     graph.Binding

	mode vm.Mode

	character
	exact  bool                        // a sample's values are taken as they are, as comparisons want that can be decided in either float type
	values map[*graph.Node]graph.Array // of all leaves
	drawn  map[*graph.Node]leaf
	leaves []*graph.Node // of the float type
	sized  []*graph.Node // of which one for each symbol
	others []*graph.Node // values of other types computed so far
	pool   []term
	random *rand.Rand
}

// character is what sort of graph is drawn.
type character uint8

const (
	plain  character = iota
	smooth           // keeps away from the kinks that samples name, also for what is computed; others do so only half the time
	wild             // values that are huge, tiny, zero, infinite or NaN are among those fed; parameters stay moderate, as they are folded into each other
)

// term is a value computed so far; loose counts the operators since its size was known to be moderate.
type term struct {
	n     *graph.Node
	loose int
}

// manyLoose operators one after the other may have made large what was moderate.
const manyLoose = 3

func drawGraph(t *rapid.T, dtype graph.DType, like character, least, most int) *randomGraph {
	r := &randomGraph{t: t, g: graph.New(), dtype: dtype, character: like, values: map[*graph.Node]graph.Array{}, drawn: map[*graph.Node]leaf{}, size: graph.Binding{}}
	from := catalogue
	if like == smooth { // without those that speak of another gradient than that of their value
		from = slices.DeleteFunc(slices.Clone(catalogue), func(d *graph.Def) bool { return d.Traits.Has(graph.Identity | graph.Discrete) })
	}
	r.symbolic = rapid.Bool().Draw(t, "symbolic")
	r.mode = rapid.SampledFrom([]vm.Mode{vm.Infer, vm.Train}).Draw(t, "mode")
	r.random = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
	r.pool = []term{{r.leaf(graph.TypeOf(dtype, r.dim(4), 3), nil), 0}}
	for range rapid.IntRange(least, most).Draw(t, "operators") {
		if r.random.IntN(10) == 0 {
			r.layers()
		} else {
			r.operator(sampled(r, from))
		}
	}
	return r
}

// sampled picks one of several, each as often as the others, which rapid's own draws are not made for.
func sampled[T any](r *randomGraph, list []T) T { return list[r.random.IntN(len(list))] }

// catalogue is the operators that graphs are drawn from. Those that act on the world outside of a tape are tested where they are.
var catalogue = slices.DeleteFunc(ops.Catalogue(), func(d *graph.Def) bool { return d.Traits.Has(graph.Impure) })

// activations are the functions of one float that are defined around 0.
var activations = slices.DeleteFunc(slices.Clone(catalogue), func(d *graph.Def) bool {
	return d.Pointwise == nil && d.Expand == nil || d.Traits.Has(graph.Discrete) || slices.ContainsFunc(d.Samples(), func(s graph.Sample) bool {
		o := s.In[0]
		return len(s.In) != 1 || o.Type.IsTuple() || !o.Type.DType.IsFloat() || o.Values != nil || o.Lo > -1 && o.Lo != 0 || o.Hi < 1 && o.Hi != 0
	})
})

// operator applies d as one of its samples says.
func (r *randomGraph) operator(d *graph.Def) {
	s := sampled(r, d.Samples())
	if r.random.IntN(6) == 0 {
		s.In = r.integers(d, s)
	}
	in := s.In
	if r.symbolic {
		if in = gradcheck.Symbolic(s.In); !r.accepts(d, s.Attr, in) {
			in = s.In
		}
	}
	r.exact = d.Traits.Has(graph.Discrete)
	var operands []*graph.Node
	loose := 0
	for i, o := range s.In {
		var parts []*graph.Node
		static, own := partsOf(o.Type), partsOf(in[i].Type)
		for k := range own {
			x := r.operand(o, static[k], r.retyped(own[k]))
			parts, loose = append(parts, x.n), max(loose, x.loose)
		}
		if o.Type.IsTuple() {
			operands = append(operands, ops.Tuple(parts...))
		} else {
			operands = append(operands, parts[0])
		}
	}
	y := r.g.Apply(d, s.Attr, operands...)
	if err := y.Err(); err != nil {
		r.t.Fatalf("%s {%v} of %v: %v", d.Name, s.Attr, in, err)
	}
	if r.symbolic && rapid.IntRange(0, 9).Draw(r.t, "as it runs") > 0 { // most of those that refuse the sizes of this run are no use
		if _, err := reference.Eval(r.env(), y); err != nil {
			return
		}
	}
	for i, part := range partsOf(y.Type()) {
		n := y
		if y.Type().IsTuple() {
			n = ops.Get(y, i)
		}
		if part.DType != r.dtype {
			r.others = append(r.others, n)
			loose = manyLoose // an integer may be large
		}
		r.pool = append(r.pool, term{ops.Cast(n, r.dtype), loose + 1})
	}
}

func partsOf(t graph.Type) []graph.Type {
	if t.IsTuple() {
		return t.Tuple
	}
	return []graph.Type{t}
}

// integers are the sample's operands with integers for floats, where d takes those.
func (r *randomGraph) integers(d *graph.Def, s graph.Sample) []graph.Operand {
	in, dtype := slices.Clone(s.In), sampled(r, []graph.DType{graph.Int32, graph.Int64})
	for i, o := range in {
		if o.Type.DType != graph.Float64 {
			continue
		}
		if in[i].Type.DType = dtype; o.Values == nil {
			in[i].Values = []float64{3, -2, 1, 7, 0, -5}
			for k := range in[i].Values {
				if o.Lo > 0 {
					in[i].Values[k] = math.Abs(in[i].Values[k]) + 1
				}
			}
		}
	}
	if r.accepts(d, s.Attr, in) {
		return in
	}
	return s.In
}

// retyped is a sample's type in the graph's float type.
func (r *randomGraph) retyped(t graph.Type) graph.Type {
	if t.DType == graph.Float64 {
		t.DType = r.dtype
	}
	return t
}

// accepts asks d's shape rule.
func (r *randomGraph) accepts(d *graph.Def, attr any, in []graph.Operand) bool {
	var types []graph.Type
	for _, o := range in {
		own := slices.Clone(partsOf(o.Type))
		for i := range own {
			own[i] = r.retyped(own[i])
		}
		if types = append(types, own[0]); o.Type.IsTuple() {
			types[len(types)-1] = graph.TupleOf(own...)
		}
	}
	_, err := d.Infer(attr, types)
	return err == nil
}

// layers applies affine maps to a matrix, some wide, some scaled as by a batch norm, and activations: what the compiler makes one instruction each, with
// packed weights.
func (r *randomGraph) layers() {
	y, width := r.bounded(r.fit(graph.TypeOf(r.dtype, r.dim(4), 3))).n, graph.Dim(3)
	for range 1 + r.random.IntN(3) {
		out := sampled(r, []graph.Dim{1, 2, 5, 6, 24, 40})
		row := func() *graph.Node { return r.leaf(graph.TypeOf(r.dtype, out), &graph.Operand{}) }
		y = ops.Affine(y, ops.Scale(r.leaf(graph.TypeOf(r.dtype, width, out), &graph.Operand{}), sampled(r, []float64{1, 0.25})), row())
		if r.random.IntN(3) == 0 {
			y = ops.Add(ops.Mul(y, row()), row())
		}
		if r.random.IntN(3) > 0 {
			d := sampled(r, activations)
			y = r.g.Apply(d, sampled(r, d.Samples()).Attr, y)
		}
		width = out
	}
	r.pool = append(r.pool, term{y, manyLoose})
}

func (r *randomGraph) dim(size int) graph.Dim {
	if r.symbolic {
		return graph.Symbol(fmt.Sprintf("n%d", size))
	}
	return graph.Dim(size)
}

// operand is a value of type t as operand o of a sample describes it.
func (r *randomGraph) operand(o graph.Operand, static, t graph.Type) term {
	if !t.DType.IsFloat() {
		// Integers computed from others may be outside the range of an index.
		same := slices.DeleteFunc(slices.Clone(r.others), func(n *graph.Node) bool { return n.DType() != graph.Bool || !n.Type().Identical(t) })
		if len(same) > 0 && rapid.Bool().Draw(r.t, "mask") {
			return term{rapid.SampledFrom(same).Draw(r.t, "operand"), 0}
		}
		return term{r.leaf(t, &o), 0}
	}
	if o.Values != nil {
		x := r.leaf(t, &o)
		if gap := gap(o.Values); gap > 0 && !r.exact && rapid.Bool().Draw(r.t, "vary") {
			x = ops.Add(x, ops.Scale(ops.Tanh(r.fit(t).n), 0.1*gap))
		}
		return term{x, 0}
	}
	x := r.fit(t)
	lo, hi := o.Lo, o.Hi
	wide := lo == 0 && hi == 0 || lo <= -1 && hi >= 1
	if lo == 0 && hi == 0 {
		lo, hi = -1, 1
	}
	if wide && x.loose < manyLoose && (len(o.Avoid) == 0 || r.character != smooth) && rapid.Bool().Draw(r.t, "as it is") {
		return x
	}
	type segment struct{ lo, hi float64 }
	var segments []segment
	for _, kink := range append(slices.Sorted(slices.Values(o.Avoid)), math.Inf(1)) {
		if end := min(hi, kink-0.1); end > lo {
			segments = append(segments, segment{lo, end})
		}
		lo = max(lo, kink+0.1)
	}
	if len(segments) == 0 {
		return term{r.leaf(t, &o), 0}
	}
	in := rapid.SampledFrom(segments).Draw(r.t, "range")
	return term{ops.AddScalar(ops.Scale(ops.Sigmoid(ops.AddScalar(x.n, 0.3)), in.hi-in.lo), in.lo), 0}
}

// bounded is x, squeezed into −1…1 where it may have grown.
func (r *randomGraph) bounded(x term) term {
	if x.loose < manyLoose {
		return x
	}
	return term{ops.Tanh(x.n), 0}
}

// gap is the smallest difference of two values of a sample, by a tenth of which they can be varied without changing their order; 0 if there is none.
func gap(values []float64) float64 {
	sorted, least := slices.Sorted(slices.Values(values)), math.Inf(1)
	for i, v := range sorted {
		if i > 0 && v > sorted[i-1] {
			least = min(least, v-sorted[i-1])
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return 0
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}

// fit is a value of type t: one that is there, one brought to this shape, or a leaf with the sum of another value mixed in.
func (r *randomGraph) fit(t graph.Type) term {
	for _, d := range t.Shape {
		r.sizeOf(d)
	}
	var same, moved []term
	for _, x := range r.pool {
		switch {
		case x.n.Type().Identical(t):
			same = append(same, x)
		case x.n.Shape().Size().Equal(t.Shape.Size()) == graph.Yes:
			if y := ops.Reshape(x.n, t.Shape...); y.Err() == nil {
				moved = append(moved, term{y, x.loose})
			}
		case len(x.n.Shape()) <= len(t.Shape):
			if y := ops.BroadcastTo(x.n, t.Shape...); y.Err() == nil {
				moved = append(moved, term{y, x.loose})
			}
		}
	}
	switch choice := rapid.IntRange(0, 7).Draw(r.t, "from"); {
	case choice < 4 && len(same) > 0:
		return rapid.SampledFrom(same).Draw(r.t, "operand")
	case choice < 6 && len(moved) > 0:
		return rapid.SampledFrom(moved).Draw(r.t, "moved operand")
	case choice < 7 && len(r.pool) > 0:
		x := rapid.SampledFrom(r.pool).Draw(r.t, "mixed in")
		return term{ops.Add(r.leaf(t, nil), ops.Tanh(ops.Sum(r.bounded(x).n))), 1}
	}
	return term{r.leaf(t, nil), 0}
}

// leaf is an input or a parameter of type t, perhaps one that is there already, or with o one of its own, with the values of a sample's operand.
func (r *randomGraph) leaf(t graph.Type, o *graph.Operand) *graph.Node {
	if o == nil {
		same := slices.DeleteFunc(slices.Clone(r.leaves), func(n *graph.Node) bool { return r.drawn[n].Values != nil || !n.Type().Identical(t) })
		if len(same) > 0 && rapid.Bool().Draw(r.t, "same leaf") {
			return rapid.SampledFrom(same).Draw(r.t, "leaf")
		}
	}
	name := fmt.Sprintf("x%d", len(r.values))
	var n *graph.Node
	if t.Shape.IsStatic() && t.DType.IsFloat() && rapid.Bool().Draw(r.t, "parameter") {
		n = r.g.Param(name, t.DType, graph.Zeros(), t.Shape...)
	} else {
		n = r.g.Input(name, t.DType, t.Shape...)
	}
	if err := n.Err(); err != nil {
		r.t.Fatalf("%v", err)
	}
	if o == nil {
		o = &graph.Operand{}
	}
	if t.DType == r.dtype {
		r.leaves = append(r.leaves, n)
	}
	r.drawn[n] = leaf{*o, r.exact}
	r.values[n] = graph.Array{} // a symbol of its own may come first
	r.values[n] = r.value(n)
	return n
}

// leaf is how the values of a leaf are drawn.
type leaf struct {
	graph.Operand
	exact bool
}

// value draws a value for leaf n at the sizes of the run.
func (r *randomGraph) value(n *graph.Node) graph.Array {
	t := graph.TypeOf(n.DType())
	for _, d := range n.Shape() {
		t.Shape = append(t.Shape, graph.Dim(r.sizeOf(d)))
	}
	o := r.drawn[n]
	v := gradcheck.Values(o.Operand, t, r.random)
	if r.character == wild && n.Kind() == graph.Input && t.DType.IsFloat() && o.Values == nil {
		for k := range v.Len() {
			if r.random.IntN(6) == 0 {
				v.SetAt(k, sampled(r, []float64{0, math.Copysign(0, -1), 1, 1e4, -1e4, 1e-30, 1e30, -1e30, 88, -104, math.Inf(1), math.Inf(-1), math.NaN()}))
			}
		}
	}
	if count := len(o.Values); t.DType.IsFloat() && !o.exact { // where a larger size takes the sample's values again, they stay different
		for k := count; count > 0 && k < v.Len(); k++ {
			v.SetAt(k, v.At(k)+0.3*gap(o.Values)*float64(k/count)/float64(v.Len()/count+1))
		}
	}
	return v
}

// again draws other sizes, and other values for what is fed.
func (r *randomGraph) again() {
	for _, d := range slices.Sorted(maps.Keys(r.size)) {
		r.size[d] = r.drawSize(d)
	}
	for _, n := range r.g.Feeds() {
		if _, own := r.drawn[n]; own {
			r.values[n] = r.value(n)
		}
	}
}

func (r *randomGraph) drawSize(d graph.Dim) int {
	least := 0
	if _, err := fmt.Sscanf(d.String(), "n%d", &least); err != nil {
		r.t.Fatalf("%v: %v", d, err)
	}
	return least + sampled(r, []int{0, 0, 0, 1, 1, 3, 3, 13})
}

// sizeOf is the size that a dimension has in the run. Each symbol is that of an input, which the loss reads.
func (r *randomGraph) sizeOf(d graph.Dim) int {
	if d.IsSymbol() && r.size[d] == 0 {
		r.size[d] = r.drawSize(d)
		r.sized = append(r.sized, r.leaf(graph.TypeOf(r.dtype, d), nil))
	}
	size, err := d.Eval(r.size)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return size
}

// loss is a scalar to differentiate: it depends on the values that were computed last, on two more, and on a leaf.
func (r *randomGraph) loss() *graph.Node {
	loss := ops.Sum(r.leaf(graph.TypeOf(r.dtype), nil))
	for _, x := range r.sized {
		loss = ops.Add(loss, ops.Mean(x))
	}
	last := r.pool[max(0, len(r.pool)-4):]
	for _, x := range append(slices.Clip(last), sampled(r, r.pool), sampled(r, r.pool)) {
		loss = ops.Add(loss, ops.Tanh(ops.Scale(ops.Sum(r.bounded(x).n), 0.1)))
	}
	return loss
}
