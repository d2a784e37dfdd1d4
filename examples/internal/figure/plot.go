// Package figure draws what the examples show: plots side by side, in one manner, and sheets of small images.
package figure

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"

	curves "github.com/tapir-ml/tapir/nn/train/plot"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Colours that also the colour-blind tell apart (Okabe and Ito).
var (
	Blue   = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	Orange = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	Green  = color.RGBA{0x00, 0x9E, 0x73, 0xFF}
	Purple = color.RGBA{0xCC, 0x79, 0xA7, 0xFF}
	Sky    = color.RGBA{0x56, 0xB4, 0xE9, 0xFF}
	Amber  = color.RGBA{0xE6, 0x9F, 0x00, 0xFF}
	Grey   = color.RGBA{0x99, 0x99, 0x99, 0xFF}

	// Palette is them in an order for curves and classes: neighbours differ most.
	Palette = []color.Color{Blue, Orange, Green, Purple, Amber, Sky,
		color.RGBA{0x33, 0x33, 0x33, 0xFF}, color.RGBA{0x8C, 0x56, 0x4B, 0xFF}, Grey, color.RGBA{0xBC, 0xBD, 0x22, 0xFF}}
)

// Plot is a plot whose methods remember the first error, so that only Write has to be asked.
type Plot struct {
	*plot.Plot
	err error
}

// New is an empty plot on a light grid.
func New(title, x, y string) *Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding, p.X.Padding, p.Y.Padding = vg.Points(6), vg.Points(4), vg.Points(4)
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Legend.Padding, p.Legend.XOffs, p.Legend.ThumbnailWidth = vg.Points(3), vg.Points(-6), vg.Points(22)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xE6}, color.Gray{0xE6}
	p.Add(grid)
	p.X.Tick.Marker, p.Y.Tick.Marker = curves.RoundTicks{}, curves.RoundTicks{}
	return &Plot{Plot: p}
}

func points(x, y []float64) plotter.XYs {
	all := make(plotter.XYs, len(y))
	for i := range all {
		all[i] = plotter.XY{X: float64(i + 1), Y: y[i]}
		if x != nil {
			all[i].X = x[i]
		}
	}
	return all
}

// Line adds a curve; x may be nil for 1, 2, 3, …, and an empty name has no place in the legend. An empty curve draws nothing.
func (p *Plot) Line(name string, ink color.Color, x, y []float64) *Plot {
	return p.line(name, ink, nil, x, y)
}

// Dashed adds a broken curve.
func (p *Plot) Dashed(name string, ink color.Color, x, y []float64) *Plot {
	return p.line(name, ink, []vg.Length{vg.Points(4), vg.Points(3)}, x, y)
}

func (p *Plot) line(name string, ink color.Color, dashes []vg.Length, x, y []float64) *Plot {
	if len(y) == 0 || p.err != nil {
		return p
	}
	l, err := plotter.NewLine(points(x, y))
	if err != nil {
		p.err = fmt.Errorf("%s, %s: %w", p.Title.Text, name, err)
		return p
	}
	l.Color, l.Width, l.Dashes = ink, vg.Points(1.6), dashes
	p.Add(l)
	if name != "" {
		p.Legend.Add(name, l)
	}
	return p
}

// Dots adds points of a radius.
func (p *Plot) Dots(name string, ink color.Color, radius float64, x, y []float64) *Plot {
	if len(y) == 0 || p.err != nil {
		return p
	}
	s, err := plotter.NewScatter(points(x, y))
	if err != nil {
		p.err = fmt.Errorf("%s, %s: %w", p.Title.Text, name, err)
		return p
	}
	s.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(radius), Shape: draw.CircleGlyph{}}
	p.Add(s)
	if name != "" {
		p.Legend.Add(name, s)
	}
	return p
}

// WholeTicks marks about six whole numbers on the axis of x: there is no epoch 1.5.
func (p *Plot) WholeTicks() *Plot {
	p.X.Tick.Marker = curves.WholeTicks{}
	return p
}

// Write writes rows of plots, as many in each row, as one PNG picture. Sizes are in inches, of 144 pixels.
func Write(path string, width, height float64, rows ...[]*Plot) error {
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(width)*vg.Inch, vg.Length(height)*vg.Inch), vgimg.UseDPI(144))
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: vg.Points(24), PadY: vg.Points(16),
		PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(18)}
	plots := make([][]*plot.Plot, len(rows))
	for i, row := range rows {
		for _, p := range row {
			if p.err != nil {
				return p.err
			}
			plots[i] = append(plots[i], p.Plot)
		}
	}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		for k, c := range row {
			plots[i][k].Draw(c)
		}
	}
	return WritePNG(path, canvas.Image())
}

// WritePNG writes a picture.
func WritePNG(path string, picture image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
