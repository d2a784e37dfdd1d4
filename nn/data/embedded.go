package data

import (
	_ "embed"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

//go:embed digits.csv
var digitsCSV string

//go:embed iris.csv
var irisCSV string

//go:embed wine.csv
var wineCSV string

// Digits returns 1,797 images of handwritten digits, about 180 of each, in the order of their source. X: (1797, 64), of dtype
// Float32 or Float64: the 8×8 pixels of an image row by row, from 0 (paper) to 16 (ink) in whole steps, unscaled. Y: (1797),
// the digit. Each call returns tensors of its own. It fails for any other dtype.
//
// Source: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.
func Digits(dtype graph.DType) (*Set, error) {
	return embedded("digits.csv", digitsCSV, dtype, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
}

// Iris returns the measures of 150 flowers, 50 of each of three species of iris, in the order of their source: by species. X:
// (150, 4), of dtype Float32 or Float64: length and width of sepal and petal in cm. Y: (150), the species: setosa, versicolor,
// virginica. Each call returns tensors of its own. It fails for any other dtype.
//
// Source: Iris, R. A. Fisher, 1936, UCI Machine Learning Repository, CC BY 4.0.
func Iris(dtype graph.DType) (*Set, error) {
	return embedded("iris.csv", irisCSV, dtype, "setosa", "versicolor", "virginica")
}

// Wine returns the chemical analyses of 178 wines of three cultivars, 59, 71 and 48, in the order of their source: by cultivar.
// X: (178, 13), of dtype Float32 or Float64: 13 measures in their units, from hue (about 1) to proline (up to 1,680). Y: (178),
// the cultivar, which the source numbers from 1 up. Each call returns tensors of its own. It fails for any other dtype.
//
// Source: Wine, M. Forina et al., UCI Machine Learning Repository, CC BY 4.0.
func Wine(dtype graph.DType) (*Set, error) {
	return embedded("wine.csv", wineCSV, dtype, "cultivar 1", "cultivar 2", "cultivar 3")
}

// embedded reads a table whose last column holds labels from 0 up, and calls them by names.
func embedded(file, csv string, dtype graph.DType, names ...string) (*Set, error) {
	t, err := readCSV(strings.NewReader(csv), CSVOptions{}, file)
	if err != nil {
		return nil, err
	}
	s, err := t.Labelled(dtype, t.Name(-1), nil)
	if err != nil {
		return nil, err
	}
	s.Labels = names
	return s, nil
}
