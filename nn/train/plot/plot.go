// Package plot draws charts of a training as PNG and SVG files, by gonum.org/v1/plot. It is for programs: a notebook shows a
// *train.History and a *train.Chart by itself, and cannot load what this package links.
//
//	err := plot.WriteFile("curves.png", result.History.Charts()...)
package plot

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/train"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours are those that also the colour-blind tell apart (Okabe and Ito).
var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xFF},
	color.RGBA{0xD5, 0x5E, 0x00, 0xFF},
	color.RGBA{0x00, 0x9E, 0x73, 0xFF},
	color.RGBA{0xCC, 0x79, 0xA7, 0xFF},
}

// WriteFile draws charts side by side, two in a row, into a file whose name ends in .png or .svg.
func WriteFile(path string, charts ...*train.Chart) error {
	var b bytes.Buffer
	var err error
	switch ext := filepath.Ext(path); ext {
	case ".png":
		err = PNG(&b, charts...)
	case ".svg":
		err = SVG(&b, charts...)
	default:
		return graph.Errorf(graph.ErrValue, "a picture %q; its name ends in .png or .svg", path)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// PNG writes charts as a PNG picture, with two pixels a point.
func PNG(w io.Writer, charts ...*train.Chart) error {
	width, height := size(charts)
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(144))
	if err := onto(draw.New(c), charts); err != nil {
		return err
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// SVG writes charts as an SVG document.
func SVG(w io.Writer, charts ...*train.Chart) error {
	c := vgsvg.New(size(charts))
	if err := onto(draw.New(c), charts); err != nil {
		return err
	}
	_, err := c.WriteTo(w)
	return err
}

const columns = 2

func size(charts []*train.Chart) (width, height vg.Length) {
	n := max(len(charts), 1)
	rows := (n + columns - 1) / columns
	return vg.Length(min(n, columns)) * 5 * vg.Inch, vg.Length(rows) * 4 * vg.Inch
}

// onto draws the charts onto a page, level with each other.
func onto(page draw.Canvas, charts []*train.Chart) error {
	if len(charts) == 0 {
		return graph.Errorf(graph.ErrValue, "no charts to draw")
	}
	across := min(len(charts), columns)
	var rows [][]*plot.Plot
	for i, c := range charts {
		p, err := chart(c)
		if err != nil {
			return err
		}
		if i%columns == 0 {
			rows = append(rows, make([]*plot.Plot, across))
		}
		rows[i/columns][i%columns] = p
	}
	tiles := draw.Tiles{Rows: len(rows), Cols: across, PadX: vg.Points(24), PadY: vg.Points(16),
		PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(18)}
	for i, row := range plot.Align(rows, tiles, page) {
		for j, place := range row {
			if rows[i][j] != nil {
				rows[i][j].Draw(place)
			}
		}
	}
	return nil
}

func chart(c *train.Chart) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = c.Title, c.X
	p.Title.Padding, p.X.Padding, p.Y.Padding = vg.Points(6), vg.Points(4), vg.Points(4)
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Legend.Padding, p.Legend.ThumbnailWidth, p.Legend.XOffs = vg.Points(3), vg.Points(22), vg.Points(-6)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xE6}, color.Gray{0xE6}
	p.Add(grid)
	falls := false
	for i, l := range c.Lines {
		if first, last := ends(l.Y); i == 0 {
			falls = first > last
		}
		var thumbnail []plot.Thumbnailer
		for _, piece := range pieces(l) {
			line, dots, err := plotter.NewLinePoints(piece)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = colours[i%len(colours)], vg.Points(1.6)
			dots.Color, dots.Shape, dots.Radius = line.Color, draw.CircleGlyph{}, vg.Points(1.8)
			if len(l.Y) > 100 {
				dots.Radius = 0 // they would only thicken the line
			}
			p.Add(line, dots)
			thumbnail = []plot.Thumbnailer{line, dots}
		}
		if thumbnail != nil {
			p.Legend.Add(l.Name, thumbnail...)
		}
	}
	p.Legend.Top = falls // where the curves are not
	if p.X.Min > p.X.Max {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1 // nothing to draw
	}
	if p.Y.Min > 0 && p.Y.Min < p.Y.Max/2 {
		p.Y.Min = 0
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} { // all values alike
		if d := max(math.Abs(a.Max)/10, 0.5); a.Max-a.Min <= 1e-9*d {
			a.Min, a.Max = a.Min-d, a.Max+d
		}
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) / 20 // with no label at the very top the plots stay level
	p.X.Tick.Marker, p.Y.Tick.Marker = RoundTicks{}, RoundTicks{}
	if whole(c.Lines) {
		p.X.Tick.Marker = WholeTicks{}
	}
	return p, nil
}

// ends are the first and the last value that is a number.
func ends(values []float64) (first, last float64) {
	first = math.NaN()
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			if last = v; math.IsNaN(first) {
				first = v
			}
		}
	}
	return first, last
}

// pieces are the runs of a line between its gaps.
func pieces(l train.Line) (all []plotter.XYs) {
	var now plotter.XYs
	for i, y := range l.Y {
		if i < len(l.X) && math.Abs(y) <= 1e300 && math.Abs(l.X[i]) <= 1e300 {
			now = append(now, plotter.XY{X: l.X[i], Y: y})
		} else if now != nil {
			all, now = append(all, now), nil
		}
	}
	if now != nil {
		all = append(all, now)
	}
	return all
}

func whole(lines []train.Line) bool {
	for _, l := range lines {
		for _, x := range l.X {
			if x != math.Trunc(x) {
				return false
			}
		}
	}
	return true
}

// WholeTicks marks an axis at about six whole numbers: there is no epoch 1.5. Like RoundTicks it is a plot.Ticker.
type WholeTicks struct{}

// Ticks returns 1, 2, 5, 10, 20, 50, … apart.
func (WholeTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	step := 1.0
	for i := 0; (high-low)/step > 7; i++ {
		step *= []float64{2, 2.5, 2}[i%3]
	}
	for k := math.Ceil(low / step); k*step <= high; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step, 'g', 6, 64)})
	}
	return ticks
}
