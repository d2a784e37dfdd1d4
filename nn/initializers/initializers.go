// Package initializers says how parameters start.
//
// The fan-in of a weight is the number of inputs that each output sums over, the fan-out the number of outputs that each input
// feeds: for a shape (in, out) these are in and out; leading dimensions, as of convolution kernels (height, width, in, out),
// multiply both. Random numbers are derived from the seed of the vm.State and the parameter's name.
package initializers

import (
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
)

// Zeros starts at 0: right for biases, and unable to break the symmetry of weights.
func Zeros() graph.Init { return Constant(0) }

// Constant starts every element at v.
func Constant(v float64) graph.Init { return graph.Full(v) }

// Normal draws from a Gaussian of mean 0 and standard deviation std.
func Normal(std float64) graph.Init {
	return gaussian("normal", func([]int) float64 { return std })
}

// Uniform draws uniformly from lo to hi.
func Uniform(lo, hi float64) graph.Init {
	return graph.Init{Name: "uniform", Fill: func(r *rand.Rand, _ []int, dst []float64) {
		for i := range dst {
			dst[i] = lo + (hi-lo)*r.Float64()
		}
	}}
}

// He draws from a Gaussian of variance 2/fan-in, which keeps the size of signals through layers of relu (He et al. 2015).
func He() graph.Init {
	return gaussian("he", func(shape []int) float64 { in, _ := fans(shape); return math.Sqrt(2 / in) })
}

// HeUniform draws uniformly from ±√(6/fan-in), which has the variance of He.
func HeUniform() graph.Init {
	return symmetric("he_uniform", func(shape []int) float64 { in, _ := fans(shape); return math.Sqrt(6 / in) })
}

// Xavier draws from a Gaussian of variance 2/(fan-in + fan-out), which keeps the size of signals and of gradients through
// layers whose activation is near the identity at 0, such as tanh (Glorot and Bengio 2010).
func Xavier() graph.Init {
	return gaussian("xavier", func(shape []int) float64 { in, out := fans(shape); return math.Sqrt(2 / (in + out)) })
}

// XavierUniform draws uniformly from ±√(6/(fan-in + fan-out)), which has the variance of Xavier.
func XavierUniform() graph.Init {
	return symmetric("xavier_uniform", func(shape []int) float64 { in, out := fans(shape); return math.Sqrt(6 / (in + out)) })
}

func gaussian(name string, std func(shape []int) float64) graph.Init {
	return graph.Init{Name: name, Fill: func(r *rand.Rand, shape []int, dst []float64) {
		s := std(shape)
		for i := range dst {
			dst[i] = s * r.NormFloat64()
		}
	}}
}

func symmetric(name string, bound func(shape []int) float64) graph.Init {
	return graph.Init{Name: name, Fill: func(r *rand.Rand, shape []int, dst []float64) {
		b := bound(shape)
		for i := range dst {
			dst[i] = b * (2*r.Float64() - 1)
		}
	}}
}

// fans returns fan-in and fan-out, at least 1.
func fans(shape []int) (in, out float64) {
	switch len(shape) {
	case 0:
		return 1, 1
	case 1:
		return math.Max(float64(shape[0]), 1), math.Max(float64(shape[0]), 1)
	}
	field := 1
	for _, s := range shape[:len(shape)-2] {
		field *= s
	}
	in, out = float64(field*shape[len(shape)-2]), float64(field*shape[len(shape)-1])
	return math.Max(in, 1), math.Max(out, 1)
}
