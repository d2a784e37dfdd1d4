package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/vm"
)

// The exit codes.
const (
	succeeded   = 0
	failed      = 1
	wrongUsage  = 2
	interrupted = 130 // as shells count a program that Ctrl-C ended
)

func main() {
	ctx, _ := train.Interruptible(context.Background())
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is the program: it returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return succeeded
	}
	if err == nil && o.seeds == 0 {
		err = makeFolder(&o.out)
	}
	if err != nil {
		fmt.Fprintln(stderr, "digits:", err)
		return wrongUsage
	}
	if o.seeds > 0 {
		err = overSeeds(ctx, o, stdout)
	} else {
		err = once(ctx, o, stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "digits:", err)
		return failed
	case ctx.Err() != nil:
		return interrupted
	}
	return succeeded
}

// once trains one network and shows all there is to see of it.
func once(ctx context.Context, o options, stdout io.Writer) error {
	d, err := load(o)
	if err != nil {
		return err
	}
	n, err := newNetwork(o)
	if err != nil {
		return err
	}
	describe(stdout, o, d, n)
	var profile *vm.Profile
	if o.explain != "" {
		profile = n.Machine().StartProfile()
	}

	began := time.Now()
	result, err := n.train(ctx, o, d, stdout)
	if err != nil && ctx.Err() == nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintln(stdout)
	if ctx.Err() != nil {
		fmt.Fprintf(stdout, "Interrupted in epoch %d of %d; this is what was reached.\n", min(len(result.History.Epochs)+1, o.epochs), o.epochs)
	}

	measures, read, err := n.test(d.test)
	if err != nil {
		return err
	}
	report(stdout, d.test, read, measures["accuracy"], took)
	if err := writePictures(stdout, o.out, n, result.History, d.test, read); err != nil || o.explain == "" {
		return err
	}
	return explain(stdout, o, n, profile)
}

// explain writes a page about the step of training: how it was compiled, and where its time went.
func explain(stdout io.Writer, o options, n *network, profile *vm.Profile) error {
	f, err := os.Create(o.explain)
	if err != nil {
		return fmt.Errorf("-explain: %w", err)
	}
	err = n.explanation.WriteHTML(f, vm.ExplainOptions{Binding: graph.Binding{n.pixels.Shape()[0]: o.batch}, Profile: profile})
	if err = errors.Join(err, f.Close()); err == nil {
		fmt.Fprintf(stdout, "\nHow the step of training was compiled, and where its time went: %s\n", o.explain)
	}
	return err
}

// overSeeds trains a network for each of several seeds and compares them.
func overSeeds(ctx context.Context, o options, stdout io.Writer) error {
	var accuracies []float64
	for range o.seeds {
		d, err := load(o)
		if err != nil {
			return err
		}
		n, err := newNetwork(o)
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := n.train(ctx, o, d, nil); ctx.Err() != nil {
			fmt.Fprintf(stdout, "Interrupted; %d of %d seeds were done.\n", len(accuracies), o.seeds)
			break
		} else if err != nil {
			return err
		}
		took := time.Since(began)
		measures, err := n.EvalOnly(context.Background(), d.test)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "seed %-4d test accuracy %.4f  (%.1f s)\n", o.seed, measures["accuracy"], took.Seconds())
		accuracies = append(accuracies, measures["accuracy"])
		o.seed++
	}
	if len(accuracies) > 0 {
		mean, deviation := spread(accuracies)
		fmt.Fprintf(stdout, "mean      test accuracy %.4f ± %.4f over %d seeds\n", mean, deviation, len(accuracies))
	}
	return nil
}

// spread returns the mean and the sample standard deviation.
func spread(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, math.Sqrt(deviation)
}

const usage = `Trains a 64-64-32-10 relu network to read handwritten digits: 1,797 images of 8×8 pixels,
which the program carries with it. Shows the test accuracy and what is taken for what, and draws pictures.

usage: go run ./examples/digits [flags]

  -epochs N   passes over the training images              (default 60)
  -batch N    images in a step of training                 (default 32)
  -lr X       learning rate of Adam                        (default 0.003)
  -seed N     decides the split of the images, their order
              and the weights to start from                (default 1)
  -dtype T    float32 or float64                           (default float32)
  -out DIR    folder for loss.png, graph.svg, misread.png  (default digits-out)
  -explain F  a page (HTML) about how the step of training was
              compiled, and where its time goes
  -seeds N    train N networks, with seeds from -seed on,
              and print the mean of their test accuracies; draws no pictures

Ctrl-C stops the training and shows what was reached.
`

// options are the values of the flags.
type options struct {
	seed, seeds   uint64
	epochs, batch int
	lr            float64
	dtype         graph.DType
	out, explain  string
}

// parse reads the flags. The error fits on one line.
func parse(args []string) (options, error) {
	o := options{seed: 1, epochs: 60, batch: 32, lr: 0.003, dtype: graph.Float32, out: "digits-out"}
	fs := flag.NewFlagSet("digits", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller prints the error
	count := func(v *int) func(string) error {
		return func(s string) (err error) {
			if *v, err = strconv.Atoi(s); err != nil || *v < 1 {
				return errors.New("want a whole number from 1 up")
			}
			return nil
		}
	}
	fs.Func("epochs", "", count(&o.epochs))
	fs.Func("batch", "", count(&o.batch))
	fs.Func("lr", "", func(s string) (err error) {
		if o.lr, err = strconv.ParseFloat(s, 64); err != nil || !(o.lr > 0) || math.IsInf(o.lr, 0) {
			return errors.New("want a number above 0, such as 0.003")
		}
		return nil
	})
	fs.Func("seed", "", func(s string) (err error) {
		if o.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			return errors.New("want a whole number from 0 up")
		}
		return nil
	})
	fs.Func("seeds", "", func(s string) (err error) {
		if o.seeds, err = strconv.ParseUint(s, 10, 32); err != nil || o.seeds < 1 {
			return errors.New("want a whole number from 1 up")
		}
		return nil
	})
	fs.Func("dtype", "", func(s string) error {
		for _, o.dtype = range []graph.DType{graph.Float32, graph.Float64} {
			if o.dtype.String() == s {
				return nil
			}
		}
		return errors.New("want float32 or float64")
	})
	fs.StringVar(&o.out, "out", o.out, "")
	fs.StringVar(&o.explain, "explain", "", "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	out := false
	fs.Visit(func(f *flag.Flag) { out = out || f.Name == "out" })
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q is no flag; -h lists them", fs.Arg(0))
	case (out || o.explain != "") && o.seeds > 0:
		return o, errors.New("-seeds draws no pictures, so it does not go with -out or -explain")
	case o.out == "":
		return o, errors.New("-out names no folder")
	}
	return o, nil
}

// makeFolder makes the folder, makes its path absolute, and makes sure that files can be written there.
func makeFolder(folder *string) error {
	path, err := filepath.Abs(*folder)
	if err == nil {
		err = os.MkdirAll(path, 0o755)
	}
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(path, ".writable-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("-out %s: cannot write there: %w", *folder, err)
	}
	*folder = path
	return nil
}
