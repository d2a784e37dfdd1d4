package race

import "io"

// What other races need of this one.

// Ratios says how many times longer a peer took than Tapir in the pairs of batches peer[i], own[i]: by the fastest batch of
// each, and by the median over the pairs.
func Ratios(peer, own []float64) (byMin, byMedian float64) {
	return (&track{peer: peer, tapir: own}).ratios()
}

// Minimum is the smallest of x, Median the middle one; 0 if x is empty.
func Minimum(x []float64) float64 { return minimum(x) }
func Median(x []float64) float64  { return median(x) }

// Ratio is a ratio as tables show it.
func Ratio(x float64) string { return ratio(x) }

// WriteAligned prints lines of cells as a Markdown table; the first is its head.
func WriteAligned(w io.Writer, lines [][]string) error { return writeAligned(w, lines) }

// Pin keeps the calling thread, which must be locked to its goroutine, and the processes that it starts on one processor.
func Pin() (undo func()) { return pin() }
