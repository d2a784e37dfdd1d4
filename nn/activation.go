package nn

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Activation is an elementwise function as a layer; one of a user's own is a value of this type.
type Activation struct {
	Name   string                          // for people
	Of     func(x *graph.Node) *graph.Node // as in ops.ReLU
	Weight graph.Init                      // suits the weights before it; left out: initializers.He
}

// Build applies the function.
func (a Activation) Build(s *Scope, x *graph.Node) *graph.Node {
	if a.Of == nil {
		return s.invalid(a, x, graph.Errorf(graph.ErrValue, "the activation has no function; set Of"))
	}
	return a.Of(x)
}

func (a Activation) before() graph.Init { return or(a.Weight, initializers.He()) }

func or(init, otherwise graph.Init) graph.Init {
	if init.Fill == nil {
		return otherwise
	}
	return init
}

// gained is He's rule for an activation that wants another gain than relu's √2: variance gain²/fan-in.
func gained(gain float64) graph.Init { return initializers.ScaledNormal(gain, initializers.FanIn) }

// The gains of initializers.GainOf.
const (
	gainSiLU      = 1.6765
	gainGELU      = 1.5335
	gainMish      = 1.4868
	gainHardSwish = 1.7367
)

// The activations without options; package ops says what each computes. Weights before those that are near relu start as He's rule has it,
// with the activation's own gain; before those that are near the identity at 0 and bounded, as Xavier's; before selu as LeCun's.
var (
	ReLU        = Activation{"ReLU", ops.ReLU, initializers.He()}
	ReLU6       = Activation{"ReLU6", ops.ReLU6, initializers.He()}
	SiLU        = Activation{"SiLU", ops.SiLU, gained(gainSiLU)}
	GELU        = Activation{"GELU", ops.GELU, gained(gainGELU)}
	GELUTanh    = Activation{"GELUTanh", ops.GELUTanh, gained(gainGELU)}
	Mish        = Activation{"Mish", ops.Mish, gained(gainMish)}
	HardSwish   = Activation{"HardSwish", ops.HardSwish, gained(gainHardSwish)}
	Softplus    = Activation{"Softplus", ops.Softplus, initializers.He()}
	SELU        = Activation{"SELU", ops.SELU, initializers.LeCun()}
	Tanh        = Activation{"Tanh", ops.Tanh, initializers.Xavier()}
	Sigmoid     = Activation{"Sigmoid", ops.Sigmoid, initializers.Xavier()}
	HardSigmoid = Activation{"HardSigmoid", ops.HardSigmoid, initializers.Xavier()}
	LogSigmoid  = Activation{"LogSigmoid", ops.LogSigmoid, initializers.Xavier()}
	Softsign    = Activation{"Softsign", ops.Softsign, initializers.Xavier()}
	Tanhshrink  = Activation{"Tanhshrink", ops.Tanhshrink, initializers.Xavier()}
)

// Softmax and its relatives, along the last axis. Losses take logits, so a model that is trained ends without them.
var (
	Softmax    = Activation{"Softmax", func(x *graph.Node) *graph.Node { return ops.Softmax(x, -1) }, initializers.LeCun()}
	LogSoftmax = Activation{"LogSoftmax", func(x *graph.Node) *graph.Node { return ops.LogSoftmax(x, -1) }, initializers.LeCun()}
	Softmin    = Activation{"Softmin", func(x *graph.Node) *graph.Node { return ops.Softmin(x, -1) }, initializers.LeCun()}
)

// LeakyReLU is x above 0, else Slope·x.
type LeakyReLU struct {
	Slope float64 // 0 means 0.01
}

// Build applies ops.LeakyReLU.
func (l LeakyReLU) Build(_ *Scope, x *graph.Node) *graph.Node { return ops.LeakyReLU(x, l.slope()) }

func (l LeakyReLU) slope() float64     { return given(l.Slope, 0.01) }
func (l LeakyReLU) before() graph.Init { return gained(initializers.GainLeakyReLU(l.slope())) }

// PReLU is LeakyReLU with a slope that is learnt: the parameter "weight".
type PReLU struct {
	Slope float64 // it starts at; 0 means 0.25
	Axis  int     // has a slope for each of its indices, and a fixed size; 0 means one slope for all
}

// Build adds the parameter and applies ops.PReLU.
func (l PReLU) Build(s *Scope, x *graph.Node) *graph.Node {
	return learnt(s, l, x, "weight", given(l.Slope, 0.25), l.Axis, ops.PReLU)
}

func (l PReLU) before() graph.Init { return LeakyReLU{given(l.Slope, 0.25)}.before() }

// ELU is x above 0, else Alpha·(eˣ−1).
type ELU struct {
	Alpha float64 // 0 means 1
	Learn bool    // the parameter "alpha", which starts at Alpha
	Axis  int     // has an α of its own for each of its indices, and a fixed size; 0 means one for all
}

// Build applies ops.ELU, or ops.LearnedELU.
func (l ELU) Build(s *Scope, x *graph.Node) *graph.Node {
	if !l.Learn {
		return ops.ELU(x, given(l.Alpha, 1))
	}
	return learnt(s, l, x, "alpha", given(l.Alpha, 1), l.Axis, ops.LearnedELU)
}

func (l ELU) before() graph.Init {
	return gained(initializers.GainOf(func(x float64) float64 { return math.Max(x, 0) + given(l.Alpha, 1)*math.Expm1(math.Min(x, 0)) }))
}

// CELU is x above 0, else Alpha·(e^(x/Alpha)−1).
type CELU struct {
	Alpha float64 // 0 means 1
}

// Build applies ops.CELU.
func (l CELU) Build(_ *Scope, x *graph.Node) *graph.Node { return ops.CELU(x, given(l.Alpha, 1)) }

func (l CELU) before() graph.Init {
	a := given(l.Alpha, 1)
	return gained(initializers.GainOf(func(x float64) float64 { return math.Max(x, 0) + a*math.Expm1(math.Min(x/a, 0)) }))
}

// Swish is x·sigmoid(Beta·x); SiLU is the one with β = 1.
type Swish struct {
	Beta  float64 // 0 means 1
	Learn bool    // the parameter "beta", which starts at Beta
	Axis  int     // has a β of its own for each of its indices, and a fixed size; 0 means one for all
}

// Build applies ops.Swish, or ops.LearnedSwish.
func (l Swish) Build(s *Scope, x *graph.Node) *graph.Node {
	if !l.Learn {
		return ops.Swish(x, given(l.Beta, 1))
	}
	return learnt(s, l, x, "beta", given(l.Beta, 1), l.Axis, ops.LearnedSwish)
}

func (l Swish) before() graph.Init {
	return gained(initializers.GainOf(func(x float64) float64 { return x / (1 + math.Exp(-given(l.Beta, 1)*x)) }))
}

// GLU cuts x into halves a and b along an axis of even size and returns a·sigmoid(b).
type GLU struct {
	Axis int // 0 means the last
}

// Build applies ops.GLU.
func (l GLU) Build(_ *Scope, x *graph.Node) *graph.Node {
	if l.Axis == 0 {
		l.Axis = -1
	}
	return ops.GLU(x, l.Axis)
}

func (GLU) before() graph.Init { return initializers.LeCun() }

// HardTanh is min(max(x, Lo), Hi).
type HardTanh struct {
	Lo, Hi float64 // both 0 mean −1 and 1
}

// Build applies ops.HardTanh.
func (l HardTanh) Build(_ *Scope, x *graph.Node) *graph.Node {
	if l == (HardTanh{}) {
		l = HardTanh{-1, 1}
	}
	return ops.HardTanh(x, l.Lo, l.Hi)
}

func (HardTanh) before() graph.Init { return initializers.Xavier() }

// SoftplusBeta is ln(1+e^(Beta·x))/Beta.
type SoftplusBeta struct {
	Beta float64 // 0 means 1, which is Softplus
}

// Build applies ops.SoftplusBeta.
func (l SoftplusBeta) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.SoftplusBeta(x, given(l.Beta, 1))
}

func (SoftplusBeta) before() graph.Init { return initializers.He() }

// Threshold is x above Theta, else Value.
type Threshold struct{ Theta, Value float64 }

// Build applies ops.Threshold.
func (l Threshold) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.Threshold(x, l.Theta, l.Value)
}

func (Threshold) before() graph.Init { return initializers.He() }

// Softshrink draws x nearer to 0 by Lambda, and makes what is within ±Lambda 0.
type Softshrink struct {
	Lambda float64 // 0 means 0.5
}

// Build applies ops.Softshrink.
func (l Softshrink) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.Softshrink(x, given(l.Lambda, 0.5))
}

func (Softshrink) before() graph.Init { return initializers.Xavier() }

// Hardshrink makes what is within ±Lambda 0.
type Hardshrink struct {
	Lambda float64 // 0 means 0.5
}

// Build applies ops.Hardshrink.
func (l Hardshrink) Build(_ *Scope, x *graph.Node) *graph.Node {
	return ops.Hardshrink(x, given(l.Lambda, 0.5))
}

func (Hardshrink) before() graph.Init { return initializers.Xavier() }

// given is v, or what it means if it is left out.
func given(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// learnt applies an activation with a parameter that starts at the given value: one, or one for each index along an axis.
func learnt(s *Scope, l Layer, x *graph.Node, name string, start float64, axis int, f func(x, p *graph.Node, axis int) *graph.Node) *graph.Node {
	if err := wantFloats(x); err != nil {
		return s.invalid(l, x, err)
	}
	size := graph.Dim(1)
	if axis != 0 {
		var err error
		if size, err = fixedAxis(x, axis); err != nil {
			return s.invalid(l, x, err)
		}
	}
	return f(x, s.Param(name, x.DType(), initializers.Constant(start), size), axis)
}
