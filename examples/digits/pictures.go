package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"math"
	"path/filepath"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	graphdraw "github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/nn/train/plot"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// writePictures writes the pictures into a folder and says what they show.
func writePictures(w io.Writer, folder string, n *network, history *train.History, test *data.Set, read []int64) error {
	var wrong []int
	for i, digit := range test.Y.Int64s() {
		if read[i] != digit {
			wrong = append(wrong, i)
		}
	}
	fmt.Fprintf(w, "\nPictures in %s\n", folder)
	if len(history.Epochs) == 0 {
		fmt.Fprintln(w, "  no loss.png: no epoch was finished")
	} else {
		if err := lossPicture(filepath.Join(folder, "loss.png"), history); err != nil {
			return err
		}
		fmt.Fprintln(w, "  loss.png     loss and accuracy, epoch by epoch")
	}
	if err := graphPicture(filepath.Join(folder, "graph.svg"), n); err != nil {
		return err
	}
	fmt.Fprintln(w, "  graph.svg    the network as a graph, from pixels to loss")
	shown, err := misreadPicture(filepath.Join(folder, "misread.png"), test, read, wrong)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the %d test images that were read wrong", shown)
	switch {
	case shown == 0:
		what = "no test image was read wrong, and it says so"
	case shown < len(wrong):
		what = fmt.Sprintf("the first %d of the %d test images that were read wrong", shown, len(wrong))
	case shown == 1:
		what = "the one test image that was read wrong"
	}
	fmt.Fprintln(w, "  misread.png  "+what)
	return nil
}

// graphPicture draws the network.
func graphPicture(path string, n *network) error {
	return graphdraw.Graph(n.loss).WriteFile(path)
}

var ( // colours that also the colour-blind tell apart (Okabe and Ito)
	blue   = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	orange = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
)

// lossPicture plots loss and accuracy side by side, for training and validation.
func lossPicture(path string, history *train.History) error {
	charts := history.Charts()
	charts[0].Title, charts[1].Title = "Loss (cross-entropy, nats)", "Accuracy (%)"
	for _, l := range charts[1].Lines {
		for i := range l.Y {
			l.Y[i] *= 100
		}
	}
	return plot.WriteFile(path, charts...)
}

// Sizes in misread.png, in pixels of the picture.
const (
	enlarged = 20 // a pixel of an image
	side     = 8 * enlarged
	gap      = 28
	caption  = 58 // two lines of text below an image
	columns  = 5
	rows     = 2
)

// misreadPicture draws the first few of the images that were read wrong, and returns how many.
func misreadPicture(path string, test *data.Set, read []int64, wrong []int) (shown int, err error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return 0, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 20, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return 0, err
	}
	defer face.Close()

	shown = min(len(wrong), columns*rows)
	across := max(min(shown, columns), 1)
	down := max((shown+columns-1)/columns, 1)
	page := image.NewRGBA(image.Rect(0, 0, gap+across*(side+gap), gap+down*(side+caption+gap)-gap/2))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	write := func(text string, ink color.Color, centre, baseline int) {
		d := font.Drawer{Dst: page, Src: image.NewUniform(ink), Face: face}
		d.Dot = fixed.P(centre, baseline)
		d.Dot.X -= d.MeasureString(text) / 2
		d.DrawString(text)
	}
	if shown == 0 {
		write("none misread", color.Gray{0x66}, page.Bounds().Dx()/2, page.Bounds().Dy()/2)
	}
	pixel := pixelsOf(test)
	for i, example := range wrong[:shown] {
		left, top := gap+i%columns*(side+gap), gap+i/columns*(side+caption+gap)
		frame := image.Rect(left, top, left+side, top+side)
		draw.Draw(page, frame.Inset(-1), image.NewUniform(color.Gray{0xBB}), image.Point{}, draw.Src)
		for at := range 64 {
			cell := image.Rect(0, 0, enlarged, enlarged).Add(image.Pt(left+at%8*enlarged, top+at/8*enlarged))
			paper := color.Gray{uint8(math.Round(255 * (1 - min(max(pixel(example, at), 0), 1))))}
			draw.Draw(page, cell, image.NewUniform(paper), image.Point{}, draw.Src)
		}
		write(fmt.Sprintf("read as %d", read[example]), orange, left+side/2, top+side+24)
		write(fmt.Sprintf("is %d", test.Y.Int64s()[example]), blue, left+side/2, top+side+48)
	}
	return shown, figure.WritePNG(path, page)
}

// pixelsOf returns a function that gives a pixel of an example, from 0 (paper) to 1 (ink).
func pixelsOf(s *data.Set) func(example, at int) float64 {
	if values, ok := s.X.Data().([]float32); ok {
		return func(example, at int) float64 { return float64(values[64*example+at]) }
	}
	values := s.X.Float64s()
	return func(example, at int) float64 { return values[64*example+at] }
}
