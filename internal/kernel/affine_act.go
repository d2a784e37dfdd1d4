package kernel

import "math"

// The constants of SELU, chosen by its authors so that activations keep mean 0 and variance 1.
const (
	seluLambda = 1.0507009873554804934193349852946
	seluAlpha  = 1.6732632423543772848170429916717
)

// activate sets x = act(x).
func activate[T Float](act Act, x []T, alpha T) {
	switch act {
	case ActIdentity:
	case ActReLU:
		for i, v := range x {
			if v <= 0 {
				x[i] = 0
			}
		}
	case ActLeakyReLU:
		for i, v := range x {
			if v <= 0 {
				x[i] = alpha * v
			}
		}
	default:
		for i, v := range x {
			x[i] = T(actValue(act, float64(v), float64(alpha)))
		}
	}
}

// actValue is act(z) in float64, the reference the faster forms are tested against.
func actValue(act Act, z, alpha float64) float64 {
	switch act {
	case ActReLU:
		if z <= 0 {
			return 0
		}
		return z
	case ActLeakyReLU:
		if z <= 0 {
			return alpha * z
		}
		return z
	case ActELU:
		if z <= 0 {
			return alpha * math.Expm1(z)
		}
		return z
	case ActSELU:
		if z <= 0 {
			return seluLambda * seluAlpha * math.Expm1(z)
		}
		return seluLambda * z
	case ActTanh:
		return math.Tanh(z)
	case ActSigmoid:
		return logistic(z)
	case ActSoftplus:
		return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	case ActSwish:
		return z * logistic(alpha*z)
	case ActGELU:
		return 0.5 * z * (1 + math.Erf(z/math.Sqrt2))
	case ActGELUTanh:
		return 0.5 * z * (1 + math.Tanh(geluInner(z)))
	case ActExp:
		return math.Exp(z)
	}
	return z
}

// logistic is 1/(1 + e⁻ᶻ), accurate and free of overflow on both sides.
func logistic(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

// geluInner is the argument of tanh in the tanh form of gelu.
func geluInner(z float64) float64 { return math.Sqrt2 / math.SqrtPi * z * (1 + 0.044715*z*z) }

// multiplySlope sets x = x ⊙ act′, from the inputs of act if saved holds those, else from its outputs. At the kink of the
// relu family the slope is that of the left side. Where relu's slope is 0 the result is 0, whatever x is.
func multiplySlope[T Float](act Act, savedInput bool, x, saved []T, alpha T) {
	switch {
	case act == ActIdentity:
	case act == ActReLU:
		for i, s := range saved {
			if !(s > 0) {
				x[i] = 0
			}
		}
	case act == ActLeakyReLU:
		for i, s := range saved {
			if !(s > 0) {
				x[i] *= alpha
			}
		}
	case act == ActTanh && !savedInput:
		for i, s := range saved {
			x[i] *= 1 - s*s
		}
	case act == ActSigmoid && !savedInput:
		for i, s := range saved {
			x[i] *= s * (1 - s)
		}
	case act == ActExp && !savedInput:
		for i, s := range saved {
			x[i] *= s
		}
	case savedInput:
		for i, s := range saved {
			x[i] = T(float64(x[i]) * actSlope(act, float64(s), float64(alpha)))
		}
	default:
		for i, s := range saved {
			x[i] = T(float64(x[i]) * actSlopeFromOutput(act, float64(s), float64(alpha)))
		}
	}
}

// actSlope is act′(z).
func actSlope(act Act, z, alpha float64) float64 {
	switch act {
	case ActReLU:
		if z > 0 {
			return 1
		}
		return 0
	case ActLeakyReLU:
		if z > 0 {
			return 1
		}
		return alpha
	case ActELU:
		if z > 0 {
			return 1
		}
		return alpha * math.Exp(z)
	case ActSELU:
		if z > 0 {
			return seluLambda
		}
		return seluLambda * seluAlpha * math.Exp(z)
	case ActTanh: // 1/cosh², which keeps its relative accuracy where 1 − tanh² has lost it
		e := math.Exp(-2 * math.Abs(z))
		return 4 * e / ((1 + e) * (1 + e))
	case ActSigmoid:
		e := math.Exp(-math.Abs(z))
		return e / ((1 + e) * (1 + e))
	case ActSoftplus:
		return logistic(z)
	case ActSwish:
		s := logistic(alpha * z)
		return s + alpha*z*s*(1-s)
	case ActGELU:
		return 0.5*(1+math.Erf(z/math.Sqrt2)) + z*math.Exp(-0.5*z*z)/(math.Sqrt2*math.SqrtPi)
	case ActGELUTanh:
		t := math.Tanh(geluInner(z))
		return 0.5*(1+t) + 0.5*z*(1-t*t)*math.Sqrt2/math.SqrtPi*(1+3*0.044715*z*z)
	case ActExp:
		return math.Exp(z)
	}
	return 1
}

// actSlopeFromOutput is act′ in terms of y = act(z), for the activations with Act.FromOutput.
func actSlopeFromOutput(act Act, y, alpha float64) float64 {
	switch act {
	case ActELU:
		if y > 0 {
			return 1
		}
		return y + alpha
	case ActSELU:
		if y > 0 {
			return seluLambda
		}
		return y + seluLambda*seluAlpha
	case ActTanh:
		return (1 - y) * (1 + y)
	case ActSigmoid:
		return y * (1 - y)
	case ActSoftplus: // y = ln(1+eᶻ), so 1 − e⁻ʸ = eᶻ/(1+eᶻ)
		return -math.Expm1(-y)
	case ActExp:
		return y
	case ActIdentity, ActReLU, ActLeakyReLU: // the sign of y is that of z
		return actSlope(act, y, alpha)
	}
	panic("kernel: the derivative of " + act.String() + " needs its input")
}
