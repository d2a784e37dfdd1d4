// Step races whole training steps of Tapir against those of other libraries.
//
//	go run ./cmd/step -out step.jsonl
//	go run ./cmd/step -peers gorgonia,gomlx -threads 1 -only mlp,xor -out step.jsonl
//	go run ./cmd/step -table step.jsonl,again.jsonl
//
// The cases, all float32:
//
//	mlp      784-256-128-10, relu, cross-entropy; batch 32, 128 and 512; SGD and Adam
//	forward  the same network's logits for a batch of one
//	xor      2-8-1, tanh and a sigmoid, mean squared error, batch 4, SGD: what a step costs beside its arithmetic
//	chain    100 layers of width 16, tanh, forward for a batch of one: what an instruction costs
//	deep     1,000 layers of width 16, relu, batch 32, SGD: also the time to build, differentiate and compile
//	wide     1024-4096-4096-1024, relu, mean squared error, batch 128, SGD
//
// Each library runs in a process of its own for each case, Tapir too; a thread is pinned to a processor. All start from the same
// numbers, and before anything is timed their losses are compared with Tapir's: a different one stops the race. The peers are
// PyTorch (torch; eager, with and without foreach, or frozen by its JIT, whichever is quickest; with the kernels that its OpenBLAS
// chooses and with those for AVX-512), Gorgonia (gorgonia) and GoMLX on its backend in Go, built plainly and with
// GOEXPERIMENT=simd (gomlx).
//
// The table has ratios, a peer's time ÷ Tapir's: of the fastest batches, and the median over pairs of neighbouring batches.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/bench/internal/contest"
	"github.com/tapir-ml/tapir/bench/internal/race"
	"github.com/tapir-ml/tapir/bench/internal/step"
)

// serve as the only argument makes of this program the contender for Tapir.
const serve = "serve"

func main() {
	var err error
	if len(os.Args) == 2 && os.Args[1] == serve {
		err = contest.Serve(os.Stdin, os.Stdout, step.Prepare)
	} else {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("out", "", "`file` for the results, JSON lines")
	peers := flag.String("peers", strings.Join(step.Peers, ","), "whom to race, separated by commas; nothing: Tapir alone")
	threads := flag.String("threads", "1,2", "numbers of threads, separated by commas")
	per := flag.Duration("t", 300*time.Millisecond, "time for each peer in each case, and as much for Tapir beside it")
	rounds := flag.Int("rounds", 20, "number of batches that the time is divided into")
	table := flag.String("table", "", "measure nothing: print the table of these `files`, separated by commas; runs of the same case are merged")
	only := flag.String("only", "", "race only the cases whose name contains one of these, separated by commas: mlp, :128:, :adam:")
	python := flag.String("python", "/usr/bin/python3", "the Python that has torch")
	flag.Parse()

	if *table != "" {
		return printTable(strings.Split(*table, ","))
	}
	if *out == "" || *per <= 0 || *rounds < 1 {
		return errors.New("-out is needed, and -t and -rounds must be positive; -h says more")
	}
	var cases []contest.Case
	for _, text := range strings.Split(*threads, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-threads: %q is no positive number", text)
		}
		cases = append(cases, contest.Cases(n)...)
	}
	cases = slices.DeleteFunc(cases, func(c contest.Case) bool {
		return !slices.ContainsFunc(strings.Split(*only, ","), func(part string) bool { return strings.Contains(c.String(), part) })
	})
	folder, err := os.MkdirTemp("", "step")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	note := func(s string) { fmt.Fprintf(os.Stderr, "\r\x1b[K%s\n", s) }
	opt := step.Options{Entries: []step.Entry{{Peer: step.Tapir, Command: []string{self, serve}}}, Time: *per, Rounds: *rounds, Note: note}
	for _, p := range strings.Split(*peers, ",") {
		if p == "" {
			continue
		}
		entries, err := step.Enter(p, *python, folder)
		if err != nil {
			note(fmt.Sprintf("without %s: %v", p, err))
			continue
		}
		opt.Entries = append(opt.Entries, entries...)
	}
	return measure(cases, *out, opt)
}

func measure(cases []contest.Case, out string, opt step.Options) error {
	to, err := os.Create(out)
	if err != nil {
		return err
	}
	defer to.Close()
	var all []step.Result
	for i, c := range cases {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%d/%d %s", i+1, len(cases), c)
		results, err := step.Run(c, opt)
		if err == nil {
			err = step.WriteResults(to, results)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr)
			return err
		}
		all = append(all, results...)
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	fmt.Println(race.Machine())
	fmt.Println()
	if err := step.WriteTable(os.Stdout, all); err != nil {
		return err
	}
	return to.Close()
}

func printTable(files []string) error {
	var all []step.Result
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		results, err := step.ReadResults(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, results...)
	}
	return step.WriteTable(os.Stdout, all)
}
