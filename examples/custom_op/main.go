package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is the program: it returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return succeeded
	}
	if err == nil {
		err = os.MkdirAll(o.out, 0o755)
	}
	if err != nil {
		fmt.Fprintln(stderr, "custom_op:", err)
		return wrongUsage
	}
	switch err := once(ctx, o, stdout); {
	case ctx.Err() != nil:
		fmt.Fprintln(stdout, "Interrupted.")
		return interrupted
	case err != nil:
		fmt.Fprintln(stderr, "custom_op:", err)
		return failed
	}
	return succeeded
}

// epoch is what came of one pass over the training patterns.
type epoch struct{ train, validation score }

// once shows the operators on a tape, trains the neurons, tests and draws them.
func once(ctx context.Context, o options, w io.Writer) error {
	tape, err := twoSteps()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Two steps of spiking neurons on the tape: leak is an instruction of its own, spike is fused with what is around it.\n\n%s\n", tape)

	n, err := newNetwork(o.seed)
	if err != nil {
		return err
	}
	training, validation, test := patterns(1000, 3*o.seed), patterns(500, 3*o.seed+1), patterns(500, 3*o.seed+2)
	fmt.Fprintf(w, "Patterns %d to train with, %d to validate, %d to test: %d channels over %d steps, a wave that runs up or down\n",
		training.Len(), validation.Len(), test.Len(), channels, duration)
	fmt.Fprintf(w, "Network  %d spiking neurons, unrolled over %d steps: %d instructions for a step of training\n\n", hidden, duration, n.trainer.Program().Len())

	var history []epoch
	began := time.Now()
	err = n.train(ctx, o.epochs, o.seed, training, validation, func(number int, train, other score) {
		history = append(history, epoch{train, other})
		if every := (o.epochs + 9) / 10; number == 1 || number%every == 0 || number == o.epochs {
			fmt.Fprintf(w, "epoch %*d/%d  loss %.4f  validation %5.1f%%\n", len(fmt.Sprint(o.epochs)), number, o.epochs, train.loss, 100*other.accuracy)
		}
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	result, err := n.run(ctx, n.asker, test)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nTest accuracy %.4f after %.1f s of training.\n\nPictures in %s\n", result.accuracy, took.Seconds(), o.out)
	if err := neuronPicture(filepath.Join(o.out, "neuron.png"), n, test); err != nil {
		return err
	}
	fmt.Fprintln(w, "  neuron.png  a wave of each class, and the neuron that tells them apart best: its potential and its spikes")
	if err := lossPicture(filepath.Join(o.out, "loss.png"), history); err != nil {
		return err
	}
	fmt.Fprintln(w, "  loss.png    loss and accuracy, epoch by epoch")
	return nil
}

// twoSteps lists the program of two steps of neurons without weights.
func twoSteps() (string, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float32, batch, 2, hidden)
	_, fired := integrateAndFire(ops.Unstack(leak(x, synapseDecay), 1))
	p, err := vm.Compile(vm.Spec{Outputs: fired})
	if err != nil {
		return "", err
	}
	return p.String(), nil
}

const usage = `Shows how to make operators of one's own: spiking neurons, made of three of them, learn to tell
two patterns apart that differ only in their order in time. Shows the test accuracy, and draws pictures.

usage: go run ./examples/custom_op [flags]

  -epochs N   passes over the training patterns          (default 20)
  -seed N     decides the patterns, their order and the
              weights to start from                      (default 1)
  -out DIR    folder for neuron.png and loss.png         (default custom_op-out)
`

// options are the values of the flags.
type options struct {
	seed   uint64
	epochs int
	out    string
}

// parse reads the flags. The error fits on one line.
func parse(args []string) (options, error) {
	o := options{seed: 1, epochs: 20, out: "custom_op-out"}
	fs := flag.NewFlagSet("custom_op", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller prints the error
	fs.Func("epochs", "", func(s string) (err error) {
		if o.epochs, err = strconv.Atoi(s); err != nil || o.epochs < 1 {
			return errors.New("want a whole number from 1 up")
		}
		return nil
	})
	fs.Func("seed", "", func(s string) (err error) {
		if o.seed, err = strconv.ParseUint(s, 10, 62); err != nil {
			return errors.New("want a whole number from 0 up")
		}
		return nil
	})
	fs.StringVar(&o.out, "out", o.out, "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("%q is no flag; -h lists them", fs.Arg(0))
	case o.out == "":
		return o, errors.New("-out names no folder")
	}
	return o, nil
}
