package data

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/tapir-ml/tapir/graph"
)

// How much of a table or a set is shown.
const (
	shownRows    = 5
	shownColumns = 10
)

// preview is the beginning of a table or a set, as cells, and a line about the whole.
type preview struct {
	about string
	rows  [][]string // the first has the names
	cut   bool       // there are more rows
}

// String shows the first rows of the table.
func (t *Table) String() string { return t.preview().text() }

// SimpleRender shows a notebook the first rows of the table.
func (t *Table) SimpleRender() map[string]interface{} { return t.preview().render() }

// String shows the first examples of the set and what is to be found for them, and how many examples each label has.
func (s *Set) String() string { return s.preview().text() }

// SimpleRender shows a notebook what String shows.
func (s *Set) SimpleRender() map[string]interface{} { return s.preview().render() }

func (t *Table) preview() (p preview) {
	if t == nil {
		return preview{about: "no table"}
	}
	p.about = fmt.Sprintf("%s of %s", count(t.Len(), "row"), count(len(t.Columns), "column"))
	p.cut = t.Len() > shownRows
	names := t.Names()
	p.rows = [][]string{shorten(names)}
	for row := range min(t.Len(), shownRows) {
		cells := make([]string, 0, len(t.Columns))
		for i := range t.Columns {
			switch c := &t.Columns[i]; {
			case row >= c.Len():
				cells = append(cells, "")
			case c.Numbers != nil:
				cells = append(cells, brief(c.Numbers[row]))
			default:
				cells = append(cells, c.Text[row])
			}
		}
		p.rows = append(p.rows, shorten(cells))
	}
	return p
}

func (s *Set) preview() (p preview) {
	c, err := s.columns()
	if err != nil {
		return preview{about: "not a proper set: " + err.Error()}
	}
	width := c.x.Len() / max(c.len(), 1)
	p.about = fmt.Sprintf("%s of %s, %v", count(c.len(), "example"), count(width, "feature"), c.x.DType)
	p.cut = c.len() > shownRows
	names := slices.Clone(s.Features)
	if len(names) != width {
		names = names[:0]
		for i := range width {
			names = append(names, strconv.Itoa(i))
		}
	}
	target := "target"
	if c.y.DType == graph.Int64 {
		target = "label"
		if counts, err := s.Counts(); err == nil {
			p.about += "; " + count(len(counts), "label")
			for label, n := range counts {
				p.about += map[bool]string{true: ": ", false: ", "}[label == 0] + s.nameOf(int64(label)) + " " + strconv.Itoa(n)
			}
		}
	}
	p.rows = [][]string{append(shorten(names), target)}
	for row := range min(c.len(), shownRows) {
		cells := make([]string, width)
		for i := range cells {
			cells[i] = brief(c.x.At(row*width + i))
		}
		found := make([]string, c.y.Len()/c.len())
		for i := range found {
			if found[i] = brief(c.y.At(row*len(found) + i)); target == "label" {
				found[i] = s.nameOf(c.y.I64()[row])
			}
		}
		p.rows = append(p.rows, append(shorten(cells), strings.Join(shorten(found), " ")))
	}
	return p
}

// nameOf is what a label is called.
func (s *Set) nameOf(label int64) string {
	if label >= 0 && label < int64(len(s.Labels)) {
		return s.Labels[label]
	}
	return strconv.FormatInt(label, 10)
}

// shorten leaves out the middle of many cells.
func shorten(cells []string) []string {
	if len(cells) <= shownColumns {
		return slices.Clone(cells)
	}
	return append(append(slices.Clone(cells[:shownColumns-1]), "…"), cells[len(cells)-1])
}

func brief(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (p preview) text() string {
	var b strings.Builder
	b.WriteString(p.about + "\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range p.rows {
		for _, cell := range cells {
			fmt.Fprintf(w, "%s\t", strings.NewReplacer("\n", " ", "\t", " ").Replace(cell))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a strings.Builder does not fail
	if p.cut {
		b.WriteString("  …\n")
	}
	return b.String()
}

func (p preview) render() map[string]interface{} {
	var b strings.Builder
	b.WriteString("<table>")
	for i, cells := range p.rows {
		b.WriteString("<tr>")
		for _, cell := range cells {
			tag := map[bool]string{true: "th", false: "td"}[i == 0]
			fmt.Fprintf(&b, "<%s>%s</%s>", tag, html.EscapeString(cell), tag)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table>")
	more := ""
	if p.cut {
		more = "… "
	}
	return map[string]interface{}{"text/plain": p.text(), "text/html": b.String() + "<p>" + more + html.EscapeString(p.about) + "</p>"}
}
