package train_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/nn/train"
	"pgregory.net/rapid"
)

// parseSVG checks that a picture is well-formed, has no number that is none, and has the texts.
func parseSVG(t interface{ Errorf(string, ...any) }, svg string, texts ...string) {
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%v in\n%s", err, svg)
			return
		}
	}
	if !strings.HasPrefix(svg, "<svg ") || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("no picture:\n%s", svg)
	}
	for _, text := range texts {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in\n%s", text, svg)
		}
	}
}

func TestHistoryShowsItself(t *testing.T) {
	h := curves(30, func(x float64) float64 { return 2 * math.Exp(-x/5) }, func(x float64) float64 { return 0.3 + 2*math.Exp(-x/5) })
	parseSVG(t, h.SVG(), ">loss<", ">training<", ">validation<", ">epoch<", ">0.5<", ">2.0<", ">15<")
	if h.SimpleRender()["image/svg+xml"] != h.SVG() || h.SimpleRender()["text/plain"] != h.String() {
		t.Error("a notebook would show something else")
	}
	if text := h.String(); strings.Count(text, "\n") != 12 || !strings.Contains(text, "epoch 30  loss 0.0061  validation 0.3061\n") || !strings.Contains(text, "Still learning: ") {
		t.Errorf("%s", text)
	}
	parseSVG(t, (&train.History{}).SVG())
	parseSVG(t, (&train.History{Names: []string{"loss"}}).SVG())
}

// Whatever the values, there is a picture of finite numbers.
func TestAnyChart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.OneOf(rapid.Float64(), rapid.Float64Range(-3, 3), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), -math.MaxFloat64, math.MaxFloat64, 0, 5e-324})))
		c := train.Chart{Title: rapid.String().Filter(printable).Draw(t, "title"), X: "x"}
		for range rapid.IntRange(0, 5).Draw(t, "lines") {
			c.Lines = append(c.Lines, train.Line{Name: "a<b&c", X: values.Draw(t, "x"), Y: values.Draw(t, "y")})
		}
		parseSVG(t, c.SVG())
	})
}

// printable leaves out what XML cannot hold, and the two words that parseSVG looks for.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > 0xd7ff {
			return false
		}
	}
	return !strings.Contains(s, "NaN") && !strings.Contains(s, "Inf")
}
