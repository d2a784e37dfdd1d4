package ops

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/internal/kernel"
)

// The definitions of the exponential linear units.
var (
	ELUDef  = new(graph.Def)
	SELUDef = new(graph.Def)
	CELUDef = new(graph.Def)
)

// The constants of SELU, with which activations keep mean 0 and variance 1 (Klambauer et al., 2017).
const (
	seluLambda = 1.0507009873554804934193349852946
	seluAlpha  = 1.6732632423543772848170429916717
)

// ELU returns x where x > 0, else α·(eˣ−1). The derivative at 0 is α, the second one 0. The derivative α·eˣ is taken from the result, y+α, in
// float32 for a positive α; in float64 it keeps full relative accuracy far out. So it is with SELU.
func ELU(x *graph.Node, alpha float64) *graph.Node {
	return graph.Apply(ELUDef, alphaAttr{alpha}, x)
}

// SELU returns λ·ELU with α ≈ 1.6733 and λ ≈ 1.0507, the constants of self-normalising networks. The derivative at 0 is λα, the second
// one 0.
func SELU(x *graph.Node) *graph.Node { return graph.Apply(SELUDef, nil, x) }

// CELU returns x where x > 0, else α·(e^(x/α)−1), whose derivative is continuous: 1 at 0. The second derivative at 0 is 0. α is not 0.
func CELU(x *graph.Node, alpha float64) *graph.Node {
	if alpha == 0 {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "α is 0; celu of a small α is ReLU"), "celu("+x.Name()+")", x)
	}
	return graph.Apply(CELUDef, alphaAttr{alpha}, x)
}

// LearnedELU is ELU with an α that is learnt: a single value, or a vector of one for each index along axis of x. An α of more
// dimensions broadcasts. The derivative by α is eˣ−1 where x < 0, summed.
func LearnedELU(x, alpha *graph.Node, axis int) *graph.Node {
	above, below := sides(x)
	return Add(above, Mul(alongChannels(alpha, x, axis), Expm1(below)))
}

func celu(attr any, x float64) float64 {
	if x > 0 {
		return x
	}
	return alphaOf(attr) * math.Expm1(x/alphaOf(attr))
}

// composeCELU is max(x, 0) + α·expm1(min(x, 0)/α): one of the terms is 0.
func composeCELU(attr any, x *graph.Node) *graph.Node {
	alpha := alphaOf(attr)
	return Add(ReLU(x), Scale(Expm1(DivScalar(Minimum(x, like(x, 0)), alpha)), alpha))
}

// elu is the family λx where x > 0, else λα·(e^(x/τ) − 1).
type elu struct{ lambda, alpha, tau float64 }

// pull multiplies by the slope: λ above 0, and below λα/τ·e^(x/τ), which for τ = 1 is y + λα. No exponential of a large x meets the zero that
// select gives it.
func (e elu) pull(dy, x, y *graph.Node) *graph.Node {
	zero := like(y, 0)
	fromResult := y.DType() == graph.Float32 && e.alpha > 0 && e.tau == 1
	if fromResult {
		x = y
	}
	below := Select(Less(x, zero), x, zero)
	if fromResult {
		below = AddScalar(below, e.lambda*e.alpha)
	} else {
		if e.tau != 1 {
			below = DivScalar(below, e.tau)
		}
		below = Scale(Exp(below), e.lambda*e.alpha/e.tau)
	}
	return Mul(dy, Select(Greater(x, zero), like(y, e.lambda), below))
}

func init() {
	rows := []struct {
		def     *graph.Def
		name    string
		block   *graph.Pointwise
		compose func(attr any, x *graph.Node) *graph.Node
		of      func(attr any) elu
		attrs   []any
	}{
		{ELUDef, "elu", activate(kernel.ActELU, alphaOf), nil, func(attr any) elu { return elu{1, alphaOf(attr), 1} },
			[]any{alphaAttr{1}, alphaAttr{0.3}, alphaAttr{-0.5}}},
		{SELUDef, "selu", activate(kernel.ActSELU, noParameter), nil, func(any) elu { return elu{seluLambda, seluAlpha, 1} }, []any{nil}},
		{CELUDef, "celu", plainly(celu), composeCELU, func(attr any) elu { return elu{1, alphaOf(attr), alphaOf(attr)} },
			[]any{alphaAttr{0.7}, alphaAttr{2}, alphaAttr{-3}}},
	}
	for _, r := range rows {
		defineActivations([]activation{{r.def, r.name, r.block, r.compose,
			func(attr any, dy, x, y *graph.Node) *graph.Node { return r.of(attr).pull(dy, x, y) }, r.attrs, []float64{0}}})
	}
}
