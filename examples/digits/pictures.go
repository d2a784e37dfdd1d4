package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	tapirdraw "github.com/tapir-ml/tapir/graph/draw"
	"github.com/tapir-ml/tapir/nn/data"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// writePictures writes the pictures into a folder and says what they show.
func writePictures(w io.Writer, folder string, n *network, history []epoch, test *data.Set, read []int64) error {
	var wrong []int
	for i, digit := range test.Y.Int64s() {
		if read[i] != digit {
			wrong = append(wrong, i)
		}
	}
	fmt.Fprintf(w, "\nPictures in %s\n", folder)
	if len(history) == 0 {
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
	fmt.Fprintln(w, "  graph.svg    the network as a graph, from pixels to loss and accuracy")
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
	return tapirdraw.Graph(n.loss, n.accuracy).WriteFile(path)
}

var ( // colours that also the colour-blind tell apart (Okabe and Ito)
	blue   = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	orange = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
)

// lossPicture plots loss and accuracy side by side, for training and validation.
func lossPicture(path string, history []epoch) error {
	curves := func(title string, of func(score) float64) (*plot.Plot, error) {
		p := plot.New()
		p.Title.Text, p.X.Label.Text = title, "epoch"
		p.Title.Padding, p.X.Padding, p.Y.Padding = vg.Points(6), vg.Points(4), vg.Points(4)
		p.Title.TextStyle.Font.Size = vg.Points(13)
		p.Legend.Padding = vg.Points(3)
		p.Legend.ThumbnailWidth = vg.Points(22)
		grid := plotter.NewGrid()
		grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xE6}, color.Gray{0xE6}
		p.Add(grid)
		for _, c := range []struct {
			name  string
			color color.Color
			of    func(epoch) score
		}{
			{"training", blue, func(e epoch) score { return e.train }},
			{"validation", orange, func(e epoch) score { return e.validation }},
		} {
			points := make(plotter.XYs, len(history))
			for i, e := range history {
				points[i] = plotter.XY{X: float64(e.number), Y: of(c.of(e))}
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = c.color, vg.Points(1.6)
			dots.Color, dots.Shape, dots.Radius = c.color, vgdraw.CircleGlyph{}, vg.Points(1.8)
			if len(history) > 100 {
				dots.Radius = 0 // they would only thicken the line
			}
			p.Add(line, dots)
			p.Legend.Add(c.name, line, dots)
		}
		p.X.Min, p.X.Max, p.X.Tick.Marker = 0, max(p.X.Max, 2), wholeTicks{}
		p.Legend.XOffs = vg.Points(-6)
		return p, nil
	}
	loss, err := curves("Loss (cross-entropy, nats)", func(s score) float64 { return s.loss })
	if err != nil {
		return err
	}
	loss.Legend.Top = true
	loss.Y.Min, loss.Y.Max = 0, 1.05*loss.Y.Max // with no label at the very top the two plots stay level
	accuracy, err := curves("Accuracy (%)", func(s score) float64 { return 100 * s.accuracy })
	if err != nil {
		return err
	}
	accuracy.Y.Max = 102

	canvas := vgimg.NewWith(vgimg.UseWH(10*vg.Inch, 4*vg.Inch), vgimg.UseDPI(144))
	tiles := vgdraw.Tiles{Rows: 1, Cols: 2, PadX: vg.Points(24), PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(18)}
	page := vgdraw.New(canvas)
	for i, c := range plot.Align([][]*plot.Plot{{loss, accuracy}}, tiles, page)[0] {
		[]*plot.Plot{loss, accuracy}[i].Draw(c)
	}
	return writePNG(path, canvas.Image())
}

// wholeTicks marks about six whole numbers: there is no epoch 1.5.
type wholeTicks struct{}

func (wholeTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	step := 1.0
	for i := 0; (high-low)/step > 7; i++ {
		step *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50, …
	}
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(int(v))})
	}
	return ticks
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
	return shown, writePNG(path, page)
}

// pixelsOf returns a function that gives a pixel of an example, from 0 (paper) to 1 (ink).
func pixelsOf(s *data.Set) func(example, at int) float64 {
	if values, ok := s.X.Data().([]float32); ok {
		return func(example, at int) float64 { return float64(values[64*example+at]) }
	}
	values := s.X.Float64s()
	return func(example, at int) float64 { return values[64*example+at] }
}

func writePNG(path string, picture image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
