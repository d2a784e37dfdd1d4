// Package data holds data sets, and what lies between a file and the feeds of a training step: tables (CSV), arrays (IDX, npy,
// npz), labels, scaling, splits, folds, batches and their making in the background.
//
// The one idea: a Set is two tensors, examples and labels, and everything random about it (how it is split, the order of an
// epoch's batches) is a function of a seed that the caller names. Nothing here knows of models, and nothing reads a network:
// nn/data/download does.
//
//	digits, err := data.Digits(graph.Float32)
//	parts, err := digits.SplitStratified(42, 0.7, 0.15, 0.15)
//	scale, err := data.FitMinMaxJoint(parts[0].X) // of the training split only
//	err = scale.ApplyTo(parts...)
//	batches, err := data.NewBatches(parts[0], 32, 42)
package data

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Set is a data set in memory: example i is row i of X, what is to be found for it row i of Y. Its methods read the tensors and
// never write them, so many goroutines may share a set.
//
// Y holds labels, or, with Classes 0, the targets of a regression.
type Set struct {
	X       *tensor.Dense // (examples, features…), float32 or float64
	Y       *tensor.Dense // (examples), int64: labels from 0 to Classes−1; or (examples, outputs…), float32 or float64: targets
	Classes int           // how many labels there are; 0: Y holds targets

	Features []string // what the features are called; may be nil
	Labels   []string // what the labels are called: Classes names; may be nil
}

// NewSet makes a set of tensors that are in memory, and looks at them first. X is taken as it is. Y of integers of any kind are
// labels, which become int64: Classes is the largest one and 1. Y of floats are targets.
//
// It fails if x is not float32 or float64 of shape (examples, features…), if y has another number of rows, if a label is
// negative, or if a value is NaN or infinite. (A Set that is written as a literal is taken at its word.)
func NewSet(x, y *tensor.Dense) (*Set, error) {
	s := &Set{X: x, Y: y}
	if y != nil && y.Dtype() != tensor.Float32 && y.Dtype() != tensor.Float64 {
		labels, err := AsType(y, graph.Int64)
		if err != nil {
			return nil, err
		}
		s.Y = labels
	}
	c, err := s.columns()
	if err != nil {
		return nil, err
	}
	if err := finite(c.x, "feature"); err != nil {
		return nil, err
	}
	if c.y.DType.IsFloat() {
		if err := finite(c.y, "target"); err != nil {
			return nil, err
		}
		return s, nil
	}
	for row, label := range c.y.I64() {
		if label < 0 {
			return nil, graph.Errorf(graph.ErrValue, "row %d has label %d; labels count from 0, and FitLabels makes such of any", row, label)
		}
		s.Classes = max(s.Classes, int(label)+1)
	}
	return s, nil
}

// Len returns the number of examples.
func (s *Set) Len() int {
	if s == nil || s.X == nil || s.X.Dims() == 0 {
		return 0
	}
	return s.X.Shape()[0]
}

// Counts returns how many examples each label has. It fails if Y holds no labels, or one that is not from 0 to Classes−1.
func (s *Set) Counts() ([]int, error) {
	rows, err := s.byLabel()
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(rows))
	for label, r := range rows {
		counts[label] = len(r)
	}
	return counts, nil
}

// Select returns a set of copies of the given rows, in their order; a row may come up several times. It fails if a row is not
// from 0 to Len()−1, or if s is not a proper set.
func (s *Set) Select(rows []int) (*Set, error) {
	from, err := s.columns()
	if err != nil {
		return nil, err
	}
	to := from.like(len(rows))
	if err := to.gather(from, rows); err != nil {
		return nil, err
	}
	return s.with(to), nil
}

// Only returns a set of the same examples with copies of some of their features alone, in the given order. It fails if X is not
// (examples, features), or if a feature is not one of them. Y is that of s.
func (s *Set) Only(features ...int) (*Set, error) {
	c, err := s.columns()
	switch {
	case err != nil:
		return nil, err
	case len(c.x.Shape) != 2 || len(features) == 0:
		return nil, graph.Errorf(graph.ErrShape, "%d features of examples of shape %v; take some, of (examples, features)", len(features), tensor.Shape(c.x.Shape))
	}
	width := c.x.Shape[1]
	some := &Set{Y: s.Y, Classes: s.Classes, Labels: s.Labels}
	x := graph.NewArray(c.x.DType, c.len(), len(features))
	for to, from := range features {
		if from < 0 || from >= width {
			return nil, graph.Errorf(graph.ErrValue, "feature %d of %d; they count from 0", from, width)
		}
		if len(s.Features) == width {
			some.Features = append(some.Features, s.Features[from])
		}
		for row := range c.len() {
			x.SetAt(row*len(features)+to, c.x.At(row*width+from))
		}
	}
	some.X = x.Dense()
	return some, nil
}

// Gather copies the given rows into x: (len(rows), features…) and y: (len(rows), …), which the caller owns and which have the
// element types of X and Y and lie densely in memory. It allocates nothing. It fails if they do not fit, or if a row is not
// from 0 to Len()−1; then x and y are as before.
func (s *Set) Gather(rows []int, x, y *tensor.Dense) error {
	from, err := s.columns()
	if err != nil {
		return err
	}
	to, err := columnsOf(x, y)
	switch {
	case err != nil:
		return err
	case to.len() != len(rows):
		return graph.Errorf(graph.ErrShape, "%d rows do not go into tensors of %d", len(rows), to.len())
	case to.x.DType != from.x.DType || !slices.Equal(to.x.Shape[1:], from.x.Shape[1:]):
		return graph.Errorf(graph.ErrShape, "examples of %v %v do not go into a tensor of %v %v", from.x.DType, from.x.Shape[1:], to.x.DType, to.x.Shape)
	case to.y.DType != from.y.DType || !slices.Equal(to.y.Shape[1:], from.y.Shape[1:]):
		return graph.Errorf(graph.ErrShape, "labels or targets of %v %v do not go into a tensor of %v %v", from.y.DType, from.y.Shape[1:], to.y.DType, to.y.Shape)
	}
	return to.gather(from, rows)
}

// with is s with other rows.
func (s *Set) with(c columns) *Set {
	return &Set{X: c.x.Dense(), Y: c.y.Dense(), Classes: s.Classes, Features: s.Features, Labels: s.Labels}
}

// byLabel lists the rows of each label.
func (s *Set) byLabel() ([][]int, error) {
	c, err := s.columns()
	if err != nil {
		return nil, err
	}
	if c.y.DType != graph.Int64 || s.Classes <= 0 {
		return nil, graph.Errorf(graph.ErrDType, "a set with %v in Y and %d classes has no labels to go by", c.y.DType, s.Classes)
	}
	rows := make([][]int, s.Classes)
	for row, label := range c.y.I64() {
		if label < 0 || label >= int64(s.Classes) {
			return nil, graph.Errorf(graph.ErrValue, "row %d has label %d; with %d classes they go from 0 to %d", row, label, s.Classes, s.Classes-1)
		}
		rows[label] = append(rows[label], row)
	}
	return rows, nil
}

// columns are the two tensors of a set as flat memory.
type columns struct{ x, y graph.Array }

func (s *Set) columns() (columns, error) {
	if s == nil {
		return columns{}, graph.Errorf(graph.ErrValue, "a nil *data.Set")
	}
	return columnsOf(s.X, s.Y)
}

func columnsOf(x, y *tensor.Dense) (c columns, err error) {
	for _, t := range [2]*tensor.Dense{x, y} {
		if t != nil && isView(t) {
			return c, graph.Errorf(graph.ErrValue, "a tensor of shape %v is a view or column-major; its Materialize or a copy will do", t.Shape())
		}
	}
	if c.x, err = graph.ArrayOf(x); err != nil {
		return c, err
	}
	if c.y, err = graph.ArrayOf(y); err != nil {
		return c, err
	}
	switch {
	case !c.x.DType.IsFloat() || c.y.DType != graph.Int64 && !c.y.DType.IsFloat():
		return c, graph.Errorf(graph.ErrDType, "examples of %v and labels of %v; a set has float32 or float64 and int64 (or float targets), and AsType converts", c.x.DType, c.y.DType)
	case len(c.x.Shape) < 2 || len(c.y.Shape) < 1 || c.y.DType == graph.Int64 && len(c.y.Shape) != 1 || c.x.Shape[0] != c.y.Shape[0]:
		return c, graph.Errorf(graph.ErrShape, "examples of shape %v and labels of shape %v; a set has (examples, features…) and (examples)",
			tensor.Shape(c.x.Shape), tensor.Shape(c.y.Shape))
	}
	return c, nil
}

func (c columns) len() int { return c.y.Shape[0] }

// like allocates room for rows like those of c.
func (c columns) like(rows int) columns {
	return columns{
		x: graph.NewArray(c.x.DType, append([]int{rows}, c.x.Shape[1:]...)...),
		y: graph.NewArray(c.y.DType, append([]int{rows}, c.y.Shape[1:]...)...),
	}
}

// gather copies rows of from into c, which has as many.
func (c columns) gather(from columns, rows []int) error {
	for _, row := range rows {
		if row < 0 || row >= from.len() {
			return graph.Errorf(graph.ErrValue, "row %d of a set of %d", row, from.len())
		}
	}
	gatherRows(c.x, from.x, rows)
	gatherRows(c.y, from.y, rows)
	return nil
}

func gatherRows(to, from graph.Array, rows []int) {
	source, target := from.Bytes(), to.Bytes()
	width := len(source) / max(from.Shape[0], 1)
	for i, row := range rows {
		copy(target[i*width:(i+1)*width], source[row*width:(row+1)*width])
	}
}
