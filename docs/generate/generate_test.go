package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/ops"
)

// Every operator and every function that builds nodes has its place on the page, and says what it is.
func TestPageIsWhole(t *testing.T) {
	root := filepath.Join("..", "..")
	c, err := parse(filepath.Join(root, "ops"))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := c.probe(root)
	if err != nil {
		t.Fatal(err)
	}
	text := page(c, facts)
	for _, d := range ops.Catalogue() {
		if !strings.Contains(text, "`"+d.Name+"`") {
			t.Errorf("operator %s is not on the page", d.Name)
		}
	}
	for _, f := range c.functions {
		if !strings.Contains(text, "\n| `"+f.name+"(") {
			t.Errorf("function %s is not on the page", f.name)
		}
		if f.doc == "" {
			t.Errorf("function ops.%s has no doc comment: its formula, shapes and conventions belong there", f.name)
		}
	}
	for _, r := range ops.Rules() {
		if !strings.Contains(text, "| "+r.Name+" |") {
			t.Errorf("rule %s is not on the page", r.Name)
		}
	}
	if again := page(c, facts); again != text {
		t.Error("the page is another one each time")
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Count(line, "|")-strings.Count(line, `\|`) > 4 {
			t.Errorf("a row of too many cells: %s", line)
		}
	}

	// What is drawn is what the functions are.
	for name, want := range map[string]func(x float64) (y, dy float64){
		"Tanh":    func(x float64) (y, dy float64) { return math.Tanh(x), 1 / math.Pow(math.Cosh(x), 2) },
		"ReLU":    func(x float64) (y, dy float64) { return max(x, 0), min(max(math.Ceil(x), 0), 1) },
		"Sigmoid": func(x float64) (y, dy float64) { s := 1 / (1 + math.Exp(-x)); return s, s * (1 - s) },
	} {
		curve := facts.Curves[name]
		if len(curve.Y) < 200 {
			t.Errorf("%s has no curve", name)
		}
		for i := range curve.Y {
			x := curve.Lo + (curve.Hi-curve.Lo)*float64(i)/float64(len(curve.Y)-1)
			if y, dy := want(x); math.Abs(*curve.Y[i]-y) > 1e-12 || math.Abs(*curve.DY[i]-dy) > 1e-12 {
				t.Fatalf("%s at %v: %v, %v, want %v, %v", name, x, *curve.Y[i], *curve.DY[i], y, dy)
			}
		}
	}
	for name, curve := range facts.Curves {
		d := xml.NewDecoder(strings.NewReader(curve.svg()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("the picture of %s: %v", name, err)
			}
		}
		if !strings.Contains(text, pictureOf(name)) {
			t.Errorf("the picture of %s is not on the page", name)
		}
	}
}

const source = `// Package ops is for a test.
package ops

import "graph"

// The definitions of halves. A half is half of it.
var HalfDef = new(graph.Def)

// Half returns x | 2.
//
//	Half(4) = 2
func Half(x, y *graph.Node, axis, n int, dims ...graph.Dim) *graph.Node { return helper(HalfDef, x) }

func helper(d *graph.Def, x *graph.Node) *graph.Node { return Twice(x).Named("") }

// Twice returns several.
func Twice(xs ...*graph.Node) (values, indices *graph.Node) { return }

// Number is no constructor.
func Number(x *graph.Node) int { return 0 }
`

func TestSource(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "some_halves.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := parse(folder)
	if err != nil {
		t.Fatal(err)
	}
	text := page(c, &facts{Defs: map[string]fact{"HalfDef": {Name: "half", InPlace: true, Example: "(2) → (1)"}}, Orphan: []string{"hidden"}})
	for _, want := range []string{
		"| `Half(x, y, axis, n int, dims ...Dim)` | x \\| 2.<br>`Half(4) = 2` | `half`, in place<br>(2) → (1) |\n",
		"| `Twice(xs...) → values, indices` | several. | a constant |\n",
		"## Some halves\n\nA half is half of it.\n",
		"| [Some halves](#some-halves) | `Half` `Twice` |\n",
		"the gradients of others do. `hidden`.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Number") {
		t.Error("a function that builds no node is on the page")
	}
	if _, err := parse(t.TempDir()); err == nil {
		t.Error("a folder without functions is no error")
	}
}

// Rounding does not depend on the last bits.
func TestPixels(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 2.25: "2.3", math.Nextafter(2.25, 0): "2.3", -2.26: "-2.3", 100.04: "100"} {
		if got := pixels(v); got != want {
			t.Errorf("%v is printed as %s, want %s", v, got, want)
		}
	}
	one, two := 1.0, 2.0
	c := curve{Call: "f(<x>)", Lo: 0, Hi: 4, Y: []number{&one, &one, nil, &two, &two}, DY: []number{&one, &one, &one, &one, &one}}
	if got, want := c.path(c.Y), "M10 102L36 102M88 76L114 76"; got != want {
		t.Errorf("drawn as %s, want %s", got, want)
	}
	if got, want := c.path(c.DY), "M10 102L36 102M88 102L114 102"; got != want {
		t.Errorf("the derivative where there is no value is drawn: %s, want %s", got, want)
	}
	if svg := c.svg(); !strings.Contains(svg, "f(&lt;x&gt;)") {
		t.Errorf("text breaks the picture: %s", svg)
	}
}
