package contest

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test program is a contender too, when it is started with this in its environment.
const role = "CONTEST_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "fake":
		_ = Serve(os.Stdin, os.Stdout, fake)
	case "mute":
		fmt.Fprintln(os.Stderr, "first complaint\nno such library")
		os.Exit(3)
	case "babble":
		fmt.Println("hello")
	}
}

// fake is a library whose loss is the number of its steps, falling from 100.
func fake(c Case) (*Job, error) {
	if c.Name == "wide" {
		return nil, fmt.Errorf("%w: too\nwide", ErrNot)
	}
	steps := 0
	var kept []byte
	return &Job{Version: "v1", How: "fast", Setup: time.Millisecond,
		Step: func() error {
			if steps++; steps > 1000 {
				return errors.New("out of breath")
			}
			kept = make([]byte, 4096)
			return nil
		},
		Loss:  func() (float64, error) { return 101 - float64(steps) + float64(len(kept)-4096), nil },
		Close: func() {},
	}, nil
}

func startRole(t *testing.T, name, as string) (*Contender, error) {
	t.Helper()
	c, err := ParseCase(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(c, []string{os.Args[0]}, []string{role + "=" + as})
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

func TestContenderInAProcessOfItsOwn(t *testing.T) {
	p, err := startRole(t, "mlp:32:sgd:float32:1", "fake")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Ready{Version: "v1", How: "fast", SetupNs: 1e6, First: 100, Later: 97}); p.Ready != want {
		t.Errorf("ready is %+v, want %+v", p.Ready, want)
	}
	if ns, err := p.Run(50); err != nil || ns <= 0 || ns > 1e8 {
		t.Errorf("a step takes %v ns, error %v", ns, err)
	}
	allocs, bytes, known, err := p.Count(100)
	if err != nil || !known || allocs < 1 || allocs > 3 || bytes < 4096 || bytes > 5000 {
		t.Errorf("counted %v allocations of %v bytes, known %v, error %v; want one of 4096 bytes", allocs, bytes, known, err)
	}
	if n, err := p.PeakRSS(); err != nil || (n != 0 && n < 1<<20) {
		t.Errorf("peak is %d, error %v", n, err)
	}
	if _, err := p.Run(2000); err == nil || !strings.Contains(err.Error(), "out of breath") {
		t.Errorf("error %v, want the job's", err)
	}
}

func TestContendersThatDoNotRace(t *testing.T) {
	for _, c := range []struct{ role, name, want string }{
		{"fake", "wide:128:sgd:float32:1", "not offered: not offered: too wide"},
		{"mute", "mlp:32:sgd:float32:1", "no such library"},
		{"babble", "mlp:32:sgd:float32:1", `answered "hello"`},
	} {
		_, err := startRole(t, c.name, c.role)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.role, err, c.want)
		}
		if not := errors.Is(err, ErrNot); not != (c.role == "fake") {
			t.Errorf("%s: is ErrNot: %v", c.role, not)
		}
	}
	if _, err := Start(Case{}, []string{"/nonexistent/program"}, nil); err == nil {
		t.Error("a program that is not there has started")
	}
}

func TestProtocol(t *testing.T) {
	in := "run 1\ncase mlp:0:sgd:float32:1\ncase xor:4:sgd:float32:1\nrun 0\nrun x\ncount 2\ndance\nrss\n"
	var out strings.Builder
	if err := Serve(strings.NewReader(in), &out, fake); err != nil {
		t.Fatal(err)
	}
	want := []string{"error run before case", "error case", "ready {", "error run \"0\"", "error run \"x\"", "count ", "error what is", "rss "}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(got), len(want), out.String())
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("line %d is %q, want %q …", i+1, got[i], want[i])
		}
	}
}

func TestSetupIsRepeatedWhereItIsOfInterest(t *testing.T) {
	calls := 0
	prepare := func(c Case) (*Job, error) {
		calls++
		job, err := fake(c)
		time.Sleep(setupTime / 4)
		job.Setup = time.Duration(10-calls) * time.Second
		return job, err
	}
	_, ready, err := makeReady(Case{Name: "deep", Batch: 32}, prepare)
	if err != nil || calls < 2 || calls > 4 {
		t.Fatalf("%d setups in %v, error %v", calls, setupTime, err)
	}
	if want := float64(10-calls) * 1e9; ready.SetupNs != want {
		t.Errorf("setup takes %v, want the least, %v", ready.SetupNs, want)
	}
}

func TestCases(t *testing.T) {
	all := Cases(2)
	for i, c := range all {
		got, err := ParseCase(c.String())
		if err != nil || got != c {
			t.Errorf("%s is read as %+v, error %v", c, got, err)
		}
		if slices.Contains(all[:i], c) {
			t.Errorf("%s is there twice", c)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"mlp:32:sgd:float32", "4 parts"},
		{"rnn:32:sgd:float32:1", `no network "rnn"`},
		{"mlp:0:sgd:float32:1", `"0" is no positive number`},
		{"mlp:32:sgd:float32:x", `"x" is no positive number`},
		{"mlp:32:none:float32:1", "optimiser"},
		{"mlp:32:lion:float32:1", "optimiser"},
		{"forward:1:sgd:float32:1", "optimiser"},
		{"mlp:32:sgd:float64:1", "dtype"},
	} {
		if _, err := ParseCase(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.text, err, c.want)
		}
	}
}

// Values that another implementation has to give too; computed with Python's integers, rounded by numpy 1.24.
func TestNumbers(t *testing.T) {
	got := Numbers(3, 3, 0.5)
	want := []float32{-0.244415283203125, 0.25826913118362427, 0.1846945881843567}
	if !slices.Equal(got, want) {
		t.Errorf("Numbers are %v, want %v", got, want)
	}
	var sum, square float64
	x := Numbers(100000, 5, 1)
	for _, v := range x {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	n := float64(len(x))
	if mean, variance := sum/n, square/n; math.Abs(mean) > 0.01 || math.Abs(variance-1.0/3) > 0.01 {
		t.Errorf("mean %v and variance %v, want 0 and 1/3", mean, variance)
	}
}

func TestOneHotIsTheLabels(t *testing.T) {
	c := Case{Name: "mlp", Batch: 13}
	rows := c.OneHot()
	for i, label := range c.Labels() {
		for j, v := range rows[i*10:][:10] {
			if want := float32(0); v != want && int64(j) != label {
				t.Errorf("row %d has %v at %d, its label is %d", i, v, j, label)
			}
		}
		if rows[i*10+int(label)] != 1 {
			t.Errorf("row %d has no one at its label %d", i, label)
		}
	}
}
