package ops_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
	"pgregory.net/rapid"
)

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// expression is a graph under test: inputs of static shape that are fed, and results.
type expression struct {
	g    *graph.Graph
	x    []*graph.Node
	fed  []graph.Array
	outs []*graph.Node
}

func express(build func(x []*graph.Node) []*graph.Node, inputs ...graph.Array) *expression {
	e := &expression{g: graph.New(), fed: inputs}
	for i, a := range inputs {
		dims := make([]graph.Dim, len(a.Shape))
		for k, s := range a.Shape {
			dims[k] = graph.Dim(s)
		}
		e.x = append(e.x, e.g.Input(fmt.Sprintf("x%d", i), a.DType, dims...))
	}
	e.outs = build(e.x)
	return e
}

func (e *expression) machine(without ...string) (*vm.Machine, error) {
	p, err := vm.Compile(vm.Spec{Outputs: e.outs, Without: without})
	if err != nil {
		return nil, err
	}
	s, err := vm.NewState(e.outs[0].Graph(), 1)
	if err != nil {
		return nil, err
	}
	m, err := vm.NewMachine(p, s)
	if err != nil {
		return nil, err
	}
	m.Stdout = io.Discard
	for i, n := range e.x {
		if slices.Contains(p.Feeds(), n) {
			if err := m.Feed(n, e.fed[i]); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

func (e *expression) run(without ...string) ([]graph.Array, error) {
	m, err := e.machine(without...)
	if err != nil {
		return nil, err
	}
	if err := m.Run(context.Background()); err != nil {
		return nil, err
	}
	var list []graph.Array
	for _, n := range e.outs {
		d, err := m.Value(n)
		if err != nil {
			return nil, err
		}
		a, err := graph.ArrayOf(d)
		if err != nil {
			return nil, err
		}
		list = append(list, clone(a))
	}
	return list, nil
}

// compute is the value of one expression.
func compute(t failer, build func(x []*graph.Node) *graph.Node, inputs ...graph.Array) graph.Array {
	t.Helper()
	out, err := express(func(x []*graph.Node) []*graph.Node { return []*graph.Node{build(x)} }, inputs...).run()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out[0]
}

func clone(a graph.Array) graph.Array {
	c := graph.NewArray(a.DType, slices.Clone(a.Shape)...)
	c.CopyFrom(a)
	return c
}

func array(dtype graph.DType, shape []int, values ...float64) graph.Array {
	a := graph.NewArray(dtype, shape...)
	for i := range a.Len() {
		a.SetAt(i, values[i%len(values)])
	}
	return a
}

// at reads an element as broadcasting sees it: dimensions are aligned at the last, those of size 1 repeat.
func at(a graph.Array, index ...int) float64 {
	index = index[len(index)-len(a.Shape):]
	position := 0
	for axis, i := range index {
		if a.Shape[axis] == 1 {
			i = 0
		}
		position = position*a.Shape[axis] + i
	}
	return a.At(position)
}

// each visits the indices of a shape in row-major order.
func each(shape []int, visit func(position int, index []int)) {
	n := 1
	for _, s := range shape {
		n *= s
	}
	index := make([]int, len(shape))
	for position := range n {
		rest := position
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis] = rest % shape[axis]
			rest /= shape[axis]
		}
		visit(position, index)
	}
}

// same requires a result of the given type whose elements are want(index) within ulps units in the last place of its element
// type, NaN for NaN. With 0 ulps zeros must agree in sign.
func same(t failer, what string, got graph.Array, dtype graph.DType, shape []int, ulps float64, want func(index []int) float64) {
	t.Helper()
	if got.DType != dtype || !slices.Equal(got.Shape, shape) {
		t.Fatalf("%s is %v%v, want %v%v", what, got.DType, got.Shape, dtype, shape)
	}
	each(shape, func(position int, index []int) {
		if w := want(index); !close(dtype, got.At(position), w, ulps) {
			t.Errorf("%s%v = %v, want %v", what, index, got.At(position), w)
		}
	})
}

func close(dtype graph.DType, got, want, ulps float64) bool {
	epsilon, smallest := 0x1p-52, 0x1p-1022
	if dtype == graph.Float32 {
		epsilon, smallest, want = 0x1p-23, 0x1p-126, float64(float32(want))
	}
	switch {
	case math.IsNaN(want):
		return math.IsNaN(got)
	case got == want:
		return ulps > 0 || want != 0 || math.Signbit(got) == math.Signbit(want)
	}
	return math.Abs(got-want) <= ulps*epsilon*math.Max(math.Abs(want), smallest)
}

var floatTypes = []graph.DType{graph.Float32, graph.Float64}

var allTypes = []graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool}

func drawShape(t *rapid.T, label string, least int) []int {
	return rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 0, 5}), least, 4).Draw(t, label)
}

// drawOperand draws an operand that broadcasts to the shape: leading dimensions may be missing, any may be 1.
func drawOperand(t *rapid.T, label string, dtype graph.DType, shape []int, values *rapid.Generator[float64]) graph.Array {
	own := slices.Clone(shape[rapid.IntRange(0, len(shape)).Draw(t, label+" drops"):])
	for i := range own {
		if rapid.IntRange(0, 3).Draw(t, label+" repeats") == 0 {
			own[i] = 1
		}
	}
	return drawArray(t, label, dtype, own, values)
}

func drawArray(t *rapid.T, label string, dtype graph.DType, shape []int, values *rapid.Generator[float64]) graph.Array {
	a := graph.NewArray(dtype, shape...)
	for i := range a.Len() {
		v := values.Draw(t, label)
		if dtype.IsInt() {
			v = math.Trunc(math.Max(-1e6, math.Min(1e6, v)))
			if v != v {
				v = 0
			}
		}
		a.SetAt(i, v)
	}
	return a
}

// resultShape broadcasts by NumPy's rules.
func resultShape(operands ...graph.Array) []int {
	var shape []int
	for _, a := range operands {
		for len(shape) < len(a.Shape) {
			shape = append([]int{1}, shape...)
		}
		for i, s := range a.Shape {
			if k := len(shape) - len(a.Shape) + i; s != 1 {
				shape[k] = s
			}
		}
	}
	return shape
}

var ordinary = rapid.Float64Range(-3, 3)

// awkward mixes special values among ordinary ones.
var awkward = rapid.OneOf(ordinary, rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 2, 0.5, math.Inf(1), math.Inf(-1), math.NaN(),
	1e-40, -1e-40, 1e-20, 1e30, -1e30, math.MaxFloat32, 88, -104, 1000, -1000}))
