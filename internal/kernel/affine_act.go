package kernel

import "math"

// The constants of SELU, chosen by its authors so that activations keep mean 0 and variance 1.
const (
	seluLambda = 1.0507009873554804934193349852946
	seluAlpha  = 1.6732632423543772848170429916717
)

// actBlock is the number of elements an activation works on at a time: they stay in the first-level cache between steps.
const actBlock = 512

// actScratch is the memory of an activation's steps.
type actScratch[T Float] struct{ t, u [actBlock]T }

// activate sets x = act(x).
func activate[T Float](act Act, x []T, alpha T, scratch *actScratch[T]) {
	for ; len(x) > actBlock; x = x[actBlock:] {
		activateBlock(act, x[:actBlock], alpha, scratch.t[:])
	}
	activateBlock(act, x, alpha, scratch.t[:len(x)])
}

// activateBlock is activate for a block; t is scratch of the same length.
func activateBlock[T Float](act Act, x []T, alpha T, t []T) {
	v := vec[T]()
	add, mul := v.scalar[OpAdd], v.scalar[OpMul]
	switch act {
	case ActReLU:
		v.unary[OpReLU](x, x)
	case ActLeakyReLU:
		for i, z := range x {
			if z <= 0 {
				x[i] = alpha * z
			}
		}
	case ActELU, ActSELU: // λ(max(z, 0) + α·expm1(min(z, 0))): one of the two terms is 0
		lambda := T(1)
		if act == ActSELU {
			alpha, lambda = seluAlpha, seluLambda
		}
		v.scalar[OpMin](t, x, 0)
		v.unary[OpExpm1](t, t)
		mul(t, t, alpha*lambda)
		v.unary[OpReLU](x, x)
		if act == ActSELU {
			mul(x, x, lambda)
		}
		v.binary[OpAdd](x, x, t)
	case ActTanh:
		v.unary[OpTanh](x, x)
	case ActSigmoid:
		v.unary[OpSigmoid](x, x)
	case ActSoftplus:
		v.unary[OpSoftplus](x, x)
	case ActSwish:
		mul(t, x, alpha)
		v.unary[OpSigmoid](t, t)
		v.binary[OpMul](x, x, t)
	case ActGELU:
		mul(t, x, 1/math.Sqrt2)
		v.unary[OpErf](t, t)
		add(t, t, 1)
		mul(t, t, 0.5)
		v.binary[OpMul](x, x, t)
	case ActGELUTanh: // ½(1 + tanh w) = 1/(1 + e^(−2w))
		geluInner(v, t, x)
		mul(t, t, 2)
		v.unary[OpSigmoid](t, t)
		v.binary[OpMul](x, x, t)
	case ActExp:
		v.unary[OpExp](x, x)
	}
}

// The tanh form of gelu is ½z(1 + tanh w) with w = geluScale·(z + geluCube·z³).
const (
	geluScale = math.Sqrt2 / math.SqrtPi
	geluCube  = 0.044715
)

// geluInner sets w = geluScale·(z + geluCube·z³).
func geluInner[T Float](v *vecSet[T], w, z []T) {
	v.unary[OpSquare](w, z)
	v.scalar[OpMul](w, w, geluScale*geluCube)
	v.scalar[OpAdd](w, w, geluScale)
	v.binary[OpMul](w, w, z)
}

// multiplySlope sets x = x ⊙ act′, from the inputs of act if savedInput, else from its outputs. At the kink of the relu
// family the slope is that of the left side. Where relu's slope is 0 the result is 0, whatever x is.
func multiplySlope[T Float](act Act, savedInput bool, x, saved []T, alpha T, scratch *actScratch[T]) {
	for len(x) > 0 {
		n := min(len(x), actBlock)
		s, t := saved[:n], scratch.t[:n]
		switch {
		case act == ActIdentity:
			return
		case act == ActReLU:
			for i, s := range s {
				if !(s > 0) {
					x[i] = 0
				}
			}
		default:
			if savedInput || act == ActLeakyReLU {
				slopeFromInput(act, t, s, scratch.u[:n], alpha)
			} else {
				slopeFromOutput(act, t, s, alpha)
			}
			vec[T]().binary[OpMul](x[:n], x[:n], t)
		}
		x, saved = x[n:], saved[n:]
	}
}

// slopeFromInput sets t = act′(z); u is scratch. The forms keep the relative accuracy of small slopes: a difference like
// 1 − tanh² would lose it.
func slopeFromInput[T Float](act Act, t, z, u []T, alpha T) {
	v := vec[T]()
	add, mul := v.scalar[OpAdd], v.scalar[OpMul]
	switch act {
	case ActLeakyReLU:
		for i, z := range z {
			t[i] = 1
			if !(z > 0) {
				t[i] = alpha
			}
		}
	case ActELU, ActSELU: // where z > 0 λ, else λα·eᶻ
		lambda := T(1)
		if act == ActSELU {
			alpha, lambda = seluAlpha, seluLambda
		}
		v.scalar[OpMin](t, z, 0)
		v.unary[OpExp](t, t)
		mul(t, t, alpha*lambda)
		for i, z := range z {
			if z > 0 {
				t[i] = lambda
			}
		}
	case ActTanh: // 1/cosh² z = 4σ(2z)σ(−2z)
		mul(t, z, 2)
		v.unary[OpNeg](u, t)
		v.unary[OpSigmoid](t, t)
		v.unary[OpSigmoid](u, u)
		v.binary[OpMul](t, t, u)
		mul(t, t, 4)
	case ActSigmoid: // σ(z)σ(−z)
		v.unary[OpNeg](u, z)
		v.unary[OpSigmoid](t, z)
		v.unary[OpSigmoid](u, u)
		v.binary[OpMul](t, t, u)
	case ActSoftplus:
		v.unary[OpSigmoid](t, z)
	case ActSwish: // σ(αz)(1 + αz·σ(−αz))
		mul(t, z, alpha)
		v.unary[OpNeg](u, t)
		v.unary[OpSigmoid](u, u)
		v.binary[OpMul](u, u, t)
		add(u, u, 1)
		v.unary[OpSigmoid](t, t)
		v.binary[OpMul](t, t, u)
	case ActGELU: // ½(1 + erf(z/√2)) + z·e^(−z²/2)/√(2π)
		v.unary[OpSquare](u, z)
		mul(u, u, -0.5)
		v.unary[OpExp](u, u)
		mul(u, u, 1/(math.Sqrt2*math.SqrtPi))
		v.binary[OpMul](u, u, z)
		mul(t, z, 1/math.Sqrt2)
		v.unary[OpErf](t, t)
		mul(t, t, 0.5)
		add(t, t, 0.5)
		v.binary[OpAdd](t, t, u)
	case ActGELUTanh: // σ(2w)(1 + 2z·w′·σ(−2w)) with w′ = geluScale·(1 + 3·geluCube·z²)
		geluInner(v, t, z)
		mul(u, t, -2)
		v.unary[OpSigmoid](u, u)
		v.binary[OpMul](u, u, z)
		mul(t, t, 2)
		v.unary[OpSigmoid](t, t)
		for i, z := range z {
			t[i] *= 1 + u[i]*(2*geluScale+6*geluScale*geluCube*z*z)
		}
	case ActExp:
		v.unary[OpExp](t, z)
	}
}

// slopeFromOutput sets t to act′ in terms of y = act(z), for the activations with Act.FromOutput.
func slopeFromOutput[T Float](act Act, t, y []T, alpha T) {
	v := vec[T]()
	switch act {
	case ActELU, ActSELU:
		lambda := T(1)
		if act == ActSELU {
			alpha, lambda = seluAlpha*seluLambda, seluLambda
		}
		v.scalar[OpAdd](t, y, alpha)
		for i, y := range y {
			if y > 0 {
				t[i] = lambda
			}
		}
	case ActTanh: // (1 − y)(1 + y)
		for i, y := range y {
			t[i] = (1 - y) * (1 + y)
		}
	case ActSigmoid: // y(1 − y)
		v.rscalar[OpSub](t, y, 1)
		v.binary[OpMul](t, t, y)
	case ActSoftplus: // y = ln(1+eᶻ), so 1 − e⁻ʸ = eᶻ/(1+eᶻ)
		v.unary[OpNeg](t, y)
		v.unary[OpExpm1](t, t)
		v.unary[OpNeg](t, t)
	case ActExp:
		copy(t, y)
	default:
		panic("kernel: the derivative of " + act.String() + " needs its input")
	}
}
