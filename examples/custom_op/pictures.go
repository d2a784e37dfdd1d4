package main

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"

	"github.com/tapir-ml/tapir/nn/data"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

var ( // colours that also the colour-blind tell apart (Okabe and Ito)
	blue   = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	orange = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	grey   = color.Gray{0x99}
)

// neuronPicture draws one pattern of each class, and below it what the neuron does whose firing differs most between the classes.
func neuronPicture(path string, n *network, test *data.Set) error {
	if _, err := n.run(context.Background(), n.asker, test); err != nil {
		return err
	}
	potential, err := n.asker.Value(n.potential)
	if err != nil {
		return err
	}
	fired, err := n.asker.Value(n.fired)
	if err != nil {
		return err
	}
	v, s := potential.Float32s(), fired.Float32s()
	neuron := mostTelling(s, test.Y.Int64s())

	var rows [2][]*plot.Plot
	for class, title := range []string{"upwards", "downwards"} {
		example := 0
		for test.Y.Int64s()[example] != int64(class) {
			example++
		}
		raster := newPlot("A wave that runs "+title, "channel")
		raster.X.Max, raster.Y.Min, raster.Y.Max = duration-1, -1, channels
		var in, out, trace plotter.XYs
		for t := range duration {
			for c := range channels {
				if test.X.Float32s()[(example*duration+t)*channels+c] > 0 {
					in = append(in, plotter.XY{X: float64(t), Y: float64(c)})
				}
			}
			at := (example*duration+t)*hidden + neuron
			trace = append(trace, plotter.XY{X: float64(t), Y: float64(v[at])})
			if s[at] > 0 {
				out = append(out, plotter.XY{X: float64(t), Y: float64(v[at])})
			}
		}
		if err := addDots(raster, in, blue, 1.8); err != nil {
			return err
		}
		membrane := newPlot(fmt.Sprintf("Neuron %d: %s", neuron, count(len(out), "spike")), "potential")
		line, err := plotter.NewLine(trace)
		if err != nil {
			return err
		}
		line.Color, line.Width = blue, vg.Points(1.4)
		limit, err := plotter.NewLine(plotter.XYs{{X: 0, Y: threshold}, {X: duration - 1, Y: threshold}})
		if err != nil {
			return err
		}
		limit.Color, limit.Dashes = grey, []vg.Length{vg.Points(4), vg.Points(3)}
		membrane.Add(line, limit)
		if err := addDots(membrane, out, orange, 3); err != nil {
			return err
		}
		membrane.X.Label.Text = "step of time"
		rows[0], rows[1] = append(rows[0], raster), append(rows[1], membrane)
	}
	for _, p := range rows[1] { // one scale for both
		p.Y.Min, p.Y.Max = min(rows[1][0].Y.Min, rows[1][1].Y.Min), max(rows[1][0].Y.Max, rows[1][1].Y.Max)
	}
	return writePlots(path, rows[:], 6.5*vg.Inch)
}

// mostTelling returns the neuron whose number of spikes differs most between the classes, in the mean.
func mostTelling(fired []float32, classes []int64) int {
	var sums [hidden]float64
	var examples [2]float64
	for _, class := range classes {
		examples[class]++
	}
	for example, class := range classes {
		for i, s := range fired[example*duration*hidden:][:duration*hidden] {
			sums[i%hidden] += float64(s) * float64(1-2*class) / examples[class]
		}
	}
	best := 0
	for i, d := range sums {
		if math.Abs(d) > math.Abs(sums[best]) {
			best = i
		}
	}
	return best
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// lossPicture plots loss and accuracy side by side, for training and validation.
func lossPicture(path string, history []epoch) error {
	loss, accuracy := newPlot("Loss (cross-entropy, nats)", ""), newPlot("Accuracy (%)", "")
	for _, c := range []struct {
		name  string
		color color.Color
		of    func(epoch) score
	}{
		{"training", blue, func(e epoch) score { return e.train }},
		{"validation", orange, func(e epoch) score { return e.validation }},
	} {
		var l, a plotter.XYs
		for i, e := range history {
			l = append(l, plotter.XY{X: float64(i + 1), Y: c.of(e).loss})
			a = append(a, plotter.XY{X: float64(i + 1), Y: 100 * c.of(e).accuracy})
		}
		for p, points := range map[*plot.Plot]plotter.XYs{loss: l, accuracy: a} {
			line, err := plotter.NewLine(points)
			if err != nil {
				return err
			}
			line.Color, line.Width = c.color, vg.Points(1.6)
			p.Add(line)
			p.Legend.Add(c.name, line)
		}
	}
	for _, p := range []*plot.Plot{loss, accuracy} {
		p.X.Label.Text = "epoch"
		p.X.Min, p.X.Max = 0, max(p.X.Max, 2)
	}
	loss.Legend.Top, loss.Y.Min, accuracy.Y.Max = true, 0, 102
	return writePlots(path, [][]*plot.Plot{{loss, accuracy}}, 4*vg.Inch)
}

func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, y
	p.Title.Padding, p.X.Padding, p.Y.Padding = vg.Points(6), vg.Points(4), vg.Points(4)
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Legend.Padding, p.Legend.XOffs = vg.Points(3), vg.Points(-6)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xE6}, color.Gray{0xE6}
	p.Add(grid)
	return p
}

// addDots adds points, if there are any.
func addDots(p *plot.Plot, points plotter.XYs, ink color.Color, radius float64) error {
	if len(points) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(radius), Shape: draw.CircleGlyph{}}
	p.Add(dots)
	return nil
}

// writePlots writes rows of plots as one picture.
func writePlots(path string, rows [][]*plot.Plot, height vg.Length) error {
	canvas := vgimg.NewWith(vgimg.UseWH(10*vg.Inch, height), vgimg.UseDPI(144))
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: vg.Points(24), PadY: vg.Points(16),
		PadTop: vg.Points(10), PadBottom: vg.Points(10), PadLeft: vg.Points(10), PadRight: vg.Points(18)}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		for k, c := range row {
			rows[i][k].Draw(c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, canvas.Image()); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
