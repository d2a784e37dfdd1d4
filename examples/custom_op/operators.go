// Command custom_op shows how to make operators of one's own, and what they are good for: with three of them, written in this
// file, spiking neurons learn to tell two patterns in time apart. The neurons and their training are in neuron.go, the patterns in
// patterns.go; main.go has the flags and the order of things, pictures.go draws.
//
//	go run ./examples/custom_op
package main

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// An operator is a graph.Def: a name, a rule for the type of its result, a kernel, a gradient. The functions below build nodes
// of them, as those of package ops do; nothing needs to be registered.
var (
	softStepDef = new(graph.Def)
	spikeDef    = new(graph.Def)
	leakDef     = new(graph.Def)
)

// stepAttr and leakAttr are attributes: what the operators take besides their operands. Nodes of equal attributes and operands are
// one node, so attributes are plain data: numbers, strings, slices and structs of these.
type (
	stepAttr struct{ Slope float64 }

	leakAttr struct {
		Decay    float64
		Backward bool
	}
)

// softStep returns ½ + arctan(π/2·slope·v)/π, a step from 0 to 1 whose derivative at 0 is slope/2.
func softStep(v *graph.Node, slope float64) *graph.Node {
	return graph.Apply(softStepDef, stepAttr{slope}, v)
}

// spike returns 1 where v is above 0, else 0. A step has no gradient to learn by: its derivative is 0 wherever it has one. So spike
// borrows that of softStep, which is called its surrogate (Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural
// networks", 2019).
func spike(v *graph.Node, slope float64) *graph.Node {
	return graph.Apply(spikeDef, stepAttr{slope}, v)
}

// leak returns y of yₜ = decay·yₜ₋₁ + xₜ along axis 1 of x: (batch, time, channels), from y₋₁ = 0: what comes in fades.
func leak(x *graph.Node, decay float64) *graph.Node {
	return graph.Apply(leakDef, leakAttr{Decay: decay}, x)
}

// The gradients mention the operators themselves, so the literals are filled in by init: Go allows no variable to be initialised by
// way of itself.
func init() {
	// A pointwise operator needs no Eval: its kernel is given blocks of elements, broadcasting is done for it, and the compiler
	// may fuse it with its neighbours. A block of an operand has the length of dst, or 1 where it is a scalar.
	*softStepDef = graph.Def{
		Name:      "softstep",
		Infer:     floatLike,
		Pointwise: elementwise(func(slope, v float64) float64 { return 0.5 + math.Atan(math.Pi/2*slope*v)/math.Pi }),
		VJP:       softStepGradient,
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: stepAttr{2}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 2, 3)}}},
				{Attr: stepAttr{0.5}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64), Lo: -9, Hi: 9}}},
				{Attr: stepAttr{1}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 0, 3)}}},
			}
		},
	}
	*spikeDef = graph.Def{ // without Samples: a surrogate is no derivative, and the gradient check would say so
		Name:  "spike",
		Infer: floatLike,
		Pointwise: elementwise(func(_, v float64) float64 {
			if v > 0 {
				return 1
			}
			return 0
		}),
		VJP: softStepGradient,
	}

	// What is not pointwise has an Eval, which is given whole arrays.
	*leakDef = graph.Def{
		Name: "leak",
		Infer: func(attr any, in []graph.Type) (graph.Type, error) {
			if decay := attr.(leakAttr).Decay; !(decay >= 0 && decay <= 1) {
				return graph.Type{}, graph.Errorf(graph.ErrValue, "a decay of %v; it is from 0 to 1", decay)
			}
			if len(in) != 1 || in[0].Shape.Rank() != 3 {
				return graph.Type{}, graph.Errorf(graph.ErrShape, "takes one operand of shape (batch, time, channels), not %v", in)
			}
			return floatLike(attr, in)
		},
		Eval: func(c *graph.Call) error {
			if c.Out[0].DType == graph.Float32 {
				evalLeak[float32](c)
			} else {
				evalLeak[float64](c)
			}
			return nil
		},
		// The operator is linear, and its transpose is itself with time turned round: a cotangent flows back to all that came before.
		VJP: func(n, dy *graph.Node) []*graph.Node {
			attr := n.Attr().(leakAttr)
			attr.Backward = !attr.Backward
			return []*graph.Node{graph.Apply(leakDef, attr, dy)}
		},
		Traits: graph.InPlace, // yₜ may be written over xₜ, which is not read again
		Samples: func() []graph.Sample {
			return []graph.Sample{
				{Attr: leakAttr{Decay: 0.5}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 2, 4, 3)}}},
				{Attr: leakAttr{Decay: 0.9, Backward: true}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 1, 3, 1)}}},
				{Attr: leakAttr{Decay: 1}, In: []graph.Operand{{Type: graph.TypeOf(graph.Float64, 2, 0, 3)}}},
			}
		},
	}
}

// floatLike is the rule of operators whose result is like their one operand.
func floatLike(_ any, in []graph.Type) (graph.Type, error) {
	if len(in) != 1 || !in[0].DType.IsFloat() {
		return graph.Type{}, graph.Errorf(graph.ErrDType, "takes one operand of float32 or float64, not %v; convert with ops.Cast", in)
	}
	return in[0], nil
}

// elementwise makes the kernels for both float types of a function of one number.
func elementwise(f func(slope, v float64) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(attr any, dst []float32, in [][]float32) { each(dst, in[0], attr.(stepAttr).Slope, f) },
		F64: func(attr any, dst []float64, in [][]float64) { each(dst, in[0], attr.(stepAttr).Slope, f) },
	}
}

func each[T float32 | float64](dst, v []T, slope float64, f func(slope, v float64) float64) {
	for i := range dst {
		dst[i] = T(f(slope, float64(v[min(i, len(v)-1)])))
	}
}

// softStepGradient is dy·(slope/2)/(1 + (π/2·slope·v)²). A rule builds ordinary nodes, so derivatives of any order follow from it.
func softStepGradient(n, dy *graph.Node) []*graph.Node {
	slope := n.Attr().(stepAttr).Slope
	fall := ops.AddScalar(ops.Square(ops.Scale(n.In(0), math.Pi/2*slope)), 1)
	return []*graph.Node{ops.Div(ops.Scale(dy, slope/2), fall)}
}

// evalLeak runs along time, one example after the other or several at once.
func evalLeak[T float32 | float64](c *graph.Call) {
	attr := c.Attr.(leakAttr)
	batch, time, channels := c.In[0].Shape[0], c.In[0].Shape[1], c.In[0].Shape[2]
	x, y, decay := graph.Elements[T](c.In[0]), graph.Elements[T](c.Out[0]), T(attr.Decay)
	first, step := 0, channels
	if attr.Backward {
		first, step = (time-1)*channels, -channels
	}
	one := func(example int) {
		at := example*time*channels + first
		for t := range time {
			now := y[at : at+channels]
			copy(now, x[at:at+channels])
			if t > 0 {
				for i, before := range y[at-step : at-step+channels] {
					now[i] += decay * before
				}
			}
			at += step
		}
	}
	if c.Parallel == nil {
		for example := range batch {
			one(example)
		}
		return
	}
	c.Parallel(batch, one)
}
