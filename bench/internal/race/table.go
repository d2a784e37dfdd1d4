package race

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/bench/internal/native"
)

// merge makes one result of several runs of the same case by the same peer: the fastest time, the highest ceiling and the
// median of the medians and of the ratios. The order is that of the first appearance.
func merge(results []Result) []Result {
	type key struct{ peer, name string }
	at := map[key][]Result{}
	var order []key
	for _, r := range results {
		k := key{r.Peer, r.Case}
		if at[k] == nil {
			order = append(order, k)
		}
		at[k] = append(at[k], r)
	}
	var merged []Result
	for _, k := range order {
		runs := at[k]
		pick := func(field func(Result) float64) (x []float64) {
			for _, r := range runs {
				x = append(x, field(r))
			}
			return x
		}
		r := runs[len(runs)-1]
		r.NsOpMin = minimum(pick(func(r Result) float64 { return r.NsOpMin }))
		r.GFLOPS = slices.Max(pick(func(r Result) float64 { return r.GFLOPS }))
		r.NsOpMedian = median(pick(func(r Result) float64 { return r.NsOpMedian }))
		r.FractionOfPeak = median(pick(func(r Result) float64 { return r.FractionOfPeak }))
		r.RatioMin = median(pick(func(r Result) float64 { return r.RatioMin }))
		r.RatioMedian = median(pick(func(r Result) float64 { return r.RatioMedian }))
		runs = slices.DeleteFunc(runs, func(r Result) bool { return r.QuietPairs == 0 })
		r.RatioQuiet = median(pick(func(r Result) float64 { return r.RatioQuiet }))
		r.QuietPairs = 0
		for _, q := range runs {
			r.QuietPairs += q.QuietPairs
		}
		merged = append(merged, r)
	}
	return merged
}

// enough quiet pairs are what an aim is held against; where there are fewer, it is all pairs.
const enough = 5

func (r *Result) score() float64 {
	if r.QuietPairs >= enough {
		return r.RatioQuiet
	}
	return r.RatioMedian
}

// best is the native peer that comes closest to Tapir by the median, or nil.
func best(peers []Result) (b *Result) {
	for i, r := range peers {
		if slices.Contains(native.Names, r.Peer) && (b == nil || r.score() < b.score()) {
			b = &peers[i]
		}
	}
	return b
}

// WriteTable prints a line for each case, in Markdown: Tapir's speed, the ratio to the best native peer and the aim, and the
// ratios to all peers. Runs of the same case are merged.
func WriteTable(w io.Writer, results []Result) error {
	var order []string
	rows := map[string][]Result{}
	present := map[string]bool{}
	var ceilings []string
	for _, r := range merge(results) {
		if r.Peer == Ceiling {
			ceilings = append(ceilings, fmt.Sprintf("%s, %d thread(s): %.1f GFLOP/s", r.DType, r.Threads, r.GFLOPS))
			continue
		}
		if rows[r.Case] == nil {
			order = append(order, r.Case)
		}
		rows[r.Case] = append(rows[r.Case], r)
		present[r.Peer] = true
	}
	var peers []string
	for _, p := range append(slices.Clone(Peers), Self) {
		if p != Tapir && present[p] {
			peers = append(peers, p)
		}
	}
	slices.Sort(ceilings)
	lines := [][]string{append([]string{"M,K,N", "op", "act", "dtype", "threads", "tapir GFLOP/s (of ceiling)", "best native", "quiet pairs", "aim"}, peers...)}
	for _, name := range order {
		if cells := tableRow(rows[name], peers); cells != nil {
			lines = append(lines, cells)
		}
	}
	if err := writeAligned(w, lines); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nMultiply-add ceiling: %s.\n", strings.Join(ceilings, "; "))
	return err
}

func tableRow(row []Result, peers []string) []string {
	at := slices.IndexFunc(row, func(r Result) bool { return r.Peer == Tapir })
	if at < 0 {
		return nil
	}
	t := row[at]
	threads := fmt.Sprint(t.Threads)
	cells := []string{fmt.Sprintf("%d,%d,%d", t.M, t.K, t.N), t.Op, t.Act, t.DType, threads, fmt.Sprintf("%.1f (%.2f)", t.GFLOPS, t.FractionOfPeak), "", "", ""}
	b := best(row)
	if b != nil {
		cells[6] = b.Peer + " " + ratioCell(*b)
		if b.QuietPairs > 0 {
			cells[7] = fmt.Sprintf("%s (%d)", ratio(b.RatioQuiet), b.QuietPairs)
		}
	}
	if t.Aim > 0 {
		cells[8] = fmt.Sprintf("%.2f", t.Aim)
		if b != nil {
			cells[8] += map[bool]string{true: " met", false: " **missed**"}[rounded(b.score()) >= t.Aim]
		}
	}
	for _, p := range peers {
		cell := ""
		if i := slices.IndexFunc(row, func(r Result) bool { return r.Peer == p }); i >= 0 {
			cell = ratioCell(row[i])
		}
		cells = append(cells, cell)
	}
	return cells
}

// ratioCell is the ratio of the fastest batches and the median of the ratios.
func ratioCell(r Result) string {
	return fmt.Sprintf("%s / %s", ratio(r.RatioMin), ratio(r.RatioMedian))
}

func ratio(x float64) string {
	if x >= 10 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// rounded is x as the table shows it: a ratio that prints like its aim meets it.
func rounded(x float64) float64 { return float64(int(x*100+0.5)) / 100 }

func writeAligned(w io.Writer, lines [][]string) error {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len(cell))
		}
	}
	var rule []string
	for _, n := range width {
		rule = append(rule, strings.Repeat("-", n))
	}
	lines = slices.Insert(slices.Clone(lines), 1, rule)
	for _, line := range lines {
		for i, cell := range line {
			if _, err := fmt.Fprintf(w, "| %-*s ", width[i], cell); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w, "|"); err != nil {
			return err
		}
	}
	return nil
}
