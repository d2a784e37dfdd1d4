package kernel

import "math"

// actValue is act(z) in float64.
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
		return 0.5 * z * (1 + math.Tanh(geluTanhArgument(z)))
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

// geluTanhArgument is the argument of tanh in the tanh form of gelu.
func geluTanhArgument(z float64) float64 { return math.Sqrt2 / math.SqrtPi * z * (1 + 0.044715*z*z) }

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
		t := math.Tanh(geluTanhArgument(z))
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
