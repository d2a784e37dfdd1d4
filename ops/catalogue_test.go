package ops_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tapir-ml/tapir/autodiff/gradcheck"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"github.com/tapir-ml/tapir/vm/reference"
)

// trial is one sample of one operator in one float type, with values drawn.
type trial struct {
	def   *graph.Def
	attr  any
	types []graph.Type
	in    []graph.Array // tuples flattened
}

// trials calls visit for every sample of the catalogue in both float types. Some samples hold float64 in their attributes, to which
// the type of a cast or a size belongs: that is what they are asked for in either case.
func trials(t *testing.T, visit func(t *testing.T, c trial)) {
	for _, d := range ops.Catalogue() {
		name := fnv.New64a() // a new operator does not change what the others draw
		fmt.Fprint(name, d.Name)
		random := rand.New(rand.NewPCG(3, name.Sum64()))
		for i, s := range d.Samples() {
			for _, float := range floatTypes {
				c := trial{def: d, attr: s.Attr}
				retype := func(u graph.Type) graph.Type {
					if u.DType == graph.Float64 {
						u.DType = float
					}
					return u
				}
				for _, o := range s.In {
					parts := []graph.Type{o.Type}
					if o.Type.IsTuple() {
						parts = o.Type.Tuple
					}
					var own []graph.Type
					for _, p := range parts {
						own = append(own, retype(p))
						c.in = append(c.in, gradcheck.Values(o, retype(p), random))
					}
					if o.Type.IsTuple() {
						c.types = append(c.types, graph.TupleOf(own...))
					} else {
						c.types = append(c.types, own[0])
					}
				}
				t.Run(fmt.Sprintf("%s/%d %v", d.Name, i, float), func(t *testing.T) { visit(t, c) })
			}
		}
	}
}

// outs are the types of the results.
func (c trial) outs(t *testing.T) []graph.Type {
	typ, err := c.def.Infer(c.attr, c.types)
	if err != nil {
		t.Fatal(err)
	}
	if typ.IsTuple() {
		return typ.Tuple
	}
	return []graph.Type{typ}
}

func (c trial) expression() *expression {
	return express(func(x []*graph.Node) []*graph.Node {
		g := graph.New()
		if len(x) > 0 {
			g = x[0].Graph()
		}
		var operands []*graph.Node
		for _, u := range c.types {
			if u.IsTuple() {
				operands = append(operands, ops.Tuple(x[:len(u.Tuple)]...))
				x = x[len(u.Tuple):]
			} else {
				operands, x = append(operands, x[0]), x[1:]
			}
		}
		y := g.Apply(c.def, c.attr, operands...)
		if !y.Type().IsTuple() {
			return []*graph.Node{y}
		}
		var parts []*graph.Node
		for i := range y.Type().Tuple {
			parts = append(parts, ops.Get(y, i))
		}
		return parts
	}, c.in...)
}

// evaluate runs the operator's own kernel; place may put the results somewhere.
func (c trial) evaluate(t *testing.T, in []graph.Array, place func(out graph.Array) graph.Array) []graph.Array {
	call := graph.Call{Attr: c.attr, In: in, Stdout: io.Discard}
	for _, u := range c.outs(t) {
		shape := make([]int, len(u.Shape))
		for i, d := range u.Shape {
			shape[i] = int(d)
		}
		call.Out = append(call.Out, place(graph.NewArray(u.DType, shape...)))
	}
	if c.def.Scratch != nil {
		bytes := c.def.Scratch(c.attr, c.types)
		call.Scratch = graph.NewArray(graph.Float64, int(bytes+7)/8).Bytes()[:bytes]
	}
	if err := c.def.Run(&call); err != nil {
		t.Fatal(err)
	}
	return call.Out
}

// filled marks every byte of a result, so that what a kernel leaves unwritten shows.
func filled(out graph.Array) graph.Array {
	for i := range out.Bytes() {
		out.Bytes()[i] = 0xa5
		if out.DType == graph.Bool {
			out.Bytes()[i] = 1
		}
	}
	return out
}

// What a shape rule promises is what comes out of a run: the compiled value has the type that Infer gave, the kernel writes all of it,
// leaves its operands alone, and does not depend on what the result held before.
func TestInferenceEqualsWhatTheKernelProduces(t *testing.T) {
	trials(t, func(t *testing.T, c trial) {
		e := c.expression()
		got, err := e.run()
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range c.outs(t) {
			if !u.Identical(typeOf(got[i])) {
				t.Errorf("result %d is %v, inferred was %v", i, typeOf(got[i]), u)
			}
		}
		if c.def == ops.ByModeDef {
			return // resolved before execution
		}
		before := make([]graph.Array, len(c.in))
		for i, a := range c.in {
			before[i] = clone(a)
		}
		clean := c.evaluate(t, c.in, func(out graph.Array) graph.Array { return out })
		dirty := c.evaluate(t, c.in, filled)
		for i := range clean {
			if !bytes.Equal(clean[i].Bytes(), dirty[i].Bytes()) {
				t.Errorf("result %d depends on what the memory held", i)
			}
		}
		for i, a := range c.in {
			if !bytes.Equal(a.Bytes(), before[i].Bytes()) {
				t.Errorf("operand %d was written", i)
			}
		}
	})
}

func typeOf(a graph.Array) graph.Type {
	u := graph.TypeOf(a.DType)
	for _, s := range a.Shape {
		u.Shape = append(u.Shape, graph.Dim(s))
	}
	return u
}

// Compiled results, with and without the optional passes, agree with the float64 reference: element by element within 8 times what roundings
// of operands and result make of it (reference.Roundings), so that each is held to its own condition.
func TestCatalogueAgreesWithTheReference(t *testing.T) {
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
	trials(t, func(t *testing.T, c trial) {
		e := c.expression()
		env := reference.Env{Feeds: map[*graph.Node]any{}}
		for i, n := range e.x {
			env.Feeds[n] = c.in[i]
		}
		unit, smallest := 0x1p-53, 0x1p-1022
		if slices.ContainsFunc(append(e.outs, e.x...), func(n *graph.Node) bool { return n.DType() == graph.Float32 }) {
			unit, smallest = 0x1p-24, 0x1p-126
		}
		want, moved, err := reference.Roundings(env, unit, 8, e.outs...)
		if err != nil {
			t.Fatal(err)
		}
		for _, without := range [][]string{nil, optional} {
			got, err := e.run(without...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.Equal(want[i].Shape, got[i].Shape) {
					t.Fatalf("shape %v, reference %v", got[i].Shape, want[i].Shape)
				}
				for k := range want[i].Len() {
					g, w := got[i].At(k), want[i].At(k)
					if bound := 8 * (moved[i][k] + unit*math.Abs(w) + smallest); !(g == w || math.Abs(g-w) <= bound) {
						t.Errorf("without %v, element %d: %v, reference %v, allowed %.3g", without, k, g, w, bound)
					}
				}
			}
		}
	})
}

// InPlace: a result that shares memory with an operand of its size and element type has the same bits.
func TestInPlace(t *testing.T) {
	places := 0
	trials(t, func(t *testing.T, c trial) {
		if !c.def.Traits.Has(graph.InPlace) {
			return
		}
		want := c.evaluate(t, c.in, func(out graph.Array) graph.Array { return out })
		for i, a := range c.in {
			if a.DType != want[0].DType || a.Len() != want[0].Len() {
				continue
			}
			places++
			in := slices.Clone(c.in)
			in[i] = clone(a)
			got := c.evaluate(t, in, func(out graph.Array) graph.Array { return in[i].As(out.Shape) })
			if !bytes.Equal(got[0].Bytes(), want[0].Bytes()) {
				t.Errorf("in the place of operand %d: other bits than in memory of its own", i)
			}
		}
		// All operands the same memory, as in x·x.
		if len(c.in) == 2 && slices.Equal(c.in[0].Shape, c.in[1].Shape) && c.in[0].DType == want[0].DType {
			twice := clone(c.in[0])
			want := c.evaluate(t, []graph.Array{c.in[0], c.in[0]}, func(out graph.Array) graph.Array { return out })
			got := c.evaluate(t, []graph.Array{twice, twice}, func(graph.Array) graph.Array { return twice })
			if !bytes.Equal(got[0].Bytes(), want[0].Bytes()) {
				t.Error("both operands and the result in one memory: other bits")
			}
		}
	})
	if places < 50 {
		t.Errorf("only %d places were tried", places)
	}
}

// Commutative, View, Identity and Discrete promise what the compiler and autodiff rely on.
func TestTraits(t *testing.T) {
	trials(t, func(t *testing.T, c trial) {
		traits := c.def.Traits
		if c.def == ops.ByModeDef {
			return
		}
		plain := func(out graph.Array) graph.Array { return out }
		got := c.evaluate(t, c.in, plain)
		if traits.Has(graph.Commutative) {
			turned := c
			turned.types = []graph.Type{c.types[1], c.types[0]}
			if other := turned.evaluate(t, []graph.Array{c.in[1], c.in[0]}, plain); !bytes.Equal(got[0].Bytes(), other[0].Bytes()) {
				t.Error("Commutative, but the order of the operands counts")
			}
		}
		if traits.Has(graph.View) || traits.Has(graph.Identity) {
			if got[0].DType != c.in[0].DType || !bytes.Equal(got[0].Bytes(), c.in[0].Bytes()) {
				t.Error("the elements are not those of operand 0")
			}
		}
		if traits.Has(graph.Identity) && !c.outs(t)[0].Identical(c.types[0]) {
			t.Error("Identity, but the type changes")
		}
		if traits.Has(graph.Discrete) && c.def.VJP != nil {
			e := c.expression()
			for _, dx := range c.def.VJP(e.outs[0], e.outs[0]) {
				if dx != nil {
					t.Error("Discrete, but a cotangent flows")
				}
			}
		}
		if !traits.Has(graph.Discrete) && c.def.VJP == nil {
			t.Error("neither a gradient nor the reason for none")
		}
	})
}

// After the first run, runs allocate nothing, whatever the operator.
func TestOperatorsAllocateNothing(t *testing.T) {
	ctx := context.Background()
	still := func(t *testing.T, e *expression) {
		m, err := e.machine()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(3, func() { _ = m.Run(ctx) }); n != 0 {
			t.Errorf("%v allocations a run", n)
		}
	}
	trials(t, func(t *testing.T, c trial) { still(t, c.expression()) })
	for _, dtype := range allTypes { // the samples are of floats
		t.Run(dtype.String(), func(t *testing.T) {
			still(t, express(func(x []*graph.Node) []*graph.Node {
				mask := ops.Less(x[0], x[1])
				return []*graph.Node{mask, ops.LessEqual(x[0], x[1]), ops.Equal(x[0], x[1]), ops.NotEqual(x[0], x[1]), ops.Select(mask, x[0], x[1]),
					ops.Transpose(x[0]), ops.BroadcastTo(x[1], 4, 2, 3), ops.TakeAlongAxis(x[0], x[2], 1), ops.Cast(x[0], graph.Float32), ops.Cast(x[0], graph.Int64),
					ops.SliceStep(x[0], 1, ops.Open, ops.Open, -2), ops.Pad(x[0], 1, [2]int{1, 2}), ops.Concat(0, x[0], x[1]), ops.SplitSizes(x[0], 1, 1, 2)[1], ops.Take(x[0], x[2], 1)}
			}, array(dtype, []int{2, 3}, 0, 1, 2), array(dtype, []int{1, 3}, 1, 0, 3), array(graph.Int32, []int{2, 1}, 1)))
		})
	}
}
