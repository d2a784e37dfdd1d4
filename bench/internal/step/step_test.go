package step

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/bench/internal/contest"
)

// The test program is a contender too, when it is started with this in its environment.
const role = "STEP_TEST_ROLE"

func TestMain(m *testing.M) {
	switch r := os.Getenv(role); r {
	case "":
		os.Exit(m.Run())
	case Tapir:
		serve(Prepare)
	case "not":
		serve(func(contest.Case) (*contest.Job, error) { return nil, contest.ErrNot })
	default:
		serve(func(c contest.Case) (*contest.Job, error) { return distorted(c, r) })
	}
}

func serve(prepare func(contest.Case) (*contest.Job, error)) {
	if err := contest.Serve(os.Stdin, os.Stdout, prepare); err != nil {
		panic(err)
	}
}

// distorted is Tapir with something wrong.
func distorted(c contest.Case, what string) (*contest.Job, error) {
	job, err := Prepare(c)
	if err != nil {
		return nil, err
	}
	loss, step, steps := job.Loss, job.Step, 0
	switch what {
	case "slow":
		job.Step = func() error { time.Sleep(time.Millisecond); return step() }
	case "loss":
		job.Loss = func() (float64, error) { v, err := loss(); return 1.001 * v, err }
	case "lazy": // does not train after the first step
		job.Step = func() error {
			if steps++; steps > 1 {
				return nil
			}
			return step()
		}
	}
	return job, nil
}

func entry(as string) Entry {
	return Entry{Peer: as, Command: []string{os.Args[0]}, Env: []string{role + "=" + as}}
}

func runRace(t *testing.T, c contest.Case, peers ...string) ([]Result, []string, error) {
	t.Helper()
	var notes []string
	opt := Options{Entries: []Entry{entry(Tapir)}, Time: 20 * time.Millisecond, Rounds: 4, Note: func(s string) { notes = append(notes, s) }}
	for _, p := range peers {
		opt.Entries = append(opt.Entries, entry(p))
	}
	results, err := Run(c, opt)
	return results, notes, err
}

var xor = contest.Case{Name: "xor", Batch: 4, Optimiser: "sgd", DType: "float32", Threads: 1}

func TestRun(t *testing.T) {
	results, notes, err := runRace(t, xor, "slow", "not")
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || len(notes) != 1 || !strings.Contains(notes[0], "not offered") {
		t.Fatalf("results %+v, notes %q", results, notes)
	}
	own, slow := results[0], results[1]
	if own.Peer != Tapir || own.Case != xor || own.NsOpMin <= 0 || own.NsOpMedian < own.NsOpMin || own.RatioMin != 0 || own.SetupNs <= 0 {
		t.Errorf("Tapir's result is %+v", own)
	}
	if own.AllocsOp == nil || *own.AllocsOp > 1 {
		t.Errorf("Tapir allocates %v times a step", own.AllocsOp)
	}
	if slow.NsOpMin < 1e6 || slow.RatioMin < 2 || slow.RatioMedian < 2 {
		t.Errorf("one that sleeps 1 ms in each step has %+v", slow)
	}
}

func TestAWrongResultStopsTheRace(t *testing.T) {
	adam := contest.Case{Name: "mlp", Batch: 32, Optimiser: "adam", DType: "float32", Threads: 2}
	for what, want := range map[string]string{"loss": "first loss", "lazy": "loss falls"} {
		for _, c := range []contest.Case{xor, adam} {
			if c == xor && what == "lazy" {
				continue // its loss falls by less than float32 shows
			}
			if _, _, err := runRace(t, c, what); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: error %v, want one with %q", what, c, err, want)
			}
		}
	}
}

// Every case runs in Tapir, and a training step lowers the loss.
func TestPrepare(t *testing.T) {
	for _, c := range contest.Cases(1) {
		if c.Name == "wide" && testing.Short() || c.Batch == 512 {
			continue
		}
		job, err := Prepare(c)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		var losses []float64
		for range 3 {
			if err := job.Step(); err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			loss, err := job.Loss()
			if err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			losses = append(losses, loss)
		}
		forward := c.Optimiser == "none"
		if falls := losses[2] < losses[0]; losses[0] == 0 || falls == forward {
			t.Errorf("%s: losses %v", c, losses)
		}
	}
}

func TestJSONLines(t *testing.T) {
	allocs := 3.5
	results := []Result{
		{Peer: Tapir, Case: xor, NsOpMin: 1.5, NsOpMedian: 2, AllocsOp: &allocs, BytesOp: new(float64), PeakRSS: 1 << 20},
		{Peer: "torch", Case: xor, NsOpMin: 50, NsOpMedian: 60, Version: "1.13", How: "jit", RatioMin: 33, RatioMedian: 30},
	}
	var out strings.Builder
	if err := WriteResults(&out, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var keys map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"peer", "case", "batch", "optimiser", "dtype", "threads", "ns_op_min", "ns_op_median", "allocs_op", "bytes_op", "peak_rss"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("a line has no %q: %s", k, lines[1])
		}
	}
	if keys["allocs_op"] != nil || keys["case"] != "xor" {
		t.Errorf("allocs_op is %v, case %v", keys["allocs_op"], keys["case"])
	}
	back, err := ReadResults(strings.NewReader(out.String()))
	if err != nil || !reflect.DeepEqual(back, results) {
		t.Errorf("read back %+v, error %v", back, err)
	}
	if _, err := ReadResults(strings.NewReader("{}\n{")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names line 2", err)
	}
}

func TestTable(t *testing.T) {
	deep := contest.Case{Name: "deep", Batch: 32, Optimiser: "sgd", DType: "float32", Threads: 1}
	zero := 0.0
	results := []Result{
		{Peer: Tapir, Case: xor, NsOpMin: 1500, NsOpMedian: 1600, AllocsOp: &zero, PeakRSS: 11 << 20},
		{Peer: "torch", Case: xor, How: "a", NsOpMin: 60000, RatioMin: 40, RatioMedian: 38, Version: "1.13"},
		{Peer: "torch", Case: xor, How: "b", NsOpMin: 45000, RatioMin: 30, RatioMedian: 28, Version: "1.13"},
		{Peer: Tapir, Case: deep, NsOpMin: 2.5e6, SetupNs: 2e7},
		{Peer: "gomlx", Case: deep, NsOpMin: 2.5e7, RatioMin: 9.994, RatioMedian: 1.239, SetupNs: 2e8},
		{Peer: Tapir, Case: xor, NsOpMin: 1400, NsOpMedian: 1600}, // another run
		{Peer: "torch", Case: xor, How: "b", NsOpMin: 44000, RatioMin: 32, RatioMedian: 30, Version: "1.13"},
	}
	var out strings.Builder
	if err := WriteTable(&out, results); err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(strings.ReplaceAll(out.String(), "|", " "))
	for _, want := range []string{"1.4 µs", "31 / 29", "2.5 ms", "9.99 / 1.24", "deep, 1 thread(s): tapir 20 ms, gomlx 200 ms.", "torch 1.13 (b)"} {
		if !strings.Contains(strings.Join(got, " "), want) {
			t.Errorf("the table has no %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "40 / 38") {
		t.Errorf("the slower way of torch is shown:\n%s", out.String())
	}
}

func TestMissingPeersAreNamed(t *testing.T) {
	python := t.TempDir() + "/python"
	if err := os.WriteFile(python, []byte("#!/bin/sh\necho 'Traceback:' >&2\necho \"ModuleNotFoundError: No module named 'torch'\" >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, python, want string }{
		{"torch", python, "No module named 'torch'): install them"},
		{"torch", python + "-that-is-not-there", "-python"},
		{"jax", python, fmt.Sprintf("there are %s", strings.Join(Peers, ", "))},
	} {
		if _, err := Enter(c.peer, c.python, t.TempDir()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.peer, err, c.want)
		}
	}
}

// torch.py reads the networks by the names of their fields.
func TestNetworksReachTorch(t *testing.T) {
	text, err := json.Marshal(contest.Networks())
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"Widths"`, `"Activation"`, `"Last"`, `"Loss"`, `"Gain"`, `"Rate"`, `"NearIdentity"`} {
		if !strings.Contains(string(text), field) || !strings.Contains(torchProgram, `net[`+field+`]`) {
			t.Errorf("%s is not in both the networks and torch.py", field)
		}
	}
	names := []string{}
	for name := range contest.Networks() {
		names = append(names, name)
	}
	for _, c := range contest.Cases(1) {
		if !slices.Contains(names, c.Name) {
			t.Errorf("%s has no network", c)
		}
	}
}
