package kernel

import "math"

// Activations and their derivatives over slices: what an epilogue does that is not done in registers, and what an unfused
// layer does. Each is one pass. At ±Inf each is its limit, and so is its derivative; swish and the gelus are 0 at −Inf.
//
// Errors in units of the last place, promised (go test -run ActAccuracy -v prints what is measured); where the result can
// be small by cancellation, a swish or gelu of z counts as at least |z|/8, their derivatives as at least ¼:
//
//	elu, selu 3, swish 4, gelu 5, gelu tanh 8
//	from the input:  elu, selu 3, tanh, sigmoid 5, softplus 2 (float64 4), swish 5, gelu 5, gelu tanh 8
//	from the output: elu, selu, tanh, sigmoid 1, softplus 2; this is the error beside act′ of the very y that was saved

// The constants of SELU, chosen by its authors so that activations keep mean 0 and variance 1.
const (
	seluLambda = 1.0507009873554804934193349852946
	seluAlpha  = 1.6732632423543772848170429916717
)

// The tanh form of gelu is ½z(1 + tanh w) with w = geluScale·(z + geluCube·z³), and ½(1 + tanh w) = σ(2w).
const (
	geluScale = math.Sqrt2 / math.SqrtPi
	geluCube  = 0.044715
)

// Activate sets dst = act(x); dst may be x. alpha is the parameter of the activations that have one, see Act.
func Activate[T Float](act Act, dst, x []T, alpha T) {
	x = x[:len(dst)]
	if act == ActIdentity {
		copy(dst, x)
		return
	}
	spans(vec[T]().act[act], dst, x, alpha)
}

// MultiplySlope sets dst = a ⊙ act′, the derivative taken from the inputs of act if savedInput, else from its outputs,
// which Act.FromOutput must allow. dst may be a or saved. At the kink of the relu family the slope is that of the left
// side. Where relu's slope is 0 the result is 0, whatever a is.
func MultiplySlope[T Float](act Act, savedInput bool, dst, a, saved []T, alpha T) {
	a, saved = a[:len(dst)], saved[:len(dst)]
	if act == ActIdentity {
		copy(dst, a)
		return
	}
	f := vec[T]().slopeOut[act]
	if savedInput {
		f = vec[T]().slopeIn[act]
	}
	if f == nil {
		panic("kernel: the derivative of " + act.String() + " needs its input")
	}
	for len(dst) > maxSpan {
		f(dst[:maxSpan], a[:maxSpan], saved[:maxSpan], alpha)
		dst, a, saved = dst[maxSpan:], a[maxSpan:], saved[maxSpan:]
	}
	f(dst, a, saved, alpha)
}

// An activation is the portable form: functions of one number and the parameter. The derivatives keep the relative
// accuracy of small slopes: a difference like 1 − tanh² would lose it.
type activation struct {
	value    func(z, alpha float64) float64
	slopeIn  func(z, alpha float64) float64 // act′(z)
	slopeOut func(y, alpha float64) float64 // act′ where act(z) = y; nil: y does not determine it
}

var activations = [numActs]activation{
	ActLeakyReLU: {leaky, leakySlope, leakySlope},
	ActELU: {
		func(z, alpha float64) float64 { return elu(z, 1, alpha) },
		func(z, alpha float64) float64 { return eluSlope(z, alpha*math.Exp(z), 1) },
		func(y, alpha float64) float64 { return eluSlope(y, y+alpha, 1) },
	},
	ActSELU: {
		func(z, _ float64) float64 { return elu(z, seluLambda, seluLambda*seluAlpha) },
		func(z, _ float64) float64 { return eluSlope(z, seluLambda*seluAlpha*math.Exp(z), seluLambda) },
		func(y, _ float64) float64 { return eluSlope(y, y+seluLambda*seluAlpha, seluLambda) },
	},
	ActTanh: {
		func(z, _ float64) float64 { return math.Tanh(z) },
		func(z, _ float64) float64 { return 4 * bell(2*z) },      // 1/cosh² z
		func(y, _ float64) float64 { return math.FMA(-y, y, 1) }, // 1 − y²
	},
	ActSigmoid: {
		func(z, _ float64) float64 { return sigmoid(z) },
		func(z, _ float64) float64 { return bell(z) },            // σ(z)σ(−z)
		func(y, _ float64) float64 { return math.FMA(-y, y, y) }, // y(1 − y)
	},
	ActSoftplus: {
		func(z, _ float64) float64 { return softplus(z) },
		func(z, _ float64) float64 { return sigmoid(z) },
		func(y, _ float64) float64 { return -math.Expm1(-y) }, // e^−y = 1/(1+eᶻ)
	},
	ActSwish: {
		func(z, beta float64) float64 { return gated(z, sigmoid(beta*z)) },
		func(z, beta float64) float64 {
			t := near(beta * z)
			return sigmoid(t) * (1 + t*sigmoid(-t))
		},
		nil,
	},
	ActGELU: {
		func(z, _ float64) float64 { return gated(z, normalCDF(z)) },
		func(z, _ float64) float64 {
			z = near(z)
			return normalCDF(z) + z*math.Exp(-0.5*z*z)/math.Sqrt(2*math.Pi)
		},
		nil,
	},
	ActGELUTanh: {
		func(z, _ float64) float64 { return gated(z, sigmoid(2*geluScale*z*(1+geluCube*z*z))) },
		func(z, _ float64) float64 {
			z = near(z)
			u, slope := 2*geluScale*z*(1+geluCube*z*z), 2*geluScale*(1+3*geluCube*z*z)
			return sigmoid(u) * (1 + z*slope*sigmoid(-u))
		},
		nil,
	},
	ActExp: {
		func(z, _ float64) float64 { return exponential(z) },
		func(z, _ float64) float64 { return exponential(z) },
		func(y, _ float64) float64 { return y },
	},
}

// gated is z·gate, and 0 where the gate is closed, at −∞ too.
func gated(z, gate float64) float64 {
	if gate == 0 {
		return 0
	}
	return z * gate
}

// near is z where a gate is not yet 0 or 1. Beyond, a product of z with what the gate leaves would be ∞·0.
func near(z float64) float64 { return min(max(z, -1000), 1000) }

func leaky(z, alpha float64) float64 {
	if z <= 0 {
		return alpha * z
	}
	return z
}

func leakySlope(s, alpha float64) float64 {
	if s > 0 {
		return 1
	}
	return alpha
}

// elu is λz, or λα(eᶻ − 1) where z < 0.
func elu(z, lambda, lambdaAlpha float64) float64 {
	if z < 0 {
		return lambdaAlpha * math.Expm1(z)
	}
	return lambda * z
}

func eluSlope(s, left, lambda float64) float64 {
	if s > 0 {
		return lambda
	}
	return left
}

// bell is e/(1+e)² with e = e^−|t|.
func bell(t float64) float64 {
	e := math.Exp(-math.Abs(t))
	return e / ((1 + e) * (1 + e))
}

// normalCDF is Φ, without cancellation for z < 0.
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// setPortableAct makes kernels of them, and of relu, which needs no arithmetic.
func setPortableAct[T Float](s *vecSet[T]) {
	for act, f := range activations {
		if f.value == nil {
			continue
		}
		s.act[act] = func(dst, x []T, alpha T) {
			for i, v := range x {
				dst[i] = T(f.value(float64(v), float64(alpha)))
			}
		}
		s.slopeIn[act] = slopePortable[T](f.slopeIn)
		s.slopeOut[act] = slopePortable[T](f.slopeOut)
	}
	s.act[ActReLU] = withoutParameter(s.unary[OpReLU])
	s.slopeIn[ActReLU] = reluSlopePortable[T]
	s.slopeOut[ActReLU] = reluSlopePortable[T]
}

func slopePortable[T Float](f func(s, alpha float64) float64) func(dst, a, saved []T, alpha T) {
	if f == nil {
		return nil
	}
	return func(dst, a, saved []T, alpha T) {
		for i, s := range saved {
			dst[i] = a[i] * T(f(float64(s), float64(alpha)))
		}
	}
}

func reluSlopePortable[T Float](dst, a, saved []T, _ T) {
	for i, s := range saved {
		if s > 0 {
			dst[i] = a[i]
		} else {
			dst[i] = 0
		}
	}
}

// withoutParameter is a function of one operand as an activation.
func withoutParameter[T Float](f func(dst, x []T)) func(dst, x []T, alpha T) {
	return func(dst, x []T, _ T) { f(dst, x) }
}
