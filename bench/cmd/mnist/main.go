// Mnist measures how many images a second are trained with, batches, loss and optimiser included: nn/train's loop beside the loop
// that one writes with PyTorch, for the same network (784-128-10, relu), batch and Adam.
//
//	go run ./cmd/mnist -images t10k-images-idx3-ubyte.gz -labels t10k-labels-idx1-ubyte.gz
//
// All train in turn, an epoch each, in random order; a round of all comes before and is not counted. PyTorch runs with its Adam
// for each tensor and for all at once (foreach), with the kernels that its OpenBLAS chooses and with those for AVX-512, and the
// quickest counts. Without -images the pixels are random, which takes as long. The mean losses of the last epoch show that all
// do the same work; they begin with other weights.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mnist:", err)
		os.Exit(1)
	}
}

const hidden = 128

//go:embed mnist.py
var script string

// contender trains an epoch and returns how long it took, and the mean loss.
type contender struct {
	name  string
	epoch func() (took time.Duration, loss float64, err error)
	took  []time.Duration
	loss  float64
}

func run(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("mnist", flag.ContinueOnError)
	images := flags.String("images", "", "IDX `file` of images")
	labels := flags.String("labels", "", "IDX `file` of their labels")
	batch := flags.Int("batch", 64, "images in a step")
	threads := flags.Int("threads", runtime.NumCPU(), "threads for each")
	rounds := flags.Int("rounds", 10, "epochs for each")
	python := flags.String("python", "/usr/bin/python3", "the Python that has torch; nothing: Tapir alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *batch < 1 || *threads < 1 || *rounds < 1 || flags.NArg() > 0 || (*images == "") != (*labels == "") {
		return errors.New("-batch, -threads and -rounds are positive, -images and -labels go together; -h says more")
	}
	set, err := load(*images, *labels)
	if err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(*threads))
	tapir, err := newTapir(set, *batch)
	if err != nil {
		return err
	}
	all := []*contender{tapir}
	if *python != "" {
		folder, err := os.MkdirTemp("", "mnist")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		if err := write(folder, set); err != nil {
			return err
		}
		for _, foreach := range []int{0, 1} {
			for _, kernels := range []string{"", "SkylakeX"} {
				c, stop, err := newTorch(*python, folder, set, *batch, *threads, foreach, kernels)
				if err != nil {
					return err
				}
				defer stop()
				all = append(all, c)
			}
		}
	}
	for round := range *rounds + 1 {
		for _, i := range rand.Perm(len(all)) {
			took, loss, err := all[i].epoch()
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			if all[i].loss = loss; round > 0 {
				all[i].took = append(all[i].took, took)
			}
		}
	}
	fmt.Fprintf(w, "%d images of %d pixels, %d-%d-%d, batches of %d, %d threads, %d epochs\n\n", set.Len(), set.X.Shape()[1], set.X.Shape()[1], hidden, set.Classes, *batch, *threads, *rounds)
	fmt.Fprintf(w, "%-28s %14s %14s %10s %12s\n", "", "images/s, best", "median", "loss", "Tapir is")
	for _, c := range all {
		best, median := slices.Min(c.took), middle(c.took)
		rate := func(t time.Duration) float64 { return float64(set.Len()) / t.Seconds() }
		fmt.Fprintf(w, "%-28s %14.0f %14.0f %10.4f %11.2f×\n", c.name, rate(best), rate(median), c.loss, median.Seconds()/middle(all[0].took).Seconds())
	}
	return nil
}

func middle(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// load reads the images, or makes 10,000 of noise, and scales them to 0…1.
func load(images, labels string) (*data.Set, error) {
	if images != "" {
		set, err := data.IDXSet(images, labels, graph.Float32)
		if err != nil {
			return nil, err
		}
		scale, err := data.FitMinMaxJoint(set.X)
		if err != nil {
			return nil, err
		}
		return set, scale.ApplyTo(set)
	}
	random := rand.New(rand.NewPCG(1, 1))
	x, y := graph.NewArray(graph.Float32, 10_000, 784), graph.NewArray(graph.Int64, 10_000)
	for i := range x.F32() {
		x.F32()[i] = random.Float32()
	}
	for i := range y.I64() {
		y.I64()[i] = random.Int64N(10)
	}
	return data.NewSet(x.Dense(), y.Dense())
}

// newTapir is nn/train's loop.
func newTapir(set *data.Set, batch int) (*contender, error) {
	g, rows := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float32, rows, graph.Dim(set.X.Shape()[1]))
	y := g.Input("y", graph.Int64, rows)
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: hidden}, nn.ReLU, &nn.Linear{Out: set.Classes}}, x)
	trainer, err := train.New(train.Task{X: x, Y: y, Output: logits, Loss: losses.CrossEntropy(logits, y), Optimizer: optim.Adam{LR: 1e-3}}, 1)
	if err != nil {
		return nil, err
	}
	batches, err := data.NewBatches(set, batch, 1)
	if err != nil {
		return nil, err
	}
	return &contender{name: "tapir", epoch: func() (time.Duration, float64, error) {
		began := time.Now()
		result, err := trainer.Fit(context.Background(), batches, train.Options{Epochs: 1})
		if err != nil {
			return 0, 0, err
		}
		return time.Since(began), result.History.Epochs[0].Train["loss"], nil
	}}, nil
}

// write puts the set where the script finds it.
func write(folder string, set *data.Set) error {
	x, err := graph.ArrayOf(set.X)
	if err != nil {
		return err
	}
	y, err := graph.ArrayOf(set.Y)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "x"), x.Bytes(), 0o600),
		os.WriteFile(filepath.Join(folder, "y"), y.Bytes(), 0o600),
		os.WriteFile(filepath.Join(folder, "mnist.py"), []byte(script), 0o600))
}

// newTorch starts the script.
func newTorch(python, folder string, set *data.Set, batch, threads, foreach int, kernels string) (c *contender, stop func(), err error) {
	args := []string{filepath.Join(folder, "mnist.py"), folder}
	for _, v := range []int{set.Len(), set.X.Shape()[1], set.Classes, hidden, batch, threads, foreach} {
		args = append(args, fmt.Sprint(v))
	}
	child := exec.Command(python, args...)
	child.Env = append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", threads))
	name := []string{"", " foreach"}[foreach]
	if kernels != "" {
		child.Env, name = append(child.Env, "OPENBLAS_CORETYPE="+kernels), name+" "+kernels
	}
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := child.Start(); err != nil {
		return nil, nil, err
	}
	lines := bufio.NewReader(out)
	version, err := lines.ReadString('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("%s cannot import torch (-python names another; empty, Tapir runs alone): %w", python, err)
	}
	c = &contender{name: strings.TrimSpace(version) + name, epoch: func() (time.Duration, float64, error) {
		if _, err := io.WriteString(in, "epoch\n"); err != nil {
			return 0, 0, err
		}
		var seconds, loss float64
		if _, err := fmt.Fscan(lines, &seconds, &loss); err != nil {
			return 0, 0, err
		}
		return time.Duration(seconds * float64(time.Second)), loss, nil
	}}
	return c, func() { _ = in.Close(); _ = child.Wait() }, nil
}
