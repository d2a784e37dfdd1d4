package figure

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Tile is a small image on a sheet.
type Tile struct {
	Width   int // the image's, in pixels
	Scale   int // pixels of the sheet for each of them; 0 makes the image about 112 wide
	Pixels  []color.Color
	Caption string // a line below it
}

func (t Tile) scale() int {
	if t.Scale > 0 {
		return t.Scale
	}
	return max(side/t.Width, 1)
}

// Ink is an image in shades from white for low to black for high.
func Ink[T float32 | float64](width int, values []T, low, high float64) Tile {
	t := Tile{Width: width}
	for _, v := range values {
		share := min(max((float64(v)-low)/(high-low), 0), 1)
		t.Pixels = append(t.Pixels, color.Gray{uint8(math.Round(255 * (1 - share)))})
	}
	return t
}

// Signed is an image in blue for positive and orange for negative values, white for 0; limit has the full colour.
func Signed[T float32 | float64](width int, values []T, limit float64) Tile {
	t := Tile{Width: width}
	for _, v := range values {
		share, full := min(math.Abs(float64(v))/limit, 1), Blue
		if v < 0 {
			full = Orange
		}
		mix := func(c uint8) uint8 { return uint8(math.Round(255 + share*(float64(c)-255))) }
		t.Pixels = append(t.Pixels, color.RGBA{mix(full.R), mix(full.G), mix(full.B), 255})
	}
	return t
}

// Row is a line of tiles with a title above it, which may be empty.
type Row struct {
	Title string
	Tiles []Tile
}

const (
	side    = 112 // of an image on the sheet, about
	gap     = 20
	writing = 18 // the size of letters
)

// WriteSheet writes rows of tiles as one PNG picture.
func WriteSheet(path string, rows ...Row) error {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: writing, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return err
	}
	defer face.Close()

	width, height := 0, gap
	for _, r := range rows {
		across := gap
		for _, t := range r.Tiles {
			across += max(side, t.Width*t.scale()) + gap
		}
		width = max(width, across, 2*gap+font.MeasureString(face, r.Title).Ceil())
		height += rowHeight(r)
	}
	page := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	write := func(text string, x, baseline int, centred bool) {
		d := font.Drawer{Dst: page, Src: image.NewUniform(color.Gray{0x33}), Face: face, Dot: fixed.P(x, baseline)}
		if centred {
			d.Dot.X -= d.MeasureString(text) / 2
		}
		d.DrawString(text)
	}
	top := gap
	for _, r := range rows {
		y := top
		if r.Title != "" {
			write(r.Title, gap, y+writing, false)
			y += writing + 10
		}
		x := gap
		for _, t := range r.Tiles {
			scale := t.scale()
			frame := image.Rect(x, y, x+scale*t.Width, y+scale*(len(t.Pixels)/t.Width))
			draw.Draw(page, frame.Inset(-1), image.NewUniform(color.Gray{0xBB}), image.Point{}, draw.Src)
			for at, c := range t.Pixels {
				cell := image.Rect(0, 0, scale, scale).Add(image.Pt(x+at%t.Width*scale, y+at/t.Width*scale))
				draw.Draw(page, cell, image.NewUniform(c), image.Point{}, draw.Src)
			}
			write(t.Caption, x+frame.Dx()/2, frame.Max.Y+writing+4, true)
			x += max(side, t.Width*scale) + gap
		}
		top += rowHeight(r)
	}
	return WritePNG(path, page)
}

func rowHeight(r Row) int {
	height, captions := 0, 0
	for _, t := range r.Tiles {
		height = max(height, t.scale()*(len(t.Pixels)/t.Width))
		if t.Caption != "" {
			captions = writing + 8
		}
	}
	if r.Title != "" {
		height += writing + 10
	}
	return height + captions + gap
}
