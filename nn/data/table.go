package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Table is rows of named columns, each of numbers or of text: what a CSV file holds, on its way to a Set. Its methods make
// tables of their own, which share the columns they leave alone.
type Table struct {
	Columns []Column // all of the same length, and no two of the same name

	file  string // for errors
	lines []int  // where in the file the rows begin; nil: the table is no file's
}

// Column is a column of a table: either its numbers or its text is not nil.
type Column struct {
	Name    string
	Numbers []float64 // NaN: a missing value
	Text    []string  // "": a missing value
}

// Len returns the number of cells.
func (c *Column) Len() int { return max(len(c.Numbers), len(c.Text)) }

// missing says whether a cell has no value.
func (c *Column) missing(row int) bool {
	if c.Numbers != nil {
		return math.IsNaN(c.Numbers[row])
	}
	return c.Text[row] == ""
}

// texts returns the cells as they would be written.
func (c *Column) texts() []string {
	if c.Numbers == nil {
		return c.Text
	}
	cells := make([]string, len(c.Numbers))
	for row, v := range c.Numbers {
		cells[row] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return cells
}

// Len returns the number of rows.
func (t *Table) Len() int {
	if t == nil || len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].Len()
}

// Names returns what the columns are called, from left to right.
func (t *Table) Names() []string {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return names
}

// Name returns what column i is called, so that columns can be named by where they stand. They count from 0 on the left; −1 is
// the last, −2 the one before it. Where there is no such column it returns "column i", which the other methods do not find.
func (t *Table) Name(i int) string {
	at := i
	if i < 0 {
		at += len(t.Columns)
	}
	if at < 0 || at >= len(t.Columns) {
		return fmt.Sprintf("column %d", i)
	}
	return t.Columns[at].Name
}

// Column returns the column of that name. It fails if there is none.
func (t *Table) Column(name string) (*Column, error) {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i], nil
		}
	}
	return nil, graph.Errorf(graph.ErrName, "%sthere is no column %q; there are %s", t.prefix(), name, few(t.Names()))
}

// Only returns the table of the named columns, in the given order. It fails if there is no such column, or if one is named twice.
func (t *Table) Only(names ...string) (*Table, error) {
	some := &Table{file: t.file, lines: t.lines}
	for i, name := range names {
		c, err := t.Column(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, graph.Errorf(graph.ErrName, "column %q is named twice", name)
		}
		some.Columns = append(some.Columns, *c)
	}
	return some, nil
}

// Without returns the table without the named columns. It fails if there is no such column.
func (t *Table) Without(names ...string) (*Table, error) {
	for _, name := range names {
		if _, err := t.Column(name); err != nil {
			return nil, err
		}
	}
	less := &Table{file: t.file, lines: t.lines}
	for _, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			less.Columns = append(less.Columns, c)
		}
	}
	return less, nil
}

// DropMissing returns the rows in which no value is missing; there may be none.
func (t *Table) DropMissing() *Table {
	whole := &Table{Columns: make([]Column, len(t.Columns)), file: t.file}
	for i, c := range t.Columns {
		whole.Columns[i].Name = c.Name
		if c.Numbers != nil {
			whole.Columns[i].Numbers = []float64{}
		} else {
			whole.Columns[i].Text = []string{}
		}
	}
	for row := range t.Len() {
		if slices.ContainsFunc(t.Columns, func(c Column) bool { return c.missing(row) }) {
			continue
		}
		for i, c := range t.Columns {
			to := &whole.Columns[i]
			if c.Numbers != nil {
				to.Numbers = append(to.Numbers, c.Numbers[row])
			} else {
				to.Text = append(to.Text, c.Text[row])
			}
		}
		if t.lines != nil {
			whole.lines = append(whole.lines, t.lines[row])
		}
	}
	return whole
}

// OneHot returns the table with the named column replaced by one for each label, called "column=name", which is 1 where the
// column has that name and 0 elsewhere. It fails if the column has a cell that is none of the labels: fit them to all there are.
func (t *Table) OneHot(column string, labels *Labels) (*Table, error) {
	c, err := t.Column(column)
	if err != nil {
		return nil, err
	}
	cells, index := c.texts(), labels.index()
	for row, cell := range cells {
		if _, ok := index[cell]; !ok {
			return nil, t.cellError(row, column, "%q is none of the %d labels (%s); fit them to all names there are", cell, labels.Len(), few(labels.Names))
		}
	}
	wide := &Table{file: t.file, lines: t.lines}
	for _, c := range t.Columns {
		if c.Name != column {
			wide.Columns = append(wide.Columns, c)
			continue
		}
		for _, name := range labels.Names {
			is := make([]float64, len(cells))
			for row, cell := range cells {
				if cell == name {
					is[row] = 1
				}
			}
			wide.Columns = append(wide.Columns, Column{Name: column + "=" + name, Numbers: is})
		}
	}
	return wide, nil
}

// Labelled makes a set of the table: the named column holds the labels, all others are features of dtype, in their order. The
// cells of the label column, numbers or text, become labels by l; where l is nil, FitLabels makes it of them. It is found again
// in the set's Labels: a second file is read with &Labels{Names: set.Labels}, so that its labels mean the same.
//
// It fails if there is no such column, if a feature is text (leave the column out, or make numbers of it by OneHot), and if a
// value is missing, not finite, too large for dtype or none of l's names; the error says where.
func (t *Table) Labelled(dtype graph.DType, column string, l *Labels) (*Set, error) {
	x, features, err := t.features(dtype, column)
	if err != nil {
		return nil, err
	}
	c, err := t.Column(column)
	if err != nil {
		return nil, err
	}
	for row := range c.Len() {
		if c.missing(row) {
			return nil, t.cellError(row, column, "the label is missing; DropMissing leaves such rows out")
		}
	}
	names := c.texts()
	if l == nil {
		if l, err = FitLabels(names); err != nil {
			return nil, err
		}
	}
	index := l.index()
	for row, name := range names {
		if _, ok := index[name]; !ok {
			return nil, t.cellError(row, column, "%q is none of the %d labels (%s)", name, l.Len(), few(l.Names))
		}
	}
	y, err := l.Encode(names)
	if err != nil {
		return nil, err
	}
	return &Set{X: x.Dense(), Y: y, Classes: l.Len(), Features: features, Labels: slices.Clone(l.Names)}, nil
}

// Targets makes a set for a regression: the named columns are the targets, all others are features of dtype, in their order. Y:
// (examples) for one column, (examples, columns) for several. It fails as Labelled does.
func (t *Table) Targets(dtype graph.DType, columns ...string) (*Set, error) {
	if len(columns) == 0 {
		return nil, graph.Errorf(graph.ErrValue, "no column is named as target; name at least one")
	}
	x, features, err := t.features(dtype, columns...)
	if err != nil {
		return nil, err
	}
	targets, err := t.Only(columns...)
	if err != nil {
		return nil, err
	}
	y, _, err := targets.features(dtype)
	if err != nil {
		return nil, err
	}
	if len(columns) == 1 {
		y = y.As([]int{t.Len()})
	}
	return &Set{X: x.Dense(), Y: y.Dense(), Features: features}, nil
}

// Tensor returns all columns as (rows, columns) of dtype, float: examples that nothing is known of yet. It fails as Labelled does.
func (t *Table) Tensor(dtype graph.DType) (*tensor.Dense, error) {
	x, _, err := t.features(dtype)
	if err != nil {
		return nil, err
	}
	return x.Dense(), nil
}

// features makes (rows, columns) of all columns but the named ones.
func (t *Table) features(dtype graph.DType, but ...string) (x graph.Array, names []string, err error) {
	if !dtype.IsFloat() {
		return x, nil, graph.Errorf(graph.ErrDType, "%sa table as %v; take graph.Float32 or graph.Float64", t.prefix(), dtype)
	}
	rest, err := t.Without(but...)
	switch {
	case err != nil:
		return x, nil, err
	case len(rest.Columns) == 0:
		return x, nil, graph.Errorf(graph.ErrValue, "%sbesides [%s] there is no column to learn from", t.prefix(), few(but))
	case t.Len() == 0:
		return x, nil, graph.Errorf(graph.ErrValue, "%sthe table has no rows", t.prefix())
	}
	x = graph.NewArray(dtype, t.Len(), len(rest.Columns))
	for i, c := range rest.Columns {
		if c.Len() != t.Len() {
			return x, nil, graph.Errorf(graph.ErrShape, "%scolumn %q has %d cells, column %q %d", t.prefix(), c.Name, c.Len(), t.Columns[0].Name, t.Len())
		}
		if c.Numbers == nil {
			row := slices.IndexFunc(c.Text, func(s string) bool { _, isNumber := number(s); return !isNumber })
			return x, nil, t.cellError(max(row, 0), c.Name, "%q is no number; correct it, name such cells in CSVOptions.Missing, leave the column out (Without), or make a column of each name (OneHot)", c.Text[max(row, 0)])
		}
		for row, v := range c.Numbers {
			switch {
			case math.IsNaN(v):
				return x, nil, t.cellError(row, c.Name, "the value is missing; DropMissing leaves such rows out")
			case math.IsInf(v, 0) || dtype == graph.Float32 && math.IsInf(float64(float32(v)), 0):
				return x, nil, t.cellError(row, c.Name, "%v is not finite as %v; correct it or leave the row out", v, dtype)
			}
			x.SetAt(row*len(rest.Columns)+i, v)
		}
	}
	return x, rest.Names(), nil
}

func (t *Table) prefix() string {
	if t.file == "" {
		return ""
	}
	return t.file + ": "
}

// cellError says what is wrong with a cell, and where it stands: file, line and column.
func (t *Table) cellError(row int, column, format string, args ...any) error {
	at := fmt.Sprintf("%srow %d", t.prefix(), row)
	if t.lines != nil {
		at = fmt.Sprintf("%sline %d", t.prefix(), t.lines[row])
		if t.file != "" {
			at = fmt.Sprintf("%s:%d", t.file, t.lines[row])
		}
	}
	return graph.Errorf(graph.ErrValue, "%s, column %d (%s): %s", at, slices.Index(t.Names(), column)+1, column, fmt.Sprintf(format, args...))
}

// number reads a cell as a number.
func number(cell string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	return v, err == nil
}
