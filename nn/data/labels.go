package data

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Labels turns what classes are called into labels from 0 up, and back. It is plain data: encoding/json saves it beside a model
// and brings it back.
type Labels struct {
	Names []string // of each label, no two alike
}

// FitLabels numbers the distinct names: in the order of their numbers if all are numbers, else in that of their bytes. It fails
// if there is none.
func FitLabels(names []string) (*Labels, error) {
	if len(names) == 0 {
		return nil, graph.Errorf(graph.ErrValue, "no names to make labels of")
	}
	distinct := slices.Clone(names)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	numbers := map[string]float64{}
	for _, name := range distinct {
		if v, err := strconv.ParseFloat(name, 64); err == nil {
			numbers[name] = v
		}
	}
	if len(numbers) == len(distinct) {
		slices.SortStableFunc(distinct, func(a, b string) int { return cmp.Compare(numbers[a], numbers[b]) })
	}
	return &Labels{Names: distinct}, nil
}

// Len returns the number of labels.
func (l *Labels) Len() int { return len(l.Names) }

func (l *Labels) index() map[string]int64 {
	index := make(map[string]int64, len(l.Names))
	for label, name := range l.Names {
		index[name] = int64(label)
	}
	return index
}

// Encode returns the labels of names: (len(names)), int64. It fails for a name that l was not fitted to.
func (l *Labels) Encode(names []string) (*tensor.Dense, error) {
	index := l.index()
	y := graph.NewArray(graph.Int64, len(names))
	for row, name := range names {
		label, ok := index[name]
		if !ok {
			return nil, graph.Errorf(graph.ErrValue, "row %d: %q is none of the %d labels (%s); fit them to all names there are", row, name, len(l.Names), few(l.Names))
		}
		y.I64()[row] = label
	}
	return y.Dense(), nil
}

// Decode returns the names of labels: (examples), of any integers. It fails for a label that is not from 0 to Len()−1.
func (l *Labels) Decode(y *tensor.Dense) ([]string, error) {
	a, err := labelsOf(y, len(l.Names))
	if err != nil {
		return nil, err
	}
	names := make([]string, a.Len())
	for row, label := range a.I64() {
		names[row] = l.Names[label]
	}
	return names, nil
}

// OneHot returns y: (examples), labels from 0 to classes−1 of any integers, as (examples, classes) of dtype: 1 at the label,
// 0 elsewhere. It fails for any other label.
func OneHot(y *tensor.Dense, classes int, dtype graph.DType) (*tensor.Dense, error) {
	a, err := labelsOf(y, classes)
	if err != nil {
		return nil, err
	}
	if !dtype.Valid() {
		return nil, graph.Errorf(graph.ErrDType, "one-hot rows of %v; take graph.Float32, Float64, Int32, Int64 or Bool", dtype)
	}
	hot := graph.NewArray(dtype, a.Len(), classes)
	for row, label := range a.I64() {
		hot.SetAt(row*classes+int(label), 1)
	}
	return hot.Dense(), nil
}

// FromOneHot inverts OneHot, and picks the likeliest label where a row has probabilities: for x: (examples, classes) the column
// of each row's largest element, as (examples), int64; of equal ones the first. It fails if a row has a NaN or no element.
func FromOneHot(x *tensor.Dense) (*tensor.Dense, error) {
	a, err := graph.ArrayOf(x)
	if err != nil {
		return nil, err
	}
	if len(a.Shape) != 2 || a.Shape[1] == 0 {
		return nil, graph.Errorf(graph.ErrShape, "a tensor of shape %v; one-hot rows are (examples, classes)", tensor.Shape(a.Shape))
	}
	classes := a.Shape[1]
	y := graph.NewArray(graph.Int64, a.Shape[0])
	for row := range y.Len() {
		best := 0
		for c := range classes {
			v := a.At(row*classes + c)
			if v != v {
				return nil, graph.Errorf(graph.ErrValue, "row %d, column %d is NaN: no label is likeliest", row, c)
			}
			if v > a.At(row*classes+best) {
				best = c
			}
		}
		y.I64()[row] = int64(best)
	}
	return y.Dense(), nil
}

// labelsOf reads labels as int64, and checks that they are from 0 to classes−1.
func labelsOf(y *tensor.Dense, classes int) (a graph.Array, err error) {
	if y != nil && (y.Dtype() == tensor.Float32 || y.Dtype() == tensor.Float64) {
		return a, graph.Errorf(graph.ErrDType, "labels of %v; labels are integers, and AsType(y, graph.Int64) makes such", y.Dtype())
	}
	if y, err = AsType(y, graph.Int64); err != nil {
		return a, err
	}
	if a, err = graph.ArrayOf(y); err != nil {
		return a, err
	}
	if len(a.Shape) != 1 {
		return a, graph.Errorf(graph.ErrShape, "labels of shape %v; they are (examples)", tensor.Shape(a.Shape))
	}
	for row, label := range a.I64() {
		if label < 0 || label >= int64(classes) {
			return a, graph.Errorf(graph.ErrValue, "row %d has label %d; with %d classes they go from 0 to %d", row, label, classes, classes-1)
		}
	}
	return a, nil
}

// few shows the first of many names.
func few(names []string) (s string) {
	for i, name := range names {
		switch {
		case i == 6:
			return s + ", …"
		case i > 0:
			s += ", "
		}
		s += strconv.Quote(name)
	}
	return s
}
