package race

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Tapir is the name of the peer that all others are compared with; Ceiling stands for the multiply-add ceiling of the machine.
const (
	Tapir   = "tapir"
	Ceiling = "ceiling"
)

// A Result is what one peer did with one case: a line of the output.
type Result struct {
	Peer           string  `json:"peer"`
	Case           string  `json:"case"`
	M              int     `json:"m"`
	K              int     `json:"k"`
	N              int     `json:"n"`
	Op             string  `json:"op"`
	DType          string  `json:"dtype"`
	Act            string  `json:"act"`
	Threads        int     `json:"threads"`
	NsOpMin        float64 `json:"ns_op_min"`
	NsOpMedian     float64 `json:"ns_op_median"`
	GFLOPS         float64 `json:"gflops"`           // at the fastest
	FractionOfPeak float64 `json:"fraction_of_peak"` // of the ceiling in the same run

	How         string  `json:"how,omitempty"`          // what the peer called
	RatioMin    float64 `json:"ratio_min,omitempty"`    // peer's time ÷ Tapir's, by the fastest batch of each
	RatioMedian float64 `json:"ratio_median,omitempty"` // the same, the median over pairs of batches
	RatioQuiet  float64 `json:"ratio_quiet,omitempty"`  // the same, over those pairs beside which the ceiling was within 5 % of its best
	QuietPairs  int     `json:"quiet_pairs,omitempty"`  // their number
	Aim         float64 `json:"aim,omitempty"`          // on Tapir's lines: the ratio to the best native peer aimed at
}

func newResult(peer string, c Case, ns []float64, ceiling float64) Result {
	r := Result{Peer: peer, Case: c.String(), M: c.M, K: c.K, N: c.N, Op: string(c.Op), DType: c.DType, Act: c.Act, Threads: c.Threads,
		NsOpMin: minimum(ns), NsOpMedian: median(ns)}
	if r.NsOpMin > 0 {
		r.GFLOPS = c.Flops() / r.NsOpMin
	}
	if ceiling > 0 {
		r.FractionOfPeak = r.GFLOPS / ceiling
	}
	return r
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
