package figure

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// count says how many pixels have the colour.
func count(picture image.Image, ink color.Color) (n int) {
	r, g, b, _ := ink.RGBA()
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if r1, g1, b1, _ := picture.At(x, y).RGBA(); r == r1 && g == g1 && b == b1 {
				n++
			}
		}
	}
	return n
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plot.png")
	p := New("two curves", "epoch", "loss").Line("falls", Blue, nil, []float64{3, 2, 1}).Dots("", Orange, 3, []float64{1, 2}, []float64{2, 2}).WholeTicks()
	q := New("none", "", "").Line("empty", Green, nil, nil).Dashed("bound", Green, []float64{0, 1}, []float64{1, 1})
	if err := Write(path, 8, 3, []*Plot{p, q}); err != nil {
		t.Fatal(err)
	}
	picture := read(t, path)
	if size := picture.Bounds().Size(); size != image.Pt(8*144, 3*144) {
		t.Errorf("size %v", size)
	}
	for _, ink := range []color.Color{Blue, Orange, Green} {
		if count(picture, ink) < 50 {
			t.Errorf("%d pixels of %v", count(picture, ink), ink)
		}
	}
	bad := New("bad", "", "").Line("hole", Blue, nil, []float64{1, math.NaN()})
	if err := Write(path, 8, 3, []*Plot{bad}); err == nil || !strings.Contains(err.Error(), "bad, hole") {
		t.Errorf("a NaN: %v", err)
	}
}

func TestWriteSheet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sheet.png")
	ink := Ink(2, []float32{0, 1, 2, 0.5}, 0, 1)
	ink.Caption = "ink"
	if err := WriteSheet(path, Row{"a title", []Tile{ink, Signed(2, []float64{-2, 2, 0, 0}, 1)}}, Row{"", []Tile{ink}}); err != nil {
		t.Fatal(err)
	}
	picture := read(t, path)
	cell := side / 2 * (side / 2)
	if n := count(picture, color.Black); n < 4*cell || n > 4*cell+200 { // two black cells on each of two tiles
		t.Errorf("%d black pixels, a cell has %d", n, cell)
	}
	if n := count(picture, Blue); n != cell {
		t.Errorf("%d blue pixels, a cell has %d", n, cell)
	}
	if n := count(picture, Orange); n != cell {
		t.Errorf("%d orange pixels, a cell has %d", n, cell)
	}
}

// A plane with high values above its diagonal: blue above, orange below, the border between, and a plane that is all one value.
func TestField(t *testing.T) {
	const n = 41
	var values []float64
	for i := range n * n {
		values = append(values, 0.5+float64(i/n-i%n)/20)
	}
	path := filepath.Join(t.TempDir(), "field.png")
	p, flat := New("halves", "", "").Field(values, -1, 1, 0, 1), New("flat", "", "").Field(make([]float64, 9), 0, 1, -1, 1)
	if err := Write(path, 8, 4, []*Plot{p, flat}); err != nil {
		t.Fatal(err)
	}
	picture := read(t, path)
	at := func(share, up float64) (r, g, b uint32) { // within the left plot's field
		r, g, b, _ = picture.At(int(80+share*(8*72-120)), int(4*144-80-up*(4*144-120))).RGBA()
		return r, g, b
	}
	if r, _, b := at(0.1, 0.9); b < r+0x5000 {
		t.Errorf("upper left: red %x, blue %x", r, b)
	}
	if r, _, b := at(0.9, 0.1); r < b+0x5000 {
		t.Errorf("lower right: red %x, blue %x", r, b)
	}
	if border := count(picture, color.Gray{0x33}); border < 100 {
		t.Errorf("a border of %d pixels", border)
	}
	if err := Write(path, 4, 4, []*Plot{New("odd", "", "").Field(make([]float64, 8), 0, 1, 0, 1)}); err == nil || !strings.Contains(err.Error(), "odd: 8 values are no square") {
		t.Error(err)
	}
}
