// Affine races Tapir's fused affine kernel against other libraries.
//
//	go run ./cmd/affine -shapes shapes/quick.txt -out affine.jsonl
//	go run -tags native ./cmd/affine -shapes shapes/standard.txt -out affine.jsonl
//	go run ./cmd/affine -table affine.jsonl,again.jsonl
//
// A shapes file has lines `M K N op dtype act threads`: an affine layer with a batch of M rows, K inputs and N outputs.
//
//	op     fwd    Y = act(X·W + b)
//	       infer  the same, W laid out beforehand in the form that a library likes best
//	       dx     dX = (dZ·Wᵀ) ⊙ act′, from the saved output of act
//	       dw     dW = Xᵀ·dZ; act is none
//	dtype  float32 or float64
//	act    none, relu, leakyrelu, elu, selu, tanh, sigmoid, softplus, swish, gelu, gelutanh, exp
//
// What follows a # is a comment; `# aim 1.05` behind a case is the ratio to the best native library that is aimed at.
//
// The peers are gonum's BLAS followed by a loop (gonum), plain loops (naive), and with the build tag native, which needs cgo,
// oneDNN with its fused forms (onednn), OpenBLAS, BLIS and libxsmm, each followed by a loop where it has products only. Where
// a library offers several ways, the quickest is taken. A wrong result stops the race.
//
// A library chooses its kernels by the processor; one that is older than the processor may choose badly. BLIS_ARCH_TYPE=0 and
// OPENBLAS_CORETYPE=SkylakeX in the environment make BLIS 0.9, which numbers its kernels, and OpenBLAS take theirs with AVX-512.
// What all have with AVX2 alone is compared under
//
//	TAPIR_KERNEL=avx2 ONEDNN_MAX_CPU_ISA=AVX2 LIBXSMM_TARGET=hsw OPENBLAS_CORETYPE=Haswell BLIS_ARCH_TYPE=3
//
// and the ceiling is then that of 256-bit multiply-adds.
//
// The peer self, which races only when it is named, is Tapir against itself: how far its ratios are from 1 is noise.
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
	"strings"
	"time"

	"github.com/tapir-ml/tapir/bench/internal/race"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "affine:", err)
		os.Exit(1)
	}
}

func run() error {
	shapes := flag.String("shapes", "", "`file` of cases, a line each: M K N op dtype act threads")
	out := flag.String("out", "", "`file` for the results, JSON lines")
	peers := flag.String("peers", strings.Join(race.Peers, ","), "whom to race, separated by commas")
	per := flag.Duration("t", 200*time.Millisecond, "time for each peer in each case, and as much for Tapir beside it")
	rounds := flag.Int("rounds", 40, "number of batches that the time is divided into")
	table := flag.String("table", "", "measure nothing: print the table of these `files`, separated by commas; runs of the same case are merged")
	only := flag.String("only", "", "race only the cases whose name contains one of these, separated by commas: 1024x1024x1024:, :dx:, :float64:")
	working := flag.Int("working", race.WorkingSet>>20, "`MB` of operands that take turns; 0: one set, as hot in the caches as it can be")
	verbose := flag.Bool("v", false, "say which peers do not offer a case, and what each called")
	flag.Parse()

	if *table != "" {
		return printTable(strings.Split(*table, ","))
	}
	names := strings.Split(*peers, ",")
	for _, p := range names {
		if p != race.Self && !slices.Contains(race.Peers, p) {
			return fmt.Errorf("-peers: no peer %q; there are %s", p, strings.Join(race.Peers, ","))
		}
	}
	switch {
	case *shapes == "" || *out == "":
		return errors.New("-shapes and -out are needed; -h says more")
	case *per <= 0 || *rounds < 1 || *working < 0:
		return errors.New("-t and -rounds must be positive, -working not negative")
	}
	f, err := os.Open(*shapes)
	if err != nil {
		return err
	}
	defer f.Close()
	cases, err := race.ParseShapes(f)
	if err != nil {
		return fmt.Errorf("%s: %w", *shapes, err)
	}
	if *only != "" {
		cases = slices.DeleteFunc(cases, func(c race.Case) bool {
			return !slices.ContainsFunc(strings.Split(*only, ","), func(part string) bool { return strings.Contains(c.String(), part) })
		})
	}
	if missing, why := race.Missing(names); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "without %s: %s\n", strings.Join(missing, ", "), strings.Join(why, "; "))
		names = slices.DeleteFunc(names, func(p string) bool { return slices.Contains(missing, p) })
	}
	return measure(cases, *out, race.Options{Peers: names, Time: *per, Rounds: *rounds, WorkingSet: *working << 20}, *verbose)
}

func measure(cases []race.Case, out string, opt race.Options, verbose bool) error {
	to, err := os.Create(out)
	if err != nil {
		return err
	}
	defer to.Close()
	end := "" // the next case is written over this one
	if verbose {
		end = "\n"
		opt.Note = func(s string) { fmt.Fprintln(os.Stderr, s) }
	}
	var all []race.Result
	for i, c := range cases {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%d/%d %s%s", i+1, len(cases), c, end)
		results, err := race.Run(c, opt)
		if err != nil {
			fmt.Fprintln(os.Stderr)
			return err
		}
		if verbose {
			for _, r := range results {
				if r.Peer == race.Ceiling {
					continue
				}
				fmt.Fprintf(os.Stderr, "    %-9s %12.1f ns  %s\n", r.Peer, r.NsOpMin, r.How)
			}
		}
		if err := race.WriteResults(to, results); err != nil {
			return err
		}
		all = append(all, results...)
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	fmt.Println(race.Machine())
	fmt.Println()
	if err := race.WriteTable(os.Stdout, all); err != nil {
		return err
	}
	return to.Close()
}

func printTable(files []string) error {
	var all []race.Result
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		results, err := race.ReadResults(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, results...)
	}
	return race.WriteTable(os.Stdout, all)
}
