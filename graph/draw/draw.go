// Package draw shows a graph as a picture: scalable (SVG), readable on light and dark pages, with the line that wrote each
// node in its tooltip. Values flow from the top down, or from the left to the right.
//
// The one idea: a picture is made in five small steps, each in its own file. What is to be drawn (content.go, or summary.go
// for a graph that is too large), in which layer each box lies (layers.go), in which order along the layer (order.go), where
// exactly (place.go), and how that looks (svg.go). It is the layered method of Sugiyama, Tagawa and Toda ("Methods for Visual
// Understanding of Hierarchical System Structures", 1981).
//
// In a notebook a cell that ends in draw.Graph(loss) shows the picture.
package draw

import (
	"fmt"
	"os"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// Options say how a graph is drawn. The zero value is fine.
type Options struct {
	// MaxNodes is how many boxes a picture may have; 0 means 400. A graph with more nodes is summarised: neighbouring nodes
	// which the same line of the user's program built share a box.
	MaxNodes int
	// Horizontal lets values flow from the left to the right instead of from the top down.
	Horizontal bool
}

// Graph draws the expressions of the given nodes: everything they need, themselves marked. An invalid node is drawn with its
// operands and its error; without any node the picture says so. Same nodes, same picture, byte for byte.
func Graph(roots ...*graph.Node) *Picture { return Options{}.Graph(roots...) }

// Graph is like the function Graph, with options.
func (o Options) Graph(roots ...*graph.Node) *Picture {
	if o.MaxNodes <= 0 {
		o.MaxNodes = 400
	}
	c := collect(roots)
	d := c.diagram()
	if len(d.boxes) > o.MaxNodes {
		d = c.summary(o.MaxNodes)
	}
	return &Picture{svg: arrange(d, o.Horizontal).svg(c.title()), listing: c.listing(o.MaxNodes)}
}

// Picture is a drawn graph. It does not change and may be used by many goroutines.
type Picture struct {
	svg     string
	listing string
}

// SVG returns the picture as a complete SVG document.
func (p *Picture) SVG() string {
	if p == nil || p.svg == "" {
		return Graph().SVG()
	}
	return p.svg
}

// String lists the nodes as text, one a line: id, expression, type, the user's line.
func (p *Picture) String() string {
	if p == nil || p.listing == "" {
		return Graph().String()
	}
	return p.listing
}

// SimpleRender is how notebooks show the picture: by MIME type, SVG and as plain text the listing.
func (p *Picture) SimpleRender() map[string]interface{} {
	return map[string]interface{}{"image/svg+xml": p.SVG(), "text/plain": p.String()}
}

// WriteFile writes the SVG document to a file, which it creates or overwrites.
func (p *Picture) WriteFile(path string) error {
	return os.WriteFile(path, []byte(p.SVG()), 0o644)
}

// listing prints at most limit nodes, one a line.
func (c *content) listing(limit int) string {
	var b strings.Builder
	for _, note := range c.notes {
		b.WriteString(note.text + "\n")
	}
	for i, n := range c.nodes {
		if i == limit {
			fmt.Fprintf(&b, "… and %s more\n", count(len(c.nodes)-limit, "node"))
			break
		}
		fmt.Fprintf(&b, "%s : %s  %v\n", definition(n), typeText(n), n.Pos())
	}
	return b.String()
}

// definition prints a node with its operands' ids: "%7 = matmul(%3, %5)".
func definition(n *graph.Node) string {
	if n.Kind() != graph.Op {
		return fmt.Sprintf("%s = %s %s", idText(n), n.Kind(), heading(n))
	}
	operands := make([]string, len(n.Inputs()))
	for i, x := range n.Inputs() {
		operands[i] = idText(x)
	}
	s := fmt.Sprintf("%s = %s(%s)", idText(n), operatorName(n), strings.Join(operands, ", "))
	if attr := n.AttrString(); attr != "" {
		s += " {" + attr + "}"
	}
	if n.Name() != "" {
		s += fmt.Sprintf(" %q", n.Name())
	}
	return s
}
