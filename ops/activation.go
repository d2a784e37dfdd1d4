package ops

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the basic activations.
var (
	ReLUDef     = new(graph.Def)
	SigmoidDef  = new(graph.Def)
	TanhDef     = new(graph.Def)
	SoftplusDef = new(graph.Def)
)

// Activations are for float32 and float64 and keep the shape. NaN stays NaN, and where the limit at ±Inf exists it is the value there.
// Derivatives are right to 4ε of the largest derivative; in float64 they also have the relative accuracy of their formula far out,
// where they are small: each says so where it is not obvious. At kinks they are PyTorch's.

// ReLU returns max(x, 0). The derivative at 0 is 0.
func ReLU(x *graph.Node) *graph.Node { return graph.Apply(ReLUDef, nil, x) }

// Sigmoid returns 1/(1+e⁻ˣ). Its derivative is taken from the result, y·(1−y), in float32, which is right to 4ε of the largest
// derivative; in float64 it is sigmoid(x)·sigmoid(−x), which keeps full relative accuracy far out.
func Sigmoid(x *graph.Node) *graph.Node { return graph.Apply(SigmoidDef, nil, x) }

// Tanh returns the hyperbolic tangent. Its derivative is taken from the result, 1−y², in float32, which is right to 4ε of the
// largest derivative; in float64 it is 4·sigmoid(2x)·sigmoid(−2x), which keeps full relative accuracy far out.
func Tanh(x *graph.Node) *graph.Node { return graph.Apply(TanhDef, nil, x) }

// Softplus returns ln(1+eˣ) without overflow. Its derivative is sigmoid(x), with full relative accuracy.
func Softplus(x *graph.Node) *graph.Node { return graph.Apply(SoftplusDef, nil, x) }

// SoftplusBeta returns ln(1+e^(βx))/β without overflow: the larger β, the closer to ReLU. β is not 0. PyTorch's is the identity
// from βx = 20 on, which this is within rounding from βx = 37 on.
func SoftplusBeta(x *graph.Node, beta float64) *graph.Node {
	if beta == 0 {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "β is 0; softplus of a small β is ln(2)/β + x/2"), "softplus("+x.Name()+")", x)
	}
	return Div(Softplus(Scale(x, beta)), like(x, beta))
}

// LogSigmoid returns ln sigmoid(x) = −softplus(−x), which neither overflows nor underflows. Its derivative is sigmoid(−x), with full
// relative accuracy.
func LogSigmoid(x *graph.Node) *graph.Node { return Neg(Softplus(Neg(x))) }

// Softmin returns softmax(−x) along an axis.
func Softmin(x *graph.Node, axis int) *graph.Node { return Softmax(Neg(x), axis) }

// sigmoidSlope is σ(x)·σ(−x).
func sigmoidSlope(x *graph.Node) *graph.Node { return Mul(Sigmoid(x), Sigmoid(Neg(x))) }

// tanhSlope is 1 − tanh²x = 4·σ(2x)·σ(−2x).
func tanhSlope(x *graph.Node) *graph.Node { return Scale(sigmoidSlope(Scale(x, 2)), 4) }

func init() {
	defineFunctions([]function{
		{ReLUDef, "relu", unary(kernel.ReLU[float32], kernel.ReLU[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Select(Greater(y, like(y, 0)), dy, like(y, 0)) }, -2, 2, []float64{0}},
		{SigmoidDef, "sigmoid", unary(kernel.Sigmoid[float32], kernel.Sigmoid[float64]),
			func(dy, x, y *graph.Node) *graph.Node {
				if y.DType() == graph.Float64 {
					return Mul(dy, sigmoidSlope(x))
				}
				return Mul(dy, Mul(y, Sub(like(y, 1), y)))
			}, -3, 3, nil},
		{TanhDef, "tanh", unary(kernel.Tanh[float32], kernel.Tanh[float64]),
			func(dy, x, y *graph.Node) *graph.Node {
				if y.DType() == graph.Float64 {
					return Mul(dy, tanhSlope(x))
				}
				return Mul(dy, Sub(like(y, 1), Square(y)))
			}, -2, 2, nil},
		{SoftplusDef, "softplus", unary(kernel.Softplus[float32], kernel.Softplus[float64]),
			func(dy, x, y *graph.Node) *graph.Node { return Mul(dy, Sigmoid(x)) }, -3, 3, nil},
	})
}

// activation is a row in a table of activations with parameters, or with a derivative that the chain rule would make less exact far out
// or of another convention at a kink.
type activation struct {
	def     *graph.Def
	name    string
	block   *graph.Pointwise
	compose func(attr any, x *graph.Node) *graph.Node        // the same of operators with vector kernels; nil: block is one
	pull    func(attr any, dy, x, y *graph.Node) *graph.Node // the cotangent of x
	attrs   []any                                            // of samples
	avoid   []float64                                        // kinks
}

func defineActivations(rows []activation) {
	for _, a := range rows {
		d := graph.Def{
			Name:      a.name,
			Infer:     inferElementwise(1),
			Pointwise: a.block,
			VJP:       func(n, dy *graph.Node) []*graph.Node { return []*graph.Node{a.pull(n.Attr(), dy, n.In(0), n)} },
			Traits:    graph.InPlace,
			Samples: func() []graph.Sample {
				var list []graph.Sample
				for _, attr := range a.attrs {
					for _, s := range unarySamples(-3, 3, a.avoid...)() {
						list = append(list, graph.Sample{Attr: attr, In: s.In})
					}
				}
				return list
			},
		}
		if a.compose != nil {
			d.Expand = func(attr any, in []*graph.Node) *graph.Node { return a.compose(attr, in[0]) }
		}
		define(a.def, d)
	}
}

// plainly makes blocks of a formula.
func plainly(formula func(attr any, x float64) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(attr any, dst []float32, in [][]float32) {
			mapUnary(dst, in, func(x float32) float32 { return float32(formula(attr, float64(x))) })
		},
		F64: func(attr any, dst []float64, in [][]float64) {
			mapUnary(dst, in, func(x float64) float64 { return formula(attr, x) })
		},
	}
}

// activate makes blocks of a kernel; parameter reads its α from the attributes.
func activate(act kernel.Act, parameter func(attr any) float64) *graph.Pointwise {
	return &graph.Pointwise{
		F32: func(attr any, dst []float32, in [][]float32) { activateBlock(act, parameter(attr), dst, in[0]) },
		F64: func(attr any, dst []float64, in [][]float64) { activateBlock(act, parameter(attr), dst, in[0]) },
	}
}

func activateBlock[T kernel.Float](act kernel.Act, parameter float64, dst, x []T) {
	unaryBlock(dst, x, func(dst, x []T) { kernel.Activate(act, dst, x, T(parameter)) })
}

func noParameter(any) float64 { return 0 }

func alphaOf(attr any) float64 { return attr.(alphaAttr).Alpha }

// Alpha returns the parameter of a LeakyReLU or ELU node, 0 for others.
func Alpha(n *graph.Node) float64 {
	if attr, ok := n.Attr().(alphaAttr); ok {
		return attr.Alpha
	}
	return 0
}

// alongChannels gives a parameter of one value a channel the shape that broadcasts with x along an axis. One of a single value, or of
// more dimensions than one, broadcasts as it is.
func alongChannels(p, x *graph.Node, axis int) *graph.Node {
	if p.Err() != nil || x.Err() != nil || len(p.Shape()) != 1 || p.Shape()[0] == 1 {
		return p
	}
	a, err := normalAxis(axis, x.Type())
	if err != nil {
		return graph.Invalid(err, "channels of "+x.Name(), x)
	}
	shape := graph.Shape{p.Shape()[0]}
	for range len(x.Shape()) - 1 - a {
		shape = append(shape, 1)
	}
	return Reshape(p, shape...)
}
