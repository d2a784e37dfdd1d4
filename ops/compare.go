package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of comparison and selection.
var (
	LessDef      = new(graph.Def)
	LessEqualDef = new(graph.Def)
	EqualDef     = new(graph.Def)
	NotEqualDef  = new(graph.Def)
	SelectDef    = new(graph.Def)
)

// Less returns a < b as booleans, broadcast. A comparison with NaN is false.
func Less(a, b *graph.Node) *graph.Node { return graph.Apply(LessDef, nil, a, b) }

// LessEqual returns a ≤ b as booleans, broadcast.
func LessEqual(a, b *graph.Node) *graph.Node { return graph.Apply(LessEqualDef, nil, a, b) }

// Greater returns a > b as booleans, broadcast.
func Greater(a, b *graph.Node) *graph.Node { return Less(b, a) }

// GreaterEqual returns a ≥ b as booleans, broadcast.
func GreaterEqual(a, b *graph.Node) *graph.Node { return LessEqual(b, a) }

// Equal returns a = b as booleans, broadcast. NaN equals nothing.
func Equal(a, b *graph.Node) *graph.Node { return graph.Apply(EqualDef, nil, a, b) }

// NotEqual returns a ≠ b as booleans, broadcast. NaN differs from everything.
func NotEqual(a, b *graph.Node) *graph.Node { return graph.Apply(NotEqualDef, nil, a, b) }

// Select returns a where cond is true and b elsewhere, all three broadcast. cond is boolean. The operand that is not selected
// gets a zero cotangent, whatever its value. What that operand was computed from multiplies the zero by its own derivative, which is
// NaN at a pole: to keep a pole out of a gradient, select before it, as in Sqrt(Select(ok, x, one)).
func Select(cond, a, b *graph.Node) *graph.Node { return graph.Apply(SelectDef, nil, cond, a, b) }

func inferCompare(_ any, in []graph.Type) (graph.Type, error) {
	if err := wantOperands(in, 2); err != nil {
		return graph.Type{}, err
	}
	t, err := broadcastTypes(in)
	t.DType = graph.Bool
	return t, err
}

func compareSamples() []graph.Sample {
	return binarySamples(graph.Operand{Values: []float64{1, 2, 3, 1, 2, 3}}, graph.Operand{Values: []float64{1, 3, 2, 1, 1, 1}})()
}

// comparison is the kernel of one comparison for every element type.
type comparison struct {
	f32      func(dst []bool, a, b []float32)
	f64      func(dst []bool, a, b []float64)
	ordered  func(a, b int64) bool
	booleans func(a, b bool) bool
}

func (k comparison) eval(c *graph.Call) error {
	dst := c.Out[0].Bool()
	switch c.In[0].DType {
	case graph.Float32:
		walkCompare(c, dst, k.f32)
	case graph.Float64:
		walkCompare(c, dst, k.f64)
	case graph.Int32:
		walkCompare(c, dst, func(dst []bool, a, b []int32) {
			for i := range dst {
				dst[i] = k.ordered(int64(a[i]), int64(b[i]))
			}
		})
	case graph.Int64:
		walkCompare(c, dst, func(dst []bool, a, b []int64) {
			for i := range dst {
				dst[i] = k.ordered(a[i], b[i])
			}
		})
	default:
		walkCompare(c, dst, func(dst []bool, a, b []bool) {
			for i := range dst {
				dst[i] = k.booleans(a[i], b[i])
			}
		})
	}
	return nil
}

// compareBlock is how many elements a scalar side is spread to at once.
const compareBlock = 128

func scratchCompare(_ any, in []graph.Type) graph.Dim {
	return graph.Dim(2 * compareBlock * in[0].DType.Size())
}

// walkCompare compares run by run; a scalar side is spread over a small block first.
func walkCompare[T float32 | float64 | int32 | int64 | bool](c *graph.Call, dst []bool, compare func(dst []bool, a, b []T)) {
	if len(dst) == 0 {
		return
	}
	spread := graph.ElementsIn[T](c.Scratch)
	sides := [2][]T{graph.Elements[T](c.In[0]), graph.Elements[T](c.In[1])}
	var w graph.Walk
	for w.Plan(c.Out[0].Shape, c.In); ; {
		for at := 0; at < w.Run; at += compareBlock {
			n := min(compareBlock, w.Run-at)
			var part [2][]T
			for i := range part {
				if w.Stride(i) == 1 {
					part[i] = sides[i][w.At[i]+at : w.At[i]+at+n]
					continue
				}
				part[i] = spread[i*compareBlock:][:n]
				if at == 0 {
					fill(part[i], sides[i][w.At[i]])
				}
			}
			compare(dst[w.Pos+at:w.Pos+at+n], part[0], part[1])
		}
		if !w.Next() {
			return
		}
	}
}

func evalSelect[T float32 | float64 | int32 | int64 | bool](c *graph.Call) error {
	dst := graph.Elements[T](c.Out[0])
	if len(dst) == 0 {
		return nil
	}
	cond, a, b := c.In[0].Bool(), graph.Elements[T](c.In[1]), graph.Elements[T](c.In[2])
	var w graph.Walk
	for w.Plan(c.Out[0].Shape, c.In); ; {
		sc, sa, sb := w.Stride(0), w.Stride(1), w.Stride(2)
		ic, ia, ib := w.At[0], w.At[1], w.At[2]
		run := dst[w.Pos : w.Pos+w.Run]
		for i := range run {
			if cond[ic] {
				run[i] = a[ia]
			} else {
				run[i] = b[ib]
			}
			ic, ia, ib = ic+sc, ia+sa, ib+sb
		}
		if !w.Next() {
			return nil
		}
	}
}

func init() {
	comparisons := []struct {
		def    *graph.Def
		name   string
		traits graph.Trait
		kernel comparison
	}{
		{LessDef, "less", graph.Discrete, comparison{kernel.Less[float32], kernel.Less[float64],
			func(a, b int64) bool { return a < b }, func(a, b bool) bool { return !a && b }}},
		{LessEqualDef, "lessequal", graph.Discrete, comparison{kernel.LessEqual[float32], kernel.LessEqual[float64],
			func(a, b int64) bool { return a <= b }, func(a, b bool) bool { return !a || b }}},
		{EqualDef, "equal", graph.Discrete | graph.Commutative, comparison{kernel.Equal[float32], kernel.Equal[float64],
			func(a, b int64) bool { return a == b }, func(a, b bool) bool { return a == b }}},
		{NotEqualDef, "notequal", graph.Discrete | graph.Commutative, comparison{kernel.NotEqual[float32], kernel.NotEqual[float64],
			func(a, b int64) bool { return a != b }, func(a, b bool) bool { return a != b }}},
	}
	for _, c := range comparisons {
		define(c.def, graph.Def{Name: c.name, Infer: inferCompare, Eval: c.kernel.eval, Scratch: scratchCompare, Traits: c.traits, Samples: compareSamples})
	}

	define(SelectDef, graph.Def{
		Name: "select",
		Infer: func(_ any, in []graph.Type) (graph.Type, error) {
			if err := wantOperands(in, 3); err != nil {
				return graph.Type{}, err
			}
			if in[0].DType != graph.Bool {
				return graph.Type{}, graph.Errorf(graph.ErrDType, "the condition is %v, not bool; make one with a comparison such as ops.Greater", in[0])
			}
			t, err := broadcastTypes(in[1:])
			if err == nil {
				t.Shape, err = BroadcastShapes(t.Shape, in[0].Shape)
			}
			return t, err
		},
		Eval: func(c *graph.Call) error {
			switch c.Out[0].DType {
			case graph.Float32:
				return evalSelect[float32](c)
			case graph.Float64:
				return evalSelect[float64](c)
			case graph.Int32:
				return evalSelect[int32](c)
			case graph.Int64:
				return evalSelect[int64](c)
			}
			return evalSelect[bool](c)
		},
		VJP: func(n, dy *graph.Node) []*graph.Node {
			cond, a, b := n.In(0), n.In(1), n.In(2)
			zero := like(dy, 0)
			return []*graph.Node{nil, sumLike(Select(cond, dy, zero), a), sumLike(Select(cond, zero, dy), b)}
		},
		Traits: graph.InPlace,
		Samples: func() []graph.Sample {
			cond := func(values []float64, dims ...graph.Dim) graph.Operand {
				return graph.Operand{Type: graph.TypeOf(graph.Bool, dims...), Values: values}
			}
			return []graph.Sample{
				{In: []graph.Operand{cond([]float64{1, 0, 0, 1, 1, 0}, 2, 3), floats(2, 3), floats(2, 3)}},
				{In: []graph.Operand{cond([]float64{1, 0}, 2, 1), floats(3), floats()}},
				{In: []graph.Operand{cond([]float64{0}), floats(2, 1), floats(1, 3)}},
			}
		},
	})
}
