package race

import (
	"math"
	"math/rand/v2"

	"github.com/tapir-ml/tapir/internal/kernel"
)

// operands is one set of buffers for a case, shared by all peers.
//
//	fwd, infer  a = X (M×K)   b = W (K×N)   c = Y (M×N)   bias
//	dx          a = dZ (M×N)  b = W (K×N)   c = dX (M×K)  saved, if there is an activation
//	dw          a = X (M×K)   b = dZ (M×N)  c = dW (K×N)
type operands[T kernel.Float] struct {
	a, b, c, bias []T
	saved         []T // the outputs of the activation whose derivative multiplies; its inputs where it needs those
}

// WorkingSet is the bytes that the sets of a case usually come to, if that takes no more than maxSets: far beyond a core's own caches.
const WorkingSet = 8 << 20

const (
	maxSets = 16
	minSets = 3
)

// setsFor is how many sets of buffers take turns. With a single one, a layer would find its weights in a cache where no program
// that has more than one layer would. Layers of some KB stay in the first caches in a program, too, and so do 16 sets of them.
func setsFor(bytes, workingSet int) int {
	if workingSet == 0 {
		return 1
	}
	return min(max((workingSet+bytes-1)/bytes, minSets), maxSets)
}

func newOperands[T kernel.Float](c Case, workingSet int) []*operands[T] {
	var zero T
	size := 4
	if _, double := any(zero).(float64); double {
		size = 8
	}
	r := rand.New(rand.NewPCG(uint64(c.M), uint64(c.K*c.N)))
	uniform := func(n int, scale float64) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T((2*r.Float64() - 1) * scale)
		}
		return x
	}
	rows, inner, cols := c.product()
	// So that the results are of order 1, where activations bend.
	scale := math.Sqrt(3 / float64(inner))
	var all []*operands[T]
	for range setsFor(size*(c.M*c.K+c.K*c.N+c.M*c.N), workingSet) {
		o := &operands[T]{c: make([]T, rows*cols)}
		switch c.Op {
		case Forward, Infer:
			o.a, o.b, o.bias = uniform(c.M*c.K, 1), uniform(c.K*c.N, scale), uniform(c.N, 1)
		case GradX:
			o.a, o.b = uniform(c.M*c.N, 1), uniform(c.K*c.N, scale)
			if act := c.act(); act != kernel.ActIdentity {
				o.saved = uniform(c.M*c.K, 2)
				if act.FromOutput() {
					for i, z := range o.saved {
						o.saved[i] = T(activation(act, float64(z)))
					}
				}
			}
		case GradW:
			o.a, o.b = uniform(c.M*c.K, 1), uniform(c.M*c.N, scale)
		}
		all = append(all, o)
	}
	return all
}

// at is the elements of the product's two operands at (i,k) and (k,j), whatever is transposed.
func (o *operands[T]) at(c Case, i, k, j int) (a, b float64) {
	switch c.Op {
	case GradX:
		return float64(o.a[i*c.N+k]), float64(o.b[j*c.N+k])
	case GradW:
		return float64(o.a[k*c.K+i]), float64(o.b[k*c.N+j])
	}
	return float64(o.a[i*c.K+k]), float64(o.b[k*c.N+j])
}

// activation is act(z), with the race's parameter.
func activation(act kernel.Act, z float64) float64 {
	switch act {
	case kernel.ActReLU:
		return max(z, 0)
	case kernel.ActLeakyReLU:
		if z > 0 {
			return z
		}
		return alpha(act) * z
	case kernel.ActELU:
		if z > 0 {
			return z
		}
		return alpha(act) * math.Expm1(z)
	case kernel.ActSELU:
		if z > 0 {
			return seluScale * z
		}
		return seluScale * seluAlpha * math.Expm1(z)
	case kernel.ActTanh:
		return math.Tanh(z)
	case kernel.ActSigmoid:
		return 1 / (1 + math.Exp(-z))
	case kernel.ActSoftplus:
		return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	case kernel.ActSwish:
		return z / (1 + math.Exp(-alpha(act)*z))
	case kernel.ActGELU:
		return 0.5 * z * (1 + math.Erf(z/math.Sqrt2))
	case kernel.ActGELUTanh:
		return 0.5 * z * (1 + math.Tanh(geluScale*(z+geluCube*z*z*z)))
	case kernel.ActExp:
		return math.Exp(z)
	}
	return z
}

const (
	seluScale = 1.0507009873554804934
	seluAlpha = 1.6732632423543772848
	geluScale = math.Sqrt2 / math.SqrtPi
	geluCube  = 0.044715
)

// slope is act′: of the saved output where that is enough, else of the saved input.
func slope(act kernel.Act, s float64) float64 {
	switch act {
	case kernel.ActReLU:
		if s > 0 {
			return 1
		}
		return 0
	case kernel.ActLeakyReLU:
		if s > 0 {
			return 1
		}
		return alpha(act)
	case kernel.ActELU:
		if s > 0 {
			return 1
		}
		return s + alpha(act)
	case kernel.ActSELU:
		if s > 0 {
			return seluScale
		}
		return s + seluScale*seluAlpha
	case kernel.ActTanh:
		return 1 - s*s
	case kernel.ActSigmoid:
		return s * (1 - s)
	case kernel.ActSoftplus:
		return -math.Expm1(-s)
	case kernel.ActSwish:
		l := 1 / (1 + math.Exp(-alpha(act)*s))
		return l + alpha(act)*s*l*(1-l)
	case kernel.ActGELU:
		return 0.5*(1+math.Erf(s/math.Sqrt2)) + s*math.Exp(-0.5*s*s)/math.Sqrt(2*math.Pi)
	case kernel.ActGELUTanh:
		t := math.Tanh(geluScale * (s + geluCube*s*s*s))
		return 0.5*(1+t) + 0.5*s*(1-t*t)*geluScale*(1+3*geluCube*s*s)
	case kernel.ActExp:
		return s
	}
	return 1
}
