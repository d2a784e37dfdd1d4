package initializers

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
)

// Fan is the number of connections that the variance of a weight is divided by.
type Fan int

// FanIn keeps the size of the signal on its way forward, FanOut that of the gradient on its way back, FanAverage, the mean of the two,
// is a compromise. They differ where a layer has more inputs than outputs or fewer.
const (
	FanIn Fan = iota
	FanOut
	FanAverage
)

func (f Fan) String() string {
	if f < FanIn || f > FanAverage {
		return "no fan"
	}
	return [...]string{"fan_in", "fan_out", "fan_average"}[f]
}

// of returns the fan of a shape, at least 1.
func (f Fan) of(shape []int) float64 {
	in, out := fans(shape)
	return [...]float64{in, out, (in + out) / 2}[f]
}

// ScaledNormal draws from a Gaussian of variance gain²/fan: the family of He, Xavier and LeCun.
func ScaledNormal(gain float64, fan Fan) graph.Init {
	return checked(normal(call("scaled_normal", gain, fan), gain*gain, fan), scalable(gain, fan))
}

// ScaledUniform draws uniformly from ±gain·√(3/fan), which has the variance of ScaledNormal.
func ScaledUniform(gain float64, fan Fan) graph.Init {
	return checked(uniform(call("scaled_uniform", gain, fan), gain*gain, fan), scalable(gain, fan))
}

// He draws from a Gaussian of variance 2/fan-in, which keeps the size of signals through layers of relu (He et al. 2015). Also called
// Kaiming. ScaledNormal has it with another fan or gain.
func He() graph.Init { return normal("he", 2, FanIn) }

// HeUniform draws uniformly from ±√(6/fan-in), which has the variance of He.
func HeUniform() graph.Init { return uniform("he_uniform", 2, FanIn) }

// Xavier draws from a Gaussian of variance 2/(fan-in + fan-out), which keeps the size of signals and of gradients through
// layers whose activation is near the identity at 0, such as tanh (Glorot and Bengio 2010). Also called Glorot. ScaledNormal has it with a gain.
func Xavier() graph.Init { return normal("xavier", 1, FanAverage) }

// XavierUniform draws uniformly from ±√(6/(fan-in + fan-out)), which has the variance of Xavier.
func XavierUniform() graph.Init { return uniform("xavier_uniform", 1, FanAverage) }

// LeCun draws from a Gaussian of variance 1/fan-in (LeCun et al. 1998, Efficient BackProp): for layers without an activation, and for selu.
func LeCun() graph.Init { return normal("lecun", 1, FanIn) }

// LeCunUniform draws uniformly from ±√(3/fan-in), which has the variance of LeCun.
func LeCunUniform() graph.Init { return uniform("lecun_uniform", 1, FanIn) }

func normal(name string, scale float64, fan Fan) graph.Init {
	return gaussian(name, func(shape []int) float64 { return math.Sqrt(scale / fan.of(shape)) })
}

func uniform(name string, scale float64, fan Fan) graph.Init {
	return symmetric(name, func(shape []int) float64 { return math.Sqrt(3 * scale / fan.of(shape)) })
}

func scalable(gain float64, fan Fan) func([]int) error {
	return func([]int) error {
		if fan < FanIn || fan > FanAverage {
			return graph.Errorf(graph.ErrValue, "there is no Fan %d; want FanIn, FanOut or FanAverage", int(fan))
		}
		return finiteGain(gain)
	}
}

func finiteGain(gain float64) error {
	if math.IsNaN(gain) || math.IsInf(gain, 0) {
		return graph.Errorf(graph.ErrValue, "a gain of %v; want a finite number, such as initializers.GainReLU", gain)
	}
	return nil
}

// fans returns fan-in and fan-out, at least 1.
func fans(shape []int) (in, out float64) {
	inputs, outputs, window := 1, 1, 1
	switch len(shape) {
	case 0:
	case 1:
		inputs, outputs = shape[0], shape[0]
	case 2:
		inputs, outputs = shape[0], shape[1]
	default:
		outputs, inputs, window = shape[0], shape[1], size(shape[2:])
	}
	return math.Max(float64(inputs*window), 1), math.Max(float64(outputs*window), 1)
}

// The gains of PyTorch's calculate_gain: what a layer's weights are multiplied by to make up for the activation that follows. Those of tanh
// and selu are not what GainOf computes (1.5925 and 1): tanh's is larger and selu's smaller, by experience.
const (
	GainLinear  = 1.0
	GainSigmoid = 1.0
	GainTanh    = 5.0 / 3
	GainReLU    = math.Sqrt2
	GainSELU    = 3.0 / 4
)

// GainLeakyReLU is √(2/(1 + slope²)), the gain of leaky relu with this slope below 0; of prelu, with the slope that it starts at.
func GainLeakyReLU(slope float64) float64 { return math.Sqrt(2 / (1 + slope*slope)) }

// GainOf is the gain of any activation f: 1/√E[f(z)²] for a standard normal z, which keeps the mean square of the signal where it is
// near 1. For relu that is √2, for silu 1.6765, for gelu 1.5335. Where f jumps it is right to about 3 digits, else to 6 or more.
func GainOf(f func(x float64) float64) float64 {
	const far, steps = 12, 1024 // steps to a unit
	sum := 0.0
	for i := -far * steps; i <= far*steps; i++ {
		x := float64(i) / steps
		sum += f(x) * f(x) * math.Exp(-x*x/2)
	}
	return 1 / math.Sqrt(sum/steps/math.Sqrt(2*math.Pi))
}
