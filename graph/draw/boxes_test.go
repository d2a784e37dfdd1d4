package draw_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph/draw"
)

func TestBoxes(t *testing.T) {
	p := draw.Boxes("a model <of> boxes",
		draw.Box{Name: "x", Kind: "input", From: []int{0, 5, -1}}, // nothing comes before it
		draw.Box{Name: "Linear", Details: []string{"0", "(batch, 3)"}, Tooltip: "a & b", From: []int{0}},
		draw.Box{Name: "Residual", Result: true, From: []int{0, 1}},
	)
	const listing = "#0 = x()  \n#1 = Linear(#0)  0  (batch, 3)\n#2 = Residual(#0, #1)  \n"
	if p.String() != listing {
		t.Errorf("%q, want %q", p.String(), listing)
	}
	svg := p.SVG()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for text, n := range map[string]int{
		`class="node input"`: 1, `class="node layer"`: 1, `class="node layer asked"`: 1, "a model &lt;of&gt; boxes": 2, "a &amp; b": 1,
		`class="line"`: 2, // those of x share a trunk
	} {
		if got := strings.Count(svg, text); got != n {
			t.Errorf("%d times %s, want %d", got, text, n)
		}
	}
	if p := draw.Boxes(""); !strings.Contains(p.SVG(), "Nothing to draw") || !strings.Contains(p.String(), "Nothing to draw") {
		t.Error(p)
	}
	wide := draw.Options{Horizontal: true}.Boxes("", draw.Box{Name: "x"}, draw.Box{Name: "y", From: []int{0}})
	if wide.SVG() == draw.Boxes("", draw.Box{Name: "x"}, draw.Box{Name: "y", From: []int{0}}).SVG() {
		t.Error("from the left to the right is as from the top down")
	}
}
