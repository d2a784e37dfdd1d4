package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// actAlpha is the parameter in these tests.
const actAlpha = 0.75

// actAccuracy is the table of promises for the activations and their derivatives, from inputs and from outputs (').
var actAccuracy = []struct {
	name     string
	act      Act
	form     actForm
	f32, f64 float64
	exact    func(z *big.Float) *big.Float
	floor    func(z float64) float64 // results below it count as that large; nil: none does
	lo, hi   float64                 // the arguments
}{
	{"elu", ActELU, forward, 3, 3, func(z *big.Float) *big.Float { return refELU(z, actAlpha) }, nil, -inf, inf},
	{"selu", ActSELU, forward, 3, 3, refSELU, nil, -inf, inf},
	{"swish", ActSwish, forward, 4, 4, func(z *big.Float) *big.Float { return refMul(z, refSigmoid(refMul(z, ref(actAlpha)))) }, eighth, -big32, big32},
	{"gelu", ActGELU, forward, 5, 5, func(z *big.Float) *big.Float { return refMul(z, refCDF(z)) }, eighth, -big32, inf},
	{"gelutanh", ActGELUTanh, forward, 8, 8, func(z *big.Float) *big.Float { return refMul(z, refSigmoid(refGELUArgument(z))) }, eighth, -big32, inf},

	{"elu' in", ActELU, fromInput, 3, 3, func(z *big.Float) *big.Float { return refELUSlope(z, 1, actAlpha) }, nil, -inf, inf},
	{"selu' in", ActSELU, fromInput, 3, 3, func(z *big.Float) *big.Float { return refELUSlope(z, seluLambda, seluLambda*seluAlpha) }, nil, -inf, inf},
	{"tanh' in", ActTanh, fromInput, 5, 5, func(z *big.Float) *big.Float { return refMul(ref(4), refBell(refMul(z, ref(2)))) }, nil, -inf, inf},
	{"sigmoid' in", ActSigmoid, fromInput, 5, 5, refBell, nil, -inf, inf},
	{"softplus' in", ActSoftplus, fromInput, 2, 4, refSigmoid, nil, -inf, inf},
	{"swish' in", ActSwish, fromInput, 5, 5, func(z *big.Float) *big.Float {
		t := refMul(z, ref(actAlpha))
		return refMul(refSigmoid(t), refAdd(ref(1), refMul(t, refSigmoid(refNeg(t)))))
	}, quarter, -big32, big32},
	{"gelu' in", ActGELU, fromInput, 5, 5, func(z *big.Float) *big.Float {
		density := refQuo(refExp(refMul(ref(-0.5), refMul(z, z))), refZero().Sqrt(refMul(ref(2), refPi)))
		return refAdd(refCDF(z), refMul(z, density))
	}, quarter, -9, 9},
	{"gelutanh' in", ActGELUTanh, fromInput, 8, 8, func(z *big.Float) *big.Float {
		u := refGELUArgument(z)
		return refMul(refSigmoid(u), refAdd(ref(1), refMul(refMul(z, refGELUSlope(z)), refSigmoid(refNeg(u)))))
	}, quarter, -9, 9},
	{"exp' in", ActExp, fromInput, 1, 2, refExp, nil, -inf, inf},

	{"elu' out", ActELU, fromOutput, 1, 1, func(y *big.Float) *big.Float {
		if y.Sign() > 0 {
			return ref(1)
		}
		return refAdd(y, ref(actAlpha))
	}, nil, -actAlpha, inf},
	{"tanh' out", ActTanh, fromOutput, 1, 1, func(y *big.Float) *big.Float { return refAdd(ref(1), refNeg(refMul(y, y))) }, nil, -1, 1},
	{"sigmoid' out", ActSigmoid, fromOutput, 1, 1, func(y *big.Float) *big.Float { return refAdd(y, refNeg(refMul(y, y))) }, nil, 0, 1},
	{"softplus' out", ActSoftplus, fromOutput, 2, 2, func(y *big.Float) *big.Float { return refNeg(refExpm1(refNeg(y))) }, nil, 0, inf},
}

type actForm int

const (
	forward actForm = iota
	fromInput
	fromOutput
)

var inf = math.Inf(1)

// big32 is an argument beyond which the products with z would need a special case in the reference.
const big32 = 1e30

func eighth(z float64) float64  { return math.Abs(z) / 8 }
func quarter(z float64) float64 { return 0.25 }

func refELU(z *big.Float, alpha float64) *big.Float {
	if z.Sign() >= 0 {
		return z
	}
	return refMul(ref(alpha), refExpm1(z))
}

func refSELU(z *big.Float) *big.Float {
	if z.Sign() >= 0 {
		return refMul(ref(seluLambda), z)
	}
	return refMul(ref(seluLambda*seluAlpha), refExpm1(z))
}

func refELUSlope(z *big.Float, lambda, lambdaAlpha float64) *big.Float {
	if z.Sign() > 0 {
		return ref(lambda)
	}
	return refMul(ref(lambdaAlpha), refExp(z))
}

// applyAct is an activation, or its derivative, over a slice.
func applyAct[T Float](act Act, form actForm, y, x []T) {
	if form == forward {
		Activate(act, y, x, actAlpha)
		return
	}
	fill(y, 1)
	MultiplySlope(act, form == fromInput, y, y, x, actAlpha)
}

func TestActAccuracyFloat32(t *testing.T) {
	var table measured
	for _, a := range actAccuracy {
		t.Run(a.name, func(t *testing.T) {
			// Arguments outside are replaced by one inside.
			inside := func(v float64) float64 {
				if v >= a.lo && v <= a.hi {
					return v
				}
				return max(a.lo, 0.5)
			}
			reference := func(v float64) float64 {
				switch v = inside(v); a.form {
				case fromInput:
					return actSlope(a.act, v, actAlpha)
				case fromOutput:
					return actSlopeFromOutput(a.act, v, actAlpha)
				}
				return actValue(a.act, v, actAlpha)
			}
			var args []float32
			sweep32(t, &table, a.name, a.f32, actStride32, func(y, x []float32) {
				args = args[:0]
				for _, v := range x {
					args = append(args, float32(inside(float64(v))))
				}
				applyAct(a.act, a.form, y, args)
			}, reference, a.floor)
		})
	}
	table.log(t, "activations, float32")
}

func TestActAccuracyFloat64(t *testing.T) {
	var table measured
	for _, a := range actAccuracy {
		t.Run(a.name, func(t *testing.T) {
			lo, hi := max(a.lo, -600), min(a.hi, 600)
			x := points64(lo, hi, count64/4, rand.New(rand.NewPCG(2, uint64(a.act))))
			want := references64(a.exact, x)
			withEachSet(func() {
				worst, at := worst64(func(y, x []float64) { applyAct(a.act, a.form, y, x) }, x, want, a.floor)
				table.add(t, a.name, Set(), a.f64, worst, at)
			})
		})
	}
	table.log(t, "activations, float64")
}

// Every activation and derivative at every length 0…200, in place and not, gives what it gives for one element, writes
// nothing around, and passes NaN on.
func TestActEveryLength(t *testing.T) {
	eachSet(t, func(t *testing.T) { actEveryLength[float32](t); actEveryLength[float64](t) })
}

func actEveryLength[T Float](t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	const alpha = 0.75
	for n := range 201 {
		z, a := make([]T, n), make([]T, n)
		for i := range z {
			z[i], a[i] = T(rng.NormFloat64()*3), T(rng.NormFloat64())
			if rng.IntN(20) == 0 {
				z[i] = T(math.NaN())
			}
		}
		one := make([]T, 1)
		for act := ActIdentity; act < numActs; act++ {
			for form := forward; form <= fromOutput; form++ {
				if form == fromOutput && !act.FromOutput() {
					continue
				}
				apply := func(dst, a, z []T) {
					if form == forward {
						Activate(act, dst, z, alpha)
					} else {
						MultiplySlope(act, form == fromInput, dst, a, z, alpha)
					}
				}
				for alias := range 3 {
					dst, x, y := newWalled[T](n), a, z
					switch alias {
					case 1:
						copy(dst.x, a)
						x = dst.x
					case 2:
						copy(dst.x, z)
						y = dst.x
					}
					apply(dst.x, x, y)
					if !dst.intact() {
						t.Fatalf("%v form %d: length %d: wrote outside", act, form, n)
					}
					for i, got := range dst.x {
						apply(one, a[i:i+1], z[i:i+1])
						if got != one[0] && (got == got || one[0] == one[0]) {
							t.Fatalf("%T %v form %d: length %d, alias %d, element %d of %v: %v, alone %v", got, act, form, n, alias, i, z[i], got, one[0])
						}
						if passes := form == forward || act > ActLeakyReLU; z[i] != z[i] && passes && got == got {
							t.Fatalf("%T %v form %d: NaN became %v", got, act, form, got)
						}
					}
				}
			}
		}
	}
}

// gelu and its derivative keep their relative accuracy far below 0, to z²ε.
func TestGELUFarOut(t *testing.T) {
	var x []float64
	for z := -0.25; z > -37; z -= 0.173 {
		x = append(x, z)
	}
	for _, a := range actAccuracy {
		if a.act != ActGELU {
			continue
		}
		want := references64(a.exact, x)
		eachSet(t, func(t *testing.T) {
			y := make([]float64, len(x))
			applyAct(a.act, a.form, y, x)
			for i, z := range x {
				if z < -9 { // beyond the reference's digits
					want[i] = farGELU(z, a.form)
				}
				w, _ := want[i].Float64()
				if near := a.form == fromInput && math.Abs(z+0.75) < 0.2; !near && !(math.Abs(y[i]-w) <= (8+z*z)*0x1p-52*math.Abs(w)) {
					t.Errorf("%s at %v: %v, want %v", a.name, z, y[i], w)
				}
			}
		})
	}
}

// farGELU is gelu or its derivative for z < −9 by the continued fraction Φ(−s) = φ(s)/(s + 1/(s + 2/(s + 3/(s + …)))).
func farGELU(z float64, form actForm) *big.Float {
	s := ref(-z)
	f := refZero()
	for n := 200; n > 0; n-- {
		f = refQuo(ref(float64(n)), refAdd(s, f))
	}
	density := refQuo(refExp(refMul(ref(-0.5), refMul(s, s))), refZero().Sqrt(refMul(ref(2), refPi)))
	cdf := refQuo(density, refAdd(s, f))
	if form == forward {
		return refMul(ref(z), cdf)
	}
	return refAdd(cdf, refMul(ref(z), density))
}

// At ±Inf value and derivative are the limits.
func TestActLimits(t *testing.T) {
	eachSet(t, func(t *testing.T) { actLimits[float32](t); actLimits[float64](t) })
}

func actLimits[T Float](t *testing.T) {
	for _, c := range []struct {
		act                          Act
		low, high, lowSlope, hiSlope float64
	}{
		{ActReLU, 0, inf, 0, 1}, {ActLeakyReLU, -inf, inf, actAlpha, 1}, {ActELU, -actAlpha, inf, 0, 1},
		{ActSELU, -seluLambda * seluAlpha, inf, 0, seluLambda}, {ActTanh, -1, 1, 0, 0}, {ActSigmoid, 0, 1, 0, 0},
		{ActSoftplus, 0, inf, 0, 1}, {ActSwish, 0, inf, 0, 1}, {ActGELU, 0, inf, 0, 1}, {ActGELUTanh, 0, inf, 0, 1}, {ActExp, 0, inf, 0, inf},
	} {
		x, y := []T{T(-inf), T(inf)}, make([]T, 2)
		applyAct(c.act, forward, y, x)
		if y[0] != T(c.low) || y[1] != T(c.high) {
			t.Errorf("%T %v at ±Inf: %v, want %v and %v", y[0], c.act, y, c.low, c.high)
		}
		applyAct(c.act, fromInput, y, x)
		if y[0] != T(c.lowSlope) || y[1] != T(c.hiSlope) {
			t.Errorf("%T %v′ at ±Inf: %v, want %v and %v", y[0], c.act, y, c.lowSlope, c.hiSlope)
		}
	}
}

// Where relu's slope is 0, an infinite or undefined gradient does not come through.
func TestReLUSlopeStops(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		a := []float32{float32(inf), float32(math.NaN()), -1, 5, 7}
		MultiplySlope(ActReLU, true, a, a, []float32{-1, 0, float32(math.Copysign(0, -1)), 2, float32(math.NaN())}, 0)
		for i, want := range []float32{0, 0, 0, 5, 0} {
			if a[i] != want {
				t.Errorf("element %d: %v, want %v", i, a[i], want)
			}
		}
	})
}
