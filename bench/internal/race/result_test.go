package race

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var sample = Case{M: 10, K: 20, N: 30, Op: Forward, DType: "float32", Act: "relu", Threads: 1, Aim: 1.1}

func TestResult(t *testing.T) {
	got := newResult("blis", sample, []float64{300, 200, 400}, 120)
	want := Result{Peer: "blis", Case: "10x20x30:fwd:float32:relu:1", M: 10, K: 20, N: 30, Op: "fwd", DType: "float32", Act: "relu", Threads: 1,
		NsOpMin: 200, NsOpMedian: 300, GFLOPS: 60, FractionOfPeak: 0.5}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if r := newResult("blis", sample, nil, 0); r.GFLOPS != 0 || r.FractionOfPeak != 0 {
		t.Errorf("of no times: %+v", r)
	}
}

func TestResultsAsJSON(t *testing.T) {
	all := []Result{newResult(Tapir, sample, []float64{100}, 240), newResult("blis", sample, []float64{120}, 240)}
	all[0].Aim, all[1].RatioMin, all[1].RatioMedian, all[1].How = 1.1, 1.2, 1.25, "cblas_sgemm"
	var b bytes.Buffer
	if err := WriteResults(&b, all); err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(b.String(), "\n")
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"peer", "case", "m", "k", "n", "op", "dtype", "act", "threads", "ns_op_min", "ns_op_median", "gflops", "fraction_of_peak"} {
		if _, ok := fields[key]; !ok {
			t.Errorf("no %q in %s", key, line)
		}
	}
	back, err := ReadResults(&b)
	if err != nil || !reflect.DeepEqual(back, all) {
		t.Errorf("read back %+v, error %v\nwant %+v", back, err, all)
	}
	if _, err := ReadResults(strings.NewReader("{}\nnonsense\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one of line 2", err)
	}
}

func TestMerge(t *testing.T) {
	a := Result{Peer: "blis", Case: "x", NsOpMin: 10, NsOpMedian: 14, GFLOPS: 5, RatioMin: 1.1, RatioMedian: 1.3}
	b := Result{Peer: "blis", Case: "x", NsOpMin: 8, NsOpMedian: 12, GFLOPS: 6, RatioMin: 1.3, RatioMedian: 1.1}
	c := Result{Peer: "blis", Case: "y", NsOpMin: 1}
	got := merge([]Result{a, c, b})
	if len(got) != 2 || got[1] != c {
		t.Fatalf("merged to %+v", got)
	}
	if m := got[0]; m.NsOpMin != 8 || m.NsOpMedian != 13 || m.GFLOPS != 6 || ratio(m.RatioMin) != "1.20" || ratio(m.RatioMedian) != "1.20" {
		t.Errorf("merged to %+v", m)
	}
}

func TestTable(t *testing.T) {
	line := func(peer string, r float64) Result {
		x := newResult(peer, sample, []float64{100}, 240)
		x.RatioMin, x.RatioMedian = r+0.01, r
		return x
	}
	tapir := newResult(Tapir, sample, []float64{100}, 240)
	tapir.Aim = 1.1
	top := Result{Peer: Ceiling, Case: "float32:1", DType: "float32", Threads: 1, GFLOPS: 240}
	var b strings.Builder
	if err := WriteTable(&b, []Result{top, tapir, line("gonum", 0.5), line("blis", 1.2), line("onednn", 1.096)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| onednn 1.11 / 1.10 |             | 1.10 met |", "| 10,20,30 | fwd | relu | float32 |", "120.0 (0.50)", "0.51 / 0.50", "float32, 1 thread(s): 240.0 GFLOP/s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	b.Reset()
	if err := WriteTable(&b, []Result{top, tapir, line("onednn", 1.09)}); err != nil || !strings.Contains(b.String(), "**missed**") {
		t.Errorf("error %v, want a miss in\n%s", err, &b)
	}
}
