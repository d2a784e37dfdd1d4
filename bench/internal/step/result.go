package step

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tapir-ml/tapir/bench/internal/contest"
	"github.com/tapir-ml/tapir/bench/internal/race"
)

// Result is what one contender did with one case: a line of the output.
type Result struct {
	Peer string `json:"peer"`
	contest.Case
	NsOpMin    float64  `json:"ns_op_min"`
	NsOpMedian float64  `json:"ns_op_median"`
	AllocsOp   *float64 `json:"allocs_op"` // null: not known
	BytesOp    *float64 `json:"bytes_op"`
	PeakRSS    int64    `json:"peak_rss"` // of the process, in bytes; 0: not known

	Version     string  `json:"version,omitempty"`
	How         string  `json:"how,omitempty"`          // which way or build of the library
	SetupNs     float64 `json:"setup_ns,omitempty"`     // to build, differentiate and compile
	RatioMin    float64 `json:"ratio_min,omitempty"`    // time ÷ Tapir's, by the fastest batch of each
	RatioMedian float64 `json:"ratio_median,omitempty"` // the same, the median over the pairs of batches
}

// WriteResults writes JSON lines.
func WriteResults(w io.Writer, results []Result) error {
	enc := json.NewEncoder(w)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// ReadResults reads what WriteResults has written.
func ReadResults(r io.Reader) (results []Result, err error) {
	lines := bufio.NewScanner(r)
	for at := 1; lines.Scan(); at++ {
		var r Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", at, err)
		}
		results = append(results, r)
	}
	return results, lines.Err()
}

// merge leaves one result for each peer and case: of several runs the fastest time and the median of the others, then of
// several ways or builds of a library the one that comes closest to Tapir.
func merge(results []Result) (merged []Result) {
	for _, c := range distinct(results, func(r Result) contest.Case { return r.Case }) {
		ofCase := filter(results, func(r Result) bool { return r.Case == c })
		for _, peer := range distinct(ofCase, func(r Result) string { return r.Peer }) {
			ofPeer := filter(ofCase, func(r Result) bool { return r.Peer == peer })
			var ways []Result
			for _, how := range distinct(ofPeer, func(r Result) string { return r.How }) {
				ways = append(ways, mergeRuns(filter(ofPeer, func(r Result) bool { return r.How == how })))
			}
			merged = append(merged, slices.MinFunc(ways, func(a, b Result) int { return cmp.Compare(a.RatioMedian, b.RatioMedian) }))
		}
	}
	return merged
}

func mergeRuns(runs []Result) Result {
	field := func(f func(Result) float64) (x []float64) {
		for _, r := range runs {
			x = append(x, f(r))
		}
		return x
	}
	r := runs[len(runs)-1]
	r.NsOpMin = race.Minimum(field(func(r Result) float64 { return r.NsOpMin }))
	r.SetupNs = race.Minimum(field(func(r Result) float64 { return r.SetupNs }))
	r.NsOpMedian = race.Median(field(func(r Result) float64 { return r.NsOpMedian }))
	r.RatioMin = race.Median(field(func(r Result) float64 { return r.RatioMin }))
	r.RatioMedian = race.Median(field(func(r Result) float64 { return r.RatioMedian }))
	return r
}

// distinct are the keys in the order of their first appearance.
func distinct[K comparable](results []Result, key func(Result) K) (keys []K) {
	for _, r := range results {
		if k := key(r); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func filter(results []Result, keep func(Result) bool) (kept []Result) {
	for _, r := range results {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// WriteTable prints a line for each case, in Markdown: Tapir's time, the ratios to its peers by the fastest batch and by the
// median over the pairs; then the times of building, differentiating and compiling, and what was raced.
func WriteTable(w io.Writer, results []Result) error {
	all := merge(results)
	peers := distinct(filter(all, func(r Result) bool { return r.Peer != Tapir }), func(r Result) string { return r.Peer })
	lines := [][]string{append([]string{"case", "batch", "optimiser", "threads", Tapir, "allocs", "peak MB"}, peers...)}
	var setups []string
	for _, c := range distinct(all, func(r Result) contest.Case { return r.Case }) {
		row := filter(all, func(r Result) bool { return r.Case == c })
		of := func(peer string) *Result {
			i := slices.IndexFunc(row, func(r Result) bool { return r.Peer == peer })
			if i < 0 {
				return nil
			}
			return &row[i]
		}
		own := of(Tapir)
		if own == nil {
			continue
		}
		allocs := ""
		if own.AllocsOp != nil {
			allocs = fmt.Sprintf("%.0f", *own.AllocsOp)
		}
		cells := []string{c.Name, fmt.Sprint(c.Batch), c.Optimiser, fmt.Sprint(c.Threads), duration(own.NsOpMin), allocs, fmt.Sprint(own.PeakRSS >> 20)}
		for _, p := range peers {
			cell := ""
			if r := of(p); r != nil {
				cell = race.Ratio(r.RatioMin) + " / " + race.Ratio(r.RatioMedian)
			}
			cells = append(cells, cell)
		}
		lines = append(lines, cells)
		if c.Network().Setup {
			var times []string
			for _, r := range row {
				if r.SetupNs > 0 {
					times = append(times, r.Peer+" "+duration(r.SetupNs))
				}
			}
			setups = append(setups, fmt.Sprintf("Build, differentiate and compile %s, %d thread(s): %s.", c.Name, c.Threads, strings.Join(times, ", ")))
		}
	}
	if err := race.WriteAligned(w, lines); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	for _, line := range append(setups, raced(all)) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// raced names the libraries with their versions, and in which ways they came closest.
func raced(all []Result) string {
	var names []string
	for _, peer := range distinct(all, func(r Result) string { return r.Peer }) {
		of := filter(all, func(r Result) bool { return r.Peer == peer })
		name := peer
		if of[0].Version != "" {
			name += " " + of[0].Version
		}
		ways := distinct(of, func(r Result) string { return r.How })
		slices.Sort(ways)
		if s := strings.Join(slices.DeleteFunc(ways, func(s string) bool { return s == "" }), "; "); s != "" {
			name += " (" + s + ")"
		}
		names = append(names, name)
	}
	return "Raced: " + strings.Join(names, ", ") + "."
}

// duration is a time in ns as tables show it.
func duration(ns float64) string {
	for _, unit := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= unit.ns {
			return fmt.Sprintf("%.3g %s", ns/unit.ns, unit.name)
		}
	}
	return fmt.Sprintf("%.3g ns", ns)
}
