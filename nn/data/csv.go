package data

import (
	"bufio"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"github.com/tapir-ml/tapir/graph"
)

// CSVOptions say how a file of comma-separated values is written. The zero value: a header line, commas, and no missing values.
type CSVOptions struct {
	NoHeader bool     // the first line is a row already; the columns are called "0", "1", …
	Comma    rune     // what separates cells; 0: a comma
	Comment  rune     // lines that begin with it are skipped; 0: none are
	Missing  []string // cells that stand for no value, such as "", "NA", "?": NaN in a column of numbers, "" in one of text
	Text     []string // columns that are text although each cell is a number, such as postcodes
}

// CSV reads a file of comma-separated values, plain or compressed by gzip, as ReadCSV does.
//
//	table, err := data.CSV("houses.csv", data.CSVOptions{Missing: []string{"", "NA"}})
//	set, err := table.DropMissing().Targets(graph.Float32, "price")
func CSV(path string, o CSVOptions) (*Table, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	t, err := readCSV(f, o, path)
	return t, closing(f, err)
}

// ReadCSV reads comma-separated values (RFC 4180; quoted cells may hold commas, quotes and line breaks). A column whose cells
// are all numbers, as strconv.ParseFloat reads them with space around, is one of numbers; any other is text, kept as it is.
// A header cell that is empty is called by the column's number from 0 up.
//
// It fails, with line and column, if a row has more or fewer cells than the first, if two columns have the same name, if a
// value is missing (empty, or NaN in a column of numbers) that Missing does not allow, and if there is no row.
func ReadCSV(r io.Reader, o CSVOptions) (*Table, error) { return readCSV(r, o, "") }

func readCSV(r io.Reader, o CSVOptions, file string) (*Table, error) {
	t := &Table{file: file}
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\uFEFF" { // spreadsheets write it
		_, _ = buffered.Discard(3)
	}
	c := csv.NewReader(buffered)
	c.FieldsPerRecord = -1
	c.Comment = o.Comment
	if o.Comma != 0 {
		c.Comma = o.Comma
	}
	for {
		cells, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errors.WithMessage(err, t.prefix()+"not comma-separated values")
		}
		line, _ := c.FieldPos(0)
		if t.Columns == nil {
			if err := t.header(cells, o.NoHeader); err != nil {
				return nil, err
			}
			if !o.NoHeader {
				continue
			}
		}
		if len(cells) != len(t.Columns) {
			return nil, graph.Errorf(graph.ErrValue, "%sline %d: %d cells, but there are %d columns", t.prefix(), line, len(cells), len(t.Columns))
		}
		t.lines = append(t.lines, line)
		for i, cell := range cells {
			t.Columns[i].Text = append(t.Columns[i].Text, cell)
		}
	}
	switch {
	case t.Columns == nil:
		return nil, graph.Errorf(graph.ErrValue, "%sthere is nothing in it, not even a header", t.prefix())
	case t.lines == nil:
		return nil, graph.Errorf(graph.ErrValue, "%sthere is a header (%s) but no row; where the first line is a row, say NoHeader", t.prefix(), few(t.Names()))
	}
	for _, name := range o.Text {
		if _, err := t.Column(name); err != nil {
			return nil, err
		}
	}
	for i := range t.Columns {
		if err := t.infer(&t.Columns[i], o); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// header names the columns.
func (t *Table) header(cells []string, number bool) error {
	t.Columns = make([]Column, len(cells))
	for i, name := range cells {
		if name = strings.TrimSpace(name); number || name == "" {
			name = strconv.Itoa(i)
		}
		if at := slices.Index(t.Names()[:i], name); at >= 0 {
			return graph.Errorf(graph.ErrName, "%scolumns %d and %d of the header are both called %q; rename one", t.prefix(), at+1, i+1, name)
		}
		t.Columns[i].Name = name
	}
	return nil
}

// infer makes numbers of a column that was read as text, if it can, and sees to its missing values.
func (t *Table) infer(c *Column, o CSVOptions) error {
	numbers, isNumbers := make([]float64, len(c.Text)), !slices.Contains(o.Text, c.Name)
	allowed := func(cell string) bool { return slices.Contains(o.Missing, cell) }
	some := false
	for row := 0; row < len(numbers) && isNumbers; row++ {
		switch v, ok := number(c.Text[row]); {
		case allowed(c.Text[row]) || c.Text[row] == "":
			numbers[row] = math.NaN()
		case ok:
			numbers[row], some = v, true
		default:
			isNumbers = false
		}
	}
	isNumbers = isNumbers && some
	for row, cell := range c.Text {
		missing := cell == "" || isNumbers && math.IsNaN(numbers[row])
		if missing && !allowed(cell) {
			return t.cellError(row, c.Name, "the value is missing (%q); fill it in, or name such cells in CSVOptions.Missing and DropMissing", cell)
		}
	}
	if isNumbers {
		c.Numbers, c.Text = numbers, nil
		return nil
	}
	for row, cell := range c.Text {
		if allowed(cell) {
			c.Text[row] = ""
		}
	}
	return nil
}

// WriteCSV writes the table with a header, so that ReadCSV reads back the same: numbers in as few digits as bring them back bit
// for bit, a missing number as NaN, a missing text as an empty cell. It fails if the columns differ in length.
func (t *Table) WriteCSV(w io.Writer) error {
	texts := make([][]string, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Len() != t.Len() {
			return graph.Errorf(graph.ErrShape, "column %q has %d cells, column %q %d", c.Name, c.Len(), t.Columns[0].Name, t.Len())
		}
		texts[i] = c.texts()
	}
	buffered := bufio.NewWriter(w)
	c := csv.NewWriter(buffered)
	write := func(cells []string) error {
		if len(cells) == 1 && cells[0] == "" { // a line with nothing in it would be no row
			c.Flush()
			_, err := buffered.WriteString("\"\"\n")
			return err
		}
		return c.Write(cells)
	}
	if err := write(t.Names()); err != nil {
		return err
	}
	cells := make([]string, len(texts))
	for row := range t.Len() {
		for i := range texts {
			cells[i] = texts[i][row]
		}
		if err := write(cells); err != nil {
			return err
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return err
	}
	return buffered.Flush()
}
