package kernel

import "math"

// The portable twins: plain loops, with package math in float64 behind the transcendental functions, so that float32
// results are correctly rounded but for rare double roundings.

// portableVec returns the portable set for T.
func portableVec[T Float]() *vecSet[T] {
	s := new(vecSet[T])
	s.unary = [numOps]func(dst, x []T){
		OpCopy:       func(dst, x []T) { copy(dst, x) },
		OpExp:        mapMath[T](math.Exp),
		OpExpm1:      mapMath[T](math.Expm1),
		OpLog:        mapMath[T](logarithm),
		OpLog1p:      mapMath[T](math.Log1p),
		OpTanh:       mapMath[T](math.Tanh),
		OpSigmoid:    mapMath[T](sigmoid),
		OpSoftplus:   mapMath[T](softplus),
		OpReLU:       reluPortable[T],
		OpErf:        mapMath[T](math.Erf),
		OpSqrt:       sqrtPortable[T],
		OpNeg:        negPortable[T],
		OpAbs:        absPortable[T],
		OpSquare:     squarePortable[T],
		OpReciprocal: func(dst, x []T) { rdivPortable(dst, x, 1) },
		OpSign:       signPortable[T],
		OpFloor:      mapMath[T](math.Floor),
		OpCeil:       mapMath[T](math.Ceil),
		OpRound:      mapMath[T](math.RoundToEven),
		OpSin:        mapMath[T](math.Sin),
		OpCos:        mapMath[T](math.Cos),
	}
	setPortableBinary(s)
	setPortableCompare(s)
	setPortableReduce(s)
	s.uniform = uniformPortable[T]
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

// logarithm is ln x. The assembly behind math.Log on some processors reads a subnormal as a normal number.
func logarithm(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
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
