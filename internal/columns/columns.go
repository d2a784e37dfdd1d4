// Package columns aligns listings.
package columns

import (
	"strings"
	"unicode/utf8"
)

// Align pads the cells that tabs separate, so that each column is as wide as its widest cell plus two. It counts runes, where
// text/tabwriter counts the bytes of "·" and "…" as several columns. Trailing spaces are dropped.
func Align(text string) string {
	var width []int
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		for i, cell := range strings.Split(line, "\t") {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, line := range lines {
		var b strings.Builder
		cells := strings.Split(line, "\t")
		for j, cell := range cells {
			b.WriteString(cell)
			if j < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", width[j]-utf8.RuneCountInString(cell)+2))
			}
		}
		lines[i] = strings.TrimRight(b.String(), " ")
	}
	return strings.Join(lines, "\n")
}
