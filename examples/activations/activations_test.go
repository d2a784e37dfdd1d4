package main

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/examples/internal/program"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// Every function of package ops' files of activations that takes an x, and perhaps numbers, hangs in the gallery.
func TestGalleryIsComplete(t *testing.T) {
	files, err := filepath.Glob("../../ops/activation*.go")
	if err != nil || len(files) < 4 {
		t.Fatalf("files %v, %v", files, err)
	}
	var want []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results.NumFields() != 1 {
				continue
			}
			_, returnsNode := f.Type.Results.List[0].Type.(*ast.StarExpr)
			elementwise := returnsNode && f.Type.Params.List[0].Names[0].Name == "x" && len(f.Type.Params.List[0].Names) == 1
			for _, p := range f.Type.Params.List[1:] {
				if name, ok := p.Type.(*ast.Ident); !ok || name.Name != "float64" {
					elementwise = false
				}
			}
			if elementwise {
				want = append(want, f.Name.Name)
			}
		}
	}
	var got []string
	for _, a := range gallery {
		name, _, _ := strings.Cut(a.title, ",")
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the gallery shows\n%v, package ops has\n%v", got, want)
	}
}

// Away from the kinks the derivatives are what differences of the values say, and those of the first derivative. At places
// that are no kinks of any: a kink that the gallery forgot would show, as they all lie at whole numbers.
func TestDerivatives(t *testing.T) {
	const h = 1e-5
	var places []float64
	for x := -5.0; x <= 5; x += 0.25 {
		places = append(places, x)
	}
	for _, a := range gallery {
		at := slices.DeleteFunc(slices.Clone(places), func(x float64) bool { return slices.Contains(a.kinks, x) })
		shifted := func(by float64) (moved []float64) {
			for _, x := range at {
				moved = append(moved, x+by)
			}
			return moved
		}
		var c [3]curves
		for i, places := range [][]float64{shifted(-h), at, shifted(h)} {
			var err error
			if c[i], err = study(context.Background(), a, places); err != nil {
				t.Fatal(err)
			}
		}
		for order := 1; order <= 2; order++ {
			for i, x := range at {
				if want := (c[2][order-1][i] - c[0][order-1][i]) / (2 * h); math.Abs(c[1][order][i]-want) > 1e-8 {
					t.Errorf("%s: derivative %d at %v is %v, differences say %v", a.title, order, x, c[1][order][i], want)
				}
			}
		}
	}
}

// Each of the kinks is one: value, slope or curvature differ on its sides.
func TestKinks(t *testing.T) {
	for _, a := range gallery {
		if !slices.IsSorted(a.kinks) {
			t.Errorf("%s: kinks %v are not in order", a.title, a.kinks)
		}
		for _, x := range a.kinks {
			c, err := study(context.Background(), a, []float64{x - 1e-6, x + 1e-6})
			if err != nil {
				t.Fatal(err)
			}
			if jump := max(math.Abs(c[0][0]-c[0][1]), math.Abs(c[1][0]-c[1][1]), math.Abs(c[2][0]-c[2][1])); jump < 0.1 {
				t.Errorf("%s: no kink at %v: %v", a.title, x, c)
			}
		}
	}
}

func TestStretches(t *testing.T) {
	for _, c := range []struct {
		kinks []float64
		ends  []float64 // first and last of each stretch, but for a little
	}{
		{nil, []float64{-far, far}},
		{[]float64{0, 6}, []float64{-far, 0, 0, far}},
		{[]float64{-1, 1}, []float64{-far, -1, -1, 1, 1, far}},
	} {
		var ends []float64
		for _, s := range stretches(c.kinks) {
			ends = append(ends, s[0], s[len(s)-1])
			if !slices.IsSorted(s) {
				t.Errorf("%v: %v", c.kinks, s)
			}
		}
		if len(ends) != len(c.ends) {
			t.Errorf("%v: ends %v, want %v", c.kinks, ends, c.ends)
			continue
		}
		for i, want := range c.ends {
			if d := math.Abs(ends[i] - want); d == 0 || d > 1e-8 {
				t.Errorf("%v: ends %v, want near %v", c.kinks, ends, c.ends)
			}
		}
	}
}

func TestProgram(t *testing.T) {
	folder := t.TempDir()
	code, stdout, stderr := command("-out", folder)
	if code != program.Succeeded || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if want := "\nGELU                            0.0000    0.5000    -0.1700 …    5.0000    -0.1289 …    1.1289\n"; !strings.Contains(stdout, want) {
		t.Errorf("want %q in\n%s", want, stdout)
	}
	f, err := os.Open(filepath.Join(folder, "gallery.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// Each panel has the three curves.
	for i, a := range gallery {
		size := picture.Bounds().Size()
		var blue, orange, green int
		for y := i / columns * size.Y / 4; y < (i/columns+1)*size.Y/4; y++ {
			for x := i % columns * size.X / columns; x < (i%columns+1)*size.X/columns; x++ {
				r, g, b, _ := picture.At(x, y).RGBA()
				switch [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)} {
				case [3]uint8{figure.Blue.R, figure.Blue.G, figure.Blue.B}:
					blue++
				case [3]uint8{figure.Orange.R, figure.Orange.G, figure.Orange.B}:
					orange++
				case [3]uint8{figure.Green.R, figure.Green.G, figure.Green.B}:
					green++
				}
			}
		}
		if blue < 100 || orange < 100 || green < 30 {
			t.Errorf("%s: %d, %d and %d pixels of the curves", a.title, blue, orange, green)
		}
	}
}

func TestFlags(t *testing.T) {
	if code, _, stderr := command("-out", ""); code != program.WrongUsage || !strings.Contains(stderr, "-out names no folder") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, stdout, _ := command("-h"); code != program.Succeeded || !strings.Contains(stdout, "-out DIR") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
