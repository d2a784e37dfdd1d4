// Package initializers says how parameters start.
//
// Every function returns a graph.Init, a value that a layer or graph.Param takes:
//
//	hidden := &nn.Linear{Out: 128, Weight: initializers.Orthogonal(initializers.GainReLU)}
//	output := &nn.Linear{Out: 10, Weight: initializers.LeCun()}
//
// Random numbers are derived from the seed of the vm.State and the parameter's name, so a new layer changes no other. They are drawn
// and computed in float64, and rounded to the parameter's type.
//
// The fan-in of a weight is the number of inputs that each output sums over, the fan-out the number of outputs that each input
// feeds. Shapes are those of the operators: of (in, out), as in ops.Affine, the fans are in and out; of (out, in, window…), as in
// ops.Conv2D, they are in and out times the size of the window, where in counts the inputs of one group. A vector's fans are both its size.
// Weights that lie otherwise are drawn through Shaped.
//
// An argument or a shape that makes no sense is an error of the parameter, with the line that adds it.
package initializers

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
)

// Zeros starts at 0: right for biases, and unable to break the symmetry of weights.
func Zeros() graph.Init { return Constant(0) }

// Ones starts at 1: right for what multiplies, as the scale of a normalisation.
func Ones() graph.Init { return Constant(1) }

// Constant starts every element at v. Units whose weights are all equal get equal gradients, and stay equal.
func Constant(v float64) graph.Init { return graph.Full(v) }

// Normal draws from a Gaussian of mean 0 and standard deviation std, which is not negative.
func Normal(std float64) graph.Init {
	return checked(gaussian(call("normal", std), func([]int) float64 { return std }), standard(std))
}

// TruncatedNormal draws from a Gaussian of mean 0 and standard deviation std, on the condition that the number lies in [lo, hi]; 0 is
// one of these, and an end may be infinite. Its variance is less than std²: with ends at ∓2·std it is 0.7737·std².
func TruncatedNormal(std, lo, hi float64) graph.Init {
	below, above := cdf(lo/std), cdf(hi/std)
	return checked(graph.Init{Name: call("truncated_normal", std, lo, hi), Fill: func(r *rand.Rand, _ []int, dst []float64) {
		for i := range dst {
			p := below + (above-below)*((float64(r.Uint64()>>11)+0.5)/(1<<53)) // never one of the ends, which may be infinite
			dst[i] = min(max(std*math.Sqrt2*math.Erfinv(2*p-1), lo), hi)
		}
	}}, func([]int) error {
		if !(std > 0) || math.IsInf(std, 0) {
			return graph.Errorf(graph.ErrValue, "a standard deviation of %v; want a finite number above 0", std)
		}
		if !(lo <= 0 && hi >= 0 && lo < hi) {
			return graph.Errorf(graph.ErrValue, "a Gaussian of mean 0 between %v and %v; want lo ≤ 0 ≤ hi and lo < hi", lo, hi)
		}
		return nil
	})
}

// cdf is the distribution function of the standard normal.
func cdf(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// Uniform draws uniformly from lo to hi, of which lo is not the larger. The variance is (hi−lo)²/12: ±√3·σ gives σ².
func Uniform(lo, hi float64) graph.Init {
	return checked(graph.Init{Name: call("uniform", lo, hi), Fill: func(r *rand.Rand, _ []int, dst []float64) {
		for i := range dst {
			dst[i] = lo + (hi-lo)*r.Float64()
		}
	}}, func([]int) error {
		if !(lo <= hi) || math.IsInf(hi-lo, 0) {
			return graph.Errorf(graph.ErrValue, "uniform between %v and %v; want finite numbers, the lower first", lo, hi)
		}
		return nil
	})
}

// Shaped draws for the given shape and lays the numbers out in the parameter's, which has as many elements: for weights whose fans
// or rows its own shape does not tell. Those of ops.ConvTranspose2D, (in, out, height, width), see in·height·width/stride² inputs:
//
//	initializers.Shaped(initializers.He(), in*height*width/(stride*stride), out*stride*stride)
func Shaped(init graph.Init, shape ...int) graph.Init {
	shaped := init
	if init.Fill != nil {
		shaped.Fill = func(r *rand.Rand, _ []int, dst []float64) { init.Fill(r, shape, dst) }
	}
	shaped.Check = func(own []int) error {
		if size(own) != size(shape) {
			return graph.Errorf(graph.ErrShape, "%d elements drawn for shape %v, but %d of shape %v; these must be equal", size(shape), shape, size(own), own)
		}
		if init.Check != nil {
			return init.Check(shape)
		}
		return nil
	}
	return shaped
}

func size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// checked adds a check of arguments or shapes.
func checked(init graph.Init, check func(shape []int) error) graph.Init {
	init.Check = check
	return init
}

// standard refuses what is no standard deviation.
func standard(std float64) func([]int) error {
	return func([]int) error {
		if !(std >= 0) || math.IsInf(std, 0) {
			return graph.Errorf(graph.ErrValue, "a standard deviation of %v; want a finite number from 0 up", std)
		}
		return nil
	}
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

// call names an initialiser with its argument for listings: "orthogonal(1.414)".
func call(name string, arguments ...any) string {
	text := name + "("
	for i, a := range arguments {
		if i > 0 {
			text += ", "
		}
		if f, ok := a.(float64); ok {
			a = fmt.Sprintf("%.4g", f)
		}
		text += fmt.Sprint(a)
	}
	return text + ")"
}
