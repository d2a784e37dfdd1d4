package nn

import (
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/ops"
)

// Summary is a model by its layers: a table as text, a picture as SVG. In a notebook a cell that ends in one shows both.
type Summary struct {
	Rows       []Row
	Parameters int       // elements of all parameters, shared ones once
	Variables  int       // elements of all variables of layers, such as running means
	FLOPs      graph.Dim // of all rows

	input   *graph.Node
	err     error
	picture *draw.Picture
}

// Row is one application of a layer. What it counts is its own, without the layers that are applied within it.
type Row struct {
	Name       string // its place in the model: "encoder.0", "" for the model itself
	Layer      string // its type, or an activation's name
	Output     graph.Type
	Parameters int  // elements of the parameters that it is the first to use
	Shared     bool // it uses parameters that a row before it counts

	// FLOPs are the floating-point operations of a sample in evaluation, as the graph writes them, before anything is fused: two for
	// each multiplication with addition in products and convolutions, one for each element that another operator computes, or reads if it
	// reduces. Moving elements counts nothing, and neither does what depends on parameters alone, which is computed once.
	// The dimension is an expression where a size besides the batch is a symbol; it is not Valid where no share of a sample can be told.
	FLOPs graph.Dim
}

// Summarize builds the model, in a graph of its own, for an input of x's type, and counts. The first dimension of x is the batch. Only the
// type of x is used, so a model can be looked at before it is built or after. If it does not fit, Err and the table say why.
func Summarize(model Layer, x *graph.Node) *Summary {
	if x.Err() != nil {
		return &Summary{err: x.Err()}
	}
	g := graph.New()
	name := x.Name()
	if name == "" {
		name = "x"
	}
	s := &Summary{input: g.Input(name, x.DType(), x.Shape()...)}
	if s.err = s.input.Err(); s.err != nil { // a tuple
		return s
	}
	at := Root(g, "")
	at.next = &sequel{}
	y := at.build(model, s.input)
	s.err = y.Err()
	s.count(at.model, y)
	return s
}

// Err returns why the model does not fit its input, nil if it does.
func (s *Summary) Err() error { return s.err }

// count fills in the rows, in the order in which their results are computed, and the picture.
func (s *Summary) count(m *model, y *graph.Node) {
	g := s.input.Graph()
	owner := make([]*call, len(g.Nodes())) // the innermost call that a node was new in
	for _, c := range m.calls {            // inner ones first
		for id := c.first; id < c.next; id++ {
			if owner[id] == nil {
				owner[id] = c
			}
		}
	}
	moved := fromInput(s.input)
	flops, used := map[*call]graph.Dim{}, evaluated(g, m, y)
	owns := map[*call]bool{}
	for id, n := range g.Nodes() {
		if c := owner[id]; c != nil {
			owns[c] = owns[c] || n.Kind() == graph.Op
			if used[id] && moved[id] {
				flops[c] = flops[c].Add(operations(n))
			}
		}
	}
	seen := map[*graph.Node]bool{}
	rows := map[*call]*Row{}
	for _, c := range m.calls {
		if c.parts > 0 && !owns[c] && len(c.leaves) == 0 {
			continue // it only applies others
		}
		r := Row{Name: c.path, Layer: kind(c.layer), Output: c.out.Type(), FLOPs: perSample(flops[c], s.input.Shape())}
		for _, leaf := range c.leaves {
			switch size := int(leaf.Shape().Size()); {
			case seen[leaf]:
				r.Shared = true
			case leaf.Kind() == graph.Param:
				r.Parameters += size
			default:
				s.Variables += size
			}
			seen[leaf] = true
		}
		s.Parameters += r.Parameters
		s.Rows = append(s.Rows, r)
		rows[c] = &r
	}
	total := graph.Dim(0)
	for _, f := range flops {
		total = total.Add(f)
	}
	s.FLOPs = perSample(total, s.input.Shape())
	s.picture = s.draw(owner, moved, y, rows)
}

// fromInput says of each node whether it depends on x.
func fromInput(x *graph.Node) []bool {
	nodes := x.Graph().Nodes()
	moved := make([]bool, len(nodes))
	for id, n := range nodes {
		moved[id] = n == x || slices.ContainsFunc(n.Inputs(), func(in *graph.Node) bool { return moved[in.ID()] })
	}
	return moved
}

// evaluated says of each node whether y needs it in evaluation; if y is invalid, whether a layer that fits does.
func evaluated(g *graph.Graph, m *model, y *graph.Node) []bool {
	nodes := g.Nodes()
	used := make([]bool, len(nodes))
	if y.Err() == nil {
		used[y.ID()] = true
	} else {
		for _, c := range m.calls {
			if c.out != nil && c.out.Err() == nil {
				used[c.out.ID()] = true
			}
		}
	}
	for id := len(nodes) - 1; id >= 0; id-- {
		n := nodes[id]
		for i, in := range n.Inputs() {
			if used[id] && !(n.Is(ops.ByModeDef) && i == 0) {
				used[in.ID()] = true
			}
		}
	}
	return used
}

// moves are the operators that compute nothing.
var moves = []*graph.Def{ops.TransposeDef, ops.BroadcastToDef, ops.SliceDef, ops.PadDef, ops.ConcatDef, ops.SplitDef, ops.GetDef, ops.TupleDef, ops.ByModeDef,
	ops.TakeDef, ops.TakeAlongAxisDef, ops.UnfoldDef, ops.ShiftDef, ops.DiagonalDef, ops.DiagEmbedDef, ops.CastDef, ops.AssertDimDef, ops.AssertDef, ops.PrintDef}

// operations is the number of floating-point operations of a node; see Row.FLOPs.
func operations(n *graph.Node) graph.Dim {
	d := n.Def()
	switch {
	case d == nil || d.Traits.Has(graph.View) || d.Traits.Has(graph.Identity) || slices.Contains(moves, d):
		return 0
	case d == ops.MatMulDef:
		left := n.In(0).Shape()
		return n.Shape().Size().Mul(left[left.Rank()-1]).Mul(2)
	case d == ops.ConvDef, d == ops.ConvInputDef: // y from x and w, x from y and w: each element of y meets a filter
		y, w := n, n.In(1).Shape()
		if d == ops.ConvInputDef {
			y = n.In(0)
		}
		return y.Shape().Size().Mul(w[1:].Size()).Mul(2)
	}
	result := n.Type()
	if result.IsTuple() {
		result = result.Tuple[0]
	}
	if len(n.Inputs()) > 0 && (d == ops.MaxPoolDef || n.In(0).Shape().Rank() > result.Shape.Rank()) { // it reduces
		return n.In(0).Shape().Size()
	}
	return result.Shape.Size()
}

// perSample is the share of a sample, the first dimension of x being the batch.
func perSample(flops graph.Dim, x graph.Shape) graph.Dim {
	if x.Rank() == 0 {
		return flops
	}
	if share, ok := flops.Div(x[0]); ok {
		return share
	}
	if one, err := flops.Eval(graph.Binding{x[0]: 1}); x[0].IsSymbol() && err == nil {
		return graph.Dim(one)
	}
	return -1
}

// draw makes a box of each stretch of nodes that were new in one call. Operands come before their consumers, so stretches cannot depend on
// each other in a circle, even where a layer computes something before and after others within it.
func (s *Summary) draw(owner []*call, moved []bool, y *graph.Node, rows map[*call]*Row) *draw.Picture {
	boxes := []draw.Box{{Name: s.input.Name(), Details: []string{s.input.Type().String()}, Kind: "input", Tooltip: "the model's input"}}
	at := map[*graph.Node]int{s.input: 0} // the box of a node
	calls := []*call{nil}                 // of the boxes
	var stretch *call
	current := 0
	for id, n := range s.input.Graph().Nodes() {
		c := owner[id]
		if c != stretch {
			stretch, current = c, 0
		}
		if !moved[id] || n == s.input || c == nil {
			continue
		}
		if current == 0 {
			current = len(boxes)
			boxes, calls = append(boxes, draw.Box{Name: kind(c.layer)}), append(calls, c)
		}
		b := &boxes[current]
		at[n] = current
		b.Result = b.Result || n == y
		b.Tooltip += n.Expr() + "\n"
		b.Details = []string{n.Type().String()}
		for _, in := range n.Inputs() {
			if from, ok := at[in]; ok && from != current && !slices.Contains(b.From, from) {
				b.From = append(b.From, from)
			}
		}
	}
	said := map[*call]bool{}
	for i := len(boxes) - 1; i > 0; i-- { // what a layer has is said where it ends
		b, c := &boxes[i], calls[i]
		if at[c.out] == i {
			b.Details = []string{c.out.Type().String()}
		}
		if c.path != "" {
			b.Details = slices.Insert(b.Details, 0, c.path)
		}
		switch r := rows[c]; {
		case said[c]:
		case r.Parameters > 0:
			b.Details = append(b.Details, counted(r.Parameters, "parameter"))
		case r.Shared:
			b.Details = append(b.Details, "shared parameters")
		}
		said[c] = true
		b.Tooltip += c.out.Pos().String()
	}
	return draw.Boxes(s.title(), boxes...)
}

// title is "101,770 parameters, 203,264 FLOPs a sample".
func (s *Summary) title() string {
	return counted(s.Parameters, "parameter") + ", " + dimText(s.FLOPs) + " FLOPs a sample"
}

// String is the table: a row for each layer in the order in which results are computed, and the totals.
func (s *Summary) String() string {
	var b strings.Builder
	if s.input != nil {
		fmt.Fprintf(&b, "model of %s: %v\n", s.input.Name(), s.input.Type())
	}
	table := [][]string{{"place", "layer", "output", "parameters", "FLOPs a sample"}}
	for _, r := range s.Rows {
		parameters, output := grouped(r.Parameters), r.Output.String()
		switch {
		case r.Parameters == 0 && r.Shared:
			parameters = "shared"
		case r.Parameters == 0:
			parameters = ""
		}
		if !r.Output.DType.Valid() && !r.Output.IsTuple() {
			output = "invalid"
		}
		table = append(table, []string{r.Name, r.Layer, output, parameters, dimText(r.FLOPs)})
	}
	table = append(table, []string{"total", "", "", grouped(s.Parameters), dimText(s.FLOPs)})
	var widths [5]int
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range table {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i >= 3:
				cell = "  " + pad + cell
			case i > 0:
				cell = "  " + cell + pad
			default:
				cell += pad
			}
			row[i] = cell
		}
		b.WriteString(strings.TrimRight(strings.Join(row, ""), " ") + "\n")
	}
	if s.Variables > 0 {
		fmt.Fprintf(&b, "and %s elements of variables that are not trained\n", grouped(s.Variables))
	}
	if s.err != nil {
		fmt.Fprintf(&b, "%v\n", s.err)
	}
	return b.String()
}

// Picture is the model drawn by its layers: a box for each, and how values flow between them.
func (s *Summary) Picture() *draw.Picture {
	if s.picture == nil {
		return draw.Boxes("")
	}
	return s.picture
}

// SVG returns the picture as a complete SVG document.
func (s *Summary) SVG() string { return s.Picture().SVG() }

// SimpleRender is how notebooks show the summary: by MIME type, the table above the picture, and the table as plain text.
func (s *Summary) SimpleRender() map[string]interface{} {
	return map[string]interface{}{
		"text/html":  "<pre>" + html.EscapeString(s.String()) + "</pre>\n" + s.SVG(),
		"text/plain": s.String(),
	}
}

func dimText(d graph.Dim) string {
	switch {
	case !d.Valid():
		return "?"
	case d.IsStatic():
		return grouped(int(d))
	}
	return d.String()
}

// grouped writes 101770 as "101,770".
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// counted writes "1 parameter", "101,770 parameters".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return grouped(n) + " " + what
}
