//go:build !noasm

package kernel

func init() {
	if accelerated { // dispatch.go comes before this file, and so its init does
		vec32.override(avx2Vec32())
		vec64.override(avx2Vec64())
		philoxWords = philoxWordsAVX2Rest
	}
}

// avx2Vec32 is what there is in AVX2+FMA assembly for float32.
func avx2Vec32() vecSet[float32] {
	p := portableVec[float32]()
	return vecSet[float32]{
		unary: [numOps]func(dst, x []float32){
			OpExp: expAVX2F32, OpExpm1: expm1AVX2F32, OpLog: logAVX2F32, OpLog1p: log1pAVX2F32, OpTanh: tanhAVX2F32,
			OpSigmoid: sigmoidAVX2F32, OpSoftplus: softplusAVX2F32, OpErf: erfAVX2F32, OpReLU: reluAVX2F32, OpSqrt: sqrtAVX2F32,
			OpNeg: negAVX2F32, OpAbs: absAVX2F32, OpSquare: squareAVX2F32, OpReciprocal: reciprocalAVX2F32, OpSign: signAVX2F32,
			OpFloor: floorAVX2F32, OpCeil: ceilAVX2F32, OpRound: roundAVX2F32,
			OpSin: whereSmall(maxValueAVX2F32, minValueAVX2F32, sinSmallAVX2F32, p.unary[OpSin]),
			OpCos: whereSmall(maxValueAVX2F32, minValueAVX2F32, cosSmallAVX2F32, p.unary[OpCos]),
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
		truth: [numOps]func(dst, a, b []float32){
			OpLess:         lessTruthAVX2F32,
			OpLessEqual:    lessEqualTruthAVX2F32,
			OpEqual:        equalTruthAVX2F32,
			OpNotEqual:     notEqualTruthAVX2F32,
			OpGreater:      greaterTruthAVX2F32,
			OpGreaterEqual: greaterEqualTruthAVX2F32,
		},
		struth: [numOps]func(dst, a []float32, s float32){
			OpLess:         lessScalarTruthAVX2F32,
			OpLessEqual:    lessEqualScalarTruthAVX2F32,
			OpEqual:        equalScalarTruthAVX2F32,
			OpNotEqual:     notEqualScalarTruthAVX2F32,
			OpGreater:      greaterScalarTruthAVX2F32,
			OpGreaterEqual: greaterEqualScalarTruthAVX2F32,
		},
		compare: [numOps]func(dst []bool, a, b []float32){
			OpLess:         wholeThenRest(lessBytesAVX2F32, p.compare[OpLess]),
			OpLessEqual:    wholeThenRest(lessEqualBytesAVX2F32, p.compare[OpLessEqual]),
			OpEqual:        wholeThenRest(equalBytesAVX2F32, p.compare[OpEqual]),
			OpNotEqual:     wholeThenRest(notEqualBytesAVX2F32, p.compare[OpNotEqual]),
			OpGreater:      wholeThenRest(greaterBytesAVX2F32, p.compare[OpGreater]),
			OpGreaterEqual: wholeThenRest(greaterEqualBytesAVX2F32, p.compare[OpGreaterEqual]),
		},
		cscalar: [numOps]func(dst []bool, a []float32, s float32){
			OpLess:         scalarWholeThenRest(lessScalarBytesAVX2F32, p.cscalar[OpLess]),
			OpLessEqual:    scalarWholeThenRest(lessEqualScalarBytesAVX2F32, p.cscalar[OpLessEqual]),
			OpEqual:        scalarWholeThenRest(equalScalarBytesAVX2F32, p.cscalar[OpEqual]),
			OpNotEqual:     scalarWholeThenRest(notEqualScalarBytesAVX2F32, p.cscalar[OpNotEqual]),
			OpGreater:      scalarWholeThenRest(greaterScalarBytesAVX2F32, p.cscalar[OpGreater]),
			OpGreaterEqual: scalarWholeThenRest(greaterEqualScalarBytesAVX2F32, p.cscalar[OpGreaterEqual]),
		},
		selectValues: selectValuesAVX2F32,
		selects: func(dst []float32, cond []bool, a, b []float32) {
			selectBytesAVX2F32(dst, cond, a, b)
			n := len(dst) &^ 7
			p.selects(dst[n:], cond[n:], a[n:], b[n:])
		},
		accumulate:    func(dst, x []float32) { addAVX2F32(dst, dst, x) },
		uniform:       groupsThenRest(uniformAVX2F32, p.uniform, 32),
		sum:           sumAVX2F32,
		sumSquares:    sumSquaresAVX2F32,
		dot:           dotAVX2F32,
		maxValue:      maxValueAVX2F32,
		minValue:      minValueAVX2F32,
		sumExpShifted: sumExpShiftedAVX2F32,
		expShifted:    expShiftedAVX2F32,
	}
}

// avx2Vec64 is the same for float64.
func avx2Vec64() vecSet[float64] {
	p := portableVec[float64]()
	return vecSet[float64]{
		unary: [numOps]func(dst, x []float64){
			OpExp: expAVX2F64, OpExpm1: expm1AVX2F64, OpLog: logAVX2F64, OpLog1p: log1pAVX2F64, OpTanh: tanhAVX2F64,
			OpSigmoid: sigmoidAVX2F64, OpSoftplus: softplusAVX2F64, OpErf: erfAVX2F64, OpReLU: reluAVX2F64, OpSqrt: sqrtAVX2F64,
			OpNeg: negAVX2F64, OpAbs: absAVX2F64, OpSquare: squareAVX2F64, OpReciprocal: reciprocalAVX2F64, OpSign: signAVX2F64,
			OpFloor: floorAVX2F64, OpCeil: ceilAVX2F64, OpRound: roundAVX2F64,
			OpSin: whereSmall(maxValueAVX2F64, minValueAVX2F64, sinSmallAVX2F64, p.unary[OpSin]),
			OpCos: whereSmall(maxValueAVX2F64, minValueAVX2F64, cosSmallAVX2F64, p.unary[OpCos]),
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
		truth: [numOps]func(dst, a, b []float64){
			OpLess:         lessTruthAVX2F64,
			OpLessEqual:    lessEqualTruthAVX2F64,
			OpEqual:        equalTruthAVX2F64,
			OpNotEqual:     notEqualTruthAVX2F64,
			OpGreater:      greaterTruthAVX2F64,
			OpGreaterEqual: greaterEqualTruthAVX2F64,
		},
		struth: [numOps]func(dst, a []float64, s float64){
			OpLess:         lessScalarTruthAVX2F64,
			OpLessEqual:    lessEqualScalarTruthAVX2F64,
			OpEqual:        equalScalarTruthAVX2F64,
			OpNotEqual:     notEqualScalarTruthAVX2F64,
			OpGreater:      greaterScalarTruthAVX2F64,
			OpGreaterEqual: greaterEqualScalarTruthAVX2F64,
		},
		compare: [numOps]func(dst []bool, a, b []float64){
			OpLess:         wholeThenRest(lessBytesAVX2F64, p.compare[OpLess]),
			OpLessEqual:    wholeThenRest(lessEqualBytesAVX2F64, p.compare[OpLessEqual]),
			OpEqual:        wholeThenRest(equalBytesAVX2F64, p.compare[OpEqual]),
			OpNotEqual:     wholeThenRest(notEqualBytesAVX2F64, p.compare[OpNotEqual]),
			OpGreater:      wholeThenRest(greaterBytesAVX2F64, p.compare[OpGreater]),
			OpGreaterEqual: wholeThenRest(greaterEqualBytesAVX2F64, p.compare[OpGreaterEqual]),
		},
		cscalar: [numOps]func(dst []bool, a []float64, s float64){
			OpLess:         scalarWholeThenRest(lessScalarBytesAVX2F64, p.cscalar[OpLess]),
			OpLessEqual:    scalarWholeThenRest(lessEqualScalarBytesAVX2F64, p.cscalar[OpLessEqual]),
			OpEqual:        scalarWholeThenRest(equalScalarBytesAVX2F64, p.cscalar[OpEqual]),
			OpNotEqual:     scalarWholeThenRest(notEqualScalarBytesAVX2F64, p.cscalar[OpNotEqual]),
			OpGreater:      scalarWholeThenRest(greaterScalarBytesAVX2F64, p.cscalar[OpGreater]),
			OpGreaterEqual: scalarWholeThenRest(greaterEqualScalarBytesAVX2F64, p.cscalar[OpGreaterEqual]),
		},
		selectValues: selectValuesAVX2F64,
		selects: func(dst []float64, cond []bool, a, b []float64) {
			selectBytesAVX2F64(dst, cond, a, b)
			n := len(dst) &^ 7
			p.selects(dst[n:], cond[n:], a[n:], b[n:])
		},
		accumulate:    func(dst, x []float64) { addAVX2F64(dst, dst, x) },
		uniform:       groupsThenRest(uniformAVX2F64, p.uniform, 16),
		sum:           sumAVX2F64,
		sumSquares:    sumSquaresAVX2F64,
		dot:           dotAVX2F64,
		maxValue:      maxValueAVX2F64,
		minValue:      minValueAVX2F64,
		sumExpShifted: sumExpShiftedAVX2F64,
		expShifted:    expShiftedAVX2F64,
	}
}

// wholeThenRest compares whole groups of eight with the assembly and the last few with the portable loop.
func wholeThenRest[T Float](whole, rest func(dst []bool, a, b []T)) func(dst []bool, a, b []T) {
	return func(dst []bool, a, b []T) {
		whole(dst, a, b)
		n := len(dst) &^ 7
		rest(dst[n:], a[n:], b[n:])
	}
}

func scalarWholeThenRest[T Float](whole, rest func(dst []bool, a []T, s T)) func(dst []bool, a []T, s T) {
	return func(dst []bool, a []T, s T) {
		whole(dst, a, s)
		n := len(dst) &^ 7
		rest(dst[n:], a[n:], s)
	}
}

// trigLimit is the largest |x| whose reduction by π/2 the assembly does accurately.
const trigLimit = 1 << 15

// whereSmall applies small to the blocks of x that lie within ±trigLimit and any to the others.
func whereSmall[T Float](largest, smallest func(x []T) T, small, any func(dst, x []T)) func(dst, x []T) {
	return func(dst, x []T) {
		for len(dst) > 0 {
			n := min(len(dst), 256)
			f := any
			if largest(x[:n]) <= trigLimit && smallest(x[:n]) >= -trigLimit {
				f = small
			}
			f(dst[:n], x[:n])
			dst, x = dst[n:], x[n:]
		}
	}
}

// groupsThenRest draws the head up to a whole group of per elements, then groups with the assembly, then the rest.
func groupsThenRest[T Float](groups, rest func(dst []T, key, stream, offset uint64), per uint64) func(dst []T, key, stream, offset uint64) {
	const blocks = 8 // to a group
	return func(dst []T, key, stream, offset uint64) {
		if odd := offset % (per / blocks); odd != 0 {
			n := min(len(dst), int(per/blocks-odd))
			rest(dst[:n], key, stream, offset)
			dst, offset = dst[n:], offset+uint64(n)
		}
		for len(dst) >= int(per) {
			n := min(len(dst), maxSpan) / int(per) * int(per)
			groups(dst[:n], key, stream, offset/(per/blocks))
			dst, offset = dst[n:], offset+uint64(n)
		}
		rest(dst, key, stream, offset)
	}
}

// philoxWordsAVX2Rest is philoxWords with groups of eight blocks by the assembly.
func philoxWordsAVX2Rest(w []uint32, key, stream, block uint64) {
	philoxWordsAVX2(w, key, stream, block)
	n := len(w) &^ 31
	philoxWordsPortable(w[n:], key, stream, block+uint64(n/4))
}
