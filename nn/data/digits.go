package data

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

//go:embed digits.csv
var digitsCSV string

// Digits returns 1,797 images of handwritten digits, about 180 of each, in the order of their source. X: (1797, 64), of dtype
// Float32 or Float64: the 8×8 pixels of an image row by row, from 0 (paper) to 16 (ink) in whole steps, unscaled. Y: (1797),
// the digit. Each call returns tensors of its own. It fails for any other dtype.
//
// Source: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.
func Digits(dtype graph.DType) (*Set, error) {
	if !dtype.IsFloat() {
		return nil, graph.Errorf(graph.ErrDType, "digits as %v; take graph.Float32 or graph.Float64", dtype)
	}
	const pixels = 64
	lines := strings.Split(strings.TrimSpace(digitsCSV), "\n")[1:]
	x, y := graph.NewArray(dtype, len(lines), pixels), graph.NewArray(graph.Int64, len(lines))
	for row, line := range lines {
		cells := strings.Split(strings.TrimSpace(line), ",")
		for column, cell := range cells {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil || len(cells) != pixels+1 {
				return nil, graph.Errorf(graph.ErrValue, "digits.csv:%d: %d cells, number %d is %q; an image is 64 numbers and its digit", row+2, len(cells), column+1, cell)
			}
			if column < pixels {
				x.SetAt(row*pixels+column, v)
			} else {
				y.SetAt(row, v)
			}
		}
	}
	return &Set{X: x.Dense(), Y: y.Dense(), Classes: 10}, nil
}
