package plot_test

import (
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/nn/train/plot"
)

func history() *train.History {
	h := &train.History{Names: []string{"loss", "accuracy", "f1"}}
	for i := range 20 {
		x := float64(i)
		e := train.Epoch{Epoch: i + 1, Train: train.Measures{"loss": 2 * math.Exp(-x/5), "accuracy": 1 - math.Exp(-x/4), "f1": x / 20}}
		e.Validation = train.Measures{"loss": 0.3 + 2*math.Exp(-x/5), "accuracy": math.NaN(), "f1": math.Inf(1)}
		if i > 5 {
			e.Validation["accuracy"] = 0.9 - math.Exp(-x/4)
		}
		h.Epochs = append(h.Epochs, e)
	}
	return h
}

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		name   string
		charts []*train.Chart
		inches [2]int
	}{
		{"three", history().Charts(), [2]int{10, 8}},
		{"one", history().Charts()[:1], [2]int{5, 4}},
		{"empty", []*train.Chart{{Title: "nothing"}}, [2]int{5, 4}},
		{"constant", []*train.Chart{{Lines: []train.Line{{Name: "a", X: []float64{1}, Y: []float64{0}}}}}, [2]int{5, 4}},
		{"huge", []*train.Chart{{Lines: []train.Line{{Name: "a", X: []float64{0.5, 2}, Y: []float64{math.MaxFloat64, -1e300}}}}}, [2]int{5, 4}},
	} {
		path := filepath.Join(folder, c.name+".png")
		if err := plot.WriteFile(path, c.charts...); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		if err != nil || picture.Bounds().Dx() != 144*c.inches[0] || picture.Bounds().Dy() != 144*c.inches[1] {
			t.Errorf("%s: %v %v", c.name, picture.Bounds(), err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if c.name == "one" {
			blue := 0
			for y := range picture.Bounds().Dy() {
				for x := range picture.Bounds().Dx() {
					if color.RGBAModel.Convert(picture.At(x, y)) == (color.RGBA{0x00, 0x72, 0xB2, 0xFF}) {
						blue++
					}
				}
			}
			if blue < 500 {
				t.Errorf("the training's curve has %d pixels", blue)
			}
		}

		path = filepath.Join(folder, c.name+".svg")
		if err := plot.WriteFile(path, c.charts...); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		svg, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(svg), "NaN") {
			t.Errorf("%s: %v", c.name, err)
		}
		for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	}
	if err := plot.WriteFile(filepath.Join(folder, "x.jpg"), history().Charts()...); err == nil || !strings.Contains(err.Error(), ".png or .svg") {
		t.Error(err)
	}
	if err := plot.WriteFile(filepath.Join(folder, "x.png")); err == nil {
		t.Error("drew nothing")
	}
}
