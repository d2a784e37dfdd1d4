package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func main() { newProgram().Main() }

func newProgram() program.Program {
	o := options{seed: 1, epochs: 20, out: "custom_op-out"}
	return program.Program{
		Name: "custom_op", Usage: usage, Out: &o.out,
		Flags: func(f *program.Flags) {
			f.Count(&o.epochs, "epochs")
			f.Seed(&o.seed, "seed")
		},
		Run: func(ctx context.Context, w io.Writer) error { return once(ctx, o, w) },
	}
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
