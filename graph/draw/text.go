package draw

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels.
const (
	nameSize   = 12.0
	detailSize = 10.5
	lineHeight = 14.0
	padding    = 10.0 // beside the text of a box
	longest    = 36   // characters of a line in a box; the tooltip has them all
)

// measure writes into each box what it takes from elsewhere, and gives it its size.
func (l *layout) measure() {
	for i := range l.boxes {
		b, v := &l.boxes[i], &l.vertices[i]
		b.name = shorten(b.name, longest)
		width := textWidth(b.name, nameSize, true)
		if b.arguments = arguments(b.operands); b.arguments != "" {
			width += textWidth(" "+b.arguments, nameSize, false)
		}
		lines := 0
		for _, operand := range b.operands {
			if operand.from >= 0 {
				lines++
			}
		}
		width = max(width, min(9*float64(lines), 240))
		for j, line := range b.details {
			b.details[j] = shorten(line, longest)
			width = max(width, textWidth(b.details[j], detailSize, false))
		}
		v.width = math.Ceil(max(40, width+2*padding))
		v.height = 12 + lineHeight*float64(1+len(b.details))
		v.across, v.along = v.width, v.height
		if l.horizontal {
			v.across, v.along = v.height, v.width
		}
	}
}

// arguments writes the operands of a box where some have no line: "(·, 0.5)".
func arguments(operands []operand) string {
	var parts []string
	some := false
	for _, x := range operands {
		if x.from < 0 {
			some = true
			parts = append(parts, shorten(x.text, 14))
		} else {
			parts = append(parts, "·")
		}
	}
	if !some {
		return ""
	}
	if len(parts) > 4 {
		kept := parts[:0]
		for _, part := range parts {
			if part != "·" {
				kept = append(kept, part)
			}
		}
		parts = append([]string{"…"}, kept[:min(3, len(kept))]...)
		if len(kept) > 3 {
			parts = append(parts, "…")
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// shorten cuts text to so many characters, in the middle, because paths and shapes tell most at their ends.
func shorten(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= most {
		return string(runes)
	}
	head := (most - 1) * 2 / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

// textWidth estimates the width of text in a sans-serif face. No font is at hand where a picture is made, so it is on the wide
// side of the usual system fonts.
func textWidth(text string, size float64, bold bool) float64 {
	ems := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfI.,:;'|!()[] ·", r):
			ems += 0.33
		case strings.ContainsRune("mwMW%@—…", r):
			ems += 0.92
		case r >= 'A' && r <= 'Z':
			ems += 0.70
		case r < utf8.RuneSelf:
			ems += 0.60
		case r > 0x2e80: // ideographs
			ems += 1
		default:
			ems += 0.65
		}
	}
	if bold {
		ems *= 1.07
	}
	return ems * size
}

// wrap breaks text at spaces into lines of at most so many pixels.
func wrap(text string, size, most float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && textWidth(line+" "+word, size, false) > most {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// escape makes text fit for XML, also text that holds what XML 1.0 cannot hold at all.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\n':
			b.WriteString("&#10;")
		case r < 0x20 && r != '\t', r == 0xfffe, r == 0xffff:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// number prints a coordinate to a tenth of a pixel.
func number(v float64) string {
	v = math.Round(v*10) / 10
	if v == 0 {
		v = 0 // no "-0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
