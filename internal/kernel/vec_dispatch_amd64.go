//go:build !noasm

package kernel

import (
	"os"

	"golang.org/x/sys/cpu"
)

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && os.Getenv("TAPIR_KERNEL") != "portable" {
		vec32.override(avx2Vec32())
		vec64.override(avx2Vec64())
	}
}

// avx2Vec32 is what there is in AVX2+FMA assembly for float32.
func avx2Vec32() vecSet[float32] {
	return vecSet[float32]{
		unary: [numOps]func(dst, x []float32){
			OpExp: expAVX2F32, OpExpm1: expm1AVX2F32, OpLog: logAVX2F32, OpLog1p: log1pAVX2F32, OpTanh: tanhAVX2F32,
			OpSigmoid: sigmoidAVX2F32, OpSoftplus: softplusAVX2F32, OpErf: erfAVX2F32, OpReLU: reluAVX2F32, OpSqrt: sqrtAVX2F32,
			OpNeg: negAVX2F32, OpAbs: absAVX2F32, OpSquare: squareAVX2F32, OpReciprocal: reciprocalAVX2F32, OpSign: signAVX2F32,
			OpFloor: floorAVX2F32, OpCeil: ceilAVX2F32, OpRound: roundAVX2F32,
		},
		binary: [numOps]func(dst, a, b []float32){
			OpAdd: addAVX2F32, OpSub: subAVX2F32, OpMul: mulAVX2F32, OpDiv: divAVX2F32, OpMax: maxAVX2F32, OpMin: minAVX2F32,
		},
		scalar: [numOps]func(dst, a []float32, s float32){
			OpAdd: addScalarAVX2F32, OpSub: subScalarAVX2F32, OpMul: mulScalarAVX2F32, OpDiv: divScalarAVX2F32,
			OpMax: maxScalarAVX2F32, OpMin: minScalarAVX2F32,
		},
		rscalar: [numOps]func(dst, a []float32, s float32){
			OpAdd: addScalarAVX2F32, OpSub: rsubScalarAVX2F32, OpMul: mulScalarAVX2F32, OpDiv: rdivScalarAVX2F32,
			OpMax: maxScalarAVX2F32, OpMin: minScalarAVX2F32,
		},
	}
}

// avx2Vec64 is the same for float64.
func avx2Vec64() vecSet[float64] {
	return vecSet[float64]{
		unary: [numOps]func(dst, x []float64){
			OpExp: expAVX2F64, OpExpm1: expm1AVX2F64, OpLog: logAVX2F64, OpLog1p: log1pAVX2F64, OpTanh: tanhAVX2F64,
			OpSigmoid: sigmoidAVX2F64, OpSoftplus: softplusAVX2F64, OpErf: erfAVX2F64, OpReLU: reluAVX2F64, OpSqrt: sqrtAVX2F64,
			OpNeg: negAVX2F64, OpAbs: absAVX2F64, OpSquare: squareAVX2F64, OpReciprocal: reciprocalAVX2F64, OpSign: signAVX2F64,
			OpFloor: floorAVX2F64, OpCeil: ceilAVX2F64, OpRound: roundAVX2F64,
		},
		binary: [numOps]func(dst, a, b []float64){
			OpAdd: addAVX2F64, OpSub: subAVX2F64, OpMul: mulAVX2F64, OpDiv: divAVX2F64, OpMax: maxAVX2F64, OpMin: minAVX2F64,
		},
		scalar: [numOps]func(dst, a []float64, s float64){
			OpAdd: addScalarAVX2F64, OpSub: subScalarAVX2F64, OpMul: mulScalarAVX2F64, OpDiv: divScalarAVX2F64,
			OpMax: maxScalarAVX2F64, OpMin: minScalarAVX2F64,
		},
		rscalar: [numOps]func(dst, a []float64, s float64){
			OpAdd: addScalarAVX2F64, OpSub: rsubScalarAVX2F64, OpMul: mulScalarAVX2F64, OpDiv: rdivScalarAVX2F64,
			OpMax: maxScalarAVX2F64, OpMin: minScalarAVX2F64,
		},
	}
}
