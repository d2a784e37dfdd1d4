package draw

import (
	"fmt"
	"slices"
	"strings"
)

// Box is a box of a picture that is not of a graph's nodes: a layer of a model, say.
type Box struct {
	Name    string
	Details []string // further lines, in a smaller type
	Tooltip string
	Kind    string // "input" or "layer": the form, the colour and the entry in the legend; left out: "layer"
	Result  bool   // marked as what the picture is for
	From    []int  // where it takes values from: the places in the list of boxes before it; others are left out
}

// Boxes draws boxes and the lines between them, under a title.
func Boxes(title string, boxes ...Box) *Picture { return Options{}.Boxes(title, boxes...) }

// Boxes is like the function Boxes, with options; MaxNodes means nothing here.
func (o Options) Boxes(title string, boxes ...Box) *Picture {
	d := &diagram{}
	var listing strings.Builder
	for i, b := range boxes {
		drawn := box{class: b.Kind, asked: b.Result, name: b.Name, details: slices.Clone(b.Details), tooltip: b.Tooltip, id: fmt.Sprintf("#%d", i)}
		if drawn.class != "input" {
			drawn.class = "layer"
		}
		var from []string
		for _, source := range b.From {
			if source >= 0 && source < i {
				drawn.operands = append(drawn.operands, operand{from: source})
				from = append(from, fmt.Sprintf("#%d", source))
			}
		}
		d.boxes = append(d.boxes, drawn)
		fmt.Fprintf(&listing, "#%d = %s(%s)  %s\n", i, b.Name, strings.Join(from, ", "), strings.Join(b.Details, "  "))
	}
	if len(boxes) == 0 {
		d.notes = append(d.notes, note{"Nothing to draw: no boxes were given.", false})
		listing.WriteString(d.notes[0].text + "\n")
	}
	return &Picture{svg: arrange(d, o.Horizontal).svg(title), listing: listing.String()}
}
