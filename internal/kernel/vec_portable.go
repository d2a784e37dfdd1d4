package kernel

import "math"

// The portable twins: plain loops, with package math in float64 behind the transcendental functions, so that float32
// results are correctly rounded but for rare double roundings.

// portableVec returns the portable set for T.
func portableVec[T Float]() *vecSet[T] {
	s := new(vecSet[T])
	s.unary = [numOps]func(dst, x []T){
		OpCopy:       func(dst, x []T) { copy(dst, x) },
		OpExp:        mapMath[T](exponential),
		OpExpm1:      mapMath[T](math.Expm1),
		OpExp2:       mapMath[T](math.Exp2),
		OpLog:        mapMath[T](logarithm),
		OpLog2:       mapMath[T](logarithm2),
		OpLog1p:      mapMath[T](math.Log1p),
		OpTanh:       mapMath[T](math.Tanh),
		OpSigmoid:    mapMath[T](sigmoid),
		OpSoftplus:   mapMath[T](softplus),
		OpReLU:       reluPortable[T],
		OpErf:        mapMath[T](math.Erf),
		OpSqrt:       sqrtPortable[T],
		OpRsqrt:      mapMath[T](func(x float64) float64 { return 1 / math.Sqrt(x) }),
		OpNeg:        negPortable[T],
		OpAbs:        absPortable[T],
		OpSquare:     squarePortable[T],
		OpReciprocal: func(dst, x []T) { rdivPortable(dst, x, 1) },
		OpSign:       signPortable[T],
		OpFloor:      mapMath[T](math.Floor),
		OpCeil:       mapMath[T](math.Ceil),
		OpTrunc:      mapMath[T](math.Trunc),
		OpRound:      mapMath[T](math.RoundToEven),
		OpSin:        mapMath[T](math.Sin),
		OpCos:        mapMath[T](math.Cos),
		OpTan:        mapMath[T](math.Tan),
		OpAsin:       mapMath[T](math.Asin),
		OpAcos:       mapMath[T](math.Acos),
		OpAtan:       mapMath[T](math.Atan),
		OpSinh:       mapMath[T](math.Sinh),
		OpCosh:       mapMath[T](math.Cosh),
		OpAsinh:      mapMath[T](math.Asinh),
		OpAcosh:      mapMath[T](math.Acosh),
		OpAtanh:      mapMath[T](math.Atanh),
	}
	setPortableBinary(s)
	setPortableCompare(s)
	setPortableReduce(s)
	setPortableAct(s)
	s.uniform = uniformPortable[T]
	s.normals = normalsPortable[T]
	s.fused = map[string]fusedKernel[T]{}
	return s
}

// mapMath makes a kernel of a function of package math.
func mapMath[T Float](f func(float64) float64) func(dst, x []T) {
	return func(dst, x []T) {
		for i, v := range x {
			dst[i] = T(f(float64(v)))
		}
	}
}

// exponential is eˣ. The assembly behind math.Exp on some processors overflows from 1023.5·ln 2 on, half a power of two too
// early; there eˣ = e·eˣ⁻¹, with e as a sum of two numbers.
func exponential(x float64) float64 {
	if x > 709 && x < 710 {
		y := math.Exp(x - 1)
		return math.FMA(y, 0x1.4d57ee2b1013ap-53, y*math.E)
	}
	return math.Exp(x)
}

// logarithm is ln x. The assembly behind math.Log on some processors reads a subnormal as a normal number.
func logarithm(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// logarithm2 is log₂ x = k + ln(v)·log₂e with x = 2ᵏv, √½ ≤ v < √2. math.Log2 takes v from [½, 1), and what it then takes
// from k cancels just above 1.
func logarithm2(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log2(x)
	}
	v, k := math.Frexp(x)
	if v < math.Sqrt2/2 {
		v, k = 2*v, k-1
	}
	return float64(k) + math.Log(v)*math.Log2E
}

// sigmoid is 1/(1+e⁻ˣ); below 0 the equal form eˣ/(1+eˣ) keeps the relative accuracy and does not overflow.
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// softplus is ln(1+eˣ).
func softplus(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

func reluPortable[T Float](dst, x []T) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func sqrtPortable[T Float](dst, x []T) {
	for i, v := range x {
		dst[i] = T(math.Sqrt(float64(v)))
	}
}

func negPortable[T Float](dst, x []T) {
	for i, v := range x {
		dst[i] = -v
	}
}

func absPortable[T Float](dst, x []T) {
	for i, v := range x {
		dst[i] = T(math.Abs(float64(v)))
	}
}

func squarePortable[T Float](dst, x []T) {
	for i, v := range x {
		dst[i] = v * v
	}
}

func signPortable[T Float](dst, x []T) {
	for i, v := range x {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		}
		dst[i] = v
	}
}
