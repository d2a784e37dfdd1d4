// Package data holds data sets, and what lies between a set and the feeds of a training step: splits, scaling and batches.
//
// The one idea: a Set is two tensors, examples and labels, and everything random about it (how it is split, the order of an
// epoch's batches) is a function of a seed that the caller names. Nothing here knows of models.
//
//	digits, err := data.Digits(graph.Float32)
//	parts, err := digits.Split(42, 0.7, 0.15, 0.15)
//	batches, err := data.NewBatches(parts[0], 32, 42)
package data

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Set is a labelled data set in memory: example i is row i of X, its label element i of Y. Its methods read the tensors and
// never write them, so many goroutines may share a set.
type Set struct {
	X       *tensor.Dense // (examples, features…), float32 or float64
	Y       *tensor.Dense // (examples), int64: labels from 0 to Classes−1
	Classes int           // how many labels there are
}

// Len returns the number of examples.
func (s *Set) Len() int {
	if s == nil || s.X == nil || s.X.Dims() == 0 {
		return 0
	}
	return s.X.Shape()[0]
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
	return &Set{X: to.x.Dense(), Y: to.y.Dense(), Classes: s.Classes}, nil
}

// Gather copies the given rows into x: (len(rows), features…) and y: (len(rows)), which the caller owns and which have the
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
	}
	return to.gather(from, rows)
}

// Split shuffles the rows and deals them out: one set for each fraction, together at most 1. The same seed splits a set of
// the same length in the same way. If the fractions add up to 1, every example is in exactly one part.
//
//	parts, err := set.Split(42, 0.7, 0.15, 0.15) // training, validation, test
//
// It fails if a fraction is not above 0, if together they are above 1, or if a part would be empty.
func (s *Set) Split(seed uint64, fractions ...float64) ([]*Set, error) {
	var sum float64
	for _, f := range fractions {
		if !(f > 0 && f <= 1) {
			return nil, graph.Errorf(graph.ErrValue, "a fraction of %v; each must be above 0 and at most 1", f)
		}
		sum += f
	}
	if len(fractions) == 0 || sum > 1+1e-9 {
		return nil, graph.Errorf(graph.ErrValue, "%d fractions that add up to %v; name at least one, and at most 1 in all", len(fractions), sum)
	}
	order := rand.New(rand.NewPCG(seed, streamOfSplits)).Perm(s.Len())
	parts := make([]*Set, len(fractions))
	var upTo float64
	begin := 0
	for i, f := range fractions {
		upTo += f
		end := min(int(math.Round(upTo*float64(len(order)))), len(order)) // rounding the bounds leaves no row over
		if end == begin {
			return nil, graph.Errorf(graph.ErrValue, "a fraction of %v of %d examples is less than one", f, len(order))
		}
		part, err := s.Select(order[begin:end])
		if err != nil {
			return nil, err
		}
		parts[i], begin = part, end
	}
	return parts, nil
}

// The second word of a generator's seed keeps what is drawn for different ends apart; epochs count from 0 up.
const streamOfSplits = math.MaxUint64

// columns are the two tensors of a set as flat memory.
type columns struct{ x, y graph.Array }

func (s *Set) columns() (columns, error) {
	if s == nil {
		return columns{}, graph.Errorf(graph.ErrValue, "a nil *data.Set")
	}
	return columnsOf(s.X, s.Y)
}

func columnsOf(x, y *tensor.Dense) (c columns, err error) {
	for _, t := range []*tensor.Dense{x, y} {
		if t != nil && (t.RequiresIterator() || t.DataOrder().IsColMajor()) {
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
	case !c.x.DType.IsFloat() || c.y.DType != graph.Int64:
		return c, graph.Errorf(graph.ErrDType, "examples of %v and labels of %v; a set has float32 or float64 and int64", c.x.DType, c.y.DType)
	case len(c.x.Shape) < 2 || len(c.y.Shape) != 1 || c.x.Shape[0] != c.y.Shape[0]:
		return c, graph.Errorf(graph.ErrShape, "examples of shape %v and labels of shape %v; a set has (examples, features…) and (examples)",
			tensor.Shape(c.x.Shape), tensor.Shape(c.y.Shape))
	}
	return c, nil
}

func (c columns) len() int { return c.y.Len() }

// like allocates room for rows like those of c.
func (c columns) like(rows int) columns {
	return columns{
		x: graph.NewArray(c.x.DType, append([]int{rows}, c.x.Shape[1:]...)...),
		y: graph.NewArray(graph.Int64, rows),
	}
}

// gather copies rows of from into c, which has as many.
func (c columns) gather(from columns, rows []int) error {
	for _, row := range rows {
		if row < 0 || row >= from.len() {
			return graph.Errorf(graph.ErrValue, "row %d of a set of %d", row, from.len())
		}
	}
	width := len(from.x.Bytes()) / max(from.len(), 1)
	to, x, y := c.x.Bytes(), from.x.Bytes(), from.y.I64()
	for i, row := range rows {
		copy(to[i*width:(i+1)*width], x[row*width:(row+1)*width])
		c.y.I64()[i] = y[row]
	}
	return nil
}
