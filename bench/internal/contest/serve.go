package contest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A contender answers each line that it reads with one:
//
//	case NAME:BATCH:…   ready {"version":…, "how":…, "setup_ns":…, "first":…, "later":…}
//	run N               ns TIME             N steps took so long
//	count N             count ALLOCS BYTES  of N steps, in the language's heap; "count" alone: not known
//	rss                 rss BYTES           the most memory the process has held; 0: not known
//
// or with "not WHY" if the library does not offer the case, or "error WHAT". At the end of its input it ends.

// Ready is what a contender says of itself once it can run.
type Ready struct {
	Version string  `json:"version"`
	How     string  `json:"how,omitempty"` // what it calls, where there are several ways
	SetupNs float64 `json:"setup_ns"`      // to build, differentiate and compile; 0: it does nothing of the kind
	// First is the loss that the first step sees and Later the one after CheckSteps more; forward only: the MeanSize of the outputs.
	First float64 `json:"first"`
	Later float64 `json:"later"`
}

// CheckSteps is the steps between First and Later.
const CheckSteps = 3

// ErrNot says that a library does not offer a case.
var ErrNot = errors.New("not offered")

// Job is a case made ready by a library.
type Job struct {
	Version, How string
	Setup        time.Duration
	Step         func() error
	Loss         func() (float64, error) // that the last step saw; forward only: the MeanSize of the outputs
	Close        func()                  // may be nil
}

// Serve is the whole of a contender in Go.
func Serve(in io.Reader, out io.Writer, prepare func(Case) (*Job, error)) error {
	var job *Job
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		answer, err := reply(&job, verb, rest, prepare)
		switch {
		case errors.Is(err, ErrNot):
			answer = "not " + oneLine(err)
		case err != nil:
			answer = "error " + oneLine(err)
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	if job != nil && job.Close != nil {
		job.Close()
	}
	return lines.Err()
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func reply(job **Job, verb, rest string, prepare func(Case) (*Job, error)) (string, error) {
	switch verb {
	case "case":
		c, err := ParseCase(rest)
		if err != nil {
			return "", err
		}
		var ready Ready
		*job, ready, err = makeReady(c, prepare)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(ready)
		return "ready " + string(text), err
	case "rss":
		return fmt.Sprint("rss ", peakRSS()), nil
	case "run", "count":
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil || n < 1 {
			return "", fmt.Errorf("%s %q: want a positive number", verb, rest)
		}
		if *job == nil {
			return "", fmt.Errorf("%s before case", verb)
		}
		var before, after runtime.MemStats
		if verb == "count" {
			runtime.ReadMemStats(&before)
		}
		start := time.Now()
		for range n {
			if err := (*job).Step(); err != nil {
				return "", err
			}
		}
		if verb == "run" {
			return fmt.Sprint("ns ", time.Since(start).Nanoseconds()), nil
		}
		runtime.ReadMemStats(&after)
		return fmt.Sprint("count ", after.Mallocs-before.Mallocs, " ", after.TotalAlloc-before.TotalAlloc), nil
	}
	return "", fmt.Errorf("what is %q?", verb)
}

// setupTime is how long a setup may be repeated; the least counts.
const setupTime = time.Second

func makeReady(c Case, prepare func(Case) (*Job, error)) (job *Job, r Ready, err error) {
	least := time.Duration(0)
	for start := time.Now(); job == nil || c.Network().Setup && time.Since(start) < setupTime; {
		if job != nil && job.Close != nil {
			job.Close()
		}
		job = nil
		runtime.GC() // what is left of the one before
		if job, err = prepare(c); err != nil {
			return nil, r, err
		}
		if least == 0 || job.Setup < least {
			least = job.Setup
		}
	}
	r = Ready{Version: job.Version, How: job.How, SetupNs: float64(least.Nanoseconds())}
	for i := range 1 + CheckSteps {
		if err := job.Step(); err != nil {
			return nil, r, err
		}
		if i == 0 {
			if r.First, err = job.Loss(); err != nil {
				return nil, r, err
			}
		}
	}
	r.Later, err = job.Loss()
	return job, r, err
}

// peakRSS is the most memory that the process has held, in bytes, where the system says it.
func peakRSS() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kB int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	return 0
}

// Version is the version of a module that the program is built with.
func Version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return ""
}
