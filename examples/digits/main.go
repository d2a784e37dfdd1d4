package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
)

func main() { newProgram(defaults()).Main() }

// options are the values of the flags.
type options struct {
	seed          uint64
	seeds         int
	epochs, batch int
	lr            float64
	dtype         string
	out, explain  string
}

func defaults() *options {
	return &options{seed: 1, epochs: 60, batch: 32, lr: 0.003, dtype: graph.Float32.String(), out: "digits-out"}
}

// float is the element type that -dtype names.
func (o *options) float() graph.DType {
	if o.dtype == graph.Float64.String() {
		return graph.Float64
	}
	return graph.Float32
}

func newProgram(o *options) program.Program {
	return program.Program{
		Name: "digits", Usage: usage, Out: &o.out,
		Flags: func(f *program.Flags) {
			f.Count(&o.epochs, "epochs")
			f.Count(&o.batch, "batch")
			f.Positive(&o.lr, "lr")
			f.Seed(&o.seed, "seed")
			f.Count(&o.seeds, "seeds")
			f.Choice(&o.dtype, "dtype", graph.Float32.String(), graph.Float64.String())
			f.Text(&o.explain, "explain")
		},
		Check: func(f *program.Flags) error {
			if o.seeds == 0 {
				return nil
			}
			if f.Given("out") || f.Given("explain") {
				return errors.New("-seeds draws no pictures, so it does not go with -out or -explain")
			}
			o.out = ""
			return nil
		},
		Run: func(ctx context.Context, stdout io.Writer) error {
			if o.seeds > 0 {
				return overSeeds(ctx, *o, stdout)
			}
			return once(ctx, *o, stdout)
		},
	}
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
