package draw

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"pgregory.net/rapid"
)

// randomGraph draws a graph of any form: chains, fans, shared and repeated operands, scalars, several results.
func randomGraph(t *rapid.T) (roots []*graph.Node) {
	g := graph.New()
	var nodes []*graph.Node
	for i, n := 0, rapid.IntRange(1, 60).Draw(t, "nodes"); i < n; i++ {
		name := strings.Repeat("ab<&\"", rapid.IntRange(0, 6).Draw(t, "length")) + fmt.Sprint(i)
		pick := func() *graph.Node {
			back := rapid.IntRange(1, len(nodes)).Draw(t, "operand")
			return nodes[len(nodes)-back]
		}
		kind := 0
		if len(nodes) > 0 {
			kind = rapid.IntRange(0, 9).Draw(t, "kind")
		}
		switch kind {
		case 0:
			nodes = append(nodes, g.Param(name, graph.Float32, graph.Zeros(), 3, 3))
		case 1:
			nodes = append(nodes, g.Input(name, graph.Float32, graph.Symbol("batch"), 3))
		case 2:
			nodes = append(nodes, g.Full(graph.Float32, float64(i)))
		case 3, 4:
			nodes = append(nodes, apply(relu, pick()))
		case 5:
			wide := make([]*graph.Node, rapid.IntRange(1, 12).Draw(t, "operands"))
			for j := range wide {
				wide[j] = pick()
			}
			nodes = append(nodes, graph.Apply(sum, nil, wide...))
		default:
			nodes = append(nodes, apply(sub, pick(), pick()))
		}
	}
	for i := rapid.IntRange(1, 4).Draw(t, "roots"); i > 0; i-- {
		roots = append(roots, nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "root")])
	}
	return append(roots, nodes[len(nodes)-1])
}

func layoutOf(roots []*graph.Node, o Options) *layout {
	c := collect(roots)
	d := c.diagram()
	if o.MaxNodes > 0 && len(d.boxes) > o.MaxNodes {
		d = c.summary(o.MaxNodes)
	}
	return arrange(d, o.Horizontal)
}

func randomOptions(t *rapid.T) Options {
	return Options{Horizontal: rapid.Bool().Draw(t, "horizontal"), MaxNodes: rapid.SampledFrom([]int{0, 1, 5, 20}).Draw(t, "most")}
}

func TestBoxesDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := layoutOf(randomGraph(t), randomOptions(t))
		for _, layer := range l.layers {
			for i := 1; i < len(layer); i++ {
				u, v := l.vertices[layer[i-1]], l.vertices[layer[i]]
				if gap := (v.x - v.across/2) - (u.x + u.across/2); gap < lineGap-1e-9 {
					t.Fatalf("neighbours %d and %d are %.2f pixels apart", layer[i-1], layer[i], gap)
				}
			}
		}
		for i := 1; i < len(l.layers); i++ {
			if l.bandStart[i] <= l.bandEnd[i-1] {
				t.Fatalf("layers %d and %d overlap", i-1, i)
			}
		}
		for v := range l.vertices {
			if x, half := l.vertices[v].x, l.vertices[v].across/2; x-half < -1e-9 || x+half > l.extent+1e-9 || math.IsNaN(x) {
				t.Fatalf("vertex %d lies off the page", v)
			}
			if l.end(v) > l.bandEnd[l.vertices[v].layer]+1e-9 || l.start(v) < l.bandStart[l.vertices[v].layer]-1e-9 {
				t.Fatalf("vertex %d leaves its layer", v)
			}
		}
	})
}

func TestLinesGoFromEarlierToLaterLayers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := layoutOf(randomGraph(t), randomOptions(t))
		for i := range l.boxes {
			for _, x := range l.boxes[i].operands {
				if x.from >= 0 && l.vertices[x.from].layer >= l.vertices[i].layer {
					t.Fatalf("box %d in layer %d reads box %d in layer %d", i, l.vertices[i].layer, x.from, l.vertices[x.from].layer)
				}
			}
		}
		placed := 0
		for i, layer := range l.layers {
			if len(layer) == 0 {
				t.Fatalf("layer %d is empty", i)
			}
			for _, v := range layer {
				placed++
				for _, w := range l.vertices[v].down {
					if l.vertices[w].layer != i+1 {
						t.Fatalf("the line %d–%d skips a layer", v, w)
					}
				}
			}
		}
		if placed != len(l.vertices) {
			t.Fatalf("%d of %d vertices have a layer", placed, len(l.vertices))
		}
	})
}

func TestEveryOperandIsALineOrIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roots := randomGraph(t)
		l := layoutOf(roots, Options{})
		drawn := 0
		for _, arrows := range l.arrows() {
			drawn += len(arrows)
			for _, a := range arrows {
				if v := l.vertices[a.to]; math.Abs(a.x-v.x) > v.across/2 {
					t.Fatalf("an arrow misses box %d", a.to)
				}
			}
		}
		for _, b := range l.boxes {
			for _, x := range b.operands {
				if x.from < 0 {
					drawn++
				}
			}
		}
		want := 0
		for _, n := range collect(roots).nodes {
			want += len(n.Inputs())
		}
		if drawn != want {
			t.Fatalf("%d operands are drawn, the graph has %d", drawn, want)
		}
	})
}

func TestSVGIsWellFormedAndDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roots, o := randomGraph(t), randomOptions(t)
		svg := o.Graph(roots...).SVG()
		if err := wellFormed(svg); err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Fatal("a coordinate is not finite")
		}
		if again := o.Graph(roots...).SVG(); again != svg {
			t.Fatal("the same graph gave another picture")
		}
	})
}

func wellFormed(document string) error {
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestTextThatXMLCannotHold(t *testing.T) {
	g := graph.New()
	x := g.Input("a<b>&\"c\"\x00\x1b\xff\ufffe]]>", graph.Float32, 2)
	if err := wellFormed(Graph(x).SVG()); err != nil {
		t.Error(err)
	}
}

func TestTooltipsHoldTheUsersLine(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, 2)
	_, _, line, _ := runtime.Caller(0)
	y := graph.Apply(sum, axes{[]int{0}}, x) // one line further
	svg := Graph(y).SVG()
	for _, want := range []string{fmt.Sprintf("draw_test.go:%d</title>", line+1), "attributes: axes=[0]", "type: float32"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
}

func TestGradientsAreTold(t *testing.T) {
	loss, params := mlp(2)
	svg := Graph(gradient(loss, params)...).SVG()
	if n := strings.Count(svg, `<g class="node gradient`); n == 0 || !strings.Contains(svg, "(gradient of models_test.go:") {
		t.Errorf("%d gradient boxes", n)
	}
}

func TestWeightsStandBesideTheirConsumer(t *testing.T) {
	loss, params := mlp(5)
	l := layoutOf([]*graph.Node{loss}, Options{})
	for i, b := range l.boxes {
		for _, x := range b.operands {
			if x.from >= 0 && l.boxes[x.from].class == "param" && l.vertices[i].layer != l.vertices[x.from].layer+1 {
				t.Errorf("%s is %d layers before its consumer", l.boxes[x.from].name, l.vertices[i].layer-l.vertices[x.from].layer)
			}
		}
	}
	if len(params) != 10 {
		t.Fatal("the model has changed")
	}
}

func TestTheSpineIsStraight(t *testing.T) {
	loss, _ := mlp(3)
	l := layoutOf([]*graph.Node{loss}, Options{})
	for i := range l.boxes {
		if l.boxes[i].class == "op" && l.vertices[i].x != l.vertices[len(l.boxes)-1].x {
			t.Errorf("%s stands beside the line of operators", l.boxes[i].name)
		}
	}
	if n := l.crossings(); n != 0 {
		t.Errorf("%d crossings", n)
	}
}

func TestScalarsAreWrittenInTheirConsumer(t *testing.T) {
	g := graph.New()
	x, half := g.Input("x", graph.Float32, 2), g.Full(graph.Float32, 0.5)
	svg := Graph(apply(div, half, x)).SVG()
	if !strings.Contains(svg, "(0.5, ·)") || strings.Contains(svg, `class="node constant`) {
		t.Errorf("no (0.5, ·) in\n%s", svg)
	}
	if svg := Graph(half).SVG(); !strings.Contains(svg, `class="node constant asked"`) {
		t.Errorf("a constant that is asked for has no box:\n%s", svg)
	}
}

// Whatever a cell of a notebook holds, the picture says what is wrong.
func TestNothingToDraw(t *testing.T) {
	var nilGraph *graph.Graph
	other := graph.New().Input("other", graph.Float32, 2)
	for _, test := range []struct {
		name string
		p    *Picture
		want string
	}{
		{"no nodes", Graph(), "no nodes were given"},
		{"a nil node", Graph(nil, other), "a nil node"},
		{"an invalid node", Graph(mistake()), "inner dimensions differ"},
		{"what follows from it", Graph(apply(relu, apply(relu, mistake()))), "inner dimensions differ"},
		{"an operator on nil", Graph(graph.Apply(relu, nil, nil)), "nil"},
		{"no operator", Graph(other.Graph().Apply(nil, nil, other)), "nil *graph.Def"},
		{"a nil graph", Graph(nilGraph.Constant(1)), "nil *graph.Graph"},
		{"two graphs", Graph(other, graph.New().Input("x", graph.Float32)), "other"},
		{"a nil picture", nil, "no nodes were given"},
		{"a zero picture", &Picture{}, "no nodes were given"},
	} {
		for mime, text := range test.p.SimpleRender() {
			if !strings.Contains(strings.Join(strings.Fields(stripTags(text.(string))), " "), test.want) {
				t.Errorf("%s: %s does not say %q:\n%s", test.name, mime, test.want, text)
			}
		}
		if err := wellFormed(test.p.SVG()); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// stripTags leaves the text of a document, since long notes are broken into lines.
func stripTags(document string) string {
	var b strings.Builder
	inside := false
	for _, r := range document {
		switch {
		case r == '<':
			inside = true
			b.WriteByte(' ')
		case r == '>':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func TestLargeGraphsAreSummarised(t *testing.T) {
	svg := Graph(deep(400)).SVG() // 1,601 nodes
	if n := strings.Count(svg, `<g class="node`); n > 400 || n < 50 {
		t.Errorf("%d boxes", n)
	}
	if !strings.Contains(svg, "Drawn in summary") {
		t.Error("no note says that this is a summary")
	}
	if svg := (Options{MaxNodes: 5000}).Graph(deep(400)).SVG(); strings.Count(svg, `<g class="node`) != 1601 {
		t.Error("MaxNodes above the number of nodes does not draw each")
	}
}

// BenchmarkTenThousandNodes draws large graphs of several kinds, in summary and whole: time is linear or nearly so, even where
// lines span thousands of layers.
func BenchmarkTenThousandNodes(b *testing.B) {
	nested := func() *graph.Node { // a reverse pass reads values in the opposite order: lines over up to 5,000 layers
		g := graph.New()
		h := []*graph.Node{g.Input("x", graph.Float32, 8)}
		for i := 0; i < 5000; i++ {
			h = append(h, apply(relu, h[i]))
		}
		d := h[5000]
		for i := 4999; i >= 0; i-- {
			d = apply(mul, d, h[i])
		}
		return d
	}
	wide := func() *graph.Node {
		g := graph.New()
		x := g.Input("x", graph.Float32, 8)
		list := make([]*graph.Node, 5000)
		for i := range list {
			list[i] = apply(relu, g.Param(fmt.Sprint(i), graph.Float32, graph.Zeros(), 8))
		}
		return graph.Apply(sum, nil, append(list, x)...)
	}
	for _, c := range []struct {
		name string
		root *graph.Node
	}{{"residual", deep(2500)}, {"nested", nested()}, {"wide", wide()}} {
		for _, o := range []Options{{}, {MaxNodes: 1 << 20}} {
			b.Run(fmt.Sprintf("%s/max=%d", c.name, o.MaxNodes), func(b *testing.B) {
				for b.Loop() {
					if o.Graph(c.root).SVG() == "" {
						b.Fatal("no picture")
					}
				}
			})
		}
	}
}

func TestWriteFile(t *testing.T) {
	p := Graph(mistake())
	path := filepath.Join(t.TempDir(), "graph.svg")
	if err := p.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != p.SVG() {
		t.Errorf("the file does not hold the picture: %v", err)
	}
	if err := p.WriteFile(filepath.Join(path, "below", "a", "file")); err == nil {
		t.Error("an impossible path gives no error")
	}
}
