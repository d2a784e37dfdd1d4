package ops_test

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

//go:embed testdata/elementwise_torch.txt
var torchTable string

// goldenFunctions are the names of the table, as expressions. A parameter that PyTorch has is the one its script gives.
var goldenFunctions = map[string]func(x []*graph.Node) *graph.Node{
	"abs": unaryOf(ops.Abs), "sign": unaryOf(ops.Sign), "neg": unaryOf(ops.Neg), "square": unaryOf(ops.Square), "reciprocal": unaryOf(ops.Reciprocal),
	"floor": unaryOf(ops.Floor), "ceil": unaryOf(ops.Ceil), "round": unaryOf(ops.Round), "trunc": unaryOf(ops.Trunc),
	"sqrt": unaryOf(ops.Sqrt), "rsqrt": unaryOf(ops.RSqrt), "exp": unaryOf(ops.Exp), "exp2": unaryOf(ops.Exp2), "expm1": unaryOf(ops.Expm1),
	"log": unaryOf(ops.Log), "log2": unaryOf(ops.Log2), "log10": unaryOf(ops.Log10), "log1p": unaryOf(ops.Log1p),
	"sin": unaryOf(ops.Sin), "cos": unaryOf(ops.Cos), "tan": unaryOf(ops.Tan), "asin": unaryOf(ops.Asin), "acos": unaryOf(ops.Acos), "atan": unaryOf(ops.Atan),
	"sinh": unaryOf(ops.Sinh), "cosh": unaryOf(ops.Cosh), "tanh": unaryOf(ops.Tanh), "asinh": unaryOf(ops.Asinh), "acosh": unaryOf(ops.Acosh), "atanh": unaryOf(ops.Atanh),
	"erf": unaryOf(ops.Erf), "erfc": unaryOf(ops.Erfc),
	"clamp": unaryOf(func(x *graph.Node) *graph.Node { return ops.Clamp(x, -1.5, 2) }),
	"relu":  unaryOf(ops.ReLU), "sigmoid": unaryOf(ops.Sigmoid), "logsigmoid": unaryOf(ops.LogSigmoid),
	"softplus":       unaryOf(ops.Softplus),
	"softplus_2.5":   unaryOf(func(x *graph.Node) *graph.Node { return ops.SoftplusBeta(x, 2.5) }),
	"leakyrelu_0.01": unaryOf(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 0.01) }),
	"leakyrelu_1.5":  unaryOf(func(x *graph.Node) *graph.Node { return ops.LeakyReLU(x, 1.5) }),
	"elu":            unaryOf(func(x *graph.Node) *graph.Node { return ops.ELU(x, 1) }),
	"elu_0.3":        unaryOf(func(x *graph.Node) *graph.Node { return ops.ELU(x, 0.3) }),
	"selu":           unaryOf(ops.SELU),
	"celu_0.7":       unaryOf(func(x *graph.Node) *graph.Node { return ops.CELU(x, 0.7) }),
	"silu":           unaryOf(ops.SiLU), "gelu": unaryOf(ops.GELU), "gelutanh": unaryOf(ops.GELUTanh), "mish": unaryOf(ops.Mish),
	"hardsigmoid": unaryOf(ops.HardSigmoid), "hardswish": unaryOf(ops.HardSwish),
	"hardtanh": unaryOf(func(x *graph.Node) *graph.Node { return ops.HardTanh(x, -1.5, 2) }),
	"relu6":    unaryOf(ops.ReLU6), "softsign": unaryOf(ops.Softsign),
	"threshold":  unaryOf(func(x *graph.Node) *graph.Node { return ops.Threshold(x, 0.5, -2) }),
	"softshrink": unaryOf(func(x *graph.Node) *graph.Node { return ops.Softshrink(x, 0.5) }),
	"hardshrink": unaryOf(func(x *graph.Node) *graph.Node { return ops.Hardshrink(x, 0.5) }),
	"tanhshrink": unaryOf(ops.Tanhshrink),
	"prelu":      unaryOf(func(x *graph.Node) *graph.Node { return ops.PReLU(x, ops.Scalar(x, 0.25), 0) }),
	"minimum":    binaryOf(ops.Minimum), "maximum": binaryOf(ops.Maximum), "mod": binaryOf(ops.Mod), "fmod": binaryOf(ops.FMod), "floordiv": binaryOf(ops.FloorDiv),
	"atan2": binaryOf(ops.Atan2), "hypot": binaryOf(ops.Hypot), "logaddexp": binaryOf(ops.LogAddExp), "pow": binaryOf(ops.Pow),
	"lerp": binaryOf(func(a, b *graph.Node) *graph.Node { return ops.Lerp(a, b, ops.Scalar(a, 0.3)) }),
}

func unaryOf(f func(x *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0]) }
}

func binaryOf(f func(a, b *graph.Node) *graph.Node) func([]*graph.Node) *graph.Node {
	return func(x []*graph.Node) *graph.Node { return f(x[0], x[1]) }
}

// goldenRows are the rows of the table for one function: operands, value, first derivatives and (of one operand) the second one.
func goldenRows(t *testing.T) map[string][][]float64 {
	rows := map[string][][]float64{}
	for _, line := range strings.Split(strings.TrimSpace(torchTable), "\n")[1:] {
		fields := strings.Fields(line)
		var row []float64
		for _, f := range fields[1:] {
			v, err := strconv.ParseFloat(f, 64)
			switch {
			case f == "-":
				v = nan
			case err != nil:
				t.Fatal(err)
			}
			row = append(row, v)
		}
		rows[fields[0]] = append(rows[fields[0]], row)
	}
	return rows
}

// torchSlack is where PyTorch's number is not the one to have: the further difference that is allowed, in units of ε, for value (order 0),
// derivative (1) or second derivative (2) at x.
var torchSlack = map[string]func(order int, x []float64) float64{
	// PyTorch's constants 1/α and 1/6 are rounded to float32.
	"celu_0.7":    func(order int, _ []float64) float64 { return 0x1p52 * 0x1p-24 * float64(2*order) },
	"hardsigmoid": func(order int, _ []float64) float64 { return 0x1p52 * 0x1p-24 * float64(order) },
	// At 3 PyTorch's vectorised code takes the right side for the derivative, its scalar code the left one; at ±3 its second
	// derivative is 0.
	"hardswish": func(order int, x []float64) float64 {
		if math.Abs(x[0]) == 3 && order > 0 {
			return inf
		}
		return 0
	},
	// PyTorch forms x·(1 − σ(x)), which is off by xε; here it is x·σ(−x).
	"silu": func(order int, x []float64) float64 { return math.Abs(x[0]) * float64(min(order, 1)) },
	// math.Pow multiplies as often as the exponent has bits, and loses one with each.
	"pow": func(_ int, x []float64) float64 { return math.Abs(x[1]) / 2 },
	// Where the derivative has a pole the second one is Inf − Inf, as (1−x)(1+x), which keeps the digits near ±1, is a product.
	"asin": atPole, "acos": atPole, "atanh": atPole, "acosh": atPole,
}

func atPole(order int, x []float64) float64 {
	if order == 2 && math.Abs(x[0]) == 1 {
		return inf
	}
	return 0
}

// Values, first and second derivatives are PyTorch's at points from 1e-308 to 1e30 and at ±Inf, in float64 and, against the same
// numbers, in float32: within 8 units (second derivatives 32) in the last place of the larger of 1 and the number. Where PyTorch
// offers nothing or has NaN, TestActivationsFarOut says what is right.
func TestPyTorchsValuesAndDerivatives(t *testing.T) {
	for name, rows := range goldenRows(t) {
		build := goldenFunctions[name]
		if build == nil {
			t.Errorf("no expression for %s", name)
			continue
		}
		operands := 1
		if goldenIsBinary[name] {
			operands = 2
		}
		for _, dtype := range floatTypes {
			fits := rows[:0:0]
			for _, row := range rows {
				if dtype == graph.Float64 || operands == 2 || float64(float32(row[0])) == row[0] {
					fits = append(fits, row)
				}
			}
			inputs := make([]graph.Array, operands)
			for k := range inputs {
				inputs[k] = graph.NewArray(dtype, len(fits))
				for i, row := range fits {
					inputs[k].SetAt(i, row[k])
				}
			}
			for k, column := range derivatives(t, build, inputs...) {
				order := min(k, 3-operands)
				for i, row := range fits {
					want, got := row[operands+k], column.At(i)
					bound := []float64{8, 8, 32}[order]
					if slack := torchSlack[name]; slack != nil {
						bound += slack(order, row)
					}
					epsilon := 0x1p-52
					if dtype == graph.Float32 {
						epsilon, want = 0x1p-23, float64(float32(want))
					}
					if got == want || want != want || bound == inf || math.Abs(got-want) <= bound*epsilon*math.Max(1, math.Abs(want)) {
						continue
					}
					t.Errorf("%v %s of %v: derivative %d (0 is the value) is %v, PyTorch has %v", dtype, name, row[:operands], k, got, want)
				}
			}
		}
	}
}

var goldenIsBinary = map[string]bool{"minimum": true, "maximum": true, "mod": true, "fmod": true, "floordiv": true, "atan2": true, "hypot": true,
	"logaddexp": true, "pow": true, "lerp": true}

// derivatives are the value and the derivatives of an elementwise function by its operands, and of one operand the second derivative.
func derivatives(t failer, build func(x []*graph.Node) *graph.Node, inputs ...graph.Array) []graph.Array {
	t.Helper()
	out, err := express(func(x []*graph.Node) []*graph.Node {
		zeros := autodiff.Options{AllowUnused: true}
		y := build(x)
		list := append([]*graph.Node{y}, zeros.Grad(ops.Sum(y), x...)...)
		if len(x) == 1 {
			list = append(list, zeros.Grad(ops.Sum(list[1]), x[0])...)
		}
		return list
	}, inputs...).run()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}
