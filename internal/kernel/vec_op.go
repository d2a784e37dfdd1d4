package kernel

import "fmt"

// Op names one elementwise function. The exported functions of this package, the kernel tables and the steps of a Program
// all speak of a function by its Op, so a function exists in one place and is found the same way from everywhere.
type Op uint8

// The elementwise functions. The groups are contiguous: first those of one operand, then those of two, then the comparisons
// (two operands, a truth value as result; in a Program 1 or 0), then Select.
const (
	opNone Op = iota

	OpCopy       // a
	OpExp        // eᵃ
	OpExpm1      // eᵃ − 1
	OpExp2       // 2ᵃ
	OpLog        // ln a
	OpLog2       // log₂ a
	OpLog1p      // ln(1 + a)
	OpTanh       // tanh a
	OpSigmoid    // 1 / (1 + e⁻ᵃ)
	OpSoftplus   // ln(1 + eᵃ)
	OpReLU       // 0 where a < 0, else a
	OpErf        // 2/√π ∫₀ᵃ e^(−t²) dt
	OpSqrt       // √a
	OpRsqrt      // 1/√a
	OpNeg        // −a
	OpAbs        // |a|
	OpSquare     // a²
	OpReciprocal // 1/a
	OpSign       // −1, ±0 or 1
	OpFloor      // ⌊a⌋
	OpCeil       // ⌈a⌉
	OpTrunc      // a without its fraction
	OpRound      // the nearest integer, ties to even
	OpSin        // sin a
	OpCos        // cos a
	OpTan        // tan a
	OpAsin       // arcsin a
	OpAcos       // arccos a
	OpAtan       // arctan a
	OpSinh       // sinh a
	OpCosh       // cosh a
	OpAsinh      // arsinh a
	OpAcosh      // arcosh a
	OpAtanh      // artanh a

	OpAdd // a + b
	OpSub // a − b
	OpMul // a · b
	OpDiv // a / b
	OpMax // the larger; NaN if either is NaN; max(−0, 0) = 0
	OpMin // the smaller; NaN if either is NaN; min(−0, 0) = −0
	OpPow // aᵇ

	OpLess         // a < b
	OpLessEqual    // a ≤ b
	OpEqual        // a = b
	OpNotEqual     // a ≠ b, true for NaN
	OpGreater      // a > b
	OpGreaterEqual // a ≥ b

	OpSelect // b where a ≠ 0, else c
	OpCall   // in a Program: the function that the step carries

	numOps
)

var opNames = [numOps]string{
	opNone: "none", OpCopy: "copy", OpExp: "exp", OpExpm1: "expm1", OpExp2: "exp2", OpLog: "log", OpLog2: "log2", OpLog1p: "log1p", OpTanh: "tanh",
	OpSigmoid: "sigmoid", OpSoftplus: "softplus", OpReLU: "relu", OpErf: "erf", OpSqrt: "sqrt", OpRsqrt: "rsqrt", OpNeg: "neg", OpAbs: "abs",
	OpSquare: "square", OpReciprocal: "reciprocal", OpSign: "sign", OpFloor: "floor", OpCeil: "ceil", OpTrunc: "trunc", OpRound: "round",
	OpSin: "sin", OpCos: "cos", OpTan: "tan", OpAsin: "asin", OpAcos: "acos",
	OpAtan: "atan", OpSinh: "sinh", OpCosh: "cosh", OpAsinh: "asinh", OpAcosh: "acosh", OpAtanh: "atanh", OpAdd: "add", OpSub: "sub", OpMul: "mul", OpDiv: "div", OpMax: "max", OpMin: "min",
	OpPow: "pow", OpLess: "less", OpLessEqual: "lessequal", OpEqual: "equal", OpNotEqual: "notequal", OpGreater: "greater",
	OpGreaterEqual: "greaterequal", OpSelect: "select", OpCall: "call",
}

func (op Op) String() string {
	if op < numOps {
		return opNames[op]
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// Arity is the number of operands: 1, 2, or 3 for OpSelect and at most for OpCall.
func (op Op) Arity() int {
	switch {
	case op >= OpCopy && op < OpAdd:
		return 1
	case op >= OpAdd && op < OpSelect:
		return 2
	case op == OpSelect || op == OpCall:
		return 3
	}
	return 0
}
