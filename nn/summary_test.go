package nn_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// A model prints as a table of its layers.
func ExampleSummarize() {
	x := graph.New().Input("x", graph.Float32, graph.Symbol("batch"), 784)
	model := nn.Sequential{
		&nn.Linear{Out: 128}, &nn.BatchNorm{}, nn.ReLU, nn.Dropout{P: 0.2},
		&nn.Residual{Body: nn.Sequential{&nn.Linear{Out: 128}, nn.ReLU}},
		&nn.Linear{Out: 10},
	}
	fmt.Println(nn.Summarize(model, x))
	// Output:
	// model of x: float32(batch, 784)
	// place     layer      output               parameters  FLOPs a sample
	// 0         Linear     float32(batch, 128)     100,480         200,832
	// 1         BatchNorm  float32(batch, 128)         256             256
	// 2         ReLU       float32(batch, 128)                         128
	// 3         Dropout    float32(batch, 128)                           0
	// 4.body.0  Linear     float32(batch, 128)      16,512          32,896
	// 4.body.1  ReLU       float32(batch, 128)                         128
	// 4         Residual   float32(batch, 128)                         128
	// 5         Linear     float32(batch, 10)        1,290           2,570
	// total                                        118,538         236,938
	// and 256 elements of variables that are not trained
}

// resNet18 is the network of 18 layers of He et al. 2015, table 1, with the projections of option B.
func resNet18() nn.Layer {
	conv := func(out, kernel, stride int) nn.Layer {
		return nn.Sequential{&nn.Conv2D{Out: out, Kernel: []int{kernel}, Stride: []int{stride}, Padding: []int{kernel / 2}, NoBias: true}, &nn.BatchNorm{}}
	}
	model := nn.Sequential{conv(64, 7, 2), nn.ReLU, nn.MaxPool2D{Kernel: []int{3}, Stride: []int{2}, Padding: []int{1}}}
	for stage, width := range []int{64, 128, 256, 512} {
		for block := range 2 {
			r := &nn.Residual{}
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
				r.Shortcut = conv(width, 1, 2)
			}
			r.Body = nn.Sequential{conv(width, 3, stride), nn.ReLU, conv(width, 3, 1)}
			model = append(model, r, nn.ReLU)
		}
	}
	return append(model, nn.GlobalAvgPool{}, &nn.Linear{Out: 1000})
}

// The figures of a network that others have counted: torchvision's resnet18 has 11,689,512 parameters, 9,600 elements of running statistics
// and 1,814,073,344 multiplications with additions for an image of 224 × 224, batch norms aside.
func TestSummaryOfResNet18(t *testing.T) {
	s := nn.Summarize(resNet18(), graph.New().Input("x", graph.Float32, batch, 3, 224, 224))
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	products := graph.Dim(0)
	for _, r := range s.Rows {
		if r.Layer == "Conv2D" || r.Layer == "Linear" {
			products += r.FLOPs
		}
	}
	if want := graph.Dim(2*1_814_073_344 + 1000); s.Parameters != 11_689_512 || s.Variables != 9_600 || products != want { // + the bias at the end
		t.Errorf("%d parameters, %d elements of variables, %d FLOPs in products, want %d", s.Parameters, s.Variables, products, want)
	}
	wellFormed(t, s.SVG())
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// around computes something before and after another layer.
type around struct{ inner nn.Layer }

func (l *around) Build(s *nn.Scope, x *graph.Node) *graph.Node {
	h := ops.Exp(x)
	y := s.Apply("inner", l.inner, h)
	return ops.Mul(ops.Mul(y, h), s.Param("scale", x.DType(), initializers.Ones(), 3))
}

func TestRowsCountTheirOwn(t *testing.T) {
	shared := &nn.Linear{Out: 3}
	length := graph.Symbol("length")
	for _, c := range []struct {
		name    string
		model   nn.Layer
		in      []graph.Dim
		want    string // rows: place, layer, parameters, FLOPs
		total   string
		picture string // without the input's
	}{
		{"a layer alone", shared, []graph.Dim{batch, 3}, "[ Linear 12 21]", "12 21", "#1 = Linear(#0)  float64(batch, 3)  12 parameters"},
		{"a batch of known size", shared, []graph.Dim{5, 3}, "[ Linear 12 21]", "12 21", "#1 = Linear(#0)  float64(5, 3)  12 parameters"},
		{"a size that is a symbol", nn.Sequential{shared}, []graph.Dim{batch, length, 3}, "[0 Linear 12 21*length]", "12 21*length",
			"#1 = Linear(#0)  0  float64(batch, length, 3)  12 parameters"},
		{"one row", nn.Softmax, []graph.Dim{7}, "[ Softmax 0 1]", "0 1", "#1 = Softmax(#0)  float64(7)"},
		{"shared weights count once", nn.Sequential{shared, nn.Tanh, shared}, []graph.Dim{batch, 3},
			"[0 Linear 12 21] [1 Tanh 0 3] [0 Linear 0 21]", "12 45",
			"#1 = Linear(#0)  0  float64(batch, 3)  12 parameters\n#2 = Tanh(#1)  1  float64(batch, 3)\n#3 = Linear(#2)  0  float64(batch, 3)  shared parameters"},
		{"before and after", &around{shared}, []graph.Dim{batch, 3}, "[inner Linear 12 21] [ around 3 9]", "15 30",
			"#1 = around(#0)  float64(batch, 3)\n#2 = Linear(#1)  inner  float64(batch, 3)  12 parameters\n#3 = around(#2, #1)  float64(batch, 3)  3 parameters"},
		{"what does nothing", nn.Sequential{nn.Dropout{}, nn.Sequential{}}, []graph.Dim{batch, 3}, "[0 Dropout 0 0] [1 Sequential 0 0]", "0 0", ""},
		{"a mask depends on parameters alone", &nn.MaskedLinear{Out: 1, Connected: func(in, out int) bool { return in > 0 }}, []graph.Dim{batch, 3},
			"[ MaskedLinear 4 7]", "4 7", "#1 = MaskedLinear(#0)  float64(batch, 1)  4 parameters"},
		{"windows", nn.Sequential{nn.AvgPool1D{Kernel: []int{3}, Stride: []int{1}}}, []graph.Dim{batch, 2, 5}, "[0 AvgPool1D 0 24]", "0 24", "#1 = AvgPool1D(#0)  0  float64(batch, 2, 3)"},
		{"a sum over the batch has no share of a sample", nn.Func(func(x *graph.Node) *graph.Node { return ops.Exp(ops.Sum(x, 0)) }), []graph.Dim{batch, length}, "[ Func 0 ?]", "0 ?",
			"#1 = Func(#0)  float64(length)"},
	} {
		g := graph.New()
		x := g.Input("x", graph.Float64, c.in...)
		s := nn.Summarize(c.model, x)
		if s.Err() != nil || len(g.Nodes()) != 1 {
			t.Errorf("%s: %v; %d nodes in the graph of x", c.name, s.Err(), len(g.Nodes()))
		}
		flops := func(d graph.Dim) string {
			if !d.Valid() {
				return "?"
			}
			return d.String()
		}
		var rows []string
		for _, r := range s.Rows {
			rows = append(rows, fmt.Sprint("[", r.Name, " ", r.Layer, " ", r.Parameters, " ", flops(r.FLOPs), "]"))
		}
		if got := strings.Join(rows, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := fmt.Sprint(s.Parameters, " ", flops(s.FLOPs)); got != c.total {
			t.Errorf("%s: in all %s, want %s", c.name, got, c.total)
		}
		_, boxes, _ := strings.Cut(strings.TrimSpace(s.Picture().String()), "\n")
		if boxes != c.picture {
			t.Errorf("%s: the picture is\n%s\nwant\n%s", c.name, boxes, c.picture)
		}
		wellFormed(t, s.SVG())
	}
}

// A model that does not fit has a summary all the same, up to the mistake.
func TestSummaryOfMistakes(t *testing.T) {
	x := input(graph.New(), "x", 4)
	s := nn.Summarize(nn.Sequential{&nn.Linear{Out: 3}, &nn.Linear{}}, x)
	const table = `model of x: float64(batch, 4)
place  layer   output             parameters  FLOPs a sample
0      Linear  float64(batch, 3)          15              27
1      Linear  invalid                                     0
total                                     15              27
summary_test.go:LINE: Linear "1": Out = 0 features; Out is 1 or more
`
	before, after, _ := strings.Cut(table, "LINE")
	if got := s.String(); !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) || s.Err() == nil {
		t.Errorf("%s\nwant\n%s", got, table)
	}
	wellFormed(t, s.SVG())
	for name, s := range map[string]*nn.Summary{
		"no model":       nn.Summarize(nil, x),
		"no result":      nn.Summarize(nn.Func(func(*graph.Node) *graph.Node { return nil }), x),
		"no input":       nn.Summarize(nn.ReLU, nil),
		"an invalid one": nn.Summarize(nn.ReLU, ops.Sum(x, 9)),
		"a tuple":        nn.Summarize(nn.ReLU, ops.Tuple(x, x)),
		"another graph":  nn.Summarize(nn.Func(func(y *graph.Node) *graph.Node { return ops.Add(x, y) }), x),
	} {
		if s.Err() == nil || !strings.Contains(s.String(), s.Err().Error()) {
			t.Errorf("%s: %v in\n%s", name, s.Err(), s)
		}
		wellFormed(t, s.SVG())
	}
}

func TestSummariesInNotebooks(t *testing.T) {
	s := nn.Summarize(nn.Sequential{&nn.Linear{Out: 3}}, input(graph.New(), "x", 4))
	shown := s.SimpleRender()
	text, _ := shown["text/plain"].(string)
	page, _ := shown["text/html"].(string)
	if text != s.String() || !strings.HasPrefix(page, "<pre>model of x") || !strings.Contains(page, "<svg ") {
		t.Errorf("%v", shown)
	}
}
